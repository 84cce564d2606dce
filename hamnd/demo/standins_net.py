"""Stand-ins for ping, ip, arping, dig and host, as iputils, iproute2 and BIND print them.

Owns these five programs on the simulated network. MUST NOT send anything anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hamnd.demo.answers import Answer, Request
from hamnd.demo.machines import INTERFACE, OWN_ADDRESSES, PREFIX, Site, UnitState

ROUND_TRIP_S = 0.0004
USAGE = 2


def hardware_of(machine: str) -> str:
    """Return the hardware address of a machine: its own address's last part is in it."""
    last = int(OWN_ADDRESSES[machine].rpartition(".")[2])
    return f"52:54:00:2f:00:{last:02x}"


def _link(request: Request) -> str:
    return f"link/ether {hardware_of(request.machine)} brd ff:ff:ff:ff:ff:ff"


def _options(argv: Sequence[str], with_value: str) -> tuple[dict[str, str], list[str]]:
    """Split single-letter options from operands; letters in `with_value` take a value."""
    options: dict[str, str] = {}
    operands: list[str] = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            operands.append(word)
            continue
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in with_value:
                options[letter] = letters or (rest.pop(0) if rest else "")
                break
            options[letter] = ""
    return options, operands


def _number(text: str | None, default: float) -> float:
    try:
        return float(text) if text else default
    except ValueError:
        return default


def ping(request: Request) -> Answer:
    """Answer as iputils' ping: exit 0 answered, 1 silent, 2 nothing could be sent."""
    options, operands = _options(request.argv, with_value="cwWiIsSt")
    if not operands:
        return Answer(exit_code=USAGE, stderr="ping: usage error: Destination address required\n")
    target = operands[-1]
    address = request.site.resolve(target)
    if address is None:
        return Answer(exit_code=USAGE, stderr=f"ping: {target}: Name or service not known\n")
    count = int(_number(options.get("c"), 1))
    wait_s = _number(options.get("W"), 10.0)
    limit_s = _number(options.get("w"), wait_s + count - 1)
    holder = request.site.holder(address, request.machine)
    answered = holder is not None and request.site.pings(request.machine, holder)
    head = f"PING {target} ({address}) 56(84) bytes of data.\n"
    times = range(1, count + 1) if answered else ()
    replies = "".join(
        f"64 bytes from {address}: icmp_seq={number} ttl=64 time=0.0{40 + number % 9} ms\n"
        for number in times
    )
    lost = 0 if answered else 100
    summary = (
        f"\n--- {target} ping statistics ---\n{count} packets transmitted,"
        f" {count if answered else 0} received, {lost}% packet loss, time {(count - 1) * 1000}ms\n"
    )
    if answered:
        summary += "rtt min/avg/max/mdev = 0.040/0.042/0.048/0.003 ms\n"
        return Answer(head + replies + summary, 0, ROUND_TRIP_S + request.site.pair.link.delay_s)
    return Answer(head + summary + "\n", 1, min(limit_s, wait_s + count - 1))


def ip(request: Request) -> Answer:
    """Answer as iproute2's `ip`: `addr show`, `addr add`, `addr del`, `link show`, `neigh`."""
    words = [word for word in request.argv if not re.fullmatch(r"-(o|oneline|4|6|br|n)", word)]
    one_line = "-o" in request.argv or "-oneline" in request.argv
    if not words:
        return Answer(exit_code=255, stderr="Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }\n")
    thing, verb = words[0], words[1] if len(words) > 1 else "show"
    if "address".startswith(thing) and len(thing) > 1:
        if "add".startswith(verb) and verb:
            return _change_address(request, words[2:], add=True)
        if verb in ("del", "delete", "d"):
            return _change_address(request, words[2:], add=False)
        return Answer(_show_addresses(request, words[2:], one_line))
    if "link".startswith(thing):
        flags = f"2: {INTERFACE}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 state UP"
        end = "\\" if one_line else "\n"
        return Answer(f"{flags}{end}    {_link(request)}\n")
    if "neighbour".startswith(thing):
        return Answer(_show_neighbour(request, words[-1]))
    return Answer()


def _show_neighbour(request: Request, address: str) -> str:
    """Return the line of a neighbour that was just asked, or nothing where nobody answered."""
    site, machine = request.site, request.machine
    holder = site.holder(address, machine)
    if holder is None or holder == machine or not site.pings(machine, holder):
        return ""
    return f"{address} dev {INTERFACE} lladdr {hardware_of(holder)} REACHABLE\n"


def _show_addresses(request: Request, words: list[str], one_line: bool) -> str:
    wanted = [word for word in words if word not in ("dev", "to", "up", "scope", "global")]
    lines = []
    for address, interface in request.site.machines[request.machine].addresses.items():
        names = {interface, address, f"{address}/{PREFIX}"}
        if wanted and not names & set(wanted):
            continue
        detail = f"inet {address}/{PREFIX} brd {_broadcast(address)} scope global {interface}"
        if one_line:
            life = "\\       valid_lft forever preferred_lft forever"
            lines.append(f"2: {interface}    {detail}{life}\n")
        else:
            lines.append(f"    {detail}\n       valid_lft forever preferred_lft forever\n")
    if one_line or not lines:
        return "".join(lines)
    head = f"2: {INTERFACE}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP\n"
    return f"{head}    {_link(request)}\n" + "".join(lines)


def _broadcast(address: str) -> str:
    return address.rpartition(".")[0] + ".127"


def _change_address(request: Request, words: list[str], add: bool) -> Answer:
    if not words:
        return Answer(exit_code=255, stderr='Not enough information: "dev" argument is required.\n')
    address = words[0].partition("/")[0]
    interface = words[words.index("dev") + 1] if "dev" in words[:-1] else ""
    if not interface:
        return Answer(exit_code=255, stderr='Not enough information: "dev" argument is required.\n')
    if interface != INTERFACE:
        return Answer(exit_code=1, stderr=f'Cannot find device "{interface}"\n')
    held = request.site.machines[request.machine].addresses
    if add and address in held:
        return Answer(exit_code=USAGE, stderr="RTNETLINK answers: File exists\n")
    if not add and address not in held:
        text = "RTNETLINK answers: Cannot assign requested address\n"
        return Answer(exit_code=USAGE, stderr=text)
    if add:
        held[address] = interface
    else:
        del held[address]
    return Answer()


def arping(request: Request) -> Answer:
    """Answer as iputils' arping: -D exit 0 nobody has it, 1 somebody answers; -U/-A announce."""
    options, operands = _options(request.argv, with_value="cwiIs")
    if not operands:
        return Answer(exit_code=USAGE, stderr="arping: no target\n")
    address = operands[-1]
    count = int(_number(options.get("c"), 1))
    site, machine = request.site, request.machine
    head = f"ARPING {address} from 0.0.0.0 {options.get('I', INTERFACE)}\n"
    if "U" in options or "A" in options:
        tail = f"Sent {count} probes ({count} broadcast(s))\nReceived 0 response(s)\n"
        return Answer(head + tail, 0, 0.05)
    holders = [
        name
        for name, other in site.machines.items()
        if name != machine and address in other.addresses and site.pings(machine, name)
    ]
    if holders:
        reply = f"Unicast reply from {address} [{hardware_of(holders[0]).upper()}]  0.712ms\n"
        tail = "Sent 1 probes (1 broadcast(s))\nReceived 1 response(s)\n"
        return Answer(head + reply + tail, 1 if "D" in options else 0, 0.02)
    wait_s = min(_number(options.get("w"), float(count)), count * 1.0) * request.scale
    tail = f"Sent {count} probes ({count} broadcast(s))\nReceived 0 response(s)\n"
    return Answer(head + tail, 0 if "D" in options else 1, wait_s)


def _name_server(request: Request, server: str) -> str | None:
    """Return the machine whose named answers a query to `server`, or None."""
    site = request.site
    address = site.resolve(server)
    holder = site.holder(address, request.machine) if address else None
    if holder is None or not site.talks(request.machine, holder):
        return None
    return holder if site.is_active(holder, "named") else None


def _records(site: Site, server: str, name: str) -> str | None:
    plain = name.rstrip(".").partition(".")[0]
    unit = site.unit(server, "named")
    is_served = unit is not None and unit.state is UnitState.ACTIVE
    if not is_served or plain not in site.machines[server].zone:
        return None
    return site.resolve(plain)


def dig(request: Request) -> Answer:
    """Answer as dig: exit 0 with or without records, 9 when no server replied."""
    flags = [word for word in request.argv if word.startswith("+")]
    server = next((word[1:] for word in request.argv if word.startswith("@")), request.machine)
    names = [word for word in request.argv if word[:1] not in ("+", "@", "-")]
    names = [word for word in names if word not in ("A", "AAAA", "IN", "PTR")]
    name = names[0] if names else "."
    holder = _name_server(request, server)
    wait = next((flag for flag in flags if flag.startswith(("+time=", "+timeout="))), "+time=5")
    if holder is None:
        text = ";; connection timed out; no servers could be reached\n"
        return Answer(text, 9, _number(wait.partition("=")[2], 5.0))
    address = _records(request.site, holder, name)
    if "+short" in flags:
        return Answer(f"{address}\n" if address else "", 0, 0.01)
    status = "NOERROR" if address else "NXDOMAIN"
    text = f";; ->>HEADER<<- opcode: QUERY, status: {status}, id: 4711\n"
    if address:
        text += f"\n;; ANSWER SECTION:\n{name}.\t\t3600\tIN\tA\t{address}\n"
    return Answer(text, 0, 0.01)


def host(request: Request) -> Answer:
    """Answer as host: exit 0 with an address, 1 without one or without a reply."""
    options, operands = _options(request.argv, with_value="WRtc")
    name = operands[0] if operands else "."
    server = operands[1] if len(operands) > 1 else request.machine
    holder = _name_server(request, server)
    if holder is None:
        text = ";; connection timed out; no servers could be reached\n"
        return Answer(text, 1, _number(options.get("W"), 5.0))
    address = _records(request.site, holder, name)
    if address is None:
        return Answer(f"Host {name} not found: 3(NXDOMAIN)\n", 1, 0.01)
    return Answer(f"{name} has address {address}\n", 0, 0.01)


def getent(request: Request) -> Answer:
    """Tell the address of a host name (hosts, ahosts); exit 2 where there is none."""
    kind, name = (*request.argv, "", "")[:2]
    address = request.site.resolve(name) if kind in ("hosts", "ahosts") else None
    if address is None:
        return Answer("", 2)
    return Answer(f"{address:<15} {'STREAM ' if kind == 'ahosts' else ''}{name}\n")


def ssh(request: Request) -> Answer:
    """Answer as ssh without any host key: only for witnesses on hosts that have no ssh client."""
    options, operands = _options(request.argv, with_value="opFilJEbcDIQRSWw")
    target = operands[0].rpartition("@")[2] if operands else ""
    where = f"host {target} port {options.get('p', '22')}"
    wait = next((word for word in request.argv if word.startswith("ConnectTimeout=")), "=10")
    wait_s = _number(wait.partition("=")[2], 10.0)
    address = request.site.resolve(target)
    holder = request.site.holder(address, request.machine) if address else None
    if holder is None or not request.site.pings(request.machine, holder):
        text = f"ssh: connect to {where}: Connection timed out\n"
        return Answer("", 255, wait_s, stderr=text)
    if not request.site.talks(request.machine, holder):
        text = f"Connection timed out during banner exchange\nConnection to {where} timed out\n"
        return Answer("", 255, wait_s, stderr=text)
    return Answer("", 255, 0.05, stderr="Host key verification failed.\n")
