"""About half of a tree is named by its upper folders, from a listing that only goes by once."""

from __future__ import annotations

import random

from hamnd.pulling.halves import DEPTH_MAX, Weights


def listed(weights: Weights, tree: dict[str, int]) -> int:
    """Let a tree go by as find lists it: folders with how many files they have themselves."""
    entries = 0
    for name, files in sorted(tree.items(), key=lambda one: one[0].split("/")):
        weights.take(name.encode(), entries)
        entries += 1 + files
    return entries


def weight(tree: dict[str, int], chosen: tuple[bytes, ...]) -> int:
    below = [f"{one.decode()}/" for one in chosen]
    return sum(
        1 + files for name, files in tree.items() if f"{name}/".startswith(tuple(below) or ("\0",))
    )


def test_equal_folders_are_parted_in_the_middle() -> None:
    tree = {"": 0, **{f"{number:02d}": 99 for number in range(10)}}
    weights = Weights()
    half = weights.half(listed(weights, tree))
    assert half == (b"00", b"01", b"02", b"03", b"04")


def test_one_folder_that_has_nearly_all_is_parted_itself() -> None:
    tree = {"": 3, "os": 5, "os/a": 400, "os/ab": 10, "os/b": 400, "post": 20}
    weights = Weights()
    half = weights.half(listed(weights, tree))
    assert half == (b"os/a", b"os/ab")


def test_never_more_than_half_and_never_a_folder_twice() -> None:
    for seed in range(200):
        rolled = random.Random(seed)
        tree = {"": rolled.randrange(20)}
        for _ in range(rolled.randrange(40)):
            parent = rolled.choice(list(tree))
            name = f"{parent}/{rolled.randrange(9)}".lstrip("/")
            tree.setdefault(name, rolled.randrange(50))
        weights = Weights()
        entries = listed(weights, tree)
        half = weights.half(entries)
        assert weight(tree, half) <= entries // 2, seed
        assert all(one.count(b"/") < DEPTH_MAX for one in half)
        folders = [one + b"/" for one in half]
        assert not any(a != b and b.startswith(a) for a in folders for b in folders), seed
