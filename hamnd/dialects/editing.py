"""Marking lines of a text that a program tells and another one takes (a crontab).

Owns what an `Edit` does to a text, its hashes, and the line of shell that does the same by hand.
Must not know crontabs, nor how the programs are run (adapters).
"""

from __future__ import annotations

import hashlib
import re

from hamnd.model.work import Edit


def sha256_of(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, as sha256sum prints it."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def marked(text: str, numbers: frozenset[int], mark: str) -> str:
    """Return the text with a mark before the lines of these numbers (from 1)."""
    lines = text.split("\n")
    return "\n".join(mark + one if at in numbers else one for at, one in enumerate(lines, 1))


def unmarked(text: str, numbers: frozenset[int], mark: str) -> str:
    """Undo `marked`."""
    lines = text.split("\n")
    return "\n".join(
        one.removeprefix(mark) if at in numbers else one for at, one in enumerate(lines, 1)
    )


def edited(text: str, edit: Edit) -> str | None:
    """Return what the text has to become; None when it is not the text that the edit was made for.

    A text that is edited already comes back as it is.
    """
    if sha256_of(text) == edit.result_sha256:
        return text
    if sha256_of(text) != edit.expected_sha256:
        return None
    numbers = frozenset(one.number for one in edit.lines)
    change = unmarked if edit.takes_mark_away else marked
    result = change(text, numbers, edit.mark)
    return result if sha256_of(result) == edit.result_sha256 else None


def sed_script(edit: Edit) -> str:
    """Return the edit as a script for sed: by line numbers, without any text of the lines."""
    mark = re.sub(r"([][\\/&.*^$])", r"\\\1", edit.mark)
    change = f"s/^{mark}//" if edit.takes_mark_away else f"s/^/{mark}/"
    return ";".join(f"{one.number}{change}" for one in edit.lines)
