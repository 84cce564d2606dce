"""A site in the guide's way: the standby takes the primary's own address and name (§8.4).

Owns that site's configuration and mn2's own network file. MUST NOT start anything.
"""

from __future__ import annotations

from tests.lab.site.names import CLUSTER, GATEWAY, PRIMARY, STANDBY
from tests.lab.site.pair import SERVICE_ADDRESS

OWN = CLUSTER.address(STANDBY)
PRIMARYS = CLUSTER.address(PRIMARY)
INTERFACES = f"""\
auto eth0
iface eth0 inet static
    # mn2: {OWN}
    address {OWN}/24
    gateway {CLUSTER.address(GATEWAY)}
"""

MODE = """\
mode = "primary_address"
confirm_s = 20
console = "bmc, serial over LAN"
"""


def primary_address(text: str) -> str:
    """Return this configuration in mode primary_address."""
    moved = text.replace('mode = "service_address"\n', MODE)
    moved = moved.replace(f'address = "{SERVICE_ADDRESS}"', f'address = "{PRIMARYS}"')
    return moved.replace('name = "mn"', 'name = "mn1"')
