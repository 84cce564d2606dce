"""Of two halves, and of two databases, the later one counts: what a run has left behind.

Owns which finished steps are no longer so by the run's own doing; a look at one proves nothing,
and its answer must not hold the run. Must not judge what a step needs (run, stages).
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.progress import Run, Stage, StepRun
from hamnd.model.names import Outcome, PlanKind
from hamnd.model.plan import HOME, SETUP

ENDED = (Outcome.DONE, Outcome.SKIPPED)
GIVES_WAY = "quiesce"
"""The old primary takes no writes any more, still as primary: true until the other is promoted."""
PROMOTES = "promote"
STOPS = "db-stop"
"""Role and activity that the promotion shows end here: HADR is off from then on."""
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


def is_in_setup(run: Run) -> bool:
    """Whether a run that sets the pair up before its drill has not come to the drill."""
    return run.plan.request.with_drill and not is_in_drill(run)


def is_in_drill(run: Run) -> bool:
    """Whether a setup that was confirmed with its drill has come to it, or has begun it.

    It comes to it when all that it sets up is done; where a step of that was left out there is
    none. Then the drill stands alone: what was set up stays, whatever becomes of the drill. A step
    that merely has such a name, as a site may give it, makes no drill.
    """
    if not run.plan.request.with_drill:
        return False
    first = [one for key, one in run.steps.items() if key.startswith(SETUP)]
    drill = [one for key, one in run.steps.items() if not key.startswith(SETUP) and key != STAYS]
    is_set_up = all(one.outcome is Outcome.DONE for one in first)
    return is_set_up or any(is_begun(one) for one in drill)


def is_drilling(run: Run) -> bool:
    """Whether the run is a drill, or a setup whose drill is next or under way."""
    return run.plan.kind is PlanKind.DRILL or is_in_drill(run)


def is_begun(one: StepRun | None) -> bool:
    """Whether the step acted or is done; one that the run has not did neither."""
    return one is not None and (one.has_acted or one.outcome is Outcome.DONE)


def is_outlived(run: Run, key: str) -> bool:
    """Whether a later step of the run made this one untrue: it is not looked at again.

    The promotion ends what `quiesce` shows, and STOP HADR what the promotion shows: the role is
    STANDARD from then on. The way home takes back all that a first half did. Whatever stays so to
    the end, the fuse above all, is looked at again after a reboot.
    """
    if not key.startswith(HOME) and key != STAYS and has_begun_home(run):
        return True
    if key.startswith(SETUP) and is_in_drill(run):
        return True
    if key.endswith(PROMOTES) and is_begun(run.steps.get(f"{key.removesuffix(PROMOTES)}{STOPS}")):
        return True
    promote = _promotion_after(run, key)
    return promote is not None and promote.outcome is Outcome.DONE


def is_decided_later(run: Run, key: str) -> bool:
    """Whether the promotion that this step made way for was begun, so that it is looked at first.

    Once it happened what made way for it is untrue, and only then: see `to_look_at_before`.
    """
    promote = _promotion_after(run, key)
    return promote is not None and promote.has_acted


def to_look_at_before(run: Run, key: str) -> str | None:
    """Return the step that has to be seen again before a promotion that did not happen begins."""
    first = f"{key.removesuffix(PROMOTES)}{GIVES_WAY}"
    one = run.steps.get(first) if key.endswith(PROMOTES) else None
    return first if one is not None and one.outcome is Outcome.DONE and one.must_recheck else None


def begun_again(run: Run, *keys: str) -> Run:
    """Return the run with these steps waiting for their turn once more, each looked at first."""
    again = {
        key: replace(run.steps[key], outcome=Outcome.PENDING, stage=Stage.IDLE, deadline=None)
        for key in keys
    }
    return replace(run, steps={**run.steps, **again})


def _promotion_after(run: Run, key: str) -> StepRun | None:
    """Return the promotion that this step makes way for; None: it makes way for none."""
    half = key.removesuffix(GIVES_WAY)
    return run.steps.get(f"{half}{PROMOTES}") if half in ("", HOME) else None
