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
    "/etc/machine-id": "is that machine's own",
    "/etc/hostname": "is that machine's own",
    "/etc/HOSTNAME": "is that machine's own",
    "/etc/objrepos": "is that machine's own",
    "/etc/niminfo": "is that machine's own",
    "/etc/sysconfig/network-scripts": "holds that machine's own addresses",
    "/etc/sysconfig/network": "holds that machine's own addresses",
    "/etc/NetworkManager": "holds that machine's own addresses",
    "/etc/netplan": "holds that machine's own addresses",
    "/etc/network": "holds that machine's own addresses",
    "/etc/systemd/network": "holds that machine's own addresses",
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
    "/etc/chrony": "is each node's own",
    "/etc/hamnd": "is each node's own",
    "/var/lib/hamnd": "is hamnd's own: the journal, the epoch and what is known of each node",
    "/var/lib/nfs": "is the state of that node's own NFS server",
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
IN_ANY_SSH = {
    "authorized_keys": "says who may log in on that node",
    "known_hosts": "is each node's own (makeknownhosts)",
    "config": "is each node's own",
}
"""Below the .ssh of whomever."""
TOO_WIDE = ("/", "/etc", "/var", "/var/lib", "/usr", "/root", "/home", "/boot", "/dev", "/proc",
            "/sys", "/run", "/tmp", "/opt", "/bin", "/sbin", "/lib", "/lib64")  # fmt: skip
ONLY_TREES = ("exclude", "bandwidth_kib", "gentle", "may_delete_percent", "whole_after_s")
"""Keys that say nothing of a set that is staged, compared as a whole and switched."""

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
    own = str(values.single.get("paths.state_dir") or "/var/lib/hamnd")
    for number, table in enumerate(tables):
        where = f"{SECTION}[{number}]"
        name = table.get("name")
        if any(one.get("name") == name for one in tables[:number]):
            problems.append(error(f"{where}.name", "is the name of an earlier set too"))
            continue
        problems += _table(where, table, known.get(str(name), {}), own)
    by_name = {str(table.get("name")): table for table in tables}
    for path in values.single.get("files.credentials") or ():
        told = _overridden(by_name.get("credentials", {}))
        problems += _path("files.credentials", f"{path.rstrip('/')}/", told, (), own)
    problems += _overlaps(tables, known)
    return problems


def _overridden(table: Table) -> tuple[str, ...]:
    told = table.get("override") if table.get("reason") else None
    return tuple(one.rstrip("/") for one in told or ())


def _table(where: str, table: Table, known: Table, own: str) -> Iterator[Problem]:
    paths = table.get("paths") or known.get("paths") or ()
    if not paths and "name" in table and "paths" in table:
        yield error(f"{where}.paths", "is missing: hamnd knows no set of that name",
                    hint='for example paths = ["/data/images/"]')  # fmt: skip
    if table.get("override") and not table.get("reason"):
        yield error(f"{where}.reason", "is missing: override needs one", hint="say why it is right")
    excluded = tuple(one.rstrip("/") for one in table.get("exclude") or ())
    for path in table.get("paths") or ():
        yield from _path(f"{where}.paths", path, _overridden(table), excluded, own)
    for one in excluded:
        if not _is_plain(one):
            yield error(f"{where}.exclude", "is not a plain path", value=f'"{one}"')
        elif not any(f"{one}/".startswith(path) for path in paths if path.endswith("/")):
            yield error(f"{where}.exclude", "is not below a path of the set", value=f'"{one}"')
    if (table.get("kind") or known.get("kind")) == "atomic":
        for key in ONLY_TREES:
            if table.get(key) is not None:
                told = "has no place in an atomic set, which is staged and switched as a whole"
                yield error(f"{where}.{key}", told)
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


def _is_plain(path: str) -> bool:
    return "//" not in path and not {".", ".."} & set(path.split("/"))


def _path(
    where: str, path: str, overridden: tuple[str, ...], excluded: tuple[str, ...], own: str
) -> Iterator[Problem]:
    bare = path.rstrip("/") or "/"
    if not _is_plain(path):
        yield error(where, "is not a plain path", value=f'"{path}"')
        return
    if bare in TOO_WIDE and bare not in overridden:
        yield error(where, "is a directory of the system: name what is wanted in it",
                    value=f'"{path}"')  # fmt: skip
        return
    for refused, told in never_copied(path, own):
        if refused not in overridden and refused not in excluded:
            hint = f'leave it out, or: override = ["{refused}"] and a reason'
            yield error(where, told, value=f'"{path}"', hint=hint)


def never_copied(path: str, own: str) -> Iterator[tuple[str, str]]:
    """Yield what of a path, a directory with its slash, is never copied, and what is said of it."""
    bare = path.rstrip("/")
    for refused, why in refusals(bare, own).items():
        is_inside = f"{bare}/".startswith(f"{refused}/")
        if is_inside or (path.endswith("/") and f"{refused}/".startswith(path)):
            word = "is" if is_inside else "holds"
            yield refused, f"{word} {refused}, which {why}: it is never copied"


def refusals(path: str, own: str = "/var/lib/hamnd") -> dict[str, str]:
    """Return what must never be copied, with the reason, as far as it could be in this path.

    `own` is hamnd's own folder.
    """
    found = {**REFUSED, own.rstrip("/"): NEVER["/var/lib/hamnd"]}
    home, ssh, _ = f"{path}/".partition("/.ssh/")
    if ssh:
        found |= {f"{home}/.ssh/{name}": why for name, why in IN_ANY_SSH.items()}
    if path.startswith("/etc/xcat/") and path.endswith(".sqlite"):
        found[path] = "is the database's, which is replicated"
    return found


def _overlaps(tables: list[Table], known: Mapping[str, Table]) -> Iterator[Problem]:
    """Two runs would fight over a path of two sets; one that leaves it out does not."""
    by_name = {str(table.get("name")): table for table in tables}
    seen: list[tuple[str, str, tuple[str, ...]]] = []
    for name in (*(one for one in known if one not in by_name), *by_name):
        table = by_name.get(name, {})
        if table.get("mode") == SetMode.OFF:
            continue
        at = next((at for at, one in enumerate(tables) if one is table), None)
        where = "files.sets" if at is None else f"{SECTION}[{at}].paths"
        left_out = tuple(f"{one.rstrip('/')}/" for one in table.get("exclude") or ())
        for path in table.get("paths") or known.get(name, {}).get("paths") or ():
            bare = f"{path.rstrip('/')}/"
            for other, owner, others_leave_out in seen:
                is_inside = bare.startswith(other) and not bare.startswith(others_leave_out)
                is_around = other.startswith(bare) and not other.startswith(left_out)
                if is_inside or is_around:
                    told = f'overlaps "{other}" of set {owner}: two runs would fight over it'
                    yield error(where, told, value=f'"{path}"')
            seen.append((bare, name, left_out))
