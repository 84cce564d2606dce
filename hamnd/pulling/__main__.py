"""Entry of the worker: read the job, look at both sides, confine itself, bring every path here.

Owns the order, the lock of a set and the exit codes: 0 whole, 1 not, 2 stopped and asks. Must not
know how a path is brought here (passes).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from hamnd.dialects import rsync
from hamnd.dialects.copying import facts_line
from hamnd.dialects.rsync import Job
from hamnd.dialects.shell import quote
from hamnd.model.copying import CopyFacts, Drift
from hamnd.pulling.confining import confine
from hamnd.pulling.line import Line, PullError
from hamnd.pulling.passes import Sides, bring
from hamnd.pulling.transfer import Meter, Tally, Tools

VERSION_S = 20.0
OSIMAGES_MAX = 5

_PROBE = """\
date +%s
for program in RSYNC; do
found=$(command -v "$program" 2>/dev/null) && said=$("$found" --version 2>/dev/null) || continue
echo "rsync $found"; echo "$said" | sed -n 1p; break
done
find --version 2>/dev/null | sed -n 's/^find (GNU.*/gnu find/p'
command -v ionice >/dev/null && command -v nice >/dev/null && echo gentle
sed 's/^/boot /' /proc/sys/kernel/random/boot_id 2>/dev/null
:
"""


@dataclass(frozen=True, slots=True)
class Partner:
    """What the partner told when the pull began."""

    moment: float
    ahead_s: tuple[float, float]
    """How far its clock is ahead of ours, at least and at most: it tells whole seconds."""
    rsync: str
    has_find: bool
    is_gentle: bool
    boot: str


def main() -> int:
    """Carry out the job on standard input."""
    job = rsync.read_job(sys.stdin.read())
    code = 0
    try:
        facts = _pull(job)
    except PullError as error:
        facts, code = CopyFacts(sentence=error.sentence, question=error.question), error.code
    except sqlite3.Error as error:
        told = f"{job.folder}: what is known of {job.name} cannot be kept: {error}"
        facts, code = CopyFacts(sentence=told), 1
    except OSError as error:
        told = f"{error.filename or job.name}: {error.strerror or error}"
        facts, code = CopyFacts(sentence=told), 1
    sys.stdout.write(facts_line(facts) + "\n")
    if code:
        sys.stderr.write(facts.sentence + "\n")
    return code


def _pull(job: Job) -> CopyFacts:
    folder = Path(job.folder)
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    tempfile.tempdir = str(folder)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PullError(f"another pull of {job.name} is under way") from None
        for path in job.paths:
            os.makedirs(path if path.endswith("/") else os.path.dirname(path), exist_ok=True)
        roots = [path if path.endswith("/") else os.path.dirname(path) for path in job.paths]
        is_confined = confine((job.folder, *roots))
        meter = Meter(folder)
        meter.phase("connecting")
        with Line(job) as line:
            return _over(job, line, meter, is_confined)


def _over(job: Job, line: Line, meter: Meter, is_confined: bool) -> CopyFacts:
    partner = _probe(job, line)
    has_find = _is_gnu_find_here()
    gentle_here = job.is_gentle and shutil.which("ionice") is not None
    tools = Tools(job, line, meter, partner.rsync, gentle_here, job.is_gentle and partner.is_gentle)
    boot = _boot()
    sides = Sides(
        partner.moment,
        has_find and partner.has_find,
        f"{boot} {partner.boot}" if boot else "",
        partner.ahead_s,
    )
    total = Tally()
    entries = 0
    for number, path in enumerate(job.paths):
        outcome = bring(tools, path, number, sides)
        total.merge(outcome.tally)
        entries += outcome.entries
    facts = _facts(job, partner.moment, total, entries, is_confined)
    outside = _osimages_outside(job, line)
    return replace(facts, sentence=f"{facts.sentence}{outside}")


def _osimages_outside(job: Job, line: Line) -> str:
    """Say which directories of osimages no set copies; a partner without xcatd tells nothing."""
    if not job.known_paths:
        return ""
    told = line.ask(f"PATH=$PATH:/opt/xcat/bin {rsync.OSIMAGES}").out
    outside = rsync.read_osimages(told, job.known_paths)
    if not outside:
        return ""
    return f"; in no set, though osimages need them: {', '.join(outside[:OSIMAGES_MAX])}"


def _facts(job: Job, moment: float, total: Tally, entries: int, is_confined: bool) -> CopyFacts:
    if job.is_dry:
        drift = Drift(moment, total.changed, total.created, total.deleted, tuple(total.examples))
        word = "nothing differs" if not drift.count else f"{drift.count} entries differ"
        return CopyFacts(as_of=moment, entries=entries, drift=drift, sentence=word)
    words = [f"{total.created + total.changed} copied or corrected, {total.deleted} deleted"]
    if total.vanished:
        words.append("some went away meanwhile, the next pull deletes them")
    if not is_confined:
        words.append("not confined: this kernel has no landlock")
    return CopyFacts(
        as_of=moment,
        entries=entries,
        bytes=total.bytes,
        changed=total.created + total.changed,
        deleted=total.deleted,
        sentence="; ".join(words),
    )


def _probe(job: Job, line: Line) -> Partner:
    """Ask the partner what time it is and what it has. Raises PullError where rsync is no use."""
    names = " ".join(quote((name,)) for name in rsync.FOUND_AT)
    before = time.time()
    answer = line.ask(_PROBE.replace("RSYNC", names))
    after = time.time()
    moment, *rest = answer.out.splitlines() or [""]
    if not (moment.isascii() and moment.isdigit()):
        raise PullError(f"{job.partner} did not tell its time: {answer.err.strip()[-200:]}")
    place = next((one.removeprefix("rsync ") for one in rest if one.startswith("rsync /")), "")
    if not place:
        raise PullError(f"rsync is not installed on {job.partner}")
    _check_version(answer.out.partition(place)[2], job.partner)
    _check_version(_told_here(job.rsync), "this node")
    ahead_s = float(moment) - after, float(moment) + 1 - before
    boot = next((one.removeprefix("boot ") for one in rest if one.startswith("boot ")), "")
    return Partner(float(moment), ahead_s, place, "gnu find" in rest, "gentle" in rest, boot)


def _told_here(program: str) -> str:
    """Return what a program of this node says about its version."""
    argv = (program, "--version")
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=VERSION_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PullError(f"{program} could not be started here: {error}") from None
    return done.stdout


def _check_version(said: str, where: str) -> None:
    version = rsync.read_version(said)
    if version is None:
        raise PullError(f"rsync on {where} does not tell its version")
    if version < rsync.VERSION_MIN:
        wanted, found = (".".join(map(str, one)) for one in (rsync.VERSION_MIN, version))
        raise PullError(f"rsync {found} on {where} is too old: {wanted} or newer is needed")


def _boot() -> str:
    """Return what the kernel calls this boot (random(4)), or nothing where it has no name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _is_gnu_find_here() -> bool:
    try:
        return _told_here("find").startswith("find (GNU")
    except PullError:
        return False


if __name__ == "__main__":
    sys.exit(main())
