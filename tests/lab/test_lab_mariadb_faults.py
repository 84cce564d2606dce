"""What hamnd says of a MariaDB pair out of order, against real servers.

Owns the faults that are the database's own: each has to be told in words that lead to its end, and
none of them may look like the death of the primary.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.maria import PROGRAMS, Maria
from tests.lab.site.maria_pair import MariaPair

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    needs_lab("crontab", *PROGRAMS, *xcat.PROGRAMS),
]

IO_RUNNING, SECONDS_BEHIND = 10, 32
"""Columns of SHOW SLAVE STATUS (MariaDB manual)."""
WATCHER = "/etc/hamnd/watcher.cnf"


def conflicting_write(site: MariaPair) -> None:
    site.second.sql("SET GLOBAL read_only = 0; INSERT INTO xcatdb.lab_rows VALUES (77)")
    site.first.sql("INSERT INTO xcatdb.lab_rows VALUES (77)")


def wrong_password(site: MariaPair) -> None:
    site.second.sql("STOP SLAVE; CHANGE MASTER TO MASTER_PASSWORD = 'wrong'; START SLAVE")


def purged_log(site: MariaPair) -> None:
    site.second.sql("STOP SLAVE")
    site.first.sql("INSERT INTO xcatdb.lab_rows VALUES (1); FLUSH BINARY LOGS")
    # The sender of a replica that is gone keeps its file for a moment.
    wait_until(
        lambda: (
            "bin.000001"
            not in site.first.sql("PURGE BINARY LOGS TO 'bin.000002'; SHOW BINARY LOGS")
        ),
        "the file is purged",
    )
    site.second.sql("START SLAVE")


def disk_full(site: MariaPair) -> None:
    site.faults.disk_full("mn2")
    rows = ", ".join(f"({number})" for number in range(1000, 60000))
    site.lab["mn1"].run(
        *("mariadb", "--socket=/run/mysqld/mysqld.sock", "xcatdb"),
        stdin=f"INSERT INTO lab_rows VALUES {rows};\n",
        timeout_s=60,
    )


def filtered(site: MariaPair) -> None:
    site.second.sql("STOP SLAVE; SET GLOBAL replicate_ignore_db = 'xcatdb'; START SLAVE")


def delayed(site: MariaPair) -> None:
    site.second.sql("STOP SLAVE; CHANGE MASTER TO MASTER_DELAY = 3600; START SLAVE")


def follows_another(site: MariaPair) -> None:
    other = Maria(site.lab["sn1"], 3)
    other.clone(site.lab["mn1"])
    site.second.sql("STOP SLAVE; RESET SLAVE ALL")
    site.second.follow(site.lab["sn1"])


def mute_server(site: MariaPair) -> None:
    site.lab["mn2"].run("pkill", "-STOP", "-x", "mariadbd")


Fault = Callable[[MariaPair], None]
EXPLAIN, READY = ("explain", "replication"), ("ready",)


def says(site: MariaPair, words: str, *command: str) -> None:
    """Wait until a command of hamnctl says one of these, told apart by |."""

    def told() -> str:
        return " ".join(site.hamnctl(*command).text.split())

    try:
        wait_until(lambda: any(one in told() for one in words.split("|")), words, 60)
    except TimeoutError:
        raise AssertionError(told()) from None


@pytest.mark.parametrize(
    ("fault", "said", "where"),
    [
        (conflicting_write, "somebody wrote on this standby", EXPLAIN),
        (wrong_password, "refuses the replication user or its password", EXPLAIN),
        (purged_log, "the primary no longer has what this replica needs next", EXPLAIN),
        (disk_full, "the disk of /var/lib/mysql is full", READY),
        (filtered, "Replicate_Ignore_DB = xcatdb; what was left out", EXPLAIN),
        (delayed, "the applier is told to stay 3600 s behind", EXPLAIN),
        (follows_another, "server_id 3 and not 1", EXPLAIN),
        (
            mute_server,
            "takes the connection and does not answer|ran into our time limit",
            EXPLAIN,
        ),
    ],
)
def test_what_is_wrong_with_the_database_is_said_in_plain_words(
    lab: Lab, fault: Fault, said: str, where: tuple[str, ...]
) -> None:
    """Given a pair in Peer, when its database has a fault of its own, then hamnd is Degraded, says
    what it is, and does not take it for the death of the primary."""
    site = MariaPair(lab)
    site.watch()
    site.wait_state("Peer")
    fault(site)
    site.wait_state("Degraded", limit_s=90)

    says(site, said, *where)
    assert site.ask("status")["state"] == "Degraded"


def test_a_missing_privilege_is_told_with_the_grant_that_gives_it(lab: Lab) -> None:
    """Given a user of the server with too few rights, then hamnd names each GRANT until it can
    watch, and then the ones without which it could not promote."""
    site = MariaPair(lab)
    site.first.sql("CREATE USER watcher@localhost IDENTIFIED BY 'only-looks'")
    for name in ("mn1", "mn2"):
        lab[name].write(WATCHER, "[client]\nuser = watcher\npassword = only-looks\n", 0o600)
    site.replication += f'user = "watcher"\ndefaults_file = "{WATCHER}"\n'
    site.watch()

    says(site, "GRANT SLAVE MONITOR ON *.*", "explain", "replication")
    site.first.sql("GRANT SLAVE MONITOR, BINLOG MONITOR ON *.* TO watcher@localhost")
    site.wait_state("Peer")
    says(
        site, "GRANT READ_ONLY ADMIN, REPLICATION SLAVE ADMIN ON *.* TO watcher@localhost", "ready"
    )
    site.first.sql("GRANT READ_ONLY ADMIN, REPLICATION SLAVE ADMIN ON *.* TO watcher@localhost")
    site.wait_ready()
    assert "only-looks" not in site.log()


def test_an_idle_pair_stays_in_peer_and_a_silent_one_is_stale_though_it_says_yes(lab: Lab) -> None:
    """Given a pair on which nobody works, with the servers' heartbeats and hamnd's own row, then it
    stays in Peer; when what the primary sends is lost in silence, then hamnd calls the link stale
    while the server goes on saying that it receives, 0 seconds behind."""
    site = MariaPair(lab)
    site.replication += "row_heartbeat_s = 5\n"
    site.second.sql("STOP SLAVE; SET GLOBAL slave_net_timeout = 120; START SLAVE")
    site.watch()
    site.wait_state("Peer")
    beats = "SELECT COUNT(*) FROM hamnd.heartbeat WHERE at > UTC_TIMESTAMP() - INTERVAL 20 SECOND"
    wait_until(lambda: site.second.ask(beats).out.strip() == "1", "the beat is on mn2", 30)
    since = site.ask("status")["since"]
    sent = "SELECT at FROM hamnd.heartbeat"
    first = site.second.sql(sent)
    wait_until(lambda: site.second.sql(sent) > first, "another beat came", 30)
    assert (site.ask("status")["state"], site.ask("status")["since"]) == ("Peer", since)

    rules = (
        "table inet cut {\n chain in {\n type filter hook input priority -5;\n"
        f" ip saddr {lab['mn1'].address} tcp sport 3306 drop\n }}\n}}\n"
    )
    lab["mn2"].run("nft", "-f", "-", stdin=rules)
    wait_until(lambda: site.ask("status")["replication"]["state"] == "stale", "stale", 60)
    told = site.second.sql("SHOW SLAVE STATUS").split("\t")
    assert (told[IO_RUNNING], told[SECONDS_BEHIND]) == ("Yes", "0")
    site.wait_state("Degraded")
    says(site, "nothing arrives from the primary", "explain", "replication")
