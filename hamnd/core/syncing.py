"""The step `sync`: every file set up to date once more before the primary hands over (guide §7).

Owns what it does and where it stands. Must not know how a set is copied (filesets) nor the sets
that a dying primary is salvaged of (salvaging). It goes before anything is stopped: a large tree
may take its time while the primary still serves, and what fails then has changed nothing.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.filesets import copies_of
from hamnd.core.policy import Terms
from hamnd.dialects import salvage
from hamnd.model.copying import CopyKind
from hamnd.model.filesets import SetKind, SetMode
from hamnd.model.plan import Step
from hamnd.model.work import Look

STEP = "sync"


def with_sync(steps: tuple[Step, ...], terms: Terms, first: str) -> tuple[Step, ...]:
    """Return the steps with `sync` before the one called `first`, where this site copies files."""
    site = terms.site
    brought = [one for one in copies_of(site) if CopyKind.COPY in one.work]
    if not brought:
        return steps
    names = ", ".join(one.name for one in brought)
    sync = Step(
        id=STEP,
        title=f"bring the file sets up to date, whole and verified: {names}",
        guide="7",
        host=site.node,
        actions=tuple(
            replace(action, is_repeatable=True)
            for one in brought
            for action in one.work[CopyKind.COPY]
        ),
        postconditions=_as_pulled(terms),
        timeout_s=terms.policy.step_timeout_s(
            STEP, sum(one.timeouts_s[CopyKind.COPY] for one in brought)
        ),
        skip_if_done=False,
    )
    waiting = (
        replace(step, depends_on=(*step.depends_on, STEP)) if step.id == first else step
        for step in steps
    )
    return (sync, *waiting)


def _as_pulled(terms: Terms) -> tuple[Look, ...]:
    """Return what proves the staged sets; a tree's own run ends well only where it is whole."""
    return tuple(
        salvage.is_fresh(terms.site, member)
        for one in terms.site.file_sets
        if one.mode is SetMode.PULL and one.kind is SetKind.ATOMIC
        for member in salvage.members(terms.site, one)
    )
