"""Insert numbered rows into one SQLite table and say which were acknowledged: `… FILE PAUSE`.

Prints N when, and only when, its commit returned. Runs inside a lab host and dies with it; MUST NOT
import anything of this project.
"""

from __future__ import annotations

import sqlite3
import sys
import threading


def main() -> None:
    """Write until killed."""
    path, pause_s = sys.argv[1], float(sys.argv[2])
    pause = threading.Event()
    table = sqlite3.connect(path, timeout=30)
    number = 0
    while not pause.wait(pause_s):
        number += 1
        try:
            table.execute("INSERT INTO lab_rows VALUES (?)", (number,))
            table.commit()
        except sqlite3.Error as error:
            table.rollback()
            sys.stdout.write(f"! {number} {error}\n")
        else:
            sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
