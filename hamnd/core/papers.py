"""What hamnd leaves on the partner's disk besides the epoch: the takeover by hand.

Owns when it is copied. Must not know how (dialects.runbook) nor whether it may be now (routines).
"""

from __future__ import annotations

from hamnd.core.policy import Terms
from hamnd.dialects import runbook
from hamnd.model.routine import Routine

RUNBOOK = "runbook"
SCHEDULE, JITTER_S = "23 * * * *", 600.0
LIMIT_S = 30.0


def paper_routines(terms: Terms) -> tuple[Routine, ...]:
    """Return the copy of this node's runbook to the partner, every hour."""
    title = f"leave the runbook on {terms.site.partner.name}"
    actions = tuple(runbook.leave(terms.site, one) for one in (runbook.FILE, runbook.MARKDOWN))
    return (Routine(RUNBOOK, title, SCHEDULE, actions, LIMIT_S, JITTER_S),)
