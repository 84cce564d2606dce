"""The SQLite engine's steps: takeover, setup, rejoin and switchover (design §5).

Owns what is done to tables in which order. Must not know argv (dialects.sqlite).
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.policy import Terms
from hamnd.core.replication import Promotion, Rejoin, Setup, Switchover, Takeover, Task
from hamnd.core.replication.copies import hold_step
from hamnd.dialects import holding, linux
from hamnd.dialects.copies import commands as store
from hamnd.dialects.sqlite import commands
from hamnd.model.names import Verdict
from hamnd.model.plan import Step
from hamnd.model.site import Site
from hamnd.model.work import Look

SETUP_NAME = "before-setup"
SWITCHED = Promotion("graceful", Verdict.PASS, "the last copy, taken after xcatd had ended")


def steps_of(terms: Terms, task: Task) -> tuple[Step, ...]:
    """Return the steps of a task."""
    match task:
        case Takeover(promotion):
            return (promote(terms, promotion),)
        case Setup():
            return _setup(terms)
        case Rejoin():
            return _rejoin(terms, task)
        case Switchover():
            return _switchover(terms)


def promote(terms: Terms, promotion: Promotion) -> Step:
    """The newest copy takes the live tables' place in one rename; those are kept beside it."""
    site, where = terms.site, terms.site.sqlite.directory
    is_primary = promotion.variant == "none"
    title = "the tables are the primary's already"
    if not is_primary:
        title = f"put the newest copy in place of {where}, keep what is there"
    return Step(
        id="promote",
        title=title,
        guide="8.1",
        host=site.node,
        depends_on=("fuse",),
        actions=() if is_primary else (commands.stage(site, "primary"), commands.switch(site)),
        readiness=() if is_primary else (store.ready(site, where),),
        preconditions=() if is_primary else (store.ready(site, where), _is_xcatd_down(site)),
        postconditions=(commands.is_live(site, site.node, "primary"),),
        timeout_s=terms.policy.step_timeout_s("promote", 120.0),
        wait_s=10.0,
        reversible=False,
    )


def _is_xcatd_down(site: Site) -> Look:
    """Nothing may have the live tables open while they are switched."""
    return linux.none_active(site, site.services.xcatd)


def _setup(terms: Terms) -> tuple[Step, ...]:
    """The standby's own tables give way and are kept; then it gets its first copy."""
    there = _seen_from(terms.site, terms.site.standby.name)
    preserve = _preserve(terms, there, SETUP_NAME, ())
    demote = _demote(terms, there, "demote", ("preserve",))
    return (preserve, demote, _replicate(terms, there, ("demote",)))


def _rejoin(terms: Terms, task: Rejoin) -> tuple[Step, ...]:
    """The returned old primary is held off, its tables kept, and it copies from here."""
    there = _seen_from(terms.site, terms.site.partner.name)
    return (
        hold_step(terms, there),
        _preserve(terms, there, task.kept_as, ("hold",)),
        _demote(terms, there, "demote", ("hold", "preserve")),
        _replicate(terms, there, ("demote",)),
    )


def _switchover(terms: Terms) -> tuple[Step, ...]:
    """The partner's writers end, the last copy is taken, and the two change their parts."""
    site = terms.site
    there = _seen_from(site, site.partner.name)
    quiesce = Step(
        id="quiesce",
        title=f"end xcatd on {there.node}, then take the last copy of its tables",
        guide="5.1.9",
        host=there.node,
        actions=(holding.hold(there, there.node), commands.take_copy(site)),
        postconditions=(holding.is_held(there, there.node), store.ready(site, "")),
        timeout_s=terms.policy.step_timeout_s("quiesce", site.sqlite.timeout_s),
        compensation=(holding.release(there, there.node),),
        # A copy that was taken before xcatd ended proves nothing.
        skip_if_done=False,
    )
    switched = replace(promote(terms, SWITCHED), depends_on=("quiesce",))
    hand_over = _demote(terms, there, "hand-over", ("promote",))
    return (quiesce, switched, hand_over, _replicate(terms, there, ("hand-over",)))


def _preserve(terms: Terms, there: Site, name: str, depends_on: tuple[str, ...]) -> Step:
    """What a node has is kept under a name, before it follows."""
    return Step(
        id="preserve",
        title=f"keep the tables of {there.node} as {name}",
        guide="9",
        host=there.node,
        depends_on=depends_on,
        actions=(commands.keep(there, there.node, name),),
        postconditions=(commands.is_kept(there, there.node, name),),
        timeout_s=terms.policy.step_timeout_s("preserve", 120.0),
    )


def _demote(terms: Terms, there: Site, name: str, depends_on: tuple[str, ...]) -> Step:
    """Two nodes that both say primary are none; so this happens also where nothing is kept."""
    return Step(
        id=name,
        title=f"{there.node} is the standby from now on",
        guide="9",
        host=there.node,
        depends_on=depends_on,
        actions=(commands.demote(there, there.node),),
        postconditions=(commands.is_demoted(there, there.node),),
        timeout_s=terms.policy.step_timeout_s(name, 60.0),
    )


def _replicate(terms: Terms, there: Site, depends_on: tuple[str, ...]) -> Step:
    """The standby takes its first copy; from then on its own hamnd does so on schedule."""
    return Step(
        id="replicate",
        title=f"{there.node} takes a copy of the tables of {there.partner.name}",
        guide="5.3",
        host=there.node,
        depends_on=depends_on,
        actions=(commands.take_copy(there),),
        postconditions=(
            store.ready(there, ""),
            commands.is_live(there, there.partner.name, "primary"),
        ),
        timeout_s=terms.policy.step_timeout_s("replicate", there.sqlite.timeout_s),
        skip_if_done=False,
    )


def _seen_from(site: Site, node: str) -> Site:
    """Return the site as the other node's own configuration has it; one line differs."""
    return replace(site, node=node)
