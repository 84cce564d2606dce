"""Entry of the daemon: arguments, configuration, exit codes.

Owns what happens before there is a loop. Must not know what the daemon does once it runs (service).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog

from hamnd import __version__
from hamnd.adapters.logs import configure_logs
from hamnd.daemon.configuration import Configuration, read_configuration
from hamnd.daemon.host import bound_descriptors, forbid_core_dumps
from hamnd.daemon.service import Service, log_problems
from hamnd.errors import HamndError

log = structlog.get_logger(__name__)

OK, FAILED, BAD_CONFIGURATION = 0, 1, 2
"""Exit codes (design §8)."""

DESCRIPTION = """Watch a pair of xCAT management nodes and guide a confirmed takeover.

hamnd stays in the foreground and logs to standard error. SIGHUP reads the configuration again,
SIGTERM lets a running action end and stops. Operate it with hamnctl."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the daemon and return its exit code: 0 stopped, 1 cannot run, 2 bad configuration."""
    arguments = _parser().parse_args(argv)
    path = Path(arguments.config)
    found = read_configuration(path, host_decides=arguments.check)
    if found.terms is None or arguments.check:
        return _told(path, found)
    configure_logs(found.terms.site.log_level)
    log_problems(found.problems)
    forbid_core_dumps()
    bounded = bound_descriptors()
    if bounded:
        log.warning("descriptors_bounded", done=bounded)
    service = Service(path, found.terms, found.journal_timeout_s)
    try:
        asyncio.run(service.run())
    except HamndError as error:
        log.critical("not_started", reason=str(error))
        return FAILED
    return OK


def _told(path: Path, found: Configuration) -> int:
    """Print every finding and return whether the configuration can be used."""
    for problem in found.problems:
        print(f"hamnd: {problem.line()}", file=sys.stderr)  # noqa: T201 - before there is a log
    if found.terms is None:
        hint = f"hamnctl check-config {path}"
        print(f"hamnd: {path} is refused, nothing was started; see also: {hint}", file=sys.stderr)  # noqa: T201
        return BAD_CONFIGURATION
    print(f"hamnd: {path} can be used", file=sys.stderr)  # noqa: T201
    return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hamnd",
        description=DESCRIPTION,
        epilog="Example: hamnd --config /etc/hamnd/hamnd.toml\nA simulated pair: hamnd demo",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", required=True, metavar="FILE", help="the configuration (TOML)")
    parser.add_argument(
        "--check",
        action="store_true",
        help="check the file and what this host has for it, then exit",
    )
    parser.add_argument("--version", action="version", version=f"hamnd {__version__}")
    return parser
