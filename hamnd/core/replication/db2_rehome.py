"""Db2 under another address: stopped before the identity moves, started after it (§8.3, §8.5).

Owns the steps db-stop and db-rehome of mode primary_address, and their like on the partner where
the two exchange their addresses. Must not parse text (dialects.db2) nor move an address
(platforms). An alias address needs none of this (db2-hadr.md §11).
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.policy import Terms
from hamnd.dialects.db2 import commands, switching
from hamnd.model.plan import Step
from hamnd.model.site import Site
from hamnd.model.work import Action


def rehome_steps(terms: Terms) -> tuple[Step, ...]:
    """Return what this database needs when its host takes the partner's address; often nothing."""
    if not terms.site.takes_primary_address:
        return ()
    return _stop(terms), _rehome(terms)


def exchange_steps(terms: Terms) -> tuple[Step, ...]:
    """Return what both databases need when their hosts exchange addresses, this one being primary.

    The terms are those of either side of the exchange; a step means the addresses of its own time.
    This one serves as soon as it is up, without HADR: nobody waits for the standby. Taken back, the
    standby starts first, and so no primary has to be started by force.
    """
    site = terms.site
    local, remote = _hosts(site)
    stop = replace(
        _stop(terms),
        depends_on=("promote",),
        compensation=(
            commands.start_instance(site, site.node),
            commands.start_hadr_as_primary(site, site.node, by_force=False),
        ),
        needs_fence=False,
    )
    rehome = _rehome(terms)
    addressed = (
        switching.exchange_hosts(site, site.node, local, remote),
        switching.exchange_alternate(site, site.node, remote),
    )
    rehome = replace(
        rehome,
        actions=(rehome.actions[0], *addressed, *rehome.actions[2:]),
        postconditions=(
            *rehome.postconditions,
            switching.hosts_exchanged(site, site.node, local, remote),
        ),
        compensation=_back(site, site.node, remote, local),
        needs_fence=False,
    )
    return stop, _stop_partner(terms), rehome, _rehome_partner(terms)


def _stop_partner(terms: Terms) -> Step:
    """Stop the standby's instance. STOP HADR is not for a standby: it would end it (§11)."""
    site = terms.site
    old = site.partner.name
    return Step(
        id="db-stop-partner",
        title=f"stop Db2 on {old}: its host gets another address",
        guide="8.3",
        host=old,
        depends_on=("db-stop",),
        actions=(commands.stop_instance(site, old),),
        postconditions=(commands.is_instance_stopped(site, old),),
        timeout_s=terms.policy.step_timeout_s("db-stop-partner", 120.0),
        wait_s=30.0,
        compensation=(
            commands.start_instance(site, old),
            commands.start_hadr_as_standby(site, old),
        ),
    )


def _rehome_partner(terms: Terms) -> Step:
    """Start the standby's instance under its new name, and HADR with the exchanged hosts."""
    site = terms.site
    old = site.partner.name
    remote, local = _hosts(site)
    return Step(
        id="db-rehome-partner",
        title=f"start Db2 on {old} as standby of {remote}",
        guide="8.5",
        host=old,
        depends_on=("db-stop-partner", "identity"),
        actions=(
            commands.start_instance(site, old),
            switching.exchange_hosts(site, old, local, remote),
            switching.exchange_alternate(site, old, remote),
            commands.start_hadr_as_standby(site, old),
        ),
        postconditions=(
            commands.db2gcf_status(site, old),
            commands.nodes_file_names(site, old, site.standby.name),
            switching.hosts_exchanged(site, old, local, remote),
        ),
        compensation=_back(site, old, remote, local),
        timeout_s=terms.policy.step_timeout_s("db-rehome-partner", 300.0),
        wait_s=30.0,
        skip_if_done=False,
    )


def _back(site: Site, host: str, local: str, remote: str) -> tuple[Action, ...]:
    """What a database needs before its host takes the address back that it had."""
    return (
        switching.exchange_hosts(site, host, local, remote),
        switching.exchange_alternate(site, host, remote),
        commands.stop_instance(site, host),
    )


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
        actions=(commands.stop_hadr(site), commands.stop_instance(site, site.node)),
        preconditions=(commands.may_stop_hadr(site),),
        postconditions=(commands.is_instance_stopped(site, site.node),),
        timeout_s=terms.policy.step_timeout_s("db-stop", 120.0),
        wait_s=30.0,
        compensation=(
            commands.start_instance(site, site.node),
            commands.start_hadr_as_primary(site, site.node, by_force=True),
        ),
        needs_fence=True,
    )


def _rehome(terms: Terms) -> Step:
    """Start the instance under its new name, and prove that the database works there."""
    site = terms.site
    local, remote = _hosts(site)
    return Step(
        id="db-rehome",
        title=f"start Db2 on {local} and prove that it writes",
        guide="8.5",
        host=site.node,
        depends_on=("db-stop", "identity"),
        actions=(
            commands.start_instance(site, site.node),
            commands.set_hadr_hosts(site, local, remote),
            commands.activate(site, site.node),
            commands.write_proof(site),
        ),
        postconditions=(
            commands.db2gcf_status(site, site.node),
            commands.nodes_file_names(site, site.node, site.moving_name),
            commands.has_hadr_hosts(site, local, remote),
            commands.is_writable(site),
        ),
        timeout_s=terms.policy.step_timeout_s("db-rehome", 300.0),
        wait_s=30.0,
        needs_fence=True,
        skip_if_done=False,
    )


def _hosts(site: Site) -> tuple[str, str]:
    """Return the address of the management node, and that of its standby, once this one took it."""
    own, theirs = site.own.address, site.partner.address
    return (theirs, own) if site.takes_primary_address else (own, theirs)
