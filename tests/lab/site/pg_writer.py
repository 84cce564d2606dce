"""Insert numbered rows one by one and say which were acknowledged: `pg_writer.py CONNINFO PAUSE`.

Owns one psql at a time. Prints N when, and only when, its commit was acknowledged; `? N` when
the connection was lost before an answer to N came, which is then neither lost nor kept. Goes on
with the next number when the database is there again. Runs inside a lab host; MUST NOT import
anything of this project.
"""

from __future__ import annotations

import glob
import subprocess
import sys
import threading

LIMIT = 100_000_000
PSQL = max(glob.glob("/usr/lib/postgresql/*/bin/psql"), default="psql")
"""Not Debian's wrapper: a signal would end only that."""


def connect(conninfo: str) -> subprocess.Popen[str]:
    """Start a psql that answers each line."""
    return subprocess.Popen(
        [PSQL, "-X", "-q", "-A", "-t", "-d", conninfo],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        bufsize=1,
    )


def insert(psql: subprocess.Popen[str], number: int) -> bool | None:
    """Insert one row: True when acknowledged, False when refused, None when nobody answers."""
    assert psql.stdin is not None
    assert psql.stdout is not None
    try:
        # RETURNING is printed after the commit: one statement is one transaction here.
        psql.stdin.write(f"INSERT INTO lab_rows VALUES ({number}) RETURNING n;\n\\echo end\n")
        psql.stdin.flush()
    except OSError:
        return None
    first = psql.stdout.readline().strip()
    if first == "end":
        return False  # a read-only database said no
    if first != str(number) or psql.stdout.readline().strip() != "end":
        return None
    return True


def main() -> None:
    """Write until killed."""
    conninfo, pause_s = sys.argv[1], float(sys.argv[2])
    pause = threading.Event()
    psql = connect(conninfo)
    for number in range(int(sys.argv[3]) if len(sys.argv) > 3 else 1, LIMIT):
        answer = insert(psql, number)
        if answer:
            sys.stdout.write(f"{number}\n")
        else:
            sys.stdout.write(f"? {number}\n" if answer is None else f"! {number}\n")
        sys.stdout.flush()
        if answer is None:
            psql.kill()
            psql.wait()
            pause.wait(0.2)
            psql = connect(conninfo)
        else:
            pause.wait(pause_s)


if __name__ == "__main__":
    main()
