"""Stand-ins for AIX's network commands (aix.md §3).

Owns mktcpip, chdev, lsattr, ifconfig, netstat, arp, entstat, ping, host, hostname, uname and
setuname: what lasts (ODM) and what is in use are kept apart. MUST NOT touch the host that the demo
runs on.
"""

from __future__ import annotations

import itertools
import re

from hamnd.demo import standins_net as net
from hamnd.demo.aix_host import INTERFACE, MASK, AixHost, gateway_of
from hamnd.demo.answers import Answer, Request
from hamnd.demo.machines import OWN_ADDRESSES
from hamnd.demo.standins_aix_src import host_of
from hamnd.demo.standins_net import hardware_of

FLAGS = "UP,BROADCAST,NOTRAILERS,RUNNING,SIMPLEX,MULTICAST,GROUPRT,64BIT,CHECKSUM_OFFLOAD(ACTIVE)"
DOWN = "BROADCAST,NOTRAILERS,SIMPLEX,MULTICAST,GROUPRT,64BIT"
VALUED = {"-h", "-a", "-m", "-i", "-g", "-A", "-t", "-n", "-d", "-D", "-C", "-r", "-c"}
DOTTED = re.compile(r"\d+\.\d+\.\d+\.\d+")


def mktcpip(request: Request) -> Answer:
    """Replace address, mask, name and gateway in use and in the ODM; -S only shows them."""
    host, argv = host_of(request), request.argv
    if argv[:1] == ("-S",):
        return _show(host)
    found: dict[str, str] = {}
    words = list(argv)
    while words:
        word = words.pop(0)
        if word == "-s":
            continue
        if word not in VALUED or not words:
            return Answer(exit_code=1, stderr=f"mktcpip: Not a recognized flag: {word!r}\n")
        found[word] = words.pop(0)
    if not DOTTED.fullmatch(found.get("-a", "")):
        text = f"{found.get('-a', '')} is an invalid address.\n"
        text += "/usr/sbin/mktcpip: Problem with command: hostent, return code = 1\n"
        return Answer(exit_code=1, stderr=text)
    if found.get("-i") != INTERFACE or "-h" not in found:
        return Answer(exit_code=1, stderr="mktcpip: -h, -a and -i are required\n")
    host.host_name = host.odm["inet0.hostname"] = found["-h"]
    if host.breaks_after_name:
        host.breaks_after_name = False
        text = "/usr/sbin/mktcpip: Problem with command: chdev, return code = 1\n"
        return Answer(f"{INTERFACE}\n", 1, stderr=text)
    _configure(host, found["-a"], found.get("-m", MASK))
    if "-g" in found:
        host.odm["inet0.route"] = f"net,-hopcount,0,,0,{found['-g']}"
    noise = "0513-029 The inetd Subsystem is already active.\n" if "-s" in argv else ""
    done = f"{INTERFACE}\n{found['-h']}\ninet0 changed\n{INTERFACE} changed\n{noise}"
    return Answer(done, delay_s=0.3)


def _show(host: AixHost) -> Answer:
    row = ":".join(
        (
            host.odm["inet0.hostname"], host.odm[f"{INTERFACE}.netaddr"],
            host.odm[f"{INTERFACE}.netmask"], INTERFACE, "", "", gateway_of(host), "0", "no",
            "N/A", "no",
        )
    )  # fmt: skip
    head = "#host:addr:mask:_rawname:nameserv:domain:gateway:cost:activedgd:type:start"
    return Answer(f"{head}\n{row}\n")


def _configure(host: AixHost, address: str, mask: str) -> None:
    """Replace the interface's first address; aliases stay."""
    _, *aliases = host.machine.addresses
    host.machine.addresses = dict.fromkeys([address, *aliases], INTERFACE)
    host.odm[f"{INTERFACE}.netaddr"] = address
    host.odm[f"{INTERFACE}.netmask"] = mask


def chdev(request: Request) -> Answer:
    """Change attributes of en1 or inet0; with -P in the ODM only."""
    host, words = host_of(request), list(request.argv)
    device = words[words.index("-l") + 1] if "-l" in words else ""
    values = dict(
        word.partition("=")[::2] for flag, word in itertools.pairwise(words) if flag == "-a"
    )
    if "delalias4" in values:
        return _delete_alias(host, values["delalias4"])
    for key, value in values.items():
        if f"{device}.{key}" not in host.odm:
            text = f"chdev: 0514-013 Logical device {device} is not customized: {key}\n"
            return Answer(exit_code=1, stderr=text)
        host.odm[f"{device}.{key}"] = value
    is_live = "-P" not in words
    if is_live and device == INTERFACE and "netaddr" in values:
        _configure(host, values["netaddr"], host.odm[f"{INTERFACE}.netmask"])
    if is_live and "hostname" in values:
        host.host_name = values["hostname"]
    return Answer(f"{device} changed\n", delay_s=0.1)


def _delete_alias(host: AixHost, alias: str) -> Answer:
    """Take a lasting alias away, in use and from the ODM (§3.2)."""
    if host.odm[f"{INTERFACE}.alias4"] != alias:
        text = f"chdev: 0514-018 The values specified for delalias4 are not valid: {alias}\n"
        return Answer(exit_code=1, stderr=text)
    host.odm[f"{INTERFACE}.alias4"] = ""
    host.machine.addresses.pop(alias.partition(",")[0], None)
    return Answer(f"{INTERFACE} changed\n", delay_s=0.1)


def lsattr(request: Request) -> Answer:
    """Print attributes of a device from the ODM: one a line with -F value."""
    host, words = host_of(request), list(request.argv)
    device = next((word for word in words if word in (INTERFACE, "inet0")), "")
    wanted = [word for flag, word in itertools.pairwise(words) if flag == "-a"]
    known = {
        key.partition(".")[2]: value
        for key, value in host.odm.items()
        if key.startswith(f"{device}.")
    }
    if not device or any(key not in known for key in wanted):
        return Answer(exit_code=255, stderr="lsattr: 0514-528 The attribute is not known.\n")
    shown = {key: known[key] for key in wanted or known}
    if "-F" in words:
        return Answer("".join(f"{value}\n" for value in shown.values()))
    rows = (f"{key:<13} {value:<16} {key} of the device True\n" for key, value in shown.items())
    return Answer("".join(rows))


def ifconfig(request: Request) -> Answer:
    """Show interfaces, add an alias, delete an address, take an interface down or up."""
    host, words = host_of(request), list(request.argv)
    if words in ([], ["-a"]):
        return Answer(_interface(host) + _LOOPBACK)
    if words == ["-l"]:
        return Answer(f"{INTERFACE} lo0\n")
    if words[0] != INTERFACE:
        text = f"ifconfig: 0821-555 Address {words[0]} is not valid.\n"
        return Answer(exit_code=1, stderr=text)
    match words[1:]:
        case []:
            return Answer(_interface(host))
        case ["alias" | "firstalias", address, *_]:
            host.machine.addresses[address] = INTERFACE
            return Answer()
        case ["delete", address]:
            if address not in host.machine.addresses:
                text = "ifconfig: ioctl (SIOCDIFADDR): Can't assign requested address\n"
                return Answer(exit_code=1, stderr=text)
            del host.machine.addresses[address]
            return Answer()
        case ["up" | "down" as word]:
            host.odm[f"{INTERFACE}.state"] = word
            return Answer()
        case _:
            return Answer(exit_code=1, stderr="ifconfig: usage\n")


_LOOPBACK = """\
lo0: flags=e08084b,c0<UP,BROADCAST,LOOPBACK,RUNNING,SIMPLEX,MULTICAST,GROUPRT,64BIT,LARGESEND,CHAIN>
        inet 127.0.0.1 netmask 0xff000000 broadcast 127.255.255.255
        inet6 ::1%1/0
         tcp_sendspace 131072 tcp_recvspace 131072 rfc1323 1
"""


def _interface(host: AixHost) -> str:
    """Return en1: an alias shows no netmask, and the header may end with a metric (§3.3)."""
    flags = FLAGS if host.odm[f"{INTERFACE}.state"] == "up" else DOWN
    text = f"{INTERFACE}: flags=1e084863,480<{flags}> metric 1\n"
    for number, address in enumerate(host.machine.addresses):
        mask = "" if number else " netmask 0xffffffc0"
        text += f"        inet {address}{mask} broadcast {address.rpartition('.')[0]}.127\n"
    return text + "         tcp_sendspace 262144 tcp_recvspace 262144 rfc1323 1\n"


def _aix_spelling(hardware: str, mark: str) -> str:
    """Return a hardware address as AIX writes it: no leading zeros."""
    return mark.join(part.lstrip("0") or "0" for part in hardware.split(":"))


def netstat(request: Request) -> Answer:
    """Answer netstat -in and -rn."""
    host = host_of(request)
    if "-rn" in request.argv:
        route = (
            f"default          {gateway_of(host)}     UG        3  123456 {INTERFACE}      -   -\n"
        )
        return Answer(f"Routing tables\nRoute Tree for Protocol Family 2 (Internet):\n{route}\n")
    link = _aix_spelling(hardware_of(request.machine), ".")
    rows = ["Name  Mtu   Network     Address            Ipkts Ierrs    Opkts Oerrs  Coll"]
    rows.append(f"{INTERFACE}   1500  link#2      {link:<17} 403401863     0 408849341     0     0")
    for address in host.machine.addresses:
        near = f"{address.rpartition('.')[0]}.64"
        rows.append(
            f"{INTERFACE}   1500  {near:<11} {address:<17} 403401863     0 408849341     0     0"
        )
    rows.append("lo0   16896 link#1                        151933830     0 151934833     0     0")
    return Answer("\n".join(rows) + "\n")


def arp(request: Request) -> Answer:
    """Answer arp -an: who answered of those that can be reached."""
    site, rows = request.site, []
    for address in OWN_ADDRESSES.values():
        holder = site.holder(address, request.machine)
        if holder is not None and holder != request.machine and site.pings(request.machine, holder):
            link = _aix_spelling(hardware_of(holder), ":")
            rows.append(f"  ? ({address}) at {link} [ethernet] stored in bucket 16\n")
    return Answer("".join(rows))


def entstat(request: Request) -> Answer:
    """Answer entstat -d for a virtual adapter."""
    link = hardware_of(request.machine)
    return Answer(f"Hardware Address: {link}\nLAN State: Operational\n")


def ping(request: Request) -> Answer:
    """Answer as AIX's ping: -S for the source, no -W; exit 0 answered, 1 silent."""
    words, options = list(request.argv), {}
    while words and words[0].startswith("-"):
        flag = words.pop(0)
        if flag in ("-c", "-w", "-S") and words:
            options[flag] = words.pop(0)
        elif flag not in ("-n", "-q"):
            return Answer(exit_code=1, stderr=f"ping: Not a recognized flag: {flag[1:]}\n")
    site, target = request.site, words[-1] if words else ""
    address = site.resolve(target)
    held = site.machines[request.machine].addresses
    if address is None:
        return Answer(exit_code=1, stderr=f"0821-062 ping: host name {target} NOT FOUND\n")
    if "-S" in options and options["-S"] not in held:
        return Answer(exit_code=1, stderr="0821-069 ping: sendto: Can't assign requested address\n")
    holder = site.holder(address, request.machine)
    answered = holder is not None and site.pings(request.machine, holder)
    head = f"PING {target}: ({address}): 56 data bytes\n"
    tail = f"\n--- {target} ping statistics ---\n1 packets transmitted, "
    if answered:
        reply = f"64 bytes from {address}: icmp_seq=0 ttl=255 time=0 ms\n"
        told = f"{head}{reply}{tail}1 packets received, 0% packet loss\n"
        return Answer(told, 0, 0.001 + site.pair.link.delay_s)
    wait_s = float(options.get("-w", "5"))
    return Answer(f"{head}{tail}0 packets received, 100% packet loss\n", 1, wait_s)


def host(request: Request) -> Answer:
    """Tell a name's address as AIX's host does, by /etc/hosts too; with a server as BIND's does."""
    if len(request.argv) != 1 or request.argv[0].startswith("-"):
        return net.host(request)
    name = request.argv[0]
    address = request.site.resolve(name)
    if address is None:
        text = f"host: 0827-801 Host name {name} does not exist.\n"
        return Answer(exit_code=1, stderr=text)
    return Answer(f"{name} is {address}\n")


def hostname(request: Request) -> Answer:
    """Print or set the running name; -f is no option here, as on AIX, where it sets the name."""
    host = host_of(request)
    if not request.argv:
        return Answer(f"{host.host_name}\n")
    if request.argv[0].startswith("-") and request.argv[0] != "-s":
        raise AssertionError(f"hostname {request.argv}: on AIX this would rename the host")
    if request.argv == ("-s",):
        return Answer(f"{host.host_name.partition('.')[0]}\n")
    host.host_name = request.argv[0]
    return Answer(f"{host.host_name}\n")


def uname(request: Request) -> Answer:
    """Print the system's name, the node's (-n), all (-a), or set the node's (-S)."""
    host = host_of(request)
    match request.argv:
        case ("-n",):
            return Answer(f"{host.node_name}\n")
        case ("-a",):
            return Answer(f"AIX {host.node_name} 1 6 00F6A1B24C00\n")
        case ("-S", name):
            host.node_name = name
            return Answer()
        case _:
            return Answer("AIX\n")


def setuname(request: Request) -> Answer:
    """Set the node name for good (-n); with -t only until the next boot."""
    words = list(request.argv)
    host_of(request).node_name = words[words.index("-n") + 1]
    return Answer()
