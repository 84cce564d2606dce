"""The steps by which a PostgreSQL pair is set up, rejoined and switched over; `promote` as well.

Owns their order and their proofs. Must not build commands (dialects.postgresql), nor decide which
way a returned server goes (postgresql_return).

Every way to a standby ends with the same two steps: its server is started with standby.signal in
its data, and both ends are asked whether the log flows. A start alone proves nothing: a server that
was rewound wrongly starts and never streams (lab.md §6).
"""

from __future__ import annotations

from hamnd.core.policy import Terms
from hamnd.core.replication import Promotion, Rejoin, Takeover, Way
from hamnd.core.replication import postgresql_pairing as pairs
from hamnd.core.replication.pairing import Pairing
from hamnd.dialects.postgresql import commands, held
from hamnd.model.names import Verdict
from hamnd.model.plan import Step
from hamnd.model.work import Action

PROMOTE_MARGIN_S = 10
"""pg_promote() gives up so much before our own limit ends it."""


def setup_steps(terms: Terms) -> tuple[Step, ...]:
    """From two servers of their own to a pair; what the standby had is kept (guide §5.2)."""
    pair = Pairing(terms, terms.site.primary, terms.site.standby)
    return (
        *pairs.open_source(pair, after=()),
        pairs.hold(pair, is_setup=True),
        pairs.keep(pair, pairs.KEPT_BY_SETUP, is_moved=True),
        pairs.copy(pair),
        pairs.start(pair, "db-copy", is_new=True),
        *pairs.replicate(pair),
    )


def rejoin_steps(terms: Terms, task: Rejoin) -> tuple[Step, ...]:
    """The returned old primary follows this node (guide §9); its own data is kept first."""
    site = terms.site
    pair = Pairing(terms, site.own, site.partner)
    is_new = task.way is Way.RESEED
    way = (
        (pairs.copy(pair),)
        if is_new
        else (pairs.recover(pair), pairs.checkpoint(pair), pairs.rewind(pair))
    )
    return (
        pairs.hold(pair),
        pairs.keep(pair, task.kept_as, is_moved=is_new, what=task.diverged),
        *pairs.open_source(pair, after=("preserve",)),
        *way,
        pairs.start(pair, way[-1].id, is_new),
        *pairs.replicate(pair),
    )


def takeover_steps(terms: Terms, task: Takeover) -> tuple[Step, ...]:
    """This server is promoted; a primary that still answers hands over first what it has."""
    site = terms.site
    promote = promote_step(terms, task.promotion)
    if not task.is_heard or task.promotion.variant == "none" or site.postgresql.data_dir is None:
        return (promote,)
    return pairs.hand_over(Pairing(terms, site.own, site.partner)), promote


def switchover_steps(terms: Terms) -> tuple[Step, ...]:
    """The primary is stopped in order, and follows from then on; its log needs no rewinding."""
    site = terms.site
    pair = Pairing(terms, site.own, site.partner)
    # Cloned from a primary that waited for it, it would wait itself: until `replicate` for nobody.
    wanted = Promotion("graceful", Verdict.PASS, "it handed over", waits_for=site.partner.name)
    return (
        pairs.quiesce(pair),
        promote_step(terms, wanted, "quiesce"),
        *pairs.open_source(pair, after=("promote",)),
        pairs.follow(pair),
        pairs.start(pair, "db-follow", is_new=False),
        *pairs.replicate(pair),
    )


def promote_step(terms: Terms, promotion: Promotion, after: str = "fuse") -> Step:
    """Return the step `promote`: pg_promote(), proven by looks (guide §8.1)."""
    site = terms.site
    timeout_s = terms.policy.step_timeout_s("promote", 300.0)
    is_primary = promotion.variant == "none"
    actions: tuple[Action, ...] = (
        commands.promote(site, max(1, int(timeout_s) - PROMOTE_MARGIN_S)),
    )
    if promotion.waits_for:
        # Before the promotion: not one commit may wait for a standby that is not there.
        actions = (commands.wait_for_nobody(site, site.node), *actions)
    space = () if site.postgresql.data_dir is None else (held.has_space(site),)
    title = f"promote PostgreSQL ({promotion.variant})"
    return Step(
        id="promote",
        title="the database is primary already" if is_primary else title,
        guide="8.1",
        host=site.node,
        depends_on=(after,),
        actions=() if is_primary else actions,
        readiness=(commands.can_promote(site), *space),
        preconditions=() if is_primary else (commands.is_standby(site),),
        postconditions=(commands.is_writable(site),),
        timeout_s=timeout_s,
        wait_s=30.0,
        reversible=False,
    )
