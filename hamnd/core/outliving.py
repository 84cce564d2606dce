"""Of two halves, and of two databases, the later one counts: what a run has left behind.

Owns which finished steps are no longer so by the run's own doing; a look at one proves nothing,
and its answer must not hold the run. Must not judge what a step needs (run, stages).
"""

from __future__ import annotations

from hamnd.core.progress import Run, StepRun
from hamnd.model.names import Outcome
from hamnd.model.plan import HOME

ENDED = (Outcome.DONE, Outcome.SKIPPED)
GIVES_WAY = "quiesce"
"""The old primary takes no writes any more, still as primary: true until the other is promoted."""
STAYS = "alone"
"""The partner carries out no plan of its own: meant for the whole run."""


def is_homeward(run: Run) -> bool:
    """Whether the way home has begun, or all that comes before it has ended.

    Then it stands alone: what came before is finished, whatever is seen of it later.
    """
    before = [one for key, one in run.steps.items() if not key.startswith(HOME)]
    if len(before) == len(run.steps):
        return False
    return has_begun_home(run) or all(one.outcome in ENDED for one in before)


def has_begun_home(run: Run) -> bool:
    """Whether a step of the way home acted or is done."""
    return any(is_begun(one) for key, one in run.steps.items() if key.startswith(HOME))


def is_begun(one: StepRun | None) -> bool:
    """Whether the step acted or is done; one that the run has not did neither."""
    return one is not None and (one.has_acted or one.outcome is Outcome.DONE)


def is_outlived(run: Run, key: str) -> bool:
    """Whether a later step of the run made this one untrue: it is not looked at again.

    The promotion ends what `quiesce` shows; the way home takes back all that a first half did.
    Whatever stays so to the end, the fuse above all, is looked at again after a reboot.
    """
    is_home = key.startswith(HOME)
    if not is_home and key != STAYS and has_begun_home(run):
        return True
    promote = run.steps.get(f"{HOME}promote" if is_home else "promote")
    is_promoted = promote is not None and promote.outcome is Outcome.DONE
    return key.removeprefix(HOME) == GIVES_WAY and is_promoted
