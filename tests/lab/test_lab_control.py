"""The interactive lab, driven as a person does: from its own prompt and from another terminal.

Owns these two ways in. MUST NOT test hamnd.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.lab.site import control
from tests.lab.site.fixtures import needs_lab
from tests.lab.site.hosts import CHECKOUT

pytestmark = [pytest.mark.lab, needs_lab()]

LAB = (sys.executable, "-m", "tests.lab.site")


def _verb(*words: str) -> str:
    done = subprocess.run(
        [*LAB, *words], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


def test_a_person_breaks_and_mends_a_lab_from_two_terminals() -> None:
    """Given a lab at its prompt, when another terminal cuts and heals, then both see it."""
    with subprocess.Popen(
        LAB, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as lab:
        assert lab.stdin is not None
        assert lab.stdout is not None
        greeting = ""
        while "heal" not in greeting:
            line = lab.stdout.readline()
            assert line, greeting
            greeting += line
        assert "mn1, mn2, sn1, sn2, gw, bmc" in greeting
        assert _verb("sh", "mn2", "hostname").strip() == "mn2"
        assert "lost each other" in _verb("pair-cut")
        assert "broken: pair:mn1:mn2" in _verb("show")
        assert "0 received" in _verb("sh", "mn2", "ping -c1 -W1 mn1")
        assert "mended" in _verb("heal")
        assert "1 received" in _verb("sh", "mn2", "ping -c1 -W1 mn1")
        assert "which host?" in _verb("off", "nobody")
        assert "no verb" in _verb("explode")
        said, _ = lab.communicate("off mn1\nshow\nsh sn1 ping -c1 -W1 mn1\nquit\n", timeout=60)
    assert "mn1 has no power" in said
    assert "mn1  10.99.0.11    off" in said
    assert "0 received" in said
    assert lab.returncode == 0
    assert not list(control.FOLDER.glob(f"{lab.pid}*"))


def test_every_fault_verb_has_a_word_for_people() -> None:
    words = {verb.replace("-", "_") for verb in control.VERBS}
    assert {"off", "on", "freeze", "cut", "cut_silently", "pair_cut", "slow", "heal"} <= words
    assert all(verb in control.usage() for verb in control.VERBS)
