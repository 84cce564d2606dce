"""Changing lines of a text that a program tells and another one takes: a crontab, a file.

Owns what an `Edit` does to a text, its hashes, and the line of shell that does the same by hand.
Must not know crontabs, nor how the programs are run (adapters).
"""

from __future__ import annotations

import hashlib
import re

from hamnd.model.work import Edit

_PUT = (
    't=$(mktemp "$1.XXXXXX") && cat >"$t" && chmod --reference="$1" "$t" '
    '&& chown --reference="$1" "$t" && { sync "$t" || sync; } && mv "$t" "$1" && '
    '{ sync "${1%/*}" || sync; }'
)
"""After a power cut there is the old file or the new one, never an empty one: a file system may
write the new name down before what is in the file (XFS; rename(2), fsync(2))."""


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


def swapped(text: str, numbers: frozenset[int], words: tuple[str, str]) -> str:
    """Return the text with one whole word in place of another in the lines of these numbers."""
    pattern = whole_word(words[0])
    lines = text.split("\n")
    return "\n".join(
        pattern.sub(lambda _: words[1], one) if at in numbers else one
        for at, one in enumerate(lines, 1)
    )


def whole_word(word: str) -> re.Pattern[str]:
    """Return what finds an address or name that is not a part of a longer one."""
    return re.compile(rf"(?<![\w.:-]){re.escape(word)}(?![\w.:-])")


def put(path: str) -> tuple[str, ...]:
    """Return the program that takes a file's new text: the file is replaced as a whole."""
    return ("sh", "-c", _PUT, "hamnd-put", path)


def edited(text: str, edit: Edit) -> str | None:
    """Return what the text has to become; None when it is not the text that the edit was made for.

    A text that is edited already comes back as it is.
    """
    if sha256_of(text) == edit.result_sha256:
        return text
    if sha256_of(text) != edit.expected_sha256:
        return None
    numbers = frozenset(one.number for one in edit.lines)
    if edit.swaps is not None:
        result = swapped(text, numbers, edit.swaps)
        return result if sha256_of(result) == edit.result_sha256 else None
    change = unmarked if edit.takes_mark_away else marked
    result = change(text, numbers, edit.mark)
    return result if sha256_of(result) == edit.result_sha256 else None


def sed_script(edit: Edit) -> str:
    """Return the edit as a script for sed: by line numbers, without any text of the lines."""
    if edit.swaps is not None:
        old, new = (re.sub(r"([][\\/&.*^$])", r"\\\1", word) for word in edit.swaps)
        border = "[^[:alnum:]_.:-]"
        # Twice: one border cannot end a match and begin the next one.
        once = f"s/(^|{border}){old}($|{border})/\\1{new}\\2/g"
        return ";".join(f"{one.number}{{{once};{once};}}" for one in edit.lines)
    mark = re.sub(r"([][\\/&.*^$])", r"\\\1", edit.mark)
    change = f"s/^{mark}//" if edit.takes_mark_away else f"s/^/{mark}/"
    return ";".join(f"{one.number}{change}" for one in edit.lines)
