"""An xcatd for lab hosts: real TLS, the real database, the real servers, the measured behaviour.

Owns the server of xCAT's client protocol (xcat-hamn.md §4.3, §4.4, §9): one `<xcatrequest>` is
answered by `<xcatresponse>` elements, the last with `<serverdone>`. Without a readable database
every command is "Permission denied for request", exit 1; on a standby's database mkdef says that it
stored something and did not; started without a database it never listens. Called as
`xcatd.py pg|mysql|db2|sqlite HOST` where HOST is the database's, as cfgloc names it. Runs as a unit
of a lab host; MUST NOT import anything of this project but the modules beside it.
"""

from __future__ import annotations

import glob
import html
import os
import re
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import xcat_commands  # type: ignore[import-not-found]

PORT = 3001
REQUEST_BYTES_MAX = 65536
SHARED_S = 0.3
"""For so long one look at the database serves all requests: clients that gave up leave no pile."""
RETRY_S = 2.0
"""xcatd itself tries its database every 8 s; a lab should not be slower than it has to."""
STATEMENT_S = 60.0
TABLES = "/etc/xcat"
"""Where SQLite's tables are, one file each (xcat-hamn.md §3)."""
PSQL = max(glob.glob("/usr/lib/postgresql/*/bin/psql"), default="psql")
"""Debian's own psql is a wrapper in Perl that costs several times what it wraps."""
_COMMAND = re.compile(r"<command>([^<]*)</command>")
_ARGUMENT = re.compile(r"<arg>([^<]*)</arg>")
_UNREACHED = re.compile(r"^ERROR (20\d\d|1045|1040) ", re.MULTILINE)
_pause = threading.Event()
_clock = time.perf_counter


class DatabaseDown(Exception):
    """Nothing can be read."""


class Database:
    """Definitions by kind and name, kept in the site's own database."""

    def __init__(self, engine: str, host: str) -> None:
        self.engine = engine
        self.host = host
        self._lock = threading.Lock()
        self._looked = 0.0
        self._why: DatabaseDown | None = None

    def _run(self, statement: str) -> tuple[str, str]:
        """Run SQL; return its output, and its error when it was refused. Raises DatabaseDown."""
        if self.engine == "sqlite":
            return self._run_here(statement)
        if self.engine == "pg":
            where = f"host={self.host} user=xcatadm dbname=xcatdb connect_timeout=5"
            argv = [PSQL, "-X", "-q", "-A", "-t", "-d", where, "-c", statement]
        elif self.engine == "mysql":
            argv = ["mariadb", "--no-defaults", "-B", "-N", "--connect-timeout=5", "-h", self.host]
            argv += ["-u", "xcatadm", "-ponly-in-the-lab", "-e", statement]
        else:
            # A connection belongs to the shell that made it: no exec here.
            words = 'db2 connect to XCATDB || exit 4; db2 -x "$1" >&3; exit $?'
            argv = ["setpriv", "--reuid=xcatdb", "--regid=xcatdb", "--init-groups"]
            argv += ["sh", "-c", f"exec 3>&1 >&2; {words}", "sql", statement]
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=STATEMENT_S, check=False
        )
        if self.engine == "pg" and done.returncode == 2:
            raise DatabaseDown(done.stderr)
        if self.engine == "mysql" and _UNREACHED.search(done.stderr):
            raise DatabaseDown(done.stderr)
        if self.engine == "db2" and (done.returncode & 4):
            raise DatabaseDown(done.stdout + done.stderr)
        return done.stdout, done.stderr if done.returncode else ""

    def _run_here(self, statement: str) -> tuple[str, str]:
        """Run SQL on this node's own tables, one file each, as xCAT keeps them."""
        table = re.findall(r"xcat\.(\w+)", statement)[0]
        path = f"{TABLES}/{table}.sqlite"
        if not os.path.exists(path):
            raise DatabaseDown(f"{path} is not there")
        try:
            one = sqlite3.connect(path, timeout=30)
            try:
                with one:
                    rows = one.execute(statement.replace("xcat.", "")).fetchall()
            finally:
                one.close()
        except sqlite3.DatabaseError as error:
            if "readonly" in str(error) or "constraint" in str(error):
                return "", str(error)
            raise DatabaseDown(str(error)) from error
        return "".join(f"{row[0]}\n" for row in rows), ""

    def check(self) -> None:
        """Raise DatabaseDown unless the database can be read now."""
        with self._lock:
            if _clock() - self._looked > SHARED_S:
                try:
                    self.names("site")
                    self._why = None
                except (DatabaseDown, subprocess.TimeoutExpired) as error:
                    self._why = DatabaseDown(str(error))
                self._looked = _clock()
            if self._why is not None:
                raise self._why

    def names(self, kind: str) -> list[str]:
        """Return the names of all objects of a kind."""
        out, error = self._run(f"select name from xcat.{kind}")
        if error:
            raise DatabaseDown(error)
        return sorted(word.strip() for word in out.splitlines() if word.strip())

    def read(self, kind: str, name: str) -> dict[str, str] | None:
        """Return an object's attributes, or None when there is no such object."""
        if name not in self.names(kind):
            return None
        out, _ = self._run(f"select value from xcat.{kind} where name={_literal(name)}")
        return dict(one.partition("=")[::2] for one in out.strip().split("|") if "=" in one)

    def write(self, kind: str, name: str, attributes: dict[str, str] | None) -> bool:
        """Store or remove an object; False when the database takes no writes."""
        value = "|".join(f"{key}={text}" for key, text in sorted((attributes or {}).items()))
        if attributes is None:
            statement = f"delete from xcat.{kind} where name={_literal(name)}"
        elif name in self.names(kind):
            statement = (
                f"update xcat.{kind} set value={_literal(value)} where name={_literal(name)}"
            )
        else:
            statement = f"insert into xcat.{kind} values ({_literal(name)}, {_literal(value)})"
        return not self._run(statement)[1]

    @property
    def takes_writes(self) -> bool:
        """Whether a write would be stored."""
        if self.engine == "mysql":
            return self._run("select @@global.read_only")[0].strip() == "0"
        if self.engine != "pg":
            return True  # a Db2 standby cannot even be connected to
        return self._run("select pg_is_in_recovery()")[0].strip() == "f"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def respond(database: Database, request: str) -> str:
    """Return the whole answer to one request."""
    command = _COMMAND.search(request)
    if command is None:
        data, error = "", "No command"
    else:
        arguments = [html.unescape(word) for word in _ARGUMENT.findall(request)]
        try:
            database.check()
            data, error = xcat_commands.run(database, command[1], arguments)
        except (DatabaseDown, subprocess.TimeoutExpired):
            data, error = "", "Permission denied for request"
    lines = "".join(f"  <data>{html.escape(line)}</data>\n" for line in data.splitlines())
    if error:
        lines += f"  <error>{html.escape(error)}</error>\n  <errorcode>1</errorcode>\n"
    done = "<xcatresponse>\n  <serverdone></serverdone>\n</xcatresponse>\n"
    return f"<xcatresponse>\n{lines}</xcatresponse>\n{done}" if lines else done


def serve(connection: socket.socket, context: ssl.SSLContext, database: Database) -> None:
    """Answer one client."""
    try:
        with context.wrap_socket(connection, server_side=True) as secure:
            text = b""
            while b"</xcatrequest>" not in text and len(text) < REQUEST_BYTES_MAX:
                part = secure.recv(4096)
                if not part:
                    return
                text += part
            secure.sendall(respond(database, text.decode(errors="replace")).encode())
    except OSError:
        return  # the client went away


def main() -> None:
    """Wait for the database, then listen for ever."""
    database = Database(sys.argv[1], sys.argv[2])
    while True:
        try:
            database.check()
            break
        except (DatabaseDown, subprocess.TimeoutExpired) as error:
            sys.stderr.write(
                f"Failed to connect to site table after retrying 3 times: {error}\n"
                "Could not connect to the database. Database handle not defined.\n"
            )
            sys.stderr.flush()
            _pause.wait(RETRY_S)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/etc/xcat/cert/server-cred.pem")
    server = socket.create_server(
        ("", PORT), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64
    )
    with server as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(
                target=serve, args=(connection, context, database), daemon=True
            ).start()


if __name__ == "__main__":
    main()
