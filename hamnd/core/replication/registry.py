"""The engine that a site configured.

Owns the choice. Must not know what an engine does.
"""

from __future__ import annotations

from collections.abc import Callable

from hamnd.core.policy import Terms
from hamnd.core.replication import Engine
from hamnd.core.replication.db2 import ENGINE as DB2
from hamnd.core.replication.dump import ENGINE as DUMP
from hamnd.core.replication.dump import routines as of_dump
from hamnd.core.replication.mariadb import ENGINE as MARIADB
from hamnd.core.replication.mariadb import routines as of_mariadb
from hamnd.core.replication.postgresql import ENGINE as POSTGRESQL
from hamnd.core.replication.postgresql import routines as of_postgresql
from hamnd.core.replication.shared_disk import ENGINE as SHARED_DISK
from hamnd.core.replication.sqlite import ENGINE as SQLITE
from hamnd.core.replication.sqlite import routines as of_sqlite
from hamnd.model.routine import Routine

ENGINES: dict[str, Engine] = {
    one.name: one for one in (DB2, POSTGRESQL, MARIADB, SQLITE, DUMP, SHARED_DISK)
}

ROUTINES: dict[str, Callable[[Terms], tuple[Routine, ...]]] = {
    POSTGRESQL.name: of_postgresql,
    MARIADB.name: of_mariadb,
    SQLITE.name: of_sqlite,
    DUMP.name: of_dump,
}
"""What an engine has done on a schedule while this node is the standby; most replicate by
themselves."""


def engine_of(terms: Terms) -> Engine:
    """Return the engine that the site configured; settings refuse every other name."""
    return ENGINES[terms.site.engine]
