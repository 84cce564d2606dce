"""Nothing in hamnd needs what AIX lacks: the core's own tests, the control socket and the processes
run in a Python without it. The whole daemon does so in tests/lab/test_demo_aix.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = (
    "tests/unit/core/platforms",
    "tests/unit/core/test_run.py",
    "tests/unit/core/test_states.py",
    "tests/unit/dialects/aix",
    "tests/unit/adapters/test_process.py",
    "tests/unit/adapters/test_control.py",
    "tests/unit/cli/test_looking.py",
)
"""The judgement, what it says to AIX, and the adapters that meet the operating system first."""

KERNELS_WORD = (
    "test_another_user_is_reached_through_su",
    "test_root_may_operate",
    "test_membership_in_the_group_decides",
    "test_a_named_user_may_operate",
    "test_without_peer_credentials",
)
"""Tests of what the kernel says of a caller, which AIX's does not, and of su, which forgets what is
hidden. That a caller counts without it is told by the last one, which hides it itself."""

LOOK = """
import asyncio, selectors, socket, sys
import hamnd.daemon.main, hamnd.cli.main, hamnd.adapters.world
told = asyncio.new_event_loop()
assert type(told._selector) is selectors.PollSelector, type(told._selector)
told.close()
assert not hasattr(socket, "SO_PEERCRED")
for name in ("asyncssh", "cryptography"):
    assert name not in sys.modules, name
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    raise AssertionError(f"{name} is not hidden")
"""


def hidden(checkout: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(checkout / "tests/lab/without")}
    return subprocess.run(
        [sys.executable, *argv],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def test_the_daemon_and_hamnctl_import_nothing_that_aix_lacks(checkout: Path) -> None:
    done = hidden(checkout, "-c", LOOK)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_core_of_the_suite_passes_without_it(checkout: Path) -> None:
    left_out = f"not ({' or '.join(KERNELS_WORD)})"
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", left_out)
    done = hidden(checkout, "-m", "pytest", *options, *SUITE)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
