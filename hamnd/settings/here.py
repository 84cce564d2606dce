"""What a valid configuration needs from this host: files, programs, users, addresses.

Owns `check_host`, which only reads. Must not know TOML or any adapter. It lives beside the
settings, not among the adapters, because `hamnctl check-config --here` asks it too.
"""

from __future__ import annotations

import grp
import importlib.util
import os
import pwd
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from hamnd.model.site import Platform, Site, Transport
from hamnd.settings.filesets import TOO_WIDE, never_copied
from hamnd.settings.problem import Problem, error, warning

_SERVER_PROGRAMS = ("pg_ctl", "pg_basebackup", "pg_rewind", "pg_controldata", "pg_waldump")
_LINUX_TOOLS = ("ping", "ip", "arping", "systemctl", "crontab")
_AIX_TOOLS = (
    "ping", "crontab", "lssrc", "startsrc", "stopsrc", "lsitab", "mkitab", "chitab", "rmitab",
    "ifconfig", "netstat", "errpt",
)  # fmt: skip
_AIX_RENAMING_TOOLS = ("mktcpip", "lsattr", "uname", "setuname", "hostname")
_ENGINE_TOOLS = {
    "postgresql": ("psql",),
    "mariadb": ("mariadb",),
    "sqlite": ("python3",),
    "dump": ("python3", "psql", "pg_restore"),
}
_XCAT_TOOLS = ("lsxcatd", "lsdef", "mkdef", "rmdef")


def check_host(site: Site) -> tuple[Problem, ...]:
    """Return what this host lacks for the site; an error means that hamnd cannot work here."""
    return (
        *_people(site),
        *_address(site),
        *_programs(site),
        *_fence(site),
        *_ssh(site),
        *_ENGINES[site.engine](site),
        *_metrics(site),
        *_directories(site),
        *_links(site),
    )


def _links(site: Site) -> Iterator[Problem]:
    """What a set's path leads to, if it is a link here: the name alone does not tell."""
    for path in (path for one in site.file_sets for path in one.paths):
        real = os.path.realpath(path)
        if real == path.rstrip("/"):
            continue
        slash = "/" if path.endswith("/") else ""
        said = [told for _, told in never_copied(f"{real}{slash}", site.paths.state_dir)]
        if real in TOO_WIDE:
            said.append("is a directory of the system")
        for told in said:
            yield error("files", f"leads to {real} here, which {told}", value=f'"{path}"')


def _people(site: Site) -> Iterator[Problem]:
    try:
        grp.getgrnam(site.operators)
    except KeyError:
        yield error(
            "operators",
            "there is no such group on this host",
            value=f'"{site.operators}"',
            hint=f"groupadd {site.operators}, or name an existing group",
        )
    for name in site.operators_users:
        if not _has_user(name):
            yield warning(
                "operators_users", "there is no such user on this host", value=f'"{name}"'
            )


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _is_ours(address: str) -> bool | None:
    """Whether an address is on this host; None when the host does not tell.

    Binding is refused with EADDRNOTAVAIL for an address that no interface carries (ip(7)).
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def _address(site: Site) -> Iterator[Problem]:
    own = site.own
    role = "standby" if site.is_on_standby else "primary"
    if not _is_ours(own.address):
        yield warning(
            f"{role}.address",
            f'no interface of this host carries it, although node = "{site.node}"',
            value=f'"{own.address}"',
            hint="is this the other node's file? `node` is the line that differs",
        )
    if _is_ours(site.gateway) and not site.gateway.startswith("127."):
        yield error(
            "network.gateway",
            "is an address of this host: it cannot prove that our own path works",
            value=f'"{site.gateway}"',
        )
    if site.platform is Platform.LINUX and Path("/sys/class/net").is_dir():
        for number, address in enumerate(site.identity):
            if not Path("/sys/class/net", address.interface).exists():
                yield error(
                    f"identity.address[{number}].interface",
                    "there is no such interface on this host",
                    value=f'"{address.interface}"',
                    hint=f"known: {', '.join(sorted(os.listdir('/sys/class/net')))}",
                )


def _needed_tools(site: Site) -> Iterator[str]:
    yield from _LINUX_TOOLS if site.platform is Platform.LINUX else _AIX_TOOLS
    yield from _XCAT_TOOLS
    if site.ssh.transport is Transport.OPENSSH or site.file_sets:
        yield "ssh"
    if site.file_sets:
        yield "rsync"
    if any(one.holds_identity for one in site.file_sets):
        yield "openssl"
    yield from _ENGINE_TOOLS.get(site.engine, ())
    if site.services.dns:
        yield "makedns"
    if site.services.dhcp and site.platform is Platform.LINUX:
        yield "makedhcp"
    if site.takes_primary_address and site.platform is Platform.AIX:
        yield from _AIX_RENAMING_TOOLS
    consoles = {"conserver": "makeconservercf", "goconserver": "makegocons"}
    if site.services.consoles in consoles:
        yield consoles[site.services.consoles]


def _programs(site: Site) -> Iterator[Problem]:
    for name in _needed_tools(site):
        wanted = site.tool(name)
        if shutil.which(wanted, path=site.tool_path) is None:
            where = "it does not exist or may not be run"
            if "/" not in wanted:
                where = f"it is not in tools.path ({site.tool_path})"
            yield error(
                f"tools.{name}",
                f"this program cannot be started: {where}",
                value=f'"{wanted}"',
                hint="install it, or give its absolute path",
            )


def _file(path: str, name: str, *, secret: bool) -> Iterator[Problem]:
    """Check that a file can be read, and that a secret one is nobody else's to read."""
    shown = f'"{path}"'
    try:
        mode = Path(path).stat()
    except OSError as missing:
        yield error(name, f"cannot be read: {missing.strerror}", value=shown)
        return
    if not stat.S_ISREG(mode.st_mode):
        yield error(name, "is not a file", value=shown)
    elif not os.access(path, os.R_OK):
        yield error(name, "may not be read by this user", value=shown)
    elif secret and mode.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield error(
            name,
            f"holds a secret that others may read (mode {stat.S_IMODE(mode.st_mode):04o})",
            value=shown,
            hint=f"chmod 600 {path}",
        )


def _fence(site: Site) -> Iterator[Problem]:
    agent = site.fence.agent
    if agent is not None and not (Path(agent).is_file() and os.access(agent, os.X_OK)):
        yield error(
            "fence.agent",
            "this agent does not exist or may not be run",
            value=f'"{agent}"',
            hint="on most distributions it is in package fence-agents",
        )
    for name, path in site.fence.secret_files.items():
        yield from _file(path, f"fence.secret_files.{name}", secret=True)


def has_library() -> bool:
    """Whether asyncssh is installed; the packages and AIX do without it."""
    return importlib.util.find_spec("asyncssh") is not None


def _ssh(site: Site) -> Iterator[Problem]:
    if site.ssh.transport is Transport.ASYNCSSH and not has_library():
        yield error(
            "ssh.transport",
            "this hamnd is installed without the library asyncssh (the packages bring none)",
            value='"asyncssh"',
            hint='transport = "openssh": the ssh program takes its place',
        )
    yield from _file(site.ssh.key_file, "ssh.key_file", secret=True)
    yield from _file(site.ssh.known_hosts_file, "ssh.known_hosts_file", secret=False)


def _db2(site: Site) -> Iterator[Problem]:
    if not _has_user(site.db2.instance_owner):
        yield error(
            "replication.db2.instance_owner",
            "there is no such user on this host",
            value=f'"{site.db2.instance_owner}"',
        )
    if site.db2.profile is not None:
        yield from _file(site.db2.profile, "replication.db2.profile", secret=False)
    for name in ("db2", "db2pd"):
        # A bare name is found by the instance owner's profile, which this check does not run.
        wanted = site.tool(name)
        if wanted.startswith("/") and not os.access(wanted, os.X_OK):
            yield error(
                f"tools.{name}",
                "this program does not exist or may not be run",
                value=f'"{wanted}"',
            )


def _postgresql(site: Site) -> Iterator[Problem]:
    where = site.postgresql
    if not _has_user(where.os_user):
        yield error(
            "replication.postgresql.os_user",
            "there is no such user on this host",
            value=f'"{where.os_user}"',
        )
    if where.passfile is not None:
        yield from _file(where.passfile, "replication.postgresql.passfile", secret=True)
    if where.replication_passfile is not None:
        path = "replication.postgresql.replication_passfile"
        yield from _file(where.replication_passfile, path, secret=True)
    if where.program_dir is not None:
        lacking = [one for one in _SERVER_PROGRAMS if not (Path(where.program_dir) / one).exists()]
        if lacking:
            yield error(
                "replication.postgresql.program_dir",
                f"{', '.join(lacking)} are not there",
                value=f'"{where.program_dir}"',
                hint="such as /usr/lib/postgresql/15/bin (package postgresql-15)",
            )
    if where.socket_dir is not None and not Path(where.socket_dir).is_dir():
        yield error(
            "replication.postgresql.socket_dir",
            "there is no such directory on this host",
            value=f'"{where.socket_dir}"',
        )


def _sqlite(site: Site) -> Iterator[Problem]:
    directory = Path(site.sqlite.directory)
    shown = f'"{directory}"'
    if directory.is_symlink() or (directory.exists() and directory.is_mount()):
        what = "a symbolic link" if directory.is_symlink() else "a file system of its own"
        yield error(
            "replication.sqlite.directory",
            f"is {what}, and could not be switched in one rename",
            value=shown,
            hint="use a directory below it, and name it in cfgloc (SQLite:/path)",
        )


def _metrics(site: Site) -> Iterator[Problem]:
    where = site.metrics
    for name, path, is_secret in (
        ("certificate_file", where.certificate_file, False),
        ("key_file", where.key_file, True),
        ("users_file", where.users_file, True),
    ):
        if path is not None:
            yield from _file(path, f"metrics.{name}", secret=is_secret)


def _shared_disk(site: Site) -> Iterator[Problem]:
    if site.shared_disk.volume_group is None or site.platform is not Platform.LINUX:
        return
    for name in ("vgs", "vgchange"):
        if shutil.which(site.tool(name), path=site.tool_path) is None:
            told = "this program cannot be started, and the volume group needs it"
            yield error(f"tools.{name}", told, value=f'"{site.tool(name)}"', hint="install lvm2")


def _dump(site: Site) -> Iterator[Problem]:
    if not _has_user(site.dump.os_user):
        yield error(
            "replication.dump.os_user",
            "there is no such user on this host",
            value=f'"{site.dump.os_user}"',
        )


def _mariadb(site: Site) -> Iterator[Problem]:
    where = site.mariadb
    if not _has_user(where.os_user):
        yield error(
            "replication.mariadb.os_user",
            "there is no such user on this host",
            value=f'"{where.os_user}"',
        )
    if where.defaults_file is not None:
        yield from _file(where.defaults_file, "replication.mariadb.defaults_file", secret=True)
    if where.socket is not None and not Path(where.socket).parent.is_dir():
        yield error(
            "replication.mariadb.socket",
            "its directory does not exist on this host",
            value=f'"{where.socket}"',
        )
    if not Path(where.replication_file).exists():
        yield warning(
            "replication.mariadb.replication_file",
            "does not exist: set-up and rejoin will not work",
            value=f'"{where.replication_file}"',
        )


def _directories(site: Site) -> Iterator[Problem]:
    places = {
        "paths.state_dir": Path(site.paths.state_dir),
        "paths.socket": Path(site.paths.socket).parent,
    }
    for name, directory in places.items():
        standing = next(path for path in (directory, *directory.parents) if path.exists())
        if not standing.is_dir():
            yield error(name, f"{standing} is not a directory", value=f'"{directory}"')
        elif not os.access(standing, os.W_OK | os.X_OK):
            yield error(
                name,
                f"this user may not write into {standing}",
                value=f'"{directory}"',
                hint="hamnd runs as root",
            )


_ENGINES = {
    "db2": _db2,
    "postgresql": _postgresql,
    "mariadb": _mariadb,
    "sqlite": _sqlite,
    "dump": _dump,
    "shared_disk": _shared_disk,
}
"""What each engine needs of this host besides programs."""
