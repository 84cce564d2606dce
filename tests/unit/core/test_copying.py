"""File sets: when one begins, what its end says, and the direction it never leaves."""

from __future__ import annotations

import json

import pytest

from hamnd.core.commands import EndRoutine, PerformRoutine
from hamnd.core.copies import routine_name
from hamnd.core.events import CopyMoved, RoutineActed, RoutineDue, SyncRequested
from hamnd.core.policy import Terms
from hamnd.core.snapshot import dump, restore
from hamnd.core.state import CopyState
from hamnd.dialects.copying import facts_line
from hamnd.model.copying import CopyFacts, CopyKind, Drift, Progress
from hamnd.model.filesets import FileSet, SetKind, SetMode
from hamnd.model.health import Condition
from hamnd.model.names import State, Status, Verdict
from hamnd.model.work import Pull
from tests.unit.core.builders import WALL, report, site, terms
from tests.unit.core.story import Story

INSTALL = FileSet("install", ("/install/",), cron="17 * * * *", stale_after_s=3600.0)
CREDENTIALS = FileSet(
    "credentials", ("/etc/xcat/ca/",), SetKind.ATOMIC, cron="*/10 * * * *", holds_identity=True
)


def story(*sets: FileSet) -> Story:
    return Story(terms=Terms(site(file_sets=sets or (INSTALL,)), terms().policy)).begin()


def begun(told: Story) -> PerformRoutine:
    """The copy that hamnd began last."""
    return told.routines[-1]


def come_home(told: Story, facts: CopyFacts, code: int = 0) -> None:
    """The action under way ends, telling these facts."""
    one = begun(told)
    end = report(sent=told.now_s, exit_code=code, stdout=f"noise\n{facts_line(facts)}\n")
    told.feed(RoutineActed(one.name, one.number, one.index, end))


def copied(told: Story) -> CopyFacts:
    return CopyFacts(as_of=WALL + told.now_s, entries=17, changed=2, sentence="2 copied")


def state(told: Story) -> State:
    return told.state.state


def fresh(told: Story, name: str = "install") -> Condition:
    found = told.state.assessment.condition(f"FilesFresh/{name}")
    assert found is not None
    return found


def known(told: Story, name: str = "install") -> CopyState:
    return told.state.copies[name]


def test_what_was_never_copied_begins_at_once_and_peer_waits_for_it() -> None:
    told = story().live(30.0)
    assert begun(told).name == "files:install"
    assert isinstance(begun(told).action.request, Pull)
    assert state(told) is State.DEGRADED
    assert fresh(told).status is Status.UNKNOWN
    come_home(told, copied(told))
    told.live(20.0)
    assert state(told) is State.PEER
    assert fresh(told).status is Status.TRUE
    assert known(told).fresh_as_of == pytest.approx(WALL + 30.0, abs=1.0)


def test_one_run_at_a_time_whatever_asks_for_it() -> None:
    told = story().live(10.0)
    told.feed(RoutineDue("files:install"))
    told.feed(RoutineDue("files:install/check"))
    refused = told.feed(SyncRequested(("install",), "anna"))
    assert len(told.routines) == 1
    assert refused.refusal is not None
    assert "a run of install is under way" in refused.refusal.sentence


def test_a_copy_that_grows_old_is_not_fresh_and_the_node_leaves_peer() -> None:
    told = story().live(5.0)
    come_home(told, copied(told))
    told.live(30.0)
    assert state(told) is State.PEER
    told.live(3600.0)
    assert state(told) is State.DEGRADED
    assert fresh(told).reason == "Stale"
    assert "limit 60 m" in fresh(told).message


def test_a_run_that_fails_keeps_what_was_known_and_says_why() -> None:
    told = story().live(5.0)
    come_home(told, copied(told))
    before = known(told).fresh_as_of
    told.live(60.0)
    told.feed(RoutineDue("files:install"))
    come_home(told, CopyFacts(sentence="the file system here is full"), code=1)
    assert known(told).fresh_as_of == before
    last = known(told).last_copy
    assert last is not None
    assert (last.outcome, last.sentence) == ("not_done", "the file system here is full")


def test_a_run_that_asks_is_let_go_on_once_by_the_operator() -> None:
    told = story().live(5.0)
    question = "aixmn1 no longer has 90 of 100 entries of /install/"
    come_home(told, CopyFacts(sentence=question, question=question), code=2)
    told.live(1.0)
    assert fresh(told).status is Status.FALSE
    assert fresh(told).message == question
    told.feed(SyncRequested(("install",), "anna", accepts_deletions=True))
    request = begun(told).action.request
    assert isinstance(request, Pull)
    assert request.may_delete_percent == 100.0
    come_home(told, copied(told))
    assert known(told).question == ""
    told.feed(RoutineDue("files:install"))
    later = begun(told).action.request
    assert isinstance(later, Pull)
    assert later.may_delete_percent == INSTALL.may_delete_percent


def test_a_set_that_is_staged_is_switched_only_when_it_was_verified() -> None:
    told = story(CREDENTIALS).live(5.0)
    for index in range(3):
        assert begun(told).index == index
        come_home(told, copied(told) if index == 0 else CopyFacts())
    assert known(told, "credentials").fresh_as_of is not None
    told.live(60.0)
    told.feed(RoutineDue("files:credentials"))
    come_home(told, copied(told))
    come_home(told, CopyFacts(), code=1)
    assert begun(told).index == 1
    last = known(told, "credentials").last_copy
    assert last is not None
    assert last.outcome == "not_done"


def test_another_ca_is_a_condition_until_the_right_one_is_here() -> None:
    told = story(CREDENTIALS).live(5.0)
    for index in range(3):
        facts = CopyFacts(as_of=WALL, identical=True) if index == 0 else CopyFacts()
        come_home(told, facts)
    told.live(5.0)
    identical = told.state.assessment.condition("FilesIdentical")
    assert identical is not None
    assert identical.status is Status.TRUE
    told.feed(SyncRequested(("credentials",), "anna", CopyKind.VERIFY))
    told.feed(RoutineActed(begun(told).name, begun(told).number, 0, report(exit_code=1)))
    told.feed(RoutineDue("files:credentials/check"))
    drift = Drift(WALL, differ=1, examples=("/etc/xcat/ca/ca-cert.pem",))
    come_home(told, CopyFacts(as_of=WALL + told.now_s, identical=False, drift=drift))
    told.live(5.0)
    identical = told.state.assessment.condition("FilesIdentical")
    assert identical is not None
    assert identical.status is Status.FALSE


def test_a_ca_that_is_there_and_cannot_be_put_in_force_here_is_another_one() -> None:
    """Given a primary with a new CA, when what it has is refused by the verification, then the old
    CA stays in force here and is no longer called the primary's."""
    told = story(CREDENTIALS).live(5.0)
    for index in range(3):
        come_home(told, CopyFacts(as_of=WALL, identical=False) if index == 0 else CopyFacts())
    assert known(told, "credentials").identical is True
    told.feed(RoutineDue("files:credentials"))
    come_home(told, CopyFacts(as_of=WALL, identical=False))
    come_home(told, CopyFacts(), code=1)
    assert known(told, "credentials").identical is False


def test_a_site_that_keeps_its_cron_is_only_compared() -> None:
    watched = FileSet("install", ("/install/",), mode=SetMode.OBSERVE, check_cron="47 * * * *")
    told = story(watched).live(5.0)
    assert begun(told).name == "files:install/check"
    request = begun(told).action.request
    assert isinstance(request, Pull)
    assert request.is_dry
    differs = Drift(WALL, missing=3, examples=("a", "b"))
    come_home(told, CopyFacts(as_of=WALL + 5.0, drift=differs))
    assert known(told).fresh_as_of is None
    told.feed(RoutineDue("files:install/check"))
    come_home(told, CopyFacts(as_of=WALL + 60.0, drift=Drift(WALL + 60.0)))
    assert known(told).fresh_as_of == pytest.approx(WALL + 60.0, abs=1.0)
    told.feed(RoutineDue("files:install/check"))
    come_home(told, CopyFacts(as_of=WALL + 90.0, drift=Drift(WALL + 90.0, extra=4)))
    assert known(told).fresh_as_of == pytest.approx(WALL + 90.0, abs=1.0), "it deletes nothing"
    refused = told.feed(SyncRequested(("install",), "anna")).refusal
    assert refused is not None
    assert "hamnd only compares" in refused.sentence


def test_nothing_flows_once_the_primary_is_down_and_what_runs_is_ended() -> None:
    told = story().live(20.0)
    told.world.die()
    told.live(30.0)
    assert told.state.state is State.PRIMARY_DOWN
    ended = [one for made in told.decisions for one in made.commands if isinstance(one, EndRoutine)]
    assert [one.name for one in ended] == ["files:install"]
    told.feed(RoutineDue("files:install"))
    assert len(told.routines) == 1
    refused = told.feed(SyncRequested((), "anna")).refusal
    assert refused is not None
    assert refused.gate == "direction"


def test_a_primary_whose_database_is_a_standby_is_not_copied_from() -> None:
    told = Story(terms=Terms(site(file_sets=(INSTALL,)), terms().policy))
    told.world.partner = "standby"
    told.begin().live(30.0)
    assert told.routines == []
    refused = told.feed(SyncRequested((), "anna")).refusal
    assert refused is not None
    assert "who is primary?" in refused.sentence


def test_what_is_fresh_survives_the_process_and_what_ran_does_not() -> None:
    told = story().live(5.0)
    told.feed(CopyMoved("install", Progress("copying", 3, 10)))
    assert begun(told).name == routine_name("install", CopyKind.COPY)
    come_home(told, copied(told))
    later = restore(dump(told.state), {})
    assert later.copies["install"].fresh_as_of == pytest.approx(WALL + 5.0, abs=1.0)
    assert later.copies["install"].progress is None
    assert later.routines == {}


def test_the_moment_is_told_on_this_nodes_clock() -> None:
    told = story()
    told.world.skew_s = 30.0
    told.live(20.0)
    come_home(told, CopyFacts(as_of=WALL + told.now_s + 30.0, sentence="1 copied"))
    fresh_as_of = known(told).fresh_as_of
    assert fresh_as_of is not None
    assert abs(fresh_as_of - (WALL + told.now_s)) < 1.0


def test_what_a_run_told_is_in_the_journal() -> None:
    told = story().live(5.0)
    come_home(told, copied(told))
    (record,) = [one for one in told.records if one.what == "file_set_told"]
    evidence = json.loads(record.evidence)
    assert evidence["set"] == "install"
    assert evidence["entries"] == 17


def test_a_takeover_with_another_ca_is_blocked_until_the_operator_overrides_it_by_name() -> None:
    told = story(CREDENTIALS).live(5.0)
    for index in range(3):
        facts = CopyFacts(as_of=WALL, identical=True) if index == 0 else CopyFacts()
        come_home(told, facts)
    told.live(30.0)
    assert state(told) is State.PEER
    told.feed(RoutineDue("files:credentials/check"))
    come_home(told, CopyFacts(as_of=WALL + told.now_s, identical=False, drift=Drift(WALL, 1)))
    told.world.die()
    told.live(30.0)
    assert state(told) is State.PRIMARY_DOWN
    assert told.state.assessment.is_ready is Status.FALSE
    shown = told.plan().answer
    assert shown is not None
    gates = {one.name: one for one in shown.gates}
    assert gates["files"].verdict is Verdict.BLOCK
    assert "nodes would not trust this node" in gates["files"].evidence
    shown = told.plan(overrides=("files",)).answer
    assert shown is not None
    assert {one.name: one for one in shown.gates}["files"].verdict is Verdict.OVERRIDDEN
