"""Plays a transcript: lines of a tiny language, dashes, and what the engine decided.

Owns the language and how a decision is written down. A file opens with its story, up to the first
block. A block is lines of commands (`> …`), a line of dashes, and the expected lines.
`HAMND_REWRITE=scenarios` writes the expected lines anew; commit such a change only when you
understand and want it.

Commands: `begin` · `live SECONDS` · `until STATE|paused|running:STEP|acting:STEP` · `die` `freeze`
`return` · `link lost` · `window over` · `probe NAME WORD` · `witness NAME WORD` · `controller WORD`
· `partner WORD` · `action STEP WORD` · `look READER WORD` · `database KEY VALUE` ·
`address yes|no` · `epoch HOST NUMBER OWNER BOOT|here` ·
`runs HOST [KIND STATUS]` · `site no-device|no-witness` · `policy KEY VALUE` ·
`plan [KIND] [accept-loss CLASS] [override GATE] [continue]` · `confirm [as NAME]` ·
`confirm shown N` · `retry` · `skip STEP` · `abort` · `conclude` · `attest HOW` ·
`hold SECONDS` · `unhold` · `ack` ·
`disk RESERVE` · `halt REASON` · `clear` · `crash [SECONDS]` · `reboot SECONDS` ·
`power lost` (here; a `reboot` follows) · `stubborn` (its address cannot be taken from it).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from hamnd.core.commands import LookAtStep, PerformAction
from hamnd.core.events import (
    AckRequested,
    ClearRequested,
    DiskObserved,
    Event,
    Halted,
    HoldRequested,
    UnholdRequested,
)
from hamnd.core.policy import Terms
from hamnd.core.progress import Stage
from hamnd.core.state import Decision, NodeState
from hamnd.model.epoch import EpochDoubt
from hamnd.model.names import (
    FenceGrade,
    LossVerdict,
    Mode,
    PlanKind,
    Probe,
    RunStatus,
    Status,
    Verdict,
)
from hamnd.model.plan import Plan
from hamnd.model.site import FenceSite
from tests.unit.core.story import Story

DASHES = "----"
SILENT_RECORDS = frozenset(
    (
        *("state_changed", "plan_shown", "loss_predicted", "plan_confirmed", "confirm_refused"),
        *("action_finished", "step_looked"),
    )
)
"""What a decision's own line, or the end of a step, tells already."""


OPERATING = frozenset(
    (
        *("disk", "halt", "clear", "crash", "reboot", "attest"),
        *("plan", "confirm", "retry", "skip", "abort", "conclude", "hold", "unhold", "ack"),
    )
)


STRIKING = frozenset(("die", "freeze", "return", "link", "window", "power", "stubborn"))


SHOWN = ("FenceLies", "TakeoverIncomplete", "OldPrimaryReturned")
"""Conditions that the last line of a block names when they are true."""


@dataclass
class Block:
    """Commands and what they should lead to."""

    commands: list[str]
    expected: list[str] = field(default_factory=list)


def parse(text: str) -> tuple[str, list[Block]]:
    """Return the story and the blocks of a transcript."""
    story, *rest = text.split("\n\n>")
    blocks = []
    for part in rest:
        lines = part.rstrip("\n").splitlines()
        dashes = lines.index(DASHES)
        commands = [line.lstrip(">").strip() for line in lines[:dashes]]
        blocks.append(Block(commands, lines[dashes + 1 :]))
    return story, blocks


def render(story: str, blocks: list[Block]) -> str:
    """Return the text of a transcript."""
    parts = [story.rstrip("\n")]
    for block in blocks:
        commands = "\n".join(f"> {line}" for line in block.commands)
        parts.append("\n".join([commands, DASHES, *block.expected]).rstrip())
    return "\n\n".join(parts) + "\n"


class Player:
    """One story under way."""

    def __init__(self) -> None:
        """Begin with everything as the sample configuration has it."""
        self.story = Story(check=self._decided)
        self.shown: list[Plan] = []
        self.lines: list[str] = []

    def play(self, block: Block) -> list[str]:
        """Run a block's commands and return what the engine decided."""
        self.lines = []
        for line in block.commands:
            self._run(line.split())
        return [*self.lines, self._picture()]

    # ---- what is written down --------------------------------------------------------------
    def _decided(self, before: NodeState, event: Event, decision: Decision) -> None:
        now = f"{self.story.now_s:7.1f}"
        after = decision.state
        if decision.rows:
            arrow = f"{before.state.value} -> {after.state.value}"
            self.lines.append(f"{now}  {'+'.join(decision.rows)}  {arrow}: {decision.because}")
        elif decision.answer is not None:
            self._tell_plan(now, decision.answer)
        elif decision.refusal is not None:
            self.lines.append(f"{now}  refused by {decision.refusal.gate}: {decision.because}")
            self.lines += [f"           {line}" for line in decision.refusal.difference]
        for record in decision.records:
            if record.what not in SILENT_RECORDS:
                told = " ".join(one for one in (record.what, record.step, record.outcome) if one)
                why = f": {record.evidence}" if record.what == "run_paused" else ""
                self.lines.append(f"{now}    {told}{why}")
        self._tell_commands(decision)

    def _tell_plan(self, now: str, plan: Plan) -> None:
        self.shown.append(plan)
        steps = " ".join(step.id for step in plan.steps)
        told = (
            f"plan {len(self.shown)}: {plan.kind.value}, {plan.variant}, {plan.loss.verdict.value}"
        )
        self.lines.append(f"{now}  {told}")
        self.lines.append(f"           steps: {steps or 'none'}")
        for one in plan.gates:
            if one.verdict is not Verdict.PASS:
                self.lines.append(f"           gate {one.name} {one.verdict.value}: {one.evidence}")

    def _tell_commands(self, decision: Decision) -> None:
        if not (decision.rows or decision.refusal):
            return
        names: Counter[str] = Counter()
        for one in decision.commands:
            name = type(one).__name__
            if isinstance(one, PerformAction | LookAtStep):
                name = f"{name}({one.step})"
            names[name] += 1
        if names:
            told = ", ".join(f"{name} x{n}" if n > 1 else name for name, n in names.items())
            self.lines.append(f"           does: {told}")

    def _picture(self) -> str:
        state = self.story.state
        cause = "" if state.cause is None else f" ({state.cause.value})"
        parts = [f"{state.state.value}{cause}"]
        if state.doubt is not EpochDoubt.NONE:
            parts.append(state.doubt.value)
        if state.mode is not Mode.NORMAL:
            parts.append(f"observe_only: {state.mode_reason}")
        if state.run is not None:
            parts.append(f"run {state.run.plan.kind.value} {state.run.status.value}")
        parts.append(f"loss {state.assessment.loss.verdict.value}")
        grades = [one.grade.value for one in state.assessment.evidence]
        parts.append(f"evidence {', '.join(grades) or 'none'}")
        if state.finished and state.state.value == "Active":
            last = state.finished[-1]
            parts.append(f"{last.status}, open: {', '.join(last.open_steps) or 'none'}")
        serves = state.assessment.condition("Serves")
        if serves is not None and serves.status is Status.FALSE:
            parts.append(f"does not serve: {serves.message}")
        shown = [one.type for one in state.assessment.conditions if one.type in SHOWN]
        parts += [
            one
            for one in shown
            if (found := state.assessment.condition(one)) is not None
            and found.status is Status.TRUE
        ]
        if state.assessment.advice:
            parts.append(state.assessment.advice)
        return f"={self.story.now_s:7.1f}  {'; '.join(parts)}"

    # ---- the language ----------------------------------------------------------------------
    def _run(self, words: list[str]) -> None:
        verb, *rest = words
        story = self.story
        match verb, rest:
            case "begin", []:
                story.begin()
            case "live", [seconds]:
                story.live(float(seconds))
            case "until", [what]:
                story.until(lambda: self._is_so(what), 900.0)
            case "site" | "policy", _:
                self._configure(verb, rest)
            case _ if verb in OPERATING:
                self._operate(verb, rest)
            case _ if verb in STRIKING:
                self._strike(verb, rest)
            case _:
                self._change(verb, rest)

    def _strike(self, verb: str, rest: list[str]) -> None:
        world = self.story.world
        match verb, rest:
            case "die", []:
                world.die()
            case "freeze", []:
                world.freeze()
            case "return", []:
                world.come_back()
                world.fence = "on"
            case "link", ["lost"]:
                world.lose_link(self.story.now_s)
            case "window", ["over"]:
                world.end_window()
            case "power", ["lost"]:
                world.reboot_here()
            case "stubborn", []:
                world.there.is_stubborn = True
            case _:
                raise ValueError(f"no such command: {verb} {' '.join(rest)}")

    def _is_so(self, what: str) -> bool:
        run = self.story.state.run
        if what == "paused":
            return run is not None and run.status is RunStatus.PAUSED
        if what.startswith("running:"):
            return self.story.outcome(what.partition(":")[2]) == "running"
        if what.startswith("acting:"):
            return run is not None and run.steps[what.partition(":")[2]].stage is Stage.ACTING
        return self.story.state.state.value == what

    def _change(self, verb: str, rest: list[str]) -> None:
        world = self.story.world
        match verb, rest:
            case "probe", [name, word]:
                world.probes[Probe(name)] = word
            case "witness", [name, word]:
                world.witnesses[name] = word
            case "controller", ["lies"]:
                world.fence_lies = True
            case "controller", [word]:
                world.fence = word
            case "partner", [word]:
                world.partner = word
            case "action", [step, word]:
                world.actions[step] = word
            case "look", [reader, word]:
                world.looks[reader] = word
            case "database", [key, value]:
                kind = type(getattr(world.database, key))
                setattr(world.database, key, kind(value))
            case "address", [word]:
                world.has_address = word == "yes"
            case "epoch" | "runs", [host, *line]:
                told = [self.story.boot if word == "here" else word for word in line]
                (world.epochs if verb == "epoch" else world.runs)[host] = " ".join(told)
            case "skew", [seconds]:
                world.skew_s = float(seconds)
            case _:
                raise ValueError(f"no such command: {verb} {' '.join(rest)}")

    def _configure(self, verb: str, rest: list[str]) -> None:
        here = self.story.terms.site
        match verb, rest:
            case "policy", [key, value]:
                kind = type(getattr(self.story.terms.policy, key))
                self.story.with_policy(**{key: kind(value)})
            case "site", ["no-device"]:
                minimum = FenceGrade.OPERATOR
                here = replace(here, fence=FenceSite(minimum=minimum, agent=None))
                self.story.terms = Terms(here, self.story.terms.policy)
                self.story.with_policy(fence_minimum=minimum)
            case "site", ["no-witness"]:
                self.story.terms = Terms(replace(here, witnesses=()), self.story.terms.policy)
                self.story.with_policy(witnesses_min=0)
            case _:
                raise ValueError(f"no such command: {verb} {' '.join(rest)}")

    def _operate(self, verb: str, rest: list[str]) -> None:
        story = self.story
        match verb, rest:
            case "plan", _:
                self._plan(rest)
            case "confirm", _:
                self._confirm(rest)
            case "disk", [reserve]:
                story.feed(DiskObserved(float(reserve), 1 << 20))
            case "halt", _:
                story.feed(Halted(" ".join(rest)))
            case "clear", []:
                story.feed(ClearRequested("seen", "anna"))
            case "hold" | "unhold" | "ack", _:
                self._say(verb, rest)
            case "crash", _:
                story.crash(float(rest[0]) if rest else 1.0)
            case "reboot", [seconds]:
                story.crash(float(seconds), boot=f"boot-{story.boot}-again")
            case "skip", [step]:
                story.skip(step)
            case "attest", [how]:
                story.attest(how)
            case "retry" | "abort" | "conclude", []:
                getattr(story, verb)()
            case _:
                raise ValueError(f"no such command: {verb} {' '.join(rest)}")

    def _say(self, verb: str, rest: list[str]) -> None:
        story = self.story
        match verb, rest:
            case "hold", [seconds]:
                until = story.now.wall_s + float(seconds)
                story.feed(HoldRequested(until, "new kernel", "anna"))
            case "unhold", []:
                story.feed(UnholdRequested("anna"))
            case "ack", []:
                story.feed(AckRequested(story.state.finished[-1].digest, "anna"))
            case _:
                raise ValueError(f"no such command: {verb} {' '.join(rest)}")

    def _plan(self, rest: list[str]) -> None:
        words, accept, overrides, is_successor = list(rest), None, [], False
        kind = PlanKind.TAKEOVER
        if words and words[0] in list(PlanKind):
            kind = PlanKind(words.pop(0))
        while words:
            word = words.pop(0)
            if word == "continue":
                is_successor = True
            elif word == "accept-loss":
                accept = LossVerdict(words.pop(0))
            elif word == "override":
                overrides.append(words.pop(0))
            else:
                raise ValueError(f"plan {word}?")
        self.story.plan(accept, tuple(overrides), is_successor, kind)

    def _confirm(self, rest: list[str]) -> None:
        match rest:
            case []:
                self.story.confirm(self.shown[-1].digest if self.shown else "0000-0000")
            case ["as", name]:
                self.story.confirm(self.shown[-1].digest, name)
            case ["shown", number]:
                self.story.confirm(self.shown[int(number) - 1].digest)
            case _:
                raise ValueError(f"confirm {' '.join(rest)}?")
