"""The two clocks of hamnctl, and the only way it waits.

Owns every reading of a clock in this room: the age of a journal needs the wall, limits and stop
watches the monotonic one. Must not know what they are used for.
"""

from __future__ import annotations

import select
import time


def wall_s() -> float:
    """Return the wall time in epoch seconds."""
    return time.time()  # noqa: TID251  # this room has no adapters; its clock is here alone


def monotonic_s() -> float:
    """Return the monotonic time in seconds."""
    return time.monotonic()  # noqa: TID251  # as above


def pause(seconds: float) -> None:
    """Wait; an interrupt from the keyboard ends it."""
    select.select([], [], [], seconds)
