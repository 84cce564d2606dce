"""The status page in a real browser, on a real daemon that dies and returns underneath.

Owns that story, and how the page reads on a phone, in the dark, by keyboard, by screen reader and
in a text browser. HAMND_PICTURES names a folder in which its pictures are kept.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import aiohttp
import pytest

from hamnd.demo.site import Times
from tests.lab.browser import Page, opened
from tests.lab.demo_stage import LIMIT_S, Stage, agree, stage, until_ready
from tests.lab.site.fixtures import needs

PICTURES = os.environ.get("HAMND_PICTURES", "")
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    needs("chromium", "lynx"),
]

IS_LOST = "!document.getElementById('lost').hidden"
IN_LYNX = (*("protects aixmn1", "Peer (now)", "Takeover ready", "* good", "now 0 B, at most"),)
WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"

ADVISES = "document.querySelector('.next').checkVisibility()"
STATES = "[...document.querySelectorAll('.states li:not(.arrow)')]"
ROWS = f"new Set({STATES}.map(one => one.offsetTop)).size"


def says(words: str) -> str:
    """Return the expression whether the verdict says these words."""
    return f"document.querySelector('h1')?.innerText.includes({words!r})"


async def test_the_page_follows_a_night_and_says_when_nothing_comes_any_more() -> None:
    times = Times(hadr_timeout_s=2, peer_window_s=120, takeover_s=0.3, xcat_scale=0.05)
    async with stage(times) as one:
        await until_ready(one)
        url = f"http://127.0.0.1:{one.layout.metrics_port}/"
        async with opened(url) as page:
            await page.dress(1280, 800)
            await a_quiet_day(page)
            await reads_well_everywhere(page, url)
            await nobody_answers(page, one)
            await a_bad_night(page, one)
            assert await one.end() == 0, "an open page holds no end up"
            await page.until(IS_LOST, "the page to notice the end")


async def a_quiet_day(page: Page) -> None:
    await page.until(says("aixmn2 is STANDBY and protects aixmn1"), "the verdict")
    await page.until("document.body.classList.contains('live')", "the stream")
    await page.until("document.querySelectorAll('polyline.gap').length > 0", "the plot")
    await page.until("document.documentElement.dataset.tone === 'good'", "a quiet tone")
    assert "Peer (now)" in await page.text(".here")
    assert not await page.run(IS_LOST)
    before = await page.text("#made")
    await page.until(f"document.getElementById('made').innerText !== {before!r}", "a newer page")


async def reads_well_everywhere(page: Page, url: str) -> None:
    await keep(page, "page")
    for width, height, scheme in ((390, 844, "dark"), (768, 1024, "light"), (3840, 2160, "dark")):
        await page.dress(width, height, scheme)
        assert not await page.run(WIDER), f"{width} columns of dots are not enough"
        assert await page.run(ROWS) == 1 or width < 700, "the way through the states is one row"
        size = "parseFloat(getComputedStyle(document.querySelector('h1')).fontSize)"
        assert await page.run(size) >= (60 if width > 3000 else 24)
        await keep(page, f"page-{width}-{scheme}")
    dark = await page.run("getComputedStyle(document.body).backgroundColor")
    await page.dress(1280, 800)
    assert dark != await page.run("getComputedStyle(document.body).backgroundColor")
    await page.press("Tab")
    assert await page.run("document.activeElement.className") == "skip"
    await page.run("document.activeElement.blur()")
    heard = await page.reading_order()
    spoken = [one for one in heard if one.startswith(("heading", "status"))]
    assert spoken[0].startswith("heading: aixmn2 is STANDBY")
    assert {"heading: State", "heading: Facts", "heading: Conditions"} <= set(spoken)
    async with asyncio.timeout(LIMIT_S):
        while missing_words := await missing_in_lynx(url):
            assert missing_words != IN_LYNX, "lynx shows nothing at all"
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        assert "'unsafe-inline'" not in answer.headers["Content-Security-Policy"]
        body = await answer.text()
    assert "http://" not in body
    assert "https://" not in body


async def missing_in_lynx(url: str) -> tuple[str, ...]:
    """Return which of the words a text browser does not show at this moment."""
    lynx = await asyncio.create_subprocess_exec(
        *("lynx", "-dump", "-width=80", url), stdout=asyncio.subprocess.PIPE
    )
    text = (await lynx.communicate())[0].decode(errors="replace")
    return tuple(words for words in IN_LYNX if words not in text)


async def nobody_answers(page: Page, one: Stage) -> None:
    await one.kill()
    await page.until(IS_LOST, "the page to notice")
    told = await page.text("#lost")
    assert told == "hamnd does not answer. On the node: hamnctl status"
    aged = await page.text("#lost-age")
    assert aged.startswith("What stands here is ")
    grown = f"document.getElementById('lost-age').innerText !== {aged!r}"
    await page.until(grown, "its age to grow")
    assert await page.text("#lost") == told, "an alert is said once"
    assert "aixmn2 is STANDBY" in await page.text("h1"), "what was known stays readable"
    assert not await page.run(ADVISES), "what was right to do then may be wrong now"
    await keep(page, "page-lost")
    await one.start()
    await page.until(f"!({IS_LOST})", "the page to come back by itself")
    await until_ready(one)
    await page.until(says("protects aixmn1"), "the verdict of the new daemon")


async def a_bad_night(page: Page, one: Stage) -> None:
    one.world.fault("kill")
    await page.until(says("aixmn1 is DOWN"), "the verdict of the night")
    await page.until("document.documentElement.dataset.tone === 'bad'", "a loud tone")
    assert await page.run(ADVISES)
    assert "hamnctl plan takeover" in await page.text(".next")
    assert (await page.run("document.title")).startswith("PrimaryDown")
    count = await page.text(".count")
    await page.until(f"document.querySelector('.count')?.innerText !== {count!r}", "the countdown")
    await keep(page, "page-down")
    with one.world.holding(lambda call: call.tool == "makedns") as hold:
        await agree(one)
        await one.until(hold.caught.wait, "a step that lasts")
        await page.until("document.querySelector('progress')?.value > 2", "the run's progress")
        assert "steps done" in await page.text("#run")
        await keep(page, "page-run")
    await page.until(says("aixmn2 is the MANAGEMENT NODE"), "the end")
    assert "TakingOver" in await page.text("#changes")


async def keep(page: Page, name: str) -> None:
    """Keep a picture for people where they asked for pictures."""
    if PICTURES:
        await page.picture(Path(PICTURES) / f"{name}.png")
