"""Stand-ins for AIX's other commands (aix.md §2, §4, §5): levels, NIM, error log, crontab.

Owns them, and the table of all of AIX's. MUST NOT touch the host that the demo runs on. `killall`
fails the test that calls it: on AIX it ends every process of the caller.
"""

from __future__ import annotations

import itertools

from hamnd.demo import standins_aix_net as net
from hamnd.demo import standins_aix_src as src
from hamnd.demo import standins_system as system
from hamnd.demo import standins_xcat as xcat
from hamnd.demo.aix_host import RESOURCES, AixHost, Status
from hamnd.demo.answers import Answer, Request, StandIn
from hamnd.demo.standins_aix_src import host_of

VERSION_RELEASE = "2.8.4-snap201403040544"
SPOT_S = 2.0
"""A SPOT takes minutes on a real host."""


def oslevel(request: Request) -> Answer:
    """Print base, technology level, service pack and build week (-s); it is slow."""
    level = host_of(request).level
    text = level if "-s" in request.argv else f"{level[0]}.{level[1]}.0.0"
    return Answer(f"{text}\n", delay_s=0.5 * request.scale)


def lslpp(request: Request) -> Answer:
    """Print filesets with colons (-lcq); "not installed" with exit 1 for what is unknown."""
    name = request.argv[-1] if request.argv else ""
    if name not in ("bos.rte", "bos.sysmgt.nim.master", "openssh.base.server"):
        text = f"lslpp: 0504-132  Fileset {name} not installed.\n"
        return Answer(exit_code=1, stderr=text)
    rows = (
        f"{part}:{name}:6.1.6.15: :COMMITTED:{'I' if n else 'C'}:{name} software: \n"
        for n, part in enumerate(("/usr/lib/objrepos", "/etc/objrepos"))
    )
    return Answer("".join(rows))


def lsnim(request: Request) -> Answer:
    """List NIM objects: short, -l long, -c CLASS, -Z colon, or one by its name (0042-053)."""
    host, argv = host_of(request), request.argv
    if not host.has_nim:
        text = "0042-001 lsnim: processing error encountered\nThis machine is not a NIM client.\n"
        return Answer(exit_code=1, stderr=text)
    found = host.nim
    names = [word for word in argv if not word.startswith("-") and word not in _ARGUMENTS]
    if names:
        found = {key: one for key, one in host.nim.items() if key in names}
        if not found:
            text = f'0042-053 lsnim: there is no NIM object named "{names[0]}"\n'
            return Answer(exit_code=1, stderr=text)
    if "-Z" in argv:
        rows = "".join(f"{key}:{one[1]}:\n" for key, one in found.items())
        return Answer(f"#name:location:\n{rows}")
    if "-l" in argv:
        return Answer(_MASTER + "".join(_long(key, *one) for key, one in found.items()))
    return Answer("".join(f"{key:<20} resources       {one[0]}\n" for key, one in found.items()))


_ARGUMENTS = frozenset({"resources", "machines", "location"})
_MASTER = "master:\n   class               = machines\n   type                = master\n"


def _long(name: str, kind: str, location: str) -> str:
    state = "" if kind in ("root", "dump", "paging") else "   Rstate      = ready for use\n"
    return (
        f"{name}:\n   class       = resources\n   type        = {kind}\n{state}"
        f"   location    = {location}\n   alloc_count = 0\n   server      = master\n"
    )


def nim_master_setup(request: Request) -> Answer:
    """Make this host a NIM server."""
    host = host_of(request)

    def set_up(at: float) -> None:
        host.has_nim = True
        host.turn(request.site, "nimesis", Status.ACTIVE, at)

    return Answer("", 0, 1.0 * request.scale, then=set_up)


def nim(request: Request) -> Answer:
    """Define a resource (silently), unconfigure, or take a NIM server over."""
    host, words = host_of(request), list(request.argv)
    values = dict(
        word.partition("=")[::2] for flag, word in itertools.pairwise(words) if flag == "-a"
    )
    if "define" in words:
        return _define(host, words[-1], words[words.index("-t") + 1], values.get("location", ""))
    if "unconfig" in words:
        host.has_nim, host.nim = False, {}
        return Answer()
    if "takeover" in words:
        return _take_over(request, host)
    return Answer(exit_code=1, stderr="0042-001 nim: processing error encountered\n")


def _define(host: AixHost, name: str, kind: str, location: str) -> Answer:
    if not host.has_nim:
        return Answer(exit_code=1, stderr="0042-001 nim: this machine is not a NIM server\n")
    if name in host.nim:
        text = f'0042-081 nim: a resource already exists named "{name}"\n'
        return Answer(exit_code=1, stderr=text)
    host.nim[name] = (kind, location)
    return Answer(delay_s=0.1)


def _take_over(request: Request, host: AixHost) -> Answer:
    def take(at: float) -> None:
        host.has_nim, host.nim = True, dict(RESOURCES)
        host.turn(request.site, "nimesis", Status.ACTIVE, at)

    return Answer("", 0, 0.5 * request.scale, then=take)


def m_mkspot(request: Request) -> Answer:
    """Make a SPOT from what is on the disk: its place is PARENT/NAME/usr."""
    words = list(request.argv)
    location = next(word.partition("=")[2] for word in words if word.startswith("location="))
    answer = _define(host_of(request), words[-1], "spot", f"{location}{words[-1]}/usr")
    return Answer("", answer.exit_code, SPOT_S * request.scale, answer.stderr)


def m_restore_db(request: Request) -> Answer:
    """Restore the NIM database from a backup."""
    host = host_of(request)
    host.has_nim, host.nim = True, dict(RESOURCES)
    return Answer("Restoring the NIM database\n", delay_s=0.2)


def m_backup_db(request: Request) -> Answer:
    """Back the NIM database up into the file that is named; only a NIM server has one."""
    if not host_of(request).has_nim:
        text = "0042-001 m_backup_db: processing error encountered\n"
        return Answer(exit_code=1, stderr=text)
    return Answer("Backing up the NIM database\n", delay_s=0.2)


def nodes(request: Request) -> Answer:
    """Answer nimnodeset and mkdsklsnode: -i IMAGE NODERANGE."""
    host, words = host_of(request), list(request.argv)
    image = words[words.index("-i") + 1] if "-i" in words else ""
    if image not in host.nim:
        text = f"Error: [{request.machine}]: could not find NIM resources of {image}\n"
        return Answer(exit_code=1, stderr=text)
    return Answer("AIX/NIM nodes were initialized.\n", delay_s=0.2)


def errpt(request: Request) -> Answer:
    """Print the error log, newest first; -J one label, -s since MMDDhhmmYY."""
    argv = request.argv
    label = argv[argv.index("-J") + 1] if "-J" in argv[:-1] else ""
    since = argv[argv.index("-s") + 1] if "-s" in argv[:-1] else ""
    rows = [
        one
        for one in host_of(request).errors
        if (not label or one.endswith(label)) and _moment(one.split()[1]) >= _moment(since)
    ]
    head = "IDENTIFIER TIMESTAMP  T C RESOURCE_NAME  DESCRIPTION\n"
    shown = "".join(f"{one.rpartition(' #')[0]}\n" for one in rows)
    return Answer(head + shown if rows else "")


def _moment(text: str) -> str:
    """Return MMDDhhmmYY in an order in which it can be compared."""
    return text[8:] + text[:8]


def errlogger(request: Request) -> Answer:
    """Add an operator's line, at most 1024 bytes."""
    text = " ".join(request.argv)
    if len(text.encode()) > 1024:
        return Answer(exit_code=1, stderr="errlogger: the message is too long\n")
    host_of(request).log("AA8AB241   1130080026 T O OPERATOR       OPERATOR NOTIFICATION #OPMSG")
    return Answer()


def logger(request: Request) -> Answer:
    """Add a line to syslog: -t TAG and -p PRIORITY, the text behind them."""
    words = [word for word in request.argv if word != "--"]
    while words[:1] in (["-t"], ["-p"]):
        words = words[2:]
    host_of(request).syslog.append(" ".join(words))
    return Answer()


def rpm(request: Request) -> Answer:
    """Tell one package's version and release (-q --qf), or all of xCAT's (-qa)."""
    if "-qa" in request.argv or "-V" in request.argv:
        return xcat.rpm(request)
    name = request.argv[-1] if request.argv else ""
    if name != "xCAT":
        return Answer(f"package {name} is not installed\n", 1)
    return Answer(f"{VERSION_RELEASE}\n")


def who(request: Request) -> Answer:
    """Tell when this host was booted (-b), in words and without the year."""
    del request
    return Answer("   .        system boot Nov 30 10:47     \n")


def crontab(request: Request) -> Answer:
    """Answer as AIX's crontab: -l [USER] lists, a table on standard input replaces; no -u, no -."""
    argv = request.argv
    if any(word in ("-u", "-") for word in argv):
        return Answer(exit_code=1, stderr=f"crontab: Not a recognized flag: {argv[0][1:]}\n")
    machine = request.site.machines[request.machine]
    if argv[:1] == ("-l",):
        if machine.crontab is None:
            text = "0481-103 Cannot open a file in the /var/spool/cron/crontabs directory.\n"
            return Answer(exit_code=1, stderr=text)
        return Answer(machine.crontab)
    machine.crontab = request.stdin
    return Answer()


def killall(request: Request) -> Answer:
    """Fail: on AIX this ends every process of whoever calls it."""
    raise AssertionError(f"killall {request.argv}: never on AIX")


STAND_INS: dict[str, StandIn] = {
    "lssrc": src.lssrc, "startsrc": src.startsrc, "stopsrc": src.stopsrc,
    "refresh": src.refresh, "mkssys": src.mkssys, "chssys": src.chssys, "rmssys": src.rmssys,
    "lsitab": src.lsitab, "mkitab": src.mkitab, "chitab": src.chitab, "rmitab": src.rmitab,
    "telinit": src.telinit,
    "mktcpip": net.mktcpip, "chdev": net.chdev, "lsattr": net.lsattr,
    "ifconfig": net.ifconfig, "netstat": net.netstat, "arp": net.arp, "entstat": net.entstat,
    "ping": net.ping, "host": net.host, "hostname": net.hostname, "uname": net.uname,
    "setuname": net.setuname,
    "oslevel": oslevel, "lslpp": lslpp, "lsnim": lsnim, "nim": nim,
    "nim_master_setup": nim_master_setup, "m_mkspot": m_mkspot, "m_restore_db": m_restore_db,
    "m_backup_db": m_backup_db, "logger": logger, "rpm": rpm, "who": who,
    "nimnodeset": nodes, "mkdsklsnode": nodes, "errpt": errpt, "errlogger": errlogger,
    "crontab": crontab, "killall": killall, "halt": system.poweroff,
}  # fmt: skip
