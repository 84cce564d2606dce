"""Small sets that are never half of each: staged, verified, then switched.

Owns the pull by rsync over ssh into a staged place beside the target, the manifest, and the switch:
for the copies of every day (core.filesets), and for the last one from an old primary that still
answers ssh (core.salvaging). Must not decide what is copied nor when. Which files: xcat-hamn.md §3.

A path is staged below the hidden folder `.hamnd` beside its target, on the same file system, so
that its switch is one rename: `new/NAME` is what was pulled, `old/NAME` what was there before,
`NAME.sha256` the manifest. A set that is not complete and verified is never switched, and one of
several paths is switched in one action, all of them or none.
"""

from __future__ import annotations

from dataclasses import dataclass

from hamnd.dialects.rsync import FOUND_AT, complaint, explain
from hamnd.dialects.shell import (
    endpoint,
    last_lines,
    quote,
    read_exit_zero,
    ssh_argv,
    unanswered,
)
from hamnd.model.filesets import FileSet
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Exec, Look, Place, Reading, Report, Swap

NOTHING_STAGED = 3
"""Exit code of a switch that had nothing to switch."""

_PULL = """\
set -eu; umask 077; rsync=$1 shell=$2 from=$3; shift 3
bad() { echo "$1" >&2; exit 1; }
ASK
place() { dir=${1%/*}/.hamnd name=${1##*/}; }
prepare() {
while [ $# -gt 1 ]; do
target=$2; place "$2"; shift 2
for link in "$dir" "$dir/new" "$dir/old" "$dir/new/$name"; do
[ ! -h "$link" ] || bad "$link is a link: somebody else left it there"; done
mkdir -p "$dir/new" "$dir/old"; rm -rf "$dir/$name.sha256"
[ -e "$target" ] || continue
rm -f "$dir/new/$name.switching" "$dir/old/$name.switching"
case $0 in hamnd-salvage) rm -rf "$dir/old/$name" "$dir/old/$name.absent" ;; esac
done
}
prepare "$@"
changed=0 entries=0 same=true
while [ $# -gt 1 ]; do
source=$1 target=$2; place "$2"; shift 2; tail=
case $source in */) tail=/ ;; esac
tries=0
while :; do
"$rsync" -as --no-D --delete --timeout=30 --rsync-path="$there" -e "$shell" \
"$from:$source" "$dir/new/$name$tail" || [ $? -eq 24 ]
said=$("$rsync" -asnc --no-D --delete --timeout=30 --itemize-changes --rsync-path="$there" \
-e "$shell" "$from:$source" "$dir/new/$name$tail")
[ -n "$said" ] || break
tries=$((tries + 1)); [ $tries -lt 5 ] || bad "$source changed each time that it was copied"
done
[ ! -h "$dir/new/$name" ] || bad "$source is a link there: name what it leads to"
[ -n "$tail" ] || [ ! -d "$dir/new/$name" ] || { rm -rf "$dir/new/$name"
bad "$source is a directory there: name it with a slash at its end"; }
[ -n "$(find "$dir/new/$name" -type f -size +0)" ] || bad "$source is empty there"
(cd "$dir/new" && find "$name" -type f -exec sh -c \
'sha256sum "$@" 2>/dev/null || openssl dgst -sha256 -r "$@"' sum {} +) >"$dir/$name.sha256.new"
mv "$dir/$name.sha256.new" "$dir/$name.sha256"
entries=$((entries + $(find "$dir/new/$name" | wc -l)))
[ ! -f "$dir/new/$name/ca-cert.pem" ] \
|| cmp -s "$dir/new/$name/ca-cert.pem" "$target/ca-cert.pem" || same=false
said=$([ ! -e "$target" ] || "$rsync" -anc --no-D --delete --itemize-changes \
"$dir/new/$name$tail" "$target$tail")
if [ -e "$target" ] && [ -z "$said" ]; then rm -rf "$dir/new/$name"
else changed=$((changed + 1)); fi
done
printf 'hamnd-copy {"as_of": %s, "entries": %s, "changed": %s, "identical": %s, ' \
"$as_of" "$entries" "$changed" "$same"
printf '"sentence": "verified; %s of the paths had changed"}\\n' "$changed"
"""
"""What is the same as what is in place is not switched: the one before is the one that differs.
Before anything is staged anew the marks of a switch that a crash cut off are gone (adapters.files);
but while nothing is in force, what was in force last stays where it is.
Whether the CA in place is the primary's is told before anything is: it may come to nothing.

A file that grows all the time (leases) is taken again a few times, until it held still for once.
"""
ASK = """\
where=$(echo "$from" | tr -d "[]")
ask='date +%s; for it in PLACES; do \
"$it" --version >/dev/null 2>&1 && command -v "$it" && break; done; :'
told=$(eval "$shell" '"$where"' '"$ask"')
as_of=$(echo "$told" | sed -n 1p) there=$(echo "$told" | sed -n 2p)
case $as_of in "" | *[!0-9]*) bad "it does not tell its time" ;; esac
[ -n "$there" ] || bad "rsync: not found"
""".replace("PLACES", " ".join(FOUND_AT)).rstrip()
"""What time it is there, and where its rsync is: AIX has it in /opt/freeware/bin (aix.md §10)."""
_PULL = _PULL.replace("ASK", ASK)
_FRESH = """\
cd "$1" || exit 1; list=.hamnd/$2.sha256; [ -s "$list" ] || exit 1
command -v sha256sum >/dev/null && exec sha256sum --quiet -c "$list"
wrong=0
while read -r sum name; do name=${name#\\*}
[ "$(openssl dgst -sha256 -r "$name" | cut -d" " -f1)" = "$sum" ] \
|| { echo "$name: FAILED" >&2; wrong=1; }
done <"$list"
exit $wrong
"""
"""By sha256sum, which AIX does not have, or by openssl."""
_PARTNER = "the primary"


@dataclass(frozen=True, slots=True)
class Salvaged:
    """One set: where the primary has it (a directory ends with a slash), and where it goes."""

    source: str
    target: str

    @property
    def parent(self) -> str:
        """The folder of the target."""
        return self.target.rpartition("/")[0] or "/"

    @property
    def name(self) -> str:
        """The target's own name."""
        return self.target.rpartition("/")[2]


def sets(site: Site) -> tuple[Salvaged, ...]:
    """Return the sets of a site; a path is the same on both nodes."""
    return tuple(Salvaged(f"{path.rstrip('/')}/", path.rstrip("/")) for path in site.credentials)


def leases(site: Site) -> tuple[Salvaged, ...]:
    """Return the DHCP leases: not put in force here, but kept for the step that makes DHCP."""
    live = site.services.dhcp_leases
    return (Salvaged(live, f"{site.paths.state_dir}/files/dhcp.leases"),) if live else ()


def members(site: Site, one: FileSet) -> tuple[Salvaged, ...]:
    """Return the paths of a set, each with where it goes."""
    return tuple(_member(site, path) for path in one.paths)


def _member(site: Site, path: str) -> Salvaged:
    if path == site.services.dhcp_leases:
        return leases(site)[0]
    return Salvaged(path, path.rstrip("/"))


def remote(site: Site) -> tuple[str, str, str]:
    """Return rsync, the ssh command line it starts, and the partner as it names it."""
    where = endpoint(site, site.partner.name)
    shell = quote((*ssh_argv(site, site.partner.name)[:-1], "-o", "LogLevel=ERROR"))
    return site.tool("rsync"), shell, f"{where.user}@{_bracketed(where.address)}"


def pull(site: Site, *wanted: Salvaged, keeps_previous: bool = False) -> Action:
    """Return the action that stages sets and verifies them against the partner.

    With `keeps_previous`, what was replaced last stays beside a set that did not change; in a
    takeover it must go, or the way back would bring it.
    """
    pairs = (word for one in wanted for word in (one.source, one.target))
    arguments = (*remote(site), *pairs)
    request = Exec(
        site.node,
        ("sh", "-c", _PULL, "hamnd-copy" if keeps_previous else "hamnd-salvage", *arguments),
        writes_below=tuple(dict.fromkeys(f"{one.parent.rstrip('/')}/.hamnd" for one in wanted)),
    )
    return Action(request, reads="salvage.pulled")


def switch(site: Site, *staged: Salvaged) -> Action:
    """Return the action that puts a staged set in its place, whole, and keeps the previous one."""
    swap = Swap(site.node, tuple(_place(one) for one in staged))
    return Action(swap, reads="salvage.switched")


def switch_back(site: Site, *switched: Salvaged) -> Action:
    """Return the way back from `switch`; done as well when nothing was switched."""
    ahead = (_place(one) for one in switched)
    swap = Swap(site.node, tuple(Place(one.kept, one.target, one.staged) for one in ahead))
    return Action(swap, reads="salvage.switched_back")


def _place(one: Salvaged) -> Place:
    at = f"{one.parent.rstrip('/')}/.hamnd"
    return Place(f"{at}/new/{one.name}", one.target, f"{at}/old/{one.name}")


def is_fresh(site: Site, one: Salvaged) -> Look:
    """Return a look that expects a set to be what was pulled last, by its manifest."""
    request = Exec(site.node, ("sh", "-c", _FRESH, "hamnd-fresh", one.parent, one.name))
    return Look(
        request,
        reads="salvage.fresh",
        expects=f"{one.target} is what was last pulled from {site.partner.name}",
        arguments=(one.target,),
    )


def read_pulled(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when every set was staged and verified."""
    return told(report, "pulled and verified")


def told(report: Report, done: str) -> Reading:
    """Return how a program that runs rsync ended: `done`, or in one sentence why not."""
    reading = read_exit_zero(report)
    if reading.verdict is Verdict.PASS:
        return Reading(Verdict.PASS, done)
    if reading.verdict is not Verdict.BLOCK or report.exit_code is None:
        return reading
    why = complaint(report.stderr, _PARTNER)
    if why is None and report.exit_code == 1:  # the program's own word
        why = last_lines(report)
    return Reading(Verdict.BLOCK, why or explain(report.exit_code, report.stderr, _PARTNER))


def read_fresh(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the set is the manifest's."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    target = (*arguments, "the set")[0]
    if report.exit_code == 0:
        return Reading(Verdict.PASS, f"{target} is as pulled")
    return Reading(Verdict.BLOCK, f"{target} is not what was pulled: {last_lines(report)}")


def read_switched(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the set was switched, or what is in place is the same; the manifest proves it."""
    if unanswered(report) is None and report.exit_code == NOTHING_STAGED:
        return Reading(Verdict.PASS, "what is in place is the same")
    return read_exit_zero(report)


def read_switched_back(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the previous set is back, or was never away."""
    if unanswered(report) is None and report.exit_code == NOTHING_STAGED:
        return Reading(Verdict.PASS, "nothing had been switched")
    return read_exit_zero(report)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
