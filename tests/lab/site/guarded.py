"""The return guard on a lab host, installed by hand as the README says.

Owns what is copied where, a PostgreSQL server as a unit of a real systemd, and how a site's own
habit brings its address up without the guard. MUST NOT judge what the guard answers.
"""

from __future__ import annotations

from tests.lab.site.hosts import CHECKOUT, Done, Host
from tests.lab.site.postgres import Postgres

GUARD = "/usr/sbin/hamn-guard"
SCRIPT = CHECKOUT / "hamnd/guard/hamn-guard"
UNITS = SCRIPT.parent
DROP_INS = {
    "xcatd.service": "hamn-guard.conf",
    "isc-dhcp-server.service": "hamn-guard.conf",
    "postgresql@.service": "hamn-guard-postgresql@.conf",
}
SERVER = """\
[Service]
Type=notify
User=postgres
ExecStart={bin}/postgres -D /var/lib/postgresql/%I
ExecStartPre=+/bin/sh -c 'rm -f /var/lib/postgresql/%I/postmaster.pid; mkdir -p /run/postgresql; chown postgres /run/postgresql'
[Install]
WantedBy=multi-user.target
"""  # noqa: E501 - one line of a unit


def install(host: Host, drop_ins: dict[str, str] = DROP_INS) -> None:
    """Install the guard on a host with systemd: the script, its units, the drop-ins."""
    host.write(GUARD, SCRIPT.read_text(), 0o755)
    for name in ("hamn-guard.service", "hamn-address.service"):
        host.write(f"/etc/systemd/system/{name}", (UNITS / name).read_text())
    for unit, source in drop_ins.items():
        place = f"/etc/systemd/system/{unit}.d/hamn-guard.conf"
        host.write(place, (UNITS / source).read_text())
    host.run("systemctl", "daemon-reload")


def remove(host: Host) -> None:
    """Take the guard away as the removal of hamnd does; forgotten drop-ins stay where they are."""
    host.run("rm", "-f", GUARD)
    host.ask("systemctl", "disable", "hamn-address")
    host.run("rm", "-f", "/etc/systemd/system/hamn-address.service")
    host.run("systemctl", "daemon-reload")


def as_unit(server: Postgres) -> str:
    """Have a server start at boot as Debian's unit does, and return the unit's name."""
    host, version = server.host, server.data.split("/")[-2]
    host.disable("postgresql")
    host.write("/etc/systemd/system/postgresql@.service", SERVER.format(bin=server.bin))
    host.run("systemctl", "daemon-reload")
    return f"postgresql@{version}-main"


def address_without_guard(host: Host, address: str) -> None:
    """Bring an address up at every boot, as sites do by a network file of their own."""
    unit = f"[Service]\nType=oneshot\nExecStart=/sbin/ip addr add {address}/24 dev eth0\n"
    unit += "[Install]\nWantedBy=multi-user.target\n"
    host.write("/etc/systemd/system/own-address.service", unit)
    host.run("systemctl", "enable", "own-address")


def answer(host: Host) -> Done:
    """Ask the guard at this host's console."""
    return host.ask(GUARD, "check", timeout_s=60)
