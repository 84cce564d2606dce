"""`python -m tests.bench`: measure against the budgets of design §11 and print JSON.

Owns what is measured and how: medians over repeated runs, ratios within the same run. Must not
judge in tests: only a person or a release does. Figures depend on the machine; ratios less so.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hamnd.core.engine import step
from hamnd.core.events import LookCompleted, RoundCompleted, Started, Ticked
from hamnd.core.policy import Terms
from hamnd.core.state import NodeState
from hamnd.dialects import reach
from hamnd.dialects.db2 import commands
from hamnd.dialects.db2.db2pd import parse_db2pd
from hamnd.model.instant import Instant
from hamnd.model.names import Rhythm
from hamnd.model.work import Ending, Looked, Report
from hamnd.settings import load
from hamnd.views.status import status_document
from tests.bench.nights import bench_nights
from tests.bench.promote import bench_promote
from tests.builders import pair

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "tests" / "samples" / "db2" / "db2pd"


def main() -> int:
    """Measure everything and print one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="repetitions of each figure (7)")
    parser.add_argument(
        "--idle",
        type=float,
        metavar="SECONDS",
        default=0.0,
        help="also watch a healthy pair for so long and count CPU and memory (the budget: 600)",
    )
    parser.add_argument(
        "--settle", type=float, metavar="SECONDS", default=30.0, help="before that (30)"
    )
    options = parser.parse_args()
    runs = options.runs
    figures = [
        bench_parser(runs),
        bench_step(runs),
        bench_status(runs),
        *bench_promote(min(runs, 3), figure),
        *bench_nights(min(runs, 3), figure),
    ]
    if options.idle:
        figures += bench_idle(options.idle, options.settle)
    else:  # how fast /metrics is does not depend on for how long somebody watched
        figures += bench_idle(1.0, 1.0)[-1:]
    document = {
        "schema": "hamnd.bench/1",
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "runs": runs,
        "figures": figures,
    }
    print(json.dumps(document, indent=2))
    return 0


def figure(name: str, values: list[float], unit: str, budget: str, is_met: bool) -> dict[str, Any]:
    """Return one figure: median with its spread, and the budget beside it."""
    return {
        "name": name,
        "median": round(statistics.median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
        "unit": unit,
        "budget": budget,
        "met": is_met,
    }


def rates(work: Callable[[], None], repeats: int, runs: int) -> list[float]:
    """Return how often per second `work` ran, once per run."""
    found = []
    for _ in range(runs):
        began = time.perf_counter()
        for _ in range(repeats):
            work()
        found.append(repeats / (time.perf_counter() - began))
    return found


def bench_parser(runs: int) -> dict[str, Any]:
    """db2pd outputs parsed per second, one channel, new layout."""
    path = next(iter(sorted(SAMPLES.glob("11.5-standby-disconnected-peer.txt"))), None)
    path = path or next(iter(sorted(SAMPLES.glob("*.txt"))))
    text = path.read_text()

    def parse() -> None:
        parse_db2pd(text)

    values = rates(parse, 2000, runs)
    is_met = statistics.median(values) >= 5000
    return figure(f"db2pd outputs parsed ({path.name})", values, "1/s", ">= 5000", is_met)


def bench_step(runs: int) -> dict[str, Any]:
    """Decisions per second over a mix of ticks, reach rounds and db2pd readings."""
    loaded = load((ROOT / "config" / "hamnd.db2.toml").read_text())
    assert loaded.site is not None
    assert loaded.policy is not None
    terms = Terms(loaded.site, loaded.policy)
    text = (SAMPLES / "11.5-standby-disconnected-peer.txt").read_text()
    probes = reach.partner_round(terms.site, terms.policy.probe_timeout_s)
    look = commands.db2pd_hadr(terms.site, terms.site.node)
    values = []
    for _ in range(runs):
        state = step(NodeState(), Started("boot"), Instant(0.0, 1e9), terms).state
        count = 2000
        began = time.perf_counter()
        for number in range(count):
            now = Instant(number * 0.2, 1e9 + number * 0.2)
            report = Report(Ending.EXITED, now, now, 0, stdout=text)
            event: Ticked | RoundCompleted | LookCompleted = Ticked(Rhythm.REACH)
            if number % 3 == 1:
                looked = tuple((probe, Looked(one, report)) for probe, one in probes)
                event = RoundCompleted(number, looked)
            elif number % 15 == 2:
                event = LookCompleted("db2pd", Looked(look, report))
            state = step(state, event, now, terms).state
        values.append(count / (time.perf_counter() - began))
    is_met = statistics.median(values) >= 5000
    return figure("step()", values, "1/s", ">= 5000", is_met)


def bench_status(runs: int) -> dict[str, Any]:
    """`hamnctl status` as a whole process against `python -c pass`, in turn."""
    with tempfile.TemporaryDirectory(prefix="hamnd-bench-") as folder, serve(folder) as socket:
        hamnctl = Path(sys.executable).with_name("hamnctl")
        ours, bare = [], []
        for _ in range(max(runs, 7) + 1):
            ours.append(seconds([str(hamnctl), "--socket", socket, "status"]))
            bare.append(seconds([sys.executable, "-c", "pass"]))
    milliseconds = [value * 1000 for value in ours[1:]]
    ratio = statistics.median(ours[1:]) / statistics.median(bare[1:])
    is_met = statistics.median(milliseconds) <= 150 and ratio <= 8
    document = figure("hamnctl status", milliseconds, "ms", "<= 150 and <= 8 x python", is_met)
    document["ratio_to_python_c_pass"] = round(ratio, 2)
    return document


def bench_idle(duration_s: float, settle_s: float) -> list[dict[str, Any]]:
    """CPU, memory and /metrics of a daemon that watches a healthy pair with the default rhythms."""
    from tests.bench import idle

    found = idle.measure(duration_s, settle_s)
    cpu, pss, scrapes = found.cpu_percent, found.pss_mib, list(found.scrapes_ms)
    p99 = statistics.quantiles(scrapes, n=100)[98]
    load = os.getloadavg()[0]
    what = f"over {found.seconds:.0f} s, load of the machine {load:.1f}"
    processor = figure(f"idle CPU, {what}", [cpu], "% of a core", "<= 0.3", cpu <= 0.3)
    processor["children"] = round(found.children_percent, 3)
    memory = figure(f"idle PSS with asyncssh, {what}", [pss], "MiB", "<= 55", pss <= 55)
    metrics = figure("/metrics", scrapes, "ms", "p99 <= 10", p99 <= 10)
    metrics["p99"] = round(p99, 3)
    return [processor, memory, metrics]


def seconds(argv: list[str]) -> float:
    """Return how long a program took from start to end."""
    began = time.perf_counter()
    done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    took = time.perf_counter() - began
    if done.returncode not in (0, 3):
        raise RuntimeError(f"{argv}: exit code {done.returncode}: {done.stderr.decode()}")
    return took


class serve:  # noqa: N801  # used as a context manager, like a function
    """A daemon stand-in that answers one status document of a bad night on a unix socket."""

    def __init__(self, folder: str) -> None:
        """Take the folder in which the socket lives."""
        self.path = str(Path(folder) / "hamnd.sock")
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> str:
        """Start it and wait until it listens."""
        night = pair().primary_down()
        code = (
            "import socket,sys\n"
            "s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(8)\n"
            "body=open(sys.argv[2],'rb').read()\n"
            "print('up',flush=True)\n"
            "while True:\n"
            "    c,_=s.accept(); c.recv(65536)\n"
            "    c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\n'"
            "b'Connection: close\\r\\nContent-Length: %d\\r\\n\\r\\n'%len(body)+body); c.close()\n"
        )
        document = status_document(night.state, night.now, night.terms)
        recorded = Path(self.path).with_name("status.json")
        recorded.write_text(json.dumps(document))
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, self.path, str(recorded)], stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        self.process.stdout.readline()
        return self.path

    def __exit__(self, *_: object) -> None:
        """End it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


if __name__ == "__main__":
    sys.exit(main())
