"""A change that takes itself back unless it is kept: commit-confirmed, as routers know it.

Owns the watcher that is armed before a change and puts back what was there, and the word that keeps
the change. Must not know what is changed (dialects.addresses, dialects.network).

The watcher is a POSIX shell in a session of its own: it needs no Python, no bus and no disk space,
and it outlives hamnd, also under systemd, whose unit is delivered with KillMode=process. It ends at
once, without a deed, when the change is kept or armed anew. Who renames its file first decides:
rename is one step, so a change is never both kept and taken back.
"""

from __future__ import annotations

from hamnd.dialects.shell import last_lines, local_argv, quote, unanswered
from hamnd.model.names import Verdict
from hamnd.model.site import Platform, Site
from hamnd.model.work import Action, Exec, Reading, Report

TOO_LATE = 3
"""Exit code of `keep` when the watcher was faster."""

_WATCH = """\
t=$1; shift; a=armed.$$; : >"$a" || exit 1; n=0;
while [ "$n" -lt "$t" ]; do sleep 1; [ -e "$a" ] || exit 0; n=$((n+1)); done;
mv "$a" fired || [ -e "$a" ] || exit 0;
for c; do sh -c "$c"; done; mv fired back"""

_ARM = """\
d=$1; t=$2; w=$3; shift 3; umask 077;
mkdir -p "$d" && cd "$d" && rm -f armed.* kept fired back || exit 1;
setsid sh -c "$w" hamnd-watch "$t" "$@" </dev/null >/dev/null 2>&1 &
n=0; until ls armed.* >/dev/null 2>&1; do n=$((n+1));
if [ "$n" -gt 50 ]; then echo "the watcher did not start" >&2; exit 1; fi; sleep 0.1; done;
echo "armed: what was before comes back after $t s"
"""

_WRITTEN = """\
{ for c; do printf '%s || r=1\\n' "$c"; done; echo 'exit ${r-0}'; } >way-back;
"""
_WATCH_AIX = _WATCH.replace(
    'do sh -c "$c"; done; mv fired back',
    'do sh -c "$c" || r=1; done; mv fired back; [ -n "$r" ] || mv way-back went-back',
)
_ARM_AIX = (
    _ARM.replace("setsid sh", "perl -MPOSIX=setsid -e 'setsid(); exec @ARGV' sh")
    .replace("sleep 0.1", "sleep 1")
    .replace("-gt 50", "-gt 5")
    .replace("kept fired back ||", "kept fired back way-back went-back ||")
    .replace("exit 1;\n", f"exit 1;\n{_WRITTEN}", 1)
)
"""AIX has no setsid, and sleeps whole seconds; Perl is there, xCAT needs it (aix.md §10). There a
change may outlive a reboot that comes before it is kept, so the way back is written down as well:
`at_boot` is what runs it then."""

_AT_BOOT = (
    "cd {folder} && [ ! -e kept ] && [ -e way-back ] && sh way-back && "
    "mv way-back went-back && rm -f armed.* fired"
)
"""Once gone back it is over: what an administrator sets by hand later stays over the next boot."""

_KEEP = f"""\
cd "$1" || exit 1;
for a in armed.*; do if mv "$a" kept 2>/dev/null; then echo kept; exit 0; fi; done;
if [ -e kept ]; then echo "kept already"; exit 0; fi;
echo "too late: what was before came back by itself"; exit {TOO_LATE}"""

_DROP = 'if cd "$1" 2>/dev/null; then rm -f armed.*; fi'


def _folder(site: Site) -> str:
    return f"{site.paths.state_dir}/identity"


def _script(text: str) -> str:
    return text.replace("\n", " ").rstrip()


def arm(site: Site, limit_s: float, way_back: tuple[Exec, ...]) -> Action:
    """Return the action that makes `way_back` happen after `limit_s`, whatever becomes of hamnd.

    Armed again it begins anew: an earlier watcher ends without a deed.
    """
    lines = (quote(local_argv(one, "root")) for one in way_back)
    limit = str(max(1, round(limit_s)))
    is_linux = site.platform is Platform.LINUX
    script, watch = (_ARM, _WATCH) if is_linux else (_ARM_AIX, _WATCH_AIX)
    argv = ("sh", "-c", _script(script), "hamnd-arm", _folder(site), limit, _script(watch), *lines)
    return Action(Exec(site.node, argv), is_repeatable=True, by_hand=())


def keep(site: Site) -> Action:
    """Return the action that makes the change final; it says when it came too late."""
    argv = ("sh", "-c", _script(_KEEP), "hamnd-keep", _folder(site))
    return Action(Exec(site.node, argv), reads="keeping.kept", is_repeatable=True, by_hand=())


def drop(site: Site) -> Action:
    """Return the action that ends the watcher after its deed was done by hand."""
    argv = ("sh", "-c", _DROP, "hamnd-drop", _folder(site))
    return Action(Exec(site.node, argv), by_hand=())


def at_boot(site: Site) -> str:
    """Return the command that takes a change back at boot unless it was kept (AIX).

    One simple command: init puts `exec` before it (IBM's AIX documentation, inittab file).
    """
    return f"sh -c {quote((_AT_BOOT.format(folder=_folder(site)),))} >/dev/console 2>&1"


def read_kept(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the change is final, BLOCK when the watcher was faster."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    if report.exit_code == 0 and report.stdout.strip() in ("kept", "kept already"):
        return Reading(Verdict.PASS, report.stdout.strip())
    if report.exit_code == TOO_LATE:
        return Reading(Verdict.BLOCK, "it was proven too late")
    told = last_lines(report) or "it said nothing"
    return Reading(Verdict.UNKNOWN, f"not kept (exit code {report.exit_code}): {told}")
