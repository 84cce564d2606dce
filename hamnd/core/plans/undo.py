"""The plan `undo`: takes back what an aborted run did, the latest step first.

Owns its steps. What has no way back says so and stays as it is. Must not know why it is undone.
"""

from __future__ import annotations

from hamnd.core.plans import Draft
from hamnd.core.plans.assembling import assemble
from hamnd.model.plan import Plan, Step

NEEDS = {"release": ("identity",), "epoch": ("promote",)}
"""What has to be taken back, not only left out, before these are: the partner gets no address that
is still here (law 3), and no epoch while this node's database is primary."""


def build_undo(draft: Draft, run_steps: tuple[Step, ...], why: str) -> Plan:
    """Return the plan that takes back what the aborted run did, the latest step first."""
    steps: list[Step] = []
    acted = {step.id for step in run_steps}
    for step in run_steps:
        previous = (steps[-1].id,) if steps else ()
        needed = tuple(f"undo-{one}" for one in NEEDS.get(step.id, ()) if one in acted)
        steps.append(
            Step(
                id=f"undo-{step.id}",
                title=f"take back {step.id}" if step.compensation else f"{step.id} stays as it is",
                guide=step.guide,
                host=step.host,
                depends_on=needed,
                after=previous,
                actions=step.compensation,
                postconditions=step.undone,
                timeout_s=step.timeout_s,
                skip_if_done=False,
            )
        )
    return assemble(draft, why, tuple(steps))
