"""Entry of `hamnd`: the simulated pair (`demo`), two readers (`init`, `import-cron`), the daemon.

Owns the choice between them. Must not know what any of them does, and loads only the one that runs:
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
    if arguments[:1] == ["init"]:
        from hamnd.daemon.survey import main as init

        return init(arguments[1:])
    if arguments[:1] == ["import-cron"]:
        from hamnd.daemon.importing import main as import_cron

        return import_cron(arguments[1:])
    _leave_out_colours()
    from hamnd.daemon.main import main as daemon

    return daemon(arguments)


def _leave_out_colours() -> None:
    """Have structlog find no rich: it would load it to colour a log that never is coloured.

    That is 70 modules and more than 3 MiB in a process that is to cost next to nothing.
    """
    sys.modules["rich"] = None  # type: ignore[assignment]  # as the import system documents


if __name__ == "__main__":
    sys.exit(main())
