"""A night as a document: what a schedule has that a calm one has not, and the least that fails.

Owns the form in which a schedule is kept (JSON: the differences from a calm site, field by field)
and how a failing one is made shorter. Must not know why it fails: who asks says that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy

from cattrs.preconf.json import make_converter

from tests.sim.universe import Universe, plain

Document = dict[str, object]
Path = tuple[str | int, ...]
"""Where in a document something stands: fields by name, items of a list by number."""

TRIES_MAX = 300
KEPT = ("seed",)
"""What the dice of the network and of the operator are made from."""

_converter = make_converter()


def _calm() -> Document:
    """Return the document of a site on which nothing happens."""
    found: Document = json.loads(json.dumps(_converter.unstructure(plain(faults=()))))
    return found


def written(universe: Universe) -> str:
    """Return a schedule as JSON: only what differs from a calm one."""
    return json.dumps(_differing(universe), indent=1) + "\n"


def read(text: str) -> Universe:
    """Return the universe of a schedule.

    Raises:
        ValueError: it is no schedule.
    """
    return _built(json.loads(text))


def shorter(universe: Universe, is_same: Callable[[Universe], bool]) -> Universe:
    """Return the least universe found in which the same still happens.

    Faults and crashes are left out one by one, and whatever else was drawn is made as calm as on a
    site that nothing happens to, until nothing more can go or `TRIES_MAX` nights were played.
    """
    least, tries = _differing(universe), 0
    goes_on = True
    while goes_on:
        goes_on = False
        for path in sorted(_leaves(least), key=_order):
            if tries >= TRIES_MAX:
                return _built(least)
            candidate = _without(least, path)
            if candidate is None:
                continue
            tries += 1
            if is_same(_built(candidate)):
                least, goes_on = candidate, True
    return _built(least)


def _differing(universe: Universe) -> Document:
    whole = json.loads(json.dumps(_converter.unstructure(universe)))
    differing = _difference(whole, _calm())
    assert isinstance(differing, dict)
    return {"seed": universe.seed, **differing}


def _built(document: Mapping[str, object]) -> Universe:
    return _converter.structure(_merged(_calm(), document), Universe)


def _difference(whole: object, calm: object) -> object:
    if not isinstance(whole, dict) or not isinstance(calm, dict):
        return whole
    return {
        name: _difference(value, calm.get(name))
        for name, value in whole.items()
        if name not in calm or value != calm[name]
    }


def _merged(calm: object, document: object) -> object:
    if not isinstance(document, Mapping) or not isinstance(calm, dict):
        return document
    return {**calm, **{name: _merged(calm.get(name), value) for name, value in document.items()}}


def _leaves(document: object, path: Path = ()) -> Iterator[Path]:
    """Yield what can be left out: each field that differs, each item of a list, whole parts."""
    if path and path[0] in KEPT:
        return
    if path:
        yield path
    if isinstance(document, dict):
        for name, value in document.items():
            yield from _leaves(value, (*path, name))
    if isinstance(document, list):
        for number in range(len(document)):
            yield (*path, number)


def _order(path: Path) -> tuple[int, int]:
    """Whole parts before their fields; of a list the last item first, so that numbers stay."""
    last = path[-1]
    return len(path), -last if isinstance(last, int) else 0


def _without(document: Document, path: Path) -> Document | None:
    """Return the document without what stands there; None: it is gone already."""
    found = deepcopy(document)
    here: object = found
    for word in path[:-1]:
        if not isinstance(here, dict) or word not in here:
            return None
        here = here[word]
    last = path[-1]
    is_there = last in here if isinstance(here, dict) else _is_item(here, last)
    if not is_there:
        return None
    assert isinstance(here, dict | list)
    del here[last]  # type: ignore[arg-type]  # the kind of word follows the kind of place
    return found


def _is_item(place: object, number: str | int) -> bool:
    return isinstance(place, list) and isinstance(number, int) and number < len(place)
