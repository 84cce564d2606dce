"""Global transaction IDs: texts of both products as sets of transactions, and what one lacks.

Owns `0-1-22415,1-4-7` (MariaDB: domain, server, number) and `UUID:1-5:7` (MySQL). Must not judge.

MariaDB's list is a position: of a domain, everything up to that number. Which server began the last
transaction is left out here: in strict mode the numbers of a domain only grow, whoever writes
(MariaDB manual, gtid_strict_mode).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from hamnd.model.mariadb import Span, Transactions

NUMBER_MAX = (1 << 63) - 1

_POINT = re.compile(r"(\d{1,10})-(\d{1,10})-(\d{1,19})", re.ASCII)
_SOURCE = re.compile(r"([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})((?::[^:,]+)+)")
_INTERVAL = re.compile(r"(\d{1,19})(?:-(\d{1,19}))?", re.ASCII)
_TAG = re.compile(r"[a-z_][a-z0-9_]{0,31}", re.ASCII | re.IGNORECASE)


def parse_gtids(text: str | None) -> Transactions | None:
    """Return the transactions that a text names, in either product's form; None: unreadable."""
    if text is None:
        return None
    words = [one.strip() for one in text.replace("\\n", " ").split(",")]
    if words == [""]:
        return Transactions()
    spans: list[Span] = []
    for word in words:
        found = _point(word) or _source(word)
        if found is None:
            return None
        spans += found
    return _merged(spans)


def _point(word: str) -> list[Span] | None:
    found = _POINT.fullmatch(word)
    if found is None or not 1 <= int(found[3]) <= NUMBER_MAX:
        return None
    return [Span(str(int(found[1])), 1, int(found[3]))]


def _source(word: str) -> list[Span] | None:
    """Read `UUID:1-5:7`, and since MySQL 8.3 `UUID:1-5:tag:1-2`."""
    found = _SOURCE.fullmatch(word)
    if found is None:
        return None
    stream, spans = found[1].lower(), []
    uuid = stream
    for part in (one.strip() for one in found[2][1:].split(":")):
        interval = _INTERVAL.fullmatch(part)
        if interval is None:
            if _TAG.fullmatch(part) is None:
                return None
            stream = f"{uuid}:{part.lower()}"
            continue
        first = int(interval[1])
        last = int(interval[2] or first)
        if not 1 <= first <= last <= NUMBER_MAX:
            return None
        spans.append(Span(stream, first, last))
    return spans or None


def union(*sets: Transactions) -> Transactions:
    """Return what is in any of the sets."""
    return _merged([span for one in sets for span in one.spans])


def missing(ours: Transactions, theirs: Transactions) -> Transactions:
    """Return what is in theirs and not in ours."""
    return Transactions(tuple(_without(theirs.spans, ours.spans)))


def has_all(ours: Transactions, theirs: Transactions) -> bool:
    """Whether everything of theirs is in ours."""
    return not missing(ours, theirs).spans


def format_spans(transactions: Transactions) -> str:
    """Return the set in words that fit both products, e.g. `domain 0: 22416 to 22445`."""
    return ", ".join(
        f"{'domain ' if one.stream.isdigit() else ''}{one.stream}: "
        + (f"{one.first}" if one.first == one.last else f"{one.first} to {one.last}")
        for one in transactions.spans
    )


def _merged(spans: Iterable[Span]) -> Transactions:
    merged: list[Span] = []
    for one in sorted(spans, key=lambda span: (span.stream, span.first)):
        last = merged[-1] if merged else None
        if last is not None and last.stream == one.stream and one.first <= last.last + 1:
            merged[-1] = Span(one.stream, last.first, max(last.last, one.last))
        else:
            merged.append(one)
    return Transactions(tuple(merged))


def _without(spans: Iterable[Span], taken: tuple[Span, ...]) -> Iterator[Span]:
    for one in spans:
        first = one.first
        for other in taken:
            if other.stream != one.stream or other.last < first or other.first > one.last:
                continue
            if other.first > first:
                yield Span(one.stream, first, other.first - 1)
            first = other.last + 1
        if first <= one.last:
            yield Span(one.stream, first, one.last)
