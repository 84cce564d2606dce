"""What a takeover of a PostgreSQL pair would lose, and whether the standby can be promoted now.

Owns the judgement of design §4 for streaming replication. Must not read texts (dialects) nor build
steps (postgresql). Two guarantees are used, and no other:

- At the last *verified* reading the standby had everything that was on the primary's disk; what was
  acknowledged after it is bounded by the proven end of the primary.
- A primary whose every commit waits for this standby's disk acknowledges none without it. Nothing
  enforces that for ever: a person or a program there can end the waiting. So it is proof only when
  the primary was proven off within `sync_hold_s` of the last reading that showed it waiting.

Both moments lie on this node's own clock, so no foreign clock can spoil them.
"""

from __future__ import annotations

from enum import StrEnum

from hamnd.core.policy import Terms
from hamnd.core.replication import LossQuestion, Promotion, Sample
from hamnd.model.health import Replication
from hamnd.model.names import GRADE_ORDER, FenceGrade, LossVerdict, Verdict
from hamnd.model.plan import Loss

RESTART_TOLERANCE_S = 2.0
"""Uptime is told in whole seconds."""
OFF_DELAY_S = 1.0
"""With synchronous_commit = off a commit may be so late on its own disk: three times
wal_writer_delay, 0.6 s by default (PostgreSQL manual, Asynchronous Commit)."""


class SyncMode(StrEnum):
    """How the primary treats this standby."""

    SYNC = "sync"
    """Every commit waits until it is on this disk, and no other standby can stand in."""
    REMOTE_WRITE = "remote_write"
    """The same, but it may still be in this node's memory."""
    SYNC_PARTLY = "sync_partly"
    """Others can stand in for this standby, or some sessions do not wait."""
    POTENTIAL = "potential"
    """It would be waited for if another one were gone."""
    ASYNC = "async"
    UNKNOWN = "unknown"


WAITING = (SyncMode.SYNC, SyncMode.REMOTE_WRITE)

TOLD = {
    SyncMode.SYNC: "SYNC: every commit waits for this node's disk",
    SyncMode.REMOTE_WRITE: "REMOTE WRITE: every commit waits for this node's memory",
    SyncMode.SYNC_PARTLY: "SYNC in part: others can stand in for this standby, or some sessions "
    "do not wait",
    SyncMode.POTENTIAL: "POTENTIAL: commits wait for another standby, not for this one",
    SyncMode.ASYNC: "ASYNC: commits do not wait for this standby",
    SyncMode.UNKNOWN: "nobody knows whether commits waited for this standby",
}


def judge_loss(terms: Terms, question: LossQuestion) -> Loss:
    """Return the verdict of design §4 with its basis, never better than what was seen."""
    view, sample = question.view, question.sample
    if view is None:
        return Loss(LossVerdict.UNKNOWN, ("the local database could not be read",))
    if view.role == "primary":
        return Loss(LossVerdict.ZERO_LIKELY, ("this node's database is already primary",))
    if view.role != "standby":
        return Loss(
            LossVerdict.UNKNOWN, (f"this node's database is {view.role or 'not readable'}",)
        )
    if view.is_protecting and question.is_partner_serving:
        return _loss_while_streaming(view)
    if sample is None:
        told = "hamnd never saw this standby have everything that its primary had"
        return Loss(LossVerdict.UNKNOWN, (told,), estimated_bytes=view.gap_bytes)
    here = view.positions.received
    if here is None or (sample.received is not None and here < sample.received):
        told = "this standby's log ends before what it had received: was it copied anew?"
        return Loss(LossVerdict.UNKNOWN, (told,))
    return _loss_since(terms, question, sample)


def _loss_while_streaming(view: Replication) -> Loss:
    mode = _mode(view.sync_mode)
    if mode in WAITING:
        return Loss(LossVerdict.ZERO_LIKELY, (TOLD[mode], "nothing would be lost if it died now"))
    basis = (TOLD[mode], "what is in flight would be lost if it died now")
    return Loss(LossVerdict.UNKNOWN, basis, estimated_bytes=view.gap_bytes)


def _loss_since(terms: Terms, question: LossQuestion, sample: Sample) -> Loss:
    """The link is lost, or the primary silent: what can it have acknowledged since the sample?"""
    view = question.view
    assert view is not None
    mode = _mode(sample.sync_mode)
    if mode not in WAITING:
        return _loss_by_time(question, sample, TOLD[mode])
    if question.is_partner_serving:
        told = "it serves while this standby does not receive: somebody may have ended the waiting"
        return Loss(LossVerdict.UNKNOWN, (TOLD[mode], told), estimated_bytes=view.gap_bytes)
    off_after_s = _off_after_s(question, sample)
    hold_s = terms.site.postgresql.sync_hold_s
    doubts = _doubts(question, sample, mode)
    if off_after_s is None:
        return Loss(LossVerdict.ZERO_LIKELY, (TOLD[mode], "no device proves when it stopped"))
    proof = f"proven off {off_after_s:.0f} s after that was last seen"
    if off_after_s > hold_s:
        doubts.append(
            f"more than {hold_s:.0f} s: somebody there may have ended the waiting, not proven"
        )
    verdict = LossVerdict.ZERO_LIKELY if doubts else LossVerdict.ZERO_PROVEN
    return Loss(verdict, (TOLD[mode], proof, *doubts))


def _doubts(question: LossQuestion, sample: Sample, mode: SyncMode) -> list[str]:
    """Return what keeps a waiting primary's loss from being proven zero."""
    view = question.view
    assert view is not None
    doubts: list[str] = []
    started_at = None if view.uptime_s is None else view.observed.wall_s - view.uptime_s
    if started_at is None or sample.started_at is None:
        doubts.append("nobody knows whether this standby was restarted since: not proven")
    elif started_at > sample.wall_s + RESTART_TOLERANCE_S:
        doubts.append("this standby was restarted since: not proven")
    if mode is SyncMode.REMOTE_WRITE:
        doubts.append("it was not waited for this node's disk: not proven")
    if not question.death.is_watched:
        doubts.append("hamnd did not watch all the time since that proof: not proven")
    return doubts


def _loss_by_time(question: LossQuestion, sample: Sample, first: str) -> Loss:
    """Nothing held the primary back: only its proven end bounds what it acknowledged."""
    view = question.view
    assert view is not None
    seconds = _off_after_s(question, sample)
    if seconds is not None and question.death.is_watched:
        told = f"it had everything {seconds:.1f} s before the primary was proven off"
        return Loss(LossVerdict.BOUNDED, (first, told), seconds=seconds)
    basis = (first, "nothing proves when the primary stopped")
    return Loss(LossVerdict.UNKNOWN, basis, estimated_bytes=view.gap_bytes)


def _off_after_s(question: LossQuestion, sample: Sample) -> float | None:
    """Return how long after the sample a device proved the primary off, or None."""
    death = question.death
    is_proven = GRADE_ORDER.get(death.grade, 0) >= GRADE_ORDER[FenceGrade.AGENT_OFF]
    if not is_proven or death.no_later_than is None:
        return None
    return max(0.0, death.no_later_than - sample.wall_s)


def _mode(word: str | None) -> SyncMode:
    return SyncMode(word) if word in set(SyncMode) else SyncMode.UNKNOWN


def judge_promotion(question: LossQuestion, loss: Loss) -> Promotion:
    """Return whether pg_promote() is right now; there is no graceful form of it."""
    view = question.view
    if view is None or view.is_database_up is None:
        return Promotion("none", Verdict.UNKNOWN, "the local database could not be read")
    if view.is_database_up is False:
        return Promotion("none", Verdict.BLOCK, "the local database is down", view.clear)
    if view.role == "primary":
        return Promotion("none", Verdict.PASS, "this node's database is already primary")
    if view.role != "standby":
        return Promotion("none", Verdict.UNKNOWN, "the role of the local database is not known")
    waits_for = view.waits_for
    if loss.verdict is LossVerdict.ZERO_PROVEN:
        sentence = "pg_promote(), after proof: nothing is lost"
        return Promotion("force-after-proof", Verdict.PASS, sentence, waits_for=waits_for)
    sentence = "pg_promote(), only with accepted loss"
    return Promotion("accepted-force", Verdict.PASS, sentence, waits_for=waits_for)
