"""Db2 under another address: stopped before the identity moves, started after it (§8.3, §8.5).

Owns the steps db-stop and db-rehome of mode primary_address. Must not parse text (dialects.db2) nor
move an address (platforms). An alias address needs none of this (db2-hadr.md §11).
"""

from __future__ import annotations

from hamnd.core.policy import Terms
from hamnd.dialects.db2 import commands
from hamnd.model.plan import Step
from hamnd.model.site import Site


def rehome_steps(terms: Terms) -> tuple[Step, ...]:
    """Return what this database needs when its host takes the partner's address; often nothing."""
    if not terms.site.takes_primary_address:
        return ()
    return _stop(terms), _rehome(terms)


def _stop(terms: Terms) -> Step:
    """Stop HADR and the instance: with HADR on, the database would not open elsewhere (§11).

    STOP HADR is for a promoted database only, and has no effect on its data; on a standby it would
    end the standby. It is taken back by START HADR AS PRIMARY.
    """
    site = terms.site
    return Step(
        id="db-stop",
        title="stop HADR and Db2: its host gets another address",
        guide="8.3",
        host=site.node,
        depends_on=("promote", "fence"),
        actions=(commands.stop_hadr(site), commands.stop_instance(site)),
        preconditions=(commands.may_stop_hadr(site),),
        postconditions=(commands.is_instance_stopped(site),),
        timeout_s=terms.policy.step_timeout_s("db-stop", 120.0),
        wait_s=30.0,
        compensation=(
            commands.db2gcf_start(site, site.node),
            commands.start_hadr_as_primary(site, site.node, by_force=True),
        ),
        needs_fence=True,
    )


def _rehome(terms: Terms) -> Step:
    """Start the instance under its new name, and prove that the database works there."""
    site = terms.site
    local, remote = site.primary.address, site.standby.address
    return Step(
        id="db-rehome",
        title=f"start Db2 on {local} and prove that it writes",
        guide="8.5",
        host=site.node,
        depends_on=("db-stop", "identity"),
        actions=(
            commands.start_instance(site),
            commands.set_hadr_hosts(site, local, remote),
            commands.activate(site, site.node),
            commands.write_proof(site),
        ),
        postconditions=(
            commands.db2gcf_status(site, site.node),
            commands.nodes_file_names(site, host_name(site)),
            commands.has_hadr_hosts(site, local, remote),
            commands.is_writable(site),
        ),
        timeout_s=terms.policy.step_timeout_s("db-rehome", 300.0),
        wait_s=30.0,
        needs_fence=True,
        skip_if_done=False,
    )


def host_name(site: Site) -> str:
    """Return the host name that moves together with the primary's own address."""
    named = (one.name for one in site.identity if one.address == site.primary.address)
    return next(named, site.primary.name)
