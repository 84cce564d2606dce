"""What the partner tells while it is well, kept over its death and over a restart of hamnd.

Owns which topics these are, when an answer takes the place of the one before, and their form in the
journal's memory. Must not know what is told: its versions, its tables, AIX's NIM database.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from hamnd.core.health.watch import Watch
from hamnd.dialects import readers
from hamnd.model.instant import Instant
from hamnd.model.names import Verdict
from hamnd.model.work import Ending, Looked, Report

KEPT = "seen:kept:"
"""Topics begin with it; the rest is the key of a platform's look."""


def is_worth_keeping(topic: str, looked: Looked) -> bool:
    """Whether a report may be folded: of these topics only a good answer replaces another one."""
    return not topic.startswith(KEPT) or readers.read_look(looked).verdict is Verdict.PASS


def kept_facts(watch: Watch, before: Watch) -> Mapping[str, str]:
    """Return by topic, as JSON, what was not told before."""
    facts = {}
    for topic, report in watch.reports.items():
        old = before.reports.get(topic)
        if topic.startswith(KEPT) and (old is None or old.stdout != report.stdout):
            facts[topic] = json.dumps({"wall_s": report.finished.wall_s, "stdout": report.stdout})
    return facts


def kept_reports(memory: Mapping[str, tuple[str, float]]) -> Mapping[str, Report]:
    """Return what was kept, from the journal's memory; a damaged fact is as good as none."""
    found: dict[str, Report] = {}
    for topic, (text, _) in memory.items():
        if not topic.startswith(KEPT):
            continue
        try:
            document = json.loads(text)
            at = Instant(0.0, float(document["wall_s"]))
            found[topic] = Report(Ending.EXITED, at, at, 0, str(document["stdout"]))
        except (KeyError, TypeError, ValueError):
            continue
    return found
