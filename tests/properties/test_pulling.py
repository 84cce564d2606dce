"""Whatever happens to a tree, a pull by what changed makes it the same here.

Owns random edits of a real tree behind a real sshd. What is compared is everything that a copy has
to carry: kinds, contents, rights, times, links, and which names are one file.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.lab.two_sides import Sides, missing, two_sides

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"skipped: {missing()}"),
]

NAMES = (b"a", b"b", b"c d", b"e\nf", b"not\xffutf8", b"-n", b"*?[x]", b"\\#012", b".hidden")
SIZES = (0, 1, 7, 4096, 70_000)
MODES = (0o600, 0o640, 0o644, 0o755)

names = st.sampled_from(NAMES)
paths = st.lists(names, min_size=1, max_size=3).map(b"/".join)
edits = st.one_of(
    st.tuples(st.just("write"), paths, st.sampled_from(SIZES), st.integers(0, 255)),
    st.tuples(st.just("same_size_and_time"), paths),
    st.tuples(st.just("sparse"), paths),
    st.tuples(st.just("folder"), paths),
    st.tuples(st.just("link"), paths, paths),
    st.tuples(st.just("copied_over"), paths, paths),
    st.tuples(st.just("symlink"), paths, paths),
    st.tuples(st.just("rename"), paths, paths),
    st.tuples(st.just("swap"), paths, paths),
    st.tuples(st.just("remove"), paths),
    st.tuples(st.just("mode"), paths, st.sampled_from(MODES)),
    st.tuples(st.just("touch"), paths, st.integers(1, 2_000_000_000)),
)


class Tree:
    """One of the two trees, and the ways in which it is edited."""

    def __init__(self, root: Path) -> None:
        self.root = os.fsencode(root)

    def at(self, path: bytes) -> bytes:
        return os.path.join(self.root, path)

    def do(self, edit: tuple[object, ...]) -> None:
        """Do one edit; what cannot be done in this tree is left out."""
        word, *arguments = edit
        with contextlib.suppress(OSError):
            getattr(self, str(word))(*arguments)

    def _parent(self, path: bytes) -> None:
        os.makedirs(os.path.dirname(self.at(path)), exist_ok=True)

    def write(self, path: bytes, size: int, byte: int) -> None:
        self._parent(path)
        with open(self.at(path), "wb") as file:
            file.write(bytes([byte]) * size)

    def same_size_and_time(self, path: bytes) -> None:
        """The edit that no comparison of sizes and times can see."""
        before = os.lstat(self.at(path))
        if not stat.S_ISREG(before.st_mode) or before.st_size == 0:
            return
        with open(self.at(path), "r+b") as file:
            byte = file.read(1)[0]
            file.seek(0)
            file.write(bytes([255 - byte]))
        os.utime(self.at(path), ns=(before.st_atime_ns, before.st_mtime_ns))

    def sparse(self, path: bytes) -> None:
        self._parent(path)
        with open(self.at(path), "wb") as file:
            file.truncate(300_000)

    def folder(self, path: bytes) -> None:
        os.makedirs(self.at(path), exist_ok=True)

    def link(self, path: bytes, to: bytes) -> None:
        self._parent(to)
        os.link(self.at(path), self.at(to), follow_symlinks=False)

    def copied_over(self, path: bytes, to: bytes) -> None:
        """The same bytes as another file, in a file of its own: an end of a link."""
        shutil.copy2(self.at(path), self.at(to) + b".new", follow_symlinks=False)
        os.replace(self.at(to) + b".new", self.at(to))

    def symlink(self, path: bytes, to: bytes) -> None:
        self._parent(path)
        os.symlink(to, self.at(path))

    def rename(self, path: bytes, to: bytes) -> None:
        self._parent(to)
        os.rename(self.at(path), self.at(to))

    def swap(self, path: bytes, other: bytes) -> None:
        aside = self.at(b"aside")
        os.rename(self.at(path), aside)
        try:
            os.rename(self.at(other), self.at(path))
        finally:
            os.rename(aside, self.at(other if os.path.lexists(self.at(path)) else path))

    def remove(self, path: bytes) -> None:
        if os.path.isdir(self.at(path)) and not os.path.islink(self.at(path)):
            shutil.rmtree(self.at(path))
        else:
            os.unlink(self.at(path))

    def mode(self, path: bytes, mode: int) -> None:
        if not os.path.islink(self.at(path)):
            os.chmod(self.at(path), mode)

    def touch(self, path: bytes, when: int) -> None:
        os.utime(self.at(path), (when, when), follow_symlinks=False)

    def told(self) -> dict[bytes, tuple[object, ...]]:
        """Everything that a copy has to carry, by name."""
        found: dict[bytes, tuple[object, ...]] = {}
        groups: dict[int, list[bytes]] = {}
        for path in self._walk():
            full = self.at(path)
            one = os.lstat(full)
            content: object = None
            if stat.S_ISLNK(one.st_mode):
                content = os.readlink(full)
            elif stat.S_ISREG(one.st_mode):
                groups.setdefault(one.st_ino, []).append(path)
                content = Path(os.fsdecode(full)).read_bytes()
            found[path] = (one.st_mode, one.st_uid, one.st_gid, int(one.st_mtime), content)
        for together in groups.values():
            for path in together:
                found[path] = (*found[path], tuple(sorted(together)))
        return found

    def _walk(self) -> Iterator[bytes]:
        yield b"."
        for folder, folders, files in os.walk(self.root):
            for name in (*folders, *files):
                yield os.path.relpath(os.path.join(folder, name), self.root)


@pytest.fixture(scope="module")
def sides() -> Iterator[Sides]:
    with two_sides() as made:
        yield made


def empty(root: Path) -> None:
    for one in root.iterdir():
        shutil.rmtree(one) if one.is_dir() and not one.is_symlink() else one.unlink()


pulls = settings(
    max_examples=int(os.environ.get("HAMND_PULLS", "4")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def begun_anew(sides: Sides) -> tuple[Tree, Tree]:
    """Return both trees, empty, with nothing remembered of earlier pulls: there, and here."""
    empty(sides.there)
    empty(sides.here)
    shutil.rmtree(sides.folder, ignore_errors=True)
    return Tree(sides.there), Tree(sides.here)


@pytest.mark.timeout(900)
@pulls
@given(
    first=st.lists(edits, min_size=3, max_size=25),
    later=st.lists(st.lists(edits, min_size=1, max_size=10), min_size=1, max_size=2),
    here=st.lists(edits, max_size=2),
)
def test_any_edits_on_either_side_end_in_the_same_tree(
    sides: Sides,
    first: list[tuple[object, ...]],
    later: list[list[tuple[object, ...]]],
    here: list[tuple[object, ...]],
) -> None:
    there, ours = begun_anew(sides)
    for edit in first:
        there.do(edit)
    assert sides.pull()[0] == 0
    assert ours.told() == there.told()
    for number, some in enumerate(later):
        for edit in some:
            there.do(edit)
        for edit in here if number == 0 else ():
            ours.do(edit)
        code, facts = sides.pull()
        assert code == 0, facts
        assert ours.told() == there.told()
    code, facts = sides.pull(is_dry=True)
    assert code == 0
    assert facts.drift is not None
    assert facts.drift.count == 0


@pytest.mark.timeout(900)
@pulls
@given(
    first=st.lists(edits, min_size=3, max_size=25),
    later=st.lists(st.lists(edits, min_size=1, max_size=10), min_size=1, max_size=3),
    here=st.lists(edits, max_size=3),
)
def test_of_a_large_tree_edits_here_are_found_by_the_check_and_undone_by_the_next_pull(
    sides: Sides,
    first: list[tuple[object, ...]],
    later: list[list[tuple[object, ...]]],
    here: list[tuple[object, ...]],
) -> None:
    """Of a large tree this side is not listed each time, and the partner by two listings."""
    there, ours = begun_anew(sides)
    for some in (first, *later):
        for edit in some:
            there.do(edit)
        code, facts = sides.pull(large_from=0)
        assert code == 0, facts
        assert ours.told() == there.told()
    for edit in here:
        ours.do(edit)
    code, facts = sides.pull(large_from=0, is_dry=True)
    assert code == 0, facts
    assert facts.drift is not None
    assert (facts.drift.count == 0) == (ours.told() == there.told()), facts.drift
    assert sides.pull(large_from=0)[0] == 0
    assert ours.told() == there.told()
