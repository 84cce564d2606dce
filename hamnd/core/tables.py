"""What in xCAT's tables would send nodes to a machine instead of to the management node.

Owns the conditions DependentNodes, TableAddresses, DhcpAddress, TableInterfaces and PolicyRows: the
traps of xcat-hamn.md §6, found by day. Must not read xCAT's output (dialects.tables). The tables
are the serving node's; what it told last counts after its death.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address, ip_network

from hamnd.core.health.watch import REPORTS_KEPT, Watch
from hamnd.core.kept import KEPT
from hamnd.core.policy import Terms
from hamnd.dialects import tables
from hamnd.dialects.tables import Row, short
from hamnd.model.health import Condition
from hamnd.model.instant import Instant
from hamnd.model.names import Status
from hamnd.model.site import IdentityMode, Platform, ServiceAddress, Site
from hamnd.model.wording import first_of
from hamnd.model.work import Report

TOPIC = f"{KEPT}tables"
NAMING = {
    "site": ("master", "nameservers", "ntpservers", "logservers", "installloc"),
    "networks": (
        "gateway", "dhcpserver", "tftpserver", "nameservers", "ntpservers", "logservers",
    ),
    "noderes": (
        "servicenode", "nfsserver", "tftpserver", "monserver", "nimserver", "xcatmaster",
        "nameservers",
    ),
    "nodehm": ("conserver",),
}  # fmt: skip
"""Attributes that name the management node, or may (§6)."""
KEY = {"site": "key", "networks": "netname", "noderes": "node", "nodehm": "node"}
FACING = ("", "<xcatmaster>")
"""makedhcp takes these for the first address of the interface (§6, measured)."""
FOUND = {"DependentNodes": Status.TRUE, "TableAddresses": Status.FALSE}
"""What one table tells of these stands, whatever another one would tell."""
SHOWN_MAX = 3

Tables = Mapping[str, tuple[Row, ...]]
Judged = tuple[Status, str, str]


def judge_tables(watch: Watch, now: Instant, terms: Terms) -> tuple[Condition, ...]:
    """Return the conditions; each is unknown until the serving node told the table."""
    report, source = watch.reports.get(TOPIC), f"tables of {terms.site.partner.name}"
    at = None if report is None else report.finished.wall_s
    return tuple(
        Condition(name, *verdict, now.wall_s, at, source) for name, verdict in judged(report, terms)
    )


@lru_cache(maxsize=REPORTS_KEPT)
def judged(report: Report | None, terms: Terms) -> tuple[tuple[str, Judged], ...]:
    """Return what follows from the tables as they were told, by condition."""
    site, told = terms.site, {} if report is None else tables.parse(report) or {}
    images = ("nimimage", "osimage") if site.platform is Platform.AIX else ("osimage",)
    judges = {
        "DependentNodes": (_dependents, (*images, "nodetype")),
        "TableAddresses": (_addresses, tuple(NAMING)),
        "TableInterfaces": (_interfaces, ("site",)),
        "PolicyRows": (_policy, ("policy",)),
    }
    if site.services.dhcp and site.identity_mode is IdentityMode.SERVICE_ADDRESS:
        judges["DhcpAddress"] = (_dhcp, ("networks",))
    found = []
    for name, (judge, needed) in judges.items():
        missing = [one for one in needed if one not in told]
        verdict = judge(told, site)
        if missing and verdict[0] is not FOUND.get(name):
            why = f"{site.partner.name} did not tell its table {missing[0]}"
            verdict = (Status.UNKNOWN, "NotRead", why)
        found.append((name, verdict))
    return tuple(found)


def _dependents(told: Tables, _site: Site) -> Judged:
    """Nodes that run from read-write NFS of the management node stop with it (guide §1)."""
    images = {one.get("imagename", "") for one in told.get("osimage", ())}
    images |= {one.get("imagename", "") for one in told.get("nimimage", ())}
    nodes = [
        one.get("node", "?")
        for one in told.get("nodetype", ())
        if one.get("provmethod") in {*images, "statelite"}
    ]
    if nodes:
        most = first_of(nodes, SHOWN_MAX)
        message = f"{most} run from NFS of the management node itself: they stop with it"
        return Status.TRUE, "NodesDepend", f"{message}, and a takeover does not bring them back"
    return Status.FALSE, "None", "no node runs from read-write NFS of the management node"


def _addresses(told: Tables, site: Site) -> Judged:
    """An address that stays with a machine is not where the nodes find the next one."""
    machines, moving = _staying(site), _moving(site)
    found = []
    for table, attributes in NAMING.items():
        for row in told.get(table, ()):
            name = row.get(KEY[table], "?")
            pairs = [(one, row.get(one, "")) for one in attributes]
            if table == "site":
                pairs = [(name, row.get("value", ""))] if name in attributes else []
            for attribute, value in pairs:
                words = set(_words(value))
                if words & set(machines) and not words & moving:
                    (word, *_) = sorted(words & set(machines))
                    where = attribute if table == "site" else f"{name}.{attribute}"
                    found.append(f"{table} {where} is {word}, {machines[word]}'s own")
    if not found:
        return Status.TRUE, "Follow", "no table names a machine where nodes look for the service"
    best = site.identity[0].address if site.identity else site.primary.address
    clear = f"name {best} there (chdef), then makedns, makedhcp"
    return Status.FALSE, "NameAMachine", f"{first_of(found, SHOWN_MAX)} -> {clear}"


def _dhcp(told: Tables, site: Site) -> Judged:
    """Makedhcp writes a machine's own address wherever the network does not name the service's."""
    wrong, seen = [], False
    for row in told.get("networks", ()):
        service = service_in(row, site)
        if service is None:
            continue
        seen = True
        if row.get("tftpserver", "").strip() in FACING:
            wrong.append((row.get("netname", "?"), service))
    if wrong:
        name, service = wrong[0]
        names = first_of([one for one, _ in wrong], SHOWN_MAX)
        message = f"network {names} names no tftpserver: makedhcp writes the machine's own address"
        clear = f"chdef -t network {name} tftpserver={service}"
        return Status.FALSE, "Facing", f"{message} -> {clear}"
    if not seen:
        return Status.UNKNOWN, "NoNetwork", "no row of networks has the service address in it"
    return Status.TRUE, "Named", "networks name the service address for DHCP"


def _interfaces(told: Tables, site: Site) -> Judged:
    """An entry for one management node's name leaves the other without DHCP or DNS (§6)."""
    if site.identity_mode is IdentityMode.PRIMARY_ADDRESS:
        return Status.TRUE, "NameMoves", "the name that interfaces may be listed for moves along"
    lists = {
        row.get("key", ""): row.get("value", "")
        for row in told.get("site", ())
        if row.get("key") in ("dhcpinterfaces", "dnsinterfaces")
    }
    wanted = {short(node.name): node.name for node in (site.primary, site.standby)}
    for key, value in sorted(lists.items()):
        entries = dict(one.split("|", 1) for one in value.split(";") if "|" in one)
        named = {short(one.strip()) for part in entries for one in part.split(",")}
        missing = [name for word, name in wanted.items() if word not in named]
        if len(missing) == 1:
            other = next(name for word, name in wanted.items() if name != missing[0])
            message = f"site.{key} lists interfaces for {other} and none for {missing[0]}"
            return Status.FALSE, "KeyedByHost", f"{message} -> add {missing[0]}|NIC to it (chdef)"
    return Status.TRUE, "ForBoth", "interfaces for DHCP and DNS are listed for either node"


def _policy(told: Tables, site: Site) -> Judged:
    """Xcatd trusts a management node by its name: one row for each (§6)."""
    missing = untrusted(told, site)
    if missing:
        clear = f"chdef -t policy 1.N name={missing[0]} rule=trusted, N not in use"
        return Status.FALSE, "Missing", f"policy trusts no {', '.join(missing)} -> {clear}"
    return Status.TRUE, "Trusted", "policy trusts every name of the management node"


def untrusted(told: Tables, site: Site) -> list[str]:
    """Return the names of the management node that no row of policy trusts."""
    rows = [one for one in told.get("policy", ()) if one.get("rule", "").lower() == "trusted"]
    trusted = {short(one.strip()) for row in rows for one in row.get("name", "").split(",")}
    names = [site.primary.name]
    if site.identity_mode is IdentityMode.SERVICE_ADDRESS:
        names += [site.standby.name, *(one.name for one in site.identity)]
    missing = [one for one in dict.fromkeys(names) if short(one) not in trusted]
    return [] if "*" in trusted else missing


def _staying(site: Site) -> dict[str, str]:
    """Return the addresses and names that do not move, each with the machine that has it."""
    nodes = [site.primary, site.standby]
    if site.identity_mode is IdentityMode.PRIMARY_ADDRESS:
        nodes = [site.standby]
    moving = _moving(site)
    return {
        word: node.name
        for node in nodes
        for word in (spelled(node.address), short(node.name))
        if word not in moving
    }


def _moving(site: Site) -> set[str]:
    return {word for one in site.identity for word in (spelled(one.address), short(one.name))}


def _words(value: str) -> list[str]:
    """Return the addresses and short names in a list, as xCAT separates them; `host:/path` too."""
    return [spelled(word) for word in re.split(r"[\s,;|]+|:(?=/)", value) if word]


def spelled(word: str) -> str:
    """Return a word as words are compared: an address in one form, a name without its domain."""
    try:
        return str(ip_address(word))
    except ValueError:
        return short(word)


def is_beside(address: str, service: ServiceAddress) -> bool:
    """Whether an address lies on the network of a service address."""
    network = ip_network(f"{service.address}/{service.prefix}", strict=False)
    return ip_address(address) in network


def service_in(row: Row, site: Site) -> str | None:
    """Return the service address that lies in this network; IPv6 networks have no makedhcp -n."""
    try:
        network = ip_network(f"{row.get('net', '')}/{row.get('mask', '').lstrip('/')}")
    except ValueError:
        return None
    inside = (one.address for one in site.identity if ip_address(one.address) in network)
    return next(inside, None)
