"""What the scripts of this package share: how one is run, and how two nodes are asked at once.

Owns the pieces of shell and the requests around them. Must not know what a script is for. A script
on a database's host runs as the instance owner, its $0 is the program `db2`; one that needs both
nodes runs on this node as root and gets the line for each as a word, ssh and su included.
"""

from __future__ import annotations

from hamnd.dialects.db2.commands import run
from hamnd.dialects.shell import preview
from hamnd.model.site import Site
from hamnd.model.work import Action, Exec, Look

DIRECTORY = (
    'entry() { "$db2" list db directory | awk -F= -v name="$db" -v label="$1" '
    '\'{value = $2; gsub(/^ +| +$/, "", value)} '
    "/Database alias/ {mine = toupper(value) == toupper(name)} "
    "mine && index($1, label) {print value}'; }\n"
)
"""entry LABEL: a value of the database's own entry in the directory; nothing where it has none."""

VALUES = 'value() { printf "%s\\n" "$cfg" | sed -n "s/.*($1) *= *//p" | tr -d " "; }\n'
"""value NAME: a parameter of the configuration in $cfg, which never has a blank in it."""

FOLLOWS = (
    'follows() { text=$(sh -c "$1" 2>&1); '
    "printf '%s\\n' \"$text\" | grep -Eq '^ *HADR_ROLE = STANDBY|^Standby +Peer ' && "
    "printf '%s\\n' \"$text\" | grep -Eq '^ *HADR_STATE = PEER *$|^Standby +Peer '; }\n"
)
"""follows LINE: whether what db2pd says there is a standby in Peer (both layouts, §2, §3)."""


def on_host(site: Site, host: str, text: str, *words: str) -> Exec:
    """Return a script as the instance owner of a host runs it."""
    return run(site, host, "sh", "-c", text, site.tool("db2"), *words)


def here(site: Site, text: str, name: str, *lines: Exec) -> Exec:
    """Return a script that this node runs as root; its words are lines that sh can run."""
    words = tuple(preview(one, site) for one in lines)
    return Exec(site.node, ("sh", "-c", text, f"hamnd-{name}", *words))


def pd(site: Site, host: str) -> Exec:
    """Return the run of db2pd on a host."""
    return run(site, host, site.tool("db2pd"), "-d", site.db2.database, "-hadr")


def cfg(site: Site, host: str) -> Exec:
    """Return the reading of the configuration on a host."""
    return run(site, host, site.tool("db2"), "get", "db", "cfg", "for", site.db2.database)


def looked(request: Exec, told: str, timeout_s: float = 60.0) -> Look:
    """Return a script that only looks: 0 it is so, any other code it is not, its output why."""
    return Look(request, reads="shell.exit_zero", expects=told, timeout_s=timeout_s)


def unless_follows(site: Site, standby: str, question: Exec, told: str) -> Look:
    """Return a look that holds on the way, and ever after once the standby is in Peer."""
    text = f'{FOLLOWS}follows "$1" && {{ echo "it follows already"; exit 0; }}\nexec sh -c "$2"\n'
    request = here(site, text, "unless-follows", pd(site, standby), question)
    return looked(request, f"{told}, or {standby} follows already")


def make_folder(site: Site, host: str) -> Action:
    """Return what makes hamnd's own folder beside a database; only its owner may look into it."""
    text = 'mkdir -p "$1" && chown "$2" "$1" && chmod 0700 "$1"'
    words = ("hamnd-folder", site.db2.work_dir, site.db2.instance_owner)
    return Action(Exec(host, ("sh", "-c", text, *words)), is_repeatable=True)
