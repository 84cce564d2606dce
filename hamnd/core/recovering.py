"""A run that was under way when hamnd or its node went down: what is unknown, what is doubtful.

Owns what a start makes of it. Must not start anything: the run waits for the operator (run).
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core import stages
from hamnd.core.outliving import is_outlived
from hamnd.core.progress import Move, Run, Stage, StepRun
from hamnd.model.names import Outcome, RunStatus


def recover(run: Run, has_rebooted: bool) -> Move:
    """After a start: what was under way is unknown, and the run waits for the operator."""
    if run.status not in (RunStatus.RUNNING, RunStatus.PAUSED):
        return Move(run)
    steps = {
        key: _recovered(one, _is_doubtful(run, key, has_rebooted)) for key, one in run.steps.items()
    }
    unknown = next((key for key, one in steps.items() if one.outcome is Outcome.UNKNOWN), "")
    word = "the node was rebooted" if has_rebooted else "hamnd was restarted"
    reason = run.reason if run.status is RunStatus.PAUSED and not unknown else f"{word} during it"
    return stages.pause(replace(run, steps=steps), unknown or run.paused_step, reason)


def _is_doubtful(run: Run, key: str, has_rebooted: bool) -> bool:
    return (has_rebooted or run.plan.step(key).lets_go) and not is_outlived(run, key)


def _recovered(one: StepRun, is_doubtful: bool) -> StepRun:
    """What was done may be so no longer: here after a reboot, over there at any time."""
    if one.outcome is Outcome.DONE and is_doubtful:
        return replace(one, must_recheck=True)
    if one.outcome is not Outcome.RUNNING:
        return replace(one, deadline=None)
    if one.stage is Stage.ACTING:
        sentence = "interrupted while it ran: outcome unknown"
        return replace(
            one, outcome=Outcome.UNKNOWN, is_unknown=True, sentence=sentence, deadline=None
        )
    if one.has_acted:
        sentence = "interrupted before its result was verified"
        return replace(
            one,
            outcome=Outcome.UNKNOWN,
            is_unknown=one.is_unknown,
            sentence=sentence,
            deadline=None,
        )
    return replace(one, outcome=Outcome.PENDING, stage=Stage.IDLE, deadline=None)
