"""What every replication engine keeps, and the README's worked example of one more.

Owns the contract of step ids that plans are ordered by (`Engine.steps`), and that what the README
shows is true: its made-up engine is run here, and has to keep the same contract.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hamnd.core.policy import Terms
from hamnd.core.replication import (
    Engine,
    Promotion,
    Rejoin,
    Setup,
    Switchover,
    Takeover,
    Task,
    Way,
)
from hamnd.core.replication.registry import ENGINES
from hamnd.model.names import Verdict
from hamnd.model.plan import Step
from hamnd.model.shared_disk import SharedDiskSite, SharedFilesystem
from hamnd.model.site import PostgresSite, Site
from hamnd.model.work import Exec, Look
from hamnd.views.replication import MEANINGS
from hamnd.views.report import kind_of_step
from tests.unit.core.builders import site, terms

TAKEOVER = Takeover(Promotion("accepted-force", Verdict.PASS, ""))
REJOIN = Rejoin(Way.RESEED, "kept-1", "what only it has")
TASKS: tuple[Task, ...] = (TAKEOVER, Setup(), REJOIN, Switchover())
SITES: dict[str, dict[str, object]] = {
    "postgresql": {"postgresql": PostgresSite(data_dir="/var/lib/pgsql/data")},
    "shared_disk": {
        "shared_disk": SharedDiskSite(filesystems=(SharedFilesystem("/dev/sdx", "/etc/xcat"),))
    },
}


def terms_for(engine: str) -> Terms:
    return terms(site(engine=engine, **SITES.get(engine, {})))


def keeps_the_contract(engine: Engine, here: Terms) -> None:
    """The ids of its steps, in an order in which plans can put others around them."""
    ids = {type(task): [one.id for one in engine.steps(here, task)] for task in TASKS}
    assert "promote" in ids[Takeover]
    assert ids[Setup][-1] == ids[Rejoin][-1] == "replicate"
    kept = "let-go" if engine.name == "shared_disk" else "preserve"
    assert ids[Rejoin].index("hold") < ids[Rejoin].index(kept)
    assert ids[Switchover].index("quiesce") < ids[Switchover].index("promote")
    assert ids[Switchover][-1] == "replicate"


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_every_engine_has_the_steps_that_plans_are_ordered_by(name: str) -> None:
    keeps_the_contract(ENGINES[name], terms_for(name))


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_every_step_is_proven_and_its_promotion_is_not_taken_back(name: str) -> None:
    engine, here = ENGINES[name], terms_for(name)
    for task in TASKS:
        assert engine.steps(here, task) == engine.steps(here, task)
        for step in engine.steps(here, task):
            assert step.postconditions, f"{step.id} proves nothing"
    promote = next(one for one in engine.steps(here, TAKEOVER) if one.id == "promote")
    assert not promote.reversible
    assert promote.readiness, "nothing is known of it any day"


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_the_report_counts_every_step_of_an_engine_as_the_engines(name: str) -> None:
    here = terms_for(name)
    made = {one.id for task in TASKS for one in ENGINES[name].steps(here, task)}
    assert {one for one in made if kind_of_step(one) != "engine"} == set()
    assert [kind_of_step(one) for one in ("home-promote", "xcatd", "fence")] == [
        *("engine", "xcat", "other"),
    ]


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_every_state_that_an_engine_tells_is_explained(name: str, checkout: Path) -> None:
    """`hamnctl explain replication` says what each word means; Db2's are those of its manual."""
    files = list((checkout / "hamnd/core/replication").glob(f"{name}*.py"))
    if name in ("sqlite", "dump"):
        files.append(checkout / "hamnd/core/replication/copies.py")
    words = {
        word
        for file in files
        for word in re.findall(r'\bstate(?: =|=) ?"([a-z_]+)"', file.read_text())
    }
    assert name == "db2" or words, "none was found"
    assert words <= set(MEANINGS[name])


def test_the_readme_tells_of_every_engine_and_its_sample(checkout: Path) -> None:
    readme = (checkout / "README.md").read_text()
    for name in ENGINES:
        assert f"config/hamnd.{name.replace('_', '-')}.toml" in readme, name
        assert f'engine = "{name}"' in readme or f"**`{name}`**" in readme, name


# ---- the README's worked example -----------------------------------------------------------------
def example(checkout: Path) -> tuple[str, list[str]]:
    """The chapter, and its blocks of code."""
    readme = (checkout / "README.md").read_text()
    chapter = readme.split("\n## Adding a replication engine\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^   ```python\n(.*?)^   ```$", chapter, re.MULTILINE | re.DOTALL)
    return chapter, [inspect.cleandoc(f"\n{one}") for one in blocks]


def step(name: str) -> Any:
    return lambda *_: Step(name, "", "-", "aixmn2")


def made(blocks: list[str]) -> Engine:
    """The README's engine; what it leaves to the reader is a step of the right name."""
    names: dict[str, Any] = {
        "Site": Site, "Look": Look, "Exec": Exec, "Terms": Terms, "Task": Task, "Step": Step,
        "dataclass": dataclass, "Takeover": Takeover, "Rejoin": Rejoin, "Setup": Setup,
        "Switchover": Switchover, "GRACEFUL": None, "_preserve_standby": step("preserve"),
        "_follow": step("follow"),
    }  # fmt: skip
    for one in ("promote", "hold", "preserve", "reseed", "replicate", "quiesce"):
        names[f"_{one}"] = step(one)
    exec(blocks[0], names)  # noqa: S102 - our own README
    names["commands"] = SimpleNamespace(status=names["status"])
    exec(blocks[1], names)  # noqa: S102 - likewise
    return cast("Engine", names["RsyncdbEngine"]())


def test_the_worked_example_is_an_engine(checkout: Path) -> None:
    _, blocks = example(checkout)
    engine, here = made(blocks), terms_for("db2")
    assert engine.name == "rsyncdb"
    look = engine.looks(here)["rsyncdb"]
    assert isinstance(look.request, Exec)
    assert look.request.argv == ("rsyncdbctl", "status")
    keeps_the_contract(engine, here)
    for name, asked in inspect.getmembers(Engine, inspect.isfunction):
        if not name.startswith("_"):
            theirs = inspect.signature(getattr(type(engine), name))
            assert list(theirs.parameters) == list(inspect.signature(asked).parameters), name


def test_the_worked_example_names_rooms_that_are_there(checkout: Path) -> None:
    chapter, _ = example(checkout)
    named = set(
        re.findall(r"`((?:hamnd|tests|model|settings|dialects|views|config)/[\w/.]+)`", chapter)
    )
    assert named
    for one in named - {name for name in named if "rsyncdb" in name}:
        assert (checkout / one).exists() or (checkout / "hamnd" / one).exists(), one
