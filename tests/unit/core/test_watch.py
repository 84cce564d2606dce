"""What is remembered of probes and readings: neither silence nor life is ever stretched."""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.health.watch import Watch, fold_replication
from hamnd.core.observing import fold_round
from hamnd.core.policy import Policy
from hamnd.model.health import Positions, Replication
from hamnd.model.names import Probe
from tests.unit.core.builders import ALIVE, DEAD, at, blind, heard, lost_link, replication, round_of

POLICY = Policy()


def read(*readings: Replication) -> Watch:
    watch = Watch()
    for reading in readings:
        started = reading.observed.ago(0.1)
        watch = fold_replication(watch, reading, started)
    return watch


def test_silence_begins_when_the_first_unanswered_probe_was_sent() -> None:
    watch = heard(DEAD, 4.0, 5.0, watch=heard(ALIVE, 1.0, 2.0, 3.0))
    assert at(4.0) == watch.tracks[Probe.PING].silent_since


def test_an_answer_ends_the_silence() -> None:
    watch = heard(ALIVE, 6.0, watch=heard(DEAD, 1.0, 2.0))
    assert watch.tracks[Probe.PING].silent_since is None


def test_a_probe_sent_before_the_latest_answer_says_nothing_about_the_time_after_it() -> None:
    """Rounds overlap: the round sent at 1 comes home silent after the one of 2 was answered."""
    watch = heard(DEAD, 1.0, watch=heard(ALIVE, 2.0))
    assert watch.tracks[Probe.PING].silent_since is None


def test_an_old_answer_that_arrives_late_still_ends_the_silence_before_it() -> None:
    late = replace(round_of(ALIVE, 1.0), number=1)
    slow = tuple(
        (probe, replace(one, report=replace(one.report, finished=at(5.0))))
        for probe, one in late.looked
    )
    watch = fold_round(heard(DEAD, 2.0, 3.0), replace(late, looked=slow), POLICY)
    assert watch.tracks[Probe.PING].silent_since is None
    assert watch.tracks[Probe.PING].answered == at(5.0)


def test_an_older_answer_does_not_take_back_a_newer_one() -> None:
    watch = heard(ALIVE, 1.0, watch=heard(ALIVE, 2.0))
    assert at(2.01) == watch.tracks[Probe.PING].answered


def test_silence_does_not_span_a_time_in_which_nothing_could_be_known() -> None:
    """Our own switch was down for ten minutes: one unanswered probe is no ten minutes' silence."""
    blind_rounds = dict.fromkeys(Probe, "silent")
    watch = heard(blind_rounds, *[float(n) for n in range(2, 600)], watch=heard(DEAD, 1.0))
    watch = heard(DEAD, 600.0, watch=watch)
    assert at(600.0) == watch.tracks[Probe.PING].silent_since


def test_a_silence_with_a_few_unknown_rounds_in_it_goes_on() -> None:
    cut = {**DEAD, Probe.PING: "cut"}
    watch = heard(DEAD, 4.0, watch=heard(cut, 2.0, 3.0, watch=heard(DEAD, 1.0)))
    assert at(1.0) == watch.tracks[Probe.PING].silent_since


def test_without_a_proven_path_silence_is_unknown() -> None:
    watch = heard(dict.fromkeys(Probe, "silent"), 1.0)
    assert watch.tracks[Probe.PING].silent_since is None
    assert watch.tracks[Probe.PING].unknown_last is not None


def test_a_probe_that_was_cut_or_never_ran_is_unknown() -> None:
    for word in ("cut", "not-run"):
        watch = heard({**DEAD, Probe.SSH_BANNER: word}, 1.0)
        assert watch.tracks[Probe.SSH_BANNER].silent_since is None


def test_a_refused_connection_is_an_answer() -> None:
    watch = heard({**ALIVE, Probe.SSH_BANNER: "refused"}, 1.0)
    assert watch.tracks[Probe.SSH_BANNER].answered == watch.tracks[Probe.SSH_BANNER].refused


def test_xcatd_fails_since_its_first_definite_failure() -> None:
    failing = {**ALIVE, Probe.XCATD: "failing"}
    watch = heard(failing, 2.0, 3.0, watch=heard(ALIVE, 1.0))
    assert watch.xcatd.failing_since == at(2.01)
    assert heard(ALIVE, 4.0, watch=watch).xcatd.failing_since is None


def test_a_failure_of_xcatd_does_not_span_a_time_in_which_it_was_not_asked() -> None:
    failing = {**ALIVE, Probe.XCATD: "failing"}
    watch = heard(failing, 600.0, watch=heard(failing, 1.0))
    assert watch.xcatd.failing_since == at(600.01)


def test_positions_that_advance_are_progress_since_the_reading_before() -> None:
    moved = replication(7.0, positions=Positions(6_000, 6_000, 6_000))
    assert read(replication(2.0), moved).progress == at(2.0)


def test_a_window_end_that_moves_is_progress() -> None:
    later = replication(7.0, peer_window_end=(replication(2.0).peer_window_end or 0) + 15)
    assert read(replication(2.0), later).progress == at(2.0)


def test_a_new_connection_is_progress() -> None:
    again = replication(12.0, since=(replication(2.0).since or 0) + 11)
    assert read(lost_link(2.0), again).progress == at(2.0)


def test_losing_the_link_is_not_progress() -> None:
    """Db2 notices a dead host after HADR_TIMEOUT: that the link is gone is no sign of life."""
    watch = read(replication(2.0), replication(7.0), lost_link(12.0))
    assert watch.progress is None
    assert watch.unchanged == at(11.9)


def test_a_peer_window_that_ends_is_not_progress() -> None:
    over = lost_link(12.0, state="remote_catchup_pending", peer_window_end=None, since=None)
    assert read(lost_link(7.0), over).progress is None


def test_an_unreadable_database_is_neither_progress_nor_silence() -> None:
    watch = read(blind(2.0), blind(7.0))
    assert watch.progress is None
    assert watch.unchanged is None


def test_progress_across_an_unreadable_time_is_seen() -> None:
    moved = replication(12.0, positions=Positions(6_000, 6_000, 6_000))
    watch = read(replication(2.0), blind(7.0), moved)
    assert watch.progress == at(2.0)
    assert watch.unchanged is None


def test_one_reading_looked_at_twice_does_not_say_that_nothing_was_received() -> None:
    """GET DB CFG came home: the engine judges the same db2pd output again."""
    reading = replication(2.0)
    watch = fold_replication(read(reading), reading, at(4.0))
    assert watch.unchanged is None
