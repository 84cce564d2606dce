"""Stand-ins for systemctl, crontab, poweroff and the fence agent.

Owns these programs on the simulated machines. The fence agent speaks the ClusterLabs protocol:
`key=value` lines on standard input, exit 0 for success and for "on", 2 for "off" (status and
monitor only), 1 for failure. MUST NOT touch the machine that the demo runs on.
"""

from __future__ import annotations

from hamnd.demo.answers import HANGS, Answer, Request
from hamnd.demo.db2_node import HostPower
from hamnd.demo.machines import FENCE_PASSWORD, PRIMARY, FenceMood, Unit, UnitState

START_S = {"xcatd": 3.4, "named": 0.3, "dhcpd": 0.4, "conserver": 0.2}
STOP_S = {"xcatd": 1.5}
FENCE_OFF_S = 1.0
FENCE_STATUS_S = 0.2

METADATA = """\
<?xml version="1.0" ?>
<resource-agent name="fence_demo" shortdesc="Power controller of the simulated site">
<parameters>
\t<parameter name="action" unique="0" required="1"><content type="string"/></parameter>
\t<parameter name="ip" unique="0" required="1"><content type="string"/></parameter>
\t<parameter name="username" unique="0" required="1"><content type="string"/></parameter>
\t<parameter name="password" unique="0" required="0"><content type="string"/></parameter>
\t<parameter name="plug" unique="0" required="0"><content type="string"/></parameter>
</parameters>
<actions>
\t<action name="on" automatic="0"/>
\t<action name="off"/>
\t<action name="status"/>
\t<action name="monitor"/>
\t<action name="metadata"/>
</actions>
</resource-agent>
"""


def systemctl(request: Request) -> Answer:
    """Answer as systemctl: is-active 0/3, is-enabled 0/1, start waits as systemd would."""
    words = [word for word in request.argv if not word.startswith("-")]
    if not words:
        return Answer(exit_code=1, stderr="systemctl: a verb is expected in this demo\n")
    verb, *names = words
    is_now = "--now" in request.argv
    match verb:
        case "is-active":
            return _is_active(request, names)
        case "is-enabled":
            return _is_enabled(request, names)
        case "start" | "restart" | "try-restart":
            return _start(request, names, verb)
        case "stop" | "kill":
            return _stop(request, names)
        case "enable" | "disable":
            return _enable(request, names, verb == "enable", is_now)
        case "show":
            return _show(request, names)
        case "poweroff" | "halt" | "reboot":
            return poweroff(request)
        case "daemon-reload" | "reset-failed":
            return Answer()
        case "list-timers" | "list-units":
            return Answer("0 units listed.\n" if "--no-legend" not in request.argv else "")
        case _:
            return Answer(exit_code=1, stderr=f"Unknown command verb '{verb}'.\n")


def _units(request: Request, names: list[str]) -> list[Unit | None]:
    return [request.site.unit(request.machine, name) for name in names]


def _is_active(request: Request, names: list[str]) -> Answer:
    states = [unit.state.value if unit else "inactive" for unit in _units(request, names)]
    is_quiet = "--quiet" in request.argv or "-q" in request.argv
    text = "" if is_quiet else "".join(f"{state}\n" for state in states)
    return Answer(text, 0 if UnitState.ACTIVE.value in states else 3)


def _is_enabled(request: Request, names: list[str]) -> Answer:
    text = errors = ""
    any_enabled = False
    for name, unit in zip(names, _units(request, names), strict=True):
        if unit is None:
            what = f"unit file state for {name.removesuffix('.service')}.service"
            errors += f"Failed to get {what}: No such file or directory\n"
        else:
            any_enabled = any_enabled or unit.is_enabled
            text += "enabled\n" if unit.is_enabled else "disabled\n"
    return Answer(text, 0 if any_enabled else 1, stderr=errors)


def _missing(request: Request, names: list[str], verb: str) -> Answer | None:
    for name, unit in zip(names, _units(request, names), strict=True):
        if unit is None:
            full = f"{name.removesuffix('.service')}.service"
            text = f"Failed to {verb} {full}: Unit {full} not found.\n"
            return Answer(exit_code=5, stderr=text)
    return None


def _start(request: Request, names: list[str], verb: str) -> Answer:
    missing = _missing(request, names, verb)
    if missing is not None:
        return missing
    site, machine = request.site, request.machine
    for name, unit in zip(names, _units(request, names), strict=True):
        plain = name.removesuffix(".service")
        if unit is None or (unit.state is UnitState.ACTIVE and verb == "start"):
            continue
        seconds = START_S.get(plain, 0.3) * request.scale
        if unit.is_broken:
            text = (
                f"Job for {plain}.service failed because the control process exited with error"
                f' code.\nSee "systemctl status {plain}.service" and "journalctl -xeu'
                f' {plain}.service" for details.\n'
            )
            unit.state = UnitState.FAILED
            return Answer(exit_code=1, stderr=text, delay_s=seconds)
        if plain == "xcatd":
            unit.state = UnitState.ACTIVATING
            return Answer(
                delay_s=seconds,
                until=lambda: site.can_start_xcatd(machine),
                then=lambda at: site.set_unit(machine, "xcatd", UnitState.ACTIVE, at),
            )
        site.set_unit(machine, plain, UnitState.ACTIVE, request.now)
    return Answer(
        delay_s=max((START_S.get(name, 0.3) for name in names), default=0) * request.scale
    )


def _stop(request: Request, names: list[str]) -> Answer:
    for name in names:
        request.site.set_unit(request.machine, name, UnitState.INACTIVE, request.now)
    missing = _missing(request, names, "stop")  # what there is has been stopped all the same
    if missing is not None:
        return missing
    seconds = max((STOP_S.get(name.removesuffix(".service"), 0.1) for name in names), default=0.0)
    return Answer(delay_s=seconds * request.scale)


def _enable(request: Request, names: list[str], enable: bool, is_now: bool) -> Answer:
    missing = _missing(request, names, "enable" if enable else "disable")
    if missing is not None:
        return missing
    for unit in _units(request, names):
        if unit is not None:
            unit.is_enabled = enable
    if not is_now:
        return Answer()
    return _start(request, names, "start") if enable else _stop(request, names)


def _show(request: Request, names: list[str]) -> Answer:
    lines = []
    for name, unit in zip(names, _units(request, names), strict=True):
        load = "loaded" if unit else "not-found"
        state = unit.state.value if unit else "inactive"
        enabled = "enabled" if unit and unit.is_enabled else "disabled"
        lines.append(
            f"Id={name.removesuffix('.service')}.service\nLoadState={load}\nActiveState={state}\n"
            f"UnitFileState={enabled if unit else ''}\n"
        )
    return Answer("\n".join(lines))


def crontab(request: Request) -> Answer:
    """Answer as crontab: -l prints or says that there is none (exit 1); a file or - replaces it."""
    machine = request.site.machines[request.machine]
    argv = list(request.argv)
    user = "root"
    if "-u" in argv:
        where = argv.index("-u")
        user = argv[where + 1] if where + 1 < len(argv) else user
        del argv[where : where + 2]
    if "-l" in argv:
        if machine.crontab is None:
            return Answer(exit_code=1, stderr=f"no crontab for {user}\n")
        return Answer(machine.crontab)
    if "-r" in argv:
        if machine.crontab is None:
            return Answer(exit_code=1, stderr=f"no crontab for {user}\n")
        machine.crontab = None
        return Answer()
    machine.crontab = request.stdin
    return Answer()


def ps(_: Request) -> Answer:
    """Answer as ps: the usual daemons of a machine; the processes of the host stay unseen."""
    return Answer("      1 /usr/lib/systemd/systemd\n    612 /usr/sbin/crond -n\n    655 sshd -D\n")


def poweroff(request: Request) -> Answer:
    """Take the simulated machine's power away; like the real one it never says goodbye."""
    request.site.power_off(request.machine, request.now)
    return HANGS


def fence_demo(request: Request) -> Answer:
    """Speak for the power controller of the primary."""
    options = _fence_options(request)
    action = options.get("action", "off")
    site = request.site
    if action == "metadata":
        return Answer(METADATA)
    if site.fence_mood is FenceMood.HANGS:
        return HANGS
    if site.fence_mood is FenceMood.FAILS or options.get("password") != FENCE_PASSWORD:
        text = "Failed: Unable to connect/login to fencing device\n"
        return Answer(exit_code=1, stderr=text, delay_s=FENCE_STATUS_S * request.scale)
    plug = options.get("plug") or options.get("port") or PRIMARY
    if plug not in site.pair.nodes:
        return Answer(exit_code=1, stderr="Failed: Unable to obtain correct plug status\n")
    is_off = site.power(plug) is HostPower.OFF or site.fence_says_off
    match action:
        case "status":
            text = f"Status: {'OFF' if is_off else 'ON'}\n"
            return Answer(text, 2 if is_off else 0, FENCE_STATUS_S * request.scale)
        case "monitor" | "list":
            return Answer("", 0, FENCE_STATUS_S * request.scale)
        case "off":
            return _fence_off(request, plug, is_off)
        case "on":
            return _fence_on(request, plug, is_off)
        case _:
            return Answer(exit_code=1, stderr=f"Failed: Unrecognised action '{action}'\n")


def fence_demo_rights(request: Request) -> Answer:
    """Tell what the account hamnd may do at the controller, as its own management tool would."""
    delay_s = FENCE_STATUS_S * request.scale
    if request.site.fence_mood is FenceMood.READS_ONLY:
        text = "hamnd has role reader: off needs role operator\n"
        return Answer(exit_code=1, stderr=text, delay_s=delay_s)
    return Answer("hamnd has role operator\n", 0, delay_s)


def _fence_options(request: Request) -> dict[str, str]:
    """Read key=value lines, and the command-line spelling that agents accept as well."""
    options = {}
    for line in request.stdin.splitlines():
        key, is_pair, value = line.strip().partition("=")
        if is_pair and not key.startswith("#"):
            options[key.strip()] = value.strip()
    for flag, value in zip(request.argv, [*request.argv[1:], ""], strict=False):
        if flag in ("-o", "--action"):
            options["action"] = value
        elif flag.startswith("--action="):
            options["action"] = flag.partition("=")[2]
    return options


def _fence_off(request: Request, plug: str, is_off: bool) -> Answer:
    site = request.site
    if is_off:
        return Answer("Success: Already OFF\n", 0, FENCE_STATUS_S * request.scale)
    if site.fence_mood in (FenceMood.REFUSES_OFF, FenceMood.READS_ONLY):
        text = "Failed: You have no permission to power this plug off\n"
        return Answer(exit_code=1, stderr=text, delay_s=FENCE_STATUS_S * request.scale)
    if site.fence_mood is FenceMood.LIES:
        site.fence_says_off = True  # and the machine runs on
        return Answer("Success: Powered OFF\n", 0, FENCE_OFF_S * request.scale)
    return Answer(
        "Success: Powered OFF\n",
        0,
        FENCE_OFF_S * request.scale,
        then=lambda at: site.power_off(plug, at),
    )


def _fence_on(request: Request, plug: str, is_off: bool) -> Answer:
    if not is_off:
        return Answer("Success: Already ON\n", 0, FENCE_STATUS_S * request.scale)
    site = request.site
    return Answer(
        "Success: Powered ON\n",
        0,
        FENCE_OFF_S * request.scale,
        then=lambda at: site.power_on(plug, at),
    )
