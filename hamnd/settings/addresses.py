"""Relations between nodes, addresses and witnesses.

Owns who may have whose name or address. Must not know raw TOML, nor whether an address exists on
this host (hamnd.settings.here).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Network, ip_address, ip_interface
from typing import Any

from hamnd.settings.kinds import nearest
from hamnd.settings.problem import Problem, error, warning
from hamnd.settings.reader import Values

ROLES = ("primary", "standby")


def check(values: Values) -> list[Problem]:
    """Return every broken relation among names and addresses."""
    return [
        *_nodes(values.single),
        *_gateway(values),
        *_identity(values),
        *_witnesses(values),
        *_witness_count(values),
    ]


def _node_addresses(single: dict[str, Any]) -> dict[str, str]:
    """Return each node's role by its address, leaving loopback out (several hosts in one)."""
    found = {}
    for role in ROLES:
        text = single.get(f"{role}.address")
        if text is not None and not ip_address(text).is_loopback:
            found[text] = role
    return found


def _nodes(single: dict[str, Any]) -> Iterator[Problem]:
    names = tuple(single[f"{role}.name"] for role in ROLES if f"{role}.name" in single)
    node = single.get("node")
    if len(names) == 2 and names[0] == names[1]:
        yield error(
            "standby.name",
            "is the primary's name too",
            value=f'"{names[1]}"',
            hint="the two nodes need two names",
        )
    if node is not None and len(names) == 2 and node not in names:
        meant = nearest(node, names)
        yield error(
            "node",
            "is neither the primary nor the standby",
            value=f'"{node}"',
            allowed=" | ".join(f'"{name}"' for name in names),
            hint=f'did you mean "{meant}"?' if meant else "",
        )
    first, second = (single.get(f"{role}.address") for role in ROLES)
    if first is not None and first == second and not ip_address(first).is_loopback:
        yield error("standby.address", "is the primary's address too", value=f'"{second}"')


def _gateway(values: Values) -> Iterator[Problem]:
    gateway = values.single.get("network.gateway")
    if gateway is None:
        return
    taken = {text: f"the {role}" for text, role in _node_addresses(values.single).items()}
    for table in values.tables.get("identity.address", []):
        if "address" in table:
            taken.setdefault(table["address"], "the service address")
    if gateway in taken:
        yield error(
            "network.gateway",
            f"is {taken[gateway]}: a management node cannot prove that our own path works",
            value=f'"{gateway}"',
            hint="name a router or switch of the cluster network that answers ping",
        )


def _identity(values: Values) -> Iterator[Problem]:
    tables = values.tables.get("identity.address")
    if tables is None:
        return
    if not tables:
        yield error(
            "identity.address",
            "at least one table is required: without an address nothing can move",
            hint="write [[identity.address]] with interface, address, prefix and name",
        )
    mode = values.single.get("identity.mode")
    if mode == "primary_address":
        yield from _takes_primary_address(values, tables)
    nodes = _node_addresses(values.single)
    seen: set[str] = set()
    for number, table in enumerate(tables):
        where = f"identity.address[{number}]"
        text = table.get("address")
        if text is None:
            continue
        if text in nodes and not (mode == "primary_address" and nodes[text] == "primary"):
            yield error(
                f"{where}.address",
                f"is the {nodes[text]}'s own address; a service address belongs to no machine",
                value=f'"{text}"',
            )
        if values.single.get("platform") == "aix" and ":" in text:
            yield error(
                f"{where}.address",
                "is an IPv6 address: on AIX only IPv4 moves (mktcpip knows nothing else)",
                value=f'"{text}"',
                hint="move it by [[plan.takeover.step]] with chdev -a netaddr6",
            )
        if not _can_be_proven(values, table):
            yield warning(
                f"{where}.gateway",
                f"neither a gateway nor a witness is in the network of {text}: nothing proves "
                "from outside that the address works after a takeover",
                hint="set gateway, or name a [[witness]] by its address in that network",
            )
        if text in seen:
            yield error(f"{where}.address", "is listed twice", value=f'"{text}"')
        seen.add(text)
        yield from _network_of(where, text, table)


def _takes_primary_address(values: Values, tables: list[dict[str, Any]]) -> Iterator[Problem]:
    """The primary's own address is what moves, and its host name with it."""
    own = values.single.get("primary.address")
    if own is not None and all(table.get("address") != own for table in tables):
        yield error(
            "identity.address",
            "mode primary_address moves the primary's own address, and no table has it",
            value=f'"{own}"',
            hint="write a table for each address of the primary, its own among them",
        )
    yield from _spare(values, tables)
    if values.single.get("identity.console") is None:
        yield warning(
            "identity.console",
            "sessions over the standby's own address end at a takeover, and the card names no "
            "other way in",
            hint='for example "bmc-mn2, serial over LAN"',
        )


def _spare(values: Values, tables: list[dict[str, Any]]) -> Iterator[Problem]:
    """The spare address is near the primary's own, and nobody's."""
    spare, own = values.single.get("identity.spare"), values.single.get("primary.address")
    if spare is None:
        yield warning(
            "identity.spare",
            "is not set: a living primary cannot hand over in mode primary_address, so there is "
            "no switchover, drill or failback",
            hint="name a free address of the cluster network",
        )
        return
    others = {table.get("address"): "is an address that moves" for table in tables}
    others |= {
        one.get("address"): "is a witness's address" for one in values.tables.get("witness", [])
    }
    nodes = _node_addresses(values.single)
    others |= {text: f"is the {role}'s own address" for text, role in nodes.items()}
    others[values.single.get("network.gateway")] = "is the gateway's address"
    if spare in others:
        yield error("identity.spare", others[spare], value=f'"{spare}"')
    moved = next((one for one in tables if own is not None and one.get("address") == own), {})
    prefix = moved.get("prefix")
    if own is None or prefix is None or prefix > ip_address(own).max_prefixlen:
        return
    network = ip_interface(f"{own}/{prefix}").network
    if ip_address(spare) not in network:
        yield error(
            "identity.spare", f"is not in {network}, the primary's network", value=f'"{spare}"'
        )


def _can_be_proven(values: Values, table: dict[str, Any]) -> bool:
    """Whether a router or a witness lies in the network of an address; True when unreadable."""
    text, prefix = table.get("address"), table.get("prefix")
    if text is None or prefix is None or prefix > ip_address(text).max_prefixlen:
        return True
    network = ip_interface(f"{text}/{prefix}").network
    seers = [one.get("address") for one in values.tables.get("witness", [])]
    seers.append(values.single.get("network.gateway"))
    is_seen = any(one is not None and ip_address(one) in network for one in seers)
    return is_seen or table.get("gateway") is not None


def _network_of(where: str, text: str, table: dict[str, Any]) -> Iterator[Problem]:
    prefix = table.get("prefix")
    if prefix is None:
        return
    bits = ip_address(text).max_prefixlen
    if prefix > bits:
        yield error(
            f"{where}.prefix",
            f"is longer than the address {text}",
            value=str(prefix),
            allowed=f"1 to {bits} bits",
        )
        return
    network = ip_interface(f"{text}/{prefix}").network
    if isinstance(network, IPv4Network) and prefix < 31:
        ends = {
            str(network.network_address): "network",
            str(network.broadcast_address): "broadcast",
        }
        if text in ends:
            yield error(
                f"{where}.address",
                f"is the {ends[text]} address of {network}",
                value=f'"{text}"',
                hint="check prefix",
            )
    gateway = table.get("gateway")
    if gateway is None:
        return
    router = ip_address(gateway)
    if gateway == text:
        yield error(f"{where}.gateway", "is the service address itself", value=f'"{gateway}"')
    elif router.version != network.version or not (router in network or router.is_link_local):
        yield error(
            f"{where}.gateway",
            f"is not in {network}, the network of {text}",
            value=f'"{gateway}"',
            hint="check address and prefix",
        )


def _witnesses(values: Values) -> Iterator[Problem]:
    tables = values.tables.get("witness", [])
    nodes = _node_addresses(values.single)
    names = {values.single.get(f"{role}.name") for role in ROLES} - {None}
    counted = Counter(table["name"] for table in tables if "name" in table)
    for number, table in enumerate(tables):
        where = f"witness[{number}]"
        if table.get("name") in names or table.get("address") in nodes:
            yield error(
                where,
                "is a management node: a witness must be a third party",
                value=f'"{table.get("name", table.get("address"))}"',
                hint="name a service node",
            )
        if counted[table.get("name", "")] > 1:
            yield error(f"{where}.name", "is listed twice", value=f'"{table["name"]}"')


def _witness_count(values: Values) -> Iterator[Problem]:
    tables = values.tables.get("witness")
    if tables is None:
        return
    least = values.single.get("witnesses.min")
    if least is not None and least > len(tables):
        yield error(
            "witnesses.min",
            f"is more than the {len(tables)} configured: no silence could ever be believed",
            value=str(least),
            allowed=f"0 to {len(tables)}",
            hint="add [[witness]] tables or lower it",
        )
    if not tables and values.single.get("fence.minimum") == "witnesses":
        yield error(
            "fence.minimum",
            "no witness is configured, so nothing can ever satisfy it",
            value='"witnesses"',
            hint="add [[witness]] tables",
        )
    if not tables:
        yield warning(
            "witness",
            "no witness is configured: hamnd judges from one vantage point, and says so",
            hint="add one [[witness]] for each of a few service nodes",
        )
    elif least == 0:
        yield warning(
            "witnesses.min",
            "0 ignores the configured witnesses: hamnd judges from one vantage point",
            value="0",
            hint="1 or more",
        )
