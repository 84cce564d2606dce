"""Whether xCAT would open the database that hamnd promotes: condition CfglocMatches.

Owns that judgement. Must not read the file (dialects.cfgloc). An xcatd whose file names the machine
that just died, or another kind of database, starts and answers nothing; that is found out here, by
day.
"""

from __future__ import annotations

from hamnd.core.policy import Terms
from hamnd.dialects.cfgloc import Cfgloc, parse_cfgloc
from hamnd.model.health import Condition
from hamnd.model.instant import Instant
from hamnd.model.names import Status
from hamnd.model.site import Site
from hamnd.model.work import Report

TOPIC = "seen:cfgloc"
BEHIND = {"dump": "postgresql"}
"""Engines that carry another one's database."""
ANY = frozenset({"shared_disk"})
"""Engines that carry whatever lies on the disk."""
HERE = frozenset({"", "localhost", "127.0.0.1", "::1"})


def cfgloc_matches(report: Report | None, now: Instant, terms: Terms) -> Condition | None:
    """Return the condition, or None while the file was never read."""
    if report is None:
        return None
    site = terms.site
    told = parse_cfgloc(report)
    if told is None:
        verdict = (Status.UNKNOWN, "Unreadable", f"{site.cfgloc} could not be read")
    else:
        verdict = _judge(told, site)
    status, reason, message = verdict
    at = report.finished.wall_s
    return Condition("CfglocMatches", status, reason, message, now.wall_s, at, "cfgloc")


def _judge(told: Cfgloc, site: Site) -> tuple[Status, str, str]:
    wanted = BEHIND.get(site.engine, site.engine)
    if site.engine not in ANY and told.engine != wanted:
        message = f"{site.cfgloc} names {told.engine}, replicated is {wanted}: xcatd here would "
        return Status.FALSE, "OtherEngine", message + "open another database"
    name = _database(site)
    if name and told.database and told.database.lower() != name.lower():
        message = f"{site.cfgloc} names database {told.database}, replicated is {name}"
        return Status.FALSE, "OtherDatabase", message
    if told.host.lower() not in _hosts(site):
        message = f"{site.cfgloc} names host {told.host}: after a takeover xcatd would ask there"
        return Status.FALSE, "OtherHost", f"{message} -> name {_best(site)} on both nodes"
    where = told.host or "its own host"
    return Status.TRUE, "Matches", f"xcatd opens {told.engine} on {where}"


def _database(site: Site) -> str:
    match site.engine:
        case "db2":
            return site.db2.database
        case "postgresql":
            return site.postgresql.database
        case "dump":
            return site.dump.database
        case "mariadb":
            return site.mariadb.database
        case _:
            return ""


def _hosts(site: Site) -> frozenset[str]:
    """Return the hosts at which this node's own database answers once it has taken over.

    In mode primary_address its own address ends then, and the primary's is its own.
    """
    moving = {word for one in site.identity for word in (one.address, *_names(one.name))}
    if site.takes_primary_address:
        return HERE | moving | {site.primary.address, *_names(site.primary.name)}
    return HERE | moving | {site.own.address, *_names(site.own.name)}


def _names(name: str) -> tuple[str, str]:
    """Return a name as it stands and without its domain."""
    return name.lower(), name.partition(".")[0].lower()


def _best(site: Site) -> str:
    return site.identity[0].address if site.identity else site.primary.address
