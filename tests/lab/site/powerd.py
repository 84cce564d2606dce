"""The program inside the power controller's host: a port on the network before the lab's own hand.

Owns nothing but the way from a TCP connection to the unix socket through which the lab is asked: a
controller that is cut off, frozen or dead is so by its host's own fate. MUST NOT import anything of
this project: it runs alone.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading

PORT = 6230
LINE_BYTES_MAX = 65536


def serve(connection: socket.socket, place: str) -> None:
    """Pass one request on and one answer back; a request that is never answered stays so."""
    with connection, contextlib.suppress(OSError):
        request = connection.makefile("rb").readline(LINE_BYTES_MAX)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as hand:
            hand.connect(place)
            hand.sendall(request)
            connection.sendall(hand.makefile("rb").readline(LINE_BYTES_MAX))


def main() -> None:
    """Listen for ever."""
    place = sys.argv[1]
    with socket.create_server(("", PORT)) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, place), daemon=True).start()


if __name__ == "__main__":
    main()
