"""The takeover by hand on the disks of both nodes: where it lies, and how the partner gets it.

Owns the files' names and the copy over ssh. Must not know what it says (views.runbook) nor when it
is copied (core.papers). It has to lie there on the night on which nothing else works (law 8).
"""

from __future__ import annotations

from hamnd.dialects.shell import quote, ssh_argv
from hamnd.model.site import Site
from hamnd.model.work import Action, Exec

FILE = "runbook.txt"
MARKDOWN = "runbook.md"
DOCUMENT = "runbook.json"

_SEND = 'f=$1; shift; exec "$@" <"$f"'
_TAKE = (
    'd=${HAMND_STATE_DIR:-$1}; f=$d/$2; umask 027; mkdir -p "$d" && cat >"$f.new" && '
    '[ -s "$f.new" ] && mv "$f.new" "$f" && echo "$2 is in $d"'
)
"""Nothing takes the place of a whole one but a whole one."""


def copy_name(site: Site, file: str = FILE) -> str:
    """Return what the partner calls it: a hamnd over there writes a runbook of its own."""
    name, _, kind = file.partition(".")
    return f"{name}-{site.node}.{kind}"


def leave(site: Site, file: str = FILE) -> Action:
    """Return the action that copies it into hamnd's own state directory on the partner (law 1)."""
    words = ("hamnd-runbook", site.paths.state_dir, copy_name(site, file))
    taken = quote(("sh", "-c", _TAKE, *words))
    sent = (f"{site.paths.state_dir}/{file}", *ssh_argv(site, site.partner.name), taken)
    return Action(Exec(site.node, ("sh", "-c", _SEND, "hamnd-runbook", *sent)), is_repeatable=True)
