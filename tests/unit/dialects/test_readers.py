"""Readers are total, and nobody takes an unsent request for an answer."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hamnd.dialects.readers import READERS, read_action, read_look
from hamnd.model.names import Verdict
from hamnd.model.work import Action, Ending, Exec, Look, Looked, Report
from tests.unit.dialects.reports import BACK, MUTE, SENT, ended, exited

TRUE = Exec("aixmn2", ("true",))
DIALECTS = Path(__file__).parents[3] / "hamnd" / "dialects"


@pytest.mark.parametrize("name", sorted(READERS))
@pytest.mark.parametrize("report", MUTE)
def test_a_look_without_an_answer_never_passes(name: str, report: Report) -> None:
    reading = read_look(Looked(Look(TRUE, name, "something"), report))

    assert reading.verdict is not Verdict.PASS
    assert reading.sentence
    if report.ending in (Ending.COULD_NOT_RUN, Ending.TIMED_OUT, Ending.LOST):
        assert reading.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("name", sorted(READERS))
@pytest.mark.parametrize("ending", [Ending.TIMED_OUT, Ending.LOST])
def test_an_action_cut_off_is_unknown_and_never_not_done(name: str, ending: Ending) -> None:
    assert read_action(Action(TRUE, name), ended(ending)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("name", sorted(READERS))
@pytest.mark.parametrize("ending", [Ending.COULD_NOT_RUN, Ending.REFUSED])
def test_an_action_that_was_not_sent_is_not_done(name: str, ending: Ending) -> None:
    reading = read_action(Action(TRUE, name), ended(ending, "there is no such program"))

    assert reading.verdict is Verdict.BLOCK
    assert "there is no such program" in reading.sentence


@settings(deadline=None)
@given(
    st.sampled_from(sorted(READERS)),
    st.sampled_from(list(Ending)),
    st.one_of(st.none(), st.integers(-15, 255)),
    st.tuples(st.text(), st.text()),
    st.lists(st.text(max_size=5), max_size=3),
)
def test_readers_are_total(
    name: str, ending: Ending, code: int | None, said: tuple[str, str], arguments: list[str]
) -> None:
    report = Report(ending, SENT, BACK, code, *said)

    assert READERS[name](report, tuple(arguments)).sentence is not None


def test_the_exit_code_decides_a_plain_action_and_the_last_lines_are_shown() -> None:
    plain = Action(TRUE)

    assert read_action(plain, exited(0)).verdict is Verdict.PASS
    failed = read_action(plain, exited(4, "noise\n", "one\ntwo\nthree\nFailed to start\n"))
    assert failed.verdict is Verdict.BLOCK
    assert failed.sentence == "exit code 4: two | three | Failed to start"


def test_an_unknown_reader_cannot_tell() -> None:
    assert read_action(Action(TRUE, "later.version"), exited(0)).verdict is Verdict.UNKNOWN


def test_every_reader_that_a_builder_names_exists() -> None:
    named = {
        name
        for path in DIALECTS.glob("*.py")
        for name in re.findall(r'reads="([a-z_.0-9]+)"', path.read_text())
    }

    assert len(named) > 30
    assert named <= set(READERS)
