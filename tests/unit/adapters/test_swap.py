"""Switching a staged set into its place: at once, the previous one kept, never half."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hamnd.adapters import files
from hamnd.adapters.clock import SystemClock
from hamnd.model.work import Ending, Place, Report, Swap


async def swap(place: Path, *more: str) -> Report:
    places = tuple(
        Place(*(str(place / folder / name) for folder in ("new", "", "old")))
        for name in ("ca", *more)
    )
    return await files.LocalFiles(SystemClock()).swap(Swap("aixmn2", places), 5.0)


@pytest.fixture(params=["exchange", "two renames"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set that is staged beside the one in force, on systems that can exchange and others."""
    if request.param == "two renames":
        monkeypatch.setattr(files, "_exchange", lambda one, other: False)
    for folder, text in (("new/ca", "fresh"), ("ca", "stale"), ("old/ca", "ancient")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "ca-cert.pem").write_text(text)
    return tmp_path


def held(place: Path) -> dict[str, str]:
    return {str(path.parent.relative_to(place)): path.read_text() for path in place.rglob("*.pem")}


async def swap_back(place: Path, *names: str) -> Report:
    """The way back: what was kept is staged, and what was staged is kept."""
    places = tuple(
        Place(*(str(place / folder / name) for folder in ("old", "", "new"))) for name in names
    )
    return await files.LocalFiles(SystemClock()).swap(Swap("aixmn2", places), 5.0)


async def test_the_staged_set_is_in_force_and_the_previous_one_is_kept(place: Path) -> None:
    report = await swap(place)
    assert (report.ending, report.exit_code) == (Ending.EXITED, 0)
    assert held(place) == {"ca": "fresh", "old/ca": "stale"}


async def test_without_anything_staged_nothing_happens(place: Path) -> None:
    await swap(place)
    report = await swap(place)
    assert report.exit_code == files.NOTHING_STAGED
    assert "new/ca is not there" in report.stderr
    assert held(place) == {"ca": "fresh", "old/ca": "stale"}


async def test_a_set_that_was_never_there_is_simply_put(place: Path) -> None:
    (place / "ca/ca-cert.pem").unlink()
    (place / "ca").rmdir()
    assert (await swap(place)).exit_code == 0
    assert held(place) == {"ca": "fresh"}


async def test_files_are_switched_like_folders(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "old").mkdir()
    (tmp_path / "new/ca").write_text("fresh")
    (tmp_path / "ca").write_text("stale")
    assert (await swap(tmp_path)).exit_code == 0
    assert (tmp_path / "ca").read_text() == "fresh"
    assert (tmp_path / "old/ca").read_text() == "stale"


async def test_a_second_rename_that_fails_takes_the_first_one_back(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def fails_once_staged(source: str, target: str) -> None:
        if str(source).endswith("new/ca"):
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(files, "_exchange", lambda one, other: False)
    monkeypatch.setattr(os, "rename", fails_once_staged)
    report = await swap(place)
    assert report.exit_code == 1
    assert "Input/output error" in report.stderr
    assert held(place) == {"ca": "stale", "new/ca": "fresh"}


def with_certificates(place: Path) -> Path:
    """Stage a second path beside the first one."""
    for folder, text in (("new/cert", "fresh"), ("cert", "stale")):
        (place / folder).mkdir()
        (place / folder / "server-cred.pem").write_text(text)
    return place


async def test_a_set_of_several_paths_is_switched_whole(place: Path) -> None:
    assert (await swap(with_certificates(place), "cert", "hostkeys")).exit_code == 0
    fresh, stale = {"ca": "fresh", "cert": "fresh"}, {"old/ca": "stale", "old/cert": "stale"}
    assert held(place) == fresh | stale


async def test_of_a_set_whose_last_path_cannot_be_switched_none_is(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a set of paths that are in force and one that never was, when the file system fails at
    the last one, then nodes trust what they trusted before, and what was staged is staged still."""
    rename, exchange = os.rename, files._exchange

    def fails(source: str, target: str) -> None:
        if source.endswith("new/cert") or target.endswith("new/cert"):
            raise OSError(5, "Input/output error", source)

    def renames(source: str, target: str) -> None:
        fails(source, target)
        rename(source, target)

    def exchanges(one: str, other: str) -> bool:
        fails(one, other)
        return exchange(one, other)

    (with_certificates(place) / "new/hostkeys").mkdir()
    monkeypatch.setattr(files, "_exchange", exchanges)
    monkeypatch.setattr(os, "rename", renames)
    report = await swap(place, "hostkeys", "cert")
    assert (report.exit_code, "new/cert: Input/output error" in report.stderr) == (1, True)
    staged = {"new/ca": "fresh", "new/cert": "fresh"}
    assert held(place) == {"ca": "stale", "cert": "stale"} | staged
    assert (place / "new/hostkeys").is_dir()
    assert not (place / "hostkeys").exists()


async def test_a_place_that_cannot_keep_the_previous_one_is_no_empty_stage(place: Path) -> None:
    """Given that the folder for what was there before is gone, when a set is switched, then that
    has failed: it is never taken for one of which nothing was staged."""
    (place / "old/ca/ca-cert.pem").unlink()
    (place / "old/ca").rmdir()
    (place / "old").rmdir()
    assert (await swap(place)).exit_code == 1
    assert held(place) == {"ca": "stale", "new/ca": "fresh"}


async def test_the_way_back_takes_away_what_was_not_there_before(place: Path) -> None:
    """Given a set of which one path was never there, when it is switched and switched back, then
    that path is gone again: no mix of the two remains, however often it is asked for."""
    with_certificates(place)
    (place / "cert/server-cred.pem").unlink()
    (place / "cert").rmdir()
    assert (await swap(place, "cert")).exit_code == 0
    assert held(place) == {"ca": "fresh", "cert": "fresh", "old/ca": "stale"}
    for code in (0, files.NOTHING_STAGED):
        assert (await swap_back(place, "ca", "cert")).exit_code == code
        assert held(place) == {"ca": "stale", "new/ca": "fresh", "new/cert": "fresh"}


@pytest.mark.parametrize("moment", range(6))
async def test_a_switch_that_a_crash_cut_off_is_brought_to_its_end_by_the_same_request(
    place: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """Given hamnd killed before any one of its renames, when the same is asked for again, then
    all of it is in force, and what was before is kept."""
    renames, rename = 0, os.rename

    class Killed(BaseException):
        """No way back is taken after it."""

    def counted(one: str, other: str, call: Callable[[str, str], Any]) -> Any:
        nonlocal renames
        if renames >= moment:
            raise Killed
        renames += 1
        return call(one, other)

    with_certificates(place)
    with monkeypatch.context() as patched:
        if (exchange := files._exchange)(str(place / "ca"), str(place / "ca")):
            patched.setattr(files, "_exchange", lambda a, b: counted(a, b, exchange))
        patched.setattr(os, "rename", lambda a, b: counted(a, b, rename))
        with contextlib.suppress(Killed):
            await swap(place, "cert")
    assert (await swap(place, "cert")).exit_code in (0, files.NOTHING_STAGED)
    fresh, stale = {"ca": "fresh", "cert": "fresh"}, {"old/ca": "stale", "old/cert": "stale"}
    assert held(place) == fresh | stale
    assert sorted(path.name for path in (place / "new").iterdir()) == []


async def test_a_switch_that_was_given_up_does_not_come_later(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a disk that takes longer than the switch may, when that is given up, then nothing is
    put in force afterwards: what is staged by then may be another thing."""
    is_slow, is_over = threading.Event(), threading.Event()
    monkeypatch.setattr(files, "_sync_all", lambda path: is_slow.wait(20))
    swap_, given = files._swap, Swap("aixmn2", (Place(*(str(place / n) for n in NAMES)),))

    def watched(places: tuple[Place, ...], given_up: threading.Event) -> bool:
        try:
            return swap_(places, given_up)
        finally:
            is_over.set()

    monkeypatch.setattr(files, "_swap", watched)
    report = await files.LocalFiles(SystemClock()).swap(given, 0.2)
    assert report.ending is Ending.LOST
    is_slow.set()
    assert await asyncio.to_thread(is_over.wait, 20)
    assert held(place) == {"ca": "stale", "new/ca": "fresh", "old/ca": "ancient"}


NAMES = ("new/ca", "ca", "old/ca")
