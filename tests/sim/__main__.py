"""Plays seeds and prints their stories: `python -m tests.sim SEED [SEED…]`.

Owns the printing. Must not judge.
"""

from __future__ import annotations

import sys

from tests.sim.play import Play, SeedFailedError
from tests.sim.universe import draw


def main(arguments: list[str]) -> int:
    """Play every seed that is named, and print what happened."""
    if not arguments:
        sys.stdout.write("usage: python -m tests.sim SEED [SEED...]\n")
        return 2
    failed = 0
    for seed in map(int, arguments):
        universe = draw(seed)
        sys.stdout.write(f"seed {seed}: {universe.describe()}\n")
        story = Play(universe)
        try:
            outcome = story.run()
        except SeedFailedError as error:
            failed += 1
            sys.stdout.write("\n".join(story.transcript.lines) + f"\n\nFAILED {error}\n")
            continue
        sys.stdout.write("\n".join(outcome.transcript.lines))
        sys.stdout.write(
            f"\nends {outcome.state}: {outcome.events} events, {outcome.steps} decisions, "
            f"{outcome.seconds:.0f} s of virtual time\n"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
