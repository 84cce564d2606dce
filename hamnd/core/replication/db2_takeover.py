"""The Db2 steps of a takeover: `promote` in its variant, and what an exchanged address needs.

Owns the form of TAKEOVER or START HADR that each variant means (db2-hadr.md §8.2, §10). Must not
choose the variant (db2_loss) nor build a command (dialects.db2).
"""

from __future__ import annotations

from hamnd.core.policy import Terms
from hamnd.core.replication import Promotion
from hamnd.core.replication.db2_rehome import rehome_steps
from hamnd.dialects.db2 import commands
from hamnd.model.plan import Step

STARTED_AGAIN = ("start-as-primary", "start-with-standby", "activate")
"""Promotion variants of a database that is primary already and down."""


def takeover_steps(terms: Terms, promotion: Promotion) -> tuple[Step, ...]:
    """Return `promote`, and what follows where the host takes the partner's address."""
    variant = promotion.variant
    promote = _start_again if variant in STARTED_AGAIN else _promote
    return (promote(terms, variant), *rehome_steps(terms))


def _promote(terms: Terms, variant: str) -> Step:
    site = terms.site
    is_primary = variant == "none"
    title = "the database is primary already" if is_primary else f"db2 takeover ({variant})"
    return Step(
        id="promote",
        title=title,
        guide="8.1",
        host=site.node,
        depends_on=("fuse",),
        actions=() if is_primary else (commands.takeover(site, variant),),
        readiness=(commands.is_standby_configured(site),),
        # A takeover outlives the hamnd that began it (law 8): a later one must not begin again.
        preconditions=() if is_primary else (commands.no_takeover_runs(site),),
        postconditions=(commands.is_primary(site), commands.is_writable(site)),
        timeout_s=terms.policy.step_timeout_s("promote", 300.0),
        wait_s=30.0,
        reversible=False,
    )


def _start_again(terms: Terms, variant: str) -> Step:
    """After a reboot: alone only force starts a promoted database (§10).

    Without HADR, up or down, it has no role PRIMARY that db2pd could tell: it has to serve.
    """
    site = terms.site
    start = commands.start_hadr_as_primary(site, site.node, by_force=variant == "start-as-primary")
    is_alone = variant == "activate"  # without HADR since the takeover: role STANDARD
    return Step(
        id="promote",
        title=f"make sure {site.db2.database} is up, which is primary already ({variant})",
        guide="8.1",
        host=site.node,
        depends_on=("fuse",),
        actions=(commands.activate(site, site.node) if is_alone else start,),
        postconditions=(
            *(() if is_alone else (commands.is_primary(site),)),
            commands.is_writable(site),
        ),
        timeout_s=terms.policy.step_timeout_s("promote", 300.0),
        wait_s=30.0,
        reversible=False,
    )
