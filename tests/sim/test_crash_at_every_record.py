"""One takeover, stopped after every record it writes, in every way a process can stop.

A page is what one decision writes, in one transaction. hamnd dies before it is written, after it
was written and before anything acts on it, or when everything was started and nothing has come
home: then the programs under way went on, or they died with it. Afterwards it is started again, the
operator says `retry`, and the site must end as if nothing had happened.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from hamnd.core.state import Decision
from hamnd.model.names import Phase, State
from hamnd.model.record import Record
from tests.sim.daemon import BEFORE_ACT, BEFORE_PERSIST, BEFORE_REPORT
from tests.sim.ground import PRIMARY, STANDBY
from tests.sim.play import Play
from tests.sim.universe import brisk

WAYS = {
    "before it is written": (BEFORE_PERSIST, 0.0),
    "written, nothing acts": (BEFORE_ACT, 0.0),
    "acting, programs go on": (BEFORE_REPORT, 0.0),
    "acting, programs die": (BEFORE_REPORT, 1.0),
}
PAGES_MIN = 30
"""A takeover of nine steps that writes fewer pages would not be the one meant here."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Where a site ended, without the times at which it did."""

    state: State
    roles: tuple[str, str]
    rows_lost: int
    identity: tuple[tuple[str, bool], ...]
    services: tuple[tuple[str, str], ...]
    crontab: str | None
    probe_is_gone: bool
    epoch: tuple[int, str] | None
    finished: tuple[str, str, tuple[str, ...], str]
    steps: frozenset[str]


class Stopper:
    """Stops the daemon once, at the page of that number, and counts what is written."""

    def __init__(self, at: int = 0, point: str = "") -> None:
        self.at = at
        self.point = point
        self.pages: dict[int, tuple[Record, ...]] = {}

    def __call__(self, page: int, decision: Decision) -> str | None:
        self.pages.setdefault(page, decision.records)
        if page != self.at:
            return None
        self.at = 0
        return self.point


def tell(stopper: Stopper, kills: float = 0.0, is_reboot: bool = False) -> Play:
    story = Play(brisk())
    story.is_reboot = is_reboot
    story.daemon.trap = stopper
    story.daemon.kills = kills
    story.daemon.down_s = 0.5
    story.run()
    return story


def ending_of(story: Play) -> Ending:
    daemon, ground = story.daemon, story.ground
    last, epoch = daemon.state.finished[-1], daemon.state.epoch
    nodes = ground.pair.nodes
    finished = [record for record in daemon.disk.records if record.what == "step_finished"]
    return Ending(
        state=daemon.state.state,
        roles=(nodes[PRIMARY].role.value, nodes[STANDBY].role.value),
        rows_lost=ground.pair.loss(PRIMARY, STANDBY).rows,
        identity=tuple(ground.holds.items()),
        services=tuple(ground.services.states.items()),
        crontab=ground.services.crontabs[None],
        probe_is_gone=not ground.pair.rows(STANDBY, "xcat.node"),
        epoch=None if epoch is None else (epoch.number, epoch.owner),
        finished=(last.kind, last.status, last.open_steps, last.predicted),
        steps=frozenset(record.step for record in finished if record.outcome == "done"),
    )


@pytest.fixture(scope="module")
def undisturbed() -> tuple[Ending, dict[int, tuple[Record, ...]]]:
    """The takeover as it goes when nobody dies, and what it wrote page by page."""
    stopper = Stopper()
    return ending_of(tell(stopper)), stopper.pages


def test_the_undisturbed_takeover_is_a_whole_one(
    undisturbed: tuple[Ending, dict[int, tuple[Record, ...]]],
) -> None:
    ending, pages = undisturbed
    assert ending.state is State.ACTIVE
    assert ending.finished == ("takeover", "done", (), "zero_proven")
    assert ending.roles == ("PRIMARY", "PRIMARY")
    assert dict(ending.identity) == {PRIMARY: False, STANDBY: True}
    assert set(dict(ending.services).values()) == {"active"}
    assert ending.rows_lost == 0
    records = [record for page in pages.values() for record in page]
    assert sum(record.phase is Phase.INTENT for record in records) >= len(ending.steps) - 1
    assert len(pages) >= PAGES_MIN


@pytest.mark.sim
@pytest.mark.parametrize("way", WAYS)
def test_a_crash_at_every_record_changes_nothing_in_the_end(
    way: str, undisturbed: tuple[Ending, dict[int, tuple[Record, ...]]]
) -> None:
    expected, pages = undisturbed
    point, kills = WAYS[way]
    differs, is_confirmed = [], False
    for page, records in pages.items():
        stopper = Stopper(page, point)
        story = tell(stopper, kills)
        assert stopper.at == 0, f"page {page} was never written"
        ending = ending_of(story)
        if not is_confirmed:
            # Who did not watch all the time since a proof may promise less, never more.
            assert ending.finished[-1] in ("zero_proven", "zero_likely")
            ending = replace(ending, finished=expected.finished)
        is_confirmed = is_confirmed or any(one.what == "plan_confirmed" for one in records)
        if ending != expected:
            what = ", ".join(f"{record.what} {record.step}".strip() for record in records)
            differs.append(f"page {page} ({what or 'state only'}): {ending}")
    assert not differs, f"{way}, expected {expected}\n" + "\n".join(differs)


@pytest.mark.sim
def test_a_reboot_at_every_record_is_overcome_with_retry_and_continue(
    undisturbed: tuple[Ending, dict[int, tuple[Record, ...]]],
) -> None:
    """Addresses and services are gone, a promoted database is down: all of it is done again."""
    expected, pages = undisturbed
    differs = []
    *before_the_end, _ = pages
    for page in before_the_end:
        stopper = Stopper(page, BEFORE_ACT)
        ending = ending_of(tell(stopper, is_reboot=True))
        assert ending.finished[:3] == expected.finished[:3], f"page {page}: {ending.finished}"
        told = replace(ending, epoch=expected.epoch, finished=expected.finished)
        if told != replace(expected, steps=told.steps):
            differs.append(f"page {page}: {ending}")
    assert not differs, f"expected {expected}\n" + "\n".join(differs)
