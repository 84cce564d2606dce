"""What a takeover of a Db2 HADR pair would lose, and which form of TAKEOVER is right now.

Owns the judgement of db2-hadr.md §6.3 (peer window) and §9 (decision table). Must not read texts
(dialects) nor build steps (db2). Rests on one guarantee: in SYNC or NEARSYNC, a primary that
stopped committing before the peer window end which the *standby* shows lost nothing.
"""

from __future__ import annotations

from hamnd.core.policy import Terms
from hamnd.core.replication import LossQuestion, Promotion
from hamnd.core.replication.own import loss_of_own
from hamnd.model.names import GRADE_ORDER, FenceGrade, LossVerdict, Verdict
from hamnd.model.plan import Loss

SAFE_MODES = ("sync", "nearsync")
RESTART_TOLERANCE_S = 2.0
"""Db2 tells whole seconds of its uptime."""
STEPS_BEFORE_PROMOTE_S = 5.0
"""What fuse and fence may take while a window plan runs, until history knows better."""


def judge_loss(terms: Terms, question: LossQuestion) -> Loss:
    """Return the verdict of design §4 with its basis, never better than what was seen."""
    view = question.view
    if view is None:
        return Loss(LossVerdict.UNKNOWN, ("the local database could not be read",))
    if view.role == "primary":
        return loss_of_own(question)
    if view.role != "standby":
        return Loss(
            LossVerdict.UNKNOWN, (f"this node's database is {view.role or 'not readable'}",)
        )
    if view.bad_flags:
        flags = " ".join(view.bad_flags)
        return Loss(LossVerdict.UNKNOWN, (f"HADR flags {flags}: the standby's copy is not whole",))
    if view.is_protecting and question.is_partner_serving:
        return _loss_in_peer(question)
    return _loss_after_peer(terms, question)


def _loss_in_peer(question: LossQuestion) -> Loss:
    view = question.view
    assert view is not None
    mode = (view.sync_mode or "unknown").upper()
    if view.sync_mode not in SAFE_MODES:
        basis = (f"{mode}: what is in flight would be lost if it died now",)
        return Loss(LossVerdict.UNKNOWN, basis, estimated_bytes=view.gap_bytes)
    basis = (f"{mode}, in Peer: nothing would be lost if it died now",)
    return Loss(LossVerdict.ZERO_LIKELY, basis, peer_window_end=view.peer_window_end)


def _loss_after_peer(terms: Terms, question: LossQuestion) -> Loss:
    """Judge a broken link: was it in Peer when it broke, and when did the primary stop?"""
    view, sample = question.view, question.sample
    assert view is not None
    if sample is None:
        return Loss(
            LossVerdict.UNKNOWN,
            ("this pair was never seen in Peer by hamnd",),
            estimated_bytes=view.gap_bytes,
        )
    if sample.sync_mode not in SAFE_MODES or question.frozen_window_end is None:
        return _loss_by_time(terms, question, "no peer window holds")
    started_at = None if view.uptime_s is None else view.observed.wall_s - view.uptime_s
    if started_at is not None and started_at > sample.wall_s + RESTART_TOLERANCE_S:
        why = "this standby was restarted since it was seen in Peer"
        return _loss_by_time(terms, question, why)
    loss = _loss_by_window(terms, question, question.frozen_window_end)
    doubts = []
    if started_at is None or sample.started_at is None:
        doubts.append("nobody knows whether this standby was restarted since: not proven")
    if not question.death.is_watched:
        doubts.append("hamnd did not watch all the time since that proof: not proven")
    if loss.verdict is not LossVerdict.ZERO_PROVEN or not doubts:
        return loss
    basis = (*loss.basis, *doubts)
    return Loss(LossVerdict.ZERO_LIKELY, basis, peer_window_end=loss.peer_window_end)


def _loss_by_time(terms: Terms, question: LossQuestion, why: str) -> Loss:
    """No window holds the primary back: only a proven death bounds what it could commit.

    A standby whose link broke says Peer until HADR_TIMEOUT is over (db2-hadr.md §6.2). A primary
    that waits for it commits nothing meanwhile; one that does not is that much further.
    """
    sample, death, view = question.sample, question.death, question.view
    assert sample is not None
    assert view is not None
    first = f"{(sample.sync_mode or 'unknown mode').upper()}, {why}"
    if is_device_proven(death.grade) and death.no_later_than is not None and death.is_watched:
        seconds = max(0.0, death.no_later_than - sample.wall_s)
        told = f"last position verified {seconds:.0f} s before the primary was proven off"
        if sample.sync_mode not in SAFE_MODES:
            unnoticed_s = terms.site.db2.hadr_timeout_s
            seconds += unnoticed_s
            told += f", and a dead link may have gone unnoticed for {unnoticed_s} s before"
        return Loss(LossVerdict.BOUNDED, (first, told), seconds=seconds)
    basis = (f"{first}, and nothing proves when the primary stopped",)
    return Loss(LossVerdict.UNKNOWN, basis, estimated_bytes=view.gap_bytes)


def _loss_by_window(terms: Terms, question: LossQuestion, window_end: int) -> Loss:
    """Compare the proven end of the primary with the frozen peer window end, on its clock."""
    sample, death = question.sample, question.death
    assert sample is not None
    mode = (sample.sync_mode or "").upper()
    margin = terms.policy.window_margin_s
    seconds, uncertainty = _skew_of(question)
    first = f"{mode}, in Peer when the link broke"
    if is_device_proven(death.grade) and death.no_later_than is not None:
        left = window_end - (death.no_later_than + (seconds or 0.0) + uncertainty)
        doubt = None
        if seconds is None:
            doubt = "the clocks were never compared: not proven"
        elif abs(seconds) > terms.policy.clock_skew_max_s:
            doubt = f"the clocks differ by {seconds:+.1f} s: not proven"
        return _loss_by_death(question, (window_end, left, margin), (first, doubt))
    now_there = question.now_wall_s + (seconds or 0.0) + uncertainty
    if seconds is not None and now_there + margin <= window_end:
        left = window_end - now_there
        basis = (first, f"the peer window holds it back for {left:.0f} s more; not proven off yet")
        return Loss(LossVerdict.ZERO_LIKELY, basis, peer_window_end=window_end)
    if death.grade is not FenceGrade.NONE and death.silent_since is not None:
        silent_there = death.silent_since + (seconds or 0.0) + uncertainty
        if silent_there + margin <= window_end:
            basis = (first, "silent since before the window end; its end is not proven by a device")
            return Loss(LossVerdict.ZERO_LIKELY, basis, peer_window_end=window_end)
    why = "the peer window is over and nothing proves when the primary stopped"
    if seconds is None and question.now_wall_s + margin <= window_end:
        why = "the clocks were never compared, so nobody knows whether the peer window still holds"
    basis = (first, why)
    view = question.view
    assert view is not None
    return Loss(LossVerdict.UNKNOWN, basis, None, None, view.gap_bytes, window_end)


def _loss_by_death(
    question: LossQuestion, window: tuple[int, float, float], told: tuple[str, str | None]
) -> Loss:
    """The device proves when it was off at the latest: before the window end, or not."""
    end, left, margin = window
    first, doubt = told
    if left >= margin and doubt is not None:
        return Loss(LossVerdict.ZERO_LIKELY, (first, doubt), peer_window_end=end)
    seconds, _ = _skew_of(question)
    skew = f"{'skew' if question.skew is not None else 'last skew'} {seconds or 0.0:+.1f} s"
    if left >= margin:
        proof = f"proven off {left:.0f} s before the peer window end"
        return Loss(LossVerdict.ZERO_PROVEN, (first, proof, skew), peer_window_end=end)
    late = "proven off only after the peer window end: it may have written"
    if doubt is None and question.death.is_watched:
        bound = max(0.0, margin - left)
        return Loss(LossVerdict.BOUNDED, (first, late, skew), seconds=bound, peer_window_end=end)
    view = question.view
    estimate = None if view is None else view.gap_bytes
    basis = (first, late, doubt or "hamnd did not watch all the time since that proof")
    return Loss(LossVerdict.UNKNOWN, basis, None, None, estimate, end)


def _skew_of(question: LossQuestion) -> tuple[float | None, float]:
    """Return the measured skew, else the one stored with the last sample in Peer."""
    if question.skew is not None:
        return question.skew.seconds, question.skew.uncertainty_s
    sample = question.sample
    if sample is None or sample.skew_s is None:
        return None, 0.0
    return sample.skew_s, sample.skew_uncertainty_s or 0.0


def is_device_proven(grade: FenceGrade) -> bool:
    """Whether a device, not a person or a network, proves the end of the primary."""
    return GRADE_ORDER.get(grade, 0) >= GRADE_ORDER[FenceGrade.AGENT_OFF]


def judge_promotion(terms: Terms, question: LossQuestion, loss: Loss) -> Promotion:
    """Return the row of db2-hadr.md §9 that holds now."""
    view = question.view
    if view is None or view.is_database_up is None:
        return Promotion("none", Verdict.UNKNOWN, "the local database could not be read")
    own = _own(question)
    if own is not None:
        return own
    if view.role == "standard":
        sentence = "HADR was stopped here (role STANDARD): this copy is no longer a standby"
        return Promotion("none", Verdict.BLOCK, sentence, "re-seed the standby")
    if view.is_database_up is False:
        clear = f"db2 activate db {terms.site.db2.database}"
        return Promotion("none", Verdict.BLOCK, "the local database is not active", clear)
    if view.role != "standby":
        return Promotion("none", Verdict.UNKNOWN, "the role of the local database is not known")
    match view.state:
        case "peer" if question.is_partner_serving:
            return Promotion("graceful", Verdict.PASS, "in Peer and the primary's database answers")
        case "peer" | "disconnected_peer":
            return _promotion_in_window(terms, question, loss)
        case "remote_catchup_pending":
            return _forced(loss)
        case "remote_catchup" | "local_catchup":
            sentence = f"the standby is in {view.state}: Db2 refuses, or loss is certain"
            return Promotion("none", Verdict.BLOCK, sentence, "wait until it left catch-up")
        case _:
            return Promotion("none", Verdict.UNKNOWN, f"HADR state {view.state or 'not known'}")


def _own(question: LossQuestion) -> Promotion | None:
    """Return how a database that is primary already comes up, or None for a standby's."""
    view = question.view
    match view and (view.role, view.is_database_up):
        case "primary", False if question.is_partner_standby:
            sentence = "it is primary and down, its standby is there: START HADR AS PRIMARY"
            return Promotion("start-with-standby", Verdict.PASS, sentence)
        case "primary", False:
            sentence = "it was promoted before and is down: START HADR AS PRIMARY BY FORCE"
            return Promotion("start-as-primary", Verdict.PASS, sentence)
        case "primary", _:
            return Promotion("none", Verdict.PASS, "this node's database is already primary")
        case "standard", _ if question.is_owner:
            # Up or down: a database without HADR has no role PRIMARY to be seen.
            sentence = "it is the cluster's own, without HADR since the takeover: ACTIVATE"
            return Promotion("activate", Verdict.PASS, sentence)
        case _:
            return None


def _promotion_in_window(terms: Terms, question: LossQuestion, loss: Loss) -> Promotion:
    """In Peer or DisconnectedPeer: PEER WINDOW ONLY while it is open (db2-hadr.md §8.2)."""
    view = question.view
    assert view is not None
    seconds, uncertainty = _skew_of(question)
    end = view.peer_window_end
    if end is not None and view.sync_mode in SAFE_MODES and seconds is not None:
        # Db2 compares the end with this node's clock as it is, the guarantee with the primary's.
        ahead = max(0.0, seconds + uncertainty)
        deadline = end - ahead - terms.policy.window_margin_s
        if question.now_wall_s + STEPS_BEFORE_PROMOTE_S < deadline:
            left = deadline - question.now_wall_s
            sentence = f"the peer window is open for {left:.0f} s more"
            return Promotion("peer-window-only", Verdict.PASS, sentence, deadline_wall_s=deadline)
    if view.state == "peer":
        sentence = "stale view: Db2 has not yet noticed that the link is lost"
        clear = f"wait at most HADR_TIMEOUT ({terms.site.db2.hadr_timeout_s} s)"
        return Promotion("none", Verdict.UNKNOWN, sentence, clear)
    return _forced(loss)


def _forced(loss: Loss) -> Promotion:
    if loss.verdict is LossVerdict.ZERO_PROVEN:
        return Promotion(
            "force-after-proof", Verdict.PASS, "by force, after proof: nothing is lost"
        )
    return Promotion("accepted-force", Verdict.PASS, "by force, only with accepted loss")
