"""The programs in a demo's bin directory: each sends its argv to the world and prints the answer.

Owns the tiny client behind all of them, the scripts that name it, and the login shell of each
simulated machine. The client imports next to nothing (`python -ISE`, no `socket`, no `json`), for
it starts several times a second. MUST NOT know what any program answers.

A request is one frame: a length of four bytes, then fields separated by NUL: tool, machine, parent
process, language, XCATHOST, standard input, and the arguments. Answers are frames of a kind (`o`,
`e`, `x`), a length of four bytes, and output, error output or the exit code.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from hamnd.demo import db2_programs
from hamnd.demo.machines import MANAGERS, NETWORK, STANDBY
from hamnd.demo.site import VIEWS, DemoDirectory
from hamnd.demo.standins import AIX_STAND_INS

STAND_INS = (
    *db2_programs.NAMES,
    "ping",
    "ip",
    "arping",
    "dig",
    "host",
    "getent",
    "rpm",
    "systemctl",
    "crontab",
    "ps",
    "poweroff",
    "halt",
    "reboot",
    "shutdown",
    "fence_demo",
    "fence_demo_rights",
    "lsxcatd",
    "mkdef",
    "chdef",
    "lsdef",
    "rmdef",
    "tabdump",
    "makedns",
    "makedhcp",
    "makeconservercf",
    "fault",
)

NEVER_REAL = ("poweroff", "halt", "reboot", "shutdown", "init", "systemctl", "ip", "crontab")
"""Programs that a simulated machine must not find by an absolute path: they would be the host's."""

SESSION = "HAMND_DEMO_SESSION"
"""Variable that marks every process of a login, so that a dead machine's can be ended."""

CLIENT = '''\
"""Send one program call to the simulated world and print its answer (written by hamnd demo)."""
import _socket, posix, sys

SOCKET = {socket!r}
ENVIRON = posix.environ


def read_all(descriptor):
    parts = []
    while True:
        part = posix.read(descriptor, 65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


def read_file(name):
    try:
        descriptor = posix.open(name, posix.O_RDONLY)
    except OSError as error:
        posix.write(2, ("%s: %s\\n" % (name, error.strerror)).encode())
        posix._exit(1)
    return read_all(descriptor)


def needed_input(tool, arguments):
    if tool == "fence_demo":
        return b"" if posix.isatty(0) else read_all(0)
    if tool == "crontab":
        if not arguments:
            return read_all(0)
        names = [a for n, a in enumerate(arguments)
                 if (a == "-" or not a.startswith("-")) and arguments[n - 1 : n] != ["-u"]]
        if "-l" in arguments or "-r" in arguments:
            return b""
        return read_file(names[0]) if names and names[0] != "-" else read_all(0)
    if tool == "db2":
        for n, a in enumerate(arguments):
            if a.startswith("-") and "f" in a and n + 1 < len(arguments):
                return read_file(arguments[n + 1])
        if all(a.startswith(("-", "+")) for a in arguments):
            return b"" if posix.isatty(0) else read_all(0)
    return b""


def write_all(descriptor, data):
    while data:
        data = data[posix.write(descriptor, data):]


def receive(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            return None
        data += part
    return data


def main():
    tool, arguments = sys.argv[1], sys.argv[2:]
    language = ENVIRON.get(b"LC_ALL") or ENVIRON.get(b"LANG") or b"C"
    fields = [tool.encode(), ENVIRON.get(b"HAMND_DEMO_NODE", {standby!r}),
              str(posix.getppid()).encode(), language, ENVIRON.get(b"XCATHOST", b""),
              needed_input(tool, arguments).replace(b"\\0", b"")]
    fields += [a.encode("utf-8", "surrogateescape") for a in arguments]
    request = b"\\0".join(fields)
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.connect(SOCKET)
        connection.sendall(len(request).to_bytes(4, "big") + request)
    except OSError:
        posix.write(2, b"the hamnd demo does not run any more\\n")
        return 70
    while True:
        head = receive(connection, 5)
        body = receive(connection, int.from_bytes(head[1:], "big")) if head else None
        if body is None:
            return 255
        if head[:1] == b"x":
            return int(body)
        write_all(1 if head[:1] == b"o" else 2, body)


try:
    code = main()
except (OSError, KeyboardInterrupt):
    code = 255
posix._exit(code)
'''


def write_programs(layout: DemoDirectory) -> None:
    """Write every stand-in, the client and the login shells."""
    client = layout.lib / "client.py"
    client.write_text(CLIENT.format(socket=str(layout.world_socket), standby=STANDBY.encode()))
    python = shlex.quote(sys.executable)
    names = [*STAND_INS] if shutil.which("ssh") else [*STAND_INS, "ssh"]
    names += [] if layout.platform == "linux" else [*set(AIX_STAND_INS) - set(names)]
    for name in names:
        call = f'exec {python} -ISE {shlex.quote(str(client))} {name} "$@"'
        _write_program(layout.bin / name, f"#!/bin/sh\n{call}\n")
    for machine in (*MANAGERS, *VIEWS):
        _write_program(layout.shell(machine), login_shell(layout, machine))


def _write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def session_of(layout: DemoDirectory, machine: str) -> str:
    """Return the value of `SESSION` by which a machine's processes are known among the host's."""
    return f"{layout.root}:{machine}"


def login_shell(layout: DemoDirectory, machine: str) -> str:
    """Return the script that a login on a machine runs, as sshd's ForceCommand.

    The machine's own view of the network is put in by rewriting addresses in the command line.
    """
    view = VIEWS.get(machine, NETWORK)
    pattern = NETWORK.replace(".", "[.]")
    # Absolute paths of the host's own programs, but not those of our stand-ins.
    refused = "|".join(
        f"*[!A-Za-z0-9_.-]{place}/{name}*"
        for place in ("/sbin", "/usr/sbin", "/bin", "/usr/bin")
        for name in NEVER_REAL
    )
    translate = ""
    if view != NETWORK:
        translate = f"command=$(printf '%s\\n' \"$command\" | sed 's/{pattern}[.]/{view}./g')\n"
    return f"""\
#!/bin/sh
# What a login on the simulated machine {machine} runs (written by hamnd demo).
HAMND_DEMO_NODE={machine} PATH={shlex.quote(layout.tool_path)}
{SESSION}={shlex.quote(session_of(layout, machine))}
HAMND_STATE_DIR={shlex.quote(str(layout.home(machine)))}
export HAMND_DEMO_NODE PATH {SESSION} HAMND_STATE_DIR
cd {shlex.quote(str(layout.home(machine)))} || exit 1
command=$SSH_ORIGINAL_COMMAND
unset SSH_ORIGINAL_COMMAND
[ -n "$command" ] || exec /bin/sh
case " $command" in
{refused})
  echo "{machine} is simulated: programs are found by name there, not by path" >&2
  exit 126;;
esac
{translate}exec /bin/sh -c "$command"
"""
