"""The directory in which a demo lives: keys, programs, configuration; and what the host lacks.

Owns `DemoDirectory` (every path and port of a demo), what is written there before anything starts,
and `missing`. MUST NOT start anything. Everything but two loopback ports and a metrics port lies
below one directory, which may be removed afterwards.

Addresses are loopback ones that need no configuration on Linux: 127.0.47.x is the site as the
standby sees it, 127.1.47.x the same machines as sn01 sees them, 127.2.47.x as sn02 does. So a cut
between two machines leaves the others' view alone.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from hamnd.demo.aix_host import INTERFACE as AIX_INTERFACE
from hamnd.demo.machines import (
    FENCE_PASSWORD,
    GATEWAY,
    INTERFACE,
    NETWORK,
    OWN_ADDRESSES,
    PREFIX,
    PRIMARY,
    SERVICE_ADDRESS,
    SERVICE_NAME,
    SPARE,
    SPARE_ADDRESS,
    STANDBY,
    WITNESSES,
)
from hamnd.dialects import aix
from hamnd.settings.here import has_library

SOCKET_PATH_MAX = 100
"""Longest path of a unix socket that every platform takes, with a margin."""

VIEWS = {STANDBY: NETWORK, "sn01": "127.1.47", "sn02": "127.2.47"}
"""The network prefix under which each machine sees the site."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A program that is not installed: its package, and what the demo does without it."""

    program: str
    package: str
    without: str
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Times:
    """The demo's rhythm in seconds, short enough for a whole takeover within a minute."""

    hadr_timeout_s: int = 8
    peer_window_s: int = 40
    takeover_s: float = 3.0
    xcat_scale: float = 0.2
    rows_per_s: float = 5.0


@dataclass(frozen=True, slots=True)
class DemoDirectory:
    """Every path, port and address of one demo."""

    root: Path
    ssh_port: int
    xcatd_port: int
    metrics_port: int
    times: Times = Times()
    platform: str = "linux"
    mode: str = "service_address"
    """The identity's mode; primary_address is played on AIX only, as the guide has it."""

    @property
    def moving(self) -> str:
        """Address that makes a machine the management node."""
        is_alias = self.mode == "service_address"
        return SERVICE_ADDRESS if is_alias else OWN_ADDRESSES[PRIMARY]

    @property
    def bin(self) -> Path:
        """Directory of the stand-in programs, first in every PATH."""
        return self.root / "bin"

    @property
    def lib(self) -> Path:
        """Directory of what those programs are made of."""
        return self.root / "lib"

    @property
    def ssh(self) -> Path:
        """Directory of keys, sshd configurations and login shells."""
        return self.root / "ssh"

    @property
    def world_socket(self) -> Path:
        """Unix socket of the simulated world."""
        return self.root / "world.sock"

    @property
    def config(self) -> Path:
        """The configuration of the hamnd that runs in the demo."""
        return self.root / "hamnd.toml"

    @property
    def control_socket(self) -> Path:
        """Control socket of that hamnd (HAMND_SOCKET for hamnctl)."""
        return self.root / "hamnd.sock"

    @property
    def state(self) -> Path:
        """State directory of that hamnd: journal and reports."""
        return self.root / "state"

    @property
    def user_key(self) -> Path:
        """Private key with which hamnd logs in."""
        return self.ssh / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """Pinned host keys of the primary and the witnesses."""
        return self.ssh / "known_hosts"

    @property
    def fence_password(self) -> Path:
        """File with the power controller's password."""
        return self.root / "fence.password"

    @property
    def user(self) -> str:
        """The user who runs the demo, and everything in it."""
        return pwd.getpwuid(os.geteuid()).pw_name

    @property
    def tool_path(self) -> str:
        """PATH of every program: the stand-ins first, and nothing from any sbin."""
        return f"{self.bin}:/usr/bin:/bin"

    def host_key(self, machine: str) -> Path:
        """Private host key of a machine."""
        return self.ssh / f"{machine}.host_key"

    def shell(self, machine: str) -> Path:
        """The script that runs a command line on a machine."""
        return self.ssh / f"{machine}.shell"

    def home(self, machine: str) -> Path:
        """Directory in which a machine's commands run."""
        return self.root / "hosts" / machine

    def xcatd_socket(self, machine: str) -> Path:
        """Unix socket behind the wire of a machine's xcatd."""
        return self.root / f"{machine}.xcatd"

    def address(self, machine: str, seen_from: str = STANDBY) -> str:
        """Address of a machine (of the service, the spare one) as another machine sees it."""
        nobodys = {SERVICE_NAME: SERVICE_ADDRESS, SPARE: SPARE_ADDRESS}
        own = nobodys.get(machine) or OWN_ADDRESSES[machine]
        return own.replace(NETWORK, VIEWS.get(seen_from, NETWORK), 1)

    @property
    def environment(self) -> dict[str, str]:
        """What a terminal in the demo needs: programs and the control socket."""
        return {
            "PATH": f"{self.bin}:{os.environ.get('PATH', '/usr/bin:/bin')}",
            "HAMND_SOCKET": str(self.control_socket),
            "HAMND_DEMO_NODE": STANDBY,
        }


def lay_out(
    root: Path,
    times: Times | None = None,
    platform: str = "linux",
    mode: str = "service_address",
) -> DemoDirectory:
    """Choose free ports and write the directory, all but keys and programs.

    Raises OSError when the directory cannot be written, or its path is too long for a socket, or
    loopback addresses beyond 127.0.0.1 cannot be used here.
    """
    root = root.resolve()
    if len(str(root / "aixmn1.xcatd")) > SOCKET_PATH_MAX:
        raise OSError(f"{root}: this path is too long for a unix socket; choose a shorter one")
    ssh_port, xcatd_port = _free_ports(_wire_addresses(), 2)
    (metrics_port,) = _free_ports(["127.0.0.1"], 1)
    ports = (ssh_port, xcatd_port, metrics_port)
    layout = DemoDirectory(root, *ports, times or Times(), platform, mode)
    for path in (root, layout.bin, layout.lib, layout.ssh, layout.state):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for machine in OWN_ADDRESSES:
        layout.home(machine).mkdir(parents=True, exist_ok=True)
    _write_secret(layout.fence_password, f"{FENCE_PASSWORD}\n")
    profile = f'export DB2INSTANCE={layout.user}\nexport PATH="{layout.tool_path}"\n'
    (layout.lib / "db2profile").write_text(profile)
    (layout.lib / "cfgloc").write_text(f"DB2:XCATDB|{layout.user}|not-a-real-password\n")
    layout.config.write_text(config_text(layout))
    return layout


def _wire_addresses() -> list[str]:
    ends = [*OWN_ADDRESSES.values(), SERVICE_ADDRESS, SPARE_ADDRESS]
    return [own.replace(NETWORK, view, 1) for view in VIEWS.values() for own in ends]


def _free_ports(addresses: list[str], count: int) -> list[int]:
    """Return ports that are free on every one of the addresses."""
    found: list[int] = []
    held: list[socket.socket] = []
    try:
        while len(found) < count:
            first = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            held.append(first)
            first.bind((addresses[0], 0))
            port = first.getsockname()[1]
            if all(_is_free(address, port) for address in addresses[1:]):
                found.append(port)
            if len(held) > 100:
                raise OSError("no port is free on all of the demo's loopback addresses")
        return found
    finally:
        for one in held:
            one.close()


def _is_free(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno in (98, 48, 67):  # EADDRINUSE on Linux, BSD and AIX
                return False
            raise OSError(f"the loopback address {address} cannot be used: {error}") from error
    return True


def _write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def missing() -> list[Missing]:
    """Return what this host lacks; nothing that is not `is_required` keeps a demo from starting."""
    places = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    wanted = (
        Missing("sh", "dash or bash", "nothing runs", is_required=True),
        Missing("timeout", "coreutils", "the witnesses' tests have no limit of their own"),
        *_ssh_programs(),
        Missing("rsync", "rsync", "files are not copied"),
    )
    return [one for one in wanted if shutil.which(one.program, path=places) is None]


def _ssh_programs() -> tuple[Missing, ...]:
    if has_library():
        server = "asyncssh's server plays the primary and the witnesses"
        return (
            Missing("ssh", "openssh-client", "the witnesses use a stand-in for it"),
            Missing("sshd", "openssh-server", server),
        )
    return (
        Missing("ssh", "openssh-client", "nobody is reached", is_required=True),
        Missing("ssh-keygen", "openssh-client", "there are no keys", is_required=True),
        Missing("sshd", "openssh-server", "nobody plays the primary", is_required=True),
        Missing("openssl", "openssl", "xcatd has no certificate", is_required=True),
    )


TOOLS = (
    "ping",
    "ip",
    "arping",
    "systemctl",
    "crontab",
    "lsxcatd",
    "mkdef",
    "lsdef",
    "rmdef",
    "makedns",
    "makedhcp",
    "makeconservercf",
    "db2",
    "db2pd",
)
"""Programs that the configuration points to their stand-ins (`[tools]`)."""
AIX_TOOLS = (
    *(set(TOOLS) - {"ip", "arping", "systemctl", "makedhcp"}),
    *aix.PROGRAMS,
)
AIX_PLAN = """\
[plan.nim]
mode = "rebuild"
[plan.osdeploy]
nodes = "compute"
program = "nimnodeset"
image = "61image"

"""
"""What an AIX site has besides: the guide's own way to bring NIM to life (§8.8)."""


def config_text(layout: DemoDirectory) -> str:
    """Return the hamnd.toml of a demo."""
    return f"{_nodes_text(layout)}{_evidence_text(layout)}{_work_text(layout)}"


def _nodes_text(layout: DemoDirectory) -> str:
    group = grp.getgrgid(os.getegid()).gr_name
    ports = f"ssh_port = {layout.ssh_port}\nxcatd_port = {layout.xcatd_port}"
    spare = "" if layout.moving == SERVICE_ADDRESS else f'spare = "{layout.address(SPARE)}"\n'
    return f"""\
# Written by `hamnd demo`: a simulated site on loopback addresses, with short times.
cluster = "demo"
node = "{STANDBY}"
platform = "{layout.platform}"
operators = "{group}"
operators_users = ["{layout.user}"]

[primary]
name = "{PRIMARY}"
address = "{layout.address(PRIMARY)}"
{ports}

[standby]
name = "{STANDBY}"
address = "{layout.address(STANDBY)}"
{ports}

[guard]
when_unknown = "hold"

[identity]
mode = "{layout.mode}"
{spare}console = "the demo's own terminal"
[[identity.address]]
interface = "{INTERFACE if layout.platform == "linux" else AIX_INTERFACE}"
address = "{layout.moving}"
prefix = {PREFIX}
gateway = "{layout.address(GATEWAY)}"
name = "{SERVICE_NAME if layout.moving == SERVICE_ADDRESS else PRIMARY}"

[network]
gateway = "{layout.address(GATEWAY)}"

[replication]
engine = "db2"
cfgloc = "{layout.lib / "cfgloc"}"
[replication.db2]
database = "XCATDB"
instance_owner = "{layout.user}"
profile = "{layout.lib / "db2profile"}"
hadr_timeout_s = {layout.times.hadr_timeout_s}
peer_window_s = {layout.times.peer_window_s}

"""


def _evidence_text(layout: DemoDirectory) -> str:
    witnesses = "\n".join(
        f'[[witness]]\nname = "{name}"\naddress = "{layout.address(name)}"\n'
        f'ssh_port = {layout.ssh_port}\nuser = "{layout.user}"\n'
        for name in WITNESSES
    )
    return f"""\
[fence]
minimum = "agent_off"
agent = "{layout.bin / "fence_demo"}"
timeout_s = 5
may_off = ["{layout.bin / "fence_demo_rights"}"]
[fence.options]
ip = "{NETWORK}.103"
username = "hamnd"
plug = "{PRIMARY}"
[fence.secret_files]
password = "{layout.fence_password}"

[witnesses]
min = 1
{witnesses}
[ssh]
transport = "{"asyncssh" if layout.platform == "linux" and has_library() else "openssh"}"
user = "{layout.user}"
key_file = "{layout.user_key}"
known_hosts_file = "{layout.known_hosts}"
connect_timeout_s = 2

"""


def _work_text(layout: DemoDirectory) -> str:
    names = TOOLS if layout.platform == "linux" else AIX_TOOLS
    tools = "\n".join(f'{name} = "{layout.bin / name}"' for name in names)
    crontabs = "[]" if layout.platform == "linux" else f'["{layout.root / "crontabs"}"]'
    nim = "" if layout.platform == "linux" else AIX_PLAN
    return f"""\
[tools]
path = "{layout.tool_path}"
{tools}

[watch]
reach_interval_s = 0.5
reach_suspicion_interval_s = 0.2
probe_timeout_s = 0.8
replication_interval_s = 1.0
readiness_interval_s = 5.0
down_after_s = 2.0
service_down_after_s = 8.0
recover_after_s = 2.0
flap_window_s = 60.0

[plan.shield]
packets = false

{nim}[files]
sets = []
credentials = []
crontabs = {crontabs}

[journal]
timeout_s = 20

[paths]
state_dir = "{layout.state}"
socket = "{layout.control_socket}"

[metrics]
listen = "127.0.0.1:{layout.metrics_port}"
"""
