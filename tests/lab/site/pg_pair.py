"""The xCAT site of pair.py over a real PostgreSQL pair, with a writer that knows what was kept.

Owns the assembly. MUST NOT judge: what hamnd says is compared with the writer's own count.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.lab.site import xcat
from tests.lab.site.hosts import Lab
from tests.lab.site.names import PRIMARY, STANDBY
from tests.lab.site.needs import postgres_bin
from tests.lab.site.pair import SERVICE_ADDRESS, Pair
from tests.lab.site.postgres import DATABASE, Postgres, Writer, data_of, make_pair

POSTGRESQL = f"""\
[replication]
engine = "postgresql"
[replication.postgresql]
database = "{DATABASE}"
data_dir = "{{data}}"
program_dir = "{{programs}}"
replication_user = "postgres"
{{more}}

[tools]
psql = "{{psql}}"
"""


def over_postgres(more: str = "") -> str:
    """Return the tables of hamnd's configuration for this pair, with further lines of its own."""
    programs = postgres_bin()
    if programs is None:
        raise RuntimeError("PostgreSQL is not installed (package postgresql-15)")
    data = data_of(programs)
    return POSTGRESQL.format(psql=programs / "psql", programs=programs, data=data, more=more)


class PostgresPair(Pair):
    """xCAT over PostgreSQL; `synchronous`: every commit waits for mn2's disk."""

    def __init__(
        self,
        lab: Lab,
        change: Callable[[str], str] = str,
        service_address: str = SERVICE_ADDRESS,
        *,
        synchronous: bool = False,
        more: str = "",
    ) -> None:
        self.synchronous = synchronous
        self.replication = over_postgres(more)
        super().__init__(lab, change, service_address)

    def replicate(self) -> None:
        """Make the servers; each comes up again with its host, as on any site."""
        self.first, self.second = make_pair(
            self.lab[PRIMARY], self.lab[STANDBY], synchronous=self.synchronous
        )
        self.first.enable()
        self.second.enable()
        xcat.in_postgres(self.first)
        xcat.install(self.lab, "pg")

    @property
    def servers(self) -> tuple[Postgres, Postgres]:
        """The servers of mn1 and mn2."""
        return self.first, self.second

    def writable(self) -> tuple[str, ...]:
        """Return who accepts writes now; two names are a split-brain."""
        return tuple(one.host.name for one in self.servers if one.host.is_up and one.accepts_writes)

    def write(self) -> Writer:
        """Start a writer on the primary itself, which dies with it."""
        return Writer(self.lab[PRIMARY])
