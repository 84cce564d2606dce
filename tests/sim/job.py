"""A program of the simulated site that was started: when it ends and with what.

Owns the values that pass between programs and the world that waits for them. Must not know any
program.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class UnknownArgvError(AssertionError):
    """hamnd built a command that the simulated site has never heard of."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a program printed and how it ended."""

    exit_code: int = 0
    stdout: str = ""
    stderr: str = ""


Finish = Callable[[float], "Output | float"]
"""Ends a program at a true time; a number instead of an output says when to ask again."""


@dataclass(frozen=True, slots=True)
class Job:
    """A program under way. `survives`: what it began goes on without it (Db2's own server)."""

    seconds: float
    finish: Finish
    survives: bool = False


def at_once(output: Output, seconds: float = 0.005) -> Job:
    """Return a program that only prints."""
    return Job(seconds, lambda _: output)
