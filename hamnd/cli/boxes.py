"""The terminal's own pleasures: the card in a box, steps that tick while they run.

Owns everything that needs rich, which is loaded with this module alone. Must not say anything that
a plain screen would not say.
"""

from __future__ import annotations

import re
from typing import Any

from rich.box import ROUNDED
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from hamnd.cli import moments
from hamnd.cli.screen import Screen, paint
from hamnd.views.card import render_card
from hamnd.views.run import elapsed, no_return_words, run_of, step_lines, waiting_lines
from hamnd.views.text import fold, listed

FRAME = 4
SPREAD = re.compile(r" {2,}")
REFRESH_PER_S = 4


def _console(screen: Screen) -> Console:
    return Console(file=screen.out, width=screen.width, highlight=False, soft_wrap=False)


def print_card(plan: dict[str, Any], screen: Screen) -> None:
    """Print the card in a box, its plan in the title."""
    title, *lines = render_card(plan, screen.width - FRAME)
    lines = lines if lines[0] else lines[1:]  # the frame sets the title apart
    body = Group(*(Text.from_ansi(paint(line)) for line in lines))
    heading = Text(SPREAD.sub(" · ", title), style="bold")
    _console(screen).print(Panel(body, title=heading, box=ROUNDED, width=screen.width))


class LiveSteps:
    """Steps that ended stay; those that run tick below them and vanish in the end."""

    def __init__(self, screen: Screen) -> None:
        """Draw on this screen."""
        self._console = _console(screen)
        self._width = screen.width
        self._document: dict[str, Any] = {}
        self._seen_at_s = moments.monotonic_s()
        self._live = Live(
            console=self._console,
            transient=True,
            refresh_per_second=REFRESH_PER_S,
            get_renderable=self._render,
        )

    def __enter__(self) -> LiveSteps:
        self._live.__enter__()
        return self

    def __exit__(self, *ended: object) -> None:
        self._live.stop()

    def stay(self, lines: list[str]) -> None:
        """Print lines above what ticks."""
        for line in lines:
            self._console.print(Text.from_ansi(paint(line)), no_wrap=True, crop=False)

    def now(self, document: dict[str, Any]) -> None:
        """Take the newest picture of the run."""
        self._document = document
        self._seen_at_s = moments.monotonic_s()
        self._live.refresh()  # before a line stays: what ended must not go on ticking below it

    def _render(self) -> Text:
        run = run_of(self._document)
        if run is None:
            return Text("")
        passed_s = moments.monotonic_s() - self._seen_at_s
        now = (self._document.get("generated_at") or 0) + passed_s
        going = [one for one in listed(run, "steps") if one.get("outcome") == "running"]
        lines = [line for step in going for line in step_lines(step, now, self._width)]
        lines += waiting_lines(run, self._width)
        since = elapsed({**self._document, "generated_at": now}, run)
        # Once it is passed a line that stays has said so.
        ahead = "" if run.get("passed_point_of_no_return") else f"{no_return_words(run)} "
        told = f"{since}   {ahead}Closing this screen does not stop the run."
        lines += fold(told, self._width, indent=3, first=3)
        return Text("\n").join(Text.from_ansi(paint(line)) for line in lines)
