"""AIX's Network Installation Manager: its database, and how it comes to life on another node.

Owns the argv and the output of lsnim, nim, m_mkspot, m_restore_db, nimnodeset, mkdsklsnode and of
`lsdef -t osimage -l` (aix.md §5, guide §8.8). Must not know which of the three ways a site goes
(core.platforms.aix).

An osimage names NIM resources, never their places: those are known from the primary's own `lsnim
-l` only, so both are asked for while it is healthy. A spot's stored place ends in NAME/usr; to make
it again its grandparent is given.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hamnd.dialects.aix import one_line, program
from hamnd.dialects.shell import unanswered, unreadable
from hamnd.dialects.xcat import argv_over_there, client_argv, trouble_of
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Ending, Exec, Look, Reading, Report

TYPES = (
    "installp_bundle", "script", "root", "shared_root", "tmp", "home", "shared_home", "dump",
    "paging",
)  # fmt: skip
"""The guide's nine further resource types, in its order."""
NO_OBJECT = "0042-053"
READY = "ready for use"
LPP_SOURCES = "/install/nim/lpp_source"
SPOTS = "/install/nim/spot/"
FILE_SYSTEM = "/install/nim"

_OBJECT = re.compile(r"(\S+):\s*$")
_ATTRIBUTE = re.compile(r"\s+(\w+)\s*=\s*(.*?)\s*$")

_DEFINE = '"$1" "$2" >/dev/null 2>&1 && { echo "$2 is there"; exit 0; }; shift 2; exec "$@"'
_SET_UP = '"$1" -l >/dev/null 2>&1 && { echo "NIM is set up"; exit 0; }; shift; exec "$@"'
_RESTORE = """\
f=$(ls -t "$3" 2>/dev/null | head -n 1);
[ -n "$f" ] || { echo "no backup of the NIM database in $3" >&2; exit 1; };
if "$4" -l >/dev/null 2>&1; then "$1" -o unconfig master || exit 1; fi;
"$2" "$3/$f" || exit 1; "$4" -l >/dev/null && echo "restored from $f"
"""


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource to be made again; `location` is None where it was never seen."""

    name: str
    kind: str
    location: str | None


def objects(site: Site, host: str) -> Look:
    """Return a look at every NIM object of a node."""
    argv: tuple[str, ...] = (program(site, "lsnim"), "-l")
    if host != site.node:
        argv = ("env", f"PATH={site.tool_path}", *argv)
    return Look(
        Exec(host, argv),
        reads="nim.objects",
        expects=f"the NIM objects of {host} can be read",
        timeout_s=60.0,
    )


def images(site: Site, host: str) -> Look:
    """Return a look at every osimage definition of a node."""
    made = client_argv if host == site.node else argv_over_there
    return Look(
        Exec(host, made(site, None, "lsdef", "-t", "osimage", "-l")),
        reads="nim.images",
        expects=f"the osimage definitions of {host} can be read",
        timeout_s=60.0,
    )


def set_up(site: Site, device: str) -> Action:
    """Return the action that makes this node a NIM server where it is none (guide §8.8)."""
    setup = ("-a", "mk_resource=no", "-a", f"device={device}", "-a", f"file_system={FILE_SYSTEM}")
    argv = (program(site, "lsnim"), program(site, "nim_master_setup"), *setup)
    request = Exec(site.node, ("sh", "-c", _SET_UP, "hamnd-nim-setup", *argv))
    return Action(request, by_hand=(Exec(site.node, argv[1:]),))


def define(site: Site, one: Resource) -> Action:
    """Return the action that makes one resource, unless it is there (guide §8.8)."""
    place = ("-a", "server=master", "-a", f"location={one.location or ''}")
    made: tuple[str, ...] = (program(site, "nim"), "-Fo", "define", "-t", one.kind, *place)
    if one.kind == "spot":
        made = (program(site, "m_mkspot"), "-o", *place, "-a", "source=no")
    words = (program(site, "lsnim"), one.name, *made, one.name)
    request = Exec(site.node, ("sh", "-c", _DEFINE, "hamnd-nim-define", *words))
    return Action(request, by_hand=(Exec(site.node, words[2:]),))


def restore(site: Site, folder: str) -> Action:
    """Return the action that restores the newest backup of the primary's NIM database (§5)."""
    tools = (program(site, "nim"), program(site, "m_restore_db"), folder, program(site, "lsnim"))
    request = Exec(site.node, ("sh", "-c", one_line(_RESTORE), "hamnd-nim-restore", *tools))
    plain = (
        (tools[0], "-o", "unconfig", "master"),
        (tools[1], f"{folder}/THE-NEWEST-FILE"),
    )
    return Action(request, by_hand=tuple(Exec(site.node, argv) for argv in plain))


def take_over(site: Site, old: str) -> Action:
    """Return the takeover by the alternate NIM server, which names the old one (xcat-hamn §10)."""
    argv = (program(site, "nim"), "-Fo", "takeover", "-a", "show_progress=yes", old)
    return Action(Exec(site.node, argv))


def set_nodes(site: Site) -> Action:
    """Return the action that has NIM serve the listed nodes again (guide §8.8)."""
    deploy = site.osdeploy
    argv = client_argv(site, None, "nodeset", deploy.nodes, deploy.state)
    if deploy.program != "nodeset":
        argv = (program(site, deploy.program), "-i", deploy.image, deploy.nodes)
    return Action(Exec(site.node, argv), reads="xcat.done", is_repeatable=True)


def are_there(site: Site, names: tuple[str, ...]) -> Look:
    """Return a look that expects these objects, and those that have a state ready for use."""
    return Look(
        Exec(site.node, (program(site, "lsnim"), "-l")),
        reads="nim.are_there",
        expects=f"lsnim shows {', '.join(names) or 'the NIM database'}, ready for use",
        arguments=names,
        timeout_s=60.0,
    )


def has_backup(site: Site, folder: str) -> Look:
    """Return a look that expects a backup of the primary's NIM database on this node."""
    argv = ("sh", "-c", 'f=$(ls -t "$1") && [ -n "$f" ]', "hamnd-nim-backup", folder)
    return Look(
        Exec(site.node, argv),
        reads="shell.exit_zero",
        expects=f"{folder} holds a backup of the NIM database",
    )


def places_known(site: Site, unknown: tuple[str, ...]) -> Look:
    """Return a look at the primary that is needed while a resource's place was never seen."""
    return Look(
        objects(site, site.partner.name).request,
        reads="nim.places",
        expects=f"the places of {', '.join(unknown)} are known from {site.partner.name}",
        arguments=unknown,
        timeout_s=60.0,
    )


def parse_objects(text: str) -> Mapping[str, Mapping[str, str]]:
    """Return each object's attributes by its name from `lsnim -l`; the first value counts."""
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] | None = None
    for line in text.splitlines():
        head = _OBJECT.fullmatch(line)
        attribute = _ATTRIBUTE.fullmatch(line)
        if head is not None and not line[:1].isspace():
            current = found.setdefault(head[1], {})
        elif current is not None and attribute is not None:
            current.setdefault(attribute[1], attribute[2])
    return found


def parse_images(text: str) -> Mapping[str, Mapping[str, str]]:
    """Return each AIX osimage's attributes by its name from `lsdef -t osimage -l`."""
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] | None = None
    for line in text.splitlines():
        if line.startswith("Object name:"):
            current = found.setdefault(line.partition(":")[2].strip(), {})
        elif current is not None and line[:1].isspace() and "=" in line:
            key, _, value = line.strip().partition("=")
            current[key] = value
    return {key: one for key, one in found.items() if one.get("imagetype", "NIM") == "NIM"}


def names_of(known: Mapping[str, Mapping[str, str]], *classes: str) -> tuple[str, ...]:
    """Return the objects of these classes, but not the server: it is "master" everywhere."""
    return tuple(
        name for name, one in known.items() if one.get("class") in classes and name != "master"
    )


def resources_of(
    found: Mapping[str, Mapping[str, str]], known: Mapping[str, Mapping[str, str]]
) -> tuple[Resource, ...]:
    """Return what has to be made for these osimages, in the guide's order, each once.

    Args:
        found: Osimages, as `parse_images` returns them.
        known: The primary's NIM objects, as `parse_objects` returns them.
    """
    wanted: dict[str, Resource] = {}
    for image in found.values():
        names = [("lpp_source", image.get("lpp_source", ""))]
        if image.get("nimtype", "standalone") != "standalone":
            names = []
        names.append(("spot", image.get("spot", "")))
        names += [(kind, name) for kind in TYPES for name in image.get(kind, "").split(",")]
        for kind, name in names:
            if name.strip():
                place = _place(kind, name.strip(), known)
                wanted.setdefault(name.strip(), Resource(name.strip(), kind, place))
    return tuple(wanted.values())


def _place(kind: str, name: str, known: Mapping[str, Mapping[str, str]]) -> str | None:
    """Return where a resource lies; lpp_source and spot have the guide's own places."""
    seen = known.get(name, {}).get("location")
    if kind == "spot":
        if seen is not None and posixpath.basename(seen) == "usr":
            return f"{posixpath.dirname(posixpath.dirname(seen))}/"
        return seen or SPOTS
    if kind == "lpp_source":
        return seen or f"{LPP_SOURCES}/{name}"
    return seen


def read_objects(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when objects can be read; a node without NIM has none and says so with its exit code."""
    found = _found(report)
    if isinstance(found, Reading):
        return found
    return Reading(Verdict.PASS, f"{len(found)} NIM objects")


def read_images(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when osimage definitions can be read."""
    trouble = trouble_of(report)
    if trouble is not None:
        return trouble
    if report.truncated:
        return unreadable(report)
    return Reading(Verdict.PASS, f"{len(parse_images(report.stdout))} AIX osimages")


def read_are_there(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when every object is there, and what has an Rstate is ready for use."""
    found = _found(report)
    if isinstance(found, Reading):
        return found
    missing = [name for name in arguments if name not in found]
    if missing:
        return Reading(Verdict.BLOCK, f"lsnim does not show {', '.join(missing)}")
    unready = [
        f"{name} is {found[name]['Rstate']}"
        for name in arguments
        if found[name].get("Rstate", READY) != READY
    ]
    if unready:
        return Reading(Verdict.BLOCK, ", ".join(unready))
    return Reading(Verdict.PASS, f"{len(arguments) or len(found)} NIM objects are there")


def read_places(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the primary tells the place of each; otherwise they have to be known by hand."""
    found = _found(report)
    if isinstance(found, Reading):
        return found
    missing = [name for name in arguments if "location" not in found.get(name, {})]
    if missing:
        return Reading(Verdict.BLOCK, f"nobody knows the place of {', '.join(missing)}")
    return Reading(Verdict.PASS, "every place is known")


def _found(report: Report) -> Mapping[str, Mapping[str, str]] | Reading:
    silence = unanswered(report)
    if silence is not None:
        return silence
    found = parse_objects(report.stdout)
    if report.ending is Ending.EXITED and report.exit_code == 0 and found and not report.truncated:
        return found
    if NO_OBJECT in report.stderr:
        return Reading(Verdict.BLOCK, "NIM knows no such object")
    return unreadable(report)


READERS: Mapping[str, Callable[[Report, tuple[str, ...]], Reading]] = {
    "nim.objects": read_objects,
    "nim.images": read_images,
    "nim.are_there": read_are_there,
    "nim.places": read_places,
}
