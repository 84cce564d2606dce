"""The Db2 steps from two servers of their own to a pair (guide §5.1.1-§5.1.8).

Owns their order. Must not build commands (dialects.db2). The primary serves all the while, but for
the one offline backup that Db2 asks for where its log was not archived. What is already true is
skipped, so that a half-configured pair is finished and a working one left alone.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.policy import Terms
from hamnd.core.replication import db2_pairing as pairs
from hamnd.core.replication.pairing import Pairing
from hamnd.dialects.db2 import commands, configuring, held, scripts, seeding
from hamnd.model.plan import Step

KEPT_BY_SETUP = "setup"
"""What a standby had before it was set up is kept under this label."""


def setup_steps(terms: Terms) -> tuple[Step, ...]:
    """Return the steps, in their order."""
    pair = Pairing(terms, terms.site.primary, terms.site.standby)
    return (
        _services(pair),
        _instances(pair),
        _log(pair),
        _hadr(pair),
        *_alternates(pair),
        _hold(pair),
        pairs.keep(pair, KEPT_BY_SETUP),
        *(_after_hadr(pair, step) for step in pairs.seed(pair)),
        *pairs.join(pair, "db-restore"),
        pairs.replicate(pair),
    )


def _services(pair: Pairing) -> Step:
    site = pair.site
    hosts = (pair.source.name, pair.standby.name)
    return Step(
        id="db-services",
        title="both nodes know the services of HADR",
        guide="5.1.5",
        host=site.node,
        actions=tuple(configuring.services(site, host) for host in hosts),
        postconditions=tuple(configuring.has_services(site, host) for host in hosts),
        timeout_s=pair.limit_s("db-services", 60.0),
    )


def _instances(pair: Pairing) -> Step:
    site = pair.site
    hosts = (pair.source.name, pair.standby.name)
    return Step(
        id="db-instance",
        title="the Db2 instance is started on both nodes",
        guide="5.1.1",
        host=site.node,
        depends_on=("db-services",),
        actions=tuple(configuring.start_instance(site, host) for host in hosts),
        postconditions=(
            *(commands.db2gcf_status(site, host) for host in hosts),
            seeding.same_level(site),
        ),
        timeout_s=pair.limit_s("db-instance", 120.0),
    )


def _log(pair: Pairing) -> Step:
    """LOGRETAIN of the guide is LOGARCHMETH1 today (db2-hadr.md §11)."""
    site, source = pair.site, pair.source.name
    return Step(
        id="db-log",
        title=f"{site.db2.database} on {source} archives its log; where it does not yet, clients "
        "are cut off for an offline backup",
        guide="5.1.2",
        host=source,
        depends_on=("db-instance",),
        actions=(scripts.make_folder(site, source), configuring.archive_log(site, source)),
        preconditions=(held.has_room(site, source, "first"),),
        postconditions=(configuring.is_archived(site, source), commands.serves(site, source)),
        timeout_s=pair.limit_s("db-log", pairs.COPY_S),
        compensation=(configuring.reopen(site, source),),
    )


def _hadr(pair: Pairing) -> Step:
    site = pair.site
    return Step(
        id="db-hadr",
        title=f"configure HADR on {pair.source.name}",
        guide="5.1.6",
        host=pair.source.name,
        depends_on=("db-log",),
        actions=(configuring.configure_hadr(site, pair.source, pair.standby),),
        postconditions=(configuring.is_configured(site, pair.source, pair.standby),),
        timeout_s=pair.limit_s("db-hadr", 60.0),
    )


def _alternates(pair: Pairing) -> tuple[Step, ...]:
    """Where clients find the other node; only sites that name a port have such clients."""
    site, port = pair.site, pair.site.db2.client_port
    if port is None:
        return ()
    source = pair.source.name
    return (
        Step(
            id="db-alternate",
            title=f"clients of {source} know {pair.standby.name} as the alternate server",
            guide="5.1.5",
            host=source,
            depends_on=("db-log",),
            actions=(configuring.set_alternate(site, source, pair.standby, port),),
            postconditions=(configuring.has_alternate(site, source, pair.standby, port),),
            timeout_s=pair.limit_s("db-alternate", 60.0),
        ),
    )


def _hold(pair: Pairing) -> Step:
    """Closed in order: nothing of it is to be joined again. A primary gives way to nobody."""
    step = pairs.hold(pair, is_killed=False)
    must = configuring.gives_way(pair.site, pair.standby.name)
    return replace(
        step,
        guide="5.1.4",
        depends_on=("db-instance",),
        preconditions=(must,),
        postconditions=(must, *step.postconditions),
    )


def _after_hadr(pair: Pairing, step: Step) -> Step:
    """The image carries the configuration of HADR, and only of a database that serves."""
    if step.id != "db-backup":
        return step
    serves = commands.serves(pair.site, pair.source.name)
    return replace(
        step,
        depends_on=(*step.depends_on, "db-hadr"),
        preconditions=(*step.preconditions, serves),
    )
