"""hamn-guard on a site of folders: each host is a state directory, ssh a stand-in that enters it.

Owns the site and how the script is run in it. Must not know what it should answer.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from hamnd.dialects import guard
from hamnd.model.epoch import WhenUnknown
from hamnd.model.site import GuardSite, IdentityMode, Node, ServiceAddress, Site, Witness
from tests.builders import site as any_site

SCRIPT = Path(__file__).parents[3] / "hamnd/guard/hamn-guard"
BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
ADDRESSES = {"mn1": "10.0.0.1", "mn2": "10.0.0.2", "sn1": "10.0.0.21", "sn2": "10.0.0.22"}

SHELLS = tuple(
    one for one in ("dash", "ksh", "mksh", "bash --posix") if shutil.which(one.split()[0])
)
"""Those of the shells that the script is tried under which this machine has."""

SSH = """\
#!/bin/sh
# The last two arguments are USER@ADDRESS and the command; what comes before must be exact.
echo "$*" >>"$SITE/ssh.log"
while [ $# -gt 2 ]; do shift; done
host=${1#*@}
[ ! -e "$SITE/$host/hangs" ] || exec sleep 60
[ ! -e "$SITE/$host/down" ] || { echo "ssh: connect to host $host: timed out" >&2; exit 255; }
HAMND_STATE_DIR=$SITE/$host exec sh -c "$2"
"""
IP = """\
#!/bin/sh
# Addresses are lines INTERFACE ADDRESS/PREFIX [SECONDS]; a file named no-carrier stands for a dead
# link.
here=$SITE/addresses
case $* in
"-o addr show"*)
    [ ! -e "$SITE/no-ip" ] || exit 1
    echo "1: lo    inet 127.0.0.1/8 scope host lo"
    while read -r dev one limit; do
        [ "${5:-$dev}" != "$dev" ] || echo "2: $dev    inet $one scope global $dev\\  x" \
            "valid_lft ${limit:-forever}${limit:+sec}"
    done <"$here" ;;
"-o link show"*)
    up=UP,LOWER_UP
    [ ! -e "$SITE/no-carrier" ] || up=NO-CARRIER,UP
    echo "2: $5: <BROADCAST,MULTICAST,$up> mtu 1500 qdisc fq_codel state UP" ;;
"addr add "*) echo "$5 $3 ${7:-}" | sed 's/ *$//' >>"$here"; echo "$5 $3" >>"$SITE/added" ;;
"addr del "*)
    grep -vx "$5 $3\\( [0-9]*\\)*" "$here" >"$here.new"; mv "$here.new" "$here" ;;
esac
"""
ARPING = """\
#!/bin/sh
# What it says and how it ends lies in $SITE/arping; nobody is there unless that says so.
[ ! -e "$SITE/arping" ] || { sed 1d "$SITE/arping"; exit "$(head -n 1 "$SITE/arping")"; }
echo "Sent 2 probes (2 broadcast(s))"
echo "Received 0 response(s)"
"""
LOGGER = '#!/bin/sh\necho "$*" >>"$SITE/syslog"\n'
SYSTEMCTL = '#!/bin/sh\necho "$*" >>"$SITE/systemctl.log"\n'


@dataclass(frozen=True, slots=True)
class Done:
    """How the script ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass
class Room:
    """Two nodes and two witnesses; the script runs on mn1, the configured primary."""

    place: Path
    shell: str = "sh"
    when_unknown: WhenUnknown = WhenUnknown.HOLD
    mode: IdentityMode = IdentityMode.SERVICE_ADDRESS
    address: str = "10.0.0.9"
    has_taken: bool = False
    """Whether mn1 is the configured standby, and carries its partner's address."""

    def __post_init__(self) -> None:
        programs = self.place / "bin"
        programs.mkdir()
        (self.place / "addresses").touch()
        told = {"ssh": SSH, "ip": IP, "arping": ARPING, "logger": LOGGER, "systemctl": SYSTEMCTL}
        for name, text in told.items():
            self.program(name, text)
        for address in ADDRESSES.values():
            (self.place / address).mkdir()
        self.configure()

    def program(self, name: str, text: str) -> None:
        """Have a program of this name end the search for it."""
        path = self.place / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    @property
    def has(self) -> list[str]:
        """The addresses of mn1, each behind its interface."""
        return (self.place / "addresses").read_text().splitlines()

    def take_over(self) -> None:
        """Have mn1 be the standby that carries its partner's address, which answers as mn1 does."""
        self.mode, self.address, self.has_taken = IdentityMode.PRIMARY_ADDRESS, "10.0.0.2", True
        self.configure()
        (self.place / "addresses").write_text(f"eth0 {self.address}/24\n")
        if kept := self.kept("mn1"):
            self.keep("mn2", kept.strip())

    def configure(self) -> None:
        (self.folder("mn1") / guard.NAME).write_text(guard.conf(self.site))

    def name_in_files(self, text: str) -> None:
        """Have the network files of mn1 say this; call it after `configure`."""
        files = self.place / "interfaces"
        files.write_text(f"{text}\n")
        conf = self.folder("mn1") / guard.NAME
        conf.write_text(f"{conf.read_text()}network_files={files}\n")

    @property
    def site(self) -> Site:
        first, second = ("mn2", "mn1") if self.has_taken else ("mn1", "mn2")
        return any_site(
            node="mn1",
            primary=Node(first, ADDRESSES[first]),
            standby=Node(second, ADDRESSES[second]),
            witnesses=tuple(Witness(one, ADDRESSES[one]) for one in ("sn1", "sn2")),
            guard=GuardSite(self.when_unknown),
            identity=(ServiceAddress("eth0", self.address, 24, "xcatmn"),),
            identity_mode=self.mode,
        )

    def folder(self, host: str) -> Path:
        return self.place / ADDRESSES[host]

    def keep(self, host: str, line: str | None) -> None:
        """Have a host keep an epoch: a line, `down` for a host that does not answer, or none."""
        folder = self.folder(host)
        if line == "down":
            (folder / "down").touch()
        elif line is not None:
            (folder / "epoch").write_text(f"{line}\n")

    def kept(self, host: str) -> str | None:
        path = self.folder(host) / "epoch"
        return path.read_text() if path.exists() else None

    def said(self, name: str) -> str:
        path = self.place / name
        return path.read_text() if path.exists() else ""

    def start(self, *words: str) -> subprocess.Popen[str]:
        environment = {
            "PATH": f"{self.place / 'bin'}:/usr/bin:/bin:/usr/sbin:/sbin",
            "SITE": str(self.place),
            "HAMND_STATE_DIR": str(self.folder("mn1")),
            "HAMN_GUARD_RUN_DIR": str(self.place / "run"),
            "HAMN_GUARD_PAUSE": "0.1",
            "HAMN_GUARD_CARRIER": "0",
        }
        return subprocess.Popen(
            [*shlex.split(self.shell), str(SCRIPT), *words],
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def guard(self, *words: str) -> Done:
        process = self.start(*words)
        out, err = process.communicate(timeout=60)
        return Done(process.returncode, out, err)
