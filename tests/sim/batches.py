"""Many nights on every core: batches of seeds, each played by a process of its own.

Owns the processes. What a batch saw comes home as one sum, so that whoever asked can judge all of
it, whichever process played it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field

from tests.sim.explored import Explored
from tests.sim.play import SeedFailedError, play
from tests.sim.universe import draw

BATCH = 10
"""Seeds to a batch: a few seconds, so that nobody waits long for the last of them."""


@dataclass
class Batch:
    """What became of some seeds."""

    seeds: range
    explored: Explored = field(default_factory=Explored)
    failed: dict[int, str] = field(default_factory=dict)
    """What broke, by seed."""


def batches(seeds: range) -> Iterator[range]:
    """Cut seeds into batches."""
    return (seeds[first : first + BATCH] for first in range(0, len(seeds), BATCH))


def play_batch(seeds: range) -> Batch:
    """Play some seeds here, one after the other."""
    batch = Batch(seeds)
    for seed in seeds:
        try:
            batch.explored.add(play(draw(seed)))
        except SeedFailedError as error:
            batch.failed[seed] = str(error)
    return batch


def play_all(every: Iterable[range]) -> Iterator[Batch]:
    """Play batches on all cores, for as long as there are any; yield each when it is over.

    An interrupt of the terminal ends whoever asked, and with it these processes.
    """
    cores = os.cpu_count() or 1
    pool = ProcessPoolExecutor(
        cores, multiprocessing.get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN)
    )
    waiting: deque[Future[Batch]] = deque()
    try:
        for seeds in every:
            waiting.append(pool.submit(play_batch, seeds))
            if len(waiting) > cores:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
