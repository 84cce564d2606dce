"""Entry of `hamnd`: `demo` starts the simulated pair, everything else the daemon.

Owns the choice between the two. Must not know what either does, and loads only the one that runs:
the daemon never imports a line of the simulation.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run `hamnd` with these arguments (default: the process's own) and return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["demo"]:
        from hamnd.demo.main import main as demo

        return demo(arguments[1:])
    from hamnd.daemon.main import main as daemon

    return daemon(arguments)


if __name__ == "__main__":
    sys.exit(main())
