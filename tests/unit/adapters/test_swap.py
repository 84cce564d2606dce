"""Switching a staged set into its place: at once, the previous one kept, never half."""

from __future__ import annotations

import os
from pathlib import Path

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
