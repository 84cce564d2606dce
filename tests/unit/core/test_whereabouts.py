"""Once the partner's own address is this node's, what answers there is no sign of the partner."""

from __future__ import annotations

from dataclasses import replace

from hamnd.core import asking
from hamnd.core.commands import ProbeRound, TakeLook
from hamnd.core.engine import step
from hamnd.core.events import LookCompleted, RoundCompleted
from hamnd.core.health.rule import (
    HOST_PROBES,
    latest_host_answer,
    silence_began,
    silence_of,
)
from hamnd.core.policy import Terms
from hamnd.core.state import NodeState
from hamnd.core.whereabouts import is_partner_displaced
from hamnd.dialects import reach, witness
from hamnd.model.instant import Instant
from hamnd.model.names import Probe, Rhythm
from hamnd.model.site import IdentityMode, ServiceAddress, Witness
from hamnd.model.work import Ending, Look, Looked, Report
from tests.builders import Pair, pair
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
    on_primary = replace(terms.site, node=terms.site.primary.name)
    assert not is_partner_displaced(state, replace(terms, site=on_primary))
    assert state.run is not None
    fresh = {**state.run.steps, "identity": replace(state.run.steps["identity"], has_acted=False)}
    before = replace(state, run=replace(state.run, steps=fresh))
    assert not is_partner_displaced(before, terms)


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
