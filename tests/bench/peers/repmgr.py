"""repmgr: a manager of PostgreSQL's replication, told to leave the order to a person.

Owns how it is set up and ordered for the bench. Must not know the other tools.
"""

from __future__ import annotations

from typing import ClassVar

from tests.bench.peers.tool import LIMIT_S, OnServers, until
from tests.lab.site.postgres import Postgres

CONFIG = """\
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
"""Three attempts, a second apart: quicker than its defaults."""


class Repmgr(OnServers):
    """repmgr and repmgrd on both nodes."""

    name = "repmgr"
    settings = "3 attempts, 1 s apart (default: 6, 10 s)"
    word = 'repmgrd logs "unable to reconnect to node"'
    order_is = "repmgr standby promote; it asks nobody whether the old primary is off"
    runs = "repmgrd on both nodes"
    more_hosts = "none"
    programs: ClassVar = {"repmgr": "postgresql-15-repmgr"}
    processes = r"repmgrd -f"

    def configure(self) -> None:
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
        until(lambda: "connection to upstream node" in self._log.read_text(), "repmgrd watches")

    def _configure(self, server: Postgres, number: int) -> None:
        host = server.host
        text = CONFIG.format(number=number, name=host.name, address=host.address,
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

    def times_told(self) -> int:
        return self._log.read_text(errors="replace").count("unable to reconnect to node")

    def order(self) -> bool:
        second = self.servers[1]
        program = str(second.bin / "repmgr")
        second.host.start(program, "-f", "/etc/repmgr.conf", "standby", "promote", user="postgres")
        return True
