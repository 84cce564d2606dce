"""The order of a plan's steps.

Owns nothing but the sorting: what depends on what is said by the steps themselves. Must not
know any of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from hamnd.model.plan import Step


def in_order(steps: Sequence[Step]) -> tuple[Step, ...]:
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
