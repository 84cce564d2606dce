"""The xCAT site of pair.py over SQLite tables, xCAT's default, with a writer that counts.

Owns the assembly. MUST NOT judge: what hamnd says is compared with the writer's own count.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from tests.lab.site import xcat
from tests.lab.site.hosts import Host, Lab, Process, wait_until
from tests.lab.site.names import MANAGERS, PRIMARY, STANDBY
from tests.lab.site.pair import SERVICE_ADDRESS, Pair

WRITER = Path(__file__).with_name("sqlite_writer.py")
ROWS = "/etc/xcat/lab_rows.sqlite"
CREATE = "CREATE TABLE lab_rows (n INTEGER PRIMARY KEY)"

SQLITE = """\
[replication]
engine = "sqlite"
[replication.sqlite]
schedule = "{schedule}"
stale_after_s = {stale_after_s}
timeout_s = 20
"""


class SqliteWriter:
    """Inserts numbered rows on a host for as long as it lives."""

    def __init__(self, host: Host, pause_s: float = 0.02, path: str = ROWS) -> None:
        argv = (sys.executable, "-I", str(WRITER), path, str(pause_s))
        self.process: Process = host.start(*argv)

    @property
    def acknowledged(self) -> list[int]:
        """The numbers whose commit returned."""
        lines = self.process.text().split("\n")[:-1]
        return [int(line) for line in lines if line.isdigit()]

    def wait(self, count: int) -> None:
        """Wait until so many more rows are acknowledged."""
        goal = len(self.acknowledged) + count
        wait_until(lambda: len(self.acknowledged) >= goal, f"{count} more rows", 60)

    def stop(self) -> list[int]:
        """End it and return what was acknowledged."""
        self.process.kill()
        return self.acknowledged


def rows_in(host: Host, path: str) -> set[int]:
    """Return the rows of a table on a host."""
    return {int(line) for line in host.run("sqlite3", path, "SELECT n FROM lab_rows").split()}


class SqlitePair(Pair):
    """xCAT over SQLite; copies are pulled by `schedule`."""

    def __init__(
        self,
        lab: Lab,
        change: Callable[[str], str] = str,
        service_address: str = SERVICE_ADDRESS,
        schedule: str = "*/2 * * * * *",
        stale_after_s: int = 20,
    ) -> None:
        self.replication = SQLITE.format(schedule=schedule, stale_after_s=stale_after_s)
        super().__init__(lab, change, service_address)

    def replicate(self) -> None:
        """Make the primary's tables; the standby has none until a copy is switched in."""
        primary = self.lab[PRIMARY]
        xcat.in_sqlite(primary)
        primary.run("sqlite3", ROWS, CREATE)
        xcat.install(self.lab, "sqlite")

    def write(self, node: str = PRIMARY) -> SqliteWriter:
        """Start a writer on a node."""
        return SqliteWriter(self.lab[node])

    def rows(self, node: str = STANDBY, path: str = ROWS) -> set[int]:
        """Return the rows that a node has."""
        return rows_in(self.lab[node], path)

    def writable(self) -> tuple[str, ...]:
        """Return which nodes' tables are served by an xcatd; two names are a split-brain."""
        return tuple(
            name
            for name in MANAGERS
            if self.lab[name].is_up
            and self.lab[name].ask("systemctl", "is-active", "xcatd").code == 0
        )
