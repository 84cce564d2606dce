"""The plan `undo`: takes back what an aborted run did, the latest step first.

Owns its steps. What has no way back says so and stays as it is. However often the run raised the
epoch, it is raised once more, for whoever owned it when what is taken back began: where that is
left out by name the node that has it keeps it, since its database may be primary. Must not know
why it is undone.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.plans import Draft
from hamnd.core.plans.alone import ALONE
from hamnd.core.plans.assembling import assemble
from hamnd.core.raising import give_back
from hamnd.model.epoch import Claim
from hamnd.model.plan import HOME, Plan, Step

NEEDS = {
    "spare": ("identity",),
    "release": ("identity",),
    "identity": ("exchange",),
    "epoch": ("promote",),
}
"""What has to be taken back, not only left out, before these are: nobody gets an address that is
still elsewhere (law 3), nor an epoch while the other's database is primary. On AIX the way back of
`spare` is itself the way home."""


def build_undo(draft: Draft, run_steps: tuple[Step, ...], why: str) -> Plan:
    """Return the plan that takes back what the aborted run did, the latest step first."""
    acted = {step.id for step in run_steps}
    first = next((step for step in reversed(run_steps) if step.claims is not None), None)
    steps: list[Step] = []
    for step in run_steps:
        if step.id == ALONE:
            continue
        previous = (steps[-1].id,) if steps else ()
        undone = replace(_undone(step, acted), after=previous)
        if step is first and step.claims is not None:
            undone = _given_back(undone, draft, step.claims)
        steps.append(undone)
    return assemble(draft, why, tuple(steps))


def _undone(step: Step, acted: set[str]) -> Step:
    name = step.id.removeprefix(HOME)
    half = step.id.removesuffix(name)
    needed = (f"{half}{one}" for one in NEEDS.get(name, ()))
    return Step(
        id=f"undo-{step.id}",
        title=f"take back {step.id}" if step.compensation else f"{step.id} stays as it is",
        guide=step.guide,
        host=step.host,
        depends_on=tuple(f"undo-{one}" for one in needed if one in acted),
        actions=step.compensation,
        postconditions=step.undone,
        timeout_s=step.timeout_s,
        skip_if_done=False,
    )


def _given_back(undone: Step, draft: Draft, claim: Claim) -> Step:
    """The epoch, after whatever this very step needs to be taken back besides."""
    number = draft.epoch.number + 1
    actions = give_back(draft.question.terms.site, claim, number)
    back = Claim(number, claim.former, claim.owner)
    title = f"epoch {number}: {claim.former} may serve, {claim.owner} no longer"
    return replace(undone, title=title, actions=(*undone.actions, *actions), claims=back)
