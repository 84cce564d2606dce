"""What the primary tells of its NIM while it is well outlives it, and a restart of hamnd."""

from __future__ import annotations

from dataclasses import replace

from hamnd.core import observing
from hamnd.core.events import LookCompleted
from hamnd.core.health.watch import Watch
from hamnd.core.kept import kept_facts
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Policy, Terms
from hamnd.core.snapshot import dump, restore
from hamnd.core.state import NodeState
from hamnd.core.whereabouts import is_about_partner
from hamnd.model.site import Nim, Platform
from hamnd.model.work import Ending, Looked, Report
from tests.builders import site
from tests.unit.dialects.aix import specimens
from tests.unit.dialects.reports import ended, exited

AIX = site(platform=Platform.AIX, nim=Nim("rebuild"))
TERMS = Terms(AIX, Policy())
TOPIC = "seen:kept:nim"
GOOD = exited(0, specimens.LSNIM)


def told(watch: Watch, report: Report) -> Watch:
    look = platform_of(AIX).looks(AIX)["kept:nim"]
    return observing.fold_look(watch, LookCompleted(TOPIC, Looked(look, report)), TERMS)


def test_what_it_told_last_while_it_was_well_is_kept() -> None:
    watch = told(Watch(), GOOD)
    for report in (
        ended(Ending.COULD_NOT_RUN), ended(Ending.NO_REPLY), exited(1), exited(0, ""),
        exited(0, specimens.LSNIM, truncated=True),
    ):  # fmt: skip
        assert told(watch, report).reports[TOPIC] is GOOD
    newer = exited(0, specimens.LSNIM.replace("61image", "71image"))
    assert told(watch, newer).reports[TOPIC] is newer


def test_only_what_is_new_is_written_into_the_journals_memory() -> None:
    before = Watch()
    first = told(before, GOOD)
    facts = kept_facts(first, before)
    assert set(facts) == {TOPIC}
    again = told(first, exited(0, specimens.LSNIM))
    assert kept_facts(again, first) == {}


def test_a_restart_knows_it_and_a_damaged_fact_is_as_good_as_none() -> None:
    facts = kept_facts(told(Watch(), GOOD), Watch())
    memory = {topic: (text, 1.0) for topic, text in facts.items()}
    text = dump(NodeState())
    assert restore(text, memory).watch.reports[TOPIC].stdout == specimens.LSNIM
    for damaged in ("", "{", "[]", '{"wall_s": "x"}', '{"stdout": "y"}'):
        assert restore(text, {TOPIC: (damaged, 1.0)}).watch.reports == {}


def test_the_partner_is_not_asked_at_an_address_that_may_be_our_own() -> None:
    assert is_about_partner(TOPIC)
    assert not is_about_partner("seen:addresses")
    assert "kept:nim" not in platform_of(AIX).looks(replace(AIX, node=AIX.primary.name))
