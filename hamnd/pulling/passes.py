"""The ways to bring a tree here: by what changed, or by comparing everything.

Owns which of the two a pull takes, what rsync is told in either, and when a tree counts as whole.
Must not know processes (transfer, listing, line).

By what changed: each side lists what its inodes say has changed (find, ctime): there since the last
pull began, on that host's own clock, here since we looked last. What either side names is compared,
folders by their names, files of the same size and time by their contents, and nothing else is
looked at. A folder with another inode than it had was moved: all below it is compared. The numbers
of entries must agree in the end, or everything is compared at once.

Nobody but us writes here. That is looked at each time where the tree is small, and where it is only
to be told what differs; of a large one once an hour, when something was found to differ, and when
much is to be brought. What we wrote ourselves since the last look is known by its inodes' times.

Comparing everything is rsync's own way: for the first pull, once in a while, where find is not
GNU's, and wherever the other way could be wrong.
"""

from __future__ import annotations

import os
import sqlite3
import time
from dataclasses import dataclass, replace
from pathlib import Path

from hamnd.dialects import rsync
from hamnd.dialects.shell import quote
from hamnd.model.work import Compare
from hamnd.pulling.changes import (
    Changes,
    Counted,
    KeptTimes,
    Names,
    count,
    list_changes,
    remember_names,
    survey,
)
from hamnd.pulling.line import PullError
from hamnd.pulling.memory import Memory, Remembered
from hamnd.pulling.transfer import Run, Tally, Tools, run

LISTED_MAX = 200_000
"""Names given to one run of rsync, which keeps them all in memory; more are compared by a walk."""
LISTED_MIN, LISTED_SHARE = 1000, 20
"""So many are always named. One name costs rsync as much as a walk over some 20 entries (measured:
0.1 ms each of 5,000): where more than that share of a tree has changed, it is walked."""
HERE_MAX = 1_000_000
"""More that changed on this side is compared by a walk: somebody has put the tree here anew."""
LOOK_EVERY_S = 3600.0
SLEWED = 0.001
"""A clock that is corrected without a step loses no more than this share of the time."""
ASKS = 2
"""The worker's exit code where it stopped and asks."""
DELETE = ("--delete", "--force")
WALK = ("-r", *DELETE)
NAMED = ("-d", *DELETE, "--ignore-missing-args")
ONLY_DELETE = ("--existing", "--ignore-existing")


@dataclass(frozen=True, slots=True)
class Sides:
    """What is known of both hosts before a path is looked at."""

    moment_there: float
    """When the pull began, on the partner's clock: all that it had then will be here."""
    can_list: bool
    """Whether both have GNU find."""
    boot: str
    """This node's boot and the partner's, or nothing where this node does not tell its own."""
    ahead_s: tuple[float, float] = (0.0, 0.0)
    """How far the partner's clock is ahead of ours, at least and at most."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A path that is whole, or how it differs where nothing was to be changed."""

    tally: Tally
    entries: int


@dataclass(frozen=True, slots=True)
class Place:
    """One path of a set, and what is remembered of it."""

    tools: Tools
    path: str
    sides: Sides
    memory: Memory
    known: Remembered | None

    @property
    def subject(self) -> str:
        """What the memory is of."""
        return subject_of(self.tools.job, self.path)

    @property
    def is_dry(self) -> bool:
        """Whether nothing is to be changed."""
        return self.tools.job.is_dry


def subject_of(job: rsync.Job, path: str) -> str:
    """Return what the memory of a path is of: anything else is another set."""
    return "\n".join((job.partner, path, *job.exclude))


def bring(tools: Tools, path: str, number: int, sides: Sides) -> Outcome:
    """Bring one path here, or tell how it differs. Raises PullError where it is not whole."""
    memory = Memory(Path(tools.job.folder), number)
    known = memory.read(subject_of(tools.job, path))
    place = Place(tools, path, sides, memory, known)
    if not path.endswith("/"):
        _refuse_folder(tools, path)
    if tools.job.only or not path.endswith("/"):
        tally = Tally()
        options = ("-r", "-c") if tools.job.only else ("-c",)
        run(tools, Run(path, options, is_dry=place.is_dry), tally)
        return Outcome(tally, 1)
    _ask_where_all_is_gone(place)
    tally = Tally(told=set() if place.is_dry else None)
    if known is not None and _may_list(place, known):
        try:
            outcome = _by_changes(place, known, tally)
        except sqlite3.Error:  # a worker that was killed may leave a register that is torn
            memory.forget()
            outcome = None
        if outcome is not None:
            return outcome
    return _by_comparing(place, tally)


def _ask_where_all_is_gone(place: Place) -> None:
    """A file system that is not mounted here would have its place filled, on another one."""
    known, job = place.known, place.tools.job
    if known is None or known.entries <= 1 or place.is_dry or job.may_delete_percent >= 100:
        return
    if not any(os.scandir(place.path)):
        raise _asks(
            job,
            f"{place.path} is empty here, and had {known.entries} entries: is its file system "
            "mounted? Nothing was copied",
        )


def _refuse_folder(tools: Tools, path: str) -> None:
    """A folder that is named like a file would be left out by rsync, which calls that a success."""
    if tools.line.ask(f"test -d {quote((path,))} && test ! -h {quote((path,))}").code == 0:
        told = f"{path} is a directory on {tools.job.partner}: name it with a slash at its end"
        raise PullError(told)


def _may_list(place: Place, known: Remembered) -> bool:
    """Whether a listing of what changed can be believed."""
    is_asked = place.tools.job.compare is Compare.CONTENTS
    is_same_boot = place.sides.boot == known.boot != ""
    is_told = is_same_boot and not known.has_more and not _is_set_back(place.sides, known)
    return place.sides.can_list and is_told and not is_asked


def _is_set_back(sides: Sides, known: Remembered) -> bool:
    """Whether a clock was set back: what was edited since may be stamped before what is known.

    The partner's is held against ours, which tells a step that is smaller than the pause too.
    """
    now = time.time()
    slewed_s = SLEWED * abs(now - known.since_here)
    is_behind = sides.ahead_s[1] < known.ahead_s - slewed_s
    return is_behind or sides.moment_there < known.since_there or now < known.since_here


def _must_look_here(place: Place, known: Remembered) -> bool:
    is_small = known.entries <= place.tools.job.large_from
    is_due = not 0 <= time.time() - known.looked_at < LOOK_EVERY_S
    return place.is_dry or is_small or is_due


def _by_changes(place: Place, known: Remembered, tally: Tally) -> Outcome | None:
    """Bring what changed; None where everything has to be compared all the same."""
    tools, is_dry = place.tools, place.is_dry
    tools.meter.phase("listing what changed")
    began = time.time()
    looks_here = _must_look_here(place, known)
    changes = list_changes(tools, place.path, place.memory, known, looks_here)
    if changes.changed_here > HERE_MAX:
        return None
    if changes.moved.count or changes.linked.count:
        survey(tools, place.path, place.memory, changes)
    tools.meter.total(changes.copied_files, changes.copied_bytes)
    _check_deletions(place, changes)
    if not changes.is_empty:
        tools.meter.phase("comparing" if is_dry else "copying")
        _compare_changes(place, changes, tally)
    is_due = time.time() - known.whole_at > tools.job.whole_after_s
    entries = changes.entries_here + (0 if is_dry else tally.created - tally.deleted)
    if is_due or (not is_dry and entries != changes.entries_there):
        return None
    if is_dry and tally.count:
        place.memory.write(replace(known, looked_at=0.0))  # the next pull looks at both sides
    else:
        _remember(place, known, changes, began, entries)
    return Outcome(tally, entries)


def _remember(
    place: Place, known: Remembered, changes: Changes, began: float, entries: int
) -> None:
    """What was listed is whole here."""
    remember_names(place.memory, place.path, changes)
    root = next((inode for name, inode in changes.seen if not name), known.root_inode)
    now = replace(
        known,
        since_there=place.sides.moment_there,
        entries=entries,
        root_inode=root,
        ahead_s=place.sides.ahead_s[0],
    )
    if changes.is_here_seen:
        since = began if place.is_dry else place.memory.moment()
        now = replace(now, since_here=since, looked_at=began)
    place.memory.write(now)


def _compare_changes(place: Place, changes: Changes, tally: Tally) -> None:
    path, is_dry, limit = place.path, place.is_dry, _limit(place, changes.entries_here)
    share = max(LISTED_MIN, changes.entries_there // LISTED_SHARE)
    if changes.quick.count > min(LISTED_MAX, share):
        run(place.tools, Run(path, (*WALK, *limit), is_dry=is_dry), tally)
    elif changes.quick.count:
        _run_named(place, (*NAMED, *limit), changes.quick.file, tally)
    for names in _chunks(changes.contents):
        _run_named(place, (*NAMED, "-c"), names, tally)
    anew = "-c" if is_dry else "-I"  # written anew, a file is no longer one with its other names
    if changes.moved.count:
        options = (*WALK, *limit, anew, "--ignore-missing-args")
        run(place.tools, Run(path, options, changes.moved.file, is_dry), tally)
    if changes.linked.count:
        _run_named(place, (*NAMED, anew), changes.linked.file, tally)


def _run_named(place: Place, options: tuple[str, ...], names: Path, tally: Tally) -> None:
    kept = KeptTimes(place.path, names)
    run(place.tools, Run(place.path, options, names, place.is_dry), tally)
    kept.give_back()


def _chunks(names: Names) -> list[Path]:
    """Return files of at most LISTED_MAX names each."""
    if names.count <= LISTED_MAX:
        return [names.file] if names.count else []
    files: list[Path] = []
    rest = b""
    written = LISTED_MAX
    out = None
    with names.file.open("rb") as source:
        while block := source.read(1 << 20):
            *whole, rest = (rest + block).split(b"\0")
            for name in whole:
                if written >= LISTED_MAX:
                    if out is not None:
                        out.close()
                    files.append(names.file.with_suffix(f".contents{len(files)}"))
                    out, written = files[-1].open("wb"), 0
                assert out is not None
                out.write(name + b"\0")
                written += 1
    if out is not None:
        out.close()
    return files


def _check_deletions(place: Place, changes: Changes) -> None:
    """Stop before anything is deleted where it would be more than the site allows."""
    if place.is_dry or not (changes.folders.count or changes.moved.count):
        return
    tally = Tally()
    for names, options in ((changes.folders, NAMED), (changes.moved, WALK)):
        if names.count:
            wanted = (*options, *ONLY_DELETE, "--ignore-missing-args")
            one = Run(place.path, wanted, names.file, is_dry=True, is_rough=True)
            run(place.tools, one, tally)
    _ask(place, tally, changes.entries_here)


def _limit(place: Place, entries: int) -> tuple[str, ...]:
    """Return what holds rsync to the share, should the first look have seen less."""
    percent = place.tools.job.may_delete_percent
    if percent >= 100 or place.is_dry or not entries:
        return ()
    return (f"--max-delete={int(entries * percent / 100)}",)


def _ask(place: Place, tally: Tally, entries: int) -> None:
    share = 100.0 * tally.deleted / max(entries, 1)
    limit = place.tools.job.may_delete_percent
    if share <= limit:
        return
    names = ", ".join(tally.examples[:3])
    job = place.tools.job
    raise _asks(
        job,
        f"{job.partner} no longer has {tally.deleted} of {entries} entries of {place.path} "
        f"({share:.0f} %, limit {limit:g} %: {names}): nothing was deleted or copied",
    )


def _asks(job: rsync.Job, told: str) -> PullError:
    """Return what stops a pull until a person said that it is right."""
    question = f"{told}; if that is right: hamnctl sync {job.name} --accept-deletions"
    return PullError(question, ASKS, question)


def _by_comparing(place: Place, tally: Tally) -> Outcome:
    """Compare everything, by contents where that was never done or is asked for."""
    tools, path = place.tools, place.path
    tools.meter.phase("counting")
    began = time.time()
    counted = count(tools, path, place.memory) if place.sides.can_list else Counted()
    has_something = any(os.scandir(path))
    if has_something and not place.is_dry:
        tools.meter.phase("looking for what would be deleted")
        going = Tally()
        run(tools, Run(path, (*WALK, *ONLY_DELETE), is_dry=True, is_rough=True), going)
        _ask(place, going, counted.entries_here or _count_here(path))
    is_asked = tools.job.compare is Compare.CONTENTS
    by_contents = is_asked or (has_something and not _are_contents_known(place))
    word = "comparing" if place.is_dry else "copying"
    tools.meter.phase("comparing contents" if by_contents else word)
    options = (*WALK, *_limit(place, counted.entries_here), *(("-c",) if by_contents else ()))
    run(tools, Run(path, options, is_dry=place.is_dry), tally)
    has_more = place.is_dry and tally.count == tally.deleted > 0
    if not place.is_dry or not tally.count or (by_contents and has_more):
        place.memory.write(
            Remembered(
                subject=place.subject,
                since_there=place.sides.moment_there,
                since_here=began if place.is_dry else place.memory.moment(),
                whole_at=time.time(),
                entries=counted.entries_there,
                boot=place.sides.boot,
                looked_at=began,
                root_inode=counted.root_inode,
                half=counted.half,
                ahead_s=place.sides.ahead_s[0],
                has_more=has_more,
            )
        )
    return Outcome(tally, counted.entries_there or _count_here(path))


def _are_contents_known(place: Place) -> bool:
    """Whether what has the same size and time was found to have the same contents before.

    Where a site that copies by itself leaves more here than the partner has, no listing will do;
    but not every comparison needs to read both trees.
    """
    known = place.known
    if known is None or not known.has_more:
        return known is not None
    return place.is_dry and time.time() - known.whole_at <= place.tools.job.whole_after_s


def _count_here(path: str) -> int:
    """Count without GNU find."""
    return 1 + sum(len(folders) + len(files) for _, folders, files in os.walk(path))
