"""Plans that end with the partner as management node: `failback` and `drill` (guide §9, §5.1.9).

Owns how this node hands over: the same switchover as seen from the partner, carried out from here,
its steps named `home-…`. What moves there waits until this node let go of it, read here. Must not
know commands.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.plans import Draft
from hamnd.core.plans.assembling import assemble
from hamnd.core.plans.rejoin import build_rejoin
from hamnd.core.plans.switchover import (
    HANDED_OVER,
    from_partner,
    switchover_steps,
)
from hamnd.core.policy import Terms
from hamnd.model.names import FenceGrade, Status
from hamnd.model.plan import Plan, Step

HOME = "home-"
"""How the steps of the way home are named."""


def build_failback(draft: Draft) -> Plan:
    """Return the plan that takes the old primary in, where it is no standby yet, and hands over.

    Raises:
        PermanentError: it cannot rejoin, or this site cannot hand over; the message says why.
    """
    question = draft.question
    there: tuple[Step, ...] = ()
    variant = "graceful"
    if question.assessment.is_protected is not Status.TRUE:
        rejoin = build_rejoin(draft)
        there, variant = rejoin.steps, rejoin.variant
    steps = (*there, *homeward_steps(draft, there, draft.epoch_number))
    return assemble(replace(draft, settled_loss=HANDED_OVER), variant, steps)


def build_drill(draft: Draft) -> Plan:
    """Return the plan that takes over in order, and hands over again.

    Raises:
        PermanentError: this site cannot hand over; the message says why.
    """
    terms = draft.question.terms
    number = draft.epoch_number
    there = switchover_steps(terms, draft.platform_steps, number)
    steps = (*there, *homeward_steps(draft, there, number + 1))
    handed_over = replace(draft, settled_loss=HANDED_OVER)
    return assemble(handed_over, "graceful", steps, FenceGrade.RELEASED)


def homeward_steps(draft: Draft, before: tuple[Step, ...], number: int) -> tuple[Step, ...]:
    """Return the steps by which the partner becomes the management node, after `before`.

    `number` is that of the epoch under which it will serve.
    """
    terms = draft.question.terms
    waits = tuple(step.id for step in before)
    steps = switchover_steps(from_partner(terms), draft.their_steps, number)
    return tuple(_homeward(step, terms, waits) for step in steps)


def _homeward(step: Step, terms: Terms, waits: tuple[str, ...]) -> Step:
    return replace(
        step,
        id=f"{HOME}{step.id}",
        depends_on=tuple(f"{HOME}{one}" for one in step.depends_on),
        after=(*(f"{HOME}{one}" for one in step.after), *(() if step.depends_on else waits)),
        against=terms.site.node if step.needs_fence else "",
    )
