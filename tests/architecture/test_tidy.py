"""The house style that a machine can check: sizes, words, docstrings, leftovers, bans.

What style and design state, this file enforces from the first day.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
MODULE_LINES_MAX = 450
CORE_LINES_MAX = 300
FUNCTION_LINES_MAX = 60
MODULES = sorted(
    path for path in (CHECKOUT / "hamnd").rglob("*.py") if "__pycache__" not in path.parts
)
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base", "stuff"}

LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
BANNED_WORDS = {
    r"\bmasters?\b(?!_)": "primary (the field `site.master` and xCAT's own names excepted)",
    r"\bslaves?\b": "standby",
    r"\bfailover\b": "takeover (unplanned) or switchover (planned)",
    r"\bsplitbrain\b": "split-brain",
}
QUOTED = re.compile(
    r"site\.master|xcatmaster|master node|postmaster|MASTER|Master_|SLAVE|guided failover|"
    r"Do not fail over|server\s*=\s*master|= master|unconfig master|nim\.master|\"master\b|"
    r"\"slave\""
)
# The registries' own hosts, private mirrors, and folders of one machine.
ADDRESSES = re.compile(
    r"index-url|extra-index|find-links|pypi\.org/simple|files\.pythonhosted|artifactory|"
    r"https?://[^\s\"')]*(?:/simple/|/pypi/)|file://"
)
WORKPLACES = re.compile(r"(?<![\w.-])/(?:work|root/\.pyenv|tmp/hamnd)(?:/|\b)")


def _committed() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    paths = (CHECKOUT / name for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


def _texts() -> Iterator[tuple[Path, str]]:
    for path in _committed():
        try:
            yield path.relative_to(CHECKOUT), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


THIS_FILE = "tests/architecture/test_tidy.py"


def _found(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path, text in _texts():
        if str(path) == THIS_FILE:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if match := pattern.search(line):
                found.append(f"{path}:{number}: {match[0]}")
    return found


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _name(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


def test_modules_are_small() -> None:
    long = []
    for path in MODULES:
        limit = CORE_LINES_MAX if path.is_relative_to(CHECKOUT / "hamnd/core") else MODULE_LINES_MAX
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > limit:
            long.append(f"{_name(path)}: {lines} lines, at most {limit}")
    assert not long, "\n".join(long)


def test_functions_are_small() -> None:
    long = []
    for path in MODULES:
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    long.append(f"{_name(path)}:{node.lineno}: {node.name} has {lines} lines")
    assert not long, "\n".join(long)


def test_every_module_says_what_it_owns_and_what_it_must_not_know() -> None:
    silent = []
    for path in MODULES:
        text = " ".join((ast.get_docstring(_tree(path)) or "").split())
        if not text:
            silent.append(f"{_name(path)}: no docstring")
        elif path.name != "__init__.py" and "must not" not in text.lower():
            silent.append(f"{_name(path)}: the docstring does not say what it must not know")
    assert not silent, "\n".join(silent)


def test_no_module_has_a_vague_name() -> None:
    vague = [_name(path) for path in MODULES if path.stem in VAGUE]
    assert not vague, "a function has an owner or it does not exist: " + ", ".join(vague)


def test_no_leftovers() -> None:
    assert not _found(LEFTOVERS)


@pytest.mark.parametrize("pattern", BANNED_WORDS)
def test_words_of_the_field(pattern: str) -> None:
    """One word for one thing (style §2.7); foreign tools' own words are quoted, not adopted."""
    found = []
    for path in MODULES:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(pattern, QUOTED.sub("", line)):
                found.append(f"{_name(path)}:{number}: say {BANNED_WORDS[pattern]}")
    assert not found, "\n".join(found)


def test_only_dialects_make_looks() -> None:
    """Rehearsals only read because a Look can be built in one room alone (law 10)."""
    makers = []
    for path in MODULES:
        if path.is_relative_to(CHECKOUT / "hamnd/dialects"):
            continue
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else ""
                name = called.id if isinstance(called, ast.Name) else name
                if name == "Look":
                    makers.append(f"{_name(path)}:{node.lineno}: {name}(")
    assert not makers, "\n".join(makers)


def test_only_the_runtime_catches_everything() -> None:
    blind = []
    for path in MODULES:
        if _name(path) == "hamnd/daemon/runtime.py":
            continue
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else ""
                is_passed_on = ast.unparse(node.body[-1]) == "raise"
                if caught in {"", "Exception", "BaseException"} and not is_passed_on:
                    blind.append(f"{_name(path)}:{node.lineno}: except {caught}")
    assert not blind, "\n".join(blind)


def test_no_sleep_in_tests() -> None:
    """Tests wait for a condition with a limit; the demo's faults have their own rhythm."""
    asleep = [
        f"{_name(path)}:{node.lineno}"
        for path in sorted((CHECKOUT / "tests").rglob("*.py"))
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep"
    ]
    assert not asleep, "\n".join(asleep)


def test_nothing_committed_names_a_registry() -> None:
    assert not _found(ADDRESSES)


def test_nothing_committed_names_a_workplace() -> None:
    assert not _found(WORKPLACES)


def test_constraints_are_names_and_versions_only() -> None:
    for line in (CHECKOUT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==([0-9]+!)?[A-Za-z0-9.+]+", line), line
