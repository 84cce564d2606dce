"""Real servers inside lab hosts, as units: name server, DHCP, consoles.

Owns their configuration in its simplest form and the `systemctl` that starts them where no systemd
runs. What xCAT's commands write over it is `xcat`'s. MUST NOT know hamnd.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.lab.site.hosts import Host
from tests.lab.site.names import CLUSTER, DOMAIN, HOSTS, SERVICE_NAME

SYSTEMCTL = Path(__file__).with_name("systemctl.sh")

NAMED_CONF = f"""\
options {{
  directory "/var/cache/bind";
  pid-file "/run/named/named.pid";
  listen-on {{ any; }};
  listen-on-v6 {{ none; }};
  allow-query {{ any; }};
  recursion no;
  dnssec-validation no;
}};
zone "{DOMAIN}" {{ type master; file "/var/lib/bind/db.{DOMAIN}"; allow-update {{ localhost; }}; }};
"""
DHCPD_CONF = f"""\
authoritative;
omapi-port 7911;
default-lease-time 600;
subnet {CLUSTER.prefix}.0 netmask 255.255.255.0 {{
  option routers {CLUSTER.address("gw")};
  next-server {CLUSTER.address(SERVICE_NAME)};
  range {CLUSTER.prefix}.200 {CLUSTER.prefix}.220;
}}
"""
CONSERVER_CF = """\
config * {{ }}
default full {{ rw *; }}
default * {{ logfile /var/log/consoles/&; timestamp ""; include full; master localhost; }}
access * {{ trusted 127.0.0.1; allowed {addresses}; }}
console cn1 {{ type exec; exec "/bin/cat"; }}
"""


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: what runs in the foreground, how to see that it serves, its other names."""

    name: str
    run: str
    ready: str = ":"
    limit_s: int = 90
    aliases: tuple[str, ...] = ()

    def real(self) -> str:
        """Return the same as a unit of a real systemd."""
        wait = f"until {{ {self.ready}; }} >/dev/null 2>&1; do sleep .05; done"
        lines = ["[Service]", f"ExecStart=/bin/sh -c {_quoted(f'exec {self.run}')}"]
        if self.ready != ":":
            lines.append(f"ExecStartPost=/bin/sh -c {_quoted(wait)}")
        lines += [f"TimeoutStartSec={self.limit_s}", "[Install]", "WantedBy=multi-user.target"]
        lines += [f"Alias={alias}.service" for alias in self.aliases]
        return "\n".join(lines) + "\n"

    def text(self) -> str:
        """Return the file that the stand-in reads."""
        lines = {"RUN": self.run, "READY": self.ready, "LIMIT": str(self.limit_s)}
        lines["ALIAS"] = " ".join(self.aliases)
        return "".join(f"{key}={shlex.quote(value)}\n" for key, value in lines.items())


def _quoted(script: str) -> str:
    """Return a script as one word of a unit file: there `%` and `$` mean something else."""
    return (
        '"'
        + script.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
        + '"'
    )


def listening(port: int) -> str:
    """Return a shell condition that holds once something listens on a TCP port of this host."""
    return f"grep -q ':{port:04X} [0-9A-F]*:0000 0A' /proc/net/tcp /proc/net/tcp6"


def accepting(path: str) -> str:
    """Return a shell condition that holds once somebody accepts at a socket of this host.

    The socket is there a moment before that; the flag is __SO_ACCEPTCON (proc_net(5), unix).
    """
    return f"grep -q ' 00010000 .* {path}$' /proc/net/unix"


NAMED = Unit(
    "named",
    "/usr/sbin/named -u bind -f",
    f"dig +short +time=1 +tries=1 @127.0.0.1 {DOMAIN} SOA | grep -q '^[^;]'",
    30,
    ("bind9",),
)
DHCPD = Unit(
    "isc-dhcp-server",
    "/usr/sbin/dhcpd -q -f -cf /etc/dhcp/dhcpd.conf -pf /run/dhcpd.pid eth0",
    listening(7911),
    30,
    ("dhcpd",),
)
CONSERVER = Unit(
    "conserver",
    "/usr/sbin/conserver -p 3109 -C /etc/conserver.cf",
    listening(3109),
    30,
    ("conserver-server",),
)
ALL = (NAMED, DHCPD, CONSERVER)


def install(host: Host, *units: Unit) -> None:
    """Put `systemctl` and units into a host; they start at boot once they are enabled.

    Under a real systemd other names of a unit are there as long as it is enabled, as Debian has it.
    """
    if host.has_systemd:
        for unit in units:
            host.write(f"/etc/systemd/system/{unit.name}.service", unit.real())
        host.run("systemctl", "daemon-reload")
        return
    host.write("/usr/bin/systemctl", SYSTEMCTL.read_text(), 0o755)
    for unit in units:
        host.write(f"/etc/lab/units/{unit.name}", unit.text())
    host.enable("units", "exec /usr/bin/systemctl boot\n", start=False)


def configure(host: Host) -> None:
    """Write configurations with which each of the three can be started."""
    address = host.address
    records = "".join(f"{one} IN A {CLUSTER.address(one)}\n" for one in (*HOSTS, SERVICE_NAME))
    zone = f"$TTL 60\n@ IN SOA {host.name} root 1 60 60 60 60\n  IN NS {host.name}\n{records}"
    host.write("/etc/bind/named.conf", NAMED_CONF)
    host.write(f"/var/lib/bind/db.{DOMAIN}", zone)
    host.run("chown", "-R", "bind:", "/var/lib/bind", "/var/cache/bind", "/run/named")
    host.write("/etc/dhcp/dhcpd.conf", DHCPD_CONF)
    host.write("/var/lib/dhcp/dhcpd.leases", "")
    host.write("/etc/conserver.cf", CONSERVER_CF.format(addresses=f"{address}, 127.0.0.1"))
    host.run("mkdir", "-p", "/var/log/consoles")
