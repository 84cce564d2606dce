"""A primary that was broken into says what it likes: nothing of it is run, and nothing drives a
terminal, a page or a scrape.

Owns whole stories in which words of what the primary and the database tell are replaced by words
that a shell, a terminal, a browser or Prometheus would act on. What a hostile sender of files can
do is tested between real hosts (tests/lab/test_files_failures.py), quoting in tests/properties.
"""

from __future__ import annotations

import json
import random
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hamnd.adapters.http import MetricsText
from hamnd.core.commands import (
    KeepEpoch,
    LookAtStep,
    PerformAction,
    ProbeRound,
    RehearseStep,
    TakeLook,
)
from hamnd.core.events import Event
from hamnd.core.state import Decision, NodeState
from hamnd.errors import PermanentError
from hamnd.model.names import PlanKind
from hamnd.model.site import Site
from hamnd.model.work import Action, Exec, Look
from hamnd.ports import Entry
from hamnd.views.card import plan_document, render_plan
from hamnd.views.explain import explain_document, render_explain
from hamnd.views.files import files_document, render_files
from hamnd.views.history import render_history
from hamnd.views.page import Dress, render_page
from hamnd.views.ready import ready_document, render_ready
from hamnd.views.run import render_run, run_document
from hamnd.views.samples import Measures, samples
from hamnd.views.status import render_status, status_document
from hamnd.views.watch import render_watch
from hamnd.views.witnesses import render_witnesses, witnesses_document
from tests.proof.budget import FUZZ
from tests.unit.core.canned import Answer, World
from tests.unit.core.story import Story

MARK = "zq77"
HOSTILE = (
    f"\x1b[2J\x1b]0;{MARK}\x07",
    f"{MARK}$(touch${{IFS}}/tmp/{MARK})`touch /tmp/{MARK}`",
    f"';touch /tmp/{MARK};'{MARK}",
    f"\n{MARK}\n\r\x00",
    f"<script>{MARK}</script>",
    f'{MARK}"}} 1\nhamnd_state{{state="Active"}} 1',
    f"[/bold]{MARK}[red]",
    f"-rf{MARK}",
    f"{MARK}\u202e\u2028",
    "../../../etc/passwd" + MARK,
    MARK * 300,
)
SEEDS = range(6 * FUZZ)
SHELLS = re.compile(r"(.*/)?(ba|k|da|)sh")
LANGUAGES = re.compile(r"(.*/)?(awk|gawk|mawk|sed|perl|python3?)")


@dataclass
class HostileWorld(World):
    """What is told becomes hostile, a word here and there, once `share` is above zero."""

    dice: random.Random = field(default_factory=random.Random)
    share: float = 0.0
    words: int = 0
    """How many hostile words were told."""

    def look(self, look: Look, site: Site, at_s: float) -> Answer:
        return self._poisoned(super().look(look, site, at_s))

    def act(self, step: str, action: Action) -> Answer:
        return self._poisoned(super().act(step, action))

    def _poisoned(self, answer: Answer) -> Answer:
        code, text = answer
        if not self.share or text == "refused":
            return answer
        words = re.split(r"([\s=(),]+)", text)
        for at in range(0, len(words), 2):
            if words[at] and self.dice.random() < self.share:
                words[at] = self.dice.choice(HOSTILE)
                self.words += 1
        return code, "".join(words)


@dataclass
class Judge:
    """Looks at every command that the core gives, and keeps how many there were."""

    asked: int = 0

    def __call__(self, _before: NodeState, _event: Event, decision: Decision) -> None:
        for command in decision.commands:
            for one in _asked(command):
                if isinstance(one.request, Exec):
                    self.asked += 1
                    _is_no_script(one.request)


def _asked(command: object) -> Iterator[Look | Action]:
    match command:
        case PerformAction() | KeepEpoch():
            yield command.action
        case TakeLook():
            yield command.look
        case LookAtStep() | RehearseStep():
            yield from command.looks
        case ProbeRound():
            yield from (look for _, look in command.probes)


def _is_no_script(request: Exec) -> None:
    """What a primary told may be an argument, never a part of a program."""
    argv = request.argv
    for at, word in enumerate(argv):
        if SHELLS.fullmatch(word) and argv[at + 1 : at + 2] in (("-c",), ("-ec",)):
            assert MARK not in argv[at + 2], argv
        if LANGUAGES.fullmatch(word):
            options = [one for one in argv[at + 1 :] if not one.startswith("-")]
            assert MARK not in options[0], argv
    assert MARK not in (request.stdin or ""), argv
    assert MARK not in argv[0], argv
    assert "\x00" not in "".join(argv), shlex.join(argv)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_a_hostile_primary_says_is_shown_harmless_and_never_run(seed: int) -> None:
    world = HostileWorld(dice=random.Random(f"hostile {seed}"))
    judge = Judge()
    story = Story(world=world).in_peer()
    story.check = judge
    world.share = world.dice.choice((0.02, 0.1, 0.5))
    story.live(70.0)
    for kind in (PlanKind.SWITCHOVER, PlanKind.SETUP, PlanKind.DRILL):
        story.plan(kind=kind)
    _is_shown_harmless(story)
    world.share = 0.0
    story.live(40.0)
    world.die()
    story.live(4.0)
    world.lose_link(story.now_s)
    world.share = 0.05
    story.live(30.0)
    story.plan()
    if story.state.plans:
        story.confirm()
    story.live(60.0)
    _is_shown_harmless(story)
    world.come_back()
    story.live(60.0)
    story.plan(kind=PlanKind.REJOIN)
    _is_shown_harmless(story)
    assert world.words > 20
    assert judge.asked > 100


def _is_shown_harmless(story: Story) -> None:
    state, now, terms = story.state, story.now, story.terms
    document = status_document(state, now, terms)
    explained = explain_document(state, now, terms)
    for lines in (
        render_status(document),
        render_watch(document, 160, 50),
        render_explain(explained),
        render_ready(ready_document(state, now, terms)),
        render_files(files_document(state, now, terms)),
        render_witnesses(witnesses_document(state, now, terms)),
        render_run(run_document(state.run, now, terms.site, state.finished)),
        render_history(_entries(story)),
        *(render_plan(plan_document(plan, now.wall_s, terms.site), True) for plan in state.plans),
    ):
        _are_for_a_terminal(lines)
    page = render_page(document, (), Dress("p{}", "tick();"))
    assert f"<script>{MARK}" not in page
    assert "\x1b" not in page
    json.dumps(document)
    _, text = MetricsText(lambda: samples(document, state, Measures("0.1.0", {}, round_age_s=0.1)))(
        "text/plain"
    )
    families = {one.name: one for one in text_string_to_metric_families(text.decode())}
    hot = [sample for sample in families["hamnd_state"].samples if sample.value == 1]
    assert [sample.labels["state"] for sample in hot] == [state.state.value]
    assert MARK not in text.decode()


def _are_for_a_terminal(lines: Iterable[str]) -> None:
    for line in lines:
        assert line.isprintable(), line
        assert "\u202e" not in line, line


def _entries(story: Story) -> list[Entry]:
    return [
        Entry(number, 1e9, float(number), "boot-1", record, "")
        for number, record in enumerate(story.records, 1)
    ]


def test_the_judge_sees_a_script_that_was_made_of_an_answer() -> None:
    with pytest.raises(AssertionError):
        _is_no_script(Exec("mn1", ("sh", "-c", f"cat {MARK}")))
    with pytest.raises(AssertionError):
        _is_no_script(Exec("mn1", ("awk", "-F:", f"/{MARK}/ {{ print }}")))
    _is_no_script(Exec("mn1", ("sh", "-c", 'cat "$1"', "x", MARK)))
    with pytest.raises((PermanentError, AssertionError)):
        _is_no_script(Exec("mn1", ("db2",), stdin=f"connect to {MARK}"))
