"""Seeds on and on until somebody stops them: `make soak` plays nights for as long as it is let.

Owns the loop, what it prints, and the schedule of a night that failed: the shortest one found that
breaks the same law, with what happened in it. Exit codes: 0 stopped with nothing found, 1 a law
was broken.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.sim.batches import BATCH, Batch, play_all
from tests.sim.explored import Explored
from tests.sim.play import Play, SeedFailedError
from tests.sim.schedule import shorter, written
from tests.sim.universe import Universe, draw

TELL_S = 10.0
"""How often it says how far it is."""


def soak(first: int, limit_s: float, folder: Path) -> int:
    """Play seeds from `first` on until interrupted, or for `limit_s`, or until a law breaks."""
    began = told = time.perf_counter()
    seen, since = Explored(), first
    out = sys.stdout
    out.write(f"seeds from {first} on; an interrupt (Ctrl-C) ends it\n")
    out.flush()
    try:
        for batch in play_all(_endless(first, began + limit_s)):
            seen.join(batch.explored)
            now = time.perf_counter()
            if batch.failed:
                return _failed(batch, folder)
            if now - told >= TELL_S:
                told, until = now, batch.seeds[-1]
                out.write(f"seeds {since}-{until}: every law kept; so far {_far(seen, began)}\n")
                out.flush()
                since = until + 1
    except KeyboardInterrupt:
        out.write("\nstopped\n")
    last = first + max(seen.nights - 1, 0)
    out.write(f"{seen.tell()}seeds {first}-{last}: {_far(seen, began)}\n")
    return 0


def law_of(universe: Universe) -> str:
    """Return what a night breaks, in the words before the numbers; "": nothing."""
    try:
        Play(universe).run()
    except SeedFailedError as error:
        cause = error.__cause__
        return f"{type(cause).__name__}: {str(cause).partition(':')[0]}"
    return ""


def shortest(universe: Universe) -> tuple[Universe, str]:
    """Return the shortest schedule that breaks the same law, and the story of it."""
    law = law_of(universe)
    least = shorter(universe, lambda one: law_of(one) == law)
    story = Play(least)
    try:
        story.run()
    except SeedFailedError as error:
        cause = error.__cause__
        lines = (f"{type(cause).__name__}: {cause}", least.describe(), *story.transcript.lines)
        return least, "\n".join(lines) + "\n"
    return least, "it does not fail again\n"


def _endless(first: int, until: float) -> Iterator[range]:
    for start in itertools.count(first, BATCH):
        if time.perf_counter() >= until:
            return
        yield range(start, start + BATCH)


def _far(seen: Explored, began: float) -> str:
    return f"{seen.nights} nights in {time.perf_counter() - began:.0f} s, {seen.time}"


def _failed(batch: Batch, folder: Path) -> int:
    """Make the first failing seed short, and keep its schedule and its story."""
    seed, told = next(iter(batch.failed.items()))
    sys.stdout.write(f"{told}\n\nmaking it shorter...\n")
    sys.stdout.flush()
    try:
        least, story = shortest(draw(seed))
    except KeyboardInterrupt:  # whoever cannot wait gets it as it was drawn
        least, story = draw(seed), f"{told}\n"
    folder.mkdir(parents=True, exist_ok=True)
    schedule, transcript = folder / f"{seed}.json", folder / f"{seed}.txt"
    schedule.write_text(written(least))
    transcript.write_text(story)
    sys.stdout.write(f"\n{story}\n{transcript} tells it; again: python -m tests.sim {schedule}\n")
    return 1
