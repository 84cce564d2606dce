"""What the daemon needs from the world, as Protocols; the adapters implement them.

Owns the interfaces and the small values that only they exchange. Must not know any adapter.
Every call is bounded: a time limit, a bounded output, an own process group, LANG=C (adapters).
No port raises for what the world does; a `Report` says it. CancelledError passes through.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from hamnd.model.instant import Instant
from hamnd.model.record import Record
from hamnd.model.site import Site
from hamnd.model.work import Action, Exec, Fence, FenceStatus, Look, Pull, Reach, Read, Report, Swap

Placed = Callable[[Site], Site]
"""Returns a configured site with its hosts where they are reached at this moment."""


def as_configured(site: Site) -> Site:
    """Return the site as it is configured: nothing in it moves."""
    return site


class Clock(Protocol):
    """The only source of instants."""

    def now(self) -> Instant:
        """Return the present moment on both clocks."""
        ...


class CommandRunner(Protocol):
    """Runs programs on one host: the local one, the primary or a witness."""

    async def run(self, request: Exec, timeout_s: float) -> Report:
        """Run a program and report how it ended; past `timeout_s` its process group is ended."""
        ...

    async def close(self) -> None:
        """End connections and what still runs."""
        ...


class Reacher(Protocol):
    """Sends one probe from this node (TCP connect, ssh banner, xcatd request)."""

    async def reach(self, request: Reach, timeout_s: float) -> Report:
        """Probe once. EXITED 0: answered; REFUSED; NO_REPLY; COULD_NOT_RUN: nothing was sent."""
        ...


class Files(Protocol):
    """Reads small local files, and puts staged ones in their place."""

    async def read(self, request: Read, timeout_s: float) -> Report:
        """Return the text as stdout with exit code 0, or exit code 1 and the reason."""
        ...

    async def swap(self, request: Swap, timeout_s: float) -> Report:
        """Switch: exit code 0, 3 where nothing is staged, or 1 and the reason.

        A switch that outlasts its limit is LOST: it may come to its end all the same.
        """
        ...


class Puller(Protocol):
    """Brings trees of the partner here."""

    async def pull(self, request: Pull, timeout_s: float) -> Report:
        """Pull once; exit code 0 when all is here. What it found out is in its last line."""
        ...


class FenceDevice(Protocol):
    """Speaks the ClusterLabs fence-agent protocol to the primary's power controller."""

    async def call(self, request: Fence | FenceStatus, timeout_s: float) -> Report:
        """Run the agent with `action=verb` on its standard input; secrets are read from files."""
        ...


class World(Protocol):
    """What the executor performs on: every request goes to the adapter that owns it."""

    async def perform(self, action: Action, timeout_s: float) -> Report:
        """Carry out one action once."""
        ...

    async def look(self, look: Look) -> Report:
        """Carry out one look once, within its own `timeout_s`."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A journal record as stored: with sequence, both clocks, boot and chain hash."""

    seq: int
    wall_s: float
    monotonic_s: float
    boot_id: str
    record: Record
    hash: str


class Journal(Protocol):
    """Durable memory (design §12). Calls are blocking; the runtime keeps them in one thread."""

    def append(self, records: tuple[Record, ...], state: str | None, now: Instant) -> int:
        """Write records and, unless None, the state document (JSON) in one transaction.

        Returns the last sequence number. Raises JournalError when it could not be written, also
        when the reserve is spent.
        """
        ...

    def remember(self, facts: Mapping[str, str], now: Instant) -> None:
        """Upsert last known facts (key -> JSON) with their time."""
        ...

    def load(self) -> tuple[str | None, Mapping[str, tuple[str, float]]]:
        """Return the state document and the remembered facts with their wall times."""
        ...

    def reserve_left(self) -> float:
        """Return how much of the disk reserve is intact, 0.0 to 1.0."""
        ...

    def close(self) -> None:
        """Close the database."""
        ...


@dataclass(frozen=True, slots=True)
class Caller:
    """Who speaks on the control socket: kernel credentials and the login behind sudo."""

    uid: int
    gid: int
    pid: int
    name: str
    may_operate: bool

    @property
    def actor(self) -> str:
        """The name that goes to the journal."""
        return self.name


@dataclass(frozen=True, slots=True)
class Request:
    """One control request: `verb` is the path, `body` the decoded JSON object."""

    verb: str
    body: Mapping[str, Any] = field(default_factory=dict)
    changes: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a control request: HTTP status and a JSON document."""

    status: int
    document: Mapping[str, Any]


Handler = Callable[[Request, Caller], Awaitable[Response]]


class Supervisor(Protocol):
    """systemd (sd_notify) or nobody."""

    def ready(self) -> None:
        """Say that monitoring runs."""
        ...

    def status(self, sentence: str) -> None:
        """Publish one line for `systemctl status`."""
        ...

    def alive(self) -> None:
        """Feed the watchdog."""
        ...

    def reloading(self) -> None:
        """Say that the configuration is being read again."""
        ...

    def stopping(self) -> None:
        """Say that hamnd is draining."""
        ...
