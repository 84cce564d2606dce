"""Stand-ins for AIX's System Resource Controller and inittab commands (aix.md §1).

Owns lssrc, startsrc, stopsrc, refresh, mkssys, chssys, rmssys, lsitab, mkitab, chitab, rmitab and
telinit: four shapes of rows, requests that are carried out later, 0513 messages, limits. MUST NOT
start a process.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.demo.aix_host import AixHost, Status, Subsystem
from hamnd.demo.answers import Answer, Request

HEADER = "Subsystem         Group            PID          Status \n"
TEXT_MAX = 199
NAME_MAX = 29
FIELDS = (
    ("synonym", "-t", ""), ("cmdargs", "-a", ""), ("path", "-p", ""), ("uid", "-u", ""),
    ("standin", "-i", "/dev/console"), ("standout", "-o", "/dev/console"),
    ("standerr", "-e", "/dev/console"), ("signorm", "-n", "0"), ("sigforce", "-f", "0"),
    ("priority", "-E", "20"), ("waittime", "-w", "20"), ("group", "-G", ""),
)  # fmt: skip
"""Fields of SRCsubsys, the flag that sets each, and its default (aix.md §1.1)."""
SWITCHES = {
    "-O": ("action", "-O"), "-R": ("action", "-R"), "-q": ("multi", "-q"), "-Q": ("multi", "-Q"),
    "-d": ("display", "-d"), "-D": ("display", "-D"), "-K": ("contact", "-K"),
    "-S": ("contact", "-S"),
}  # fmt: skip
DEFAULTS = {"action": "-O", "multi": "-Q", "display": "-d", "contact": "-K"}
GERMAN = {Status.ACTIVE: "aktiv", Status.INOPERATIVE: "inaktiv"}


def host_of(request: Request) -> AixHost:
    """Return the AIX part of the machine that was asked."""
    host = request.site.machines[request.machine].aix
    assert host is not None, "only AIX hosts have these commands"
    return host


def _row(name: str, one: Subsystem, status: str, pid: int) -> str:
    shown = str(pid) if pid else ""
    return f" {name:<17}{one.group:<17}{shown:<13}{status}\n"


def _rows(request: Request, name: str, one: Subsystem) -> str:
    """Two rows where an older instance still runs; localised words outside the C locale."""
    is_c = request.language in ("", "C", "POSIX")
    word = one.status.value if is_c else GERMAN.get(one.status, one.status.value)
    pid = one.pid if one.status in (Status.ACTIVE, Status.STOPPING) else 0
    text = _row(name, one, word, pid)
    return text + (_row(name, one, "active", one.ghost) if one.ghost else "")


def _value(argv: tuple[str, ...], flag: str) -> str | None:
    return argv[argv.index(flag) + 1] if flag in argv[:-1] else None


def _no_such(name: str, kind: str = "Subsystem") -> Answer:
    return Answer(f"0513-085 The {name} {kind} is not on file.\n", 1)


def lssrc(request: Request) -> Answer:
    """Answer as lssrc -s, -g, -a, -S: exit 0 also for a stopped one, 1 for one not on file."""
    host, argv = host_of(request), request.argv
    name, group = _value(argv, "-s"), _value(argv, "-g")
    if "-S" in argv and name is not None:
        return _definition(host, name)
    if name is not None:
        one = host.subsystems.get(name)
        return _no_such(name) if one is None else Answer(HEADER + _rows(request, name, one))
    found = {
        key: one
        for key, one in host.subsystems.items()
        if "-a" in argv or (group is not None and one.group == group)
    }
    if not found:
        return _no_such(group or "", "Group")
    return Answer(HEADER + "".join(_rows(request, key, one) for key, one in found.items()))


def _definition(host: AixHost, name: str) -> Answer:
    one = host.subsystems.get(name)
    if one is None:
        return _no_such(name)
    f = {**DEFAULTS, **{key: default for key, _, default in FIELDS}, **one.fields}
    head = (
        "#subsysname:synonym:cmdargs:path:uid:auditid:standin:standout:standerr:action:multi:"
        "contact:svrkey:svrmtype:priority:signorm:sigforce:display:waittime:grpname:\n"
    )
    row = (
        f"{name}:{f['synonym']}:{f['cmdargs']}:{f['path']}:{f['uid']}:0:{f['standin']}:"
        f"{f['standout']}:{f['standerr']}:{f['action']}:{f['multi']}:{f['contact']}:0:0:"
        f"{f['priority']}:{f['signorm']}:{f['sigforce']}:{f['display']}:{f['waittime']}:"
        f"{one.group}:\n"
    )
    return Answer(head + row)


def startsrc(request: Request) -> Answer:
    """Send the request to start: exit 0 once forked, not when ready; 0513-029 when not stopped."""
    host = host_of(request)
    name = _value(request.argv, "-s") or ""
    one = host.subsystems.get(name)
    if one is None:
        return _no_such(name)
    if one.status is not Status.INOPERATIVE:
        text = f"0513-029 The {name} Subsystem is already active.\n"
        return Answer(text + "Multiple instances are not supported.\n", 1)
    one.environment = _value(request.argv, "-e") or ""
    host.ask(name, Status.ACTIVE, request.now)
    told = (
        f"0513-059 The {name} Subsystem has been started. Subsystem PID is {host.next_pid + 2}.\n"
    )
    return Answer(told, delay_s=0.02)


def stopsrc(request: Request) -> Answer:
    """Send the request to stop (-s, with -c or -f): it stops later."""
    host = host_of(request)
    name = _value(request.argv, "-s") or ""
    one = host.subsystems.get(name)
    if one is None:
        return _no_such(name)
    if one.status is Status.INOPERATIVE:
        text = f"0513-004 The Subsystem or Group, {name}, is currently inoperative.\n"
        return Answer(text, 1)
    host.ask(name, Status.INOPERATIVE, request.now)
    return Answer(f"0513-044 The {name} Subsystem was requested to stop.\n", delay_s=0.02)


def refresh(request: Request) -> Answer:
    """Refresh a subsystem of socket contact; one of signals cannot be (§1.2)."""
    name = _value(request.argv, "-s") or ""
    one = host_of(request).subsystems.get(name)
    if one is None:
        return _no_such(name)
    if one.has_signals:
        text = f"0513-005 The Subsystem, {name}, only supports signal communication.\n"
        return Answer(text, 1)
    return Answer("0513-095 The request for subsystem refresh was completed successfully.\n")


def _settings(argv: tuple[str, ...], given: dict[str, str]) -> dict[str, str] | str:
    """Return the fields that these flags set, or what is wrong with them."""
    flags = {flag: key for key, flag, _ in FIELDS}
    words = list(argv)
    while words:
        word = words.pop(0)
        if word in SWITCHES:
            key, value = SWITCHES[word]
            given[key] = value
        elif word in flags and words:
            value = words.pop(0)
            if len(value.encode()) > (NAME_MAX if word in ("-t", "-G") else TEXT_MAX):
                return f"0513-012 The value of {word} is too long."
            given[flags[word]] = value
        elif word == "-s" and words:
            words.pop(0)
        else:
            return f"0513-017 The flag {word} is not valid."
    if ("-n" in argv or "-f" in argv) and given.get("contact") != "-S":
        return "0513-019 -n and -f are only valid with -S."
    return given


def mkssys(request: Request) -> Answer:
    """Define a subsystem: -s, -p and -u are required, each text at most 199 bytes."""
    host, argv = host_of(request), request.argv
    name = _value(argv, "-s") or ""
    settings = _settings(argv, dict(DEFAULTS))
    if isinstance(settings, str):
        return Answer(exit_code=1, stderr=f"{settings}\n")
    missing = [flag for flag, key in (("-p", "path"), ("-u", "uid")) if not settings.get(key)]
    if not name or len(name) > NAME_MAX or missing:
        return Answer(exit_code=1, stderr="0513-018 -s, -p and -u are required.\n")
    if name in host.subsystems:
        return Answer(exit_code=1, stderr=f"0513-073 The {name} Subsystem is already on file.\n")
    host.subsystems[name] = Subsystem(settings.get("group", ""), fields=settings)
    return Answer(f"0513-071 The {name} Subsystem has been added.\n")


def chssys(request: Request) -> Answer:
    """Change a definition; an instance that runs goes on as it was, in a row of its own."""
    host, argv = host_of(request), request.argv
    name = _value(argv, "-s") or ""
    one = host.subsystems.get(name)
    if one is None:
        return _no_such(name)
    settings = _settings(argv, dict(one.fields))
    if isinstance(settings, str):
        return Answer(exit_code=1, stderr=f"{settings}\n")
    host.subsystems[name] = replace(one, group=settings.get("group", one.group), fields=settings)
    return Answer("0513-077 Subsystem has been changed.\n")


def rmssys(request: Request) -> Answer:
    """Remove a definition."""
    host = host_of(request)
    name = _value(request.argv, "-s") or ""
    if name not in host.subsystems:
        return _no_such(name)
    del host.subsystems[name]
    return Answer("0513-083 Subsystem has been Deleted.\n")


def _entry(host: AixHost, identifier: str) -> str | None:
    return next((one for one in host.inittab if one.split(":")[0] == identifier), None)


def lsitab(request: Request) -> Answer:
    """Print one entry, or all with -a; exit 1 without a word for one that is not there."""
    host = host_of(request)
    if request.argv == ("-a",):
        return Answer("".join(f"{one}\n" for one in host.inittab if not one.startswith(":")))
    entry = _entry(host, request.argv[0] if request.argv else "")
    return Answer("", 1) if entry is None else Answer(f"{entry}\n")


def mkitab(request: Request) -> Answer:
    """Add an entry, after another one with -i; an identifier is unique and at most 14 long."""
    host, argv = host_of(request), list(request.argv)
    behind = argv[1] if argv[:1] == ["-i"] and len(argv) > 2 else ""
    text = argv[-1] if argv else ""
    parts = text.split(":", 3)
    if len(parts) != 4 or not parts[0] or len(parts[0]) > 14 or len(parts[3]) > 1024:
        return Answer(exit_code=1, stderr="mkitab: 0481-118 The entry is not valid.\n")
    if _entry(host, parts[0]) is not None:
        return Answer(exit_code=1, stderr=f"mkitab: 0481-117 {parts[0]} already exists.\n")
    before = _entry(host, behind) if behind else None
    at = host.inittab.index(before) + 1 if before is not None else len(host.inittab)
    host.inittab.insert(at, text)
    return Answer()


def chitab(request: Request) -> Answer:
    """Change an entry that is there."""
    host = host_of(request)
    text = request.argv[-1] if request.argv else ""
    old = _entry(host, text.split(":")[0])
    if old is None:
        return Answer(exit_code=1, stderr="chitab: 0481-119 There is no such entry.\n")
    host.inittab[host.inittab.index(old)] = text
    return Answer()


def rmitab(request: Request) -> Answer:
    """Remove an entry that is there."""
    host = host_of(request)
    old = _entry(host, request.argv[-1] if request.argv else "")
    if old is None:
        return Answer(exit_code=1, stderr="rmitab: 0481-119 There is no such entry.\n")
    host.inittab.remove(old)
    return Answer()


def telinit(request: Request) -> Answer:
    """Have init read its table again: it ends what it respawned from a line that is gone."""
    return Answer() if request.argv == ("q",) else Answer(exit_code=1, stderr="telinit: usage\n")
