"""The dump engine's steps: takeover, setup, rejoin and switchover (design §5, guide §5.2).

Owns what is done to databases in which order. Must not know argv (dialects.dump).
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.policy import Terms
from hamnd.core.replication import Promotion, Rejoin, Setup, Switchover, Takeover, Task
from hamnd.core.replication.copies import hold_step
from hamnd.dialects import holding
from hamnd.dialects.dump import commands
from hamnd.model.names import Verdict
from hamnd.model.plan import Step
from hamnd.model.site import Site

SWITCHED = Promotion("graceful", Verdict.PASS, "the last dump, taken after xcatd had ended")


def steps_of(terms: Terms, task: Task) -> tuple[Step, ...]:
    """Return the steps of a task."""
    site = terms.site
    there = replace(site, node=site.partner.name)
    match task:
        case Takeover(promotion):
            return (promote(terms, promotion),)
        case Setup():
            return (_replicate(terms, replace(site, node=site.standby.name), ()),)
        case Rejoin():
            preserve = _preserve(terms, there, task.kept_as)
            return (
                hold_step(terms, there),
                replace(preserve, depends_on=("hold",)),
                _demote(terms, there),
                _replicate(terms, there, ("demote",)),
            )
        case Switchover():
            switched = replace(promote(terms, SWITCHED), depends_on=("quiesce",))
            aside = replace(_preserve(terms, there, "switchover"), id="hand-over")
            return (
                _quiesce(terms, there),
                switched,
                replace(aside, depends_on=("promote",)),
                _replicate(terms, there, ("hand-over",)),
            )


def promote(terms: Terms, promotion: Promotion) -> Step:
    """The restored copy takes the live database's name; that one keeps its data under another."""
    site = terms.site
    is_primary = promotion.variant == "none"
    title = "the database is the primary's already"
    if not is_primary:
        title = f"rename the restored copy to {site.dump.database}, keep what has that name"
    return Step(
        id="promote",
        title=title,
        guide="8.1",
        host=site.node,
        depends_on=("fuse",),
        actions=() if is_primary else (commands.promote(site),),
        readiness=() if is_primary else (commands.is_restored(site, site.node),),
        preconditions=() if is_primary else (commands.is_restored(site, site.node),),
        postconditions=(commands.is_primary(site, site.node),),
        timeout_s=terms.policy.step_timeout_s("promote", 120.0),
        wait_s=10.0,
        reversible=False,
    )


def _quiesce(terms: Terms, there: Site) -> Step:
    """The partner's writer ends, and what it wrote last is dumped and restored here."""
    site = terms.site
    return Step(
        id="quiesce",
        title=f"end xcatd on {there.node}, then take and restore the last dump",
        guide="5.1.9",
        host=there.node,
        actions=(
            holding.hold(there, there.node),
            commands.take_copy(site),
            commands.restore(site),
        ),
        postconditions=(
            holding.is_held(there, there.node),
            commands.is_restored(site, site.node),
        ),
        timeout_s=terms.policy.step_timeout_s("quiesce", 2 * site.dump.timeout_s),
        compensation=(holding.release(there, there.node),),
        # A dump that was taken before xcatd ended proves nothing.
        skip_if_done=False,
    )


def _preserve(terms: Terms, there: Site, name: str) -> Step:
    return Step(
        id="preserve",
        title=f"keep the database of {there.node} as {commands.kept_name(there, name)}",
        guide="9",
        host=there.node,
        actions=(commands.keep(there, there.node, name),),
        postconditions=(commands.is_kept(there, there.node, name),),
        timeout_s=terms.policy.step_timeout_s("preserve", 120.0),
    )


def _demote(terms: Terms, there: Site) -> Step:
    """Where nothing was kept the live database is there, and would be called the primary's."""
    return Step(
        id="demote",
        title=f"{there.node} is the standby from now on",
        guide="9",
        host=there.node,
        depends_on=("hold", "preserve"),
        actions=(commands.demote(there, there.node),),
        postconditions=(commands.is_demoted(there, there.node),),
        timeout_s=terms.policy.step_timeout_s("demote", 60.0),
    )


def _replicate(terms: Terms, there: Site, depends_on: tuple[str, ...]) -> Step:
    """The standby takes and restores its first dump; then its own hamnd does so on schedule."""
    return Step(
        id="replicate",
        title=f"{there.node} restores a dump of {there.partner.name}",
        guide="5.2",
        host=there.node,
        depends_on=depends_on,
        actions=(commands.take_copy(there), commands.restore(there)),
        postconditions=(
            commands.is_restored(there, there.node),
            commands.is_primary(there, there.partner.name),
        ),
        timeout_s=terms.policy.step_timeout_s("replicate", 2 * there.dump.timeout_s),
        skip_if_done=False,
    )
