"""Stand-ins for xCAT's commands, behaving as measured in xcat-hamn.md §4.3, §4.4 and §9.

Owns lsxcatd, mkdef, chdef, lsdef, rmdef, tabdump, makedns, makedhcp, makeconservercf: exit 111
without xcatd, "Permission denied for request" without a database, success that stored nothing on a
read-only one. MUST NOT know sockets; the real TLS request is answered in `xcatd`.
"""

from __future__ import annotations

from collections.abc import Callable

from hamnd.demo.answers import HANGS, Answer, Request
from hamnd.demo.db2_node import Change
from hamnd.demo.machines import (
    INTERFACE,
    MANAGERS,
    NETWORK,
    NODES,
    SERVICE_ADDRESS,
    SERVICE_NAME,
    DatabaseAccess,
    UnitState,
)

VERSION = "Version 2.16.5 (git commit 7733d16f8de0)"
DENIED = "Error: Permission denied for request\n"
NO_DAEMON = 111
CLIENT_S = 0.3
TABLES = {
    "networks": (
        "#netname,net,mask,mgtifname,gateway,dhcpserver,tftpserver,nameservers,comments,disable\n"
        f'"cluster","{NETWORK}.64","255.255.255.192","{INTERFACE}","{NETWORK}.126",,'
        f'"{SERVICE_ADDRESS}","{SERVICE_ADDRESS}",,\n'
    ),
    "policy": (
        "#priority,name,host,commands,noderange,parameters,time,rule,comments,disable\n"
        + "".join(
            f'"1.{number}","{name}",,,,,,"trusted",,\n'
            for number, name in enumerate((*MANAGERS, SERVICE_NAME), start=2)
        )
    ),
    "noderes": "#node,servicenode,netboot,tftpserver,nfsserver,xcatmaster,comments,disable\n",
    "nodehm": "#node,power,mgt,cons,conserver,comments,disable\n",
    "osimage": "#imagename,groups,provmethod,osvers,osarch,comments,disable\n",
    "nimimage": "#imagename,nimtype,lpp_source,spot,root,comments,disable\n",
    "nodetype": "#node,os,arch,profile,provmethod,comments,disable\n",
}
"""Tables that nothing in the demo changes."""
CONNECT_TIMEOUT_S = 15.0


def _unreachable(request: Request, where: str, why: str, seconds: float) -> Answer:
    text = (
        f"Unable to open socket connection to xcatd daemon on {where}.\n"
        "Verify that the xcatd daemon is running and that your SSL setup is correct.\n"
    )
    failure = f"Connection failure: IO::Socket::INET: connect: {why} at Client.pm line 242.\n"
    return Answer(text, NO_DAEMON, seconds * request.scale, stderr=failure)


def _server(request: Request) -> str | Answer:
    """Return the machine whose xcatd answers this client, or what the client says instead."""
    site = request.site
    where = request.xcat_host or "localhost:3001"
    name = where.rpartition(":")[0] or where
    if name in ("localhost", "127.0.0.1"):
        holder: str | None = request.machine
    else:
        address = site.resolve(name)
        holder = site.holder(address, request.machine) if address else None
    if holder is None or not site.pings(request.machine, holder):
        return _unreachable(request, where, "Connection timed out", CONNECT_TIMEOUT_S)
    unit = site.unit(holder, "xcatd")
    if unit is None or unit.state is not UnitState.ACTIVE:
        return _unreachable(request, where, "Connection refused", 0.1)
    if unit.hangs or not site.talks(request.machine, holder):
        return HANGS  # the client has no time limit of its own
    return holder


def _with_xcatd(work: Callable[[Request, str], Answer]) -> Callable[[Request], Answer]:
    """Let a command through only when an xcatd with a readable database answers it."""

    def stand_in(request: Request) -> Answer:
        server = _server(request)
        if isinstance(server, Answer):
            return server
        if request.site.database(server) is DatabaseAccess.DOWN:
            return Answer("", 1, CLIENT_S * request.scale, stderr=DENIED)
        return work(request, server)

    stand_in.__doc__ = work.__doc__
    return stand_in


def _error(request: Request, server: str, text: str, exit_code: int = 1) -> Answer:
    line = f"Error: [{server}]: {text}\n"
    return Answer("", exit_code, CLIENT_S * request.scale, stderr=line)


@_with_xcatd
def lsxcatd(request: Request, _: str) -> Answer:
    """Print version (-v), kind (-t), database (-d), or all of them (-a)."""
    config = request.site.pair.config
    database = (
        f"cfgloc=DB2:{config.database}|{config.instance}\ndbengine=DB2\n"
        f"dbinstance={config.instance}\ndbname={config.database}\ndbloc=/home/{config.instance}\n"
    )
    parts = {
        "-v": VERSION + "\n",
        "-t": "This is a Management Node\n",
        "-d": database,
    }
    wanted = list(parts) if "-a" in request.argv else request.argv
    text = "".join(parts.get(option, "") for option in wanted)
    return Answer(text, 0 if text else 1, CLIENT_S * request.scale)


def _definition(request: Request) -> tuple[str, str, dict[str, str], list[str]]:
    """Read `-t KIND`, `-o NAME`, the object's name, attr=value pairs and -i attributes."""
    kind, name, attributes, wanted = "node", "", {}, []
    words = list(request.argv)
    while words:
        word = words.pop(0)
        if word == "-t" and words:
            kind = words.pop(0)
        elif word == "-o" and words:
            name = words.pop(0)
        elif word == "-i" and words:
            wanted = words.pop(0).split(",")
        elif "=" in word and not word.startswith("-"):
            key, _, value = word.partition("=")
            attributes[key] = value
        elif not word.startswith("-") and not name:
            name = word
    return kind, name, attributes, wanted


def _store(request: Request, server: str, change: Change, done: str) -> Answer:
    """Store a change; on a read-only database the same success is printed and nothing is stored."""
    site = request.site

    def store(at: float) -> None:
        site.pair.write(server, change, at)

    seconds = CLIENT_S * request.scale
    if site.database(server) is DatabaseAccess.READ_ONLY:
        return Answer(done, 0, seconds)
    # A commit that waits for the standby or for the end of the peer window holds xcatd up.
    return Answer(done, 0, seconds, then=store, until=lambda: site.pair.is_writable(server))


@_with_xcatd
def mkdef(request: Request, server: str) -> Answer:
    """Create an object."""
    kind, name, attributes, _ = _definition(request)
    if not name:
        return _error(request, server, "No object names were provided.")
    exists = name in request.site.objects(server, kind)
    if exists and "-f" not in request.argv:
        return _error(request, server, f"Could not create object '{name}', it already exists.")
    value = "\n".join(f"{key}={text}" for key, text in sorted(attributes.items()))
    done = "1 object definitions have been created or modified.\n"
    return _store(request, server, Change(f"xcat.{kind}", name, value), done)


@_with_xcatd
def chdef(request: Request, server: str) -> Answer:
    """Change an object; on a read-only database this one does say that it failed."""
    kind, name, attributes, _ = _definition(request)
    old = request.site.objects(server, kind).get(name)
    if old is None:
        text = f"Could not find an object named '{name}' of type '{kind}'."
        return _error(request, server, text)
    if request.site.database(server) is DatabaseAccess.READ_ONLY:
        text = "One or more errors occured when attempting to create or modify xCAT object"
        return _error(request, server, f"{text} definitions.")
    pairs = dict(line.partition("=")[::2] for line in old.splitlines()) | attributes
    value = "\n".join(f"{key}={text}" for key, text in sorted(pairs.items()))
    done = "1 object definitions have been created or modified.\n"
    return _store(request, server, Change(f"xcat.{kind}", name, value), done)


@_with_xcatd
def lsdef(request: Request, server: str) -> Answer:
    """Print one object, or the names of all."""
    kind, name, _, wanted = _definition(request)
    objects = request.site.objects(server, kind)
    seconds = CLIENT_S * request.scale
    if kind == "site":
        settings = "\n".join(f"{key}={value}" for key, value in sorted(objects.items()))
        name, objects = "clustersite", {"clustersite": settings}
    if not name and "-l" in request.argv:
        return Answer(
            "".join(_shown(one, text) for one, text in sorted(objects.items())), 0, seconds
        )
    if not name:
        return Answer("".join(f"{one}  ({kind})\n" for one in sorted(objects)), 0, seconds)
    if name not in objects:
        text = f"Could not find an object named '{name}' of type '{kind}'."
        return _error(request, server, text)
    lines = objects[name].splitlines()
    if wanted:
        found = dict(line.partition("=")[::2] for line in lines)
        lines = [f"{key}={found.get(key, '')}" for key in wanted]
    return Answer(_shown(name, "\n".join(lines)), 0, seconds)


def _shown(name: str, attributes: str) -> str:
    body = "".join(f"    {line}\n" for line in attributes.splitlines())
    return f"Object name: {name}\n{body}"


@_with_xcatd
def rmdef(request: Request, server: str) -> Answer:
    """Remove an object."""
    kind, name, _, _ = _definition(request)
    if name not in request.site.objects(server, kind):
        text = f"Could not find an object named '{name}' of type '{kind}'."
        return _error(request, server, text)
    done = "1 object definitions have been removed.\n"
    return _store(request, server, Change(f"xcat.{kind}", name, None), done)


@_with_xcatd
def tabdump(request: Request, server: str) -> Answer:
    """Print a table as xCAT's comma-separated text."""
    table = next((word for word in request.argv if not word.startswith("-")), "")
    seconds = CLIENT_S * request.scale
    if not table:
        return Answer("nodelist\nsite\n", 0, seconds)
    if table == "site":
        site = request.site.objects(server, "site")
        rows = "".join(f'"{key}","{value}",,\n' for key, value in sorted(site.items()))
        return Answer(f"#key,value,comments,disable\n{rows}", 0, seconds)
    if table == "nodelist":
        names = sorted(request.site.objects(server, "node"))
        rows = "".join(f'"{name}",,,,,,,,,,,,,\n' for name in names)
        return Answer(f"#node,groups,status\n{rows}", 0, seconds)
    if table in TABLES:
        return Answer(TABLES[table], 0, seconds)
    return Answer("", 1, seconds, stderr=f"Error: No such table: {table}\n")


def rpm(request: Request) -> Answer:
    """Print the installed packages of xCAT (-qa --qf), or a package's changed files: none (-V)."""
    if "-V" in request.argv or not any("xCAT" in word for word in request.argv):
        return Answer()
    layout = next((word for word in request.argv if "%{NAME}" in word), "%{NAME}\\n")
    line = layout.replace("%{VERSION}", "2.16.5").replace("%{RELEASE}", "snap202303061435")
    names = ("perl-xCAT", "xCAT", "xCAT-client", "xCAT-server")
    return Answer("".join(line.replace("%{NAME}", one) for one in names).replace("\\n", "\n"))


@_with_xcatd
def makedns(request: Request, server: str) -> Answer:
    """Write the zones, restart named (-n), and fill them."""
    site = request.site
    unit = site.unit(server, "named")
    seconds = 3.6 * request.scale
    if "-n" in request.argv and unit is not None and unit.is_broken:
        unit.state = UnitState.FAILED
        line = f"Error: [{server}]: failed to start named.\n"
        return Answer("", 1, seconds, stderr=line)
    names = [*sorted(site.objects(server, "node")), SERVICE_NAME]

    def fill(at: float) -> None:
        if "-n" in request.argv:
            site.set_unit(server, "named", UnitState.ACTIVE, at)
        if site.is_active(server, "named"):
            site.machines[server].zone = {*names, *site.pair.nodes}

    text = "".join(f"Handling {name} in /etc/hosts.\n" for name in names)
    text += "Getting reverse zones, this may take several minutes for a large cluster.\n"
    text += "Completed getting reverse zones.\nUpdating zones.\nCompleted updating zones.\n"
    if "-n" in request.argv:
        text += "Restarting named\nRestarting named complete\n"
    text += "Updating DNS records, this may take several minutes for a large cluster.\n"
    text += "Completed updating DNS records.\nDNS setup is completed\n"
    return Answer(text, 0, seconds, then=fill)


@_with_xcatd
def makedhcp(request: Request, server: str) -> Answer:
    """Write the configuration and restart dhcpd (-n), add reservations (-a), query (-q)."""
    site, argv = request.site, request.argv
    unit = site.unit(server, "dhcpd")
    if "-n" in argv:

        def restart(at: float) -> None:
            site.set_unit(server, "dhcpd", UnitState.ACTIVE, at)
            site.machines[server].reservations = set()

        text = (
            "Renamed existing dhcp configuration file to  /etc/dhcp/dhcpd.conf.xcatbak\n\n"
            f"Warning: [{server}]: No dynamic range specified for {SERVICE_ADDRESS[:-4]}.64."
            " If hardware discovery is being used, a dynamic range is required.\n"
        )
        return Answer(text, 0, 5.5 * request.scale, then=restart)
    if "-a" not in argv and "-q" not in argv:
        return Answer("Usage: makedhcp -n\n\tmakedhcp -a\n\tmakedhcp -q <noderange>\n", 1)
    if unit is None or unit.state is not UnitState.ACTIVE:
        text = "dhcp server is not running.  please start the dhcp server."
        return _error(request, server, text)
    nodes = site.objects(server, "node")
    if "-a" in argv:
        known = {name for name in nodes if "mac=" in nodes[name]}

        def reserve(_: float) -> None:
            site.machines[server].reservations = known

        return Answer("", 0, 1.5 * request.scale, then=reserve)
    wanted = next((word for word in argv if not word.startswith("-")), "")
    names = sorted(nodes) if wanted in ("all", "") else wanted.split(",")
    unknown = [name for name in names if name not in nodes]
    if unknown:
        text = f"Invalid nodes and/or groups in noderange: {','.join(unknown)}"
        return Answer("", 1, CLIENT_S * request.scale, stderr=f"Error: {text}\n")
    lines = [
        f"{name}: ip-address = {NODES[name][1]}, hardware-address = {NODES[name][2]}\n"
        for name in names
        if name in site.machines[server].reservations and name in NODES
    ]
    return Answer("".join(lines), 0, CLIENT_S * request.scale)


@_with_xcatd
def makeconservercf(request: Request, server: str) -> Answer:
    """Write conserver's configuration and restart it; exit 0 although it may not start (§9)."""
    site = request.site

    def restart(at: float) -> None:
        site.set_unit(server, "conserver", UnitState.ACTIVE, at)

    return Answer("", 0, 0.2 * request.scale, then=restart)
