"""Whatever a MariaDB server or its client says, reading it raises nothing and invents nothing."""

from __future__ import annotations

from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from hamnd.dialects.mariadb.errors import in_words
from hamnd.dialects.mariadb.gtid import has_all, missing, parse_gtids, union
from hamnd.dialects.mariadb.readers import READERS
from hamnd.dialects.mariadb.status import parse_status
from hamnd.model.mariadb import Span, Transactions
from hamnd.model.names import Verdict
from hamnd.model.work import Ending, Report
from tests.unit.dialects.reports import BACK, SENT

SAMPLES = sorted((Path(__file__).parents[1] / "samples" / "mariadb").glob("*.txt"))
TEXTS = [path.read_text() for path in SAMPLES]
SETS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 40), st.integers(0, 9)), max_size=6
).map(
    lambda raw: union(
        *(Transactions((Span(str(domain), first, first + more),)) for domain, first, more in raw)
    )
)


def numbers(one: Transactions) -> set[tuple[str, int]]:
    """The dumb twin of a set of spans."""
    return {(span.stream, n) for span in one.spans for n in range(span.first, span.last + 1)}


@given(SETS, SETS)
def test_sets_of_transactions_are_sets(ours: Transactions, theirs: Transactions) -> None:
    assert numbers(missing(ours, theirs)) == numbers(theirs) - numbers(ours)
    assert numbers(union(ours, theirs)) == numbers(ours) | numbers(theirs)
    assert has_all(ours, theirs) is (numbers(theirs) <= numbers(ours))
    assert len(ours) == len(numbers(ours))


@given(st.text())
@example("0-1-99999999999999999999")
@example("3e11fa47-71ca-11e1-9e33-c80aa9429562:a:1")
def test_any_text_is_a_set_or_none(text: str) -> None:
    told = parse_gtids(text)
    assert told is None or all(one.first <= one.last for one in told.spans)


@given(st.sampled_from(TEXTS), st.data())
def test_a_cut_text_is_a_poorer_answer_or_none(text: str, data: st.DataObject) -> None:
    cut = parse_status(text[: data.draw(st.integers(0, len(text)))])
    whole = parse_status(text)
    assert whole is not None
    assert cut is None or (cut.executed, cut.is_read_only) == (whole.executed, whole.is_read_only)
    assert parse_status(text.replace("\n", "\r\n")) == whole


@given(st.sampled_from(TEXTS), st.data())
def test_a_mangled_text_raises_nothing(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    parse_status(text[:at] + data.draw(st.text()) + text[at:])


@given(st.integers(), st.text())
def test_any_error_has_words(number: int, text: str) -> None:
    assert in_words(number, text).startswith(f"error {number}: ")


@given(
    st.sampled_from(sorted(READERS)),
    st.sampled_from(list(Ending)),
    st.sampled_from([None, 0, 1, 2, 127, 137]),
    st.text() | st.sampled_from(TEXTS),
    st.text() | st.just("ERROR 1045 (28000): no\n"),
)
def test_no_reader_raises_or_calls_silence_done(
    name: str, ending: Ending, code: int | None, out: str, err: str
) -> None:
    report = Report(ending, SENT, BACK, code if ending is Ending.EXITED else None, out, err)
    reading = READERS[name](report, ("10.0.0.1", "fd00::1"))
    if ending is not Ending.EXITED or code in (None, 2, 127, 137):
        assert reading.verdict is not Verdict.PASS
