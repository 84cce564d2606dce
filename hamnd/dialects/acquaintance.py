"""How a node knows the two of the pair: what it takes their names for, and whether it gets in.

Owns the script that asks and the form of what it tells; it only reads. Must not judge it
(core.requirements). What makes it so is setup's (preparing).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from hamnd.dialects.shell import ssh_argv, unanswered, unreadable
from hamnd.model.names import Verdict
from hamnd.model.site import Platform, Site
from hamnd.model.work import Exec, Look, Reading, Report

ASK = {
    Platform.LINUX: """\
asked() {
  said=$(getent ahosts "$1"); code=$?
  case $code in 0) printf '%s\\n' "$said" | awk '{print $1}' | sort -u;; 2) ;; *) return 1;; esac
}
""",
    Platform.AIX: """\
asked() {
  said=$(host "$1" 2>&1); code=$?
  case $code,$said in 0,*" is "*|0,*" has address "*) printf '%s\\n' "$said" | sed -n \\
    -e 's/.* is \\([0-9A-Fa-f.:]*\\).*/\\1/p' -e 's/.* has address //p';;
  *0827-801*|*"does not exist"*) ;; *) return 1;; esac
}
""",
}
"""asked NAME: its addresses, none where there is no such name, a failure where nobody could say:
getent ends with 2 for an unknown key (getent(1)); AIX's host says so in words."""
_TELL = """\
set -f
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  found=$(asked "$1") && echo "name $1" $found
  shift
done
shift
if [ $# -gt 0 ]; then
  said=$("$@" true 2>&1 </dev/null); code=$?
  case $code,$said in 0,*) word=yes;;
  255,*"Permission denied"*|255,*"Host key verification failed"*) word=no;;
  255,*"Too many authentication failures"*) word=no;;
  *) word="unknown exit code $code:";; esac
  [ "$word" != yes ] && word="$word $(printf %s "$said" | tail -n 1 | cut -c 1-200)"
  echo "ssh $word"
fi
echo end
"""
"""Only ssh's own refusal says that it does not get in: 255 is a lost network's too (ssh(1))."""
LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """What one node told."""

    names: Mapping[str, frozenset[str]]
    """The addresses that a name has there; none: there is no such name. Of a name that is not
    here nobody could say."""
    gets_in: bool | None
    """Whether its ssh gets into the other node; None: it was not asked, or could not tell."""
    refusal: str = ""
    """Why not, or why it could not tell, in ssh's words."""


def look(site: Site, host: str) -> Look:
    """Return the look at what a node knows; the partner is asked for its way back here too."""
    way: tuple[str, ...] = ()
    if host != site.node:
        way = ssh_argv(replace(site, node=host), site.node)
    names = (site.primary.name, site.standby.name)
    script = ASK[site.platform] + _TELL
    return Look(
        Exec(host, ("sh", "-c", script, "hamnd-acquaintance", *names, "--", *way)),
        reads="acquaintance.told",
        expects=f"{host} tells what it takes {' and '.join(names)} for",
        timeout_s=LIMIT_S,
    )


def parse(report: Report) -> Acquaintance | None:
    """Return what a node told, or None where it did not come to its end."""
    lines = report.stdout.splitlines()
    if unanswered(report) is not None or report.exit_code != 0 or "end" not in lines[-1:]:
        return None
    names: dict[str, frozenset[str]] = {}
    gets_in, refusal = None, ""
    for line in lines:
        key, _, rest = line.partition(" ")  # a shell's start-up files may say anything
        words = rest.split()
        if key == "name" and words:
            names[words[0]] = frozenset(words[1:])
        elif key == "ssh" and words:
            gets_in, refusal = {"yes": True, "no": False}.get(words[0]), " ".join(words[1:])
    return Acquaintance(names, gets_in, refusal)


def read_told(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the node told all that it was asked, whatever it is."""
    found = parse(report)
    if found is None:
        return unreadable(report)
    return Reading(Verdict.PASS, f"it told of {len(found.names)} names")


READERS: Mapping[str, Callable[[Report, tuple[str, ...]], Reading]] = {
    "acquaintance.told": read_told,
}
