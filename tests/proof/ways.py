"""Every way on from a moment: what may befall the pair, what its operator may do, how time passes.

Owns the moves of the exhaustive search and when two moments count as the same one. MUST NOT judge:
`onlooker` does. Moves are few and coarse on purpose; odd reports, late and doubled ones, are the
random machine's (tests/properties/test_engine_machine).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hamnd.core.events import ClearRequested, DiskObserved, Halted
from hamnd.model.names import Mode, Probe, RunStatus, State, Verdict
from tests.unit.core.onlooker import Onlooker
from tests.unit.core.story import Story

STEPS = ("fuse", "fence", "promote", "identity", "xcatd", "verify")
"""The steps that may go wrong."""
ACTING = ("promote", "identity", "xcatd")
"""Those that always have something to do."""


@dataclass
class Moment:
    """One story with the onlooker who judged it so far."""

    story: Story
    onlooker: Onlooker
    way: tuple[str, ...] = ()

    @classmethod
    def of(cls, begin: Callable[[Story], object], name: str) -> Moment:
        """Return the moment at which a story stands that began so."""
        onlooker = Onlooker()
        story = onlooker.watch(Story())
        begin(story)
        return cls(story, onlooker, (name,))

    def fork(self) -> Moment:
        """Return this moment once more."""
        onlooker = self.onlooker.fork()
        return Moment(onlooker.watch(self.story.fork()), onlooker, self.way)

    def then(self, name: str) -> Moment:
        """Return the moment after one more move, which is judged on the way."""
        after = self.fork()
        after.way = (*self.way, name)
        MOVES[name](after)
        after.onlooker.look_around()
        return after


Move = Callable[[Moment], object]


def _world(name: str, value: object) -> Move:
    def move(moment: Moment) -> None:
        setattr(moment.story.world, name, value)

    return move


def _die(moment: Moment) -> None:
    moment.story.world.die()
    moment.story.world.lose_link(moment.story.now_s)


def _come_back(moment: Moment) -> None:
    moment.story.world.come_back()
    moment.story.world.fence = "on"


def _probes_fail(moment: Moment) -> None:
    """No program of ours can be started or sent; whoever else can tell hears nothing either."""
    world = moment.story.world
    world.probes = {
        probe: word if probe is Probe.GATEWAY else "cut" for probe, word in world.probes.items()
    }
    world.witnesses = {"sn01": "silent", "sn02": "silent"}
    world.lose_link(moment.story.now_s)


def _witnesses(word: str, *names: str) -> Move:
    def move(moment: Moment) -> None:
        moment.story.world.witnesses = dict.fromkeys(names, word)

    return move


def _steps_go(word: str) -> Move:
    def move(moment: Moment) -> None:
        moment.story.world.actions = dict.fromkeys(STEPS, word)

    return move


def _confirm(moment: Moment) -> None:
    """As an operator does who reads the plan: the loss accepted as it is shown."""
    story = moment.story
    if story.plan(is_successor=_is_paused(story)).answer is None:
        return
    shown = story.shown()
    if any(one.verdict is Verdict.BLOCK and one.name == "loss" for one in shown.gates):
        story.plan(shown.loss.verdict, is_successor=_is_paused(story))
    story.confirm()


def _override(moment: Moment) -> None:
    """As one does who is sure: every gate that stands in the way is named."""
    story = moment.story
    if story.plan(is_successor=_is_paused(story)).answer is None:
        return
    shown = story.shown()
    named = tuple(
        one.name for one in shown.gates if one.verdict is not Verdict.PASS and one.name != "loss"
    )
    story.plan(shown.loss.verdict, named, is_successor=_is_paused(story))
    story.confirm()


def _abort(moment: Moment) -> None:
    """The way back is a plan of its own, confirmed as it is shown."""
    if moment.story.abort().answer is not None:
        moment.story.confirm()


def _skip_it(moment: Moment) -> None:
    """Whatever the run rests at is left out, and it goes on."""
    run = moment.story.state.run
    if run is not None and run.paused_step:
        moment.story.skip(run.paused_step)
        moment.story.retry()


def _is_paused(story: Story) -> bool:
    run = story.state.run
    return run is not None and run.status is RunStatus.PAUSED


def _crash(boot: str) -> Move:
    def move(moment: Moment) -> None:
        moment.onlooker.crashed()
        if boot:
            moment.story.world.reboot_here()
        moment.story.crash(1.0, boot)

    return move


def _clear(moment: Moment) -> None:
    moment.story.feed(ClearRequested("seen", "anna"))
    moment.story.feed(DiskObserved(1.0, 1 << 30))


MOVES: dict[str, Move] = {
    "1 s": lambda moment: moment.story.live(1.0),
    "15 s": lambda moment: moment.story.live(15.0),
    "40 s": lambda moment: moment.story.live(40.0),
    "primary dies": _die,
    "primary answers": _come_back,
    "primary freezes": lambda moment: moment.story.world.freeze(),
    "our probes fail": _probes_fail,
    "window ends": lambda moment: moment.story.world.end_window(),
    "controller fails": _world("fence", "fails"),
    "controller lies": _world("fence_lies", True),
    "a witness reaches it": _witnesses("reaches", "sn01"),
    "witnesses dumb": _witnesses("dumb", "sn01", "sn02"),
    "steps fail": _steps_go("fails"),
    "steps get lost": _steps_go("lost"),
    "steps work": _steps_go("done"),
    "confirm": _confirm,
    "another digest": lambda moment: moment.story.confirm("0000-0000"),
    "override": _override,
    "retry": lambda moment: moment.story.retry(),
    "skip fence": lambda moment: moment.story.skip("fence"),
    "skip it": _skip_it,
    "abort": _abort,
    "conclude": lambda moment: moment.story.conclude(),
    "attest": lambda moment: moment.story.attest(),
    "crash": _crash(""),
    "reboot": _crash("boot-2"),
    "journal slow": lambda moment: moment.story.feed(Halted("the journal is slow")),
    "clear": _clear,
}


def key(moment: Moment) -> tuple[object, ...]:
    """Return what makes two moments the same one: what is decided on, and what the world is."""
    state, world = moment.story.state, moment.story.world
    run = state.run
    about_run: tuple[object, ...] = ()
    if run is not None:
        outcomes = tuple((name, one.outcome.value) for name, one in run.steps.items())
        about_run = (run.plan.kind, run.plan.variant, run.status, outcomes)
    about_world = (
        tuple(sorted(world.probes.items())),
        tuple(sorted(world.witnesses.items())),
        (world.fence, world.fence_lies, world.database.role, world.database.state),
        (world.database.is_down, world.has_address, tuple(sorted(world.running))),
        tuple(sorted(world.actions.items())),
    )
    evidence = tuple(one.grade for one in state.assessment.evidence)
    verdict = state.assessment.loss.verdict
    return (state.state, state.mode, state.cause, about_run, evidence, verdict, about_world)


def _failed(story: Story, step: str) -> Story:
    """Its action is refused for good, and the run rests there."""
    story.taking_over(step)
    story.world.actions[step] = "refused"
    return story.until(lambda: bool(story.state.run and story.state.run.paused_step), 900.0)


def _lied_to(story: Story) -> Story:
    """The controller says off of a primary that answers, long enough to be found out."""
    story.world.fence = "off"
    return story.live(15.0)


def _then_mute(story: Story) -> Story:
    """The controller said off as often as it takes, and says nothing any more."""
    story.world.fence = "off"
    story.live(15.0)
    story.world.fence = "fails"
    return story


ROOTS: dict[str, Callable[[Story], object]] = {
    "peer": Story.in_peer,
    "down": Story.primary_down,
    "shown": lambda story: story.primary_down().plan(),
    "at fence": lambda story: story.taking_over("fence"),
    "at promote": lambda story: story.taking_over("promote"),
    "promote failed": lambda story: _failed(story, "promote"),
    "identity failed": lambda story: _failed(story, "identity"),
    "a liar": lambda story: _lied_to(story.in_peer()),
    "off, then mute": lambda story: _then_mute(story.primary_down()),
    "at identity": lambda story: story.taking_over("identity"),
    "at xcatd": lambda story: story.taking_over("xcatd"),
}

TAKEOVERS = tuple(name for name in ROOTS if name.startswith("at "))
"""Those at which a takeover is under way."""


@dataclass
class Explored:
    """Every moment within a depth of the roots, each once."""

    moments: list[Moment]
    edges: int
    by_state: dict[str, int]


def explore(depth: int, roots: tuple[str, ...] = tuple(ROOTS)) -> Explored:
    """Return every moment that so many moves lead to. Fails where a law is broken on the way."""
    seen: set[tuple[object, ...]] = set()
    found: list[Moment] = []
    frontier = [Moment.of(ROOTS[name], name) for name in roots]
    edges = 0
    for _ in range(depth + 1):
        fresh = []
        for moment in frontier:
            if (mark := key(moment)) not in seen:
                seen.add(mark)
                fresh.append(moment)
        found += fresh
        frontier = []
        for moment in fresh:
            for after in _ways_on(moment):
                edges += 1
                frontier.append(after)
    by_state: dict[str, int] = {}
    for moment in found:
        name = moment.story.state.state.value
        by_state[name] = by_state.get(name, 0) + 1
    return Explored(found, edges, by_state)


def _ways_on(moment: Moment) -> Iterator[Moment]:
    for name in MOVES:
        try:
            yield moment.then(name)
        except Exception as error:
            error.add_note(f"on the way {' > '.join((*moment.way, name))}")
            raise


def way_out(moment: Moment, limit: int = 14) -> Moment:
    """Return where an operator gets from here once the world no longer stands in the way.

    The controller works, nobody lies, steps work; the primary stays as dead or alive as it was. The
    operator reads what hamnd says and does what it offers, the gentlest first. Raises TimeoutError
    with all that was tried.
    """
    here = moment.fork()
    world = here.story.world
    world.fence_lies, world.fence = False, "off" if world.fence == "off" else "on"
    world.witnesses, world.actions = {}, {}
    world.database.is_down = world.database.is_down and world.database.role == "PRIMARY"
    for _ in range(limit):
        if is_at_rest(here):
            return here
        here = here.then(_offered(here, limit)).then("15 s")
    raise TimeoutError(f"no way out of {key(moment)}: {' > '.join(here.way)}")


def is_at_rest(moment: Moment) -> bool:
    """Whether somebody manages the cluster, and hamnd may act again."""
    state = moment.story.state
    if state.mode is not Mode.NORMAL or state.run is not None:
        return False
    is_served = moment.story.world.is_primary_alive and state.state is State.DEGRADED
    return state.state in (State.ACTIVE, State.PEER) or is_served


def _offered(moment: Moment, limit: int) -> str:
    """Return what to do next: cleared first, then gone on with, then planned anew by name."""
    state, tried = moment.story.state, moment.way[-2 * limit :]
    if state.mode is not Mode.NORMAL:
        return "clear"
    if state.run is not None:
        ladder = ("retry", "retry", "confirm", "override", "retry", "abort", "conclude")
        return ladder[sum(one in ladder for one in tried) % len(ladder)]
    if state.state is State.PRIMARY_DOWN:
        return "confirm"
    return "15 s" if tried.count("override") or len(tried) % 4 else "override"


def crash_everywhere(root: str) -> None:
    """Let hamnd die after each of the next decisions, and the operator retry.

    Fails where the run ends otherwise than the one that nobody disturbed.
    """
    plain = _ended(Moment.of(ROOTS[root], root))
    moment = Moment.of(ROOTS[root], root)
    for _ in range(60):
        if moment.story.state.run is None:
            break
        assert _ended(moment.then("crash")) == plain, " > ".join(moment.way)
        moment.story.step_once()


def crash_before_it_is_done(step: str) -> None:
    """Let hamnd die while a step's action has done nothing yet, and never will.

    Fails where the run ends otherwise than the one that nobody disturbed.
    """
    plain = _ended(Moment.of(lambda story: story.taking_over(step), f"at {step}"))
    moment = Moment.of(lambda story: _hanging(story, step), f"{step} hangs")
    assert _ended(moment.then("crash").then("steps work")) == plain, " > ".join(moment.way)


def _hanging(story: Story, step: str) -> Story:
    story.world.actions[step] = "hangs"
    return story.taking_over(step).live(1.0)


def _ended(moment: Moment) -> tuple[State, tuple[str, ...]]:
    """Return where the run ends when whatever rests is let go on."""
    here = moment
    for _ in range(20):
        if here.story.state.run is None:
            break
        here = here.then("15 s").then("retry")
    assert here.story.state.run is None, " > ".join(here.way)
    return here.story.state.state, tuple(sorted(here.story.world.running))
