"""A fence agent in the ClusterLabs protocol that speaks to the lab's power controller.

Owns the protocol as FenceAgentAPI describes it: `key=value` lines on standard input, one verb, exit
0 for success, 1 for failure, and for `status` 2 when the plug is off. Its own name says how it
behaves: `fence_lab` is honest, what follows `fence_lab_` is asked of the controller as a mood. Runs
inside a lab host; MUST NOT import anything of this project, for it is installed as a program.
"""

from __future__ import annotations

import json
import os
import socket
import sys

METADATA = """\
<?xml version="1.0" ?>
<resource-agent name="{name}" shortdesc="Fence agent for the lab's power controller">
<longdesc>{name} switches lab hosts off and on through the controller bmc.</longdesc>
<parameters>
{parameters}
</parameters>
<actions>
{actions}
</actions>
</resource-agent>
"""
PARAMETERS = (
    ("action", "string", "1"),
    ("ip", "string", "1"),
    ("ipport", "integer", "0"),
    ("username", "string", "1"),
    ("password", "string", "0"),
    ("plug", "string", "1"),
    ("login_timeout", "second", "0"),
)
ACTIONS = ("on", "off", "reboot", "status", "list", "monitor", "metadata")

OLD_NAMES = {"ipaddr": "ip", "login": "username", "passwd": "password", "port": "plug"}
_TIMEOUT_S = 5.0


def metadata(name: str) -> str:
    """Describe this agent in XML."""
    parameters = "\n".join(
        f'\t<parameter name="{one}" unique="0" required="{is_required}">'
        f'<content type="{kind}"/></parameter>'
        for one, kind, is_required in PARAMETERS
    )
    actions = "\n".join(f'\t<action name="{one}"/>' for one in ACTIONS)
    return METADATA.format(name=name, parameters=parameters, actions=actions)


def fail(text: str) -> int:
    """Say why in the words of the real agents, and fail."""
    sys.stderr.write(f"Failed: {text}\n")
    return 1


def options() -> dict[str, str]:
    """Read the options; the last of two lines with one key counts."""
    found = {}
    for line in sys.stdin:
        key, is_pair, value = line.strip().partition("=")
        if is_pair and not key.startswith("#"):
            found[OLD_NAMES.get(key, key)] = value
    return found


def ask(request: dict[str, str], address: str, port: int, timeout_s: float) -> dict[str, str]:
    """Send one request to the controller. Raises OSError or ValueError when no answer comes."""
    with socket.create_connection((address, port), timeout_s) as connection:
        connection.settimeout(None)  # a controller that hangs is not given up by its agent
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile() as answer:
            result = json.loads(answer.readline())
    return {str(key): str(value) for key, value in result.items()}


def main() -> int:
    """Carry out one verb."""
    name = os.path.basename(sys.argv[0])
    if "-o" in sys.argv and "metadata" in sys.argv:
        sys.stdout.write(metadata(name))
        return 0
    given = options()
    action = given.get("action", "off")
    if action == "metadata":
        sys.stdout.write(metadata(name))
        return 0
    if action not in ACTIONS:
        return fail(f"Unrecognised action '{action}'")
    if "ip" not in given or "username" not in given:
        return fail("You have to enter fence address and user name")
    if action not in ("monitor", "list") and not given.get("plug"):
        return fail("You have to enter plug number or machine identification")
    mood = name.removeprefix("fence_lab").lstrip("_")
    request = {key: given.get(key, "") for key in ("plug", "username", "password")}
    request |= {"action": action, "mood": mood}
    try:
        port = int(given.get("ipport", "6230"))
        limit = float(given.get("login_timeout", _TIMEOUT_S))
        answer = ask(request, given["ip"], port, limit)
    except (OSError, ValueError):
        return fail("Unable to connect/login to fencing device")
    if answer.get("error"):
        return fail(answer["error"])
    said = answer.get("said", "")
    if said:
        sys.stdout.write(f"{said}\n")
    return int(answer.get("code", "1"))


if __name__ == "__main__":
    sys.exit(main())
