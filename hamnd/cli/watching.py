"""`status --watch` on a terminal: the whole screen, drawn in place, until q is pressed.

Owns the terminal while it watches (alternate screen, keys, size) and gives it back as it was,
whatever happens. Must not know what is drawn (views.watch). One thread reads the stream of the
daemon; a daemon that goes away is looked for again and that is said.
"""

from __future__ import annotations

import os
import queue
import select
import signal
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from hamnd.cli import exits, moments
from hamnd.cli.client import Client, Unreachable
from hamnd.cli.screen import Screen, paint
from hamnd.cli.session import Session
from hamnd.views.text import span
from hamnd.views.watch import render_watch

RETRY_S = 1.0
REDRAW_S = 1.0
LEAST = (40, 10)
"""For what is drawn at least; a smaller terminal shows the beginning of it."""
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
"""Alternate screen, no cursor, no line wrap: what is wider than counted scrolls nothing away."""
HOME, REST_OF_LINE, REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"

News = dict[str, Any] | Unreachable


def watch(session: Session) -> int:
    """Show the status until q or ctrl-C; what is known without a daemon is shown first."""
    watcher = Watcher(session.screen)
    first = session.look_or_journal("status")
    with _terminal(session.screen) as (keys, wake):
        listener = _Listener(session.client, wake)
        listener.start()
        watcher.take(first)
        while True:
            watcher.draw()
            readable = select.select([keys, wake[0]], [], [], REDRAW_S)[0]
            if keys in readable and _is_end(os.read(keys, 64)):
                return exits.OK
            if wake[0] in readable:
                os.read(wake[0], 4096)
            for news in listener.news():
                watcher.take(news)


def _is_end(typed: bytes) -> bool:
    """q, Q, ctrl-D, or a terminal that is gone."""
    return not typed or bool(set(typed) & {ord("q"), ord("Q"), 4})


class Watcher:
    """What is known, since when, and how it is drawn."""

    def __init__(self, screen: Screen) -> None:
        """Draw on this screen."""
        self._screen = screen
        self._document: dict[str, Any] = {}
        self._heard_s = moments.monotonic_s()
        self._trouble: Unreachable | None = None

    def take(self, news: News) -> None:
        """Take a document, or that there is none."""
        if isinstance(news, Unreachable):
            self._trouble = news
            return
        self._document, self._trouble = news, None
        self._heard_s = moments.monotonic_s()

    def draw(self) -> None:
        """Draw all of it in one write, over what stands there: nothing flickers."""
        width, height = _size(self._screen)
        passed_s = moments.monotonic_s() - self._heard_s
        document = self._document
        if document.get("source") == "daemon":  # ages go on between two documents, and without any
            document = {**document, "generated_at": document["generated_at"] + int(passed_s)}
        drawn = render_watch(
            document, max(LEAST[0], width), max(LEAST[1], height), self._told(passed_s)
        )
        lines = drawn[:height]  # the verdict stands first: a terminal of three lines shows it
        encodable = [self._screen.encodable(line) for line in lines]
        shown = [paint(line) if self._screen.has_colour else line for line in encodable]
        text = f"{REST_OF_LINE}\r\n".join(shown)
        self._screen.out.write(f"{HOME}{text}{REST_OF_LINE}{REST_OF_SCREEN}")
        self._screen.flush()

    def _told(self, passed_s: float) -> str:
        if self._trouble is None:
            return ""
        return f"NOT LIVE for {span(passed_s)}: {self._trouble}. It is looked for again."


class _Listener(threading.Thread):
    """Reads the watch stream, again and again, and wakes whoever draws."""

    def __init__(self, client: Client, wake: tuple[int, int]) -> None:
        super().__init__(name="watch", daemon=True)
        self._client = client
        self._wake = wake[1]
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()

    def run(self) -> None:
        while True:
            try:
                for document in self._client.stream("watch"):
                    self._tell(document)
                self._tell(Unreachable("hamnd ended its stream", "hamnctl status"))
            except Unreachable as error:
                self._tell(error)
            except OSError:
                return  # nobody draws any more
            moments.pause(RETRY_S)

    def _tell(self, news: News) -> None:
        self._news.put(news)
        os.write(self._wake, b".")

    def news(self) -> Iterator[News]:
        """Yield what came since the last time."""
        while not self._news.empty():
            yield self._news.get()


def _size(screen: Screen) -> tuple[int, int]:
    try:
        columns, lines = os.get_terminal_size(screen.out.fileno())
    except (OSError, ValueError):
        columns, lines = 80, 24
    return columns, max(1, lines)


@contextmanager
def _terminal(screen: Screen) -> Iterator[tuple[int, tuple[int, int]]]:
    """Own the terminal: give its keys, and a pipe that wakes; then all is as it was."""
    keys = os.open("/dev/tty", os.O_RDONLY) if not os.isatty(0) else os.dup(0)
    before = termios.tcgetattr(keys)
    wake = os.pipe()
    for end in wake:
        os.set_blocking(end, False)

    def resized(_number: int, _frame: FrameType | None) -> None:
        os.write(wake[1], b".")

    def ended(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def own() -> None:
        tty.setcbreak(keys)
        screen.out.write(ENTER)
        screen.flush()

    def give_back() -> None:
        termios.tcsetattr(keys, termios.TCSADRAIN, before)
        screen.out.write(LEAVE)
        screen.flush()

    def suspended(_number: int, _frame: FrameType | None) -> None:
        """Stop as any program does at ctrl-Z; `fg` goes on after the signal that stops."""
        give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, suspended)
        own()
        os.write(wake[1], b".")

    handlers = {
        signal.SIGWINCH: resized,
        signal.SIGTERM: ended,
        signal.SIGHUP: ended,
        signal.SIGTSTP: suspended,
    }
    old = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        own()
        yield keys, wake
    finally:
        give_back()
        for number, handler in old.items():
            signal.signal(number, handler)
