"""What a partner's listing may say, and what would lead out of the path."""

from __future__ import annotations

import pytest

from hamnd.pulling.line import PullError
from hamnd.pulling.listing import CHUNK_BYTES, Entry, Listing

ROOT = "/install/"


def taken(*chunks: bytes) -> list[Entry]:
    listing = Listing(("find",), ROOT, "mn1")
    return [entry for chunk in chunks for entry in listing.take(chunk)]


def told(path: bytes) -> bytes:
    return b"...\nf 7 1 12 1795310000.5 " + path + b"\0"


def test_entries_are_named_below_the_path_whatever_is_in_their_names() -> None:
    record = told(b"/install/a b\n..c/.d")
    assert [one.name for one in taken(record[:30], record[30:])] == [b"a b\n..c/.d"]


@pytest.mark.parametrize(
    "name",
    [b"/etc/passwd", b"/install/../etc/passwd", b"/install/a/../../etc", b"/install/./a",
     b"/install//etc", b"/install/a/"],
)  # fmt: skip
def test_a_name_that_leads_out_of_the_path_or_is_none_ends_the_listing(name: bytes) -> None:
    with pytest.raises(PullError, match="mn1: its listing cannot be read"):
        taken(told(name))


def test_a_name_without_an_end_is_not_kept_for_ever() -> None:
    with pytest.raises(PullError, match="mn1: its listing cannot be read"):
        taken(told(b"/install/a")[:-1], *(b"a" * CHUNK_BYTES for _ in range(8)))
