"""Bars that grow while file sets are copied: for terminals alone.

Owns everything of `sync` that needs rich, which is loaded with this module. Must not say anything
that a plain screen would not say in the end.
"""

from __future__ import annotations

from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hamnd.cli.screen import Screen, paint
from hamnd.cli.syncing import bar_text
from hamnd.views.text import Document, listed, lookup

BAR_WIDTH = 30


class LiveBars:
    """One bar for each copy under way; what ended stays above them."""

    def __init__(self, screen: Screen) -> None:
        """Draw on this screen."""
        self._console = Console(file=screen.out, width=screen.width, highlight=False)
        self._live = Live(console=self._console, transient=True, refresh_per_second=4)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *ended: object) -> None:
        self._live.stop()

    def now(self, document: dict[str, Any], names: list[str]) -> None:
        """Show how far these copies are."""
        parts = [one for one in listed(document, "files") if one.get("set") in names]
        table = Table.grid()  # a bar alone ends no line
        for one in parts:
            table.add_row(_bar(one))
            table.add_row(Text(bar_text(one)))
        self._live.update(table, refresh=True)

    def ended(self, lines: list[str]) -> None:
        """Print lines above the bars."""
        for line in lines:
            self._console.print(Text.from_ansi(paint(line)), no_wrap=True, crop=False)


def _bar(one: Document) -> ProgressBar:
    run = lookup(one, "run") or {}
    for done, total in (("bytes", "bytes_total"), ("files", "files_total")):
        if run.get(total):
            share = float(run.get(done) or 0)
            return ProgressBar(total=float(run[total]), completed=share, width=BAR_WIDTH)
    return ProgressBar(total=None, width=BAR_WIDTH, pulse=True)
