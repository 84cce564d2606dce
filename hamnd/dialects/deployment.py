"""What xCAT does for nodes once it serves again: boot files, leases, service nodes, its own check.

Owns the argv and the output of nodeset, xcatprobe and the scripts around them (xcat-hamn.md §4.4,
§9). Must not know how xcatd deals with a client command (dialects.xcat) nor the order of steps.
"""

from __future__ import annotations

from hamnd.dialects.shell import last_lines, unanswered, unreadable
from hamnd.dialects.xcat import client_argv, trouble_of
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Exec, Look, Reading, Report

_SHOWN_MAX = 3
_LEASES = """\
copy=$1 live=$2 hash=$(sha256sum <"$1" 2>/dev/null)
[ -s "$copy" ] || { echo "no copy of the leases: dynamic leases are lost"; exit 0; }
[ "$hash" != "$(cat "$copy.restored" 2>/dev/null)" ] || { echo "restored before"; exit 0; }
set -e
cp "$copy" "$live.hamnd"
if [ -e "$live" ]; then
cp -p "$live" "$live.before-takeover"
chown --reference="$live" "$live.hamnd"; chmod --reference="$live" "$live.hamnd"
fi
mv "$live.hamnd" "$live"; echo "$hash" >"$copy.restored"; echo "leases restored"
"""
_RECONNECT = """\
timeout 30 "$1" -t site -i domain >/dev/null 2>&1 && { echo "found it by itself"; exit 0; }
"$2" restart "$3" && echo "restarted"
"""
_RECONNECT_BY_XCAT = """\
"$1" -t site -i domain >/dev/null 2>&1 && { echo "found it by itself"; exit 0; }
restartxcatd && echo "restarted"
"""
_XCATPROBE = (
    'command -v "$1" >/dev/null 2>&1 || { echo "xcatprobe is not installed"; exit 0; }; '
    't=; command -v timeout >/dev/null 2>&1 && t="timeout 90"; $t "$1" xcatmn -i "$2" 2>&1; :'
)

_IF_THERE = 'command -v "$0" >/dev/null || exit 0; "$0" xcatmn -i "$1"'


def restore_leases(site: Site, live: str) -> Action:
    """Return the action that puts the copy of the leases file in place; none is no failure."""
    copy = f"{site.paths.state_dir}/files/dhcp.leases"
    return Action(Exec(site.node, ("sh", "-c", _LEASES, "hamnd-leases", copy, live)))


def set_nodes(site: Site) -> Action:
    """Return the action that writes the boot files of the listed nodes: they name this node."""
    argv = client_argv(site, None, "nodeset", site.osdeploy.nodes, site.osdeploy.state)
    return Action(Exec(site.node, argv), reads="xcat.done", is_repeatable=True)


def nodes_told(site: Site) -> Look:
    """Return a look that asks nodeset for the state of the listed nodes."""
    return Look(
        Exec(site.node, client_argv(site, None, "nodeset", site.osdeploy.nodes, "stat")),
        reads="deployment.nodes_told",
        expects=f"nodeset tells the state of {site.osdeploy.nodes}",
        arguments=(site.osdeploy.nodes,),
        timeout_s=120.0,
    )


def reconnect(site: Site, host: str) -> Action:
    """Return the action that restarts a service node's xcatd unless it answers from there."""
    tools = (site.tool("lsdef"), site.tool("systemctl"), site.services.xcatd)
    argv = ("env", f"PATH={site.tool_path}", "sh", "-c", _RECONNECT, "hamnd-reconnect", *tools)
    return Action(Exec(host, argv))


def reconnect_by_xcat(site: Site, host: str) -> Action:
    """Return the same by xCAT's own program, which knows systemd and SRC (aix.md §8)."""
    argv = ("sh", "-c", _RECONNECT_BY_XCAT, "hamnd-reconnect", site.tool("lsdef"))
    return Action(Exec(host, ("env", f"PATH={site.tool_path}", *argv)))


def probe_site(site: Site) -> Action:
    """Return the action that runs xCAT's own broad check, where it is installed; it only reads."""
    interface = site.identity[0].interface if site.identity else ""
    argv = ("sh", "-c", _XCATPROBE, "hamnd-xcatprobe", site.tool("xcatprobe"), interface)
    plain = Exec(site.node, ("sh", "-c", _IF_THERE, site.tool("xcatprobe"), interface))
    return Action(Exec(site.node, argv), reads="deployment.probed", by_hand=(plain,))


def read_nodes_told(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS with what to run for nodes that hang: hamnd itself restarts none."""
    trouble = trouble_of(report)
    if trouble is not None:
        return trouble
    nodes = (*arguments, "")[0]
    told = [line for line in report.stdout.splitlines() if ": " in line]
    if not told or report.truncated:
        return unreadable(report)
    return Reading(Verdict.PASS, f"{len(told)} nodes set; to reboot them: rpower {nodes} boot")


def read_probed(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS with what xcatprobe found wrong: it is told, and judges nothing here (§4.4)."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    lines = report.stdout.splitlines()
    failed = [line.partition(":")[2].strip() for line in lines if line.startswith("[failed]")]
    if failed:
        shown = " | ".join(failed[:_SHOWN_MAX])
        return Reading(Verdict.PASS, f"xcatprobe finds {len(failed)} failures: {shown}")
    return Reading(Verdict.PASS, last_lines(report) or "xcatprobe finds nothing wrong")
