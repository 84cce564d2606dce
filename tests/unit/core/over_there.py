"""The partner of the canned world: what runs over there, and what its own tools say.

Owns that small truth, and how a plan that hands over changes it. Must not know the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hamnd.model.work import Exec, Look

SERVICE_ADDRESS = "9.114.47.110"
UNITS = {"named": "dns", "dhcpd": "dhcp", "conserver": "consoles"}
NOBODY = "SQL1611W  No data was returned by Database System Monitor.\n"


@dataclass
class OverThere:
    """The other management node while it lives."""

    running: set[str] = field(default_factory=lambda: {"xcatd", "dns", "dhcp", "consoles"})
    has_address: bool = True
    role: str = "PRIMARY"
    is_stubborn: bool = False
    """Its address cannot be taken from it."""

    def look(self, look: Look, database: Callable[[str], str]) -> tuple[int, str] | None:
        """What a look over there finds; `database` is what db2pd says of a role in Peer.

        None: what any node would say.
        """
        match look.reads:
            case "linux.any_active" | "linux.none_active":
                words = ["active" if self.runs(unit) else "inactive" for unit in look.arguments]
                return 0, "\n".join(words)
            case "linux.disabled_each":
                return 0, "whole\n"
            case "linux.address_gone":
                return 0, self.addresses()
            case "db2.nobody_connected":
                return 2, NOBODY
            case "db2.in_peer":
                return 0, database(self.role)
            case _:
                return None

    def serve(self, step: str, argv: tuple[str, ...]) -> None:
        """Do what a way home has done over there."""
        match step:
            case "identity" if "del" in argv:
                self.has_address = False
            case "xcatd" | "dns" | "dhcp" | "consoles" if "stop" not in argv:
                self.running.add(step)

    def runs(self, unit: str) -> bool:
        """Whether a unit of that name runs over there."""
        return UNITS.get(unit, unit) in self.running

    def addresses(self) -> str:
        """What `ip -o addr show` prints over there."""
        text = "2: en1    inet 9.114.47.103/26 brd + scope global en1\n"
        if self.has_address:
            text += f"2: en1    inet {SERVICE_ADDRESS}/26 scope global secondary en1\n"
        return text

    def act(self, request: Exec) -> None:
        """Do what a step has done over there."""
        argv = request.argv
        if "stop" in argv:
            self.running -= {UNITS.get(unit, unit) for unit in argv}
        elif argv[:2] == ("sh", "-c") and "start" in argv:
            self.running |= {UNITS.get(unit, unit) for unit in argv[6:]}
        elif "del" in argv and not self.is_stubborn:
            self.has_address = False
        elif "add" in argv:
            self.has_address = True
        elif any("takeover" in word for word in argv):
            self.role = "PRIMARY"
