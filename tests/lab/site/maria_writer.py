"""Insert numbered rows and say which were acknowledged: `maria_writer.py HOST USER DATABASE PAUSE`.

Owns one client at a time. Prints N when, and only when, its commit was acknowledged; `? N` when the
connection was lost before an answer to N came, which is then neither lost nor kept. Goes on with
the next number when the database is there again. Runs inside a lab host; MUST NOT import anything
of this project.
"""

from __future__ import annotations

import subprocess
import sys
import threading

LIMIT = 100_000_000


def connect(host: str, user: str, database: str) -> subprocess.Popen[str]:
    """Start a client that answers each line, and goes on after a refusal."""
    argv = ("mariadb", "--no-defaults", "-h", host, "-u", user, "--connect-timeout=1")
    return subprocess.Popen(
        [*argv, "--batch", "--skip-column-names", "--unbuffered", "--force", database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        bufsize=1,
    )


def insert(client: subprocess.Popen[str], number: int) -> bool | None:
    """Insert one row: True when acknowledged, False when refused, None when nobody answers."""
    assert client.stdin is not None
    assert client.stdout is not None
    try:
        # The client prints what RETURNING sent once the server said that the statement is over.
        client.stdin.write(f"INSERT INTO lab_rows VALUES ({number}) RETURNING n; SELECT 'end';\n")
        client.stdin.flush()
    except OSError:
        return None
    first = client.stdout.readline().strip()
    if first == "end":
        return False  # a read-only database said no
    if first != str(number) or client.stdout.readline().strip() != "end":
        return None
    return True


def main() -> None:
    """Write until killed."""
    host, user, database, pause_s = *sys.argv[1:4], float(sys.argv[4])
    pause = threading.Event()
    client = connect(host, user, database)
    for number in range(1, LIMIT):
        answer = insert(client, number)
        mark = {True: "", False: "! ", None: "? "}[answer]
        sys.stdout.write(f"{mark}{number}\n")
        sys.stdout.flush()
        if answer is None:
            client.kill()
            client.wait()
            pause.wait(0.2)
            client = connect(host, user, database)
        else:
            pause.wait(pause_s)


if __name__ == "__main__":
    main()
