"""Fixtures that every folder of tests may use.

Owns the paths of the checkout and the event loop that no test owns. Must not hold anything that one
folder alone needs.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

EXPLORED = "explored"
"""Name of the property in which a search tells how much it saw."""


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Say at the end what the searches saw, whichever worker ran them."""
    reports = terminalreporter.getreports("passed")
    told = [text for one in reports for name, text in one.user_properties if name == EXPLORED]
    if told:
        terminalreporter.section("explored")
        for text in told:
            terminalreporter.write_line(str(text).strip())


@pytest.fixture(autouse=True, scope="session")
def no_stray_event_loop() -> None:
    """Close the event loop that looptime made for a synchronous test, and let it make no other.

    Its plugin asks the policy for a loop before every test; told that there is none, it lets go.
    Nobody would close that loop, and its ResourceWarning would fail some later test.
    """
    with contextlib.suppress(RuntimeError):
        asyncio.get_event_loop_policy().get_event_loop().close()
    asyncio.set_event_loop(None)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Top folder of this checkout."""
    return Path(__file__).resolve().parent.parent
