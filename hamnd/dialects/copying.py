"""What a run of a copy tells about itself: one line of JSON behind a mark, the last of its output.

Owns that line, which everything that copies prints: the file sets' programs and the engines' own.
Must not know what was copied. Readers are total: a line that cannot be read tells nothing.

    hamnd-copy {"as_of": 1795310000, "entries": 17, "bytes": 81920, "changed": 2}
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hamnd.model.copying import CopyFacts, Drift
from hamnd.model.work import Report

MARK = "hamnd-copy "
EXAMPLES_MAX = 20
TEXT_MAX = 500
COUNT_MAX = 1 << 62


def facts_line(facts: CopyFacts) -> str:
    """Return the line that tells these facts."""
    told: dict[str, Any] = {
        "as_of": facts.as_of,
        "entries": facts.entries,
        "bytes": facts.bytes,
        "changed": facts.changed,
        "deleted": facts.deleted,
        "sentence": facts.sentence or None,
        "question": facts.question or None,
        "identical": facts.identical,
    }
    if facts.drift is not None:
        drift = facts.drift
        told["drift"] = {
            "at": drift.at,
            "differ": drift.differ,
            "missing": drift.missing,
            "extra": drift.extra,
            "examples": list(drift.examples),
            "whole": drift.is_whole,
        }
    return MARK + json.dumps({key: value for key, value in told.items() if value is not None})


def read_facts(report: Report) -> CopyFacts:
    """Return what the last such line of a report tells; nothing where there is none."""
    for line in reversed(report.stdout.splitlines()):
        if line.startswith(MARK):
            try:
                told = json.loads(line.removeprefix(MARK))
            except ValueError:
                return CopyFacts()
            return _facts(told) if isinstance(told, dict) else CopyFacts()
    return CopyFacts()


def merged(earlier: CopyFacts, later: CopyFacts) -> CopyFacts:
    """Return what two actions of one run told together; the later one counts."""
    told = {
        name: value
        for name in CopyFacts.__slots__
        if (value := getattr(later, name)) not in (None, "")
    }
    return replace(earlier, **told)


def _facts(told: dict[str, Any]) -> CopyFacts:
    identical = told.get("identical")
    return CopyFacts(
        as_of=_number(told.get("as_of")),
        entries=_count(told.get("entries")),
        bytes=_count(told.get("bytes")),
        changed=_count(told.get("changed")),
        deleted=_count(told.get("deleted")),
        sentence=_text(told.get("sentence")),
        drift=_drift(told.get("drift")),
        question=_text(told.get("question")),
        identical=identical if isinstance(identical, bool) else None,
    )


def _drift(told: object) -> Drift | None:
    if not isinstance(told, dict) or (at := _number(told.get("at"))) is None:
        return None
    examples = told.get("examples")
    names = examples if isinstance(examples, list) else []
    return Drift(
        at=at,
        differ=_count(told.get("differ")) or 0,
        missing=_count(told.get("missing")) or 0,
        extra=_count(told.get("extra")) or 0,
        examples=tuple(_text(name) for name in names[:EXAMPLES_MAX] if isinstance(name, str)),
        is_whole=told.get("whole") is not False,
    )


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < COUNT_MAX else None


def _count(value: object) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return "".join(sign if sign.isprintable() else "?" for sign in value)[:TEXT_MAX]
