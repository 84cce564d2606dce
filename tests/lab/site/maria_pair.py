"""The xCAT site of pair.py over a real MariaDB pair, with a writer that knows what was kept.

Owns the assembly. MUST NOT judge: what hamnd says is compared with the writer's own count.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.lab.site import xcat
from tests.lab.site.hosts import Lab
from tests.lab.site.maria import SOCKET, Maria, Writer, make_pair
from tests.lab.site.names import PRIMARY, STANDBY
from tests.lab.site.pair import SERVICE_ADDRESS, Pair

MARIADB = f"""\
[replication]
engine = "mariadb"
[replication.mariadb]
socket = "{SOCKET}"
"""


class MariaPair(Pair):
    """xCAT over MariaDB; `semi_sync`: every commit waits until mn2 has received it."""

    replication = MARIADB

    def __init__(
        self,
        lab: Lab,
        change: Callable[[str], str] = str,
        service_address: str = SERVICE_ADDRESS,
        *,
        semi_sync: bool = False,
    ) -> None:
        self.semi_sync = semi_sync
        super().__init__(lab, change, service_address)

    def replicate(self) -> None:
        """Make the servers; each comes up again with its host, as on any site."""
        self.first, self.second = make_pair(
            self.lab[PRIMARY], self.lab[STANDBY], semi_sync=self.semi_sync
        )
        xcat.in_mariadb(self.first)
        xcat.install(self.lab, "mysql")

    @property
    def servers(self) -> tuple[Maria, Maria]:
        """The servers of mn1 and mn2."""
        return self.first, self.second

    def writable(self) -> tuple[str, ...]:
        """Return who accepts writes now; two names are a split-brain."""
        return tuple(one.host.name for one in self.servers if one.host.is_up and one.accepts_writes)

    def write(self) -> Writer:
        """Start a writer on the primary itself, which dies with it."""
        return Writer(self.lab[PRIMARY])
