"""Whether the two nodes are alike, as far as that is known: condition ParityOs.

Owns what is compared. Must not read a tool's output (dialects) nor ask (asking). What the primary
told while it was healthy counts after its death too: a takeover has to be ready at 3 am.
"""

from __future__ import annotations

from hamnd.core.health.watch import Watch
from hamnd.core.kept import KEPT
from hamnd.core.policy import Terms
from hamnd.dialects.aix import software
from hamnd.model.health import Condition
from hamnd.model.instant import Instant
from hamnd.model.names import Status

PARITY_OS = "ParityOs"
OURS, THEIRS = "seen:level", f"{KEPT}level"


def judge_parity(watch: Watch, now: Instant, terms: Terms) -> tuple[Condition, ...]:
    """Return the conditions of what was looked at; a platform that tells no level has none."""
    ours, theirs = watch.reports.get(OURS), watch.reports.get(THEIRS)
    if ours is None or not terms.site.is_on_standby:
        return ()
    own, partner = terms.site.node, terms.site.partner.name
    here = software.parse_level(ours.stdout)
    there = None if theirs is None else software.parse_level(theirs.stdout)
    if here is None or there is None:
        missing = own if here is None else partner
        verdict = (Status.UNKNOWN, "NotRead", f"the level of {missing} was not read yet")
    elif here != there:
        told = f"{own} is at {here}, {partner} at {there}: bring the standby to the same level"
        verdict = (Status.FALSE, "Differs", told)
    else:
        verdict = (Status.TRUE, "Same", f"{here} on both")
    at = None if theirs is None else theirs.finished.wall_s
    return (Condition(PARITY_OS, *verdict, now.wall_s, at, "oslevel -s"),)
