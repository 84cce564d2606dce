"""What the pages of monitoring cost, and what they say before anything was seen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from hamnd.daemon.pages import Pages
from hamnd.model.instant import Instant
from hamnd.views.status import status_document
from tests.builders import pair


class Daemon:
    """A daemon in Peer that counts how often its status was made."""

    def __init__(self) -> None:
        self.one, self.made, self.passed_s = pair().in_peer(), 0, 0.0
        gaps = SimpleNamespace(told=dict)
        self.runtime = SimpleNamespace(
            version=1, is_draining=False, state=self.one.state, round_at=None,
            probe_durations_s={}, answer_gaps=gaps, wait_changed=self.wait_changed,
        )  # fmt: skip

    def now(self) -> Instant:
        began = self.one.now
        return Instant(began.monotonic_s + self.passed_s, began.wall_s + self.passed_s)

    def status(self) -> dict[str, Any]:
        self.made += 1
        return status_document(self.one.state, self.now(), self.one.terms)

    async def wait_changed(self, version: int, limit_s: float) -> None:
        """Nothing changes."""

    def pages(self) -> Pages:
        return Pages(cast("Any", self.runtime), cast("Any", self), self)


async def test_a_moment_is_made_once_for_all_open_pages() -> None:
    daemon = Daemon()
    pages = daemon.pages()
    streams = [pages.events() for _ in range(16)]
    told = [await anext(stream) for stream in streams]
    assert daemon.made == 1
    assert all(one == told[0] for one in told)
    daemon.runtime.version = 2
    assert [await anext(stream) for stream in streams]
    assert daemon.made == 2
    daemon.passed_s = 2.0
    later = [await anext(stream) for stream in streams]
    assert daemon.made == 3
    assert later[0]["at"] == told[0]["at"] + 2
    for stream in streams:
        await stream.aclose()


def test_a_first_round_that_never_comes_home_is_a_gap_that_grows() -> None:
    daemon = Daemon()
    pages = daemon.pages()
    daemon.passed_s = 150.0
    (gap,) = [one.value for one in pages.metrics() if one.name == "hamnd_probe_gap_seconds"]
    assert gap == 150.0
