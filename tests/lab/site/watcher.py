"""Watches a lab for the two disasters: two databases that accept writes, two owners of an address.

Owns the samples and what was seen against the law in them. It looks at the kernels of the hosts and
at the databases themselves, and from a third host asks the wire, as every node of the cluster does.
MUST NOT know hamnd: it judges nothing but these two.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.names import CLUSTER, GATEWAY, MANAGERS, SERVICE_NAME

ASKER = Path(__file__).with_name("arp_watch.py")
SAMPLE_S = 0.05
SETTLED = 60
"""Samples after which a change had time to do its harm: three seconds."""
SETTLE_LIMIT_S = 120.0
"""Where a sample asks two servers on a busy machine it takes longer."""


class Watcher:
    """Samples from its making to its end. `writable` tells which databases accept writes now.

    The address is the one that the management node holds: the movable one, or the primary's own.
    """

    def __init__(
        self,
        lab: Lab,
        writable: Callable[[], Sequence[str]],
        address: str = CLUSTER.address(SERVICE_NAME),
    ) -> None:
        self.lab = lab
        self.address = address
        self.violations: list[str] = []
        self.samples = 0
        self._writable = writable
        self._began = time.perf_counter()
        self._ended = threading.Event()
        self._asker = lab[GATEWAY].start(
            sys.executable, "-I", str(ASKER), CLUSTER.interface, self.address
        )
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        wait_until(lambda: bool(self.seen), "the third host asks who owns the address")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Look for the last time, and at what the third host saw."""
        self._ended.set()
        self._thread.join(timeout=30)
        self.violations += [f"the wire: {line}" for line in self.seen if len(line.split()) > 1]

    @property
    def seen(self) -> list[str]:
        """What answered the third host for the address, one line per change."""
        return self._asker.text().splitlines()

    def settle(self) -> None:
        """Wait until so much was sampled that a change had time to do its harm."""
        goal = self.samples + SETTLED
        wait_until(lambda: self.samples >= goal, "samples", SETTLE_LIMIT_S)

    def holders(self) -> list[str]:
        """Return whose kernel holds the address."""
        return [name for name in MANAGERS if self._holds(name)]

    def _holds(self, name: str) -> bool:
        host = self.lab[name]
        if not host.is_up:
            return False
        with contextlib.suppress(OSError):
            table = Path(f"/proc/{host.pid}/net/fib_trie").read_text().splitlines()
            own = f"|-- {self.address}"
            pairs = itertools.pairwise(table)
            return any(line.endswith(own) and "host LOCAL" in after for line, after in pairs)
        return False  # it died under our eyes

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            owners, writers = self.holders(), self._writable()
            at = time.perf_counter() - self._began
            if len(owners) > 1:
                self.violations.append(f"{at:.2f} s: {' and '.join(owners)} hold {self.address}")
            if len(writers) > 1:
                self.violations.append(f"{at:.2f} s: {' and '.join(writers)} accept writes")
            self.samples += 1
