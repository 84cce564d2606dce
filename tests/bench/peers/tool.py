"""What the bench asks of a tool, whichever it is.

Owns the contract, and the pair of servers that most tools are put on. Must not know any one tool.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from tests.lab.site.faults import Faults
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.names import PRIMARY, STANDBY
from tests.lab.site.postgres import Postgres, make_pair

LIMIT_S = 120.0
"""How long a tool may take to set itself up, to tell, or to promote."""


class Tool(ABC):
    """A tool that watches a healthy pair from the moment it is made."""

    name: ClassVar[str]
    settings: ClassVar[str]
    """What decides how quickly it tells."""
    word: ClassVar[str]
    """What counts as its word for "the primary is down"."""
    order_is: ClassVar[str]
    """How the promotion is ordered, or that it does it by itself."""
    runs: ClassVar[str]
    """Which daemons it keeps running, and where."""
    more_hosts: ClassVar[str]
    """Which hosts beside the pair it cannot do without."""
    programs: ClassVar[dict[str, str]]
    """What has to be installed: each program with Debian's package."""
    processes: ClassVar[str]
    """A regular expression for the command lines of its daemons; their children count too."""

    faults: Faults
    servers: tuple[Postgres, Postgres]

    @abstractmethod
    def times_told(self) -> int:
        """Return how often it has said by now that the primary is down."""

    def predicted(self) -> str:
        """Return what it says before the order, when it is asked, that would be lost."""
        return "nothing said"

    def order(self) -> bool:
        """Order the promotion as an operator does; returns whether it waits for one at all."""
        return False

    @property
    def is_writable(self) -> bool:
        """Whether the standby's database takes writes."""
        return self.servers[1].accepts_writes


class OnServers(Tool):
    """A tool on two bare servers, mn2 streaming from mn1."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.faults = Faults(lab)
        self.servers = make_pair(lab[PRIMARY], lab[STANDBY])
        self.configure()

    @abstractmethod
    def configure(self) -> None:
        """Set the tool up on both nodes, and return once it watches."""


def until(is_true: Callable[[], bool], what: str) -> None:
    """Wait for a condition while a tool is set up. Raises TimeoutError naming it."""
    wait_until(is_true, what, LIMIT_S)
