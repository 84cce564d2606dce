"""The process that is a Db2 instance on a lab host: it carries HADR's heartbeats over real TCP.

Owns one end of the pair's link: it listens on the HADR port, keeps a connection to the partner's,
sends a beat every 50 ms and reports each beat it hears, with its age, to the lab's model. The
model's link is as whole as these beats say; when this process is killed, the instance is. Called
as `db2sysc.py SOCKET NAME PORT PARTNER`. MUST NOT import anything of this project: it runs alone.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import sys
import threading
import time

BEAT_S = 0.05
PATIENCE_S = 1.0
BEAT = struct.Struct("!d")

_clock = time.perf_counter  # the machine's, and so the same on both hosts
_pause = threading.Event()


def beat_for_ever(address: str, port: int) -> None:
    """Keep a connection to the partner and send beats; a dead connection is made anew."""
    while True:
        with contextlib.suppress(OSError), socket.create_connection((address, port), 1.0) as wire:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(PATIENCE_S * 1000))
            wire.settimeout(PATIENCE_S)
            while True:
                wire.sendall(BEAT.pack(_clock()))
                _pause.wait(BEAT_S)
        _pause.wait(BEAT_S)


def hear_for_ever(port: int, model: socket.socket) -> None:
    """Report the age of every beat that arrives."""
    watch = selectors.DefaultSelector()
    listener = socket.create_server(("", port))
    watch.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in watch.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                watch.register(connection, selectors.EVENT_READ)
                continue
            wire = key.fileobj
            assert isinstance(wire, socket.socket)
            try:
                data = wire.recv(BEAT.size * 64)
            except OSError:
                data = b""
            if not data:
                watch.unregister(wire)
                wire.close()
            elif len(data) % BEAT.size == 0:
                age = _clock() - BEAT.unpack(data[-BEAT.size :])[0]
                model.sendall(f"{age:.6f}\n".encode())


def main() -> None:
    """Run until killed, or until the model goes away."""
    place, name, port, partner = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as model:
        model.connect(place)
        model.sendall(f"{name}\n".encode())
        threading.Thread(target=beat_for_ever, args=(partner, port), daemon=True).start()
        with contextlib.suppress(OSError):
            hear_for_ever(port, model)


if __name__ == "__main__":
    main()
