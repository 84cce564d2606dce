"""A MariaDB pair across two lab hosts, and a writer that knows what was acknowledged.

Owns how the servers are made, cloned and promoted (lab.md §7) and the count of rows. The layout is
Debian's: data in /var/lib/mysql, unit mariadb, root known by the socket; database xcatdb, user
xcatadm. MUST NOT know hamnd: this is the truth that its verdicts are measured against.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.lab.site import services
from tests.lab.site.hosts import Done, Host, Process, wait_until

DATABASE = "xcatdb"
OWNER = "xcatadm"
PASSWORD = "only-in-the-lab"
REPLICATION = "repl"
WRITER = Path(__file__).with_name("maria_writer.py")
PROGRAMS = ("mariadbd", "mariadb", "mariadb-backup", "mbstream")
DATA = "/var/lib/mysql"
SOCKET = "/run/mysqld/mysqld.sock"
CREDENTIALS = "/etc/hamnd/mariadb-replication.cnf"

SETTINGS = """\
[mariadbd]
bind-address = *
server-id = {number}
log-bin = bin
log-slave-updates
gtid-strict-mode
binlog-format = ROW
sync-binlog = 1
slave-net-timeout = 10
innodb-buffer-pool-size = 16M
innodb-log-file-size = 16M
performance-schema = OFF
"""
SEMI_SYNC = """\
rpl-semi-sync-slave-enabled
rpl-semi-sync-master-wait-point = AFTER_SYNC
rpl-semi-sync-master-timeout = 30000
"""
UNIT = services.Unit(
    "mariadb",
    "/usr/sbin/mariadbd --user=mysql",
    f"mariadb --socket={SOCKET} -e 'SELECT 1'",
    60,
    ("mysql",),
)


class Maria:
    """The server of one host."""

    def __init__(self, host: Host, number: int, *, semi_sync: bool = False) -> None:
        self.host = host
        settings = SETTINGS.format(number=number) + (SEMI_SYNC if semi_sync else "")
        if number != 1:
            settings += "read-only\n"
        host.write("/etc/mysql/mariadb.conf.d/99-lab.cnf", settings)
        password = f"[client]\nuser = {REPLICATION}\npassword = {PASSWORD}\n"
        host.write(CREDENTIALS, password, 0o600)
        services.install(host, UNIT)
        host.run("systemctl", "enable", "mariadb")

    def init(self) -> None:
        """Make the database anew and start it as primary."""
        self.host.run("sh", "-c", f"rm -rf {DATA}; install -d -o mysql -g mysql {DATA}")
        self.host.run("mariadb-install-db", "--user=mysql", "--skip-test-db", timeout_s=60)
        self.start()
        self.sql(f"CREATE DATABASE {DATABASE}")
        self.sql(f"CREATE USER {OWNER}@'%' IDENTIFIED BY '{PASSWORD}'")
        self.sql(f"GRANT ALL ON {DATABASE}.* TO {OWNER}@'%'")
        self.sql(f"CREATE USER {REPLICATION}@'%' IDENTIFIED BY '{PASSWORD}'")
        self.sql(f"GRANT REPLICATION SLAVE ON *.* TO {REPLICATION}@'%'")
        self.sql(f"CREATE TABLE {DATABASE}.lab_rows (n BIGINT PRIMARY KEY)")

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        self.host.run("systemctl", "start", "mariadb", timeout_s=90)

    def stop(self) -> None:
        """Stop the server in order."""
        self.host.run("systemctl", "stop", "mariadb", timeout_s=90)

    def kill(self) -> None:
        """Kill the server, as the kernel does when memory ends."""
        self.host.run("pkill", "-KILL", "-x", "mariadbd")

    def clone(self, primary: Host) -> None:
        """Make this server a replica of another by a copy of its running data."""
        self.host.run("sh", "-c", f"rm -rf {DATA}; install -d -o mysql -g mysql {DATA}")
        backup = f"mariadb-backup --backup --stream=xbstream --socket={SOCKET}"
        copy = f"ssh {primary.name} {backup} 2>/dev/null | mbstream -x -C {DATA}"
        self.host.run("sh", "-c", copy, timeout_s=120)
        self.host.run("mariadb-backup", "--prepare", f"--target-dir={DATA}", timeout_s=60)
        position = self.host.path(f"{DATA}/xtrabackup_binlog_info").read_text().split()[2]
        self.host.run("chown", "-R", "mysql:", DATA)
        self.start()
        self.sql(f"SET GLOBAL gtid_slave_pos = '{position}'")
        self.follow(primary)

    def follow(self, primary: Host) -> None:
        """Have it replicate from another host's server."""
        self.sql(
            f"CHANGE MASTER TO MASTER_HOST = '{primary.address}', MASTER_USER = '{REPLICATION}', "
            f"MASTER_PASSWORD = '{PASSWORD}', MASTER_USE_GTID = slave_pos, "
            "MASTER_HEARTBEAT_PERIOD = 1, MASTER_CONNECT_RETRY = 1; START SLAVE"
        )
        self.wait_replicating()

    def wait_replicating(self) -> None:
        """Wait until both threads run."""
        question = "SHOW GLOBAL STATUS LIKE 'Slave_running'"
        wait_until(lambda: "\tON" in self.ask(question).out, f"{self.host.name} replicates")

    def promote(self) -> float:
        """Make this replica the primary, as at a prompt; returns the seconds it took."""
        done = self.ask("STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = 0")
        if done.code != 0:
            raise RuntimeError(done.text)
        return done.seconds

    def ask(self, statement: str, timeout_s: float = 10.0) -> Done:
        """Run SQL on the host itself and return how that ended."""
        argv = ("mariadb", f"--socket={SOCKET}", "--batch", "--skip-column-names", "-e", statement)
        return self.host.ask(*argv, timeout_s=timeout_s)

    def sql(self, statement: str) -> str:
        """Run SQL on the host itself and return what it printed. Raises RuntimeError."""
        done = self.ask(statement, 30.0)
        if done.code != 0:
            raise RuntimeError(f"{self.host.name}: {statement}: {done.text.strip()}")
        return done.out.strip()

    @property
    def accepts_writes(self) -> bool:
        """Whether a write would be taken now."""
        done = self.ask("SELECT @@GLOBAL.read_only", timeout_s=3)
        return done.code == 0 and done.out.strip() == "0"

    def rows(self) -> set[int]:
        """Return the numbers that are in the table now."""
        return {int(line) for line in self.sql(f"SELECT n FROM {DATABASE}.lab_rows").split()}


class Writer:
    """Inserts numbered rows into one database for as long as it and its host live."""

    def __init__(self, host: Host, address: str = "127.0.0.1", pause_s: float = 0.005) -> None:
        argv = (sys.executable, "-I", str(WRITER), address, OWNER, DATABASE, str(pause_s))
        self.process: Process = host.start(*argv, environment={"MYSQL_PWD": PASSWORD})

    @property
    def acknowledged(self) -> list[int]:
        """The numbers whose commit was acknowledged; what the host's death leaves is complete."""
        lines = self.process.text().split("\n")[:-1]
        return [int(line) for line in lines if line.isdigit()]

    def wait(self, count: int) -> None:
        """Wait until so many more rows are acknowledged."""
        goal = len(self.acknowledged) + count
        wait_until(lambda: len(self.acknowledged) >= goal, f"{count} more rows", 30)

    def stop(self) -> list[int]:
        """End it and return what was acknowledged."""
        self.process.kill()
        return self.acknowledged


def make_pair(primary: Host, standby: Host, *, semi_sync: bool = False) -> tuple[Maria, Maria]:
    """Make a primary and its replica; a semi-synchronous one waits for the replica's receipt."""
    first = Maria(primary, 1, semi_sync=semi_sync)
    second = Maria(standby, 2, semi_sync=semi_sync)
    first.init()
    second.clone(primary)
    if semi_sync:  # until its replica is there, nobody could acknowledge what is made here
        first.sql("SET GLOBAL rpl_semi_sync_master_enabled = ON")
    return first, second
