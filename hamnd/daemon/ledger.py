"""The journal as the runtime uses it: one worker thread, every call bounded in time.

Owns the thread, the time limit and what is true while a call is stuck in it. Must not know what is
written, nor what follows when writing fails (runtime). A thread cannot be cancelled: past the limit
the call goes on behind our back, so until it has come home nothing else is sent after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from hamnd.errors import JournalError
from hamnd.model.instant import Instant
from hamnd.model.record import Record
from hamnd.ports import Journal

Remembered = Mapping[str, tuple[str, float]]
T = TypeVar("T")

OPEN_LIMIT_S = 30.0
"""Opening checks the whole file and setting it aside hashes it: more than one write."""


class Worker(Protocol):
    """Runs one blocking call at a time, in the order in which they were submitted."""

    def submit(self, call: Callable[[], Any]) -> Awaitable[Any]:
        """Return what will become of the call."""
        ...

    def close(self) -> None:
        """Take no more calls; one that is stuck is left behind."""
        ...


class JournalThread:
    """The one thread in which every journal call runs."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")

    def submit(self, call: Callable[[], Any]) -> Awaitable[Any]:
        """Queue the call for the thread."""
        return asyncio.get_running_loop().run_in_executor(self._pool, call)

    def close(self) -> None:
        """Let the thread end after the call it is in; do not wait for it."""
        self._pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Page:
    """What one decision writes."""

    records: tuple[Record, ...] = ()
    state: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.records and self.state is None and not self.facts


class Ledger:
    """A journal behind its worker; raises JournalError for every way in which writing can fail."""

    def __init__(self, open_journal: Callable[[], Journal], worker: Worker, limit_s: float) -> None:
        self._open = open_journal
        self._worker = worker
        self.limit_s = limit_s
        """A call that takes longer counts as failed; a reload may change it."""
        self._journal: Journal | None = None
        self._stuck: asyncio.Future[Any] | None = None
        self._trouble = "the journal is not open"

    @property
    def is_stuck(self) -> bool:
        """Whether a call has outlived its limit and is still in the thread."""
        return self._stuck is not None and not self._stuck.done()

    @property
    def is_open(self) -> bool:
        """Whether there is a journal to write to."""
        return self._journal is not None

    async def open(self) -> tuple[str | None, Remembered]:
        """Open the journal and return the state document and the remembered facts.

        Raises:
            JournalError: it is damaged, unreadable or too slow; `write` then fails alike.
        """

        def call() -> tuple[Journal, str | None, Remembered]:
            journal = self._open()
            try:
                state, facts = journal.load()
            except JournalError:
                journal.close()
                raise
            return journal, state, facts

        try:
            self._journal, state, facts = await self._call(call, OPEN_LIMIT_S)
        except JournalError as error:
            self._trouble = str(error)
            raise
        return state, facts

    async def write(self, page: Page, now: Instant) -> None:
        """Write one page; when this returns it is on disk.

        Facts come first: alone they claim nothing, while a state without them would have lost what
        it was judged on.

        Raises:
            JournalError: it was not written, or not within the limit: then it may still be.
        """
        journal = self._require()

        def call() -> None:
            if page.facts:
                journal.remember(page.facts, now)
            if page.records or page.state is not None:
                journal.append(page.records, page.state, now)

        await self._call(call)

    async def reserve_left(self) -> float:
        """Return how much of the reserve is intact. Raises JournalError."""
        return await self._call(self._require().reserve_left)

    async def blocking(self, call: Callable[[], T]) -> T:
        """Run another blocking call about the journal in its thread. Raises JournalError."""
        return await self._call(call)

    async def reopen(self, set_aside: Callable[[], object]) -> None:
        """Close the journal, have it set aside and open the fresh one. Raises JournalError."""
        journal, self._journal = self._journal, None
        self._trouble = "the journal was set aside and the new one is not open yet"

        def call() -> Journal:
            if journal is not None:
                journal.close()
            set_aside()
            return self._open()

        try:
            self._journal = await self._call(call, OPEN_LIMIT_S)
        except JournalError as error:
            self._trouble = str(error)
            raise

    async def refuse(self, trouble: str) -> None:
        """Close the journal and fail every write from now on, until it is reopened.

        For a journal that is whole and holds a state that this hamnd cannot read: what it knows
        must not be written over before an operator sets it aside. Raises JournalError.
        """
        journal, self._journal = self._journal, None
        self._trouble = trouble
        if journal is not None:
            await self._call(journal.close)

    async def close(self) -> None:
        """Close the journal if nothing is stuck in its thread, and end the thread."""
        journal, self._journal = self._journal, None
        try:
            if journal is not None and not self.is_stuck:
                await self._call(journal.close)
        finally:
            self._worker.close()

    def _require(self) -> Journal:
        if self._journal is None:
            raise JournalError(self._trouble)
        return self._journal

    async def _call(self, call: Callable[[], T], limit_s: float | None = None) -> T:
        limit_s = self.limit_s if limit_s is None else limit_s
        if self.is_stuck:
            raise JournalError("the journal is still busy with a call that outlived its limit")
        self._stuck = None
        pending = asyncio.ensure_future(self._worker.submit(call))  # noqa: TID251 - a thread's future
        pending.add_done_callback(_ignore)
        await asyncio.wait({pending}, timeout=limit_s)
        if not pending.done():
            self._stuck = pending
            raise JournalError(f"the journal did not answer within {limit_s:g} s")
        error = pending.exception()
        if error is None:
            result: T = pending.result()
            return result
        if isinstance(error, JournalError):
            raise error
        raise JournalError(f"the journal failed: {type(error).__name__}: {error}") from error


def _ignore(pending: asyncio.Future[Any]) -> None:
    """Take the exception of a call that nobody waits for any more."""
    if not pending.cancelled():
        pending.exception()
