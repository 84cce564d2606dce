"""What is asked next: the closer look while the primary is suspected."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamnd.core import asking
from hamnd.core.commands import TakeLook
from hamnd.model.names import Rhythm
from hamnd.model.work import Ending, Report
from tests.builders import Pair, pair

CRONTAB = "seen:crontab"


def asked_in(one: Pair, crontab: Report | None) -> set[str]:
    """Return the topics that a beat of the reach rhythm asks about."""
    reports = {} if crontab is None else {CRONTAB: crontab}
    watch = replace(one.state.watch, reports=reports, doubts=3)
    state = replace(one.state, watch=watch)
    _, commands = asking.on_tick(state, Rhythm.REACH, one.now, one.terms)
    return {command.topic for command in commands if isinstance(command, TakeLook)}


def report(one: Pair, ending: Ending) -> Report:
    code = 0 if ending is Ending.EXITED else None
    return Report(ending, one.now, one.now, code, "# empty\n")


@pytest.mark.parametrize("ending", [Ending.TIMED_OUT, Ending.COULD_NOT_RUN, None])
def test_a_crontab_that_could_not_be_read_is_read_again_under_suspicion(
    ending: Ending | None,
) -> None:
    """It timed out once; for a minute every plan had nothing to disarm."""
    one = pair().primary_silent(3.0)
    assert CRONTAB in asked_in(one, None if ending is None else report(one, ending))


def test_a_crontab_that_was_read_is_not_read_every_second() -> None:
    one = pair().primary_silent(3.0)
    assert CRONTAB not in asked_in(one, report(one, Ending.EXITED))


@pytest.mark.parametrize(("age_s", "was_read", "is_asked"), [
    (1800.0, True, False), (4000.0, True, True), (1800.0, False, True), (30.0, False, False),
])  # fmt: skip
def test_the_software_of_both_nodes_is_asked_once_an_hour(
    age_s: float, was_read: bool, is_asked: bool
) -> None:
    one, topics = pair().in_peer(), {"seen:software", "seen:kept:software"}
    reports = {topic: report(one, Ending.EXITED) for topic in topics if was_read}
    timing = replace(
        one.state.timing, in_flight={}, last_sent=dict.fromkeys(topics, one.now.ago(age_s))
    )
    state = replace(one.state, watch=replace(one.state.watch, reports=reports), timing=timing)
    _, commands = asking.on_tick(state, Rhythm.READINESS, one.now, one.terms)
    asked = {command.topic for command in commands if isinstance(command, TakeLook)}
    assert (asked & topics) == (topics if is_asked else set())
