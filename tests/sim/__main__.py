"""Plays nights and prints their stories, or plays on and on.

    python -m tests.sim 4711            the night of a seed
    python -m tests.sim FILE.json       the night of a schedule that was kept
    python -m tests.sim soak            other seeds every time, until Ctrl-C
    python -m tests.sim soak --from 5000 --for 60

Owns the printing. Must not judge.
"""

from __future__ import annotations

import argparse
import math
import secrets
import sys
from pathlib import Path

from tests.sim.play import Play, SeedFailedError
from tests.sim.schedule import read
from tests.sim.soak import soak
from tests.sim.universe import Universe, draw

FAILED = Path("build/soak")
"""Where the schedules of nights that failed are kept."""


def main() -> int:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.sim", description="Play simulated nights, and tell what happened."
    )
    parser.add_argument("night", nargs="+", help="a seed, a schedule (FILE.json), or soak")
    parser.add_argument("--from", dest="first", type=int, help="soak: the first seed")
    parser.add_argument("--for", dest="limit_s", type=float, default=math.inf, metavar="SECONDS")
    asked = parser.parse_args()
    if asked.night == ["soak"]:
        first = asked.first if asked.first is not None else secrets.randbelow(10**9)
        return soak(first, asked.limit_s, FAILED)
    return max([_tell(_night(word)) for word in asked.night])


def _night(word: str) -> Universe:
    return read(Path(word).read_text()) if word.endswith(".json") else draw(int(word))


def _tell(universe: Universe) -> int:
    sys.stdout.write(f"seed {universe.seed}: {universe.describe()}\n")
    story = Play(universe)
    try:
        outcome = story.run()
    except SeedFailedError as error:
        sys.stdout.write("\n".join(story.transcript.lines) + f"\n\nFAILED {error}\n")
        return 1
    sys.stdout.write("\n".join(outcome.transcript.lines))
    sys.stdout.write(
        f"\nends {outcome.state}: {outcome.events} events, {outcome.steps} decisions, "
        f"{outcome.seconds:.0f} s of virtual time\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
