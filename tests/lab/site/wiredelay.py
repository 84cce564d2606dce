#!/usr/bin/env python3
"""Relay a bridge port's frames late: `wiredelay.py PORT BRIDGE TAP delay jitter loss twice`.

Owns one port for as long as it runs: it takes PORT off BRIDGE, puts a TAP in its place and carries
frames both ways with a delay and jitter in milliseconds, loss and duplicates in percent. Prints
"ready" when it does; on SIGTERM, or when its input ends, PORT goes back. Stands in for tc netem,
which not every kernel has. MUST NOT import anything of this project: it runs alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
TAP_WITHOUT_HEADER = 0x0002 | 0x1000
ETH_P_ALL = 3
PACKET_OUTGOING = 4
FRAME_BYTES_MAX = 65535
FRAMES_MAX = 20_000
BURST = 64

_clock = time.perf_counter


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _receive(source: socket.socket | int) -> tuple[bytes, bool] | None:
    """Return a frame and whether we ourselves sent it; None: no more, or the link is down."""
    try:
        if isinstance(source, int):
            return os.read(source, FRAME_BYTES_MAX), False
        frame, sender = source.recvfrom(FRAME_BYTES_MAX)
    except OSError:
        return None
    return frame, sender[2] == PACKET_OUTGOING


def relay(
    wire: socket.socket, tap: int, delay: float, jitter: float, loss: float, twice: float
) -> None:
    """Carry frames until told to stop."""
    waiting: list[tuple[float, int, bool, bytes]] = []
    count = 0
    while True:
        limit = max(0.0, waiting[0][0] - _clock()) if waiting else None
        sources: list[socket.socket | int] = [tap, wire, 0]
        for source in select.select(sources, [], [], limit)[0]:
            if source == 0:  # whoever started us is gone
                return
            for _ in range(BURST):
                received = _receive(source)
                if received is None:
                    break
                frame, is_ours = received
                if is_ours or len(waiting) >= FRAMES_MAX:
                    continue
                for _ in range(2 if random.random() * 100 < twice else 1):
                    if random.random() * 100 >= loss:
                        count += 1
                        due = _clock() + max(0.0, random.gauss(delay, jitter)) / 1000
                        heapq.heappush(waiting, (due, count, source is wire, frame))
        while waiting and waiting[0][0] <= _clock():
            _, _, to_tap, frame = heapq.heappop(waiting)
            with contextlib.suppress(OSError):
                if to_tap:
                    os.write(tap, frame)
                else:
                    wire.send(frame)


def main() -> None:
    """Put the relay in, run it, take it out."""
    port, bridge, name = sys.argv[1:4]
    numbers = [float(word) for word in sys.argv[4:8]]
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    request = struct.pack("16sH22x", name.encode(), TAP_WITHOUT_HEADER)
    fcntl.ioctl(tap, TUNSETIFF, request)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _ip("link", "set", port, "nomaster")
    try:
        _ip("link", "set", port, "promisc", "on")
        _ip("link", "set", name, "master", bridge, "up")
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        wire.bind((port, 0))
        wire.setblocking(False)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        relay(wire, tap, *numbers)
    finally:
        # The host may have lost its power meanwhile, and its port with it.
        subprocess.run(["ip", "link", "set", port, "master", bridge], check=False)


if __name__ == "__main__":
    main()
