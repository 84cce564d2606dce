"""The sample configuration: complete, explained, loadable, and equal to the defaults.

After a change of the table of keys: `HAMND_REWRITE=sample python -m pytest tests/unit/settings`.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from hamnd.settings import SCHEMA, load
from hamnd.settings.sample import render_sample
from hamnd.settings.schema import REQUIRED, Schema
from tests.unit.settings.configs import MINIMAL

ENGINES = ("db2", "postgresql", "mariadb", "sqlite", "dump", "shared_disk")
OPTION = re.compile(r"^# (\[{1,2}[a-z0-9_.]+\]{1,2}|[a-z0-9_]+ = .*)$")


@pytest.mark.parametrize("engine", ENGINES)
def test_the_committed_sample_is_what_the_keys_say(
    engine: str, checkout: Path, rewrite_sample: bool
) -> None:
    path = checkout / f"config/hamnd.{engine.replace('_', '-')}.toml"
    if rewrite_sample:
        path.write_text(render_sample(SCHEMA, engine), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == render_sample(SCHEMA, engine)


def test_the_sample_loads_and_equals_the_defaults(checkout: Path) -> None:
    sample = load((checkout / "config/hamnd.db2.toml").read_text(encoding="utf-8"))
    minimal = load(MINIMAL)
    assert sample.errors == ()
    assert sample.site is not None
    assert minimal.site is not None
    assert sample.policy == minimal.policy
    assert sample.journal_timeout_s == minimal.journal_timeout_s
    required = {"node", "platform", "primary", "standby", "identity", "gateway", "db2"}
    for field in dataclasses.fields(sample.site):
        if field.name not in required:
            assert getattr(sample.site, field.name) == getattr(minimal.site, field.name), field.name
    assert dataclasses.replace(sample.site.db2, database="", instance_owner="") == (
        dataclasses.replace(minimal.site.db2, database="", instance_owner="")
    )
    assert [problem.path for problem in sample.warnings] == ["witness", "fence.minimum"]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_sample_with_every_option_switched_on_loads_without_a_word(
    engine: str, checkout: Path
) -> None:
    text = (checkout / f"config/hamnd.{engine.replace('_', '-')}.toml").read_text(encoding="utf-8")
    switched_on = "\n".join(OPTION.sub(r"\1", line) for line in text.splitlines())
    loaded = load(switched_on)
    assert [problem.line() for problem in loaded.problems] == []
    assert loaded.site is not None
    assert loaded.site.engine == engine
    assert loaded.site.fence.secret_files
    assert loaded.site.witnesses


@pytest.mark.parametrize("engine", ENGINES)
def test_every_option_has_its_comment_block(engine: str, checkout: Path) -> None:
    text = (checkout / f"config/hamnd.{engine.replace('_', '-')}.toml").read_text(encoding="utf-8")
    for key in SCHEMA.of_site(engine, "linux").keys:
        block = re.search(
            rf"((?:^# .*\n)+)^(?:# )?{key.name} = .*$", _section(text, key.section), re.MULTILINE
        )
        assert block, key.path
        told = " ".join(line.removeprefix("# ") for line in block[1].splitlines())
        assert key.doc in told
        assert f"Change: {key.change}" in told
        assert "Required." in told or "Default:" in told
        assert not key.unit or f"Unit: {key.unit}." in told
        has_unit = key.name.endswith(("_s", "_mib", "_bytes_max"))
        assert not has_unit or key.unit, f"{key.path} says no unit"


def _section(text: str, path: str) -> str:
    if not path:
        return text[: text.index("[primary]")]
    found = re.search(
        rf"^(?:# )?\[{{1,2}}{re.escape(path)}\]{{1,2}}$(.*?)(?=^(?:# )?\[|\Z)",
        text,
        re.MULTILINE | re.DOTALL,
    )
    assert found, path
    return found[1]


def test_every_required_key_has_an_example_and_every_key_a_section() -> None:
    sections = {section.path for section in SCHEMA.sections}
    for key in SCHEMA.keys:
        assert key.section in sections, key.path
        assert key.default is not REQUIRED or key.example is not None, key.path
        assert key.doc.endswith("."), key.path
        assert key.change.endswith((".", "?")), key.path


def test_no_key_is_declared_twice() -> None:
    paths = [key.path for key in SCHEMA.keys]
    assert sorted(paths) == sorted(set(paths))


def test_a_changed_default_changes_the_sample() -> None:
    """The comparison above can fail."""
    first = dataclasses.replace(SCHEMA.keys[0], default="other")
    assert render_sample(Schema(SCHEMA.sections, (first, *SCHEMA.keys[1:]))) != render_sample(
        SCHEMA
    )
