"""The shared disk's steps: takeover, setup, rejoin and switchover (design §5, guide §2).

Owns what is done to the disk in which order. Must not know argv (dialects.shared_disk), nor when
the disk may be taken (shared_disk).
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from hamnd.core.policy import Terms
from hamnd.core.replication import Promotion, Rejoin, Setup, Switchover, Takeover, Task
from hamnd.core.replication.copies import hold_step
from hamnd.dialects import holding, linux, shared_disk
from hamnd.model.names import Verdict
from hamnd.model.plan import Step
from hamnd.model.site import Platform, Site

SWITCHED = Promotion("graceful", Verdict.PASS, "released by the partner in order")


def steps_of(terms: Terms, task: Task) -> tuple[Step, ...]:
    """Return the steps of a task."""
    site = terms.site
    there = replace(site, node=site.partner.name)
    match task:
        case Takeover(promotion):
            return (promote(terms, promotion),)
        case Setup():
            return (_visible(terms, replace(site, node=site.standby.name), ()),)
        case Rejoin():
            let_go = replace(_let_go(terms, there), depends_on=("hold",))
            return (hold_step(terms, there), let_go, _visible(terms, there, ("let-go",)))
        case Switchover():
            switched = replace(promote(terms, SWITCHED), depends_on=("quiesce",))
            return (_quiesce(terms, there), switched, _visible(terms, there, ("promote",)))
        case _:
            assert_never(task)


def promote(terms: Terms, promotion: Promotion) -> Step:
    """Reserve where the site can, activate, mount, start the database that lies on it."""
    site = terms.site
    is_primary = promotion.variant == "none"
    unit = site.shared_disk.unit
    start = (linux.start_unit(site, unit),) if unit else ()
    running = (linux.any_active(site, unit),) if unit else ()
    return Step(
        id="promote",
        title="the disk is mounted here already" if is_primary else "take and mount the disk",
        guide="2",
        host=site.node,
        depends_on=("fuse",),
        actions=(
            ()
            if is_primary
            else (
                *shared_disk.take_reservation(site, site.node),
                shared_disk.attach(site, site.node),
                *start,
            )
        ),
        readiness=() if is_primary else (shared_disk.can_attach(site, site.node),),
        postconditions=(shared_disk.is_held(site, site.node), *running),
        timeout_s=terms.policy.step_timeout_s("promote", 300.0),
        wait_s=30.0,
        reversible=False,
    )


def _quiesce(terms: Terms, there: Site) -> Step:
    """The partner's xcatd and database end, and it lets the disk go."""
    unit = there.shared_disk.unit
    stop = (linux.stop_unit(there, unit),) if unit and there.platform is Platform.LINUX else ()
    start = (linux.start_unit(there, unit),) if unit and there.platform is Platform.LINUX else ()
    return Step(
        id="quiesce",
        title=f"end xcatd on {there.node}, unmount the disk there",
        guide="5.1.9",
        host=there.node,
        actions=(
            holding.hold(there, there.node),
            *stop,
            shared_disk.detach(there, there.node),
        ),
        postconditions=(
            holding.is_held(there, there.node),
            shared_disk.is_released(there, there.node),
        ),
        timeout_s=terms.policy.step_timeout_s("quiesce", 300.0),
        compensation=(
            shared_disk.attach(there, there.node),
            *start,
            holding.release(there, there.node),
        ),
    )


def _let_go(terms: Terms, there: Site) -> Step:
    """Nothing diverges on one copy: there is only to see that the other node has let it go."""
    return Step(
        id="let-go",
        title=f"{there.node} has nothing of the disk mounted",
        guide="9",
        host=there.node,
        actions=(shared_disk.detach(there, there.node),),
        postconditions=(shared_disk.is_released(there, there.node),),
        timeout_s=terms.policy.step_timeout_s("preserve", 120.0),
    )


def _visible(terms: Terms, there: Site, depends_on: tuple[str, ...]) -> Step:
    return Step(
        id="replicate",
        title=f"{there.node} sees the disk, {there.partner.name} has it",
        guide="2",
        host=there.node,
        depends_on=depends_on,
        postconditions=(
            shared_disk.can_attach(there, there.node),
            shared_disk.is_held(there, there.partner.name),
            shared_disk.is_left_at_boot(there, there.node),
            shared_disk.is_left_at_boot(there, there.partner.name),
        ),
        timeout_s=terms.policy.step_timeout_s("replicate", 60.0),
    )
