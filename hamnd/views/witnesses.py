"""`witnesses`: what each service node says it reaches of the primary.

Owns the document `hamnd.witnesses/1` and its screen. Must not judge what follows from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hamnd.views.text import (
    BAD,
    GOOD,
    UNKNOWN,
    WIDTH,
    Document,
    ago,
    fit,
    fold,
    item,
    listed,
    plural,
)

if TYPE_CHECKING:
    from hamnd.core.policy import Terms
    from hamnd.core.state import NodeState
    from hamnd.model.instant import Instant

SCHEMA = "hamnd.witnesses/1"
MARKS = {"reached": GOOD, "silent": BAD}


def witnesses_document(state: NodeState, now: Instant, terms: Terms) -> dict[str, Any]:
    """Return what every configured witness says of the partner, with age."""
    from hamnd.views import facts

    return {
        "schema": SCHEMA,
        "generated_at": int(now.wall_s),
        "node": terms.site.node,
        "partner": terms.site.partner.name,
        "min": terms.policy.witnesses_min,
        "witnesses": facts.witness_parts(state.watch, now, terms),
    }


def render_witnesses(document: Document, width: int = WIDTH) -> list[str]:
    """Return one line per witness behind the sum."""
    witnesses = listed(document, "witnesses")
    partner = document.get("partner") or "the primary"
    if not witnesses:
        text = (
            "No service node is configured as witness: this node is the only vantage point, and "
            "its gateway must answer before silence counts."
        )
        return fit(
            [*fold(text, width), "NEXT    add [[witness]] tables to the configuration"], width
        )
    reached = sum(witness.get("sees") == "reached" for witness in witnesses)
    unknown = sum(witness.get("sees") == "unknown" for witness in witnesses)
    verdict = f"{reached} of {plural(len(witnesses), 'service node')} reach {partner}"
    verdict += f", {unknown} unknown." if unknown else "."
    lines = fold(f"{verdict} At least {document.get('min')} must have answered.", width)
    for witness in witnesses:
        sees = str(witness.get("sees"))
        age = ago(document.get("generated_at"), witness.get("observed_at"))
        text = f"{sees}: {witness.get('detail') or 'no detail'} ({age})"
        lines += item(MARKS.get(sees, UNKNOWN), str(witness.get("name")), text, width)
    return fit([*lines, "NEXT    hamnctl explain WitnessView"], width)
