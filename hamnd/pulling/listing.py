"""The change listings of both sides: what changed since, and how many entries there are.

Owns running find and reading its streams, which are as long as the tree is large and are never kept
whole in memory. Must not know what is done about a change.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Self

from hamnd.pulling.line import PullError

CHUNK_BYTES = 1 << 18
RECORD_BYTES_MAX = 1 << 20
"""A name has 4096 bytes at most; before it stand the dots of one piece of the stream."""
SAID_BYTES_MAX = 16_384


@dataclass(frozen=True, slots=True)
class Entry:
    """One changed entry, named below the path; the path itself has an empty name."""

    type: bytes
    inode: int
    links: int
    size: int
    time_ns: int
    name: bytes


class Listing:
    """One find under way; a context. Once it is read, `entries` tells how many there are in all."""

    def __init__(self, argv: tuple[str, ...], root: str, where: str) -> None:
        """Take the command, what its names begin with, and the host in what is said of it."""
        self._argv, self._where = argv, where
        self._root = os.fsencode(root)
        self._rest = b""
        self.entries = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._said: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())
            self._process = subprocess.Popen(
                self._argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._said
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        self.out.close()
        self._stack.close()

    @property
    def out(self) -> IO[bytes]:
        """The stream that it prints to."""
        assert self._process.stdout is not None
        return self._process.stdout

    def take(self, chunk: bytes) -> Iterator[Entry]:
        """Yield what changed in the next piece of the stream. Raises PullError for another text."""
        *records, self._rest = (self._rest + chunk).split(b"\0")
        for record in records:
            yield self._read(record)
        if self._rest and not self._rest.strip(b"."):  # dots alone: they need not be carried along
            self.entries += len(self._rest)
            self._rest = b""
        if len(self._rest) > RECORD_BYTES_MAX:
            raise PullError(f"{self._where}: its listing cannot be read")

    def _read(self, record: bytes) -> Entry:
        dots, _, told = record.partition(b"\n")
        self.entries += len(dots) + 1
        try:
            type_, inode, links, size, time, name = told.split(b" ", 5)
            if not name.startswith(self._root):
                raise ValueError(name)
            whole, _, part = time.partition(b".")
            time_ns = int(whole) * 1_000_000_000 + int((part[:9] or b"0").ljust(9, b"0"))
            below = name.removeprefix(self._root)
            if below and {b"", b".", b".."} & set(below.split(b"/")):
                raise ValueError(name)  # find prints none such: it would lead out of the path
            return Entry(type_, int(inode), int(links), int(size), time_ns, below)
        except ValueError:
            raise PullError(f"{self._where}: its listing cannot be read") from None

    def finish(self) -> None:
        """Raise PullError when the listing that has ended is not whole."""
        code = self._process.wait()
        if code != 0:
            self._said.seek(0)
            said = self._said.read(SAID_BYTES_MAX).decode(errors="replace").strip()
            last = said.splitlines()[-1] if said else f"exit code {code}"
            raise PullError(f"{self._where}: the tree could not be listed: {last}")
        if self._rest:
            raise PullError(f"{self._where}: its listing ends in the middle")


def read_all(*listings: Listing) -> Iterator[tuple[Listing, Entry]]:
    """Yield what changed as the listings tell it, side by side. Raises PullError.

    Each listing's own order is kept; they are ended when this one does.
    """
    with ExitStack() as stack:
        ready = stack.enter_context(selectors.DefaultSelector())
        for one in listings:
            stack.enter_context(one)
            ready.register(one.out, selectors.EVENT_READ, one)
        while ready.get_map():
            for key, _ in ready.select():
                listing: Listing = key.data
                chunk = os.read(key.fd, CHUNK_BYTES)
                if chunk:
                    yield from ((listing, entry) for entry in listing.take(chunk))
                else:
                    ready.unregister(key.fileobj)
                    listing.finish()
