"""The smallest valid configuration, and one-line changes to it.

Owns the text that the tests of settings start from. Must not know what they expect.
"""

from __future__ import annotations

MINIMAL = """\
node = "mn2"
platform = "linux"
[primary]
name = "mn1"
address = "10.1.0.3"
[standby]
name = "mn2"
address = "10.1.0.4"
[guard]
when_unknown = "hold"
[identity]
mode = "service_address"
[[identity.address]]
interface = "eth1"
address = "10.1.0.2"
prefix = 16
name = "mn"
[network]
gateway = "10.1.0.1"
[replication]
engine = "db2"
[replication.db2]
database = "XCATDB"
instance_owner = "xcatdb"
"""

QUIET = (
    MINIMAL
    + """\
[fence]
agent = "/usr/sbin/fence_ipmilan"
[[witness]]
name = "sn01"
address = "10.1.0.21"
"""
)
"""A configuration about which there is nothing to say."""


def changed(old: str, new: str, text: str = QUIET) -> str:
    """Return the text with one passage replaced; a passage that is not there is a broken test."""
    assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
    return text.replace(old, new)
