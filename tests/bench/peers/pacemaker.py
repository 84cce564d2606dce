"""Pacemaker and Corosync: a cluster of two nodes that fences through the lab's controller.

Owns how they are set up for the bench, and the smallest resource agent that promotes where it is
started (the one of resource-agents does more, and promotes no sooner). Must not know the other
tools.
"""

from __future__ import annotations

import re
from functools import partial
from typing import ClassVar

from tests.bench.peers.tool import OnServers, until
from tests.lab.site.hosts import Host
from tests.lab.site.names import CLUSTER, CONTROLLER, MANAGERS, PRIMARY, SERVICE_NAME, STANDBY
from tests.lab.site.power import PASSWORD, USER, Power

COROSYNC = f"""\
totem {{
  version: 2
  cluster_name: lab
  transport: knet
  crypto_cipher: none
  crypto_hash: none
}}
nodelist {{
  node {{
    ring0_addr: {CLUSTER.address(PRIMARY)}
    name: {PRIMARY}
    nodeid: 1
  }}
  node {{
    ring0_addr: {CLUSTER.address(STANDBY)}
    name: {STANDBY}
    nodeid: 2
  }}
}}
quorum {{
  provider: corosync_votequorum
  two_node: 1
}}
logging {{
  to_logfile: yes
  logfile: /var/log/corosync.log
  to_syslog: no
  timestamp: on
}}
"""
AGENT = """\
#!/bin/sh
# ocf:lab:database: promotes the server of the node on which it is started.
DATA={data}
is_primary() {{
    [ "$(runuser -u postgres -- psql -X -A -t -c 'SELECT pg_is_in_recovery()' postgres)" = f ]
}}
case $1 in
meta-data)
    cat <<END
<?xml version="1.0"?>
<resource-agent name="database"><version>1.0</version>
<longdesc lang="en">A server that is promoted</longdesc>
<shortdesc lang="en">A server that is promoted</shortdesc>
<parameters/>
<actions>
<action name="start" timeout="60s"/><action name="stop" timeout="60s"/>
<action name="monitor" timeout="20s" interval="5s"/><action name="meta-data" timeout="5s"/>
</actions></resource-agent>
END
    ;;
start) is_primary || runuser -u postgres -- {programs}/pg_ctl -D "$DATA" -s -w promote || exit 1 ;;
stop) is_primary && runuser -u postgres -- {programs}/pg_ctl -D "$DATA" -s -m fast stop ;;
monitor) is_primary || exit 7 ;;
*) exit 3 ;;
esac
exit 0
"""
CIB = f"""\
<resources>
  <primitive id="fence-{PRIMARY}" class="stonith" type="fence_lab">
    <instance_attributes id="fence-options">
      <nvpair id="fence-hosts" name="pcmk_host_list" value="{PRIMARY}"/>
      <nvpair id="fence-ip" name="ip" value="{CLUSTER.address(CONTROLLER)}"/>
      <nvpair id="fence-user" name="username" value="{USER}"/>
      <nvpair id="fence-password" name="password" value="{PASSWORD}"/>
      <nvpair id="fence-off" name="pcmk_reboot_action" value="off"/>
    </instance_attributes>
  </primitive>
  <group id="service">
    <primitive id="address" class="ocf" provider="heartbeat" type="IPaddr2">
      <instance_attributes id="address-options">
        <nvpair id="address-ip" name="ip" value="{CLUSTER.address(SERVICE_NAME)}"/>
        <nvpair id="address-prefix" name="cidr_netmask" value="24"/>
        <nvpair id="address-nic" name="nic" value="{CLUSTER.interface}"/>
      </instance_attributes>
    </primitive>
    <primitive id="database" class="ocf" provider="lab" type="database">
      <operations><op id="database-monitor" name="monitor" interval="5s"/></operations>
    </primitive>
  </group>
</resources>
"""
CONSTRAINTS = f"""\
<constraints>
  <rsc_location id="at-home" rsc="service" node="{PRIMARY}" score="100"/>
  <rsc_location id="not-itself" rsc="fence-{PRIMARY}" node="{PRIMARY}" score="-INFINITY"/>
</constraints>
"""
LOG = "/var/log/pacemaker/pacemaker.log"
WORD = f"Node {PRIMARY} state is now lost"


def _has_quorum(host: Host) -> bool:
    said = host.ask("corosync-quorumtool", "-s").out
    return re.search(r"^Quorate: +Yes", said, re.MULTILINE) is not None


class Pacemaker(OnServers):
    """Corosync and Pacemaker on both nodes with their default times."""

    name = "Pacemaker"
    settings = "token 3000 ms (default of Corosync 3.1)"
    word = f'the standby logs "{WORD}"'
    order_is = "none: it fences and promotes by itself"
    runs = "corosync and pacemakerd with six daemons on both nodes"
    more_hosts = "none (a power controller, or a third vote)"
    programs: ClassVar = {
        "corosync": "corosync",
        "pacemakerd": "pacemaker",
        "cibadmin": "pacemaker-cli-utils, resource-agents",
    }
    processes = r"^corosync |pacemakerd|/pacemaker-"

    def configure(self) -> None:
        self.power = Power(self.lab, self.faults)
        self.power.install(*MANAGERS)
        for server in self.servers:
            host = server.host
            host.write("/etc/corosync/corosync.conf", COROSYNC)
            host.write("/usr/lib/ocf/resource.d/lab/database",
                       AGENT.format(data=server.data, programs=server.bin), 0o755)  # fmt: skip
            host.run("mkdir", "-p", "/var/log/pacemaker", "/var/lib/pacemaker/cib",
                     "/var/lib/pacemaker/pengine", "/var/lib/corosync")  # fmt: skip
            host.start("corosync", "-f")
        first, second = (server.host for server in self.servers)
        for host in (first, second):
            until(partial(_has_quorum, host), "quorum")
            host.start("pacemakerd", "-f")
        online = f"Online: [ {' '.join(MANAGERS)} ]"
        until(lambda: online in second.ask("crm_mon", "-1").out, online)
        for scope, text in (("resources", CIB), ("constraints", CONSTRAINTS)):
            second.run("cibadmin", "--replace", "--scope", scope, "--xml-pipe", stdin=text)
        self._log = second.path(LOG)
        until(self._is_settled, "resources run on the primary")

    def _is_settled(self) -> bool:
        lines = self.servers[1].host.ask("crm_mon", "-1").out.splitlines()
        places = {line.split()[1]: line.split()[-1] for line in lines if "Started" in line}
        wanted = {f"fence-{PRIMARY}": STANDBY, "address": PRIMARY, "database": PRIMARY}
        return places == wanted

    def times_told(self) -> int:
        text = self._log.read_text(errors="replace")
        return len(re.findall(f"pacemaker-controld.*{WORD}", text))
