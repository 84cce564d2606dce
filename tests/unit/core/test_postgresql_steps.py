"""The steps of set-up, rejoin and switchover of a PostgreSQL pair: their order and their contents.

Owns what holds for every plan that is made of them. That they work is told by tests/lab.
"""

from __future__ import annotations

import pytest

from hamnd.core.replication import (
    Examination,
    PartnerDatabase,
    Promotion,
    Rejoin,
    Setup,
    Switchover,
    Takeover,
    Task,
    Way,
)
from hamnd.core.replication.postgresql import ENGINE
from hamnd.dialects import shell
from hamnd.dialects.readers import READERS
from hamnd.errors import PermanentError
from hamnd.model.health import Positions, Replication
from hamnd.model.names import Verdict
from hamnd.model.plan import Step
from hamnd.model.site import PostgresSite
from hamnd.model.work import Ending, Report
from tests.unit.core.builders import at, report, site, terms

PASSFILE = "/var/lib/postgresql/hamnd.pgpass"
PLACES = PostgresSite(data_dir="/var/lib/pgsql/data", replication_passfile=PASSFILE)
TERMS = terms(site(engine="postgresql", postgresql=PLACES))
KEPT = "timeline-1-0_3002198-0_3002338"
TASKS: tuple[Task, ...] = (
    Setup(),
    Rejoin(Way.REINTEGRATE, KEPT, "0/3002198 to 0/3002338 of timeline 1"),
    Rejoin(Way.RESEED, KEPT),
    Switchover(),
    Takeover(Promotion("accepted-force", Verdict.PASS, "")),
)


def steps(task: Task) -> dict[str, Step]:
    return {step.id: step for step in ENGINE.steps(TERMS, task)}


@pytest.mark.parametrize("task", TASKS, ids=lambda one: type(one).__name__)
def test_every_step_comes_after_what_it_needs_and_is_proven(task: Task) -> None:
    found = ENGINE.steps(TERMS, task)
    assert found == ENGINE.steps(TERMS, task), "pure"
    names = [step.id for step in found]
    for number, step in enumerate(found):
        assert set(step.depends_on) - {"fuse"} <= set(names[:number]), step.id
        assert step.postconditions, f"{step.id} proves nothing"
        looks = (*step.readiness, *step.preconditions, *step.postconditions)
        assert all(look.reads in READERS for look in looks)
        assert all(action.reads in READERS for action in step.actions)
    if not isinstance(task, Takeover):
        assert names[-1] == "replicate"


@pytest.mark.parametrize("way", list(Way))
def test_nothing_of_a_returned_server_is_touched_before_it_is_held_and_kept(way: Way) -> None:
    found = ENGINE.steps(TERMS, Rejoin(way, KEPT))
    assert [step.id for step in found][:2] == ["hold", "preserve"]
    changing = [step for step in found if step.host == "aixmn1" and step.id != "hold"]
    for step in changing:
        assert step.id == "preserve" or "preserve" in _before(found, step), step.id
    kept = " ".join(str(action.request) for action in steps(Rejoin(way, KEPT))["preserve"].actions)
    assert KEPT in kept


def _before(found: tuple[Step, ...], step: Step) -> set[str]:
    """All that a step waits for, directly or not."""
    known = {one.id: one for one in found}
    waiting, seen = list(step.depends_on), set[str]()
    while waiting:
        name = waiting.pop()
        if name in known and name not in seen:
            seen.add(name)
            waiting += known[name].depends_on
    return seen


def test_a_rewind_waits_for_the_checkpoint_that_makes_it_true() -> None:
    """Without it pg_rewind goes by the old timeline, and fails in silence (lab.md §6)."""
    assert {"db-checkpoint", "db-recover"} <= set(
        steps(Rejoin(Way.REINTEGRATE, KEPT))["db-rewind"].depends_on
    )


def test_the_password_is_a_path_in_every_line_that_is_shown() -> None:
    shown = [
        shell.preview(action.request, TERMS.site)
        for task in TASKS
        for step in ENGINE.steps(TERMS, task)
        for action in step.actions
    ]
    assert any(PASSFILE in line for line in shown)
    assert not any("PASSWORD '" in line for line in shown)


def test_a_site_that_names_no_data_directory_hears_what_is_missing() -> None:
    bare = terms(site(engine="postgresql", postgresql=PostgresSite()))
    assert ENGINE.steps(bare, TASKS[-1])
    for task in TASKS[:-1]:
        with pytest.raises(PermanentError, match="data_dir is not set"):
            ENGINE.steps(bare, task)
    assert ENGINE.return_looks(bare, None) == {}


def test_the_old_primarys_files_are_waited_for_before_its_servers_word_is_taken() -> None:
    """A machine that is still booting answers the one before the other."""
    view = Replication(
        "postgresql", "primary", "alone", False, None, Positions(), *(None,) * 3, at(0), "psql",
        timeline=2, fork=5_000,
    )  # fmt: skip
    word = PartnerDatabase(True, "primary", 5_300, at(1), timeline=1)

    def examined(*reports: Report) -> str | None:
        told = dict(zip(("returned",), reports, strict=False))
        return ENGINE.examine(TERMS, Examination(4_000, word, view, told)).actual

    assert examined() is None
    assert examined(report(Ending.COULD_NOT_RUN)) is None
    assert examined(report(exit_code=1, stderr="pg_controldata: error: ...")) is None
    assert (examined(report(exit_code=127)) or "").startswith("at most 300 B")
