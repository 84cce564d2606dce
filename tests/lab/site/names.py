"""Who lives in the lab and where: host names, addresses, hardware addresses, networks.

Owns these names and numbers, which mean something only inside the lab's own namespaces. MUST NOT
touch the machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PRIMARY = "mn1"
STANDBY = "mn2"
MANAGERS = (PRIMARY, STANDBY)
WITNESSES = ("sn1", "sn2")
GATEWAY = "gw"
CONTROLLER = "bmc"
HOSTS = (*MANAGERS, *WITNESSES, GATEWAY, CONTROLLER)

SERVICE_NAME = "mn"
"""The movable name of `service_address` sites; whoever is the management node holds it."""
SERVICE_NUMBER = 10
DOMAIN = "cluster.test"

NUMBERS = {GATEWAY: 1, CONTROLLER: 5, "mn1": 11, "mn2": 12, "sn1": 21, "sn2": 22}
"""The last octet of each host's own address, the same on every network."""


@dataclass(frozen=True, slots=True)
class Network:
    """One wire of the lab; `number` gives its addresses and the hosts' interface (eth<number>)."""

    name: str
    number: int

    @property
    def prefix(self) -> str:
        """The first three octets."""
        return f"10.99.{self.number}"

    @property
    def interface(self) -> str:
        """What every host calls its end of this wire."""
        return f"eth{self.number}"

    @property
    def bridge(self) -> str:
        """The bridge in the keeper's network namespace."""
        return f"br{self.number}"

    def address(self, host: str) -> str:
        """Return a host's own address here; `mn` is the service address."""
        number = SERVICE_NUMBER if host == SERVICE_NAME else NUMBERS[host]
        return f"{self.prefix}.{number}"

    def port(self, host: str) -> str:
        """Return the bridge's port that the host is plugged into."""
        return f"v{self.number}-{host}"

    def relay(self, host: str) -> str:
        """Return the port that takes its place while the host's wire is slow."""
        return f"d{self.number}-{host}"

    def hardware(self, host: str) -> str:
        """Return a fixed address: with a random one a rebooted host is unreachable for seconds."""
        return f"02:00:0a:63:{self.number:02x}:{NUMBERS[host]:02x}"


CLUSTER = Network("cluster", 0)
PUBLIC = Network("public", 1)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a lab is made of. `binds` are (place on the machine, place in every host)."""

    hosts: tuple[str, ...] = HOSTS
    networks: tuple[Network, ...] = (CLUSTER,)
    binds: tuple[tuple[str, str], ...] = field(default=())
    systemd: frozenset[str] = frozenset()
    """Hosts whose process 1 is a real systemd."""
    disk_mb: int = 4096
    """Size of each host's disk, in memory; only what is written takes any."""


def hosts_file(plan: Plan) -> str:
    """Return /etc/hosts of every host: all names of all networks, as xCAT sites keep them."""
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    for network in plan.networks:
        suffix = "" if network.number == 0 else f"-{network.name}"
        for host in (*plan.hosts, SERVICE_NAME):
            name = f"{host}{suffix}"
            lines.append(f"{network.address(host)} {name}.{DOMAIN} {name}")
    return "\n".join(lines) + "\n"
