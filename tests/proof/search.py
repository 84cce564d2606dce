"""The search as a process: exhaustive ways first, then nights drawn from seeds, until a law breaks.

Owns the order, the quickest first, and the exit code: 1 with the law that broke, 0 where nothing
did. Used on a hamnd with a planted bug (planted); on the real one it is what the tests do anyway.
"""

from __future__ import annotations

import sys
import traceback

import hamnd
from tests.proof.ways import (
    ACTING,
    ROOTS,
    TAKEOVERS,
    crash_before_it_is_done,
    crash_everywhere,
    explore,
    way_out,
)
from tests.sim.play import play
from tests.sim.universe import draw

SEEDS = 25


def search() -> None:
    """Fail with the first broken law."""
    for step in ACTING:
        crash_before_it_is_done(step)
    for root in TAKEOVERS:
        crash_everywhere(root)
    for root in ROOTS:
        for moment in explore(1, (root,)).moments:
            way_out(moment)
    for seed in range(SEEDS):
        play(draw(seed))


def main() -> int:
    """Search, and say what was found and where hamnd came from."""
    sys.stdout.write(f"searching {hamnd.__file__}\n")
    try:
        search()
    except Exception as error:  # noqa: BLE001 - whatever a bug makes of it
        told = [*getattr(error, "__notes__", ()), *traceback.format_exception_only(error)]
        sys.stdout.write(f"{' '.join(' '.join(told).split())[:600]}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
