"""The xCAT site of pair.py over PostgreSQL without streaming: two servers, dumps in between.

Owns the assembly. MUST NOT judge: what hamnd says is compared with the writer's own count.
"""

from __future__ import annotations

from tests.lab.site import xcat
from tests.lab.site.hosts import Lab
from tests.lab.site.names import PRIMARY, STANDBY
from tests.lab.site.needs import postgres_bin
from tests.lab.site.pair import Pair
from tests.lab.site.postgres import Postgres, Writer

DUMP = """\
[replication]
engine = "dump"
[replication.dump]
schedule = "{schedule}"
stale_after_s = 30
timeout_s = 20

[tools]
psql = "{bin}/psql"
pg_dump = "{bin}/pg_dump"
pg_restore = "{bin}/pg_restore"
"""


class DumpPair(Pair):
    """xCAT over PostgreSQL; the standby's server is one of its own, with a database of its own."""

    def __init__(self, lab: Lab, schedule: str = "*/3 * * * * *") -> None:
        self.replication = DUMP.format(schedule=schedule, bin=postgres_bin())
        super().__init__(lab)

    def replicate(self) -> None:
        """Make two servers; each comes up again with its host."""
        self.first, self.second = Postgres(self.lab[PRIMARY]), Postgres(self.lab[STANDBY])
        for one in (self.first, self.second):
            one.init()
            one.enable()
        xcat.in_postgres(self.first)
        self.second.sql("INSERT INTO lab_rows VALUES (-1)")
        xcat.install(self.lab, "pg")

    def write(self) -> Writer:
        """Start a writer on the primary itself, which dies with it."""
        return Writer(self.lab[PRIMARY], pause_s=0.02)
