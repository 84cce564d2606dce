"""What a takeover would lose where a primary may wait for its standby with every commit.

Owns the judgement of design §4 for streaming replication. Must not know an engine: each says by a
`Promise` what its primary promised at the last verified reading. Two guarantees are used, no other:

- At the last *verified* reading the standby had everything that was on the primary's disk; what was
  acknowledged after it is bounded by the proven end of the primary.
- A primary whose every commit waits for this standby acknowledges none without it. Nothing enforces
  that for ever: the server gives up, or a person or program there ends the waiting. So it is proof
  only when the primary was proven off within `hold_s` of the last reading that showed it waiting.

Both moments lie on this node's own clock, so no foreign clock can spoil them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hamnd.core.replication import LossQuestion, Sample
from hamnd.core.replication.own import loss_of_own
from hamnd.model.health import Replication
from hamnd.model.names import GRADE_ORDER, FenceGrade, LossVerdict
from hamnd.model.plan import Loss

NONE_KNOWN = (LossVerdict.ZERO_PROVEN, LossVerdict.ZERO_LIKELY)
RESTART_TOLERANCE_S = 2.0
"""Uptime is told in whole seconds."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What a primary promised its standby with every commit."""

    told: str
    """In words, the first line of a verdict's basis."""
    waits: bool = False
    """Every commit waits for this standby, and nothing can stand in for it."""
    hold_s: float = 0.0
    """So long after a reading it surely still did."""
    doubts: tuple[str, ...] = ()
    """What keeps even that from being proof."""
    is_kept: bool = True
    """What the standby has received outlives a restart of its database."""


Promised = Callable[[str | None, float | None], Promise]
"""From an engine's sync mode, and how long its server holds on without the standby."""


def judge_loss(question: LossQuestion, promised: Promised) -> Loss:
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
    loss = _loss_of_standby(question, view, promised)
    if question.has_handed_over and loss.verdict not in NONE_KNOWN:
        told = "its server took its last write by a step of this run, and all that it had is here"
        return Loss(LossVerdict.ZERO_LIKELY, (told,))
    return loss


def _loss_of_standby(question: LossQuestion, view: Replication, promised: Promised) -> Loss:
    sample = question.sample
    if view.is_protecting and question.is_partner_serving:
        return _loss_while_streaming(view, promised(view.sync_mode, view.hold_s))
    if sample is None:
        told = "hamnd never saw this standby have everything that its primary had"
        return Loss(LossVerdict.UNKNOWN, (told,), estimated_bytes=view.gap_bytes)
    here = view.positions.received
    if here is None or (sample.received is not None and here < sample.received):
        told = "this standby's log ends before what it had received: was it copied anew?"
        return Loss(LossVerdict.UNKNOWN, (told,))
    return _loss_since(question, sample, promised(sample.sync_mode, sample.hold_s))


def _loss_while_streaming(view: Replication, promise: Promise) -> Loss:
    if promise.waits:
        told = "nothing would be lost if it died now"
        return Loss(LossVerdict.ZERO_LIKELY, (promise.told, told))
    basis = (promise.told, "what is in flight would be lost if it died now")
    return Loss(LossVerdict.UNKNOWN, basis, estimated_bytes=view.gap_bytes)


def _loss_since(question: LossQuestion, sample: Sample, promise: Promise) -> Loss:
    """The link is lost, or the primary silent: what can it have acknowledged since the sample?"""
    view = question.view
    assert view is not None
    if not promise.waits:
        return _loss_by_time(question, sample, promise.told)
    if question.is_partner_serving:
        told = "it serves while this standby does not receive: somebody may have ended the waiting"
        return Loss(LossVerdict.UNKNOWN, (promise.told, told), estimated_bytes=view.gap_bytes)
    off_after_s = _off_after_s(question, sample)
    doubts = [*_doubts(question, sample), *promise.doubts]
    if not promise.is_kept and _was_restarted(question, sample):
        told = "this standby was restarted since, and threw away what it had not applied by then"
        return Loss(LossVerdict.UNKNOWN, (promise.told, told))
    if off_after_s is None:
        return Loss(LossVerdict.ZERO_LIKELY, (promise.told, "no device proves when it stopped"))
    proof = f"proven off {off_after_s:.0f} s after that was last seen"
    if off_after_s > promise.hold_s:
        doubts.append(
            f"more than {promise.hold_s:.0f} s: the waiting may have ended there, not proven"
        )
    if not question.death.is_watched:
        doubts.append("hamnd did not watch all the time since that proof: not proven")
    verdict = LossVerdict.ZERO_LIKELY if doubts else LossVerdict.ZERO_PROVEN
    return Loss(verdict, (promise.told, proof, *doubts))


def _doubts(question: LossQuestion, sample: Sample) -> list[str]:
    """Return what this standby itself speaks against a loss that is proven zero."""
    match _was_restarted(question, sample):
        case None:
            return ["nobody knows whether this standby was restarted since: not proven"]
        case True:
            return ["this standby was restarted since: not proven"]
        case False:
            return []


def _was_restarted(question: LossQuestion, sample: Sample) -> bool | None:
    """Whether this standby's database was started after the sample; None: not known."""
    view = question.view
    assert view is not None
    if view.uptime_s is None or sample.started_at is None:
        return None
    return view.observed.wall_s - view.uptime_s > sample.wall_s + RESTART_TOLERANCE_S


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
