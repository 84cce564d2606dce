"""What the documents show: every command parses, every link leads somewhere, every step is told.

Owns README.md, docs/ and the files beside them as texts. What the commands do is tested elsewhere;
here a renamed option or command is noticed in the sentence that still has the old name.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hamnd import dialects
from hamnd.cli.main import COMMANDS, whole_parser
from hamnd.daemon.main import _parser as daemon_parser
from hamnd.daemon.survey import parser as init_parser
from hamnd.model.plan import Step
from hamnd.model.site import Site
from tests.builders import terms
from tests.unit.dialects.reports import exited

TEXTS = ("README.md", "CHANGELOG.md", "SECURITY.md")
PROGRAMS = ("hamnctl", "hamnd", "make")
SECTION = re.compile(r"^## §(\S+)", re.MULTILINE)


def documents(checkout: Path) -> list[Path]:
    return [checkout / name for name in TEXTS] + sorted((checkout / "docs").glob("*.md"))


def commands(text: str) -> Iterator[str]:
    """Yield what stands in code and begins with one of our programs, in blocks and sentences."""
    blocks = re.findall(r"^ *```.*?\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    rest = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines += [" ".join(one.split()) for one in re.findall(r"`([^`]+)`", rest)]
    for line in lines:
        # What a block explains beside a command stands two blanks away from it.
        told = re.split(r"\s{2,}|\s#\s", line.strip())[0]
        for part in re.split(r"\s\|\|?\s|;\s|\s·\s|\s&&\s", told):
            if part.split(" ")[0] in PROGRAMS and " " in part:
                yield part


def problem(command: str, targets: set[str]) -> str | None:
    """Return what is wrong with a command, or None."""
    program, *words = shlex.split(command)
    if program == "make":
        missing = [one for one in words if "=" not in one and one not in targets]
        return f"no target {missing}" if missing else None
    if program == "hamnd" and words[0] == "demo":
        return None if set(words[1:]) <= {"--auto"} else "demo has no such option"
    if program == "hamnd" and words[0] == "import-cron":
        return None
    if program == "hamnctl" and len(words) == 1 and words[0] in COMMANDS:
        return None  # named in a sentence, not shown with what it needs
    parser = whole_parser() if program == "hamnctl" else daemon_parser()
    if program == "hamnd" and words[0] == "init":
        parser, words = init_parser(), words[1:]
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            parser.parse_args(words)
        except SystemExit as ended:
            return said.getvalue().strip() if ended.code else None
    return None


def test_every_command_shown_is_one_that_the_programs_know(checkout: Path) -> None:
    makefile = (checkout / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    wrong = [
        f"{path.name}: {command}: {what}"
        for path in documents(checkout)
        for command in commands(path.read_text())
        if (what := problem(command, targets)) is not None
    ]
    assert wrong == []


def test_a_command_that_is_none_is_noticed() -> None:
    text = (
        "Type `hamnctl stauts --json`, or\n```sh\nhamnctl plan takeover --force   # at night\n```\n"
    )
    found = list(commands(text))
    assert found == ["hamnctl plan takeover --force", "hamnctl stauts --json"]
    assert all(problem(one, set()) for one in found)
    assert problem("make nothing", {"demo"}) == "no target ['nothing']"


@pytest.mark.parametrize("name", ["README.md", "docs/guide.md", "docs/faq.md", "docs/runbook.md"])
def test_the_documents_show_commands_at_all(checkout: Path, name: str) -> None:
    assert len(list(commands((checkout / name).read_text()))) > 8


def test_every_link_leads_to_a_file(checkout: Path) -> None:
    lost = [
        f"{path.name}: {target}"
        for path in documents(checkout)
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text())
        if not (path.parent / target).exists()
    ]
    assert lost == []


def test_the_runbook_for_the_night_is_one_page(checkout: Path) -> None:
    lines = (checkout / "docs/runbook.md").read_text().splitlines()
    assert len(lines) <= 66
    assert max(len(line) for line in lines) <= 120


def steps_by_section(checkout: Path) -> set[tuple[str, str]]:
    """Return (guide's section, step) of every step that the core makes under a name of its own."""
    found = set()
    for path in (checkout / "hamnd/core").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                told = {one.arg: one.value for one in node.keywords}
                guide, name = told.get("guide"), told.get("id")
                if isinstance(guide, ast.Constant) and isinstance(name, ast.Constant):
                    found.add((str(guide.value), str(name.value)))
    return found


def test_the_guide_tells_every_step_in_the_section_that_its_card_names(checkout: Path) -> None:
    text = (checkout / "docs/guide.md").read_text()
    parts = SECTION.split(text)[1:]
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    found = steps_by_section(checkout)
    assert len(found) > 40
    untold = [
        f"§{guide} {step}"
        for guide, step in sorted(found)
        if guide != "-"
        and f"`{step}`" not in sections[next(one for one in sections if _is_in(guide, one))]
    ]
    assert untold == []


def _is_in(guide: str, section: str) -> bool:
    return guide == section or guide.startswith(f"{section}.")


def test_the_rooms_are_told_in_the_order_that_is_checked(checkout: Path) -> None:
    with (checkout / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["containers"] == ["hamnd"])
    told = re.search(r"`(errors < .*?__main__)`", contributing(checkout), re.DOTALL)
    assert told
    rooms = [set(re.split(r"\s*\|\s*", one.strip())) for one in told[1].split("<")]
    assert rooms == [set(re.split(r"\s*\|\s*", one)) for one in reversed(layers)]


def test_the_worked_example_of_a_step_makes_one(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given the page's two blocks of code as they stand, then they are a look, a reader, a step."""
    chapter = contributing(checkout).split("\n## A step\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^   ```python\n(.*?)^   ```$", chapter, re.MULTILINE | re.DOTALL)
    dialect, platform = [inspect.cleandoc(f"\n{one}") for one in blocks]
    licences = ModuleType("hamnd.dialects.licences")
    exec(dialect, vars(licences))  # noqa: S102 - our own page
    monkeypatch.setitem(sys.modules, licences.__name__, licences)
    monkeypatch.setattr(dialects, "licences", licences, raising=False)
    names: dict[str, Any] = {"Site": Site}
    exec(platform, names)  # noqa: S102 - likewise
    here = terms()
    step = names["licence_server"](here.site, here.policy)
    assert isinstance(step, Step)
    assert step.postconditions[0].reads in licences.READERS
    told = {
        word: licences.read_serving(exited(stdout=word)).verdict.value
        for word in ("serving", "stopped", "serv")
    }
    assert told == {"serving": "pass", "stopped": "block", "serv": "unknown"}
    for one in re.findall(r"`((?:core|settings|dialects|tests|docs|model)/[\w/.]+\.\w+)`", chapter):
        places = (checkout / one, checkout / "hamnd" / one)
        assert one == "dialects/licences.py" or any(place.exists() for place in places), one


def contributing(checkout: Path) -> str:
    return (checkout / "docs/contributing.md").read_text()
