"""What xcatd does for each of xCAT's commands on a lab host: definitions, DNS, DHCP, consoles.

Owns the commands' words and effects as measured in xcat-hamn.md §4.3, §4.4 and §9; the servers they
write for are the host's real ones. Every command returns (output, error). Runs inside a lab host;
MUST NOT import anything of this project.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
from typing import Any

DOMAIN = "cluster.test"
VERSION = "Version 2.16.5 (git commit 7733d16f8de0)"
STORED = "1 object definitions have been created or modified."
REMOVED = "1 object definitions have been removed."
ZONE = f"/var/lib/bind/db.{DOMAIN}"
BOOT = "/tftpboot/pxelinux.cfg"
Answer = tuple[str, str]


def run(database: Any, command: str, arguments: list[str]) -> Answer:
    """Carry out one command. Raises the database's own error when nothing can be read."""
    known = COMMANDS.get(command)
    if known is None:
        return "", f"Unknown command: {command}"
    return known(database, arguments)


def _own(text: str) -> str:
    return f"[{socket.gethostname()}]: {text}"


def _shell(*argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, input=stdin, capture_output=True, text=True, timeout=120, check=False
    )


def _own_address() -> str:
    """Return this node's own address on the cluster network: what xCAT embeds (§9)."""
    said = _shell("ip", "-4", "-o", "addr", "show", "dev", "eth0").stdout
    return str(re.findall(r"inet (\S+)/", said)[0])


def _words(arguments: list[str]) -> tuple[str, str, dict[str, str], list[str]]:
    """Read -t KIND, -o NAME or a name, attr=value pairs and -i attributes."""
    kind, name, attributes, wanted = "node", "", {}, []
    words = list(arguments)
    while words:
        word = words.pop(0)
        if word == "-t" and words:
            kind = words.pop(0)
        elif word == "-o" and words:
            name = words.pop(0)
        elif word == "-i" and words:
            wanted = words.pop(0).split(",")
        elif "=" in word and not word.startswith("-"):
            key, _, value = word.partition("=")
            attributes[key] = value
        elif not word.startswith("-") and not name:
            name = word
    return kind, name, attributes, wanted


def _no_such(kind: str, name: str) -> Answer:
    return "", _own(f"Could not find an object named '{name}' of type '{kind}'.")


def lsxcatd(database: Any, arguments: list[str]) -> Answer:
    names = {"pg": "Pg", "mysql": "mysql", "db2": "DB2", "sqlite": "SQLite"}
    engine = names[database.engine]
    parts = {
        "-v": VERSION,
        "-t": "This is a Management Node",
        "-d": f"cfgloc={engine}:dbname=xcatdb;host={database.host}|xcatadm\ndbengine={engine}\n"
        f"dbname=xcatdb\ndbhost={database.host}\ndbadmin=xcatadm",
    }
    if engine == "SQLite":
        parts["-d"] = "dbengine=SQLite"
    wanted = list(parts) if "-a" in arguments else arguments
    text = "\n".join(parts[one] for one in wanted if one in parts)
    return (text, "") if text else ("", "Usage: lsxcatd [-v|-d|-t|-a]")


def mkdef(database: Any, arguments: list[str]) -> Answer:
    kind, name, attributes, _ = _words(arguments)
    if not name:
        return "", _own("No object names were provided.")
    if "-f" not in arguments and name in database.names(kind):
        return "", _own(f"Could not create object '{name}', it already exists.")
    database.write(kind, name, attributes)  # on a standby's database: the same words, nothing done
    return STORED, ""


def chdef(database: Any, arguments: list[str]) -> Answer:
    kind, name, attributes, _ = _words(arguments)
    if kind == "site":
        done = [database.write("site", key, {"value": text}) for key, text in attributes.items()]
    else:
        old = database.read(kind, name)
        if old is None:
            return _no_such(kind, name)
        done = [database.write(kind, name, old | attributes)]
    if not all(done):
        text = "One or more errors occured when attempting to create or modify xCAT object"
        return "", _own(f"{text} definitions.")
    return STORED, ""


def lsdef(database: Any, arguments: list[str]) -> Answer:
    kind, name, _, wanted = _words(arguments)
    if kind == "site":
        name, found = "clustersite", _site(database)
    elif not name:
        return "\n".join(f"{one}  ({kind})" for one in database.names(kind)), ""
    else:
        found = database.read(kind, name)
        if found is None:
            return _no_such(kind, name)
    shown = {key: found.get(key, "") for key in wanted} if wanted else found
    lines = [f"    {key}={value}" for key, value in sorted(shown.items())]
    return "\n".join([f"Object name: {name}", *lines]), ""


def _site(database: Any) -> dict[str, str]:
    names = [one for one in database.names("site") if "/" not in one]
    found = {name: database.read("site", name) or {} for name in names}
    return {name: one.get("value", "") for name, one in found.items()}


def rmdef(database: Any, arguments: list[str]) -> Answer:
    kind, name, _, _ = _words(arguments)
    if name not in database.names(kind):
        return _no_such(kind, name)
    database.write(kind, name, None)
    return REMOVED, ""


def tabdump(database: Any, arguments: list[str]) -> Answer:
    table = next((word for word in arguments if not word.startswith("-")), "")
    if not table:
        return "nodelist\nsite", ""
    if table == "site":
        rows = [f'"{key}","{value}",,' for key, value in sorted(_site(database).items())]
        return "\n".join(["#key,value,comments,disable", *rows]), ""
    if table == "nodelist":
        rows = [f'"{name}",,,,,,,,,,,,,' for name in database.names("node")]
        return "\n".join(["#node,groups,status", *rows]), ""
    rows = [name for name in database.names("site") if "/" in name]
    if table not in TABLES or not rows:
        return "", f"No such table: {table}"
    columns = TABLES[table].split(",")
    lines = ["#" + TABLES[table]]
    for name in rows:
        if name.startswith(f"{table}/"):
            row = database.read("site", name) or {}
            lines.append(",".join(f'"{row[one]}"' if row.get(one) else "" for one in columns))
    return "\n".join(lines), ""


TABLES = {
    "networks": "netname,net,mask,mgtifname,gateway,dhcpserver,tftpserver,nameservers,ntpservers,"
    "logservers,comments,disable",
    "noderes": "node,servicenode,netboot,tftpserver,nfsserver,monserver,xcatmaster,nimserver,"
    "nameservers,comments,disable",
    "nodehm": "node,power,mgt,cons,conserver,comments,disable",
    "policy": "priority,name,host,commands,rule,comments,disable",
}
"""Tables besides those of nodes and the site; they are there once one of them has a row, kept
beside the site's settings as TABLE/KEY."""


def chtab(database: Any, arguments: list[str]) -> Answer:
    """Change, add or delete a row by its table's key (chtab(8)); silent where it worked."""
    words = [one.partition("=") for one in arguments if not one.startswith("-")]
    (column, _, key), *values = words
    table = values[0][0].partition(".")[0]
    if table != "site" and table not in TABLES:
        return "", f"Invalid table {table} specified."
    name = key if table == "site" else f"{table}/{key}"
    row: dict[str, str] | None = None
    if "-d" not in arguments:
        row = {} if table == "site" else {column: key}
        row |= database.read("site", name) or {}
        row |= {one.partition(".")[2]: value for one, _, value in values}
    return "", "" if database.write("site", name, row) else _own("the row was not stored.")


# --- the servers -----------------------------------------------------------------------------


def _table_of_hosts(database: Any) -> dict[str, str]:
    """Return every name with its address: /etc/hosts first, as makedns does, then the nodes."""
    found = {}
    with open("/etc/hosts") as file:
        for line in file:
            words = line.partition("#")[0].split()
            if len(words) > 1 and ":" not in words[0] and not words[0].startswith("127."):
                found[words[-1]] = words[0]
    for name in database.names("node"):
        address = (database.read("node", name) or {}).get("ip")
        if address:
            found[name] = address
    return found


def makedns(database: Any, arguments: list[str]) -> Answer:
    hosts = _table_of_hosts(database)
    said = [f"Handling {name} in /etc/hosts." for name in hosts]
    said += ["Getting reverse zones, this may take several minutes for a large cluster."]
    said += ["Completed getting reverse zones."]
    if "-n" in arguments:
        said += ["Updating zones.", "Completed updating zones.", "Restarting named"]
        _write_named()
        if _shell("systemctl", "restart", "named").returncode:
            return "\n".join(said), _own("failed to start named.")
        said += ["Restarting named complete"]
    said += ["Updating DNS records, this may take several minutes for a large cluster."]
    lines = ["server 127.0.0.1"]
    for name, address in hosts.items():
        lines += [f"update delete {name}.{DOMAIN} A", f"update add {name}.{DOMAIN} 60 A {address}"]
    updated = _shell("nsupdate", stdin="\n".join([*lines, "send"]) + "\n")
    if updated.returncode:
        why = " ".join((updated.stderr + updated.stdout).split())
        return "\n".join(said), _own(f"Failure encountered updating {DOMAIN}. {why}")
    return "\n".join([*said, "Completed updating DNS records.", "DNS setup is completed"]), ""


def _write_named() -> None:
    own = socket.gethostname()
    with open("/etc/bind/named.conf", "w") as file:
        file.write(
            'options { directory "/var/cache/bind"; pid-file "/run/named/named.pid";\n'
            "  listen-on { any; }; listen-on-v6 { none; }; recursion no; dnssec-validation no; };\n"
            f'zone "{DOMAIN}" {{ type master; file "{ZONE}"; allow-update {{ localhost; }}; }};\n'
        )
    for left in (f"{ZONE}.jnl",):
        if os.path.exists(left):
            os.unlink(left)
    with open(ZONE, "w") as file:
        file.write(f"$TTL 60\n@ IN SOA {own} root 1 60 60 60 60\n  IN NS {own}\n")
        file.write(f"{own} IN A {_own_address()}\n")
    _shell("chown", "-R", "bind:", "/var/lib/bind", "/var/cache/bind", "/run/named")


def makedhcp(database: Any, arguments: list[str]) -> Answer:
    if "-n" in arguments:
        return _write_dhcp()
    if "-a" not in arguments and "-q" not in arguments:
        return "", "Usage: makedhcp -n\n\tmakedhcp -a\n\tmakedhcp -q <noderange>"
    if _shell("systemctl", "is-active", "isc-dhcp-server").returncode:
        return "", _own("dhcp server is not running.  please start the dhcp server.")
    names = database.names("node")
    if "-a" in arguments:
        for name in names:
            node = database.read("node", name) or {}
            if node.get("mac") and node.get("ip"):  # nodes without a MAC are skipped
                _reserve(name, node["mac"], node["ip"])
        return "", ""
    wanted = next((word for word in arguments if not word.startswith("-")), "")
    asked = names if wanted in ("", "all") else wanted.split(",")
    if unknown := [name for name in asked if name not in names]:
        return "", f"Invalid nodes and/or groups in noderange: {','.join(unknown)}"
    return "\n".join(line for line in map(_query, asked) if line), ""


def _write_dhcp() -> Answer:
    own = _own_address()
    prefix = own.rpartition(".")[0]
    os.replace("/etc/dhcp/dhcpd.conf", "/etc/dhcp/dhcpd.conf.xcatbak")
    with open("/etc/dhcp/dhcpd.conf", "w") as file:
        file.write(
            "#xCAT generated dhcp configuration\nauthoritative;\nomapi-port 7911;\n"
            f"subnet {prefix}.0 netmask 255.255.255.0 {{\n  next-server {own};\n"
            f"  option domain-name-servers {own};\n}}\n"
        )
    restarted = _shell("systemctl", "restart", "isc-dhcp-server")
    said = "Renamed existing dhcp configuration file to  /etc/dhcp/dhcpd.conf.xcatbak\n\n"
    said += f"Warning: {_own(f'No dynamic range specified for {prefix}.0.')}"
    said += " If hardware discovery is being used, a dynamic range is required."
    return said, _own("failed to start dhcpd.") if restarted.returncode else ""


def _omapi(*lines: str) -> str:
    return _shell("omshell", stdin="\n".join(("port 7911", "connect", *lines)) + "\n").stdout


def _reserve(name: str, mac: str, address: str) -> None:
    _omapi("new host", f'set name = "{name}"', "open", "remove")
    _omapi(
        "new host",
        f'set name = "{name}"',
        f"set hardware-address = {mac}",
        "set hardware-type = 1",
        f"set ip-address = {address}",
        "create",
    )


def _query(name: str) -> str:
    said = _omapi("new host", f'set name = "{name}"', "open")
    address = re.search(r"ip-address = ([0-9a-f:]+)", said)
    mac = re.search(r"hardware-address = (\S+)", said)
    if address is None or mac is None:
        return ""
    numbers = ".".join(str(int(part, 16)) for part in address[1].split(":"))
    return f"{name}: ip-address = {numbers}, hardware-address = {mac[1]}"


def makeconservercf(database: Any, _: list[str]) -> Answer:
    names = [
        one for one in database.names("node") if (database.read("node", one) or {}).get("cons")
    ]
    consoles = "".join(
        f'#xCAT BEGIN {name} CONS\nconsole {name} {{ type exec; exec "/bin/cat"; }}\n'
        f"#xCAT END {name} CONS\n"
        for name in names
    )
    with open("/etc/conserver.cf", "w") as file:
        file.write(
            "config * { }\ndefault full { rw *; }\n"
            'default * { logfile /var/log/consoles/&; timestamp ""; include full;'
            " master localhost; }\n"
            f"access * {{ trusted 127.0.0.1, {_own_address()}; }}\n{consoles}"
        )
    os.makedirs("/var/log/consoles", exist_ok=True)
    _shell("systemctl", "restart", "conserver")
    return "", ""  # exit 0 also when conserver does not start (§9)


def nodeset(database: Any, arguments: list[str]) -> Answer:
    names = arguments[0].split(",") if arguments else []
    action = arguments[1] if len(arguments) > 1 else "stat"
    if unknown := [name for name in names if name not in database.names("node")]:
        return "", f"Invalid nodes and/or groups in noderange: {','.join(unknown)}"
    os.makedirs(BOOT, exist_ok=True)
    lines = []
    for name in names:
        node = database.read("node", name) or {}
        if action != "stat" and database.write("node", name, node | {"currstate": action}):
            node["currstate"] = action
            with open(f"{BOOT}/{name}", "w") as file:
                file.write(f"#{action}\nserver {_own_address()}\n")
        lines.append(f"{name}: {node.get('currstate', '')}")
    return "\n".join(lines), ""


COMMANDS = {
    "lsxcatd": lsxcatd,
    "mkdef": mkdef,
    "chdef": chdef,
    "lsdef": lsdef,
    "rmdef": rmdef,
    "tabdump": tabdump,
    "chtab": chtab,
    "makedns": makedns,
    "makedhcp": makedhcp,
    "makeconservercf": makeconservercf,
    "nodeset": nodeset,
}
