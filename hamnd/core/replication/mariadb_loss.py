"""What a takeover of a MariaDB pair would lose, and whether the standby can be promoted now.

Owns what each way of waiting is worth; the judgement itself is `waiting`. Must not read texts
(dialects) nor build steps (mariadb).

A semi-synchronous primary that waits before it commits (AFTER_SYNC) acknowledges nothing that its
replica has not received. It gives up after rpl_semi_sync_master_timeout: that long, at least, it
went on waiting after the last reading in which no commit waited. A person can switch it off before
that, so the site's own `sync_hold_s` bounds it too. The replica acknowledges what is in its relay
log, and a restart throws away what of it is not applied (measured, MariaDB 10.11 with GTIDs): with
its primary gone nobody knows then what is missing.
"""

from __future__ import annotations

from enum import StrEnum

from hamnd.core.policy import Terms
from hamnd.core.replication import LossQuestion, Promotion, waiting
from hamnd.core.replication.waiting import Promise
from hamnd.model.health import Replication
from hamnd.model.names import LossVerdict, Verdict
from hamnd.model.plan import Loss


class SyncMode(StrEnum):
    """How the primary treats this standby."""

    SEMI_SYNC = "semi_sync"
    """Every commit waits until this standby has received it, and no other can stand in."""
    SEMI_SYNC_PARTLY = "semi_sync_partly"
    """Others can stand in, or it waits after the commit, or not once its replica is gone."""
    ASYNC = "async"
    UNKNOWN = "unknown"


TOLD = {
    SyncMode.SEMI_SYNC: "SEMI-SYNC: every commit waits until this node has received it",
    SyncMode.SEMI_SYNC_PARTLY: "SEMI-SYNC in part: others can stand in, or it waits after the "
    "commit (AFTER_COMMIT), or not without a replica",
    SyncMode.ASYNC: "ASYNC: commits do not wait for this standby",
    SyncMode.UNKNOWN: "nobody knows whether commits waited for this standby",
}


def judge_loss(terms: Terms, question: LossQuestion) -> Loss:
    """Return the verdict of design §4 with its basis, never better than what was seen."""
    longest_s = terms.site.mariadb.sync_hold_s
    view = question.view
    if view is not None and view.doubt:
        return Loss(LossVerdict.UNKNOWN, (view.doubt,), estimated_bytes=view.gap_bytes)
    stuck = None if view is None else _stuck(view)
    if view is not None and stuck is not None:
        return Loss(LossVerdict.UNKNOWN, (stuck,), estimated_bytes=view.replay_gap_bytes)

    def promised(word: str | None, hold_s: float | None) -> Promise:
        mode = SyncMode(word) if word in set(SyncMode) else SyncMode.UNKNOWN
        held_s = 0.0 if hold_s is None else min(hold_s, longest_s)
        return Promise(TOLD[mode], mode is SyncMode.SEMI_SYNC, held_s, is_kept=False)

    return waiting.judge_loss(question, promised)


def judge_promotion(question: LossQuestion, loss: Loss) -> Promotion:
    """Return whether this replica can become primary now; there is no graceful form of it."""
    view = question.view
    if view is None or view.is_database_up is None:
        return Promotion("none", Verdict.UNKNOWN, "the local database could not be read")
    if view.is_database_up is False:
        return Promotion("none", Verdict.BLOCK, "the local database is down", view.clear)
    if view.role == "primary":
        return Promotion("none", Verdict.PASS, "this node's database is already primary")
    if view.is_closed and question.is_owner:
        sentence = "it was promoted before, and its option files let it start read_only: OFF again"
        return Promotion("activate", Verdict.PASS, sentence)
    if view.role != "standby":
        problem = view.problems[0] if view.problems else "its role is not known"
        return Promotion("none", Verdict.UNKNOWN, f"the local database: {problem}")
    waits_for = view.waits_for
    stuck = _stuck(view)
    if stuck is not None:
        return Promotion("accepted-force", Verdict.BLOCK, stuck, view.clear, waits_for=waits_for)
    if loss.verdict is LossVerdict.ZERO_PROVEN:
        sentence = "promoted after proof: nothing is lost"
        return Promotion("force-after-proof", Verdict.PASS, sentence, waits_for=waits_for)
    sentence = "promoted only with accepted loss"
    return Promotion("accepted-force", Verdict.PASS, sentence, waits_for=waits_for)


def _stuck(view: Replication) -> str | None:
    """Return why what was received will not be applied by itself: it would be thrown away."""
    if view.is_applying is not False:
        return None
    problem = view.problems[0] if view.problems else "the applier does not run"
    return f"what was received is not applied, and would be lost: {problem}"
