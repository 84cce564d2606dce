"""A disk that both management nodes can reach (guide §2, twin-tailed): seen, attached, detached.

Owns the argv and the one text of every call, and what it means. Must not know when one is right
(core.replication). Linux: LVM (vgs, vgchange) and mount; AIX: lsvg, varyonvg, varyoffvg and mount
of what /etc/filesystems describes (xcat-hamn.md §10, aix.md §8; not run there yet). Nothing here
repairs, imports or forces anything: what refuses says so and stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from hamnd.dialects.shell import declared, last_lines, unanswered, unreadable
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Ending, Exec, Look, Reading, Report

_ASKED = r"""
os=$(uname) && [ -n "$os" ] || exit 1
fail() { echo "$*" >&2; exit 1; }
mounted() {
if [ "$os" = AIX ]; then told=$(LC_ALL=C mount); else told=$(cat /proc/mounts); fi &&
[ -n "$told" ] && printf '%s\n' "$told" | awk -v p="$1" -v os="$os" '
{ at = os == "AIX" && !/^[ \t]/ ? $3 : $2; options = os == "AIX" ? $NF : $4 }
at == p { n = split(options, o, ","); r = "rw"; for (i = 1; i <= n; i++)
if (o[i] == "ro") r = "ro"; found = r } END { print found == "" ? "no" : found }'
}
how() { state=$(mounted "$1") && [ -n "$state" ] || fail "what is mounted here cannot be told"; }
listed() { printf '%s\n' "$groups" | grep -qxF -e "$vg"; }
is_on() { groups=$(lsvg -o) && [ -n "$groups" ] || fail "lsvg -o did not tell what is varied on"
listed; }
""".lstrip("\n")
"""What every script here asks first, and ends itself where that was not answered: what is not known
to be mounted is not known to be free. `how` says rw, ro or no. AIX's mount has the options in its
last column, and a first one only where the file system is another host's; lsvg always has rootvg
to name (mount and lsvg, AIX Commands Reference)."""

_SEE = (
    _ASKED
    + r"""
vg=$1 vgs=$2; shift 2
is_known() {
if [ "$os" = AIX ]; then groups=$(lsvg) && [ -n "$groups" ] || fail "lsvg did not tell its groups"
else ! "$vgs" --noheadings -o vg_name "$vg" >/dev/null 2>&1 || return 0
groups=$("$vgs" --noheadings -o vg_name) || fail "$vgs did not tell its groups"
groups=$(printf '%s\n' "$groups" | tr -d ' \t')
fi
listed
}
at_boot() {
if [ "$os" = AIX ]; then lsfs -c "$1" 2>/dev/null | awk -F: '!/^#/ && $8 == "yes"'
else awk -v p="$1" '{ at = $2; sub("/+$", "", at) } !/^[ \t]*#/ && at == p && \
($4 !~ /(^|,)noauto(,|$)/ || $4 ~ /x-systemd\.automount/)' /etc/fstab 2>/dev/null
fi
}
echo "hamnd-disk 1"
[ -z "$vg" ] || { is_known && echo "group visible" || echo "group missing"; }
while [ $# -gt 1 ]; do
device=$1 point=$2; shift 2
there=no; { [ -n "$vg" ] || [ -b "$device" ]; } && there=yes
how "$point"; echo "disk $state $there $point"
[ -z "$(at_boot "$point")" ] || echo "boot $point"
done
echo end
"""
)
"""Tell the volume group and each file system, also whether it is mounted at boot, by whomever it is
mounted then (fstab(5), noauto; lsfs, AIX Commands Reference). Arguments: VG VGS (DEVICE POINT)…

vgs ends with 5 for a group that is not there as for anything else (vgs(8)): only a whole list of
the others says that it is missing."""

_ATTACH = (
    _ASKED
    + r"""
set -u
vg=$1 vgchange=$2; shift 2
if [ -n "$vg" ]; then
if [ "$os" = AIX ]; then is_on || varyonvg "$vg" || fail "varyonvg $vg"
else "$vgchange" -a y "$vg" || fail "vgchange -a y $vg"
fi
fi
while [ $# -gt 2 ]; do
device=$1 point=$2 options=$3; shift 3
how "$point"; [ "$state" = no ] || continue
mkdir -p "$point" || fail "$point cannot be made"
if [ "$os" = AIX ]; then mount "$point" || fail "mount $point"
else mount -o "$options" "$device" "$point" || fail "mount $device $point"
fi
done
echo "attached"
"""
)
"""Activate and mount, in the given order. Arguments: VG VGCHANGE (DEVICE POINT OPTIONS)…"""

_DETACH = (
    _ASKED
    + r"""
set -u
vg=$1 vgchange=$2; shift 2
for point; do
how "$point"; [ "$state" != no ] || continue
umount "$point" || fail "umount $point: who uses it says: fuser -vm $point"
done
if [ -n "$vg" ]; then
if [ "$os" = AIX ]; then ! is_on || varyoffvg "$vg" || fail "varyoffvg $vg"
else "$vgchange" -a n "$vg" || fail "vgchange -a n $vg"
fi
fi
echo "detached"
"""
)
"""Unmount and deactivate. Arguments: VG VGCHANGE POINT…, the last mounted first"""


@dataclass(frozen=True, slots=True)
class Disk:
    """What a node sees of the disk."""

    is_visible: bool
    """The volume group, or every device, is there: it could be mounted."""
    mounted: tuple[str, ...]
    """Mount points that are mounted here for writing."""
    read_only: tuple[str, ...]
    missing: tuple[str, ...]
    """Mount points that are not mounted."""
    at_boot: tuple[str, ...] = ()
    """Mount points that the node mounts when it boots, without asking who has them."""

    @property
    def is_held(self) -> bool:
        """Whether this node has all of it mounted."""
        return bool(self.mounted) and not self.missing and not self.read_only


def see(site: Site, host: str) -> Look:
    """Return the look at what a node sees of the disk, and has mounted."""
    pairs = tuple(
        word for one in site.shared_disk.filesystems for word in (one.device, one.mountpoint)
    )
    words = (site.shared_disk.volume_group or "", site.tool("vgs"), *pairs)
    return Look(
        Exec(host, ("sh", "-c", _SEE, "hamnd-disk", *words)),
        reads="shared_disk.readable",
        expects=f"{host} tells what it sees of the shared disk",
        timeout_s=10.0,
    )


def can_attach(site: Site, host: str) -> Look:
    """Return the look that proves the disk visible on a node, and not mounted there."""
    look = see(site, host)
    expects = f"the shared disk is visible on {host} and not mounted there"
    return Look(look.request, "shared_disk.can_attach", expects, timeout_s=look.timeout_s)


def is_held(site: Site, host: str) -> Look:
    """Return the look that proves the whole disk mounted on a node for writing."""
    look = see(site, host)
    expects = f"the shared disk is mounted on {host} for writing"
    return Look(look.request, "shared_disk.held", expects, timeout_s=look.timeout_s)


def is_released(site: Site, host: str) -> Look:
    """Return the look that proves nothing of the disk mounted on a node."""
    look = see(site, host)
    expects = f"nothing of the shared disk is mounted on {host}"
    return Look(look.request, "shared_disk.released", expects, timeout_s=look.timeout_s)


def is_left_at_boot(site: Site, host: str) -> Look:
    """Return the look that proves that a node mounts nothing of the disk when it boots."""
    look = see(site, host)
    expects = f"{host} mounts nothing of the shared disk at boot"
    return Look(look.request, "shared_disk.left_at_boot", expects, timeout_s=look.timeout_s)


def attach(site: Site, host: str) -> Action:
    """Return the action that activates the volume group and mounts what is not mounted."""
    where = site.shared_disk
    triples = tuple(
        word for one in where.filesystems for word in (one.device, one.mountpoint, one.options)
    )
    words = (where.volume_group or "", site.tool("vgchange"), *triples)
    return Action(Exec(host, ("sh", "-c", _ATTACH, "hamnd-attach", *words)))


def detach(site: Site, host: str) -> Action:
    """Return the way back from `attach`."""
    where = site.shared_disk
    points = tuple(one.mountpoint for one in reversed(where.filesystems))
    words = (where.volume_group or "", site.tool("vgchange"), *points)
    return Action(Exec(host, ("sh", "-c", _DETACH, "hamnd-detach", *words)))


def take_reservation(site: Site, host: str) -> tuple[Action, ...]:
    """Return the site's own command that reserves the disk for a node, where there is one.

    Its check follows as an action of its own: what comes after it never starts on a guess.
    """
    where = site.shared_disk
    if not where.reserve:
        return ()
    return (Action(Exec(host, where.reserve)), Action(Exec(host, where.reservation_check)))


def is_reserved(site: Site, host: str) -> tuple[Look, ...]:
    """Return the site's own look that proves the reservation this node's alone."""
    command = site.shared_disk.reservation_check
    what = f"{host} alone holds the reservation of the shared disk"
    return (declared(host, command, None, what),) if command else ()


def parse_disk(report: Report) -> Disk | None:
    """Return what a node sees; None where it told nothing whole."""
    if report.ending is not Ending.EXITED or report.exit_code != 0:
        return None
    lines = report.stdout.split("\n")
    if lines[:1] != ["hamnd-disk 1"] or "end" not in lines:
        return None
    rows = [one.split(" ", 3)[1:] for one in lines if one.startswith("disk ")]
    if not rows or any(len(row) != 3 or row[0] not in ("rw", "ro", "no") for row in rows):
        return None

    def points(state: str) -> tuple[str, ...]:
        return tuple(point for found, _, point in rows if found == state)

    devices = all(there == "yes" for found, there, _ in rows if found == "no")
    is_visible = "group missing" not in lines and devices
    at_boot = tuple(one.removeprefix("boot ") for one in lines if one.startswith("boot "))
    return Disk(is_visible, points("rw"), points("ro"), points("no"), at_boot)


def _judged(report: Report, arguments: tuple[str, ...], wanted: str) -> Reading:
    del arguments
    disk = parse_disk(report)
    if disk is None:
        return unanswered(report) or unreadable(report)
    there = ", ".join((*disk.mounted, *disk.read_only)) or "nothing"
    held = f"mounted: {there}"
    match wanted:
        case "held":
            return Reading(Verdict.PASS if disk.is_held else Verdict.BLOCK, held)
        case "released":
            is_free = not disk.mounted and not disk.read_only
            return Reading(Verdict.PASS if is_free else Verdict.BLOCK, held)
        case "left_at_boot":
            return Reading(*_at_boot(disk))
        case "can_attach" if not disk.is_visible:
            told = "it is not visible here: cabling, zoning, or a stale volume group"
            return Reading(Verdict.BLOCK, told)
        case "can_attach" if disk.mounted or disk.read_only:
            return Reading(Verdict.BLOCK, f"it is mounted here already: {there}")
        case _:
            return Reading(Verdict.PASS, "it is visible" if wanted == "can_attach" else held)


def _at_boot(disk: Disk) -> tuple[Verdict, str]:
    if not disk.at_boot:
        return Verdict.PASS, "nothing of it is mounted at boot"
    return Verdict.BLOCK, mounts_at_boot(disk)


def mounts_at_boot(disk: Disk) -> str:
    """Return what a node would do at its next boot, and what keeps it from that."""
    points = ", ".join(disk.at_boot)
    return (
        f"{points} is mounted at boot, whoever has it then: two nodes that mount it destroy all of "
        f"it; write noauto into its line of /etc/fstab (AIX: chfs -A no {disk.at_boot[0]})"
    )


def read_readable(report: Report, arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the node told what it sees."""
    return _judged(report, arguments, "readable")


def read_can_attach(report: Report, arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the disk is visible and not mounted."""
    return _judged(report, arguments, "can_attach")


def read_held(report: Report, arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when all of it is mounted for writing."""
    return _judged(report, arguments, "held")


def read_released(report: Report, arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when nothing of it is mounted."""
    return _judged(report, arguments, "released")


def read_left_at_boot(report: Report, arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when nothing of it is mounted at boot."""
    return _judged(report, arguments, "left_at_boot")


def read_reserved(report: Report) -> bool | None:
    """Whether the site's own check says that the reservation is ours; None: it did not say."""
    if unanswered(report) is not None:
        return None
    return report.exit_code == 0


def why(report: Report) -> str:
    """Return why nothing could be read."""
    lost = unanswered(report)
    return lost.sentence if lost is not None else last_lines(report) or "it said nothing"


READERS = {
    "shared_disk.readable": read_readable,
    "shared_disk.can_attach": read_can_attach,
    "shared_disk.held": read_held,
    "shared_disk.released": read_released,
    "shared_disk.left_at_boot": read_left_at_boot,
}
