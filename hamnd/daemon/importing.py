"""`hamnd import-cron`: reads a crontab and prints the file sets that would do the same.

Owns the arguments of that command. Changes nothing: what it prints is for a person to read. Must
not know how a line becomes a set (hamnd.settings.importing).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hamnd.settings.importing import propose

BYTES_MAX = 1_048_576


def main(argv: Sequence[str]) -> int:
    """Print the proposal and return 0; 2 where the crontab cannot be read."""
    parser = argparse.ArgumentParser(
        prog="hamnd import-cron",
        description="Read a crontab that copies files, and propose file sets that do the same.",
        epilog="example: ssh aixmn1 crontab -l | hamnd import-cron",
    )
    parser.add_argument(
        "file", nargs="?", default="-", metavar="FILE", help="a crontab; - is stdin"
    )
    parser.add_argument(
        "--system", action="store_true", help="its lines have a user, as in /etc/crontab"
    )
    args = parser.parse_args(argv)
    try:
        raw = sys.stdin.buffer.read(BYTES_MAX) if args.file == "-" else _read(args.file)
    except OSError as error:
        sys.stderr.write(f"hamnd import-cron: {args.file}: {error.strerror}\n")
        return 2
    sys.stdout.write(propose(raw.decode("utf-8", errors="replace"), args.system))
    return 0


def _read(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(BYTES_MAX)
