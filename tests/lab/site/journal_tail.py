"""Print the records of a hamnd journal as they are written, one JSON line each: `FILE`.

Owns one read-only connection; a journal that is not there yet is waited for. MUST NOT import
anything of this project: it runs alone, inside a lab host.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import threading

POLL_S = 0.004
QUESTION = (
    "SELECT seq, what, step, outcome, evidence, preview FROM journal WHERE seq > ? ORDER BY seq"
)


def main() -> None:
    """Follow until killed."""
    address = f"file:{sys.argv[1]}?mode=ro"
    pause = threading.Event()
    last, connection = 0, None
    while not pause.wait(POLL_S):
        try:
            connection = connection or sqlite3.connect(address, uri=True, timeout=1.0)
            rows = connection.execute(QUESTION, (last,)).fetchall()
        except sqlite3.Error:
            connection = None
            continue
        for row in rows:
            last = row[0]
            sys.stdout.write(json.dumps(row) + "\n")
        if rows:
            sys.stdout.flush()


if __name__ == "__main__":
    main()
