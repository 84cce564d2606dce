"""xCAT's own commands on the simulated machines, as measured in xcat-hamn.md §4.4 and §9.

Owns what a client command says depending on xcatd and its database: exit 111 without xcatd,
"Permission denied for request" without a database, success that stored nothing on a standby. Must
not know which step asks.
"""

from __future__ import annotations

from collections.abc import Sequence

from hamnd.demo.db2_node import Change
from tests.sim.ground import SERVICE_ADDRESS, STANDBY, Ground
from tests.sim.job import Job, Output

VERSION = "Version 2.16.5 (git commit 7733d16f8de0)\n"
DENIED = "Error: Permission denied for request\n"
NODES = "xcat.node"
PROGRAMS = ("lsxcatd", "mkdef", "lsdef", "rmdef", "makedns", "makedhcp", "makeconservercf")


def start(ground: Ground, host: str, argv: Sequence[str], haste: float) -> Job | None:
    """Start an xCAT client; None when this is no command of xCAT's that is known here."""
    words = list(argv)
    where = ""
    if words[0] == "env":
        settings = words[1 : next(n for n, word in enumerate(words) if n and "=" not in word)]
        words = words[len(settings) + 1 :]
        where = next((one.partition("=")[2] for one in settings if one.startswith("XCATHOST")), "")
    program = words[0].rpartition("/")[2]
    if program not in PROGRAMS:
        return None
    seconds = {"makedns": 2.0, "makedhcp": 1.5}.get(program, 0.3) * haste
    return Job(seconds, lambda now: _answer(ground, host, where, [program, *words[1:]], now))


def _reaches_xcatd(ground: Ground, host: str, where: str) -> bool:
    address = where.rpartition(":")[0]
    if address in ("", "localhost"):
        return host == STANDBY
    holds = address == SERVICE_ADDRESS and ground.holds[STANDBY]
    return holds and ground.talks(host, STANDBY)


def _answer(
    ground: Ground, host: str, where: str, words: Sequence[str], now: float
) -> Output | float:
    if not _reaches_xcatd(ground, host, where) or ground.services.states["xcatd"] != "active":
        why = "Connection failure: IO::Socket::INET: connect: Connection refused at Client.pm\n"
        return Output(111, "Unable to open socket connection to xcatd daemon.\n", why)
    if not ground.is_readable(STANDBY):
        return Output(1, stderr=DENIED)
    program, *rest = words
    match program:
        case "lsxcatd":
            return Output(0, VERSION)
        case "mkdef" | "rmdef" | "lsdef":
            return _define(ground, program, rest, now)
        case "makedns":
            ground.set_unit("named")
            if "named" in ground.services.broken:
                return Output(1, stderr="Error: failed to start named.\n")
            ground.services.zone = True
            return Output(0, "Updating DNS records.\nDNS setup is completed\n")
        case "makedhcp":
            return _makedhcp(ground, rest)
        case "makeconservercf":
            ground.set_unit("conserver")
            return Output()
        case _:
            raise AssertionError(program)


def _makedhcp(ground: Ground, rest: Sequence[str]) -> Output:
    if rest[0] == "-n":
        ground.set_unit("dhcpd")
        return Output(0, "Warning: No dynamic range specified for 9.114.47.64.\n")
    if ground.services.states["dhcpd"] != "active":
        text = "Error: [aixmn2]: dhcp server is not running.  please start the dhcp server.\n"
        return Output(1, stderr=text)
    return Output()


def _define(ground: Ground, program: str, rest: Sequence[str], now: float) -> Output | float:
    if tuple(rest[:2]) == ("-t", "site"):
        return Output(0, "Object name: clustersite\n    master=xcatmn\n")
    name = rest[rest.index("-o") + 1]
    is_known = name in ground.pair.rows(STANDBY, NODES)
    absent = f"Error: [aixmn2]: Could not find an object named '{name}' of type 'node'.\n"
    if program == "lsdef":
        if not is_known:
            return Output(1, stderr=absent)
        return Output(0, f"Object name: {name}\n    groups={name}\n")
    if program == "rmdef" and not is_known:
        return Output(1, stderr=absent)
    if program == "mkdef" and is_known:
        text = f"Error: [aixmn2]: Could not create object '{name}', it already exists.\n"
        return Output(1, stderr=text)
    done = f"1 object definitions have been {'removed' if program == 'rmdef' else 'created'}.\n"
    if ground.is_standby_database(STANDBY):
        return Output(0, done)
    value = None if program == "rmdef" else f"groups={name}"
    if ground.pair.write(STANDBY, Change(NODES, name, value), now):
        return Output(0, done)
    return now + 1.0  # xcatd waits for a commit that waits for the partner or the peer window
