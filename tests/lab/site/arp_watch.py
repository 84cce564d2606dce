"""Ask everybody on the wire who owns an address, again and again: `arp_watch.py INTERFACE ADDRESS`.

Owns one raw socket of the third host it runs on. Prints, for each round of a tenth of a second in
which the answer changed, the hardware addresses that answered, or "nobody"; two in one line are two
owners. MUST NOT import anything of this project: it runs alone, inside a lab host.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import sys
import time

ROUND_S = 0.1
ETH_P_ARP = 0x0806
SIOCGIFHWADDR = 0x8927
REQUEST, REPLY = 1, 2
FRAME = struct.Struct("!6s6sHHHBBH6s4s6s4s")
EVERYBODY, NOBODY_YET = b"\xff" * 6, b"\x00" * 6

_clock = time.perf_counter


def main() -> None:
    """Ask until killed."""
    interface, target = sys.argv[1], socket.inet_aton(sys.argv[2])
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
    wire.bind((interface, ETH_P_ARP))
    request = struct.pack("256s", interface.encode())
    own = fcntl.ioctl(wire.fileno(), SIOCGIFHWADDR, request)[18:24]
    # From 0.0.0.0, as a duplicate-address check asks: nobody's table of neighbours changes by it.
    header = (EVERYBODY, own, ETH_P_ARP, 1, 0x0800, 6, 4, REQUEST)
    question = FRAME.pack(*header, own, bytes(4), NOBODY_YET, target)
    before: set[str] | None = None
    while True:
        owners: set[str] = set()
        until = _clock() + ROUND_S
        with contextlib.suppress(OSError):  # without carrier nobody can answer
            wire.send(question)
        while (left := until - _clock()) > 0:
            wire.settimeout(left)
            try:
                frame = wire.recv(2048)
            except TimeoutError:
                break
            except OSError:
                continue
            if len(frame) >= FRAME.size:
                fields = FRAME.unpack(frame[: FRAME.size])
                if fields[7] == REPLY and fields[9] == target:
                    owners.add(fields[8].hex(":"))
        if owners != before:
            sys.stdout.write(f"{' '.join(sorted(owners)) or 'nobody'}\n")
            sys.stdout.flush()
            before = owners


if __name__ == "__main__":
    main()
