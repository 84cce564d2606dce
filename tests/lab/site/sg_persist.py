#!/usr/bin/python3 -I
"""A stand-in for sg_persist(8): persistent reservations of SPC-4, kept on the disk itself.

Owns registrations and the reservation of type 5 as sg3_utils' manual describes them, at the start
of the device, which other hosts reach too. Runs inside a host; knows nothing of this package. The
file /etc/refuse-preempt makes it a disk that lets nobody take what another one holds.
"""

import json
import os
import sys
from typing import Any

CONFLICT = 24
"""SG_LIB_CAT_RES_CONFLICT of sg3_utils."""
SIZE = 4096


def main() -> int:
    words = sys.argv[1:]
    device, options = words[-1], words[:-1]
    values = dict(one[2:].split("=", 1) for one in options if "=" in one)
    file = os.open(device, os.O_RDWR | os.O_SYNC)
    raw = os.pread(file, SIZE, 0)
    known: dict[str, Any] = {"keys": {}, "holder": ""}
    if raw.startswith(b"{"):
        known = json.loads(raw.rstrip(b"\0"))
    if "--in" in options:
        return tell(options, known["keys"], known["holder"])
    if not change(options, values, known):
        sys.stderr.write("persistent reserve out: scsi status: Reservation Conflict\n")
        return CONFLICT
    os.pwrite(file, json.dumps(known).encode().ljust(SIZE, b"\0"), 0)
    return 0


def tell(options: list[str], keys: dict[str, str], holder: str) -> int:
    lines = ["LIO-ORG   shared            4.0", "Peripheral device type: disk"]
    if "--read-keys" in options:
        lines.append(
            f"PR generation=0x1, {len(keys) or 'there are NO'} registered reservation keys"
        )
        lines += [f"  0x{one}" for one in keys.values()]
    elif holder:
        lines += ["PR generation=0x1, Reservation follows:", f"  Key=0x{holder}"]
        lines.append("  scope: LU_SCOPE,  type: Write Exclusive, registrants only")
    else:
        lines.append("PR generation=0x1, there is NO reservation held")
    sys.stdout.write("".join(f"  {line}\n" for line in lines))
    return 0


def change(options: list[str], values: dict[str, str], known: dict[str, Any]) -> bool:
    me, keys = os.uname().nodename, known["keys"]
    ours, named = values.get("param-rk", ""), values.get("param-sark", "")
    if "--register-ignore" in options:
        keys[me] = named
        return True
    if keys.get(me) != ours:
        return False
    if "--reserve" in options:
        if known["holder"] not in ("", ours):
            return False
        known["holder"] = ours
        return True
    if "--preempt" not in options or os.path.exists("/etc/refuse-preempt"):
        return False
    known["keys"] = {host: key for host, key in keys.items() if key != named}
    if known["holder"] == named:
        known["holder"] = ours
    return True


if __name__ == "__main__":
    sys.exit(main())
