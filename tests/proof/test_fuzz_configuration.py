"""Any configuration at all: refused whole with every problem, or accepted and then of use.

Owns the fuzz of `settings.load`: every sample file with any of all keys changed, lost, misspelt or
put elsewhere, and texts that are no TOML. What each key means is tested beside its reader.
"""

from __future__ import annotations

import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamnd.core.asking import platform_steps
from hamnd.core.plans.by_hand import takeover_by_hand
from hamnd.core.plans.digest import covered_step
from hamnd.core.plans.takeover import takeover_steps
from hamnd.core.policy import Terms
from hamnd.core.state import NodeState
from hamnd.settings import SCHEMA, Loaded, load
from hamnd.settings.kinds import Kind, Unfit
from hamnd.views.runbook import (
    render_runbook,
    render_runbook_markdown,
    runbook_document,
)
from tests.proof.budget import fuzz
from tests.unit.core.story import Story
from tests.unit.settings.test_load import as_toml

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = sorted((ROOT / "config").glob("hamnd.*.toml"))
CHANGES_MAX = 4

WORDS = (
    *("", " ", "-", "/", "..", "-rf", "--", "a b", "a;b", "$(id)", "`id`", "'", '"', "\\", "%s"),
    *("\x00", "\x1b[2J", "ü" * 8, "\u2028", "[/bold]", "x" * 300, "::1", "0.0.0.0", "0", "on"),
    *("/etc/passwd", "mn1", "mn2", "root", "db2", "linux", "aix", "* * * * *", "@reboot", "1e9"),
)
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-2, 70_000),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(max_size=8),
)
VALUES = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=3),
    st.dictionaries(st.sampled_from(WORDS[1:]), SCALARS, max_size=2),
)
PATHS = tuple(key.path for key in SCHEMA.keys)
KINDS: dict[str, Kind] = {key.path: key.kind for key in SCHEMA.keys}
REPEATED = tuple(section.path for section in SCHEMA.sections if section.many)


@st.composite
def changed(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a sample with some keys changed, and what was put where, by the key's path."""
    raw = deepcopy(tomllib.loads(draw(st.sampled_from(SAMPLES)).read_text()))
    put: dict[str, Any] = {}
    for path in draw(st.lists(st.sampled_from(PATHS), max_size=CHANGES_MAX, unique=True)):
        place, name = _place(raw, path.rpartition(".")[0]), path.rpartition(".")[2]
        if place is None:
            continue
        match draw(st.integers(0, 9)):
            case 0:
                place.pop(name, None)
            case 1:
                place[draw(st.sampled_from((name + "s", name[:-1], "nonsense")))] = draw(VALUES)
            case 2 | 3 | 4:
                put[path] = place[name] = _near(draw, path)
            case _:
                put[path] = place[name] = draw(VALUES)
    return raw, put


def _near(draw: st.DrawFn, path: str) -> Any:
    """Return what the key could hold: its default, an example, or such of another key."""
    other = draw(st.sampled_from(SCHEMA.keys))
    key = next(one for one in SCHEMA.keys if one.path == path)
    likely = [one for one in (key.example, key.default, other.example) if one is not None]
    plain = [_plain(one) for one in likely if not hasattr(one, "name")]
    return draw(st.sampled_from(plain)) if plain else draw(VALUES)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _place(raw: dict[str, Any], section: str) -> dict[str, Any] | None:
    """Return the table of a section, made where there is none; None: something is in its way."""
    place: Any = raw
    walked: list[str] = []
    for name in filter(None, section.split(".")):
        walked.append(name)
        inner = place.setdefault(name, [{}] if ".".join(walked) in REPEATED else {})
        place = inner[0] if isinstance(inner, list) and inner else inner
        if not isinstance(place, dict):
            return None
    return place if isinstance(place, dict) else None


@fuzz(150)
@given(made=changed())
def test_a_file_is_refused_whole_with_every_problem_or_is_of_use(
    made: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    raw, put = made
    loaded = load(as_toml(raw))
    assert (loaded.site is None) == (loaded.policy is None) == bool(loaded.errors)
    told = {_bare(one.path) for one in loaded.errors}
    for path, value in put.items():
        if _stands(raw, path, value) and not _fits(KINDS[path], value):
            assert path in told or _is_told_above(path, told), (path, value, loaded.errors)
    for one in loaded.problems:
        assert one.problem
        assert one.line().isprintable(), one.line()
    if loaded.site is not None:
        _use(loaded)


def _bare(path: str) -> str:
    """Return a path without the numbers of repeated tables."""
    return path.replace("[0]", "")


def _is_told_above(path: str, told: set[str]) -> bool:
    """Whether the key's whole table is refused: it is another engine's or platform's."""
    return any(path.startswith(f"{one}.") for one in told if one)


def _stands(raw: dict[str, Any], path: str, value: Any) -> bool:
    """Whether the value is still where it was put: a later change may have taken its table."""
    place = _place(deepcopy(raw), path.rpartition(".")[0])
    return place is not None and repr(place.get(path.rpartition(".")[2])) == repr(value)


def _fits(kind: Kind, value: Any) -> bool:
    try:
        kind.read(value)
    except Unfit:
        return False
    return True


def _use(loaded: Loaded) -> None:
    """Do with a configuration what hamnd does with it: plan, write down, show, watch."""
    assert loaded.site is not None
    assert loaded.policy is not None
    terms = Terms(loaded.site, loaded.policy)
    state = NodeState()
    steps = takeover_steps(terms, state.assessment.promotion, platform_steps(state, terms))
    for step in steps:
        for shown in covered_step(step, terms)[4:]:
            assert isinstance(shown, list)
            assert all(line.isprintable() for line in shown), shown
    document = runbook_document(takeover_by_hand(terms), terms.site)
    assert render_runbook(document)
    assert render_runbook_markdown(document)
    Story(terms=terms).begin().live(3.0)


NO_TOML = st.one_of(
    st.text(max_size=200),
    st.sampled_from(
        (
            "a = " + "[" * 5000,
            "a = " + "{a=" * 5000,
            "a." * 5000 + "b = 1",
            "a = " + "9" * 5000,
            "a = 1e99999999",
            "a = 9999-99-99",
            "a = 0001-01-01T00:00:00+23:59",
            '"' + "a" * 9000,
            "[[a]]\n[a]",
            "\ufeffnode = 1",
        )
    ),
)


@fuzz(60)
@given(text=NO_TOML)
def test_what_is_no_toml_or_no_configuration_is_refused_in_words(text: str) -> None:
    loaded = load(text)
    assert loaded.site is None
    assert loaded.errors


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_sample_is_of_use(path: Path) -> None:
    _use(load(path.read_text()))
