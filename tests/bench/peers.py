"""`make bench-peers`: hamnd beside other tools on the same hosts, database and faults.

Owns how each tool is set up, what counts as its word for "down" and for its order to promote, and
the table. Must not judge. So far: repmgr, over the same streaming PostgreSQL pair. Each run boots a
lab of its own; medians with the least and the greatest of N runs, N is printed.

Detection is from the fault to the tool's own word: hamnd's state PrimaryDown, a line of repmgrd's
log. The order is from `plan` and `confirm`, or `repmgr standby promote`, until a statement finds
the standby's database out of recovery; hamnd proves the old primary off before that, repmgr does
not ask.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hamnd.cli.client import Client, Unreachable
from tests.lab.site import xcat
from tests.lab.site.faults import Faults
from tests.lab.site.hosts import Lab
from tests.lab.site.names import PRIMARY, STANDBY
from tests.lab.site.needs import missing, postgres_bin
from tests.lab.site.pg_pair import PostgresPair
from tests.lab.site.postgres import Postgres, make_pair

POLL_S = 0.01
LIMIT_S = 90.0
FAULTS = {
    "power cut": "off",
    "processes killed": "kill_host",
    "frozen": "freeze",
    "cut, no carrier": "cut",
    "cut, carrier stays": "cut_silently",
}
_pause = threading.Event()

REPMGR = """\
node_id={number}
node_name='{name}'
conninfo='host={address} user=postgres dbname=repmgr connect_timeout=2'
data_directory='{data}'
pg_bindir='{programs}'
log_file='/var/log/postgresql/repmgrd.log'
failover=manual
promote_command='{programs}/repmgr -f /etc/repmgr.conf standby promote'
follow_command='{programs}/repmgr -f /etc/repmgr.conf standby follow'
monitor_interval_secs=1
reconnect_attempts=3
reconnect_interval=1
"""
"""Three attempts, a second apart: quicker than its defaults. It tells, and a person orders."""


class Tool(Protocol):
    """A tool that watches a pair which is up and healthy, and can be ordered to promote."""

    name: str

    def has_told(self) -> bool:
        """Whether it says by now that the primary is down."""
        ...

    def order(self) -> None:
        """Order the promotion as an operator does, and return once that was given."""
        ...

    def is_writable(self) -> bool:
        """Whether the standby's database takes writes."""
        ...


class Hamnd:
    """hamnd with the lab's settings."""

    name = "hamnd"

    def __init__(self, lab: Lab) -> None:
        self.site = PostgresPair(lab)
        self.site.watch()
        self.site.wait_state("Peer", limit_s=LIMIT_S)
        self.site.wait_ready(limit_s=LIMIT_S)
        self._client = Client(str(lab[STANDBY].path("/run/hamnd/hamnd.sock")))

    def has_told(self) -> bool:
        try:
            return bool(self._client.get("status").document["state"] == "PrimaryDown")
        except Unreachable:
            return False

    def order(self) -> None:
        plan = self.site.ask("plan", "takeover", "--accept-loss", "bounded")
        reply = self._client.post("confirm", {"digest": plan["digest"], "named": STANDBY})
        if reply.status != 200:
            raise RuntimeError(str(reply.document))

    def is_writable(self) -> bool:
        return self.site.second.accepts_writes


class Repmgr:
    """repmgr and repmgrd over the same pair, told to watch and to leave the order to a person."""

    name = "repmgr"

    def __init__(self, lab: Lab) -> None:
        self.servers = make_pair(lab[PRIMARY], lab[STANDBY])
        for number, server in enumerate(self.servers, 1):
            self._configure(server, number)
        first, second = self.servers
        first.sql("CREATE DATABASE repmgr", "postgres")
        self._run(first, "primary", "register")
        second.wait_streaming()
        self._run(second, "standby", "register", "--upstream-node-id=1", "--wait-sync=60")
        for server in self.servers:
            program = str(server.bin / "repmgrd")
            server.host.run(program, "-f", "/etc/repmgr.conf", "--daemonize", user="postgres")
        self._log = second.host.path("/var/log/postgresql/repmgrd.log")
        self._until(
            lambda: "connection to upstream node" in self._log.read_text(), "repmgrd watches"
        )

    def _configure(self, server: Postgres, number: int) -> None:
        host = server.host
        text = REPMGR.format(number=number, name=host.name, address=host.address,
                             data=server.data, programs=server.bin)  # fmt: skip
        host.write("/etc/repmgr.conf", text)
        line = "shared_preload_libraries = 'repmgr'\n"
        host.run("sh", "-c", 'cat >>"$1/postgresql.conf"', "add", server.data, stdin=line)
        server.stop()
        server.start()

    def _run(self, server: Postgres, *words: str) -> None:
        program = str(server.bin / "repmgr")
        server.host.run(
            program, "-f", "/etc/repmgr.conf", *words, user="postgres", timeout_s=LIMIT_S
        )

    @staticmethod
    def _until(is_true: Callable[[], bool], what: str) -> None:
        _seconds_until(is_true, what)

    def has_told(self) -> bool:
        return "unable to reconnect to node" in self._log.read_text(errors="replace")

    def order(self) -> None:
        second = self.servers[1]
        program = str(second.bin / "repmgr")
        second.host.start(program, "-f", "/etc/repmgr.conf", "standby", "promote", user="postgres")

    def is_writable(self) -> bool:
        return self.servers[1].accepts_writes


TOOLS: tuple[Callable[[Lab], Tool], ...] = (Hamnd, Repmgr)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one tool: every run's seconds."""

    tool: str
    what: str
    seconds: tuple[float, ...]

    def cells(self) -> tuple[str, ...]:
        """Return tool, what, median, least, greatest, N."""
        least, greatest = min(self.seconds), max(self.seconds)
        middle = statistics.median(self.seconds)
        numbers = (f"{one:.2f}" for one in (middle, least, greatest))
        return (self.tool, self.what, *numbers, str(len(self.seconds)))


HEAD = ("tool", "what", "median s", "least s", "greatest s", "N")


def markdown(rows: list[Row]) -> str:
    """Return the table."""
    lines = [HEAD, tuple("---" for _ in HEAD), *(row.cells() for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _seconds_until(is_true: Callable[[], bool], what: str) -> float:
    began = time.monotonic()
    while not is_true():
        if time.monotonic() - began > LIMIT_S:
            raise TimeoutError(f"{what}: not within {LIMIT_S:g} s")
        _pause.wait(POLL_S)
    return time.monotonic() - began


def _measure(make: Callable[[Lab], Tool], fault: str, *, is_ordered: bool) -> tuple[float, float]:
    """Return the seconds from the fault to the tool's word, and from the order to writable."""
    with Lab() as lab:
        tool = make(lab)
        began = time.monotonic()
        getattr(Faults(lab), fault)(PRIMARY)
        _seconds_until(tool.has_told, f"{tool.name} tells")
        told = time.monotonic() - began
        if not is_ordered:
            return told, 0.0
        began = time.monotonic()
        tool.order()
        _seconds_until(tool.is_writable, f"the database that {tool.name} promotes takes writes")
        return told, time.monotonic() - began


def measured(runs: int, faults: list[str]) -> Iterator[Row]:
    """Yield a row for each tool and fault, and one for the order after a power cut."""
    for make in TOOLS:
        name = str(getattr(make, "name", make))
        for fault in faults:
            is_ordered = fault == "power cut"
            took = [_measure(make, FAULTS[fault], is_ordered=is_ordered) for _ in range(runs)]
            yield Row(name, f"{fault} to down", tuple(told for told, _ in took))
            if is_ordered:
                yield Row(name, "order to writable", tuple(order for _, order in took))


def main() -> int:
    """Measure, print the table, write it as CSV where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="repetitions of each figure (5)")
    parser.add_argument("--csv", metavar="FILE", help="write the rows there too")
    parser.add_argument("--fault", action="append", choices=FAULTS, help="only this one (repeat)")
    options = parser.parse_args()
    if (reason := _missing()) is not None:
        sys.stderr.write(f"bench-peers: {reason}\n")
        return 1
    rows = list(measured(options.runs, options.fault or [*FAULTS]))
    print(markdown(rows), end="")
    if options.csv:
        with Path(options.csv).open("w", newline="") as file:
            csv.writer(file).writerows([HEAD, *(row.cells() for row in rows)])
    return 0


def _missing() -> str | None:
    reason = missing("crontab", "postgres", *xcat.PROGRAMS)
    programs = postgres_bin()
    if reason is None and programs is not None and not (programs / "repmgr").exists():
        return f"needs package postgresql-{programs.parent.name}-repmgr"
    return reason


if __name__ == "__main__":
    sys.exit(main())
