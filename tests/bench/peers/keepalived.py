"""keepalived: VRRP, an address that moves, and a script that promotes where it moves to.

Owns how it is set up for the bench. Must not know the other tools.
"""

from __future__ import annotations

from typing import ClassVar

from tests.bench.peers.tool import OnServers, until
from tests.lab.site.names import CLUSTER, PRIMARY, SERVICE_NAME

ADDRESS = CLUSTER.address(SERVICE_NAME)
CONFIG = """\
global_defs {{
  router_id {name}
  script_user root
}}
vrrp_instance lab {{
  state {state}
  interface {interface}
  virtual_router_id 51
  priority {priority}
  advert_int 1
  virtual_ipaddress {{
    {address}/24 dev {interface}
  }}
  notify_master /etc/keepalived/promote
}}
"""
PROMOTE = """\
#!/bin/sh
# Who gets the address while its database follows another one promotes it.
[ -e "{data}/standby.signal" ] || exit 0
exec runuser -u postgres -- {programs}/pg_ctl -D {data} -s promote
"""


class Keepalived(OnServers):
    """keepalived on both nodes, a second between advertisements, as by default."""

    name = "keepalived"
    settings = "advert_int 1 (default), so 3 s and a bit"
    word = "it enters MASTER state on the standby"
    order_is = "none: it moves the address by itself, and its script promotes"
    runs = "keepalived on both nodes"
    more_hosts = "none"
    programs: ClassVar = {"keepalived": "keepalived"}
    processes = r"keepalived -"

    def configure(self) -> None:
        for server in self.servers:
            host, is_first = server.host, server.host.name == PRIMARY
            host.write("/etc/keepalived/promote",
                       PROMOTE.format(data=server.data, programs=server.bin), 0o755)  # fmt: skip
            config = CONFIG.format(
                name=host.name, state="MASTER" if is_first else "BACKUP",
                interface=CLUSTER.interface, priority=254 if is_first else 250, address=ADDRESS,
            )  # fmt: skip
            host.write("/etc/keepalived/keepalived.conf", config)
        first, second = (
            server.host.start("keepalived", "-P", "-n", "-l", "-D") for server in self.servers
        )
        self._log = second
        until(lambda: "Entering MASTER STATE" in first.text(), "keepalived has the address")
        until(lambda: "Entering BACKUP STATE" in second.text(), "keepalived stands by")
        self._before = self._told()

    def _told(self) -> int:
        return self._log.text().count("Entering MASTER STATE")

    def times_told(self) -> int:
        return self._told() - self._before
