"""Kills the daemon at a chosen point of a takeover, lets an operator retry, and tells the end.

Owns the points (step x phase), how each is found - by the journal and the world's own calls, never
by waiting a while -, and what counts as the same end. Must not judge (the tests do).
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hamnd.demo.calls import Call
from hamnd.demo.machines import MANAGERS, SERVICE_ADDRESS, STANDBY, UNITS
from hamnd.dialects import epoch
from hamnd.journal import open_journal
from hamnd.views.status import render_status
from tests.lab.demo_script import ACTIONS, PROVEN_AFTER, UNSEEN, Script, is_change, name_of
from tests.lab.demo_stage import (
    CLOSE_POLL_S,
    Entry,
    Stage,
    StageFailed,
    agree,
    is_resting,
    lose_primary,
    stage,
    until_ready,
)

RETRIES_MAX = 6


class Phase(StrEnum):
    """When the daemon dies, within one step."""

    UNDISTURBED = "undisturbed"
    """It does not."""
    BEGUN = "begun"
    """Its first looks are under way, nothing was done."""
    ACTING = "acting"
    """The intent is on disk, the action runs; it completes behind the daemon's back."""
    LOST = "lost"
    """The intent is on disk, the action never had any effect."""
    RESULT = "result"
    """The result of the last action is on disk."""
    LOOKING = "looking"
    """The looks after the last action are under way."""
    FINISHED = "finished"
    """The step's end is on disk."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point at which the daemon is killed."""

    step: str
    phase: Phase
    action: int = 0

    def __str__(self) -> str:
        many = ACTIONS.get(self.step, 1) > 1 and self.phase in (Phase.ACTING, Phase.LOST)
        return f"{self.step}-{self.phase}" + (f"-{self.action + 1}" if many else "")


UNDISTURBED = Point("nothing", Phase.UNDISTURBED)

REPRESENTATIVES = (
    Point("fence", Phase.BEGUN),
    Point("promote", Phase.ACTING),
    Point("promote", Phase.LOST),
    Point("xcatd", Phase.RESULT),
    Point("identity", Phase.LOOKING),
    Point("verify", Phase.FINISHED),
)
"""One for each phase."""


def every_point() -> tuple[Point, ...]:
    """Return all points of the matrix, in the order of the steps."""
    found: list[Point] = []
    for step, actions in ACTIONS.items():
        if step in ("fuse", "fence", "promote", "identity"):  # the others act at once
            found.append(Point(step, Phase.BEGUN))
        for action in range(actions):
            if action in UNSEEN.get(step, ()):
                continue
            found += [Point(step, Phase.ACTING, action), Point(step, Phase.LOST, action)]
        found += [Point(step, one) for one in (Phase.RESULT, Phase.LOOKING, Phase.FINISHED)]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class End:
    """What must be the same at the end, wherever the daemon was killed."""

    state: str
    mode: str
    epoch: int | None
    epoch_owner: str | None
    run: str
    """Status of the finished run."""
    open_steps: tuple[str, ...]
    predicted: str
    """Loss verdict that the report predicts."""
    report: str
    """Status of the run in the report."""
    variant: str
    roles: Mapping[str, str]
    power: Mapping[str, str]
    holders: tuple[str, ...]
    """Machines that hold the service address."""
    units: tuple[str, ...]
    crontab: str | None
    names: tuple[str, ...]
    """What the name server here knows."""
    reservations: tuple[str, ...]
    """Nodes that the DHCP server here knows."""
    objects: tuple[str, ...]
    """xCAT's nodes in the new primary's database."""
    confirmations: int
    predictions: int
    raised: int
    chain: str | None
    """What a check of the journal's hash chain found."""


@dataclass(frozen=True, slots=True)
class Played:
    """One story: where it was killed, what was seen then, and how it ended."""

    point: Point
    last_record: str
    """The step's last record on disk when the daemon was dead."""
    paused: dict[str, Any]
    """Status document right after the restart; empty for the undisturbed run."""
    screen: tuple[str, ...]
    retries: int
    pauses: tuple[str, ...]
    """Why the run paused again after a retry."""
    end: End
    changes: Counter[str]
    """How often each change was carried out on the simulated site."""
    changes_before: Counter[str]
    """The same when the daemon was dead (and what it had started had ended)."""
    unlooked: tuple[str, ...]
    """Changes that were carried out again without a look at the step before."""
    redone: frozenset[str]
    """Changes of the steps that the restarted daemon called unknown."""


async def play(point: Point) -> Played:
    """Tell one story from a pair in Peer to its end."""
    async with stage() as one:
        await until_ready(one)
        await lose_primary(one)
        script = Script(await agree(one))
        if point.phase is Phase.UNDISTURBED:
            return await _told(one, script, point, None)
        await _kill_at(one, script, point)
        killed = _Killed(_last_record(one, point.step), changes_of(one), one.world.now())
        await one.start()
        return await _told(one, script, point, killed)


@dataclass(frozen=True, slots=True)
class _Killed:
    last_record: str
    changes: Counter[str]
    at: float


def changes_of(one: Stage) -> Counter[str]:
    """Count what was changed on the simulated site, by name."""
    return Counter(name_of(entry.call) for entry in one.world.calls_of(is_change))


def _last_record(one: Stage, step: str) -> str:
    found = one.entries(step)
    return found[-1].record.what if found else "none"


async def _kill_at(one: Stage, script: Script, point: Point) -> None:
    step = point.step
    match point.phase:
        case Phase.BEGUN:
            async with _held(
                one, lambda call: script.is_look(call, step), _begins(one, script, step)
            ):
                await one.kill()
        case Phase.ACTING | Phase.LOST:
            await _kill_acting(one, script, point)
        case Phase.RESULT:
            results = PROVEN_AFTER[step]
            with one.world.holding(lambda call: script.is_look(call, step) and is_over(one, step)):
                await one.until(
                    _async(lambda: one.count("action_finished", step) >= results),
                    f"the last result of {step}",
                    CLOSE_POLL_S,
                )
                await one.kill()
        case Phase.LOOKING if step == "epoch":
            await _kill_looking_for_epoch(one)
        case Phase.LOOKING:
            async with _held(
                one, lambda call: script.is_look(call, step), lambda: is_over(one, step)
            ):
                await one.kill()
        case Phase.FINISHED:
            await one.until(
                _async(lambda: one.count("step_finished", step) > 0),
                f"the end of {step}",
                CLOSE_POLL_S,
            )
            await one.kill()


async def _kill_looking_for_epoch(one: Stage) -> None:
    """Kill while the epoch is looked for again and again: hamnd reads that file itself, no call
    could be held. It cannot find it because a folder of that name swallows what is put there.
    """
    place, aside = (one.layout.state / name for name in (epoch.NAME, f"{epoch.NAME}.aside"))
    place.unlink(missing_ok=True)  # what a whole pair keeps before any takeover
    place.mkdir()
    await one.until(
        _async(lambda: one.count("action_finished", "epoch") == ACTIONS["epoch"]),
        "the last result of epoch",
        CLOSE_POLL_S,
    )
    await one.kill()
    newest = max(place.iterdir(), key=lambda one: one.read_text())
    newest.rename(aside)
    shutil.rmtree(place)
    aside.rename(place)


async def _kill_acting(one: Stage, script: Script, point: Point) -> None:
    """Kill while the action is held, then let it have its effect, or none."""
    step, index = point.step, point.action

    def is_due() -> bool:
        begun = one.count("action_started", step) == index + 1
        return begun and one.count("action_finished", step) == index

    def catches(call: Call) -> bool:
        return script.is_action(call, step, index) and is_due()

    async with _held(one, catches) as hold:
        await one.kill()
        before = len(one.world.watched.log)
        hold.release(carried_out=point.phase is Phase.ACTING)
    if point.phase is Phase.ACTING:

        async def has_ended() -> bool:
            log: list[Entry] = one.world.watched.log[before:]
            return any(
                entry.ended is not None and script.is_action(entry.call, step, index)
                for entry in log
            )

        await one.until(has_ended, f"the action of {step} to end behind the daemon's back")


def is_over(one: Stage, step: str) -> bool:
    """Whether every action of a step that comes before its proof has its result on disk."""
    return one.count("action_finished", step) >= PROVEN_AFTER[step]


def _begins(one: Stage, script: Script, step: str) -> Callable[[], bool]:
    """Return whether it is the step's turn: confirmed, and what it depends on is done."""
    needed = script.steps[step]["depends_on"]

    def begins() -> bool:
        is_confirmed = one.count("plan_confirmed") > 0
        return is_confirmed and all(one.count("step_finished", other) > 0 for other in needed)

    return begins


@contextlib.asynccontextmanager
async def _held(
    one: Stage, catches: Callable[[Call], bool], is_due: Callable[[], bool] | None = None
) -> Any:
    """Hold such calls once it is due, and go on as soon as there is one."""
    with one.world.holding(lambda call: catches(call) and (is_due is None or is_due())) as hold:
        await one.until(_async(hold.caught.is_set), "a call to hold", CLOSE_POLL_S)
        yield hold


def _async(is_so: Callable[[], bool]) -> Any:
    async def ask() -> bool:
        return is_so()

    return ask


def is_seen_again(status: Mapping[str, Any]) -> bool:
    """Whether a run that rests has its fence evidence back, which a restart reads again."""
    run = status["run"]
    if run is None:
        return True
    fence = next(step for step in run["steps"] if step["id"] == "fence")
    return fence["outcome"] != "done" or status["fence"]["grade"] in ("agent_off", "power_off")


async def retry_to_the_end(one: Stage) -> list[str]:
    """Retry as an operator does until the run is over; return why it rested before each."""
    reasons: list[str] = []
    while True:
        status = await one.until_status(
            lambda status: is_resting(status) and is_seen_again(status), "the run to rest"
        )
        run = status["run"]
        if run is None:
            return reasons
        if len(reasons) == RETRIES_MAX:
            raise StageFailed(f"paused again and again: {reasons}\n{await one.told()}")
        reasons.append(f"{run['paused_step']}: {run['reason']}")
        await one.must("retry", {})


async def _told(one: Stage, script: Script, point: Point, killed: _Killed | None) -> Played:
    paused = {} if killed is None else await one.status()
    screen = tuple(render_status(paused)) if paused else ()
    reasons = await retry_to_the_end(one)
    end = await end_of(one, script)
    unknown = _unknown_steps(paused)
    return Played(
        point=point,
        last_record="" if killed is None else killed.last_record,
        paused=paused,
        screen=screen,
        retries=len(reasons),
        pauses=tuple(reasons[1:] if killed is not None else reasons),
        end=end,
        changes=changes_of(one),
        changes_before=Counter() if killed is None else killed.changes,
        unlooked=() if killed is None else tuple(_unlooked(one, script, killed, unknown)),
        redone=frozenset().union(*(script.changes_of(step) for step in unknown)),
    )


def _unlooked(one: Stage, script: Script, killed: _Killed, unknown: list[str]) -> Iterator[str]:
    """Name what was carried out again for an unknown step that nobody had looked at before."""
    restarted = [entry for entry in one.entries() if entry.record.what == "run_resumed"]
    # What was started just before the kill may still have been on its way then.
    since = min((entry.wall_s for entry in restarted), default=killed.at)
    later = [entry for entry in one.world.watched.log if entry.began >= since]
    for number, entry in enumerate(later):
        name = name_of(entry.call)
        owners = [step for step in unknown if name in script.changes_of(step)]
        if not owners or not is_change(entry.call) or not killed.changes[name]:
            continue
        looks = [earlier.call for earlier in later[:number]]
        if not any(script.is_look(look, step) for look in looks for step in owners):
            yield name


def _unknown_steps(status: Mapping[str, Any]) -> list[str]:
    run = status.get("run")
    steps = [] if run is None else run["steps"]
    return [str(step["id"]) for step in steps if step["outcome"] == "unknown"]


async def end_of(one: Stage, script: Script) -> End:
    """Compare what hamnd says with the world itself, and with what it wrote down."""
    status = await one.status()
    digest = script.shown["digest"]
    path = one.layout.state / "reports" / f"{digest}.json"
    await one.until(_async(path.exists), f"the report {path}")
    report = json.loads(path.read_text())
    last = status["finished"][-1]
    site, pair = one.world.site, one.world.pair
    with open_journal(one.layout.state) as journal:
        chain = journal.verify().problem
    return End(
        state=status["state"],
        mode=status["mode"],
        epoch=status["epoch"],
        epoch_owner=status["epoch_owner"],
        run=last["status"],
        open_steps=tuple(last["open_steps"]),
        predicted=report["predicted_loss"]["verdict"],
        report=report["status"],
        variant=report["variant"],
        roles={name: node.role.value for name, node in pair.nodes.items()},
        power={name: site.power(name).value for name in MANAGERS},
        holders=tuple(
            name for name, one_ in site.machines.items() if SERVICE_ADDRESS in one_.addresses
        ),
        units=tuple(unit for unit in UNITS if site.is_active(STANDBY, unit)),
        crontab=site.machines[STANDBY].crontab,
        names=tuple(sorted(site.machines[STANDBY].zone)),
        reservations=tuple(sorted(site.machines[STANDBY].reservations)),
        objects=tuple(sorted(site.objects(STANDBY, "node"))),
        confirmations=one.count("plan_confirmed"),
        predictions=one.count("loss_predicted"),
        raised=one.count("epoch_raised"),
        chain=chain,
    )


def table(stories: list[Played]) -> list[str]:
    """Return one line per story, for people; done again is what the undisturbed one did less."""
    plain = next((story.changes for story in stories if story.point == UNDISTURBED), Counter())
    lines = [f"{'killed at':<22}{'last on disk':<18}{'retries':>7}  done again, paused again"]
    for story in stories:
        again = sorted(story.changes - plain) if plain else []
        told = "; ".join([*again, *story.pauses])
        lines.append(f"{story.point!s:<22}{story.last_record:<18}{story.retries:>7}  {told}")
    return lines
