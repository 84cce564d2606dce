"""The plan `undo`: takes back what an aborted run did, the latest step first.

Owns its steps. What has no way back says so and stays as it is. Must not know why it is undone.
"""

from __future__ import annotations

from hamnd.core.plans import Draft
from hamnd.core.plans.assembling import assemble
from hamnd.model.plan import Plan, Step


def build_undo(draft: Draft, run_steps: tuple[Step, ...], why: str) -> Plan:
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
    return assemble(draft, why, tuple(steps))
