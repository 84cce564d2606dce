"""A plan from its steps: gates, loss, expiry and digest, the same way for every kind.

Owns nothing but the assembly. Must not know any kind's steps.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.gates.judging import judge_gates
from hamnd.core.plans import Draft
from hamnd.core.plans.digest import digest_of
from hamnd.model.names import FenceGrade
from hamnd.model.plan import Plan, Step


def assemble(
    draft: Draft, variant: str, steps: tuple[Step, ...], fence_minimum: FenceGrade | None = None
) -> Plan:
    """Return the plan of these steps; it lives as long as policy lets a plan live."""
    question = draft.question
    terms = question.terms
    plan = Plan(
        request=question.request,
        digest="",
        variant=variant,
        steps=steps,
        gates=judge_gates(question),
        loss=draft.settled_loss or question.assessment.loss,
        cause=draft.cause,
        reach_class=draft.reach_class,
        created_at=draft.now_wall_s,
        expires_at=draft.now_wall_s + terms.policy.plan_ttl_s,
        fence_minimum=fence_minimum or terms.policy.fence_minimum,
    )
    return replace(plan, digest=digest_of(plan, terms, draft.continues))
