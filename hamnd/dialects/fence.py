"""Fencing: what is asked of a power controller, and what its answer proves.

Owns the verbs and exit codes of the ClusterLabs fence-agent protocol and the kill over ssh. Must
not know what grade of evidence policy wants (core.gates) nor the device's secrets (adapters).

Exit codes (ClusterLabs/fence-agents, doc/FenceAgentAPI.md and lib/fencing.py): every verb 0 success
and 1 failure; `status` 0 on, 2 off, 1 error. Code 2 is also how sh and python end when they cannot
read the agent itself, so an agent that complains must say "Status: OFF" to be believed.
"""

from __future__ import annotations

import re

from hamnd.dialects.shell import declared, last_lines, unanswered
from hamnd.model.names import ManyValued, Verdict
from hamnd.model.site import Platform, Site
from hamnd.model.work import Action, Ending, Exec, Fence, FenceStatus, Look, Reading, Report

_STATUS = re.compile(r"status:\s*(on|off)", re.IGNORECASE)
_MAYBE_OFF = re.compile(
    r"waiting to power off|connection lost|timed? ?out|getting status", re.IGNORECASE
)
_KILL_SECONDS_MAX = 10
_SSH_STARTED = "hamnd-fence: started"


class PowerState(ManyValued):
    """What a power controller says about the machine it feeds."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


def off(site: Site) -> Action:
    """Return the action that powers the partner off through its fence agent."""
    return Action(Fence(site.partner.name, "off"), reads="fence.off_done")


def status(site: Site) -> Look:
    """Return a look that asks the partner's fence device and expects it off."""
    return Look(
        FenceStatus(site.partner.name, "status"),
        reads="fence.is_off",
        expects=f"the fence device says that {site.partner.name} is off",
        timeout_s=site.fence.timeout_s,
    )


def monitor(site: Site) -> Look:
    """Return a look that proves the fence device ready: reachable, login accepted."""
    return Look(
        FenceStatus(site.partner.name, "monitor"),
        reads="fence.monitor_ok",
        expects=f"the fence device of {site.partner.name} answers and accepts our login",
        timeout_s=site.fence.timeout_s,
    )


def may_off(site: Site) -> tuple[Look, ...]:
    """Return a look whether our account at the device may do more than look; none not declared.

    No verb of the protocol tells that without switching something. An IPMI session is opened at the
    level that `off` needs (fence_ipmilan, privlvl): there `monitor` tells it.
    """
    command = site.fence.may_off
    if not command:
        return ()
    what = f"our account at the fence device may power {site.partner.name} off"
    return (declared(site.node, command, None, what),)


def ssh_kill(site: Site) -> Action:
    """Return the action that kills the partner over ssh, to be proven by its silence.

    Db2 is killed, never stopped in order: an orderly stop writes log records that diverge the old
    primary (db2-hadr.md §10); the others alike, for nothing may be acknowledged while it ends.
    Everything runs detached, for the connection dies with the machine (aix.md §7); a kill that
    hangs does not keep the machine alive.
    """
    end = "halt -q" if site.platform is Platform.AIX else "poweroff -ff"
    doomed = (
        'su - "$1" -c "$2" & k=$!; n=0; '
        f'while kill -0 "$k" && [ "$n" -lt {_KILL_SECONDS_MAX} ]; '
        "do sleep 1; n=$((n+1)); done; "
        f"{end}"
    )
    script = (
        f'nohup sh -c "$1" hamnd-fence "$2" "$3" </dev/null >/dev/null 2>&1 & echo {_SSH_STARTED!r}'
    )
    argv = ("sh", "-c", script, "hamnd-fence", doomed, site.database_owner, _kill(site))
    return Action(Exec(site.partner.name, argv), reads="fence.ssh_started")


def _kill(site: Site) -> str:
    """Return what ends every process of the database at once, run as its owner."""
    if site.engine in ("postgresql", "dump"):
        return 'pkill -KILL -u "$(id -u)" "^(postgres|postmaster)"'
    if site.engine in ("sqlite", "shared_disk"):
        return "pkill -KILL -f ^xcatd:"  # whoever writes into its tables (xcat-hamn.md §4.1)
    if site.engine == "mariadb":
        return 'pkill -KILL "^(mariadbd|mysqld)"'
    profile = site.db2.profile
    return f'. "{profile}"; db2_kill' if profile else "db2_kill"


def read_status(report: Report) -> PowerState:
    """Return what a `status` proves; every doubt is UNKNOWN."""
    if report.ending is not Ending.EXITED or report.truncated:
        return PowerState.UNKNOWN
    lines = (_STATUS.fullmatch(line.strip()) for line in report.stdout.split("\n"))
    said = {line[1].lower() for line in lines if line is not None}
    if report.exit_code == 0:
        return PowerState.UNKNOWN if "off" in said else PowerState.ON
    if report.exit_code != 2 or "on" in said:
        return PowerState.UNKNOWN
    is_plain = not report.stderr.strip() and not report.stdout.strip()
    return PowerState.OFF if "off" in said or is_plain else PowerState.UNKNOWN


def read_is_off(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the device says off, BLOCK when it says on."""
    match read_status(report):
        case PowerState.OFF:
            return Reading(Verdict.PASS, "the fence device says: off")
        case PowerState.ON:
            return Reading(Verdict.BLOCK, "the fence device says: on")
        case PowerState.UNKNOWN:
            return unanswered(report) or Reading(
                Verdict.UNKNOWN,
                f"the fence device's answer proves nothing (exit code {report.exit_code}): "
                f"{last_lines(report)}",
            )


def read_off_done(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when `off` returned success; a failure that may still have cut the power is UNKNOWN."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    if report.exit_code == 0:
        return Reading(Verdict.PASS, last_lines(report) or "the fence agent returned success")
    said = last_lines(report)
    if _MAYBE_OFF.search(report.stderr + report.stdout):
        return Reading(Verdict.UNKNOWN, f"the fence agent lost sight of it: {said}")
    return Reading(Verdict.BLOCK, f"the fence agent failed (exit {report.exit_code}): {said}")


def read_monitor_ok(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the device answers, BLOCK when the agent says that it does not."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    if report.exit_code == 0:
        return Reading(Verdict.PASS, "the fence device answers")
    said = last_lines(report)
    return Reading(Verdict.BLOCK, f"the fence agent failed (exit {report.exit_code}): {said}")


def read_ssh_started(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the partner acknowledged its kill; that it is dead only its silence can prove."""
    acknowledged = _SSH_STARTED in report.stdout
    if acknowledged:
        return Reading(Verdict.PASS, "the kill was started there; silence has to prove it")
    silence = unanswered(report)
    if silence is not None:
        return silence
    return Reading(Verdict.BLOCK, f"not started (exit {report.exit_code}): {last_lines(report)}")
