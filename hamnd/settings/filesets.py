"""File sets from the configuration: the guide's defaults, and what must never be copied.

Owns the defaults of the known sets, the never-copy list, and the relations over `[[files.set]]`.
Must not know raw TOML, nor how a set is copied. Facts: xcat-hamn.md §3 and the guide's §6.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from hamnd.dialects.schedule import longest_pause_s, parse_schedule
from hamnd.model.filesets import FileSet, SetKind, SetMode
from hamnd.settings.problem import Problem, error, warning
from hamnd.settings.reader import Values

SECTION = "files.set"
OFTEN, HOURLY = "*/10 * * * *", "17 * * * *"
NIGHTLY_RUN_S = 3600.0
"""What a site's own copying may take before a set that it copies is told to be stale."""
SMALL: Mapping[str, Any] = MappingProxyType(
    {"kind": "atomic", "cron": OFTEN, "stale_after_s": 3600.0, "timeout_s": 120.0}
)

NEVER = {
    "/etc/xcat/cfgloc": "names this node's own database, with its password",
    "/etc/xcat/ha_mn": "is the state of another tool on that node",
    "/etc/xcat/console.lock": "is the state of another tool on that node",
    "/etc/ssh": "holds that node's own host keys",
    "/root/.ssh/authorized_keys": "says who may log in on that node",
    "/root/.ssh/known_hosts": "is each node's own (makeknownhosts)",
    "/root/.ssh/config": "is each node's own",
    "/.ssh/authorized_keys": "says who may log in on that node",
    "/.ssh/known_hosts": "is each node's own (makeknownhosts)",
    "/.ssh/config": "is each node's own",
    "/etc/machine-id": "is that machine's own",
    "/etc/hostname": "is that machine's own",
    "/etc/sysconfig/network-scripts": "holds that machine's own addresses",
    "/etc/sysconfig/network": "holds that machine's own addresses",
    "/etc/NetworkManager": "holds that machine's own addresses",
    "/etc/netplan": "holds that machine's own addresses",
    "/etc/network": "holds that machine's own addresses",
    "/etc/passwd": "has accounts of its own on each node: merge it",
    "/etc/group": "has accounts of its own on each node: merge it",
    "/etc/shadow": "has accounts of its own on each node: merge it",
    "/etc/security/passwd": "has accounts of its own on each node: merge it",
    "/etc/security/group": "has accounts of its own on each node: merge it",
    "/etc/security/limits": "has accounts of its own on each node: merge it",
    "/etc/services": "differs per node (DB2_HADR_1 and _2): merge it",
    "/opt/xcat": "comes with the packages: install the same on both nodes",
    "/etc/xCATMN": "exists on both nodes",
    "/var/lib/pgsql": "is the database's, which is replicated",
    "/var/lib/postgresql": "is the database's, which is replicated",
    "/var/lib/mysql": "is the database's, which is replicated",
    "/var/lib/db2": "is the database's, which is replicated",
    "/etc/ntp.conf": "is each node's own",
    "/etc/chrony.conf": "is each node's own",
    "/etc/hamnd": "is each node's own",
}
ANEW = {
    "/etc/named.conf": "makedns -n",
    "/var/named": "makedns -n",
    "/etc/rndc.key": "makedns -n",
    "/etc/bind": "makedns -n",
    "/var/lib/bind": "makedns -n",
    "/etc/dhcp": "makedhcp -n",
    "/etc/kea": "makedhcp -n",
    "/etc/sysconfig/dhcpd": "makedhcp -n",
    "/etc/default/isc-dhcp-server": "makedhcp -n",
    "/etc/dhcpsd.cnf": "makedhcp or NIM",
    "/etc/conserver.cf": "makeconservercf",
    "/etc/goconserver": "makegocons",
    "/tftpboot": "nodeset and mknb",
}
"""Files that name the node that wrote them: a takeover writes them anew, by these commands."""
REFUSED = {**NEVER, **{path: f"is written anew by {by}" for path, by in ANEW.items()}}
TOO_WIDE = ("/", "/etc", "/var", "/var/lib", "/usr", "/root", "/home", "/boot", "/dev", "/proc",
            "/sys", "/run", "/tmp", "/opt", "/bin", "/sbin", "/lib")  # fmt: skip

Table = dict[str, Any]


def build_sets(values: Values) -> tuple[FileSet, ...]:
    """Return the sets that the values describe, the known ones first."""
    tables = {table["name"]: table for table in values.tables.get(SECTION, [])}
    known = known_sets(values)
    names = [*known, *(name for name in tables if name not in known)]
    return tuple(_build(name, known.get(name, {}), tables.get(name, {})) for name in names)


def known_sets(values: Values) -> dict[str, Table]:
    """Return the defaults of the known sets that the site wants."""
    single = values.single
    credentials = tuple(f"{path.rstrip('/')}/" for path in single.get("files.credentials") or ())
    hosts: tuple[str, ...] = ("/etc/hosts",)
    if single.get("identity.mode") == "primary_address":
        hosts = ("/etc/hosts", "/etc/resolv.conf")
    leases = single.get("plan.services.dhcp_leases")
    sets: dict[str, Table] = {
        "credentials": {**SMALL, "paths": credentials, "holds_identity": True},
        "keys": {
            "paths": ("/.ssh/" if single.get("platform") == "aix" else "/root/.ssh/",),
            "only": ("id", "id_*"),
            "exclude": _own_key(single),
            "cron": OFTEN,
            "stale_after_s": 3600.0,
            "timeout_s": 120.0,
        },
        "hosts": {**SMALL, "paths": hosts},
        "install": {
            "paths": ("/install/",),
            "cron": HOURLY,
            "check_cron": "47 * * * *",
            "stale_after_s": 10_800.0,
            "gentle": True,
            "names_osimages": True,
        },
        "leases": {**SMALL, "paths": () if leases is None else (leases,)},
    }
    wanted = single.get("files.sets") or ()
    return {name: one for name, one in sets.items() if name in wanted and one["paths"]}


def _own_key(single: Mapping[str, Any]) -> tuple[str, ...]:
    """With another node's key in its place hamnd could log in nowhere."""
    key = single.get("ssh.key_file")
    return () if key is None else (key, f"{key}.pub")


def _build(name: str, known: Table, table: Table) -> FileSet:
    told = {**known, **{key: value for key, value in table.items() if value is not None}}
    if told.get("mode") == SetMode.OBSERVE:
        told |= _watched(known, table)
    numbers = ("jitter_s", "check_timeout_s", "stale_after_s", "timeout_s", "whole_after_s")
    fields: dict[str, Any] = {key: told[key] for key in numbers if key in told}
    for key in ("cron", "check_cron", "bandwidth_kib", "holds_identity", "names_osimages", "only"):
        if key in told:
            fields[key] = told[key]
    if "may_delete_percent" in told:
        fields["may_delete_percent"] = float(told["may_delete_percent"])
    own = known.get("exclude", ())
    return FileSet(
        name=name,
        paths=told["paths"],
        kind=SetKind(told.get("kind", "tree")),
        mode=SetMode(told.get("mode", "pull")),
        exclude=(*own, *(one for one in told.get("exclude", ()) if one not in own)),
        is_gentle=told.get("gentle", False),
        **fields,
    )


def _watched(known: Table, table: Table) -> Table:
    """Return when a set that others copy is compared, and how old it may be by their schedule."""
    theirs = table.get("cron")
    ours = table.get("check_cron") or known.get("check_cron") or known.get("cron") or HOURLY
    found: Table = {"check_cron": ours, "cron": theirs or ""}
    pause_s = longest_pause_s(parse_schedule(theirs)) if theirs else None
    between_s = longest_pause_s(parse_schedule(ours))
    if table.get("stale_after_s") is None and pause_s is not None and between_s is not None:
        found["stale_after_s"] = pause_s + between_s + NIGHTLY_RUN_S
    return found


def check(values: Values) -> list[Problem]:
    """Return every broken relation among the file sets."""
    problems: list[Problem] = []
    tables = values.tables.get(SECTION, [])
    known = known_sets(values)
    seen: dict[str, str] = {}
    for number, table in enumerate(tables):
        where = f"{SECTION}[{number}]"
        name = table.get("name")
        if any(one.get("name") == name for one in tables[:number]):
            problems.append(error(f"{where}.name", "is the name of an earlier set too"))
            continue
        problems += _table(where, table, known.get(str(name), {}))
    ordered = [(f"{SECTION}[{at}]", table) for at, table in enumerate(tables)]
    for where, table in ordered:
        problems += _overlaps(where, table, seen)
    return problems


def _table(where: str, table: Table, known: Table) -> Iterator[Problem]:
    paths = table.get("paths") or known.get("paths") or ()
    if not paths and "name" in table and "paths" in table:
        yield error(f"{where}.paths", "is missing: hamnd knows no set of that name",
                    hint='for example paths = ["/data/images/"]')  # fmt: skip
    if table.get("override") and not table.get("reason"):
        yield error(f"{where}.reason", "is missing: override needs one", hint="say why it is right")
    overridden = tuple(one.rstrip("/") for one in table.get("override") or ())
    if not table.get("reason"):
        overridden = ()
    excluded = tuple(one.rstrip("/") for one in table.get("exclude") or ())
    for path in table.get("paths") or ():
        yield from _path(f"{where}.paths", path, overridden, excluded)
    for one in excluded:
        if not any(f"{one}/".startswith(path) for path in paths if path.endswith("/")):
            yield error(f"{where}.exclude", "is not below a path of the set", value=f'"{one}"')
    if table.get("kind") == "atomic" and excluded:
        yield error(f"{where}.exclude", "has no place in an atomic set, which is switched whole")
    if table.get("mode") == "observe" and table.get("stale_after_s") is None:
        yield from _watched_without_a_word(where, table)


def _watched_without_a_word(where: str, table: Table) -> Iterator[Problem]:
    """Without the site's own schedule nobody can tell a late copy from one that is not due."""
    theirs = table.get("cron")
    if theirs and longest_pause_s(parse_schedule(theirs)) is not None:
        return
    why = "names days of the month" if theirs else "is not set"
    told = f"{why}: how old this site's own copy may be is not known from it"
    hint = 'cron = "0 2 * * *" when it copies every night at two, or stale_after_s'
    yield warning(f"{where}.cron", told, hint=hint)


def _path(
    where: str, path: str, overridden: tuple[str, ...], excluded: tuple[str, ...]
) -> Iterator[Problem]:
    bare = path.rstrip("/") or "/"
    if "/../" in f"{path}/" or "//" in path or "/./" in path:
        yield error(where, "is not a plain path", value=f'"{path}"')
        return
    if bare in TOO_WIDE and bare not in overridden:
        yield error(where, "is a directory of the system: name what is wanted in it",
                    value=f'"{path}"')  # fmt: skip
        return
    for refused, why in REFUSED.items():
        inside = f"{bare}/".startswith(f"{refused}/")
        contains = path.endswith("/") and f"{refused}/".startswith(path)
        if (inside or contains) and refused not in overridden and refused not in excluded:
            told = f"{'is' if inside else 'holds'} {refused}, which {why}: it is never copied"
            hint = f'leave it out, or: override = ["{refused}"] and a reason'
            yield error(where, told, value=f'"{path}"', hint=hint)


def _overlaps(where: str, table: Table, seen: dict[str, str]) -> Iterator[Problem]:
    name = str(table.get("name"))
    for path in table.get("paths") or ():
        bare = path.rstrip("/") + "/"
        other = next(
            (
                known
                for known, owner in seen.items()
                if owner != name and (known.startswith(bare) or bare.startswith(known))
            ),
            None,
        )
        if other is not None:
            told = f'overlaps "{other}" of set {seen[other]}: two runs would fight over it'
            yield error(f"{where}.paths", told, value=f'"{path}"')
        seen[bare] = name
