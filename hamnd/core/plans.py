"""Plans: from the picture to steps, gates and a digest; and whether a shown plan still stands.

Owns how a plan is put together and compared. Must not know how it runs. The digest covers what the
operator agrees to (design §12): kind, steps with previews, overrides, gate verdicts, loss class and
reachability class; never ages, counters or gaps inside a class.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace

from hamnd.core.declared import with_declared
from hamnd.core.gates import LOSS_RANK, RANK, Question, judge_gates
from hamnd.core.health.evidence import DYING_MAX_S
from hamnd.core.policy import Terms
from hamnd.core.replication import Promotion, Takeover
from hamnd.core.replication.db2_loss import STEPS_BEFORE_PROMOTE_S
from hamnd.core.replication.registry import engine_of
from hamnd.core.salvaging import with_salvage
from hamnd.dialects import fence as fence_dialect
from hamnd.dialects import processes, reach, shell
from hamnd.model.names import Cause, PlanKind
from hamnd.model.plan import Loss, Plan, PlanRequest, Step
from hamnd.model.work import Action, Look

BEFORE_FENCE = ("salvage", "fuse")
"""Platform steps that only read or disarm and may run while the old primary is not proven off."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a takeover plan is made from, besides the gates' question."""

    question: Question
    platform_steps: tuple[Step, ...]
    cause: Cause | None
    reach_class: str
    now_wall_s: float
    continues: str = ""
    """Digest of the paused run that this plan continues: a successor has a digest of its own."""
    settled_loss: Loss | None = None
    """What the forerunner's promote lost, once that step acted; nothing is lost twice."""


def build_takeover(draft: Draft) -> Plan:
    """Return the takeover plan for the picture as it is now."""
    question = draft.question
    terms, promotion = question.terms, question.assessment.promotion
    platform_steps = with_salvage(draft.platform_steps, terms, question.does_ssh_answer)
    steps = takeover_steps(terms, promotion, platform_steps)
    expires_at = draft.now_wall_s + terms.policy.plan_ttl_s
    if promotion.deadline_wall_s is not None:
        # Fuse and fence come before it and take their time.
        expires_at = min(expires_at, promotion.deadline_wall_s - STEPS_BEFORE_PROMOTE_S)
    plan = Plan(
        request=question.request,
        digest="",
        variant=promotion.variant,
        steps=steps,
        gates=judge_gates(question),
        loss=draft.settled_loss or question.assessment.loss,
        cause=draft.cause,
        reach_class=draft.reach_class,
        created_at=draft.now_wall_s,
        expires_at=expires_at,
        fence_minimum=terms.policy.fence_minimum,
    )
    return replace(plan, digest=digest_of(plan, terms, draft.continues))


def takeover_steps(
    terms: Terms, promotion: Promotion, platform_steps: tuple[Step, ...]
) -> tuple[Step, ...]:
    """Return the steps in an order in which every step comes after what it depends on."""
    engine_steps = engine_of(terms).steps(terms, Takeover(promotion))
    is_graceful = promotion.variant == "graceful"
    fence = _fence_step(terms, is_graceful)
    rehomed = {one.id for one in engine_steps} & {"db-stop", "db-rehome"}
    known = [
        *(_serving(one, rehomed) for one in platform_steps),
        fence,
        *(_with_fence(one, is_graceful) for one in engine_steps),
    ]
    return _sorted(with_declared(known, terms.site, terms.policy))


def _fence_step(terms: Terms, is_graceful: bool) -> Step:
    """The old primary off, proof collected; after a graceful promote, which loses nothing."""
    site = terms.site
    actions: tuple[Action, ...] = ()
    readiness: tuple[Look, ...] = ()
    postconditions: tuple[Look, ...] = ()
    wait_s = site.fence.timeout_s
    if site.fence.agent is not None:
        actions = (fence_dialect.off(site),)
        readiness = (fence_dialect.monitor(site),)
        postconditions = (fence_dialect.status(site),)
    elif site.fence.ssh:
        # Acknowledged by a machine that still has to die: only its silence ends the step.
        actions = (fence_dialect.ssh_kill(site),)
        partner = site.partner
        postconditions = (reach.ping_silent(site, partner.name, partner.address),)
        wait_s = max(wait_s, DYING_MAX_S + terms.policy.down_after_s)
    return Step(
        id="fence",
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


def _with_fence(step: Step, is_graceful: bool) -> Step:
    """A forced promote waits for the fence; a graceful one does not (design §5)."""
    if is_graceful or step.id != "promote":
        return step
    return replace(step, depends_on=("fence",), needs_fence=True)


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


def _sorted(steps: list[Step]) -> tuple[Step, ...]:
    """Return the steps so that each follows its dependencies; keep the given order otherwise."""
    placed: list[Step] = []
    waiting = list(steps)
    names = {step.id for step in steps}
    while waiting:
        done = {step.id for step in placed}
        ready = next(
            (one for one in waiting if {*one.depends_on, *one.after} & names <= done), None
        )
        if ready is None:
            raise ValueError(f"steps depend on each other: {[one.id for one in waiting]}")
        placed.append(ready)
        waiting.remove(ready)
    return tuple(placed)


def build_undo(draft: Draft, terms: Terms, run_steps: tuple[Step, ...], why: str) -> Plan:
    """Return the plan that takes back what the aborted run did, the latest step first."""
    steps: list[Step] = []
    for step in run_steps:
        previous = (steps[-1].id,) if steps else ()
        steps.append(
            Step(
                id=f"undo-{step.id}",
                title=f"take back {step.id}" if step.compensation else f"{step.id} stays as it is",
                guide=step.guide,
                host=step.host,
                after=previous,
                actions=step.compensation,
                timeout_s=step.timeout_s,
                skip_if_done=False,
            )
        )
    plan = Plan(
        request=PlanRequest(PlanKind.UNDO),
        digest="",
        variant=why,
        steps=tuple(steps),
        gates=(),
        loss=draft.question.assessment.loss,
        cause=draft.cause,
        reach_class=draft.reach_class,
        created_at=draft.now_wall_s,
        expires_at=draft.now_wall_s + terms.policy.plan_ttl_s,
    )
    return replace(plan, digest=digest_of(plan, terms, draft.continues))


def digest_of(plan: Plan, terms: Terms, continues: str = "") -> str:
    """Return the digest in the form people compare and type: two groups of four hex digits."""
    covered = {
        "kind": plan.kind,
        "node": terms.site.node,
        "variant": plan.variant,
        "steps": [_covered_step(step, terms) for step in plan.steps],
        "overrides": [[one.gate, one.reason] for one in plan.request.overrides],
        "accept_loss": plan.request.accept_loss,
        "fence_minimum": plan.fence_minimum,
        "gates": [[gate.name, gate.verdict] for gate in plan.gates],
        "loss": plan.loss.verdict,
        "reach": plan.reach_class,
        "continues": continues,
    }
    text = json.dumps(covered, sort_keys=True, separators=(",", ":"))
    hexadecimal = hashlib.sha256(text.encode()).hexdigest()
    return f"{hexadecimal[:4]}-{hexadecimal[4:8]}"


def _covered_step(step: Step, terms: Terms) -> list[object]:
    return [
        step.id,
        step.host,
        list(step.depends_on),
        step.reversible,
        [shell.preview(action.request, terms.site) for action in step.actions],
        [shell.preview(look.request, terms.site) for look in step.preconditions],
        [shell.preview(look.request, terms.site) for look in step.postconditions],
    ]


def what_became_worse(shown: Plan, fresh: Plan, terms: Terms) -> tuple[str, ...]:
    """Return, old -> new, what is worse than when the operator looked; empty means it stands."""
    worse: list[str] = []
    if not _does_no_more(shown, fresh, terms):
        worse.append(
            f"actions: {shown.variant} -> {fresh.variant}, {_changed(shown, fresh, terms)}"
        )
    old_gates = {gate.name: gate for gate in shown.gates}
    for gate in fresh.gates:
        old = old_gates.get(gate.name)
        if old is not None and RANK[gate.verdict] > RANK[old.verdict]:
            worse.append(
                f"{gate.name}: {old.verdict.value} ({old.evidence}) -> "
                f"{gate.verdict.value} ({gate.evidence})"
            )
    if LOSS_RANK[fresh.loss.verdict] > LOSS_RANK[shown.loss.verdict]:
        basis = "; ".join(fresh.loss.basis)
        worse.append(f"loss: {shown.loss.verdict.value} -> {fresh.loss.verdict.value} ({basis})")
    if shown.reach_class != fresh.reach_class and not _is_quieter(shown, fresh):
        worse.append(f"primary: {shown.reach_class} -> {fresh.reach_class}")
    return tuple(worse)


def _does_no_more(shown: Plan, fresh: Plan, terms: Terms) -> bool:
    """The same steps, but for what came to its end by itself since: nothing new is done.

    An old primary that fell silent has nothing to salvage any more, a job that ended needs no end.
    What runs is what was shown; these actions find out that there is nothing to do.
    """
    there = {step.id for step in fresh.steps}
    old = [one for one in shown.steps if one.id in there or not one.is_optional]
    if [one.id for one in old] != [one.id for one in fresh.steps]:
        return False
    return all(
        _covered_step(_without_ended(one, new), terms) == _covered_step(new, terms)
        for one, new in zip(old, fresh.steps, strict=True)
    )


def _without_ended(old: Step, new: Step) -> Step:
    """Return the step without ending the processes that are no longer there."""
    actions = tuple(
        one for one in old.actions if one in new.actions or not processes.is_end(one.request)
    )
    looks = tuple(
        one for one in old.preconditions if one in new.preconditions or not processes.is_name(one)
    )
    return replace(old, actions=actions, preconditions=looks)


def _is_quieter(shown: Plan, fresh: Plan) -> bool:
    """A primary that fell silent since is what a takeover waits for, by the same cause."""
    return shown.cause is fresh.cause and fresh.reach_class.endswith("database silent")


def _changed(shown: Plan, fresh: Plan, terms: Terms) -> str:
    old = {step.id: _covered_step(step, terms) for step in shown.steps}
    new = {step.id: _covered_step(step, terms) for step in fresh.steps}
    names = [one for one in {**old, **new} if old.get(one) != new.get(one)]
    return f"steps that differ: {', '.join(names)}" if names else "in another order"
