"""Telling the site: a program of its own hears every change of state (design §5, hooks).

Owns when it is told, what it hears, and what is written down about it. Must not let anything wait
for it: a hook can neither hold nor fail a run. What it prints is never kept: it may be a secret.
"""

from __future__ import annotations

import json
from dataclasses import replace

from hamnd.core.commands import RunHook
from hamnd.core.events import HookCompleted
from hamnd.core.state import Change, HookOutcome
from hamnd.core.turn import Turn
from hamnd.dialects import readers
from hamnd.model.names import Phase, Verdict
from hamnd.model.record import Record
from hamnd.model.work import Action, Exec

WORDS = {Verdict.PASS: "done", Verdict.BLOCK: "not_done"}


def tell_changes(turn: Turn) -> None:
    """Have every change of state of this turn told, as far as the site's program keeps up."""
    if not turn.terms.site.hooks.state_change:
        return
    before = turn.before.changes
    for change in turn.state.changes:
        if not any(change is one for one in before):
            _tell(turn, change)


def _tell(turn: Turn, change: Change) -> None:
    site, timing, hold = turn.terms.site, turn.state.timing, turn.state.hold
    about = f"{change.source} -> {change.target}"
    if timing.hooks_running >= turn.terms.policy.hooks_max:
        told = f"{about} was not told: {timing.hooks_running} hooks have not ended yet"
        turn.record(Record(Phase.DECISION, "hook_skipped", evidence=told))
        turn.state = replace(turn.state, hook=HookOutcome(Verdict.BLOCK, told, turn.now.wall_s))
        return
    said = {
        "event": "state_change",
        "cluster": site.cluster,
        "node": site.node,
        "from": change.source,
        "to": change.target,
        "because": change.because,
        "at": int(change.at),
        "hold": None if hold is None else {"owner": hold.owner, "until": int(hold.until)},
    }
    request = Exec(site.node, site.hooks.state_change, stdin=json.dumps(said) + "\n")
    turn.commands.append(RunHook(about, Action(request), site.hooks.timeout_s))
    running = replace(timing, hooks_running=timing.hooks_running + 1)
    turn.state = replace(turn.state, timing=running)


def on_hook(turn: Turn, event: HookCompleted) -> None:
    """Write down how it ended; its words stay its own."""
    quiet = replace(event.report, stdout="", stderr="")
    reading = readers.read_action(Action(Exec(turn.terms.site.node, ("hook",))), quiet)
    sentence = f"told {event.about}: {reading.sentence.rstrip(': ')}"
    outcome = HookOutcome(reading.verdict, sentence, turn.now.wall_s)
    running = max(0, turn.state.timing.hooks_running - 1)
    timing = replace(turn.state.timing, hooks_running=running)
    turn.state = replace(turn.state, hook=outcome, timing=timing)
    took_s = round(event.report.finished.since(event.report.started), 3)
    turn.record(
        Record(
            Phase.RESULT,
            "hook_finished",
            exit_code=event.report.exit_code,
            outcome=WORDS.get(reading.verdict, "unknown"),
            evidence=json.dumps({"sentence": sentence, "duration_s": took_s}),
        )
    )
