"""How a list is told that may be longer than a line bears.

Owns the cut and what it says of the rest. Must not know what is listed.
"""

from __future__ import annotations

from collections.abc import Sequence


def first_of(words: Sequence[str], most: int, joint: str = ", ") -> str:
    """Return the first words, joined, and how many more there are: `a, b and 3 more`."""
    shown, more = joint.join(words[:most]), len(words) - most
    return f"{shown} and {more} more" if more > 0 else shown
