"""Tells the supervisor how the daemon is doing.

Owns `SystemdSupervisor` (sd_notify(3), by datagram, without libsystemd) and `NoSupervisor` for
AIX's System Resource Controller, which has no such channel. Must not know why it is told.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping

from hamnd.ports import Clock, Supervisor


class NoSupervisor:
    """Nobody listens (port `Supervisor`)."""

    def ready(self) -> None:
        """Do nothing."""

    def status(self, sentence: str) -> None:
        """Do nothing."""

    def alive(self) -> None:
        """Do nothing."""

    def reloading(self) -> None:
        """Do nothing."""

    def stopping(self) -> None:
        """Do nothing."""


class SystemdSupervisor:
    """Sends state changes to the socket that systemd named (port `Supervisor`)."""

    def __init__(self, address: str, clock: Clock) -> None:
        """Take the value of NOTIFY_SOCKET: a path, or `@name` in the abstract name space."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._clock = clock

    def ready(self) -> None:
        """Say that monitoring runs; also ends a reload."""
        self._send("READY=1")

    def status(self, sentence: str) -> None:
        """Publish one line for `systemctl status`."""
        self._send("STATUS=" + " ".join(sentence.split()))

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """Say that the configuration is being read again.

        Type=notify-reload wants the time of it, in microseconds of CLOCK_MONOTONIC.
        """
        microseconds = int(self._clock.now().monotonic_s * 1_000_000)
        self._send(f"RELOADING=1\nMONOTONIC_USEC={microseconds}")

    def stopping(self) -> None:
        """Say that hamnd is draining."""
        self._send("STOPPING=1")

    def _send(self, state: str) -> None:
        # A supervisor that went away, or whose queue is full, must not stop hamnd.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel,
        ):
            channel.setblocking(False)
            channel.sendto(state.encode(), self._address)


def find_supervisor(environment: Mapping[str, str], clock: Clock) -> Supervisor:
    """Return the supervisor that the environment names, or one that does nothing."""
    address = environment.get("NOTIFY_SOCKET", "")
    if address.startswith(("/", "@")):
        return SystemdSupervisor(address, clock)
    return NoSupervisor()
