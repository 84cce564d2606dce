"""A PostgreSQL pair across two lab hosts, and a writer that knows what was acknowledged.

Owns how the servers are made, cloned, promoted and rejoined (lab.md §6) and the count of rows. The
layout is Debian's: data in /var/lib/postgresql/VERSION/main, database xcatdb, user xcatadm. MUST
NOT know hamnd: this is the truth that its verdicts are measured against.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from tests.lab.site.hosts import Done, Host, Process, wait_until
from tests.lab.site.needs import postgres_bin

DATABASE = "xcatdb"
OWNER = "xcatadm"
PASSWORD = "only-in-the-lab"
WRITER = Path(__file__).with_name("pg_writer.py")

SETTINGS = """
listen_addresses = '*'
wal_level = replica
hot_standby = on
wal_log_hints = on
wal_keep_size = 256MB
max_wal_size = 1GB
shared_buffers = 32MB
unix_socket_directories = '/run/postgresql'
logging_collector = off
"""
ACCESS = """
local all all trust
host all all 127.0.0.1/32 trust
host all all 10.99.0.0/16 trust
host replication all 10.99.0.0/16 trust
"""


def data_of(programs: Path) -> str:
    """Return the data directory that Debian gives the servers of these programs."""
    return f"/var/lib/postgresql/{programs.parent.name}/main"


class Postgres:
    """The server of one host."""

    def __init__(self, host: Host) -> None:
        programs = postgres_bin()
        if programs is None:
            raise RuntimeError("PostgreSQL is not installed (package postgresql-15)")
        self.host = host
        self.bin = programs
        self.data = data_of(programs)
        self.log = f"/var/log/postgresql/{host.name}.log"

    def _run(self, program: str, *argv: str, timeout_s: float = 60.0) -> str:
        command = [str(self.bin / program), *argv]
        return self.host.run(*command, user="postgres", timeout_s=timeout_s)

    def init(self, synchronous_with: str | None = None) -> None:
        """Make the database anew and start it as primary; a named standby makes it synchronous."""
        self.host.run("rm", "-rf", self.data)
        self._run("initdb", "-D", self.data, "--data-checksums", "-A", "trust", "--no-sync")
        settings = SETTINGS
        if synchronous_with is not None:
            settings += f"synchronous_standby_names = '{synchronous_with}'\n"
        self.host.run(*("sh", "-c", 'cat >>"$1/postgresql.conf"', "add", self.data), stdin=settings)
        self.host.run("sh", "-c", 'cat >"$1/pg_hba.conf"', "add", self.data, stdin=ACCESS)
        # Until its standby is there, nobody could acknowledge what is made here.
        alone = "SET synchronous_commit = local; " if synchronous_with else ""
        self.start()
        self.sql(f"{alone}CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'", "postgres")
        options = "-c synchronous_commit=local"
        self._run(
            "createdb",
            "-O",
            OWNER,
            f"--maintenance-db=dbname=postgres options='{options}'",
            DATABASE,
        )
        self.sql(
            f"{alone}CREATE TABLE lab_rows (n bigint PRIMARY KEY, at timestamptz DEFAULT now());"
            f" ALTER TABLE lab_rows OWNER TO {OWNER}"
        )

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        self._run("pg_ctl", "-D", self.data, "-w", "-s", "-l", self.log, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: fast, immediate or smart."""
        self._run("pg_ctl", "-D", self.data, "-w", "-s", "-m", mode, "stop")

    def enable(self) -> None:
        """Have it start at every boot of its host."""
        control = shlex.quote(str(self.bin / "pg_ctl"))
        self.host.enable(
            "postgresql",
            f"exec runuser -u postgres -- {control} -D {self.data} -w -s -l {self.log} start\n",
            start=False,
        )

    def clone(self, primary: Host) -> None:
        """Make this server a streaming standby of another, wait until it streams."""
        self.host.run("rm", "-rf", self.data)
        conninfo = f"host={primary.address} user=postgres application_name={self.host.name}"
        self._run(
            *("pg_basebackup", "-D", self.data, "-R", "-X", "stream", "-c", "fast", "--no-sync"),
            *("-d", conninfo),
        )
        self.start()
        self.wait_streaming()

    def wait_streaming(self) -> None:
        """Wait until this standby receives from its primary."""
        question = "SELECT status FROM pg_stat_wal_receiver"
        wait_until(
            lambda: self.ask(question).out.strip() == "streaming", f"{self.host.name} streams"
        )

    def promote(self) -> float:
        """Make this standby the primary; returns the seconds until it accepts writes."""
        done = self.host.ask(
            *(str(self.bin / "pg_ctl"), "-D", self.data, "-w", "-s", "promote"), user="postgres"
        )
        if done.code != 0:
            raise RuntimeError(done.text)
        return done.seconds

    def rewind(self, new: Postgres) -> None:
        """Make this stopped former primary follow the new one; what diverged here is lost."""
        # Before PostgreSQL 16 the source's control file still names the old timeline (lab.md §6).
        new.sql("CHECKPOINT")
        address = new.host.address
        source = f"host={address} user=postgres dbname=postgres"
        self._run("pg_rewind", "-D", self.data, f"--source-server={source}", "-R", "--no-sync")
        name = self.host.name
        line = f"primary_conninfo = 'host={address} user=postgres application_name={name}'\n"
        self.host.run(
            *("sh", "-c", 'cat >>"$1/postgresql.auto.conf"', "add", self.data), stdin=line
        )
        self.start()
        self.wait_streaming()

    def ask(self, statement: str, database: str = DATABASE, timeout_s: float = 10.0) -> Done:
        """Run SQL on the host itself and return how that ended."""
        return self.host.ask(
            *("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database),
            *("-c", statement),
            user="postgres",
            timeout_s=timeout_s,
        )

    def sql(self, statement: str, database: str = DATABASE) -> str:
        """Run SQL on the host itself and return what it printed. Raises RuntimeError."""
        done = self.ask(statement, database, 30.0)
        if done.code != 0:
            raise RuntimeError(f"{self.host.name}: {statement}: {done.text.strip()}")
        return done.out.strip()

    @property
    def accepts_writes(self) -> bool:
        """Whether a write would be taken now: it answers and is not in recovery."""
        done = self.ask("SELECT pg_is_in_recovery()", timeout_s=3)
        return done.code == 0 and done.out.strip() == "f"

    def rows(self) -> set[int]:
        """Return the numbers that are in the table now."""
        return {int(line) for line in self.sql("SELECT n FROM lab_rows").split()}


class Writer:
    """Inserts numbered rows into one database for as long as it and its host live."""

    def __init__(self, host: Host, address: str = "127.0.0.1", pause_s: float = 0.005) -> None:
        conninfo = (
            f"host={address} user={OWNER} dbname={DATABASE} connect_timeout=1 tcp_user_timeout=2000"
        )
        self.process: Process = host.start(
            sys.executable, "-I", str(WRITER), conninfo, str(pause_s), user="postgres"
        )

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


def make_pair(primary: Host, standby: Host, synchronous: bool = False) -> tuple[Postgres, Postgres]:
    """Make a primary and a streaming standby; synchronous ones wait for each other's disk."""
    first, second = Postgres(primary), Postgres(standby)
    first.init(standby.name if synchronous else None)
    second.clone(primary)
    return first, second
