"""Patroni: the leader holds a lock in etcd, and a standby that gets the lock promotes itself.

Owns how both are set up for the bench. Must not know the other tools.
"""

from __future__ import annotations

from typing import ClassVar

from tests.bench.peers.tool import OnServers, until
from tests.lab.site.hosts import Process
from tests.lab.site.names import WITNESSES
from tests.lab.site.postgres import Postgres

STORE = WITNESSES[0]
"""Where etcd runs: a site needs three such hosts, the bench breaks none of them."""

CONFIG = """\
scope: lab
name: {name}
restapi:
  listen: 0.0.0.0:8008
  connect_address: {address}:8008
etcd3:
  hosts: {store}:2379
bootstrap:
  dcs:
    ttl: 30
    loop_wait: 10
    retry_timeout: 10
    postgresql:
      use_pg_rewind: true
      use_slots: false
postgresql:
  listen: 0.0.0.0:5432
  connect_address: {address}:5432
  data_dir: {data}
  bin_dir: {programs}
  pgpass: /tmp/pgpass
  use_unix_socket: true
  authentication:
    superuser:
      username: postgres
    replication:
      username: postgres
    rewind:
      username: postgres
  parameters:
    unix_socket_directories: /run/postgresql
  pg_hba:
    - local all all trust
    - host all all 127.0.0.1/32 trust
    - host all all 10.99.0.0/16 trust
    - host replication all 10.99.0.0/16 trust
"""
WORD = "promoted self to leader by acquiring session lock"


class Patroni(OnServers):
    """Patroni on both nodes with its default times, etcd on a third host."""

    name = "Patroni"
    settings = "ttl 30, loop_wait 10 (defaults)"
    word = f'the standby logs "{WORD}"'
    order_is = "none: it promotes by itself"
    runs = "Patroni on both nodes, etcd"
    more_hosts = "etcd: three for a quorum (here one)"
    programs: ClassVar = {"patroni": "patroni, python3-etcd", "etcd": "etcd-server"}
    processes = r"/usr/bin/patroni |^etcd "

    def configure(self) -> None:
        store = self.lab[STORE]
        place = f"http://{store.address}:2379"
        store.start("etcd", "--data-dir", "/var/lib/etcd-lab", "--listen-client-urls",
                    "http://0.0.0.0:2379", "--advertise-client-urls", place)  # fmt: skip
        until(lambda: store.listens(2379), "etcd listens")
        first, second = self.servers
        leader = self._start(first)
        until(lambda: "the leader with the lock" in leader.text(), "Patroni leads")
        self._log = self._start(second)
        until(lambda: "a secondary, and following a leader" in self._log.text(),
              "Patroni follows")  # fmt: skip
        second.wait_streaming()

    def _start(self, server: Postgres) -> Process:
        host, store = server.host, self.lab[STORE].address
        host.write("/etc/patroni.yml", CONFIG.format(
            name=host.name, address=host.address, store=store, data=server.data,
            programs=server.bin,
        ))  # fmt: skip
        return host.start("/usr/bin/patroni", "/etc/patroni.yml", user="postgres")

    def times_told(self) -> int:
        return self._log.text().count(WORD)
