"""The borders between rooms hold (import-linter's contracts in pyproject.toml)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path


def _with_optional_rooms(text: str) -> str:
    """Put every layer in parentheses: a sketch of the package has not every room."""

    def optional(layers: re.Match[str]) -> str:
        return re.sub(r"(?<![(\w])(\w+)(?![)\w])", r"(\1)", layers[0][len("layers") :]).join(
            ("layers", "")
        )

    return re.sub(r"^layers = \[.*?^\]", optional, text, flags=re.MULTILINE | re.DOTALL)


def test_import_contracts_hold(checkout: Path) -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-logo", "--no-cache"],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_room_without_a_place_breaks_the_contracts(checkout: Path, tmp_path: Path) -> None:
    """The contracts can fail: exhaustive layers refuse a module that nobody gave a place."""
    package = tmp_path / "hamnd"
    for room in ("core", "model", "dialects", "views", "adapters", "cli", "daemon", "demo"):
        (package / room).mkdir(parents=True)
        (package / room / "__init__.py").write_text("")
    for module in ("__init__", "__main__", "errors", "wire", "util"):
        (package / f"{module}.py").write_text("")
    (package / "core" / "health.py").write_text("import time\n")
    contracts = _with_optional_rooms((checkout / "pyproject.toml").read_text())
    (tmp_path / "pyproject.toml").write_text(contracts)
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode != 0
    assert "hamnd.util" in done.stdout
    assert "hamnd.core.health -> time" in done.stdout
