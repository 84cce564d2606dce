"""What a takeover of a PostgreSQL pair would lose, and whether the standby can be promoted now.

Owns what each way of waiting is worth; the judgement itself is `waiting`. Must not read texts
(dialects) nor build steps (postgresql). That the waiting goes on for `sync_hold_s` after a reading
is the site's word: a person or a program at the primary can end it.
"""

from __future__ import annotations

from enum import StrEnum

from hamnd.core.policy import Terms
from hamnd.core.replication import LossQuestion, Promotion, waiting
from hamnd.core.replication.waiting import Promise
from hamnd.model.names import LossVerdict, Verdict
from hamnd.model.plan import Loss

OFF_DELAYS, OFF_MARGIN_S = 3, 0.4
"""With synchronous_commit = off a commit may be on its own disk so many times wal_writer_delay
later, 0.6 s by default (PostgreSQL manual, Asynchronous Commit); and what its writing takes."""


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
    hold_s = terms.site.postgresql.sync_hold_s
    return waiting.judge_loss(question, lambda word, _: _promised(word, hold_s))


def _promised(word: str | None, hold_s: float) -> Promise:
    mode = _mode(word)
    doubts: tuple[str, ...] = ()
    if mode is SyncMode.REMOTE_WRITE:
        doubts = ("it was not waited for this node's disk: not proven",)
    return Promise(TOLD[mode], mode in WAITING, hold_s, doubts)


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
