"""Which plan is on here, told to the partner's hamnd by a line in our own state directory (law 1).

Owns when it is written. Must not know the line (dialects.running) nor what the partner makes of it.
"""

from __future__ import annotations

from hamnd.core.commands import TellRun
from hamnd.core.events import Event, Started
from hamnd.core.progress import Run
from hamnd.core.turn import Turn
from hamnd.dialects import running
from hamnd.model.names import RunStatus


def tell_run(turn: Turn, event: Event) -> None:
    """Have the line written where it changed; at a start in any case."""
    line = _line(turn.state.run)
    if isinstance(event, Started) or line != _line(turn.before.run):
        turn.commands.append(TellRun(line))


def _line(run: Run | None) -> str:
    if run is None or run.status not in (RunStatus.RUNNING, RunStatus.PAUSED):
        return ""
    return running.line_of(run.plan.kind, run.status)
