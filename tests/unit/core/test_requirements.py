"""What two nodes need before one can stand in for the other, and keep needing."""

from __future__ import annotations

import pytest

from hamnd.core.asking import on_tick
from hamnd.core.commands import TakeLook
from hamnd.core.events import LookCompleted
from hamnd.core.health.watch import Watch
from hamnd.core.kept import KEPT
from hamnd.core.observing import fold_look
from hamnd.core.policy import Policy, Terms
from hamnd.core.requirements import judge_requirements, quiet_looks, seldom_looks
from hamnd.model.health import Condition
from hamnd.model.names import Rhythm, State, Status, Verdict
from hamnd.model.site import Platform
from hamnd.model.work import Looked, Reading, Report
from tests.builders import pair, site
from tests.unit.core.builders import at
from tests.unit.dialects.reports import exited

TERMS = Terms(site(), Policy())
NAMES = "name aixmn1 9.114.47.103\nname aixmn2 9.114.47.104\n"
HERE = exited(0, f"{NAMES}end\n")


def theirs(text: str = NAMES, ssh: str = "yes") -> Report:
    return exited(0, f"{text}ssh {ssh}\nend\n")


def judged(**reports: Report) -> dict[str, Condition]:
    topics = {"here": "seen:acquaintance", "there": f"{KEPT}acquaintance", "own": "seen:addresses"}
    watch = Watch(reports={topics[key]: one for key, one in reports.items()})
    return {one.type: one for one in judge_requirements(watch, (), False, at(10.0), TERMS)}


@pytest.mark.parametrize(
    ("there", "status", "told"),
    [
        (theirs(), Status.TRUE, "each node knows both names"),
        (
            theirs("name aixmn1 127.0.1.1\nname aixmn2 9.114.47.104\n"),
            Status.FALSE,
            "on aixmn1 aixmn1 is 127.0.1.1, and not 9.114.47.103",
        ),
        (theirs("name aixmn1 9.114.47.103\nname aixmn2\n"), Status.FALSE, "aixmn2 is not known"),
        (theirs("name aixmn1 9.114.47.103\n"), Status.UNKNOWN, "could not say what aixmn2 is"),
        (None, Status.UNKNOWN, "what aixmn1 knows was not read yet"),
    ],
)
def test_both_nodes_know_both_names(there: Report | None, status: Status, told: str) -> None:
    found = judged(here=HERE, **({} if there is None else {"there": there}))["NamesResolve"]
    assert found.status is status
    assert told in found.message


@pytest.mark.parametrize(
    ("there", "status"),
    [
        (theirs(), Status.TRUE),
        (theirs(ssh="no Host key verification failed."), Status.FALSE),
        (theirs(ssh="unknown exit code 127: sh: ssh: not found"), Status.UNKNOWN),
        (None, Status.UNKNOWN),
    ],
)
def test_ssh_works_both_ways(there: Report | None, status: Status) -> None:
    found = judged(here=HERE, **({} if there is None else {"there": there}))["SshBothWays"]
    assert found.status is status
    if status is Status.FALSE:
        assert "Host key verification failed." in found.message


@pytest.mark.parametrize(
    ("prefix", "status"), [(26, Status.TRUE), (32, Status.FALSE), (None, Status.UNKNOWN)]
)
def test_the_partner_is_in_a_network_of_this_node_s_own(prefix: int | None, status: Status) -> None:
    text = f"2: eth0    inet 9.114.47.104/{prefix} scope global eth0\\       valid_lft forever\n"
    reports = {} if prefix is None else {"own": exited(0, text)}
    assert judged(**reports)["SameSubnet"].status is status


@pytest.mark.parametrize("platform", list(Platform))
@pytest.mark.parametrize("is_active", [False, True])
@pytest.mark.parametrize(
    ("verdicts", "age_s", "status"),
    [
        ((Verdict.PASS, Verdict.PASS), 1.0, Status.TRUE),
        ((Verdict.PASS, Verdict.BLOCK), 1.0, Status.FALSE),
        ((Verdict.UNKNOWN, Verdict.PASS), 1.0, Status.UNKNOWN),
        ((Verdict.PASS, Verdict.PASS), 900.0, Status.UNKNOWN),
        ((Verdict.PASS,), 1.0, Status.UNKNOWN),
        ((Verdict.PASS, Verdict.PASS, Verdict.BLOCK), 1.0, Status.TRUE),
        ((), 1.0, Status.UNKNOWN),
    ],
)
def test_a_standby_is_quiet_and_an_active_node_starts_again_as_far_as_was_seen_lately(
    platform: Platform,
    is_active: bool,
    verdicts: tuple[Verdict, ...],
    age_s: float,
    status: Status,
) -> None:
    terms, name = Terms(site(platform=platform), Policy()), "RestartsAlone"
    if not is_active:
        name = "StandbyQuiet"
        assert len(quiet_looks(terms)) >= 4, "start at boot, xcatd, DHCP, consoles"
    ready = {
        f"holds:{name}:{number}": (Reading(verdict, "xcatd is active"), at(1_000.0 - age_s))
        for number, verdict in enumerate(verdicts)
    }
    holding = tuple(f"holds:{name}:{number}" for number in range(2))
    found = judge_requirements(Watch(ready=ready), holding, is_active, at(1_000.0), terms)
    (one,) = (each for each in found if each.type == name)
    assert one.status is status
    if status is Status.FALSE:
        assert one.message.startswith("xcatd is active -> ")


def test_what_the_partner_told_badly_takes_the_place_of_what_it_told_well() -> None:
    topic = f"{KEPT}acquaintance"
    look, _ = seldom_looks(TERMS)[topic]
    watch = Watch()
    for report in (theirs(), theirs(ssh="no Permission denied")):
        watch = fold_look(watch, LookCompleted(topic, Looked(look, report)), TERMS)
    assert "Permission denied" in watch.reports[topic].stdout
    watch = fold_look(watch, LookCompleted(topic, Looked(look, exited(255))), TERMS)
    assert "Permission denied" in watch.reports[topic].stdout, "a dead partner tells nothing new"


@pytest.mark.parametrize("state", [State.PEER, State.ACTIVE])
def test_an_active_node_asks_nothing_of_a_primary_that_is_gone(state: State) -> None:
    one = pair().in_peer() if state is State.PEER else pair().active()
    _, commands = on_tick(one.state, Rhythm.READINESS, one.now, one.terms)
    topics = {command.topic for command in commands if isinstance(command, TakeLook)}
    is_standby = state is State.PEER
    assert (f"{KEPT}software" in topics) is is_standby
    assert any(topic.startswith("holds:StandbyQuiet") for topic in topics) is is_standby


def test_a_standby_is_not_quiet_by_the_first_of_its_looks_alone() -> None:
    one = pair().in_peer()
    state, commands = on_tick(one.state, Rhythm.READINESS, one.now, one.terms)
    wanted = [each for each in commands if isinstance(each, TakeLook) and "Quiet" in each.topic]
    assert [each.topic for each in wanted] == list(state.holding)
    good = (Reading(Verdict.PASS, "xcatd is inactive"), one.now)
    for count in range(len(wanted) + 1):
        watch = Watch(ready={each.topic: good for each in wanted[:count]})
        found = judge_requirements(watch, state.holding, False, one.now, one.terms)
        (quiet,) = (each for each in found if each.type == "StandbyQuiet")
        assert (quiet.status is Status.TRUE) is (count == len(wanted)), count
