"""xCAT's client program, under the name of each command: sends its argv, prints the answer.

Owns the client's words and exit codes (xcat-hamn.md §4.4): 111 without an xcatd, 1 for an error,
and no time limit of its own. It talks to localhost:3001 or XCATHOST, verifies the CA and not the
name. Runs inside a lab host; MUST NOT import anything of this project.
"""

from __future__ import annotations

import html
import os
import re
import socket
import ssl
import sys

NO_DAEMON = 111
_DATA = re.compile(r"<data>([^<]*)</data>")
_ERROR = re.compile(r"<error>([^<]*)</error>")


def no_daemon(where: str, why: str) -> int:
    """Say what the Perl client says when nothing listens."""
    sys.stderr.write(
        f"Connection failure: IO::Socket::INET: connect: {why} at Client.pm line 242.\n"
    )
    sys.stdout.write(
        f"Unable to open socket connection to xcatd daemon on {where}.\n"
        "Verify that the xcatd daemon is running and that your SSL setup is correct.\n"
    )
    return NO_DAEMON


def main() -> int:
    """Ask, print, return the exit code."""
    command = os.path.basename(sys.argv[0])
    where = os.environ.get("XCATHOST", "localhost:3001")
    host, _, port = where.rpartition(":")
    arguments = "".join(f"  <arg>{html.escape(word)}</arg>\n" for word in sys.argv[1:])
    request = f"<xcatrequest>\n  <command>{command}</command>\n{arguments}</xcatrequest>\n"
    home = os.environ.get("HOME", "/root")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    try:
        context.load_verify_locations(f"{home}/.xcat/ca.pem")
        context.load_cert_chain(f"{home}/.xcat/client-cred.pem")
        with socket.create_connection((host or where, int(port))) as plain:
            plain.settimeout(None)
            with context.wrap_socket(plain) as secure:
                secure.sendall(request.encode())
                answer = b""
                while b"<serverdone>" not in answer:
                    part = secure.recv(65536)
                    if not part:
                        break
                    answer += part
    except OSError as error:
        return no_daemon(where, error.strerror or str(error))
    text = answer.decode(errors="replace")
    for line in _DATA.findall(text):
        sys.stdout.write(html.unescape(line) + "\n")
    errors = _ERROR.findall(text)
    for line in errors:
        sys.stderr.write(f"Error: {html.unescape(line)}\n")
    return 1 if errors or "<serverdone>" not in text else 0


if __name__ == "__main__":
    sys.exit(main())
