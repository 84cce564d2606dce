"""What the lab prints at its end: the table of the stories that were killed.

Owns nothing but that table; `make matrix` shows it whole.
"""

from __future__ import annotations

import os

import pytest

from tests.lab.demo_kills import Played, table

MATRIX = "HAMND_MATRIX"
"""Environment variable with which every point of the matrix is played instead of a few."""

PLAYED = pytest.StashKey[list[Played]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[PLAYED] = []


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    played = config.stash[PLAYED]
    if played and os.environ.get(MATRIX):
        terminalreporter.section("a takeover whose daemon was killed", "-")
        for line in table(played):
            terminalreporter.line(line)
