"""The digest: what the operator agrees to, in two groups of four hex digits (design §12).

Owns what it covers: kind, steps with previews, overrides, gate verdicts, loss class and
reachability class; never ages, counters or gaps inside a class. Must not know who compares
it.
"""

from __future__ import annotations

import hashlib
import json

from hamnd.core.policy import Terms
from hamnd.dialects import shell
from hamnd.model.plan import Plan, Step


def digest_of(plan: Plan, terms: Terms, continues: str = "") -> str:
    """Return the digest in the form people compare and type: two groups of four hex digits."""
    covered = {
        "kind": plan.kind,
        "node": terms.site.node,
        "variant": plan.variant,
        "steps": [covered_step(step, terms) for step in plan.steps],
        "overrides": [[one.gate, one.reason] for one in plan.request.overrides],
        "accept_loss": plan.request.accept_loss,
        "fence_minimum": plan.fence_minimum,
        "gates": [[gate.name, gate.verdict] for gate in plan.gates],
        "loss": plan.loss.class_,
        "reach": plan.reach_class,
        "continues": continues,
    }
    text = json.dumps(covered, sort_keys=True, separators=(",", ":"))
    hexadecimal = hashlib.sha256(text.encode()).hexdigest()
    return f"{hexadecimal[:4]}-{hexadecimal[4:8]}"


def covered_step(step: Step, terms: Terms) -> list[object]:
    """Return what of a step is agreed to: where it runs, after what, and every command."""
    return [
        step.id,
        step.host,
        list(step.depends_on),
        step.reversible,
        [shell.preview(action.request, terms.site) for action in step.actions],
        [shell.preview(look.request, terms.site) for look in step.preconditions],
        [shell.preview(look.request, terms.site) for look in step.postconditions],
    ]
