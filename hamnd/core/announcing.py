"""What hamnd leaves in its own state directory for others to read (law 1).

Owns when it is written: which plan is on here and which takeover of the pair was the latest, for
the partner's hamnd; where the partner is, for hamn-guard. Must not know the lines (dialects) nor
what is made of them.
"""

from __future__ import annotations

from hamnd.core.commands import TellGuard, TellRun, TellTakeover
from hamnd.core.drafting import latest_takeover
from hamnd.core.events import Event, Started
from hamnd.core.progress import Run
from hamnd.core.state import NodeState
from hamnd.core.turn import Turn
from hamnd.dialects import running, takeovers
from hamnd.model.names import RunStatus
from hamnd.model.site import Site


def tell_run(turn: Turn, event: Event) -> None:
    """Have the line written where it changed; at a start in any case."""
    line = _line(turn.state.run)
    if isinstance(event, Started) or line != _line(turn.before.run):
        turn.commands.append(TellRun(line))


def tell_takeover(turn: Turn, event: Event) -> None:
    """Have the latest takeover told where it, or who acknowledged it, changed; and at a start."""
    was, line = (_latest(one, turn.terms.site) for one in (turn.before, turn.state))
    if line != was or (isinstance(event, Started) and line):
        turn.commands.append(TellTakeover(line))


def tell_guard(turn: Turn) -> None:
    """Have the guard told where both nodes have exchanged their addresses; it is at a start."""
    if turn.state.is_exchanged != turn.before.is_exchanged:
        turn.commands.append(TellGuard())


def _line(run: Run | None) -> str:
    if run is None or run.status not in (RunStatus.RUNNING, RunStatus.PAUSED):
        return ""
    return running.line_of(run.plan.kind, run.status)


def _latest(state: NodeState, site: Site) -> str:
    return takeovers.line_of(latest_takeover(state, site))
