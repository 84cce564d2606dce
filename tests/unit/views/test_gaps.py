"""The histogram of gaps between answers: what it counts, and what Prometheus reads of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from hamnd.adapters.http import MetricsText
from hamnd.views.gaps import BOUNDS_S, AnswerGaps
from hamnd.views.samples import Measures, samples
from hamnd.views.status import status_document
from tests.builders import pair


def counted(*moments: float) -> AnswerGaps:
    gaps = AnswerGaps()
    for moment in moments:
        gaps.answered("ping", moment)
    return gaps


def test_a_gap_is_counted_where_it_ends_and_the_first_answer_ends_none() -> None:
    assert counted(5.0).told() == {}
    told = counted(5.0, 6.0, 10.0, 200.0).told()["ping"]
    assert told.sum_s == 195.0
    buckets = dict(told.cumulative)
    assert (buckets["0.5"], buckets["1.0"], buckets["4.0"], buckets["60.0"]) == (0, 1, 2, 2)
    assert buckets["+Inf"] == 3


def test_a_round_that_was_overtaken_ends_no_gap() -> None:
    assert counted(5.0, 7.0, 6.0).told() == counted(5.0, 7.0).told()


@given(st.lists(st.floats(0.0, 500.0), max_size=60))
def test_every_gap_is_in_one_bucket_and_the_sum_is_the_time_between(lengths: list[float]) -> None:
    gaps, now, ended = AnswerGaps(), 1_000.0, 0
    gaps.answered("ping", now)
    for length in lengths:
        ended += now + length > now
        now += length
        gaps.answered("ping", now)
    told = gaps.told().get("ping")
    assert (0 if told is None else sum(told.counts)) == ended
    assert told is None or abs(told.sum_s - (now - 1_000.0)) < 1e-6


def test_prometheus_reads_it_as_a_histogram() -> None:
    one = pair().in_peer()
    measures = Measures("1", answer_gaps=counted(1.0, 2.0, 2.3).told())
    made = samples(status_document(one.state, one.now, one.terms), one.state, measures)
    _, body = MetricsText(lambda: made)("")
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    family = families["hamnd_probe_answer_gap_seconds"]
    assert family.type == "histogram"
    read = {sample.labels.get("le"): sample.value for sample in family.samples}
    assert (read["0.5"], read["1.0"], read["+Inf"]) == (1, 2, 2)
    assert len([le for le in read if le is not None]) == len(BOUNDS_S) + 1
