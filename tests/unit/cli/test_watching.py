"""How a frame of the live view reaches the terminal."""

from __future__ import annotations

import io

from hamnd.cli.screen import Screen
from hamnd.cli.watching import Watcher
from hamnd.views.status import status_document
from tests.builders import pair


class Terminal(io.StringIO):
    """Keeps what each write brought."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[str] = []

    def write(self, text: str) -> int:
        self.frames.append(text)
        return len(text)


def test_a_frame_is_one_write_over_what_stands_there() -> None:
    """Given frame after frame, then none of them empties the screen first: nothing flickers."""
    terminal, one = Terminal(), pair().in_peer()
    watcher = Watcher(Screen(terminal))
    watcher.take(status_document(one.state, one.now, one.terms))
    for number in range(1, 4):
        watcher.draw()
        assert len(terminal.frames) == number
    for frame in terminal.frames:
        assert frame.startswith("\x1b[H")
        assert "\x1b[2J" not in frame
        assert frame.count("\x1b[J") == 1
        assert frame.endswith("\x1b[K\x1b[J"), "what is left of a longer frame is emptied last"
        assert len(frame.split("\r\n")) <= 24
