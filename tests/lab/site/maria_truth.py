"""What stories with MariaDB ask of a host besides its rows.

Owns what an administrator does to a server's files, and the examination as the daemon reads it.
MUST NOT judge.
"""

from __future__ import annotations

from hamnd.core.replication import Examination, Finding, PartnerDatabase
from hamnd.core.replication.mariadb import ENGINE
from tests.lab.site.hosts import Host
from tests.lab.site.stepping import take_looks, terms_of


def start_read_only(host: Host) -> None:
    host.run("sh", "-c", "echo read-only >>/etc/mysql/mariadb.conf.d/99-lab.cnf")


def examine(host: Host) -> Finding:
    """What the engine makes of the returned primary, read as the daemon reads it."""
    terms = terms_of(host)
    reports = take_looks(host, ENGINE.return_looks(terms, None))
    return ENGINE.examine(terms, Examination(None, PartnerDatabase(), None, reports))
