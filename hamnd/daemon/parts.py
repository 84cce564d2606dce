"""What the runtime is made of: its ports, its limits, its queue items and its backlog.

Owns these values and nothing that happens to them. Must not know the loop (runtime).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from hamnd.core.commands import Command
from hamnd.core.events import Event
from hamnd.core.policy import Terms
from hamnd.core.state import Decision, NodeState
from hamnd.daemon.ledger import Ledger
from hamnd.errors import HamndError
from hamnd.model.instant import Instant
from hamnd.model.record import Record
from hamnd.ports import Clock, Supervisor


class Starter(Protocol):
    """What starts commands: the executor."""

    def attach(
        self,
        spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]],
        deliver: Callable[[Event], Awaitable[None]],
    ) -> None:
        """Learn who owns the tasks and who takes the events."""
        ...

    def start(self, command: Command) -> None:
        """Start one command."""
        ...

    def drain(self) -> None:
        """Start no further action."""
        ...

    @property
    def is_acting(self) -> bool:
        """Whether an action is under way."""
        ...


@dataclass(frozen=True, slots=True)
class Core:
    """The pure functions of the loop."""

    step: Callable[[NodeState, Event, Instant, Terms], Decision]
    dump: Callable[[NodeState], str]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the loop, in seconds unless a name says otherwise."""

    answer_s: float = 15.0
    """A request that is not decided by then has an unknown outcome."""
    drain_s: float = 45.0
    """What a running action gets to end at shutdown; below the TimeoutStopSec=60 of our unit."""
    heartbeat_s: float = 5.0
    stall_s: float = 15.0
    """Without a handled reach beat for this long (or three intervals) the watchdog is not fed."""
    disk_interval_s: float = 30.0
    rewrite_s: float = 5.0
    """Pause between two tries to write what a broken journal did not take."""
    ready_after_s: float = 15.0
    queue_max: int = 4096
    unwritten_max: int = 1000


@dataclass(frozen=True, slots=True)
class Parts:
    """What the runtime is made of."""

    core: Core
    clock: Clock
    ledger: Ledger
    starter: Starter
    supervisor: Supervisor
    free_bytes: Callable[[], int]
    """Bytes free beside the journal; blocking."""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that came to no decision: nothing was started for it."""

    error: HamndError


@dataclass(slots=True)
class Item:
    """One thing for the consumer: an event, or a job that must run between two events."""

    event: Event | None
    answer: asyncio.Future[Decision | Failure] | None = None
    terms: Terms | None = None
    apply: Callable[[], None] | None = None
    job: Callable[[], Awaitable[None]] | None = None
    refusal: Callable[[NodeState], HamndError | None] | None = None
    """Says at its turn why it cannot be taken up; then nothing of it happens."""
    is_adopted: bool = False

    def settle(self, answer: Decision | Failure) -> None:
        """Answer whoever waits, once, if he still does."""
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(answer)


@dataclass(slots=True)
class Backlog:
    """What a broken journal did not take while the node went on observing."""

    records: deque[Record]
    facts: dict[str, str] = field(default_factory=dict)
    is_behind: bool = False
    retry_at: float = 0.0

    def keep(self, decision: Decision) -> None:
        """Keep what a decision wanted on disk; past the limit the oldest records go."""
        self.is_behind = True
        self.records.extend(decision.records)
        self.facts.update(decision.remember)

    def clear(self) -> None:
        """Forget it all: it is on disk."""
        self.is_behind = False
        self.records.clear()
        self.facts.clear()
