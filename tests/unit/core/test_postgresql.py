"""The PostgreSQL engine: what is believed of a receiver, what is verified, lost and promoted.

The story: at 0 the primary, asked over ssh, had 5,000 bytes on its disk and this standby had them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hamnd.core.events import LookCompleted
from hamnd.core.health.watch import Watch
from hamnd.core.observing import fold_look
from hamnd.core.replication import (
    Death,
    Examination,
    LossQuestion,
    PartnerDatabase,
    Promotion,
    Sample,
    Takeover,
)
from hamnd.core.replication.postgresql import ENGINE, PARTNER_TOPIC
from hamnd.core.replication.postgresql_view import TOPIC
from hamnd.dialects.postgresql.status import format_lsn
from hamnd.model.health import Positions, Replication
from hamnd.model.names import FenceGrade, LossVerdict, Verdict
from hamnd.model.site import PostgresSite
from hamnd.model.work import Ending, Exec, Looked, Report
from tests.unit.core.builders import ALIVE, WALL, at, heard, report, site, terms
from tests.unit.core.pg_answers import answer, primary_answer, sender, standby_answer

SITE = site(engine="postgresql", postgresql=PostgresSite(sync_hold_s=20.0))
TERMS = terms(SITE)
DOWN = report(exit_code=2, stderr="psql: error: connection to server failed: Connection refused")


def view(
    here: dict[str, Any], there: dict[str, Any] | None = None, asked: float = 0.0, **changes: Any
) -> Replication:
    """The normal form of a reading at 1.0, beside the primary's word of `asked`."""
    reports = {TOPIC: answer(here | changes, 1.0)}
    if there is not None:
        reports[PARTNER_TOPIC] = answer(there, asked)
    return ENGINE.view(TERMS, reports)


# ---- view --------------------------------------------------------------------------------------
def test_a_standby_that_has_all_is_verified_as_of_the_primarys_word() -> None:
    seen = view(standby_answer(), primary_answer(), asked=0.5)
    assert (seen.role, seen.state, seen.connected) == ("standby", "streaming", True)
    assert seen.is_protecting
    assert seen.verified_at == WALL + 0.5
    assert (seen.gap_bytes, seen.replay_gap_bytes) == (0, 0)
    assert seen.positions == Positions(5_000, 5_000, 5_000)
    assert (seen.sync_mode, seen.timeline) == ("sync", 1)


def test_a_standby_that_lacks_something_is_verified_for_nothing() -> None:
    seen = view(standby_answer(), primary_answer(flushed=format_lsn(5_001)))
    assert seen.verified_at is None
    assert seen.gap_bytes == 1
    assert seen.is_protecting, "a byte in flight is no broken link"


def test_without_the_primarys_word_nothing_is_verified_and_no_mode_is_known() -> None:
    seen = view(standby_answer())
    assert (seen.verified_at, seen.sync_mode) == (None, None)
    assert seen.is_protecting
    assert seen.gap_bytes == 0


def test_an_old_word_of_the_primary_is_none() -> None:
    seen = view(standby_answer(), primary_answer(), asked=-60.0)
    assert (seen.verified_at, seen.sync_mode) == (None, None)


@pytest.mark.parametrize(
    ("silent_s", "timeout_ms", "state"),
    [
        (0.2, "60000", "streaming"),
        (34.9, "60000", "streaming"),
        (35.1, "60000", "stale"),
        (9.9, "10000", "streaming"),
        (10.1, "10000", "stale"),
        (34.9, "0", "streaming"),
        (35.1, "0", "stale"),
    ],
)
def test_an_idle_pair_is_not_stale_and_a_dead_one_is(
    silent_s: float, timeout_ms: str, state: str
) -> None:
    """A receiver asks for a sign of life after half of its timeout (lab.md §6)."""
    seen = view(standby_answer(silent_s=silent_s, timeout_ms=timeout_ms), primary_answer())
    assert seen.state == state
    assert seen.is_protecting is (state == "streaming")
    assert seen.connected is (state == "streaming")


@pytest.mark.parametrize(
    ("heard_at", "state"), [(-2.1, "stale"), (-1.9, "streaming"), (0.9, "streaming")]
)
def test_a_primary_that_wrote_and_sent_nothing_has_lost_its_link(
    heard_at: float, state: str
) -> None:
    """Also while ssh to it works: only the port of the database may be cut."""
    ahead = primary_answer(flushed=format_lsn(6_000))
    seen = view(standby_answer(heard_at=WALL + heard_at), ahead, asked=0.0)
    assert (seen.state, seen.gap_bytes) == (state, 1_000)


def test_a_link_that_was_lost_is_not_found_again_because_the_primarys_word_grows_old() -> None:
    """That would look like a sign of life of a primary that is dead."""
    ahead = primary_answer(flushed=format_lsn(6_000))
    seen = view(standby_answer(heard_at=WALL - 65.0), ahead, asked=-60.0)
    assert (seen.state, seen.gap_bytes, seen.sync_mode) == ("stale", 1_000, None)
    watch = folded(heard(ALIVE, 0.0), PARTNER_TOPIC, answer(ahead, 0.0))
    kept = folded(watch, PARTNER_TOPIC, report(Ending.TIMED_OUT, sent=1.0))
    assert kept.reports[PARTNER_TOPIC] == watch.reports[PARTNER_TOPIC]


@pytest.mark.parametrize("status", ["starting", "waiting", "restarting", "stopping"])
def test_only_streaming_is_connected(status: str) -> None:
    seen = view(standby_answer(status=status), primary_answer())
    assert (seen.state, seen.connected, seen.is_protecting) == (status, False, False)


def test_without_a_receiver_the_link_is_lost() -> None:
    seen = view(standby_answer() | {"receiver": None})
    assert (seen.state, seen.connected, seen.is_protecting) == ("disconnected", False, False)
    assert seen.gap_bytes is None


def test_a_hidden_receiver_is_unknown_not_lost() -> None:
    seen = view(standby_answer() | {"receiver": {"pid": 72, "status": None}})
    assert (seen.state, seen.connected, seen.is_protecting) == (None, None, False)
    assert "pg_monitor" in seen.problems[0]


def test_a_copy_of_another_cluster_protects_nothing() -> None:
    seen = view(standby_answer(), primary_answer(system="4711"))
    assert not seen.is_protecting
    assert seen.verified_at is None
    assert "system identifiers differ" in seen.problems[0]


@pytest.mark.parametrize(
    ("changes", "mode"),
    [
        ({}, "sync"),
        ({"level": "remote_apply"}, "sync"),
        ({"level": "remote_write"}, "remote_write"),
        ({"level": "local"}, "async"),
        ({"level": "off"}, "async"),
        ({"names": ""}, "async"),
        ({"names": "mn3"}, "async"),
        ({"names": "AIXMN2"}, "sync"),
        ({"names": "*"}, "sync_partly"),
        ({"names": "aixmn2, mn3"}, "sync_partly"),
        ({"names": "2 (aixmn2, mn3)"}, "sync"),
        ({"names": "ANY 1 (aixmn2, mn3)"}, "sync_partly"),
        ({"names": "ANY 2 (aixmn2, mn3)"}, "sync"),
        ({"exceptions": 1}, "sync_partly"),
        ({"senders": [sender(), sender()]}, "sync_partly"),
        ({"senders": []}, "sync"),
        ({"names": "mn3, aixmn2", "senders": [sender(sync_state="potential")]}, "potential"),
        ({"names": "a b"}, "unknown"),
    ],
)
def test_how_the_primary_treats_this_standby(changes: dict[str, Any], mode: str) -> None:
    assert view(standby_answer(), primary_answer(**changes)).sync_mode == mode


def test_who_does_not_know_his_own_name_cannot_tell_that_he_is_waited_for() -> None:
    """The receiver is gone: the primary's rule still tells whether it waits at all."""
    alone = standby_answer() | {"receiver": None}
    assert view(alone, primary_answer()).sync_mode is None
    assert view(alone, primary_answer(names="")).sync_mode == "async"


@pytest.mark.parametrize(
    ("changes", "delay_ms", "late_s"),
    [
        ({"level": "off"}, "200", 1.0),
        ({"level": "off"}, "5000", 15.4),
        ({"exceptions": 1}, "200", 1.0),
        ({}, "5000", 0.0),
    ],
)
def test_commits_that_do_not_wait_for_their_own_disk_are_verified_earlier(
    changes: dict[str, Any], delay_ms: str, late_s: float
) -> None:
    """As much earlier as its log writer may pause, also where only one role does not wait."""
    there = primary_answer(**changes)
    there["settings"] |= {"wal_writer_delay": delay_ms}
    seen = view(standby_answer(), there, 0.5)
    assert seen.verified_at == pytest.approx(WALL + 0.5 - late_s)


def test_a_server_that_is_down_says_so_and_what_to_do() -> None:
    seen = ENGINE.view(TERMS, {TOPIC: DOWN})
    assert (seen.role, seen.is_database_up) == (None, False)
    assert "systemctl start postgresql" in seen.clear


@pytest.mark.parametrize(
    "lost",
    [
        report(Ending.TIMED_OUT),
        report(Ending.COULD_NOT_RUN),
        report(exit_code=127, stderr="psql: not found"),
        report(exit_code=2, stderr='FATAL:  role "x" does not exist'),
        report(stdout="{}"),
    ],
)
def test_what_cannot_be_read_is_unknown(lost: Report) -> None:
    seen = ENGINE.view(TERMS, {TOPIC: lost})
    assert (seen.role, seen.is_database_up, seen.is_protecting) == (None, None, False)
    assert seen.problems


def test_a_primary_is_protected_while_a_standby_streams() -> None:
    seen = view(primary_answer())
    assert (seen.role, seen.state, seen.is_protecting) == ("primary", "streaming", True)
    assert not view(primary_answer(senders=[])).is_protecting
    assert not view(primary_answer(senders=[sender(state="catchup")])).is_protecting


# ---- the partner's own word --------------------------------------------------------------------
def test_the_partners_word() -> None:
    nothing = PartnerDatabase()
    good = ENGINE.partner(TERMS, answer(primary_answer(), 0.0), nothing)
    assert (good.is_good, good.role, good.position, good.timeline) == (True, "primary", 5_000, 1)
    down = ENGINE.partner(TERMS, DOWN, good)
    assert (down.is_good, down.failing_since) == (False, DOWN.finished)
    later = ENGINE.partner(TERMS, replace(DOWN, finished=at(9.0)), down)
    assert later.failing_since == DOWN.finished
    denied = report(exit_code=2, stderr="FATAL:  sorry, too many clients already")
    assert ENGINE.partner(TERMS, denied, good).is_good is None
    assert ENGINE.partner(TERMS, report(Ending.TIMED_OUT), good) == good
    standby = ENGINE.partner(TERMS, answer(standby_answer(), 0.0), nothing)
    assert (standby.is_good, standby.role) == (False, "standby")


# ---- what is remembered ------------------------------------------------------------------------
def folded(watch: Watch, topic: str, told: Report) -> Watch:
    looks = {**ENGINE.looks(TERMS), **ENGINE.partner_looks(TERMS)}
    return fold_look(watch, LookCompleted(topic, Looked(looks[topic], told)), TERMS)


def test_the_sample_is_as_old_as_the_primarys_word() -> None:
    watch = heard(ALIVE, 0.0)
    watch = folded(watch, PARTNER_TOPIC, answer(primary_answer(), 0.2))
    watch = folded(watch, TOPIC, answer(standby_answer(), 1.0))
    assert watch.sample is not None
    assert (watch.sample.wall_s, watch.sample.sync_mode) == (WALL + 0.2, "sync")
    assert watch.standby_end == 5_000


def test_a_primary_that_ends_its_waiting_takes_the_promise_back() -> None:
    """Also when its standby lags behind, so that no new sample is taken."""
    watch = folded(heard(ALIVE, 0.0), PARTNER_TOPIC, answer(primary_answer(), 0.2))
    watch = folded(watch, TOPIC, answer(standby_answer(), 1.0))
    ended = primary_answer(names="", flushed=format_lsn(9_000))
    watch = folded(watch, PARTNER_TOPIC, answer(ended, 2.0))
    watch = folded(watch, TOPIC, answer(standby_answer(), 3.0))
    assert watch.sample is not None
    assert (watch.sample.wall_s, watch.sample.sync_mode) == (WALL + 0.2, None)


def test_a_message_of_the_primary_is_a_sign_of_life_although_nothing_was_written() -> None:
    watch = folded(heard(ALIVE, 0.0), TOPIC, answer(standby_answer(heard_at=WALL), 1.0))
    same = folded(watch, TOPIC, answer(standby_answer(heard_at=WALL), 2.0))
    assert (same.progress, same.unchanged) == (None, at(2.0))
    heard_more = folded(watch, TOPIC, answer(standby_answer(heard_at=WALL + 1.5), 2.0))
    assert heard_more.progress == watch.replication.observed if watch.replication else None
    assert heard_more.progress is not None


# ---- loss --------------------------------------------------------------------------------------
def sample(**changes: Any) -> Sample:
    base = Sample(
        wall_s=WALL,
        sync_mode="sync",
        state="streaming",
        received=5_000,
        replayed=5_000,
        primary=5_000,
        peer_window_end=None,
        started_at=WALL - 100_000,
        skew_s=None,
        skew_uncertainty_s=None,
    )
    return replace(base, **changes)


def lost_link(**changes: Any) -> Replication:
    seen = view(standby_answer() | {"receiver": None})
    return replace(seen, uptime_s=100_001, **changes)


def died(at_s: float | None, grade: FenceGrade = FenceGrade.POWER_OFF, **more: Any) -> Death:
    return Death(None if at_s is None else WALL + at_s, grade, WALL + 1.0, **more)


UNPROVEN = Death(None, FenceGrade.NONE, WALL + 1.0)


def asked(death: Death = UNPROVEN, **changes: Any) -> LossQuestion:
    base = LossQuestion(lost_link(), sample(), None, death, None, False, WALL + 60.0)
    return replace(base, **changes)


def verdict(question: LossQuestion) -> LossVerdict:
    return ENGINE.loss(TERMS, question).verdict


@pytest.mark.parametrize(
    ("death", "expected"),
    [
        (died(19.9), LossVerdict.ZERO_PROVEN),
        (died(19.9, FenceGrade.AGENT_OFF), LossVerdict.ZERO_PROVEN),
        (died(20.1), LossVerdict.ZERO_LIKELY),
        (died(5.0, is_watched=False), LossVerdict.ZERO_LIKELY),
        (died(5.0, FenceGrade.ORDERLY), LossVerdict.ZERO_LIKELY),
        (died(5.0, FenceGrade.OPERATOR), LossVerdict.ZERO_LIKELY),
        (died(5.0, FenceGrade.WITNESSES), LossVerdict.ZERO_LIKELY),
        (UNPROVEN, LossVerdict.ZERO_LIKELY),
    ],
)
def test_a_waiting_primary_loses_nothing_and_proof_takes_a_device_in_time(
    death: Death, expected: LossVerdict
) -> None:
    assert verdict(asked(death)) is expected


def test_a_hold_of_zero_never_proves() -> None:
    here = replace(SITE, postgresql=PostgresSite(sync_hold_s=0.0))
    loss = ENGINE.loss(terms(here), asked(died(0.1)))
    assert loss.verdict is LossVerdict.ZERO_LIKELY


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"view": lost_link(), "sample": sample(sync_mode="remote_write")}, "zero_likely"),
        ({"sample": sample(started_at=None)}, "zero_likely"),
        ({"view": replace(lost_link(), observed=at(30.0), uptime_s=10)}, "zero_likely"),
        ({"view": replace(lost_link(), uptime_s=None)}, "zero_likely"),
        ({"sample": sample(sync_mode="async")}, "bounded"),
        ({"sample": sample(sync_mode="sync_partly")}, "bounded"),
        ({"sample": sample(sync_mode="potential")}, "bounded"),
        ({"sample": sample(sync_mode=None)}, "bounded"),
        ({"sample": sample(sync_mode="nearsync")}, "bounded"),
        ({"sample": None}, "unknown"),
        ({"view": None}, "unknown"),
        ({"view": replace(lost_link(), positions=Positions(None, 4_999, 4_999))}, "unknown"),
        ({"view": replace(lost_link(), positions=Positions())}, "unknown"),
        ({"is_partner_serving": True}, "unknown"),
    ],
)
def test_whatever_is_less_than_sure_is_no_proof(changes: dict[str, Any], expected: str) -> None:
    """Each beside an off that a device proved five seconds after the last reading."""
    assert verdict(asked(died(5.0), **changes)).value == expected


@pytest.mark.parametrize(
    ("death", "expected", "seconds"),
    [
        (died(5.0), LossVerdict.BOUNDED, 5.0),
        (died(5_000.0, FenceGrade.AGENT_OFF), LossVerdict.BOUNDED, 5_000.0),
        (died(-1.0), LossVerdict.BOUNDED, 0.0),
        (died(5.0, is_watched=False), LossVerdict.UNKNOWN, None),
        (died(5.0, FenceGrade.OPERATOR), LossVerdict.UNKNOWN, None),
        (UNPROVEN, LossVerdict.UNKNOWN, None),
    ],
)
def test_without_waiting_only_a_proven_end_bounds_the_loss(
    death: Death, expected: LossVerdict, seconds: float | None
) -> None:
    loss = ENGINE.loss(TERMS, asked(death, sample=sample(sync_mode="async")))
    assert (loss.verdict, loss.seconds) == (expected, seconds)
    assert loss.bytes is None


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("sync", LossVerdict.ZERO_LIKELY),
        ("async", LossVerdict.UNKNOWN),
        (None, LossVerdict.UNKNOWN),
    ],
)
def test_while_all_is_well(mode: str | None, expected: LossVerdict) -> None:
    streaming = replace(view(standby_answer(), primary_answer()), sync_mode=mode)
    assert verdict(asked(view=streaming, is_partner_serving=True)) is expected


def test_a_primary_that_serves_without_its_standby_may_have_ended_the_waiting() -> None:
    loss = ENGINE.loss(TERMS, asked(is_partner_serving=True))
    assert loss.verdict is LossVerdict.UNKNOWN
    assert "may have ended the waiting" in loss.basis[1]


# ---- promotion and its step --------------------------------------------------------------------
def promotion(question: LossQuestion) -> Promotion:
    return ENGINE.promotion(TERMS, question, ENGINE.loss(TERMS, question))


@pytest.mark.parametrize(
    ("question", "variant", "verdict"),
    [
        (asked(died(5.0)), "force-after-proof", Verdict.PASS),
        (asked(), "accepted-force", Verdict.PASS),
        (asked(sample=None), "accepted-force", Verdict.PASS),
        (asked(view=None), "none", Verdict.UNKNOWN),
        (asked(view=ENGINE.view(TERMS, {TOPIC: DOWN})), "none", Verdict.BLOCK),
        (
            asked(view=ENGINE.view(TERMS, {TOPIC: report(Ending.TIMED_OUT)})),
            "none",
            Verdict.UNKNOWN,
        ),
        (asked(view=view(primary_answer())), "none", Verdict.PASS),
    ],
)
def test_how_it_can_be_promoted(question: LossQuestion, variant: str, verdict: Verdict) -> None:
    found = promotion(question)
    assert (found.variant, found.verdict) == (variant, verdict)


def statements(found: Promotion) -> list[str]:
    (step,) = ENGINE.steps(TERMS, Takeover(found))
    requests = [action.request for action in step.actions]
    return [one.argv[-1] for one in requests if isinstance(one, Exec)]


def test_the_step_promotes_once_and_proves_it_by_looking() -> None:
    (step,) = ENGINE.steps(TERMS, Takeover(promotion(asked(died(5.0)))))
    assert statements(promotion(asked(died(5.0)))) == ["SELECT pg_promote(true, 290)"]
    assert not step.reversible
    assert [look.reads for look in step.preconditions] == ["postgresql.in_recovery"]
    assert [look.reads for look in step.postconditions] == ["postgresql.writable"]
    assert [look.reads for look in step.readiness] == ["postgresql.can_promote"]


def test_a_cloned_setting_is_emptied_before_the_promotion() -> None:
    """A promoted clone of a synchronous primary would hold every commit for ever."""
    cloned = lost_link(waits_for="aixmn2")
    found = promotion(asked(died(5.0), view=cloned))
    (step,) = ENGINE.steps(TERMS, Takeover(found))
    first = step.actions[0].request
    assert isinstance(first, Exec)
    assert "ALTER SYSTEM SET synchronous_standby_names = ''" in first.argv
    assert statements(found)[-1] == "SELECT pg_promote(true, 290)"


def test_a_primary_is_not_promoted_again() -> None:
    (step,) = ENGINE.steps(TERMS, Takeover(promotion(asked(view=view(primary_answer())))))
    assert step.actions == ()
    assert step.postconditions


def test_our_own_limit_comes_after_the_servers() -> None:
    hurried = terms(SITE, step_timeouts_s={"promote": 30.0})
    (step,) = ENGINE.steps(hurried, Takeover(Promotion("accepted-force", Verdict.PASS, "")))
    (action,) = step.actions
    assert isinstance(action.request, Exec)
    assert action.request.argv[-1] == "SELECT pg_promote(true, 20)"
    assert step.timeout_s == 30.0


# ---- what was lost in the end ------------------------------------------------------------------
def examined(position: int | None, fork: int | None = 5_000, **changes: Any) -> str | None:
    partner = PartnerDatabase(True, "primary", position, at(0.0), timeline=1)
    now_primary = replace(view(primary_answer()), timeline=2, fork=fork)
    exam = Examination(4_000, replace(partner, **changes), now_primary)
    return ENGINE.examine(TERMS, exam).actual


def test_the_actual_loss_is_what_the_old_primary_has_beyond_the_fork() -> None:
    assert (examined(5_300) or "").startswith("at most 300 B")
    assert (examined(5_000) or "").startswith("zero")
    assert (examined(5_300, fork=None) or "").startswith("at most 1300 B"), "our last position"
    assert examined(None) is None
    assert examined(5_300, role="standby") is None
    assert examined(9_999, timeline=2) is None, "rewound or cloned: it tells nothing any more"


def test_a_primary_that_handed_over_in_this_run_is_missed_for_nothing() -> None:
    """Not proven all the same: somebody could have started its server again."""
    waiting = asked(UNPROVEN, sample=sample(sync_mode="async"))
    assert verdict(waiting) is LossVerdict.UNKNOWN
    assert verdict(replace(waiting, has_handed_over=True)) is LossVerdict.ZERO_LIKELY
