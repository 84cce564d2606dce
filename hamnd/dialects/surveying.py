"""What `hamnd init` asks of a host before there is a configuration.

Owns the commands, which only read, and what a routing table says. Must not know what becomes of an
answer. The site table is read from the database itself (XCATBYPASS, xCAT's own word for it), for on
a standby no xcatd runs; the password in cfgloc is cut off by the program that reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address

from hamnd.dialects import cfgloc

ADDRESSES = "the addresses of this host"
ROUTES = "the gateway of this host"
CFGLOC = "/etc/xcat/cfgloc"
SITE_TABLE = "xCAT's site table"
CRONTAB = "root's crontab"


def questions(platform: str) -> Mapping[str, tuple[str, ...]]:
    """Return each question's command, by what it asks for."""
    is_linux = platform == "linux"
    return {
        ADDRESSES: ("ip", "-o", "addr", "show") if is_linux else ("ifconfig", "-a"),
        ROUTES: ("ip", "route", "show", "default") if is_linux else ("netstat", "-rn"),
        CFGLOC: cfgloc.reading("/etc/xcat/cfgloc"),
        SITE_TABLE: ("env", "XCATBYPASS=1", "tabdump", "site"),
        CRONTAB: ("crontab", "-l"),
    }


def parse_gateway(text: str) -> str | None:
    """Return the default gateway in the output of `ip route show default` or `netstat -rn`.

    The first has it behind `via`, the second right behind `default`; a route may have none.
    """
    for line in text.splitlines():
        first, *words = line.split() or [""]
        if first != "default" or not words:
            continue
        word = words[words.index("via") + 1 :][:1] if "via" in words else words[:1]
        with suppress(ValueError):  # a point-to-point line has a device there
            return str(ip_address("".join(word)))
    return None
