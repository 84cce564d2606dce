"""Every reader of a foreign tool's output, given anything at all: it never fails and never lies.

Owns the fuzz of `dialects.readers`. The looks and actions are those of real plans of every sample
configuration, so that each reader gets the arguments that hamnd gives it. What a tool really says
is taken apart and put together anew; the readers' meaning is tested beside each dialect.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamnd.core.asking import platform_steps, slow_looks
from hamnd.core.plans.takeover import takeover_steps
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Terms
from hamnd.core.rehearsing import looks_of
from hamnd.core.replication import Rejoin, Setup, Switchover, Task, Way
from hamnd.core.replication.registry import engine_of
from hamnd.core.requirements import seldom_looks
from hamnd.core.state import NodeState
from hamnd.dialects.readers import READERS, read_action, read_look
from hamnd.errors import PermanentError
from hamnd.model.instant import Instant
from hamnd.model.names import Verdict
from hamnd.model.plan import Step
from hamnd.model.site import FenceSite
from hamnd.model.work import Action, Ending, Look, Looked, Reading, Report
from hamnd.settings import load
from tests.proof.budget import fuzz

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "config").glob("hamnd.*.toml"))
WORDS_MAX = 40
TEXT_MAX = 4000

NO_ANSWER = [one for one in Ending if one not in (Ending.EXITED, Ending.REFUSED)]


ODD = ("active", "inactive", "enabled", "disabled", "true", "false", "t", "f", "0", "1", "-1",
       "Status: ON", "Status: OFF", "Object name: cn1", "2: eth0    inet 9.114.47.110/26", "os",
       "Unicast reply from 9.114.47.110", "Sent 2 probes", "Received 0 response(s)", "\x00", " ",
       "9" * 400, "ü" * 9, "\u2028", "NULL", "nan", "inf", "1e999", "{}", "[]", '{"a":[1]}',
       "1 aixmn2 boot-1", "rc=0", "DB20000I", "SQL1776N", "name aixmn1", "ssh", "xcat a", "== site",
       "#key,value", '"a')  # fmt: skip
"""Lines that some reader takes for what it looks for, whole or cut."""


@cache
def samples() -> tuple[str, ...]:
    """Return lines that real tools printed, in the specimens of all dialects."""
    texts = [path.read_text(errors="replace") for path in (ROOT / "tests/samples").rglob("*.txt")]
    lines = {line for text in texts for line in text.splitlines() if line.strip()}
    return tuple(sorted(lines))


@cache
def asked() -> tuple[Look | Action, ...]:
    """Return every look and action of every plan of every sample configuration, by reader."""
    found: dict[str, Look | Action] = {}
    for path in CONFIGS:
        loaded = load(path.read_text())
        assert loaded.site is not None
        assert loaded.policy is not None
        over_ssh = replace(loaded.site, fence=FenceSite(ssh=True))
        for site in (loaded.site, over_ssh):
            for one in _of(Terms(site, loaded.policy)):
                found.setdefault(f"{type(one).__name__} {one.reads}", one)
    return tuple(found.values())


@cache
def asked_by_reader() -> dict[str, list[Look | Action]]:
    """Return the same by the reader's name: a look and an action may share it."""
    found: dict[str, list[Look | Action]] = {}
    for one in asked():
        found.setdefault(one.reads, []).append(one)
    return found


def _of(terms: Terms) -> list[Look | Action]:
    engine, state = engine_of(terms), NodeState()
    tasks: tuple[Task, ...] = (
        Setup(),
        Switchover(),
        *(Rejoin(way, "kept-1", "1 to 2") for way in Way),
    )
    steps: list[Step] = []
    for task in tasks:
        with contextlib.suppress(PermanentError):  # the sample leaves something out for this
            steps += engine.steps(terms, task)
    steps += takeover_steps(terms, state.assessment.promotion, platform_steps(state, terms))
    looks: list[Look | Action] = [look for step in steps for look in looks_of(step)]
    looks += [look for look, _ in seldom_looks(terms).values()]
    looks += [*slow_looks(terms).values(), *platform_of(terms.site).looks(terms.site).values()]
    looks += [one for step in steps for one in (*step.actions, *step.compensation)]
    return looks


ENDS = ("", "end", "== end", "rc=0")
"""What the last line of an answer often is: without it a reader looks no further."""


@st.composite
def outputs(draw: st.DrawFn) -> str:
    """Return lines of real tools in any order, or any text at all."""
    if draw(st.integers(0, 3)) == 0:
        return draw(st.text(max_size=TEXT_MAX))
    line = st.one_of(st.just(""), st.sampled_from(ODD), st.sampled_from(samples()))
    lines = draw(st.lists(line, max_size=WORDS_MAX))
    return "\n".join([*lines, draw(st.sampled_from(ENDS))])


REPORTS = st.builds(
    Report,
    ending=st.one_of(st.just(Ending.EXITED), st.just(Ending.EXITED), st.sampled_from(Ending)),
    started=st.just(Instant(10.0, 1e9)),
    finished=st.just(Instant(11.0, 1e9 + 1)),
    exit_code=st.one_of(
        st.just(0), st.just(0), st.none(), st.sampled_from((1, 2, 4, 127, 137, 255)), st.integers()
    ),
    stdout=outputs(),
    stderr=st.one_of(st.just(""), st.sampled_from(samples()), st.text(max_size=200)),
    truncated=st.one_of(st.just(False), st.just(False), st.booleans()),
)


@fuzz(100)
@given(report=REPORTS)
@pytest.mark.parametrize("reads", sorted(asked_by_reader()))
def test_no_output_of_any_tool_makes_a_reader_fail(reads: str, report: Report) -> None:
    for one in asked_by_reader()[reads]:
        assert _read(one, report).sentence


LONG_BYTES = 16_384
"""Of the mebibyte that the runners keep: work that grows with the square shows here already."""
HELD_UP_MAX_S = 1.0

FILLS = (
    *("\n", " ", "a", "0", "=", "a ", "a=", "a:\n", "-", "'", '"', "(", "<error>", ", ", "1."),
    *("812 x\n", "1: lo inet ", "argv[]=", "a\tb\n", "\\", ":", "/"),
)
"""What a broken tool may print for ever, or a hostile one on purpose."""


@pytest.mark.parametrize("reads", sorted(asked_by_reader()))
def test_no_output_however_long_holds_a_reader_up(reads: str) -> None:
    """Readers run in the loop: what takes seconds there keeps every clock of hamnd waiting.

    A fence agent that printed a mebibyte of line ends held it up for two hours.
    """
    for one in asked_by_reader()[reads]:
        for fill, first, code in itertools.product(FILLS, ("", "812 "), (0, 1)):
            text = first + fill * (LONG_BYTES // len(fill))
            report = Report(
                Ending.EXITED, Instant(10.0, 1e9), Instant(11.0, 1e9), code, stdout=text
            )
            began = time.process_time()
            _read(one, report)
            took = time.process_time() - began
            assert took < HELD_UP_MAX_S, (first, fill, code, f"{took:.1f} s")


@pytest.mark.parametrize("ending", NO_ANSWER)
def test_no_answer_is_no_yes_and_what_was_sent_may_have_happened(ending: Ending) -> None:
    """Laws 2 and 5, for every look and action there is."""
    report = Report(ending, Instant(10.0, 1e9), Instant(11.0, 1e9 + 1), stdout="", detail="odd")
    for one in asked():
        verdict = _read(one, report).verdict
        if isinstance(one, Look):
            assert verdict is not Verdict.PASS, one.reads
        elif ending in (Ending.LOST, Ending.TIMED_OUT):
            assert verdict is Verdict.UNKNOWN, one.reads
        else:
            assert verdict is not Verdict.PASS, one.reads


def _read(one: Look | Action, report: Report) -> Reading:
    return read_look(Looked(one, report)) if isinstance(one, Look) else read_action(one, report)


def test_the_fuzz_reaches_nearly_every_reader() -> None:
    """What no plan of a sample asks is rare: the rest is read elsewhere."""
    reached = {one.reads for one in asked()}
    assert reached <= set(READERS)
    assert len(reached) >= 0.7 * len(READERS), sorted(set(READERS) - reached)
