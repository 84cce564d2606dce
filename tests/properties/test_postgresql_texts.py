"""Whatever a PostgreSQL server or psql says, reading it raises nothing and invents nothing."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from hamnd.dialects.postgresql.readers import READERS
from hamnd.dialects.postgresql.status import (
    format_lsn,
    parse_lsn,
    parse_status,
    parse_sync_rule,
)
from hamnd.model.names import Verdict
from hamnd.model.work import Ending, Report
from tests.unit.dialects.reports import BACK, SENT

SAMPLES = sorted((Path(__file__).parents[1] / "samples" / "postgresql").glob("*.txt"))
TEXTS = [path.read_text() for path in SAMPLES]
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.integers(0, 2**64 - 1))
def test_a_position_survives_its_text(position: int) -> None:
    assert parse_lsn(format_lsn(position)) == position


@given(st.sampled_from(TEXTS), st.data())
def test_a_cut_text_is_the_same_answer_or_none(text: str, data: st.DataObject) -> None:
    first = text.splitlines()[0]
    cut = text[: data.draw(st.integers(0, len(first) - 1))]
    assert parse_status(cut) is None
    assert parse_status(text.replace("\n", "\r\n") + "  \n") == parse_status(text)


@given(st.sampled_from(TEXTS), st.data())
def test_a_member_of_any_kind_is_read_or_left_out(text: str, data: st.DataObject) -> None:
    document = json.loads(text.splitlines()[0])
    name = data.draw(st.sampled_from(sorted(document)))
    document[name] = data.draw(ANY_JSON)
    parse_status(json.dumps(document))


@given(st.text())
@example('"')
@example("FIRST 1 (")
@example("1 (,)")
def test_any_text_is_a_rule_or_none(text: str) -> None:
    rule = parse_sync_rule(text)
    assert rule is None or rule.needs_all <= (rule.needed >= len(rule.names) > 0)


@given(
    st.sampled_from(sorted(READERS)),
    st.sampled_from(list(Ending)),
    st.sampled_from([None, 0, 1, 2, 3, 127, 137]),
    st.text() | st.sampled_from(["t", "f", "t\nt\n*\n\np|t\n", "f\noff\n\n0\n"]),
    st.text(),
)
def test_no_reader_raises_or_calls_silence_done(
    name: str, ending: Ending, code: int | None, out: str, err: str
) -> None:
    report = Report(ending, SENT, BACK, code if ending is Ending.EXITED else None, out, err)
    reading = READERS[name](report, ("10.0.0.1", "fd00::1"))
    if ending is not Ending.EXITED or code not in (0, 1):
        assert reading.verdict is not Verdict.PASS
