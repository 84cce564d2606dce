"""A real Chromium without a screen, driven over its debugging protocol.

Owns how a page is opened, asked, looked at and pictured. Must not know what is on it. Chromium's
own `--screenshot` waits for the network to fall silent, and a page with a stream never does.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

LIMIT_S = 60.0
POLL_S = 0.1
FLAGS = (
    *("--headless=new", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--no-sandbox"),
    *("--disable-background-networking", "--disable-component-update", "--mute-audio"),
    *("--remote-debugging-port=0", "--force-color-profile=srgb"),
)


class Page:
    """One open page."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(LIMIT_S):
            while True:
                told = await self._socket.receive_json()
                if told.get("id") == number:
                    assert "error" not in told, told["error"]
                    result: dict[str, Any] = told["result"]
                    return result

    async def run(self, script: str) -> Any:
        """Return the value of an expression of the page."""
        told = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def text(self, selector: str = "body") -> str:
        """Return what a person reads there; empty where there is no such part."""
        return str(await self.run(f"document.querySelector({selector!r})?.innerText ?? ''"))

    async def until(self, script: str, what: str) -> None:
        """Wait until an expression is true."""
        try:
            async with asyncio.timeout(LIMIT_S):
                while not await self.run(script):  # noqa: ASYNC110  (a browser tells nobody)
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise AssertionError(f"waited in vain for {what}:\n{await self.text()}") from None

    async def dress(self, width: int, height: int, scheme: str = "light") -> None:
        """Give the window a size, and the person a taste for light or dark."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", features=features)

    async def picture(self, path: Path) -> None:
        """Write what is seen in the window as PNG."""
        told = await self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(told["data"]))

    async def press(self, key: str) -> None:
        """Press a key and let it go."""
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    async def reading_order(self) -> list[str]:
        """Return what a screen reader says, in order: role and name of everything that has one."""
        tree = await self.call("Accessibility.getFullAXTree")
        return [
            f"{node['role']['value']}: {node['name']['value']}"
            for node in tree["nodes"]
            if not node.get("ignored") and node.get("name", {}).get("value")
        ]


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[Page]:
    """Open a page in a Chromium of its own, and leave nothing of it behind."""
    profile = Path(tempfile.mkdtemp(prefix="hb-"))
    browser = await asyncio.create_subprocess_exec(
        *("chromium", *FLAGS, f"--user-data-dir={profile}", url),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "HOME": str(profile)},
    )
    try:
        async with aiohttp.ClientSession() as session:
            target = await _target(session, profile / "DevToolsActivePort")
            async with session.ws_connect(target, max_msg_size=0) as socket:
                yield Page(socket)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(browser.pid, signal.SIGKILL)  # its own group: it has helpers
        await browser.wait()
        shutil.rmtree(profile, ignore_errors=True)


async def _target(session: aiohttp.ClientSession, told: Path) -> str:
    """Return where the one page is debugged, once the browser has written its port."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            with contextlib.suppress(OSError, IndexError, aiohttp.ClientError):
                port = told.read_text().split()[0]
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    pages = [one for one in await answer.json() if one["type"] == "page"]
                return str(pages[0]["webSocketDebuggerUrl"])
            await asyncio.sleep(POLL_S)
