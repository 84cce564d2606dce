"""The Db2 steps of a switchover: the partner's primary hands over, and follows as standby.

Owns their order and their proofs. Must not build a command (dialects.db2). A graceful TAKEOVER
loses nothing and leaves HADR running with exchanged roles (db2-hadr.md §8.2): only where addresses
are exchanged too is HADR stopped, and started under the new ones (§11).
"""

from __future__ import annotations

from hamnd.core.policy import Terms
from hamnd.core.replication.db2_pairing import JOIN_S
from hamnd.core.replication.db2_rehome import exchange_steps
from hamnd.dialects.db2 import commands, seeding, switching
from hamnd.model.plan import Step
from hamnd.model.site import IdentityMode


def switchover_steps(terms: Terms) -> tuple[Step, ...]:
    """Return the steps, in their order."""
    exchange: tuple[Step, ...] = ()
    if terms.site.identity_mode is IdentityMode.PRIMARY_ADDRESS:
        exchange = exchange_steps(terms)
    return (_quiesce(terms), _promote(terms), *exchange, _replicate(terms, exchange))


def _quiesce(terms: Terms) -> Step:
    """Nobody is connected to the primary any more; all that was committed is in its log.

    It stays active: an HADR primary does not close with its last connection (IBM, "Database
    activation and deactivation in an HADR environment"). QUIESCE is of no use: xCAT connects as the
    instance owner, whom it does not keep out.
    """
    site = terms.site
    old = site.partner.name
    return Step(
        id="quiesce",
        title=f"end what is connected to {site.db2.database} on {old}",
        guide="5.1.9",
        host=old,
        actions=(switching.force_applications(site, old),),
        preconditions=(
            seeding.same_level(site),
            switching.in_peer(site, old, "primary"),
            switching.in_peer(site, site.node, "standby"),
            commands.no_takeover_runs(site),
        ),
        postconditions=(
            switching.nobody_connected(site, old),
            switching.in_peer(site, old, "primary"),
        ),
        timeout_s=terms.policy.step_timeout_s("quiesce", 60.0),
        wait_s=30.0,
        compensation=(commands.activate(site, old),),
        skip_if_done=False,
    )


def _promote(terms: Terms) -> Step:
    """The graceful takeover; the old primary takes it back in the same way."""
    site = terms.site
    return Step(
        id="promote",
        title=f"db2 takeover (graceful): {site.partner.name} becomes the standby",
        guide="8.1",
        host=site.node,
        depends_on=("quiesce",),
        actions=(commands.takeover(site, "graceful"),),
        readiness=(commands.is_standby_configured(site),),
        preconditions=(
            switching.in_peer(site, site.node, "standby"),
            commands.no_takeover_runs(site),
        ),
        postconditions=(commands.is_primary(site), commands.is_writable(site)),
        timeout_s=terms.policy.step_timeout_s("promote", 300.0),
        wait_s=30.0,
        compensation=(switching.take_back(site, site.partner.name),),
    )


def _replicate(terms: Terms, exchange: tuple[Step, ...]) -> Step:
    """Both say Peer; HADR is started where it does not run, the standby's end first (§5.1.7)."""
    site = terms.site
    old = site.partner.name
    starts = [commands.start_hadr_as_standby(site, old)]
    if exchange:
        starts.append(commands.start_hadr_as_primary(site, site.node, by_force=False))
    return Step(
        id="replicate",
        title=f"{site.db2.database} on {old} follows as standby, in Peer",
        guide="5.1.8",
        host=old,
        depends_on=tuple(one.id for one in exchange) or ("promote",),
        actions=tuple(starts),
        postconditions=(
            switching.in_peer(site, site.node, "primary"),
            switching.in_peer(site, old, "standby"),
        ),
        timeout_s=terms.policy.step_timeout_s("replicate", 300.0),
        wait_s=JOIN_S,
    )
