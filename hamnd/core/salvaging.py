"""The step `salvage`: the last files of an old primary that still answers ssh (design §5).

Owns when there is such a step and what it does. Must not know rsync (dialects.salvage) nor the sets
that are copied day by day. It is welcome, never needed: when it is not done the run goes on, for a
takeover cannot depend on a machine that is being taken over from.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.policy import Terms
from hamnd.core.replication.registry import ROUTINES
from hamnd.dialects import filesets, salvage
from hamnd.model.plan import Step
from hamnd.model.routine import Routine

TIME_BOX_S = 20.0
"""Small sets over a working line need one or two seconds."""


def with_salvage(steps: tuple[Step, ...], terms: Terms, does_ssh_answer: bool) -> tuple[Step, ...]:
    """Return the steps with `salvage` before `fuse`, where there is something and a way to it.

    `fuse` waits for it: what it pulls must not be taken for a job that writes here.
    """
    sets = salvage.sets(terms.site)
    is_copied = bool(last_copies(terms))
    if not does_ssh_answer or not (sets or salvage.leases(terms.site) or is_copied):
        return steps
    waiting = (
        replace(step, after=(*step.after, "salvage")) if step.id == "fuse" else step
        for step in steps
    )
    return (_salvage(terms, sets), *waiting)


def last_copies(terms: Terms) -> tuple[Routine, ...]:
    """Return what the engine copies on its schedule, and salvages once more."""
    of_engine = ROUTINES.get(terms.site.engine)
    return () if of_engine is None else of_engine(terms)


def _salvage(terms: Terms, sets: tuple[salvage.Salvaged, ...]) -> Step:
    site = terms.site
    leases = salvage.leases(site)
    names = ", ".join(one.source.rstrip("/") for one in (*sets, *leases))
    copied = last_copies(terms)
    # Two pulls: where the one fails the other's sets are in place.
    actions = tuple(
        action
        for group, proofs in ((sets, (filesets.verify_credentials(site, sets),)), (leases, ()))
        if group
        for action in (
            salvage.pull(site, *group),
            *proofs,  # what a dying machine sends replaces nothing good unseen
            salvage.switch(site, *group),
        )
    )
    title = f"take the last copy of {names} from {site.partner.name}" if names else "salvage"
    title = "; ".join((title, *(one.title for one in copied))).removeprefix("salvage; ")
    # The database's own copy goes first: it is what a takeover loses.
    actions = (*(action for one in copied for action in one.actions), *actions)
    time_box_s = sum((one.timeout_s for one in copied), TIME_BOX_S)
    return Step(
        id="salvage",
        title=title,
        guide="6",
        host=site.node,
        actions=actions,
        postconditions=tuple(salvage.is_fresh(site, one) for one in (*sets, *leases)),
        timeout_s=terms.policy.step_timeout_s("salvage", time_box_s),
        compensation=tuple(salvage.switch_back(site, *one) for one in (leases, sets) if one),
        skip_if_done=False,
        is_optional=True,
    )
