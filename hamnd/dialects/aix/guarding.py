"""How the return guard gets onto an AIX node, and before what starts there at boot.

Owns the scripts that send hamn-guard and hamn-boot to a node and put one guarded line into its
inittab in place of the others. Must not know how the guard decides (hamnd/guard/hamn-guard), nor
what a management node starts (core.platforms.aix).

hamn-boot is delivered with the bundle and lies on every node whose hamnd was installed from it. The
lines that give way are kept in inittab.before, as `src-register --guard` keeps them: the bundle's
uninstall.sh puts them back. What runs goes on, and Db2's fault monitor is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hamnd.dialects import guard
from hamnd.dialects.aix import one_line, program
from hamnd.dialects.aix.inittab import (
    FAULT_MONITOR,
    STARTER,
    Entry,
    all_of,
    found_in,
    identifiers,
    pattern,
    starters,
)
from hamnd.dialects.shell import preview
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Exec, Look, Reading, Report

_SEND = (
    'for f in "$1" "$2"; do [ -s "$f" ] || '
    '{ echo "$f is not here: install.sh of the bundle brings it" >&2; exit 1; }; done; '
    'sh -c "$3" <"$1" && sh -c "$4" <"$2"'
)
_TAKE = (
    'umask 022; mkdir -p "${1%/*}" && cat >"$1.new" && [ -s "$1.new" ] && '
    'chmod 755 "$1.new" && mv "$1.new" "$1"'
)
_SUM = 'cksum <"$1" && cksum <"$2" && [ -s "$3" ] && [ -x "$1" ] && [ -x "$2" ]'
_IS_SAME = (
    'one=$(cksum <"$1" && cksum <"$2") && two=$(sh -c "$3") && [ "$one" = "$two" ] && '
    'echo "it is installed" || { echo "it is not installed, or another version is"; exit 1; }'
)
_GUARD = """\
l=$1; m=$2; c=$3; r=$4; e=$5; p=$6; i=$7; d=${HAMND_STATE_DIR:-$8}; f=$d/inittab.before;
all=$("$l" -a) && [ -n "$all" ] || { printf '%s\\n' "$all" >&2; exit 2; };
mkdir -p "$d" && printf '%s\\n' "$all" | awk -F: -v p="$p" -v i="$i" -v own="${e%%:*}"
'NF > 3 && $1 != own && $3 != "off" && ($2 == "" || $2 ~ /2/) {
c = $0; sub(/^[^:]*:[^:]*:[^:]*:/, "", c); if ($1 ~ i || c ~ p) print }' >"$f.now" || exit 1;
case $(printf '%s\\n' "$all" | grep "^${e%%:*}:") in "") "$m" "$e" || exit 1;; "$e") ;;
*) "$c" "$e" || exit 1;; esac;
while IFS= read -r o; do grep -qxF "$o" "$f" 2>/dev/null || printf '%s\\n' "$o" >>"$f" || exit 1;
"$r" "${o%%:*}" || exit 1; echo "${o%%:*} is taken out"; done <"$f.now"; rm -f "$f.now"
"""
"""The guarded line first: a reboot in between finds one line too many, which starts nothing twice
(0513-029), and never one too few."""


def install(site: Site, host: str) -> tuple[Action, ...]:
    """Return what brings the guard, its starter and its configuration onto a node."""
    takes = (
        preview(Exec(host, ("sh", "-c", _TAKE, "hamnd-take", place)), site)
        for place in (guard.PROGRAM, STARTER)
    )
    send = Exec(site.node, ("sh", "-c", _SEND, "hamnd-send", *_ours(), *takes))
    return Action(send, is_repeatable=True), guard.write_conf(site, host)


def is_installed(site: Site, host: str) -> Look:
    """Return a look that expects this installation's guard and starter on a node, configured."""
    words = (guard.PROGRAM, STARTER, f"{site.paths.state_dir}/{guard.NAME}")
    told = Exec(host, ("sh", "-c", _SUM, "hamnd-sum", *words))
    argv = ("sh", "-c", _IS_SAME, "hamnd-same", *_ours(), preview(told, site))
    return Look(
        Exec(site.node, argv),
        reads="shell.exit_zero",
        expects=f"the return guard is installed on {host}",
        timeout_s=15.0,
    )


def put_before(site: Site, entry: Entry, names: tuple[str, ...]) -> Action:
    """Return what has one guarded line start these at boot, and no other."""
    tools = (program(site, one) for one in ("lsitab", "mkitab", "chitab", "rmitab"))
    state_dir = site.paths.state_dir
    words = (*tools, entry.text(), pattern(names), identifiers(names), state_dir)
    request = Exec(site.node, ("sh", "-c", one_line(_GUARD), "hamnd-guarded", *words))
    return Action(request, reads="inittab.disarmed", is_repeatable=True)


def is_before(site: Site, entry: Entry, names: tuple[str, ...]) -> Look:
    """Return a look that expects this line, and no other that starts one of these."""
    return Look(
        all_of(site),
        reads="guarding.is_before",
        expects=f"only {entry.identifier} of {site.node}'s inittab starts {', '.join(names)}",
        arguments=(entry.text(), *names),
    )


def read_is_before(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the line is there, word by word, and every other starter asks the guard too."""
    found = found_in(report)
    if isinstance(found, Reading):
        return found
    text, names = "".join(arguments[:1]), arguments[1:]
    identifier = text.partition(":")[0]
    if not any(one.text() == text for one in found):
        return Reading(Verdict.BLOCK, f"{identifier} is not in the inittab, or starts other things")
    others = (one for one in starters(found, names) if not one.is_guarded)
    bad = [one.identifier for one in others if FAULT_MONITOR not in one.command]
    if bad:
        return Reading(Verdict.BLOCK, f"starts at boot without the guard: {', '.join(bad)}")
    return Reading(Verdict.PASS, f"only {identifier} starts them, once the guard lets it")


def _ours() -> tuple[str, str]:
    """Return where guard and starter lie in this installation."""
    return f"{guard.FOLDER}/hamn-guard", STARTER


READERS: Mapping[str, Callable[[Report, tuple[str, ...]], Reading]] = {
    "guarding.is_before": read_is_before,
}
