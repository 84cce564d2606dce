"""The change listings of both sides: what changed since, and how many entries there are.

Owns running find and reading its stream, which is as long as the tree is large and is never kept
whole in memory. Must not know what is done about a change.
"""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from hamnd.pulling.line import PullError

CHUNK_BYTES = 1 << 18
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
    """One find under way; iterate to its end, then `entries` tells how many there are in all."""

    def __init__(self, argv: tuple[str, ...], where: str) -> None:
        """Start it; `where` names the host in what is said when it fails."""
        self._where = where
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `kill`)
        self._process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._said
        )
        self.entries = 0

    def __iter__(self) -> Iterator[Entry]:
        """Yield what changed. Raises PullError when the listing is not whole."""
        assert self._process.stdout is not None
        rest = b""
        while chunk := self._process.stdout.read1(CHUNK_BYTES):  # type: ignore[attr-defined]
            *records, rest = (rest + chunk).split(b"\0")
            for record in records:
                yield self._read(record)
            if rest and not rest.strip(b"."):  # dots alone: they need not be carried along
                self.entries += len(rest)
                rest = b""
        self._finish()
        if rest:
            raise PullError(f"{self._where}: its listing ends in the middle")

    def _read(self, record: bytes) -> Entry:
        dots, _, told = record.partition(b"\n")
        self.entries += len(dots) + 1
        try:
            type_, inode, links, size, time, name = told.split(b" ", 5)
            whole, _, part = time.partition(b".")
            time_ns = int(whole) * 1_000_000_000 + int((part[:9] or b"0").ljust(9, b"0"))
            return Entry(type_, int(inode), int(links), int(size), time_ns, name)
        except ValueError:
            raise PullError(f"{self._where}: its listing cannot be read") from None

    def _finish(self) -> None:
        code = self._process.wait()
        if code != 0:
            self._said.seek(0)
            said = self._said.read(SAID_BYTES_MAX).decode(errors="replace").strip()
            last = said.splitlines()[-1] if said else f"exit code {code}"
            raise PullError(f"{self._where}: the tree could not be listed: {last}")

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        self._said.close()


class Drained:
    """A listing that is read by a thread of its own, its entries kept: for the shorter side."""

    def __init__(self, listing: Listing, limit: int) -> None:
        """Begin to read; past `limit` entries `is_over` is set, and the rest is only counted."""
        self.listing = listing
        self.found: list[Entry] = []
        self.is_over = False
        self._limit = limit
        self._error: PullError | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for entry in self.listing:
                if len(self.found) < self._limit:
                    self.found.append(entry)
                else:
                    self.is_over = True
        except PullError as error:
            self._error = error

    def wait(self) -> list[Entry]:
        """Return the entries once all is read. Raises PullError when it is not whole."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self.found
