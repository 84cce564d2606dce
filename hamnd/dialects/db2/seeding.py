"""A new standby from the primary: backup, copy, restore, and HADR configured as its mirror.

Owns those commands and how each is proven (guide §5.1.3-§5.1.7 in today's form, db2-hadr.md §11).
Must not know their order. An image lies in a folder of its own with its own name, which carries its
timestamp: whoever restores takes the one that is there. What travels in the image is the primary's
configuration: a standby's is its mirror.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from hamnd.dialects.db2.commands import run
from hamnd.dialects.db2.db2pd import parse_db2pd
from hamnd.dialects.db2.readers import (
    is_last_word,
    judge_reply,
    read_hadr_readable,
    reply_of,
)
from hamnd.dialects.db2.scripts import (
    FOLLOWS,
    VALUES,
    cfg,
    here,
    looked,
    on_host,
    pd,
    unless_follows,
)
from hamnd.dialects.db2.switching import read_in_peer
from hamnd.dialects.shell import unanswered
from hamnd.model.hadr import ParseVerdict
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Look, Reading, Report

MIB = 1_048_576
_UTILITY = re.compile(
    r"^Type +=\s*(?P<kind>BACKUP|RESTORE)\b(?:(?!^Type ).)*?"
    r"^ *Estimated Percentage Complete = (?P<percent>\d{1,3})$\s*"
    r"^ *Total Work += (?P<total>\d{1,18}) bytes$\s*^ *Completed Work += (?P<done>\d{1,18}) bytes",
    re.MULTILINE | re.DOTALL | re.ASCII,
)
_STAMP = re.compile(r"\b\d{14}\b", re.ASCII)

_UNLESS_FOLLOWS = 'follows "$1" && { echo "it follows already"; exit 0; }\nexec sh -c "$2"\n'
_BACKUP = (
    'rm -rf "$2"; mkdir -p "$2" || exit 1; '
    'exec "$0" backup db "$1" online to "$2" include logs without prompting'
)
_HAS_IMAGE = (
    'set -- "$1"/*.001; [ $# -eq 1 ] && [ -s "$1" ] || { echo "there is not one image"; exit 1; }; '
    'echo "$1"'
)
_PACK = 'cd "$1" && exec tar cf - *.001'
_UNPACK = 'rm -rf "$1"; mkdir -p "$1" && cd "$1" && exec tar xf -'
_SUM = 'cd "$1" && cksum *.001'
_COPY = 'sh -c "$1" | sh -c "$2"'
_IS_COPIED = (
    'one=$(sh -c "$1") && two=$(sh -c "$2") && [ -n "$one" ] && [ "$one" = "$two" ] || '
    '{ echo "the images differ: $one and ${two:-none}"; exit 1; }; echo "the same: $one"'
)
_RESTORE = """\
set -u; db2=$0 db=$1 folder=$2
set -- "$folder"/*.001; [ $# -eq 1 ] && [ -s "$1" ] || { echo 'there is not one image'; exit 1; }
stamp=${1%.001} stamp=${stamp##*.}
case $("$db2" get db cfg for "$db" | grep 'HADR database role') in *PRIMARY*|*STANDBY*)
said=$("$db2" stop hadr on db "$db") || { echo "$said"; exit 4; };; esac
said=$("$db2" restore db "$db" from "$folder" taken at "$stamp" \
replace history file without prompting)
code=$?; printf '%s\\n' "$said"
case $said in *DB20000I*|*SQL2540W*) echo "${1##*/}" >"$folder/restored";; esac
exit $code
"""
_IS_RESTORED = """\
set -- "$0" "$1" "$2"/*.001
[ "$(cat "${3%/*}/restored" 2>/dev/null)" = "${3##*/}" ] || { echo 'not restored from it'; exit 1; }
cfg=$("$1" get db cfg for "$2") || { echo "$cfg"; exit 1; }
for line in 'HADR database role *= *STANDARD' 'Rollforward pending *= *DATABASE'; do
printf '%s\\n' "$cfg" | grep -q "$line" || { echo "it is not so: $line"; exit 1; }; done
echo "restored from ${3##*/}, to be rolled forward by HADR"
"""

_MIRROR = (
    'cfg=$(sh -c "$1") || { echo "$cfg"; exit 1; }\n'
    + VALUES
    + """\
words=
add() { [ -n "$2" ] || { echo "the primary has no value for $1"; exit 1; }; words="$words $1 $2"; }
add HADR_LOCAL_HOST "$(value HADR_REMOTE_HOST)"; add HADR_REMOTE_HOST "$(value HADR_LOCAL_HOST)"
add HADR_LOCAL_SVC "$(value HADR_REMOTE_SVC)"; add HADR_REMOTE_SVC "$(value HADR_LOCAL_SVC)"
for same in HADR_REMOTE_INST HADR_TIMEOUT HADR_PEER_WINDOW HADR_SYNCMODE; do
add $same "$(value $same)"; done
case $(value HADR_TARGET_LIST) in
'') ;;
*'|'*) list=$(value HADR_TARGET_LIST)
add HADR_TARGET_LIST "$(value HADR_LOCAL_HOST):$(value HADR_LOCAL_SVC)|${list#*[|]}";;
*) add HADR_TARGET_LIST "$(value HADR_LOCAL_HOST):$(value HADR_LOCAL_SVC)";;
esac
add LOGINDEXBUILD ON
"""
)
"""In $words: what the standby's configuration has to be, by the primary's."""

_SET_MIRROR = _MIRROR + 'printf "%s\\n" "$words" | sh -c "$2"\n'
_SET_WORDS = 'set -f; read -r words; exec "$0" update db cfg for "$1" using $words'
_IS_MIRROR = (
    _MIRROR
    + """\
cfg=$(sh -c "$2") || { echo "$cfg"; exit 1; }
set -f; set -- $words; wrong=
while [ $# -gt 1 ]; do
[ "$(value "$1")" = "$2" ] || wrong="$wrong $1 is $(value "$1") and not $2;"; shift 2; done
[ -z "$wrong" ] || { echo "$wrong"; exit 1; }; echo "$words"
"""
)

_SAME_LEVEL = (
    'level() { sh -c "$1" | tr "\\n" " " | tr -s " " | '
    'sed -n "s/.*\\"DB2 v\\([0-9.]*\\)\\".*/\\1/p"; }; '
    'one=$(level "$1") two=$(level "$2"); [ -n "$one" ] && [ -n "$two" ] || '
    '{ echo "db2level does not tell: ${one:-?} here, ${two:-?} there"; exit 1; }; '
    '[ "$one" = "$two" ] || { echo "Db2 $one here, $two there"; exit 1; }; echo "Db2 $one on both"'
)


def image_folder(site: Site) -> str:
    """Return where the image lies, on either node."""
    return f"{site.db2.work_dir.rstrip('/')}/image"


def backup(site: Site, host: str, standby: str) -> Action:
    """Return the online backup of a primary, the log it needs included (§11).

    It is made anew each time, but never beside a standby that follows: an old image may need log
    that is gone.
    """
    change = on_host(site, host, _BACKUP, site.db2.database, image_folder(site))
    request = here(site, FOLLOWS + _UNLESS_FOLLOWS, "backup", pd(site, standby), change)
    return Action(request, reads="db2.backed_up", is_repeatable=True)


def is_backed_up(site: Site, host: str, standby: str) -> Look:
    """Return the look that finds one image."""
    question = on_host(site, host, _HAS_IMAGE, image_folder(site))
    return unless_follows(site, standby, question, f"there is an image on {host}")


def copy(site: Site, source: str, standby: str) -> Action:
    """Return the copy of the image from node to node, through this one."""
    pack = on_host(site, source, _PACK, image_folder(site))
    unpack = on_host(site, standby, _UNPACK, image_folder(site))
    return Action(here(site, _COPY, "copy", pack, unpack), is_repeatable=True)


def is_copied(site: Site, source: str, standby: str) -> Look:
    """Return the look that compares the image on both nodes, by name, length and checksum."""
    one, two = (on_host(site, host, _SUM, image_folder(site)) for host in (source, standby))
    question = here(site, _IS_COPIED, "is-copied", one, two)
    return unless_follows(site, standby, question, f"{standby} has the image of {source}")


def restore(site: Site, host: str) -> Action:
    """Return the restore, without rolling forward: that is HADR's (§11); HADR is off before it."""
    words = (site.db2.database, image_folder(site))
    return Action(on_host(site, host, _RESTORE, *words), reads="db2.restored", is_repeatable=True)


def is_restored(site: Site, host: str) -> Look:
    """Return the look that finds the database restored from this image and not rolled forward."""
    question = on_host(site, host, _IS_RESTORED, site.db2.database, image_folder(site))
    return unless_follows(site, host, question, f"{host} is restored from the image")


def mirror(site: Site, source: str, standby: str) -> Action:
    """Return what sets the standby's HADR parameters by those of the primary."""
    change = on_host(site, standby, _SET_WORDS, site.db2.database)
    request = here(site, _SET_MIRROR, "mirror", cfg(site, source), change)
    return Action(request, reads="db2.takeover_done", is_repeatable=True)


def is_mirror(site: Site, source: str, standby: str) -> Look:
    """Return the look that compares them."""
    request = here(site, _IS_MIRROR, "is-mirror", cfg(site, source), cfg(site, standby))
    return looked(request, f"HADR on {standby} is the mirror of {source}'s")


def progress(site: Site, host: str) -> Look:
    """Return the look that asks how far a backup or restore is; it tells nothing of none."""
    return Look(
        run(site, host, site.tool("db2"), "list", "utilities", "show", "detail"),
        reads="db2.progress",
        expects=f"how far the backup or restore on {host} is",
        timeout_s=15.0,
    )


def same_level(site: Site) -> Look:
    """Return the look that compares both nodes' Db2: a pair has one level (guide §2)."""
    hosts = (site.node, site.partner.name)
    one, two = (run(site, host, site.tool("db2level")) for host in hosts)
    return looked(here(site, _SAME_LEVEL, "same-level", one, two), "one level of Db2 on both nodes")


def joined(site: Site, host: str) -> Look:
    """Return the look that finds the standby in Peer, or tells that it shut itself down (§10)."""
    return Look(
        pd(site, host),
        reads="db2.joined",
        expects=f"{site.db2.database} on {host} is standby in Peer, its partner connected",
        timeout_s=10.0,
    )


def is_active_standby(site: Site, host: str) -> Look:
    """Return the look that finds an active standby, connected or not."""
    return _is_active(site, host, "standby")


def is_active_primary(site: Site, host: str) -> Look:
    """Return the look that finds an active primary, connected or not."""
    return _is_active(site, host, "primary")


def _is_active(site: Site, host: str, role: str) -> Look:
    return Look(
        pd(site, host),
        reads="db2.active_as",
        expects=f"{site.db2.database} on {host} is active as {role}",
        arguments=(role,),
        timeout_s=10.0,
    )


def read_backed_up(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the backup told its timestamp; its sentence is translated, the digits are not."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    reply = reply_of(report)
    if is_last_word(report, "it follows already"):
        return Reading(Verdict.PASS, "no backup is needed: the standby follows already")
    if report.exit_code == 0 and not reply.messages and _STAMP.search(report.stdout):
        return Reading(Verdict.PASS, reply.text)
    return judge_reply(report, harmless=())


def read_progress(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS with what LIST UTILITIES tells of the first backup or restore: percent, and of what."""
    found = _UTILITY.search(report.stdout) if unanswered(report) is None else None
    if found is None:
        return Reading(Verdict.UNKNOWN, "no backup or restore tells how far it is")
    done, total = int(found["done"]) // MIB, int(found["total"]) // MIB
    told = f"{found['kind'].lower()}: {found['percent']} %, {done} of {total} MiB"
    return Reading(Verdict.PASS, told)


def read_restored(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS on DB20000I, or on SQL2540W: restored over what was there, without asking (§8)."""
    return judge_reply(report, harmless=("SQL2540W",))


def read_joined(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS in Peer; a database that is gone again has a log that diverged (§10)."""
    if unanswered(report) is None:
        parsed = parse_db2pd(report.stdout)
        if parsed.verdict is ParseVerdict.DATABASE_DOWN:
            said = "it shut itself down: its log has diverged, and only a new copy helps"
            return Reading(Verdict.BLOCK, f"{said} (the reason is in its db2diag.log)")
    return read_in_peer(report, ("standby",))


def read_active_as(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when db2pd says the role asked for, whatever the state."""
    reading = read_hadr_readable(report)
    if reading.verdict is not Verdict.PASS:
        return reading
    role = parse_db2pd(report.stdout).channels[0].role
    if role is None:
        return Reading(Verdict.UNKNOWN, "db2pd tells no role")
    verdict = Verdict.PASS if role.value == arguments[0] else Verdict.BLOCK
    return Reading(verdict, f"role {role.value.upper()}")


READERS: Mapping[str, Callable[[Report, tuple[str, ...]], Reading]] = MappingProxyType(
    {
        "db2.backed_up": read_backed_up,
        "db2.progress": read_progress,
        "db2.restored": read_restored,
        "db2.joined": read_joined,
        "db2.active_as": read_active_as,
    }
)
