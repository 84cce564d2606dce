"""`make bench-files`: a tree of 1,000,000 files, pulled by hamnd and by plain `rsync -az`.

Owns the trees, the changes and the table. Both tools copy the same source over the same sshd in the
same run, each into a target of its own; the medians of alternating runs are compared. hamnd's
worker is started as the daemon starts it, in a loop that does a round each second meanwhile. COUNT,
ROUNDS and FOLDER in the environment make it smaller, or put it elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hamnd.adapters.clock import SystemClock
from hamnd.adapters.process import LocalRunner
from hamnd.model.work import Exec
from tests.lab.two_sides import CHECKOUT, Sides, missing, two_sides

COUNT = int(os.environ.get("COUNT", "1000000"))
ROUNDS = int(os.environ.get("ROUNDS", "4"))
PER_FOLDER = 100
CHANGED = 100
BUDGETS = {"nothing changed": 0.5, "100 changed": 0.5, "everything changed": 1.1}
ROUND_S = 1.0
LIMIT_S = 7200.0


def main() -> int:
    """Print the table and return 0 when every ratio is within its budget."""
    if reason := missing():
        print(f"skipped: {reason}", file=sys.stderr)
        return 0
    place = os.environ.get("FOLDER")
    with (
        tempfile.TemporaryDirectory(prefix="hb-", dir=place) as folder,
        two_sides(Path(folder)) as sides,
    ):
        return _measure(sides)


def _measure(sides: Sides) -> int:
    plain = sides.root / "plain"
    plain.mkdir()
    print(f"making {COUNT:,} files", file=sys.stderr)
    make_tree(sides.there, COUNT)
    gaps: list[float] = []
    tools: dict[str, Callable[[], None]] = {
        "rsync -az": lambda: _rsync(sides, plain),
        "hamnd": lambda: gaps.append(asyncio.run(_hamnd(sides))),
    }
    rows: list[dict[str, object]] = []
    first = {name: [_timed(tool)] for name, tool in tools.items()}
    rows.append(_row("first copy", first))
    rows.append(_row("nothing changed", _rounds(tools, lambda _: None)))
    rows.append(_row("100 changed", _rounds(tools, lambda number: _change(sides, number))))
    forced = {
        **tools,
        "hamnd": lambda: gaps.append(asyncio.run(_hamnd(sides, large_from=COUNT * 2))),
    }
    looked = _rounds(forced, lambda number: _change(sides, ROUNDS + number))
    rows.append(_row("100, both looked at", looked))
    rows.append(_row("everything changed", _rounds(tools, lambda _: _change_all(sides), 1)))
    _compare(sides.there, sides.here)
    print(f"{COUNT:,} files; one core of {os.cpu_count()} is busy {os.getloadavg()[0]:.1f} times")
    print(f"{'':<20}{'rsync -az':>12}{'hamnd':>12}{'ratio':>8}{'budget':>8}{'MiB':>8}{'MiB':>8}")
    for row in rows:
        budget = BUDGETS.get(str(row["what"]))
        print(
            f"{row['what']:<20}{row['rsync_s']:>11.1f}s{row['hamnd_s']:>11.1f}s"
            f"{row['ratio']:>8.2f}{budget or '':>8}"
            f"{row['rsync_mib']:>8.0f}{row['hamnd_mib']:>8.0f}"
        )
    print(f"longest gap between two rounds of {ROUND_S:g} s meanwhile: {max(gaps):.2f} s")
    told = {"files": COUNT, "rounds": ROUNDS, "rows": rows, "longest_gap_s": round(max(gaps), 3)}
    print(json.dumps(told))
    judged = ((str(row["what"]), float(str(row["ratio"]))) for row in rows)
    return int(any(ratio > BUDGETS.get(what, ratio) for what, ratio in judged))


def make_tree(root: Path, count: int) -> None:
    """Make so many small files, a hundred in each folder."""
    for number in range(0, count, PER_FOLDER):
        folder = root / f"{number // 10_000:03d}" / f"{number % 10_000 // PER_FOLDER:02d}"
        folder.mkdir(parents=True)
        for one in range(min(PER_FOLDER, count - number)):
            (folder / f"file{one:02d}").write_text(f"{number + one}\n")


def _files(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        for name in names:
            yield Path(folder, name)


def _change(sides: Sides, number: int) -> None:
    step = COUNT // CHANGED
    for at, path in enumerate(_files(sides.there)):
        if at % step == number:
            path.write_text(f"changed {number} {at}\n")


def _change_all(sides: Sides) -> None:
    for path in _files(sides.there):
        with path.open("r+b") as file:  # not truncated: some file systems write such a file at once
            file.write(f"{path.name} is another one now\n".encode())


Sample = tuple[float, float]
"""Seconds, and MiB at the peak."""


def _rounds(
    tools: dict[str, Callable[[], None]], change: Callable[[int], None], rounds: int = ROUNDS
) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {name: [] for name in tools}
    for number in range(rounds):
        change(number)
        for name in list(tools)[:: 1 if number % 2 else -1]:
            found[name].append(_timed(tools[name]))
    return found


def _row(what: str, found: dict[str, list[Sample]]) -> dict[str, object]:
    seconds = {name: statistics.median(one[0] for one in runs) for name, runs in found.items()}
    peaks = {name: max(one[1] for one in runs) for name, runs in found.items()}
    print(f"{what}: {found}", file=sys.stderr)
    return {
        "what": what,
        "rsync_s": round(seconds["rsync -az"], 2),
        "hamnd_s": round(seconds["hamnd"], 2),
        "ratio": round(seconds["hamnd"] / seconds["rsync -az"], 3),
        "rsync_mib": round(peaks["rsync -az"], 1),
        "hamnd_mib": round(peaks["hamnd"], 1),
    }


def _timed(tool: Callable[[], None]) -> Sample:
    """Run a tool; the peak is the resident memory of all that this process has started."""
    peak = [0.0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            peak[0] = max(peak[0], _resident_mib())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    began = time.perf_counter()
    tool()
    seconds = time.perf_counter() - began
    done.set()
    watcher.join()
    return seconds, peak[0]


def _resident_mib() -> float:
    pages, waiting = 0, [os.getpid()]
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(OSError, ValueError, IndexError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            waiting += [int(child) for child in children]
            if pid != os.getpid():
                pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1_048_576


def _rsync(sides: Sides, target: Path) -> None:
    ssh = " ".join(sides.ssh)
    source = f"root@127.0.0.1:{sides.here}/"
    subprocess.run(("rsync", "-az", "-e", ssh, source, f"{target}/"), check=True)


async def _hamnd(sides: Sides, **changes: object) -> float:
    """Pull as the daemon does; return the longest gap between two rounds of its loop meanwhile."""
    runner = LocalRunner(SystemClock(), os.environ["PATH"], "root")
    argv = ("env", f"PYTHONPATH={CHECKOUT}", sys.executable, "-m", "hamnd.pulling")
    pulling = asyncio.create_task(
        runner.run(Exec("mn2", argv, stdin=sides.job(**changes)), LIMIT_S), name="pull"
    )
    longest, before = 0.0, time.monotonic()
    while not pulling.done():
        await runner.run(Exec("mn2", ("true",)), LIMIT_S)
        now = time.monotonic()
        longest, before = max(longest, now - before), now
        await asyncio.wait((pulling,), timeout=ROUND_S)
    report = pulling.result()
    if report.exit_code != 0:
        raise RuntimeError(f"{report.detail}{report.stdout}{report.stderr}")
    return longest


def _compare(there: Path, here: Path) -> None:
    """Both trees must be the same, or no time counts."""
    argv = ("rsync", "-rlptgoHnci", "--delete", f"{there}/", f"{here}/")
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    if done.stdout.strip():
        raise RuntimeError(f"the trees differ:\n{done.stdout[:500]}")


if __name__ == "__main__":
    sys.exit(main())
