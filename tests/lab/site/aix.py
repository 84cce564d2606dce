"""AIX's own commands on the lab's management nodes: subsystems, inittab, ODM and interfaces.

Owns which of the demo's stand-ins (they obey aix.md) answer there, and AIX's `host`, which reads
the lab host's own /etc/hosts. Everything else is the lab's: ssh, files, /etc/services, Db2's model.
MUST NOT move an address of the lab: what these commands change is told by them alone.

    aix = AixCommands(lab)
    aix[PRIMARY].inittab                 # what the commands left there
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import socket
import sys
import threading
from time import CLOCK_REALTIME, clock_gettime

from hamnd.demo import executables, machines
from hamnd.demo.aix_host import INTERFACE, AixHost, Status, dress
from hamnd.demo.calls import Call, Calls
from hamnd.demo.db2_model import Db2Pair
from hamnd.demo.db2_node import PairConfig
from hamnd.dialects.aix import PROGRAMS
from tests.lab.site.hosts import CHECKOUT, Lab
from tests.lab.site.names import CLUSTER, GATEWAY, MANAGERS

PLAYED_BY = dict(zip(MANAGERS, machines.MANAGERS, strict=True))
"""Which machine of the demo's site answers for which host of the lab."""
NAMES = (
    "lssrc", "startsrc", "stopsrc", "lsitab", "mkitab", "chitab", "rmitab", "telinit", "chdev",
    "lsattr", "ifconfig", "netstat", "oslevel", "rpm",
)  # fmt: skip
FOLDER = "/opt/lab-aix"
STARTER = "/opt/hamnd/libexec/hamn-boot"
HOST = """\
#!/bin/sh
found=$(awk -v name="$1" '{for (n = 2; n <= NF; n++) if ($n == name) {print $1; exit}}' /etc/hosts)
[ -n "$found" ] || { echo "host: 0827-801 Host name $1 does not exist." >&2; exit 1; }
echo "$1 is $found"
"""


class AixCommands:
    """The management nodes of one lab as AIX hosts; the bundle is installed on the standby."""

    def __init__(self, lab: Lab) -> None:
        now = self.now()
        self._site = machines.Site(Db2Pair(PairConfig(), now), now)
        dress(self._site, "service_address", CLUSTER.address(GATEWAY), 0.05, now)
        self._calls = Calls(self._site, self.now, 0.05)
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path = lab.folder / "given" / "aix.socket"
        self._listener.bind(str(path))
        path.chmod(0o777)
        self._listener.listen(64)
        threading.Thread(target=self._listen, daemon=True).start()
        for name in MANAGERS:
            self._install(lab, name)
        starter = (CHECKOUT / "aix-src" / "hamn-boot").read_text()
        lab[MANAGERS[1]].write(STARTER, starter, 0o755)
        lab.on_down(self.close)

    def __getitem__(self, name: str) -> AixHost:
        found = self._site.machines[PLAYED_BY[name]].aix
        assert found is not None
        return found

    def now(self) -> float:
        """Return true time for the stand-ins."""
        return clock_gettime(CLOCK_REALTIME)

    def start(self, name: str, subsystem: str) -> None:
        """Have a subsystem run on a host, whoever started it."""
        with self._lock:
            self[name].turn(self._site, subsystem, Status.ACTIVE, self.now())

    def runs(self, name: str, subsystem: str) -> bool:
        """Whether it runs there."""
        return self[name].subsystems[subsystem].status is not Status.INOPERATIVE

    def _install(self, lab: Lab, name: str) -> None:
        own, host = self[name], lab[name]
        own.machine.addresses = {CLUSTER.address(name): INTERFACE}
        own.odm |= {"inet0.hostname": name, f"{INTERFACE}.netaddr": CLUSTER.address(name)}
        own.host_name = own.node_name = name
        played = PLAYED_BY[name].encode()
        client = executables.CLIENT.format(socket="/lab/aix.socket", standby=played)
        host.write(f"{FOLDER}/client.py", client)
        python = shlex.quote(sys.executable)
        for tool in NAMES:
            place = PROGRAMS.get(tool, tool)
            call = f'exec {python} -ISE {FOLDER}/client.py {tool} "$@"'
            host.write(f"/usr/bin/{place.rpartition('/')[2]}", f"#!/bin/sh\n{call}\n", 0o755)
        host.write("/usr/bin/host", HOST, 0o755)
        host.run("mkdir", "-p", "/var/hamnd")

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ValueError):
            with connection.makefile("rb") as file:
                text = file.read(int.from_bytes(file.read(4), "big")).decode()
            tool, machine, shell, language, xcat_host, stdin, *argv = text.split("\0")
            call = Call(tool, machine, tuple(argv), shell, language, xcat_host, stdin)
            with self._lock:
                answer = asyncio.run(self._calls.answer(call))
            told = ((b"o", answer.stdout), (b"e", answer.stderr), (b"x", str(answer.exit_code)))
            for kind, part in told:
                body = part.encode()
                if body:
                    connection.sendall(kind + len(body).to_bytes(4, "big") + body)

    def close(self) -> None:
        """End the stand-ins; the programs in the hosts then fail."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def on_aix(text: str) -> str:
    """Return a lab configuration as that of an AIX site; its files lie where the lab's do."""
    text = text.replace('platform = "linux"', 'platform = "aix"')
    text = text.replace('transport = "asyncssh"', 'transport = "openssh"')
    return text.replace('interface = "eth0"', f'interface = "{INTERFACE}"')
