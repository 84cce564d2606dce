"""README and the page for the night, typed word by word by somebody who knows nothing else.

Owns what each shown line has to bring. The lines themselves are the documents': one that they have
and this module lacks, or the other way round, fails. That commands parse is test_documents'.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.test_documents import commands
from tests.lab.site import xcat
from tests.lab.site.fixtures import needs_lab
from tests.lab.terminal import Terminal

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(600)]

QUESTION = "Type the name of the new primary to go on: "
PROMPT = "stranger> "
LAB_PROMPT = "lab> "

TOUR = (
    ("hamnctl status", "protects aixmn1"),
    ("hamnctl explain", "ReplicationPeer"),
    ("fault cut-pair", ""),
    ("hamnctl status", "Do NOT take over"),
    ("fault heal", ""),
    ("hamnctl rehearse", "REHEARSED"),
    ("fault fence-reads-only", ""),
    ("hamnctl ready", "NOT READY"),
    ("fault heal", ""),
    ("hamnctl ready", "READY: "),
    ("fault kill", ""),
    ("hamnctl status", "PrimaryDown"),
    ("hamnctl plan takeover", "NEXT    hamnctl confirm"),
    ("hamnctl confirm", "DONE."),
    ("hamnctl report", "aixmn2"),
    ("hamnctl history --verify", "whole"),
    ("fault power-on", ""),
    ("hamnctl status", "HAS RETURNED"),
)
"""Each line of the tour, and the words that it brings sooner or later."""

LAB = (
    ("sh mn2", ""),
    ("off mn1", ""),
    ("sh mn2 hamnctl plan takeover", "NEXT    hamnctl confirm"),
    ("sh mn2 hamnctl confirm", "DONE."),
    ("sh sn1 dig +short @mn cn1.cluster.test", "10.99.0.101"),
    ("heal", ""),
    ("show", "mn2"),
    ("quit", ""),
)

NIGHT = (
    ("hamnctl history --last 20", "started"),
    ("hamnctl runbook", "takeover"),
    ("fault fail makeconservercf 1 'no console server'", ""),
    ("fault kill", ""),
    ("hamnctl status", "PrimaryDown"),
    ("hamnctl explain", "PrimaryDown"),
    ("hamnctl attest primary-off --how seen --reason 'LEDs are dark, rack 12'", "NEXT"),
    ("hamnctl plan takeover", "NEXT    hamnctl confirm"),
    ("hamnctl confirm", "PAUSED"),
    ("hamnctl retry", "PAUSED at consoles"),
    ("hamnctl abort --reason 'the primary is back'", "conclude"),
    ("hamnctl skip consoles --reason 'they follow in the morning'", "skipped"),
    ("hamnctl retry", "CONCLUDED with 1 open step: consoles"),
    ("hamnctl report", "they follow in the morning"),
    ("hamnctl plan rejoin", ""),
)
"""The page for 3 am on a night in which the consoles do not come up."""


def block(checkout: Path, chapter: str) -> list[str]:
    """Return the lines of the chapter's first block of code, without what is told beside them."""
    text = (checkout / "README.md").read_text().split(f"\n## {chapter}\n")[1]
    lines = re.split(r"^```\w*\n", text, maxsplit=2, flags=re.MULTILINE)[1].splitlines()
    told = [re.split(r"\s{2,}", line)[0] for line in lines]
    return [one for one in told if one]


@pytest.fixture
def stranger(checkout: Path, tmp_path: Path) -> Iterator[Terminal]:
    """A shell in which somebody has read the demo's environment, as the demo says."""
    environment = {**os.environ, "PS1": PROMPT}
    argv = (sys.executable, "-m", "hamnd", "demo")
    with Terminal(argv, "What happens:", environment, str(checkout)) as demo:
        (line,) = re.findall(r"^ +(\. \S+)$", demo.read_until(demo.prompt), re.MULTILINE)
        shell = ("bash", "--noprofile", "--norc", "-i")
        # A shell at its prompt heeds a hangup alone.
        with Terminal(shell, PROMPT, environment, str(tmp_path), signal.SIGHUP) as terminal:
            terminal.read_until(PROMPT)
            terminal.type(line)
            yield terminal


def test_the_tour_leads_to_a_takeover(checkout: Path, stranger: Terminal) -> None:
    """Given the demo in one terminal, when the README's tour is typed in another one line by line,
    then each brings what the README says, and the standby is Active at the end."""
    assert block(checkout, "A tour of five minutes") == [line for line, _ in TOUR]
    for line, wanted in TOUR:
        typed(stranger, line, wanted)


def test_the_page_for_the_night_can_be_followed(checkout: Path, stranger: Terminal) -> None:
    """Given a takeover that pauses, when each command of docs/runbook.md is typed, then each leads
    on, and the report names what was left for the morning."""
    page = commands((checkout / "docs/runbook.md").read_text())
    ours = {line for line, _ in NIGHT}
    assert {one for one in page if one.startswith("hamnctl")} - ours == set()
    stranger.type_until("hamnctl ready", "READY: ")
    stranger.type_until("hamnctl status", "skew")
    for line, wanted in NIGHT:
        typed(stranger, line, wanted)


def typed(terminal: Terminal, line: str, wanted: str) -> None:
    """Type a line, and for `hamnctl confirm` the name that it asks for, until it brings this."""
    if line != "hamnctl confirm":
        terminal.type_until(line, wanted)
        return
    confirmed(terminal, line, "aixmn2", wanted)


def confirmed(terminal: Terminal, line: str, named: str, wanted: str) -> None:
    """Confirm the plan that was shown, as a person does on a terminal."""
    terminal.write(line)
    terminal.read_until(QUESTION)
    assert wanted in (said := terminal.type(named)), said


@needs_lab(*xcat.PROGRAMS)
def test_the_lab_leads_to_a_takeover(checkout: Path) -> None:
    """Given `make lab`, when the README's lines are typed at its prompt, then mn2 takes over and
    a service node gets its answer from it."""
    shown = [line for line in block(checkout, "A lab of real hosts") if line.startswith(LAB_PROMPT)]
    typed = [one for line in shown for one in line.removeprefix(LAB_PROMPT).split(" · ")]
    assert typed == [line for line, _ in LAB]
    argv = (sys.executable, "-m", "tests.lab.site")
    with Terminal(argv, LAB_PROMPT, os.environ, str(checkout)) as terminal:
        terminal.read_until(LAB_PROMPT)
        for line, wanted in LAB:
            if line == "sh mn2":
                a_prompt_on_mn2(terminal)
            elif line.endswith("confirm"):
                confirmed(terminal, line, "mn2", wanted)
            elif line == "quit":
                terminal.write(line)
            else:
                terminal.type_until(line, wanted)


def a_prompt_on_mn2(terminal: Terminal) -> None:
    here = "mn2:/# "
    terminal.write("sh mn2")
    terminal.read_until(here)
    terminal.type_until("hamnctl status", "would work now", prompt=here)
    terminal.type_until("hamnctl status", "skew", prompt=here)
    terminal.type("exit")
