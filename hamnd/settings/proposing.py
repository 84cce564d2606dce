"""From what is found on a host to the configuration that `hamnd init` proposes.

Owns which finding becomes which option, with the reason beside it, and what remains for a person to
know. Must not read files or run programs (hamnd.daemon.survey), nor guess: an option that no
finding supports is written as a comment, so that `check-config` asks for it by name.
"""

from __future__ import annotations

import ipaddress
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from hamnd.dialects.addresses import Address
from hamnd.dialects.cfgloc import Cfgloc
from hamnd.settings import SCHEMA
from hamnd.settings.importing import printable, propose
from hamnd.settings.sample import WIDTH, toml_value
from hamnd.settings.schema import REQUIRED, Key, Section


@dataclass(frozen=True, slots=True)
class Found:
    """What a host told of itself; None and empty: it did not."""

    host_name: str
    platform: str = "linux"
    addresses: tuple[Address, ...] = ()
    gateway: str | None = None
    cfgloc: Cfgloc | None = None
    """What /etc/xcat/cfgloc says without its password; None where there is no xCAT."""
    site_table: Mapping[str, str] | None = None
    crontab: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    """Addresses of the names that matter, as this host resolves them."""
    primary: str | None = None
    """The primary's name, and the standby's, where the administrator said them."""
    standby: str | None = None
    has_group: bool = False
    """Whether the group is here that the packages make."""
    has_library: bool = True
    key_file: str | None = None
    silent: tuple[str, ...] = ()
    """What was asked and gave no answer, each with the reason."""


class Value(NamedTuple):
    """An option's value and where it comes from, in words."""

    value: object
    source: str


Values = dict[str, Value]

GROUP = "hamnd"
OWNER = "xcatdb"
ASK = {
    "primary.name": "hamnd init --primary NAME says it",
    "standby.name": "hamnd init --standby NAME says it",
    "primary.address": "the address the primary has of its own, on the cluster network",
    "standby.address": "the address the standby has of its own, on the cluster network",
    "identity.mode": "service_address where xCAT's site.master is an alias that no machine owns",
    "network.gateway": "a router on the cluster network that is no management node",
}
BESIDE = (
    "[fence]: the other node's power controller; without it nothing proves an old primary off",
    "[[witness]]: a few service nodes; without them hamnd judges from one vantage point",
    "[plan.services]: which of dns, dhcp, consoles, http, tftp, nfs this management node serves",
    "the other node's file: the same text, with its own name in `node`",
)
"""What no look at one host can tell."""


def render(found: Found) -> tuple[str, tuple[str, ...]]:
    """Return the proposed file, and what a person has to add, a sentence each."""
    values = _values(found)
    unknown: list[str] = []
    body = list(_sections(values, unknown))
    missing = tuple(printable(one) for one in (*unknown, *found.silent, *BESIDE))
    text = [*_head(found, missing), *body, *_files(found)]
    return "\n".join(text).rstrip() + "\n", missing


def _values(found: Found) -> Values:
    own = "the name of this host"
    values = {
        "node": Value(found.host_name, own),
        "platform": Value(found.platform, "this host's"),
        "guard.when_unknown": Value("hold", "the safe choice; serve only where you know why"),
    }
    if found.has_group:
        values["operators"] = Value(GROUP, "the group that the package made; add your people")
    if not found.has_library and found.platform == "linux":
        source = "this hamnd is installed without the library asyncssh"
        values["ssh.transport"] = Value("openssh", source)
    if found.key_file is not None:
        values["ssh.key_file"] = Value(found.key_file, "the key that is here")
    values |= _nodes(found)
    values |= _identity(found, values)
    values |= _engine(found)
    return values


def _nodes(found: Found) -> Values:
    values: Values = {}
    for role, said in (("primary", found.primary), ("standby", found.standby)):
        if said is None:
            continue
        values[f"{role}.name"] = Value(said, "as you said")
        if said in found.names:
            source = f"what this host resolves {said} to"
            values[f"{role}.address"] = Value(found.names[said], source)
    own_role = _own_role(found)
    if own_role is not None:
        source = f"this host is the {own_role}"
        name = values.setdefault(f"{own_role}.name", Value(found.host_name, source))
        values["node"] = Value(name.value, "the name of this host")
        if (own := _own_address(found)) is not None:
            source = f"first address of {own.interface}"
            values[f"{own_role}.address"] = Value(own.address, source)
    return values


def _own_role(found: Found) -> str | None:
    if _is_named(found, found.primary):
        return "primary"
    if _is_named(found, found.standby):
        return "standby"
    if found.primary is not None:
        return "standby" if found.standby is None else None
    if found.standby is not None:
        return "primary"
    cluster_address = _cluster_address(found)
    if cluster_address is None:
        return None
    return (
        "primary" if any(one.address == cluster_address for one in found.addresses) else "standby"
    )


def _is_named(found: Found, said: str | None) -> bool:
    """Whether the name that was said is this host's, with its domain or without."""
    return said is not None and said.partition(".")[0] == found.host_name.partition(".")[0]


def _cluster_address(found: Found) -> str | None:
    """Return the address that xCAT's nodes know their management node by."""
    told = (found.site_table or {}).get("master")
    if told is None:
        return None
    return told if _is_address(told) else found.names.get(told)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _own_address(found: Found) -> Address | None:
    """Return this node's own address on the cluster network: the first of that interface."""
    cluster_address = _cluster_address(found)
    for one in found.addresses:
        if one.address != cluster_address and (
            cluster_address is None or _is_beside(one, cluster_address)
        ):
            return one if cluster_address is not None or _reaches(one, found.gateway) else None
    first = next((one for one in found.addresses if one.address == cluster_address), None)
    return first if first is not None and _is_first(found, first) else None


def _is_beside(one: Address, other: str) -> bool:
    network = ipaddress.ip_interface(f"{one.address}/{one.prefix}").network
    return ipaddress.ip_address(other) in network


def _reaches(one: Address, gateway: str | None) -> bool:
    return gateway is not None and _is_beside(one, gateway)


def _is_first(found: Found, address: Address) -> bool:
    return next(one for one in found.addresses if one.interface == address.interface) == address


def _identity(found: Found, values: Values) -> Values:
    cluster_address = _cluster_address(found)
    if cluster_address is None:
        return {}
    gateway = _gateway(found)
    here = next((one for one in found.addresses if one.address == cluster_address), None)
    primary = values.get("primary.address")
    if here is not None and not _is_first(found, here):
        why = f"site.master {cluster_address} is an additional address of {here.interface}"
        return gateway | _service(found, here, cluster_address, why)
    if here is not None:
        why = f"site.master {cluster_address} is this machine's own address: the guide's way"
        return gateway | {"identity.mode": Value("primary_address", why)}
    if primary is None:
        return gateway
    if primary.value == cluster_address:
        why = f"site.master {cluster_address} is the primary's own address: the guide's way"
        return gateway | {"identity.mode": Value("primary_address", why)}
    why = f"site.master {cluster_address} is not the primary's own address"
    beside = next((one for one in found.addresses if _is_beside(one, cluster_address)), None)
    return gateway | _service(found, beside, cluster_address, why)


def _service(found: Found, beside: Address | None, cluster_address: str, why: str) -> Values:
    values = {
        "identity.mode": Value("service_address", why),
        "identity.address.address": Value(cluster_address, "site.master"),
    }
    if beside is not None:
        source = f"{beside.interface} is on that network"
        values["identity.address.interface"] = Value(beside.interface, source)
        values["identity.address.prefix"] = Value(beside.prefix, f"that of {beside.interface}")
    name = (found.site_table or {}).get("master", "")
    known = [one for one, address in found.names.items() if address == cluster_address]
    if not _is_address(name) or known:
        named = name if not _is_address(name) else known[0]
        values["identity.address.name"] = Value(named, "the name that resolves to it here")
    return values


def _gateway(found: Found) -> Values:
    if found.gateway is None or any(one.address == found.gateway for one in found.addresses):
        return {}
    if found.gateway == _cluster_address(found):
        return {}
    source = "the way out of this host; make sure that it is no management node"
    return {"network.gateway": Value(found.gateway, source)}


def _engine(found: Found) -> Values:
    if found.cfgloc is None:
        return {}
    engine = found.cfgloc.engine
    if engine not in ("db2", "postgresql", "mariadb", "sqlite"):
        return {}
    source = "/etc/xcat/cfgloc"
    if engine == "postgresql":
        source += '; write "dump" where dumps are restored instead of streaming'
    elif engine == "sqlite":
        source += " (none, or empty: xCAT's default); write shared_disk where both mount one disk"
    values = {"replication.engine": Value(engine, source)}
    if engine == "db2":
        values["replication.db2.database"] = Value(found.cfgloc.database, "/etc/xcat/cfgloc")
        values["replication.db2.instance_owner"] = Value(
            OWNER, "xCAT's default; check it with: ls -d ~xcatdb/sqllib"
        )
    return values


def _head(found: Found, missing: tuple[str, ...]) -> Iterator[str]:
    yield from _comment(
        f"Proposed by `hamnd init` on {found.host_name}, from what it found there. Every option "
        "with its default is in hamnd.toml(5) and in the samples. Read this file, complete it, and "
        "check it: hamnctl check-config FILE --here"
    )
    yield "#"
    yield "# What it could not know:"
    for one in missing:
        yield from textwrap.wrap(one, WIDTH, initial_indent="#  - ", subsequent_indent="#    ")


def _sections(values: Values, unknown: list[str]) -> Iterator[str]:
    engine = values.get("replication.engine")
    schema = SCHEMA.of_site(str(engine.value) if engine else "", "linux")
    mode = values.get("identity.mode")
    for section in schema.sections:
        keys = [
            key
            for key in schema.keys_of(section.path)
            if key.path in values or (key.default is REQUIRED and not section.many)
        ]
        if section.path == "identity.address" and mode and mode.value == "service_address":
            keys = list(schema.keys_of(section.path))
            keys = [key for key in keys if key.path in values or key.default is REQUIRED]
        if not keys:
            continue
        yield ""
        if section.path:
            yield _header(section)
        for key in keys:
            yield from _key(key, values.get(key.path), unknown)


def _header(section: Section) -> str:
    return f"[[{section.path}]]" if section.many else f"[{section.path}]"


def _key(key: Key, value: Value | None, unknown: list[str]) -> Iterator[str]:
    yield from _comment(key.doc)
    if value is not None:
        yield from _comment(f"Found: {value.source}.")
        yield f"{key.name} = {toml_value(value.value)}"
        return
    hint = ASK.get(key.path, f"allowed: {key.kind.allowed}")
    unknown.append(f"{key.path}: {hint}")
    yield f"# NOT KNOWN: {hint}"
    yield f"# {key.name} = {toml_value(key.example)}"


def _comment(text: str) -> Iterator[str]:
    for line in textwrap.wrap(printable(text), WIDTH - 2):
        yield f"# {line}"


def _files(found: Found) -> Iterator[str]:
    if found.crontab is None:
        return
    proposed = propose(found.crontab)
    yield ""
    yield from _comment(
        "From root's crontab on this host. The lines that count are in the crontab of the node "
        "that copies today, mostly the primary's: ssh PRIMARY crontab -l | hamnd import-cron"
    )
    yield from proposed.splitlines()
