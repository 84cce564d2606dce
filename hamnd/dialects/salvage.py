"""The last copy from an old primary that still answers ssh: small sets, verified, then switched.

Owns the pull by rsync over ssh into a staged place beside the target, the manifest, and the switch.
Must not decide what is salvaged nor when (core.salvaging). Which files they are: xcat-hamn.md §3.

A set is staged below the hidden folder `.hamnd` beside its target, on the same file system, so that
the switch is one rename: `new/NAME` is what was pulled, `old/NAME` what was there before,
`NAME.sha256` the manifest. A set that is not complete and verified is never switched.
"""

from __future__ import annotations

from dataclasses import dataclass

from hamnd.dialects.shell import (
    endpoint,
    last_lines,
    quote,
    read_exit_zero,
    ssh_argv,
    unanswered,
)
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Exec, Look, Reading, Report, Swap

NOTHING_STAGED = 3
"""Exit code of a switch that had nothing to switch."""

_PULL = """\
set -eu; umask 077; rsync=$1 shell=$2 from=$3; shift 3
while [ $# -gt 1 ]; do
source=$1 target=$2; shift 2; dir=${target%/*}/.hamnd name=${target##*/}; tail=
case $source in */) tail=/ ;; esac
mkdir -p "$dir/new" "$dir/old"; rm -rf "$dir/$name.sha256" "$dir/old/$name"
"$rsync" -as --delete --timeout=5 -e "$shell" "$from:$source" "$dir/new/$name$tail"
said=$("$rsync" -asnc --delete --timeout=5 --itemize-changes -e "$shell" \
"$from:$source" "$dir/new/$name$tail")
[ -z "$said" ] || { echo "$source changed while it was copied" >&2; exit 1; }
[ -n "$(find "$dir/new/$name" -type f -size +0)" ] || { echo "$source is empty there" >&2; exit 1; }
(cd "$dir/new" && find "$name" -type f -exec sha256sum {} +) >"$dir/$name.sha256.new"
mv "$dir/$name.sha256.new" "$dir/$name.sha256"
done
"""
_FRESH = 'cd "$1" && sha256sum --quiet -c ".hamnd/$2.sha256"'


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


def pull(site: Site, *wanted: Salvaged) -> Action:
    """Return the action that stages sets and verifies them against the old primary."""
    where = endpoint(site, site.partner.name)
    shell = quote((*ssh_argv(site, site.partner.name)[:-1], "-o", "LogLevel=ERROR"))
    pairs = (word for one in wanted for word in (one.source, one.target))
    arguments = (site.tool("rsync"), shell, f"{where.user}@{_bracketed(where.address)}", *pairs)
    request = Exec(site.node, ("sh", "-c", _PULL, "hamnd-salvage", *arguments))
    return Action(request, reads="salvage.pulled")


def switch(site: Site, one: Salvaged) -> Action:
    """Return the action that puts a staged set in its place and keeps the previous one."""
    at = f"{one.parent.rstrip('/')}/.hamnd"
    swap = Swap(site.node, f"{at}/new/{one.name}", one.target, f"{at}/old/{one.name}")
    return Action(swap)


def switch_back(site: Site, one: Salvaged) -> Action:
    """Return the way back from `switch`; done as well when nothing was switched."""
    at = f"{one.parent.rstrip('/')}/.hamnd"
    swap = Swap(site.node, f"{at}/old/{one.name}", one.target, f"{at}/new/{one.name}")
    return Action(swap, reads="salvage.switched_back")


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
    reading = read_exit_zero(report)
    if reading.verdict is Verdict.PASS:
        return Reading(Verdict.PASS, "pulled and verified")
    return reading


def read_fresh(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the set is the manifest's."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    target = (*arguments, "the set")[0]
    if report.exit_code == 0:
        return Reading(Verdict.PASS, f"{target} is as pulled")
    return Reading(Verdict.BLOCK, f"{target} is not what was pulled: {last_lines(report)}")


def read_switched_back(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the previous set is back, or was never away."""
    if unanswered(report) is None and report.exit_code == NOTHING_STAGED:
        return Reading(Verdict.PASS, "nothing had been switched")
    return read_exit_zero(report)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
