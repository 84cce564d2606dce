"""The plan `takeover`: unplanned, for a primary that is down (design §5).

Owns which steps it has and how the platform's, the engine's and the fence's hang on each other.
Order is argued, not fixed: the fence comes before a forced promote, a graceful promote before the
fence because it loses nothing, and the identity after both (law 3). Must not know commands.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.declared import with_declared
from hamnd.core.gates import Question
from hamnd.core.health.evidence import DYING_MAX_S
from hamnd.core.plans import Draft
from hamnd.core.plans.assembling import assemble
from hamnd.core.plans.ordering import in_order
from hamnd.core.policy import Terms
from hamnd.core.raising import claiming, raise_epoch, telling_again
from hamnd.core.replication import Promotion, Takeover
from hamnd.core.replication.db2_loss import STEPS_BEFORE_PROMOTE_S
from hamnd.core.replication.registry import engine_of
from hamnd.core.salvaging import with_salvage
from hamnd.dialects import fence as fence_dialect
from hamnd.dialects import reach
from hamnd.model.epoch import Claim
from hamnd.model.names import Cause, Status
from hamnd.model.plan import Plan, Step
from hamnd.model.work import Action, Look

FENCE = "fence"
HANDS_OVER = "quiesce"
"""Step of an engine whose primary can still send what it has."""
BEFORE_FENCE = ("salvage", "fuse")
"""Platform steps that only read or disarm and may run while the old primary is not proven off."""


def build_takeover(draft: Draft) -> Plan:
    """Return the takeover plan for the picture as it is now."""
    question = draft.question
    terms, promotion = question.terms, question.assessment.promotion
    platform_steps = with_salvage(draft.platform_steps, terms, question.does_ssh_answer)
    steps = takeover_steps(terms, promotion, platform_steps, claim=draft.claim)
    if _is_heard(question):
        steps = _with_last_word(steps, terms, promotion)
    plan = assemble(draft, promotion.variant, steps)
    if promotion.deadline_wall_s is None:
        return plan
    # Fuse and fence come before it and take their time.
    last = promotion.deadline_wall_s - STEPS_BEFORE_PROMOTE_S
    return replace(plan, expires_at=min(plan.expires_at, last))


def _is_heard(question: Question) -> bool:
    """Whether the old primary's database can hand over what it has: only its services failed.

    A run that goes on keeps the step that it began, and with it the way back.
    """
    if HANDS_OVER in question.begun:
        return True
    link = question.assessment.condition("ReplicationPeer")
    is_linked = link is not None and link.status is Status.TRUE
    is_there = question.does_ssh_answer and question.does_database_answer
    return question.cause is Cause.SERVICE and is_there and is_linked


def _with_last_word(
    steps: tuple[Step, ...], terms: Terms, promotion: Promotion
) -> tuple[Step, ...]:
    """Have its database hand over what it has, where the engine can: before it is switched off."""
    engine_steps = engine_of(terms).steps(terms, Takeover(promotion, is_heard=True))
    last = next((one for one in engine_steps if one.id == HANDS_OVER), None)
    if last is None:
        return steps
    salvage = tuple(one.id for one in steps if one.id == "salvage")
    known = [replace(last, after=salvage)]
    for one in steps:
        is_end = one.id == FENCE
        known.append(replace(one, after=(*one.after, last.id)) if is_end else one)
    return in_order(known)


def takeover_steps(
    terms: Terms,
    promotion: Promotion,
    platform_steps: tuple[Step, ...],
    proof: Step | None = None,
    claim: Claim | None = None,
) -> tuple[Step, ...]:
    """Return the steps in an order in which every step comes after what it depends on.

    The epoch is raised right before the promotion, whose dependencies it takes over; without a
    claim it is the very first. `proof` takes the place of the step `fence` where the old primary
    need not be off.
    """
    engine_steps = engine_of(terms).steps(terms, Takeover(promotion))
    is_graceful = promotion.variant == "graceful"
    fence = _fence_step(terms, is_graceful) if proof is None else proof
    rehomed = {one.id for one in engine_steps} & {"db-stop", "db-rehome"}
    promoting = tuple(_with_fence(_after_epoch(one), is_graceful) for one in engine_steps)
    site = terms.site
    if claim is not None:
        platform_steps = tuple(telling_again(one, site, claim) for one in platform_steps)
    claim = claim or Claim(1, site.node, site.partner.name)
    promoting = tuple(claiming(one, claim) for one in promoting)
    promote = next(one for one in promoting if one.id == "promote")
    raised = raise_epoch(site, terms.policy, claim)
    known = [
        *(_serving(one, rehomed) for one in platform_steps),
        fence,
        replace(raised, depends_on=promote.depends_on, needs_fence=promote.needs_fence),
        *promoting,
    ]
    steps = with_declared([_waiting_for(one, fence) for one in known], site, terms.policy)
    return in_order(steps)


def _waiting_for(step: Step, proof: Step) -> Step:
    """What waits for the fence waits for what stands in its place."""
    depends_on = tuple(proof.id if one == FENCE else one for one in step.depends_on)
    return replace(step, depends_on=depends_on)


def _fence_step(terms: Terms, is_graceful: bool) -> Step:
    """The old primary off, proof collected; after a graceful promote, which loses nothing."""
    site = terms.site
    actions: tuple[Action, ...] = ()
    readiness: tuple[Look, ...] = ()
    postconditions: tuple[Look, ...] = ()
    wait_s = site.fence.timeout_s
    if site.fence.agent is not None:
        actions = (fence_dialect.off(site),)
        readiness = (fence_dialect.monitor(site), *fence_dialect.may_off(site))
        postconditions = (fence_dialect.status(site),)
    elif site.fence.ssh:
        # Acknowledged by a machine that still has to die: only its silence ends the step.
        actions = (fence_dialect.ssh_kill(site),)
        partner = site.partner
        postconditions = (reach.ping_silent(site, partner.name, partner.address),)
        wait_s = max(wait_s, DYING_MAX_S + terms.policy.down_after_s)
    return Step(
        id=FENCE,
        title=f"make sure {site.partner.name} is off",
        guide="8.2",
        host=site.node,
        depends_on=("promote",) if is_graceful else ("fuse",),
        actions=actions,
        readiness=readiness,
        postconditions=postconditions,
        timeout_s=terms.policy.step_timeout_s("fence", site.fence.timeout_s * 3),
        wait_s=wait_s,
        reversible=True,
        proves_fence=True,
    )


def _after_epoch(step: Step) -> Step:
    """Nothing lies between the epoch and the promotion; without it a takeover goes on."""
    return replace(step, after=(*step.after, "epoch")) if step.id == "promote" else step


def _with_fence(step: Step, is_graceful: bool) -> Step:
    """A forced promote waits for the fence; a graceful one does not (design §5).

    So does what ends the reception before it: as long as the old primary may live, all it sends is
    welcome.
    """
    if is_graceful or step.id not in ("drain", "promote"):
        return step
    before = tuple(one for one in step.depends_on if one != "fuse")
    return replace(step, depends_on=("fence", *before), needs_fence=True)


def _serving(step: Step, rehomed: set[str]) -> Step:
    """Identity and services start only while the old primary is proven off (law 3).

    A database that has to be stopped for it is stopped before the identity moves, and serves again
    before xcatd does.
    """
    if step.id in BEFORE_FENCE:
        return step
    depends_on = step.depends_on
    if step.id == "identity":
        depends_on = (*depends_on, "fence", *(rehomed & {"db-stop"}))
    elif step.id == "xcatd":
        depends_on = (*depends_on, *(rehomed & {"db-rehome"}))
    return replace(step, depends_on=tuple(dict.fromkeys(depends_on)), needs_fence=True)
