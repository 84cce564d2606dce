"""The epoch on disk: one line in hamnd's state directory on both nodes and with the witnesses.

Owns that line (``NUMBER OWNER BOOT``), how it is read and how it is raised. Must not decide who may
serve (core.guarding) nor when it is raised. `hamnd/guard/hamn-guard` reads and writes the same file
without hamnd; its second line is the operator's reason, where somebody asserted the epoch there.

No file is ever replaced by an older epoch. A raised number comes from a plan, a boot from the host
itself: nothing in an action is drawn or told by a clock (design §5).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from hamnd.dialects import takeovers
from hamnd.dialects.shell import last_lines, unanswered
from hamnd.model.epoch import NO_BOOT, Epoch, EpochSight
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Ending, Exec, Look, Read, Reading, Report, Spread

NAME = "epoch"
NEWER = 3
"""Exit code of the script that keeps an epoch where a newer one, or the same number of another
node, is kept already."""
TELL_LIMIT_S = 2.0
"""How long a witness that does not answer may hold a takeover, all of them together."""

_LINE = re.compile(r"(\d{1,9}) ([A-Za-z0-9._-]{1,255}) ([A-Za-z0-9._:-]{1,255})")
_TOLD = re.compile(r"^hamnd-epoch=(.*)$", re.MULTILINE)
_GUARD = re.compile(r"^hamnd-guard=(yes|no)$", re.MULTILINE)
_RUN = re.compile(r"^hamnd-run=([a-z_ ]{0,60})$", re.MULTILINE)
_TAKEOVER = re.compile(r"^hamnd-takeover=(.*)$", re.MULTILINE)
_BOOT = re.compile(r"^hamnd-boot=(\S+)$", re.MULTILINE)

_THIS_BOOT = (
    "b=; { read -r b </proc/sys/kernel/random/boot_id; } 2>/dev/null || "
    'b=$(who -b | tr -s "[:space:]" "[_*]" | sed -e "s/^_//" -e "s/_$//"); '
)
"""The same as daemon.host tells of this node."""

KEEP = r"""d=${HAMND_STATE_DIR:-$1}; n=$2; o=$3; b=$4; f=$d/epoch; t=$f.$$; l=$f.lock;
if [ "$b" = here ]; then
b=; { read -r b </proc/sys/kernel/random/boot_id; } 2>/dev/null ||
b=$(who -b | tr -s "[:space:]" "[_*]" | sed -e "s/^_//" -e "s/_$//"); fi;
mkdir -p "$d" && echo "$n $o $b" >"$t" && { [ -z "$5" ] || printf "%s\n" "$5" >>"$t"; } ||
{ rm -f "$t"; exit 1; };
{ { sync "$t" || sync; echo; } & { sleep 5; echo; } & } 2>/dev/null </dev/null | read -r x;
i=0; until mkdir "$l" 2>/dev/null; do i=$((i+1)); case $i in
3) rmdir "$l" 2>/dev/null;; 5) rm -f "$t"; echo "$l cannot be made"; exit 1;; *) sleep 1;;
esac; done;
k=0; w=; x=; { read -r k w x <"$f"; } 2>/dev/null; case $k in ""|*[!0-9]*) k=0; w=;; esac;
r=0; if [ "$k" -gt "$n" ]; then echo "a newer epoch is kept: $k $w $x"; r=3;
elif [ "$k" -eq "$n" ] && [ -n "$w" ] && [ "$w" != "$o" ]; then
echo "this epoch is kept of another node: $k $w $x"; r=3;
elif mv "$t" "$f"; then echo "epoch $n of $o is kept"; else r=1; fi;
rm -f "$t"; rmdir "$l"; exit "$r"
"""
"""Keeps an epoch: the one rule, word for word that of hamn-guard, which says what it is made of (a
test compares the two). After a power cut there is the old file or the new one."""

TELLING = (
    "f=${HAMND_STATE_DIR:-$e}/epoch; k=none; "
    'if [ -e "$f" ]; then k=error; { read -r k <"$f"; } 2>/dev/null; fi; '
    f"{_THIS_BOOT}"
    "g=no; if [ -x /usr/sbin/hamn-guard ]; then g=yes; fi; "
    'r=; { read -r r <"${HAMND_STATE_DIR:-$e}/run"; } 2>/dev/null; '
    'case $r in *" running") p=; { read -r p <"${HAMND_STATE_DIR:-$e}/lock"; } 2>/dev/null; '
    'case $p in ""|*[!0-9]*) ;; '
    '*) kill -0 "$p" 2>/dev/null || [ -d "/proc/$p" ] || r="${r% running} interrupted" ;; '
    "esac ;; esac; "
    't=; { read -r t <"${HAMND_STATE_DIR:-$e}/takeover"; } 2>/dev/null; '
    'echo "hamnd-epoch=$k"; echo "hamnd-boot=$b"; echo "hamnd-guard=$g"; echo "hamnd-run=$r"; '
    'echo "hamnd-takeover=$t"'
)
"""Shell text that tells what a host keeps, which plan is on there (dialects.running), and which
takeover of the pair was the latest (dialects.takeovers); `$e` is the state directory. Others ask it
along, so it starts no program of its own where the kernel has a boot id. A run whose hamnd ended in
the middle of it is told as interrupted: its own line would say "running" for ever."""

_TELL = f"e=$1; {TELLING}"


def path_of(site: Site) -> str:
    """Return where this node keeps the epoch."""
    return f"{site.paths.state_dir}/{NAME}"


def here(site: Site) -> Look:
    """Return a look at what this node keeps."""
    return Look(
        Read(site.node, path_of(site)),
        reads="epoch.told",
        expects=f"{site.node} keeps an epoch",
        timeout_s=5.0,
    )


def there(site: Site, host: str) -> Look:
    """Return a look at what another host keeps."""
    return Look(
        Exec(host, ("sh", "-c", _TELL, "hamnd-epoch", site.paths.state_dir)),
        reads="epoch.told",
        expects=f"{host} keeps an epoch",
        timeout_s=2.0 + site.ssh.connect_timeout_s,
    )


def is_kept(site: Site, number: int, owner: str) -> Look:
    """Return a look that expects this node to keep this epoch or a newer one of the same owner."""
    return Look(
        Read(site.node, path_of(site)),
        reads="epoch.is_kept",
        expects=f"{site.node} keeps epoch {number} of {owner}",
        arguments=(str(number), owner),
    )


def keep(site: Site, host: str, epoch: Epoch) -> Action:
    """Return what writes an epoch into the state directory of one of the two nodes."""
    return Action(Exec(host, _keeping(site, epoch)), reads="epoch.kept", is_repeatable=True)


def raise_on(site: Site, host: str, number: int, owner: str) -> Action:
    """Return what raises the epoch on one of the nodes; its own boot is told by the owner."""
    boot = "here" if owner == host else NO_BOOT
    return keep(site, host, Epoch(number, owner, boot))


def tell(site: Site, number: int, owner: str) -> tuple[Action, ...]:
    """Return what tells the witnesses, all at once; one that cannot be reached holds nobody."""
    hosts = tuple(one.name for one in site.witnesses)
    if not hosts:
        return ()
    argv = _keeping(site, Epoch(number, owner))
    return (Action(Spread(hosts, argv, TELL_LIMIT_S), reads="epoch.spread", is_repeatable=True),)


def _keeping(site: Site, epoch: Epoch) -> tuple[str, ...]:
    words = (site.paths.state_dir, str(epoch.number), epoch.owner, epoch.boot_id)
    return ("sh", "-c", KEEP.replace("\n", " "), "hamnd-keep-epoch", *words)


def parse(line: str) -> Epoch | None:
    """Return the epoch that a line tells, or None."""
    found = _LINE.fullmatch(line.strip())
    return Epoch(int(found[1]), found[2], found[3]) if found else None


def read_here(site: Site, report: Report) -> EpochSight | None:
    """Return what this node keeps; None where that could not be read."""
    if report.ending is not Ending.EXITED:
        return None
    if report.exit_code != 0:
        is_absent = "No such file or directory" in report.stderr
        return EpochSight(site.node, None, NO_BOOT, report.finished) if is_absent else None
    first, _, note = report.stdout.partition("\n")
    epoch = parse(first)
    if epoch is None:
        return None
    return EpochSight(site.node, epoch, NO_BOOT, report.finished, note.strip())


def read_there(host: str, report: Report) -> EpochSight | None:
    """Return what another host told among other things; None where it told nothing whole."""
    if unanswered(report) is not None:
        return None
    told, boot = _TOLD.findall(report.stdout), _BOOT.findall(report.stdout)
    if len(told) != 1 or len(boot) != 1:
        return None
    epoch = None if told[0] == "none" else parse(told[0])
    if epoch is None and told[0] != "none":
        return None
    guard = _GUARD.search(report.stdout)
    has_guard = None if guard is None else guard[1] == "yes"
    run = _RUN.search(report.stdout)
    past = _TAKEOVER.search(report.stdout)
    return EpochSight(
        host,
        epoch,
        boot[0],
        report.finished,
        has_guard=has_guard,
        run=None if run is None else run[1],
        takeover=None if past is None else takeovers.parse(past[1]),
    )


def read_told(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when an epoch, or that there is none, was told."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    first = report.stdout.partition("\n")[0]
    if parse(first) is not None or read_there("", report) is not None:
        return Reading(Verdict.PASS, first)
    return Reading(Verdict.UNKNOWN, f"no epoch in the answer: {last_lines(report)}")


def read_is_kept(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when this node keeps the epoch with that number, or a newer one of the same owner."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    number, owner = (*arguments, "", "")[:2]
    epoch = parse(report.stdout.partition("\n")[0]) if report.exit_code == 0 else None
    if epoch is None:
        return Reading(Verdict.BLOCK, f"no epoch is kept here: {last_lines(report)}")
    told = f"epoch {epoch.number} of {epoch.owner} is kept here"
    is_it = epoch.owner == owner and epoch.number >= int(number or 0)
    return Reading(Verdict.PASS if is_it else Verdict.BLOCK, told)


def read_kept(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the epoch was written, BLOCK when it was not, or a newer one is kept."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    if report.exit_code == 0:
        return Reading(Verdict.PASS, last_lines(report) or "the epoch is kept")
    return Reading(Verdict.BLOCK, f"exit code {report.exit_code}: {last_lines(report)}")


def read_spread(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS whoever was told: a witness that cannot be reached never blocks a takeover."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    told = [line for line in report.stdout.splitlines() if line.strip()]
    return Reading(Verdict.PASS, "; ".join(told) or "nobody was told")


READERS: Mapping[str, Callable[[Report, tuple[str, ...]], Reading]] = {
    "epoch.told": read_told,
    "epoch.is_kept": read_is_kept,
    "epoch.kept": read_kept,
    "epoch.spread": read_spread,
}
