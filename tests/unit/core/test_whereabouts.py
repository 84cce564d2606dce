"""Once the partner's own address is this node's, what answers there is no sign of the partner."""

from __future__ import annotations

from dataclasses import replace

from hamnd.core import asking
from hamnd.core.commands import ProbeRound, TakeLook, TellGuard
from hamnd.core.engine import step
from hamnd.core.events import ConcludeRequested, LookCompleted, RoundCompleted, Ticked
from hamnd.core.health.rule import (
    HOST_PROBES,
    latest_host_answer,
    silence_began,
    silence_of,
)
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Terms
from hamnd.core.state import NodeState
from hamnd.core.whereabouts import (
    OWN,
    forget_own,
    is_partner_displaced,
    note_own,
    parked_until,
    placed,
    present,
)
from hamnd.dialects import reach, witness
from hamnd.model.instant import Instant
from hamnd.model.names import Outcome, PlanKind, Probe, Rhythm, RunStatus, State
from hamnd.model.site import IdentityMode, ServiceAddress, Witness
from hamnd.model.work import Ending, Look, Looked, Report
from hamnd.views.status import status_document
from tests.builders import Pair, pair
from tests.unit.dialects.reports import exited
from tests.unit.dialects.test_addresses_elsewhere import NOBODY, SOMEBODY

SILENCE = f"{NOBODY}"


def displaced(step_id: str = "xcatd") -> tuple[NodeState, Terms, Instant]:
    """A takeover in the guide's way that has taken the primary's address."""
    one: Pair = pair().taking_over(step_id)
    site = one.terms.site
    moved = ServiceAddress("en1", site.primary.address, 26, site.primary.name)
    site = replace(
        site,
        identity_mode=IdentityMode.PRIMARY_ADDRESS,
        identity=(moved,),
        witnesses=(Witness("sn01", "9.114.47.80"),),
    )
    terms = replace(one.terms, site=site)
    run = one.state.run
    assert run is not None
    steps = {**run.steps, "identity": replace(run.steps["identity"], has_acted=True)}
    return replace(one.state, run=replace(run, steps=steps)), terms, one.now


def holding(state: NodeState, *held: str) -> NodeState:
    """This node was seen to have these addresses."""
    text = "".join(
        f"2: en1    inet {one}/26 brd 9.114.47.127 scope global en1\\ x\n" for one in held
    )
    reports = {**state.watch.reports, OWN: exited(0, text)}
    return replace(state, watch=replace(state.watch, reports=reports))


def later(now: Instant, seconds: float) -> Instant:
    return Instant(now.monotonic_s + seconds, now.wall_s + seconds)


def told(look: Look, now: Instant, code: int, text: str) -> Looked:
    return Looked(look, Report(Ending.EXITED, now, later(now, 0.1), code, text))


def round_of(terms: Terms, now: Instant, code: int, text: str) -> RoundCompleted:
    looks = dict(reach.address_round(terms.site))
    answered = "1 packets transmitted, 1 received, 0% packet loss, time 0ms\n"
    return RoundCompleted(
        99,
        (
            (Probe.PING, told(looks[Probe.PING], now, code, text)),
            (Probe.GATEWAY, told(looks[Probe.GATEWAY], now, 0, answered)),
        ),
    )


def test_it_is_displaced_from_the_first_action_on_and_never_in_the_other_mode() -> None:
    state, terms, _ = displaced()
    assert is_partner_displaced(state, terms)
    alias = replace(terms.site, identity_mode=IdentityMode.SERVICE_ADDRESS)
    assert not is_partner_displaced(state, replace(terms, site=alias))
    assert state.run is not None
    fresh = {**state.run.steps, "identity": replace(state.run.steps["identity"], has_acted=False)}
    before = replace(state, run=replace(state.run, steps=fresh))
    assert is_partner_displaced(before, terms), "nobody looked at this node's addresses yet"
    assert not is_partner_displaced(holding(before, terms.site.standby.address), terms)
    assert is_partner_displaced(holding(before, terms.site.primary.address), terms)


def test_nothing_is_asked_at_an_address_that_may_be_our_own() -> None:
    state, terms, now = displaced()
    for rhythm in Rhythm:
        _, commands = asking.on_tick(state, rhythm, now, terms)
        topics = {one.topic for one in commands if isinstance(one, TakeLook)}
        assert not topics & {"partner_db", "partner_clock", "witness:sn01"}
        rounds = [one for one in commands if isinstance(one, ProbeRound)]
        assert all(set(dict(one.probes)) == {Probe.PING, Probe.GATEWAY} for one in rounds)
        assert all(reach.is_claim(Looked(dict(one.probes)[Probe.PING], ANY)) for one in rounds)


ANY = Report(Ending.TIMED_OUT, Instant(0, 0), Instant(0, 0))


def test_what_was_on_its_way_when_the_address_moved_holds_no_run() -> None:
    """A ping, or a witness, that was answered by this very node a moment later."""
    state, terms, now = displaced()
    probes = dict(reach.partner_round(terms.site))
    home = "1 packets transmitted, 1 received, 0% packet loss, time 0ms\n"
    echo = RoundCompleted(98, ((Probe.PING, told(probes[Probe.PING], later(now, 1), 0, home)),))
    sight = witness.look(terms.site, terms.site.witnesses[0])
    text = "ping=ok\nbanner=ok\nxcatd=ok\ndone=ok\n"
    reached = LookCompleted("witness:sn01", told(sight, later(now, 1), 0, text))
    for event in (echo, reached):
        decision = step(state, event, later(now, 2), terms)
        assert decision.state.run is not None
        assert decision.state.run.status is state.run.status  # type: ignore[union-attr]
        assert latest_host_answer(decision.state.watch) == latest_host_answer(state.watch)
        assert decision.state.watch.witnesses == state.watch.witnesses


def test_an_address_that_nobody_else_claims_keeps_the_silence_fresh() -> None:
    state, terms, now = displaced()
    after = later(now, 20.0)
    watch = step(state, round_of(terms, after, 0, SILENCE), later(after, 0.2), terms).state.watch
    for probe in HOST_PROBES:
        assert silence_of(watch.tracks.get(probe), later(after, 0.2), terms.policy) is not None
    assert silence_began(watch, later(after, 0.2), terms.policy) is not None


def test_another_host_that_claims_the_address_is_heard() -> None:
    state, terms, now = displaced()
    after = later(now, 5.0)
    decision = step(state, round_of(terms, after, 1, SOMEBODY), later(after, 0.2), terms)
    heard = latest_host_answer(decision.state.watch)
    assert heard is not None
    assert heard > now


def beside() -> tuple[NodeState, Terms, Instant]:
    """Active with the primary's address, this node's own given up: the partner belongs there."""
    state, terms, now = displaced()
    state = replace(pair().active().state, run=None, is_exchanged=True)
    return holding(state, terms.site.primary.address), terms, later(now, 5_000.0)


def conditions(state: NodeState) -> dict[str, tuple[str, str, str]]:
    found = state.assessment.conditions
    return {one.type: (one.status.value, one.reason, one.message) for one in found}


def test_who_claims_the_address_here_says_nothing_of_what_answers_where_the_partner_belongs() -> (
    None
):
    """Two questions in one memory: seen, silent and unknown would change with every round."""
    state, terms, now = beside()
    before = state.watch.tracks
    decision = step(state, round_of(terms, now, 1, SOMEBODY), later(now, 0.2), terms)
    assert decision.state.watch.tracks == before
    found = conditions(decision.state)["AddressUnique"]
    assert found[:2] == ("False", "Doubled")
    assert "(02:00:0a:63:00:0b)" in found[2]
    shown = status_document(decision.state, later(now, 0.2), present(terms, decision.state))
    assert shown["old_primary"]["seen"] is True
    after = later(now, 2.0)
    decision = step(decision.state, round_of(terms, after, 0, SILENCE), later(after, 0.2), terms)
    assert decision.state.watch.tracks == before
    assert conditions(decision.state)["AddressUnique"][:2] == ("True", "Unique")
    late = later(after, 300.0)
    decision = step(decision.state, Ticked(Rhythm.REACH), late, terms)
    assert "AddressUnique" not in conditions(decision.state), "nobody asked lately"


# Two living nodes exchange their addresses.

SPARE = "9.114.47.105"
ORDER = ("spare", "release", "identity", "settle", "exchange", "unspare")


def exchanging(*done: str, kind: PlanKind = PlanKind.SWITCHOVER) -> tuple[NodeState, Terms]:
    """A run that moves the addresses, so far; its steps have no actions of their own."""
    state, terms, _ = displaced()
    assert state.run is not None
    undo = "undo-" if kind is PlanKind.UNDO else ""
    half = ORDER if kind is PlanKind.SWITCHOVER else (*ORDER, *(f"home-{one}" for one in ORDER))
    names = [f"{undo}{one}" for one in half]
    plain = state.run.steps["identity"]
    steps = {
        one: replace(
            plain,
            outcome=Outcome.DONE if one in done else Outcome.PENDING,
            has_acted=one in done,
        )
        for one in names
    }
    plan = replace(state.run.plan, request=replace(state.run.plan.request, kind=kind))
    site = replace(terms.site, identity_spare=SPARE)
    moved = replace(state, run=replace(state.run, plan=plan, steps=steps))
    return holding(moved, site.standby.address), replace(terms, site=site)


def partner_at(state: NodeState, terms: Terms) -> str:
    return placed(terms, state).site.partner.address


def test_the_partner_is_reached_where_it_is_at_every_moment_of_an_exchange() -> None:
    _, terms = exchanging()
    first, second = terms.site.primary.address, terms.site.standby.address
    there = [partner_at(*exchanging(*ORDER[:n])) for n in range(len(ORDER) + 1)]
    assert there == [first, SPARE, SPARE, SPARE, SPARE, second, second]
    home = [f"home-{one}" for one in ORDER]
    back = [
        partner_at(*exchanging(*ORDER, *home[:n], kind=PlanKind.DRILL))
        for n in range(len(home) + 1)
    ]
    assert back == [second, second, second, first, first, first, first]


def test_what_is_taken_back_is_reached_where_it_still_is() -> None:
    _, terms = exchanging()
    first, second = terms.site.primary.address, terms.site.standby.address
    done: list[str] = []
    seen = []
    for step_id in ("home-settle", "home-identity", *reversed(ORDER)):
        seen.append(partner_at(*exchanging(*done, kind=PlanKind.UNDO)))
        done.append(f"undo-{step_id}")
    seen.append(partner_at(*exchanging(*done, kind=PlanKind.UNDO)))
    assert seen == [first, second, second, SPARE, SPARE, SPARE, SPARE, first, first]


def test_a_run_that_alone_knows_where_a_node_is_is_not_concluded() -> None:
    """Between `release` and `exchange` no file tells it, and neither node's own addresses do."""
    home = [f"home-{one}" for one in ORDER]
    both = [
        exchanging(*[*ORDER, *home][:n], kind=PlanKind.DRILL)[0] for n in range(2 * len(ORDER) + 1)
    ]
    waits = [None if one.run is None else parked_until(one.run) for one in both]
    there = [None, None, "exchange", "exchange", "exchange", None]
    assert waits == [*there, *(one and f"home-{one}" for one in there), None]
    undone = [f"undo-{one}" for one in reversed(ORDER)]
    back = [exchanging(*undone[:n], kind=PlanKind.UNDO)[0] for n in range(len(undone) + 1)]
    waits = [None if one.run is None else parked_until(one.run) for one in back]
    assert waits == [None, None, "undo-release", "undo-release", "undo-release", None, None]


def test_where_one_address_replaces_another_the_run_alone_knows_from_the_spare_one_on() -> None:
    """AIX's mktcpip: nothing lies beside anything."""
    for done, waits in (((), None), (("spare",), "exchange"), (ORDER[:5], None)):
        run = exchanging(*done)[0].run
        assert run is not None
        moves = replace(run.plan.steps[0], id="spare", parks=True)
        plan = replace(run.plan, steps=(moves, *run.plan.steps))
        assert parked_until(replace(run, plan=plan)) == waits


def concluded(*done: str, left_out: str = "") -> str | None:
    """The gate that refuses to conclude a paused switchover that came so far."""
    state, terms = exchanging(*done)
    assert state.run is not None
    steps = dict(state.run.steps)
    if left_out:
        steps[left_out] = replace(steps[left_out], outcome=Outcome.SKIPPED)
    steps["promote"] = replace(steps["release"], outcome=Outcome.DONE)
    listed = tuple(
        replace(state.run.plan.steps[0], id=one, host="aixmn1", reversible=one != "promote")
        for one in steps
    )
    plan = replace(state.run.plan, steps=listed)
    run = replace(state.run, plan=plan, steps=steps, status=RunStatus.PAUSED)
    now = Instant(5_000.0, 5_000.0)
    decision = step(replace(state, run=run), ConcludeRequested("enough", "root"), now, terms)
    if decision.refusal is None:
        return None
    assert decision.state.run == run
    assert f"until step exchange is done aixmn1 may have no address but {SPARE}" in (
        decision.refusal.sentence
    )
    return decision.refusal.gate


def test_whoever_concludes_there_is_told_what_would_be_lost_and_the_way_out() -> None:
    assert concluded("spare") is None
    assert concluded("spare", "release", "identity") == "exchange"
    assert concluded("spare", "release", "identity", left_out="exchange") is None
    assert concluded("spare", "release", "identity", "settle", "exchange") is None


def test_its_own_addresses_tell_whether_both_have_exchanged_theirs() -> None:
    state, terms = exchanging()
    first, second = terms.site.primary.address, terms.site.standby.address
    assert not note_own(holding(state, first), terms).is_exchanged, "a run says more"
    idle = replace(state, run=None)
    taken = note_own(holding(idle, first), terms)
    assert taken.is_exchanged
    assert partner_at(taken, present(terms, taken)) == second
    assert note_own(holding(taken, first, second), terms).is_exchanged, "both: nothing new"
    assert not note_own(holding(taken, second), terms).is_exchanged


def test_the_guard_is_told_once_both_have_exchanged_and_never_else() -> None:
    """It would ask this very node for the partner, and be answered."""
    state, terms = exchanging()
    idle, now = replace(state, run=None, state=State.ACTIVE), Instant(5_000.0, 5_000.0)
    look = platform_of(terms.site).looks(terms.site)["addresses"]

    def told_of(before: NodeState, *held: str) -> bool:
        report = holding(before, *held).watch.reports[OWN]
        seen = replace(report, started=now, finished=now)
        decision = step(before, LookCompleted(OWN, Looked(look, seen)), now, terms)
        return TellGuard() in decision.commands

    first, second = terms.site.primary.address, terms.site.standby.address
    assert not told_of(idle, second)
    assert told_of(idle, first)
    assert told_of(replace(idle, is_exchanged=True), second)


def test_what_was_seen_of_both_nodes_is_forgotten_once_a_run_moved_them() -> None:
    """A plan that is made from it would take the partner for what it was before."""
    state, terms = exchanging(*ORDER)
    told = {"theirs:files": exited(0, "done\n"), "seen:name": exited(0, "aixmn2\n")}
    reports = {**state.watch.reports, **told}
    state = replace(state, watch=replace(state.watch, reports=reports))
    after = forget_own(state, replace(state, run=None), terms)
    assert not {OWN, "theirs:files"} & set(after.watch.reports)
    assert "seen:name" in after.watch.reports
    assert forget_own(state, state, terms) is state
    assert is_partner_displaced(after, terms), "until its own addresses were read anew"
