"""How far a step under way is: asked where its engine can tell, shown in bars, kept nowhere."""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.commands import TakeLook
from hamnd.core.events import LookCompleted, Ticked
from hamnd.dialects.db2 import seeding
from hamnd.model.names import Rhythm
from hamnd.model.work import Ending, Look, Looked, Report
from hamnd.views.page import page_document
from hamnd.views.status import status_document
from hamnd.views.watch import render_watch
from tests.unit.core.story import Story

TOLD = """
ID                               = 2
Type                             = RESTORE
Database Name                    = XCATDB
Progress Monitoring:
   Estimated Percentage Complete = 42
      Total Work                 = 2147483648 bytes
      Completed Work             = 901943132 bytes
"""


def copying() -> tuple[Story, Look]:
    """A run whose step `promote` hangs, and can be asked how far it is."""
    story = Story()
    story.world.actions["promote"] = "hangs"
    story.taking_over("promote")
    story.until(lambda: story.state.run is not None
                and story.state.run.steps["promote"].has_acted)  # fmt: skip
    look = seeding.progress(story.terms.site, story.terms.site.node)
    run = story.state.run
    assert run is not None
    steps = tuple(
        replace(one, progress=look) if one.id == "promote" else one for one in run.plan.steps
    )
    story.state = replace(story.state, run=replace(run, plan=replace(run.plan, steps=steps)))
    return story, look


def told(story: Story, look: Look, text: str) -> None:
    report = Report(Ending.EXITED, story.now, story.now, 0, text)
    story.feed(LookCompleted("progress:promote", Looked(look, report)))


def test_the_engine_is_asked_in_the_rhythm_of_replication_as_long_as_the_step_acts() -> None:
    story, look = copying()
    story.live(2.0)
    asked = story.feed(Ticked(Rhythm.REPLICATION)).commands
    assert TakeLook("progress:promote", look) in asked or "progress:promote" in (
        story.state.timing.in_flight
    )


def test_what_it_tells_is_a_bar_with_its_words() -> None:
    story, look = copying()
    told(story, look, TOLD)
    document = status_document(story.state, story.now, story.terms)
    (step,) = [one for one in document["run"]["steps"] if one["id"] == "promote"]
    assert step["progress"]["sentence"].startswith("restore: 42 %")
    assert 0.41 < step["progress"]["share"] < 0.43
    screen = render_watch(document, 80, 24)
    (bar,) = [line for line in screen if "promote" in line and "[###" in line]
    assert "42%" in bar
    assert 'max="1">42%</progress>' in page_document(document, [])["parts"]["run"]


def test_what_tells_nothing_leaves_the_last_word_and_a_step_that_ended_has_none() -> None:
    story, look = copying()
    told(story, look, TOLD)
    told(story, look, "SQL1611W No data was returned by Database System Monitor.\n")
    document = status_document(story.state, story.now, story.terms)
    assert any(one["progress"] for one in document["run"]["steps"])
    run = story.state.run
    assert run is not None
    story.crash()
    document = status_document(story.state, story.now, story.terms)
    assert not any(one["progress"] for one in document["run"]["steps"])
