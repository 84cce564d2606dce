"""How fresh the copies are, and whether this node is the primary's twin: conditions.

Owns FilesFresh (one per copy) and FilesIdentical (design §4). Must not know how a copy is made.
Both are told from what was proven last: they must be known at 3 am, without the primary.
"""

from __future__ import annotations

from collections.abc import Mapping

from hamnd.core.copies import declared_copies
from hamnd.core.policy import Terms
from hamnd.core.state import CopyState
from hamnd.model.copying import Copy
from hamnd.model.health import Condition
from hamnd.model.instant import Instant
from hamnd.model.names import Status

FRESH_PREFIX = "FilesFresh/"
IDENTICAL = "FilesIdentical"

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


def judge_copies(
    copies: Mapping[str, CopyState], now: Instant, terms: Terms
) -> tuple[Condition, ...]:
    """Return one condition for each copy, and one for the identity where a copy holds it."""
    known = declared_copies(terms)
    fresh = (_fresh(copy, copies.get(name, CopyState()), now) for name, copy in known.items())
    holding = [name for name, copy in known.items() if copy.holds_identity]
    identity = (_identical(name, copies.get(name, CopyState()), now, terms) for name in holding)
    return (*fresh, *identity)


def _fresh(copy: Copy, state: CopyState, now: Instant) -> Condition:
    as_of = state.fresh_as_of
    why = _why(state)
    if state.question:
        status, reason, message = Status.FALSE, "Asks", state.question
    elif as_of is None:
        status, reason = Status.UNKNOWN, "NeverCopied"
        message = f"no whole copy was proven yet{why}"
    elif now.wall_s - as_of > copy.stale_after_s:
        status, reason = Status.FALSE, "Stale"
        limit = _rough(copy.stale_after_s)
        message = f"the last whole copy is {_rough(now.wall_s - as_of)} old, limit {limit}{why}"
    else:
        status, reason, message = Status.TRUE, "Fresh", "a whole, verified copy is here"
    type_ = f"{FRESH_PREFIX}{copy.name}"
    return Condition(type_, status, reason, message, now.wall_s, as_of, "copies")


def _why(state: CopyState) -> str:
    last = state.last_copy or state.last
    if last is not None and last.outcome != "done":
        return f"; the last run was {last.outcome.replace('_', ' ')}: {last.sentence}"
    return ""


def _identical(name: str, state: CopyState, now: Instant, terms: Terms) -> Condition:
    partner = terms.site.partner.name
    if state.identical is None:
        status, reason = Status.UNKNOWN, "NeverCompared"
        message = f"the CA was not compared with that of {partner} yet (copy {name})"
    elif state.identical:
        status, reason, message = Status.TRUE, "SameCa", f"the CA is that of {partner}"
    else:
        status, reason = Status.FALSE, "OtherCa"
        message = (
            f"the CA here is not that of {partner}: nodes would not trust this node "
            f"-> hamnctl sync {name}"
        )
    at = None if state.last is None else state.last.ended_at
    return Condition(IDENTICAL, status, reason, message, now.wall_s, at, "copies")


def _rough(seconds: float) -> str:
    whole = max(0, int(seconds))
    for unit, letter in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "m")):
        if whole >= 2 * unit:
            return f"{whole // unit} {letter}"
    return f"{whole} s"
