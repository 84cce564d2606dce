"""The report's page in a real browser: on a desk, on a phone, by day and by night.

HAMND_PICTURES names a folder in which its pictures are kept.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hamnd.views.report import render_report_html, report_document
from tests.builders import DIGEST
from tests.lab.browser import opened
from tests.lab.site.fixtures import needs
from tests.unit.views.journal_entries import night

PICTURES = os.environ.get("HAMND_PICTURES", "")
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    needs("chromium"),
]
WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
THIN = "[...document.querySelectorAll('i[data-kind]')].filter(one => one.offsetWidth < 2).length"
SHOWN = "document.querySelector('pre').checkVisibility()"
INK = "getComputedStyle(document.body).backgroundColor"


async def test_the_report_reads_well_wherever_it_is_opened(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(render_report_html(report_document(night(), DIGEST)))
    papers = set()
    async with opened(file.as_uri()) as page:
        await page.until("!!document.querySelector('details')", "the page")
        for width, height, scheme in (
            (1200, 1700, "light"),
            (1200, 1700, "dark"),
            (390, 2400, "dark"),
        ):
            await page.dress(width, height, scheme)
            assert not await page.run(WIDER), f"nothing hangs over at {width}"
            assert await page.run(THIN) == 0, "every bar can be seen"
            papers.add(await page.run(INK))
            if PICTURES:
                await page.picture(Path(PICTURES) / f"report-{width}-{scheme}.png")
        assert len(papers) == 2, "dark is dark"
        assert not await page.run(SHOWN), "commands are folded away"
        await page.run("document.querySelector('summary').click()")
        assert await page.run(SHOWN)
        said = await page.reading_order()
        heads = [one for one in said if one.startswith("heading: ")]
        assert heads[1] == "heading: What was lost"
        assert not any("undefined" in one for one in said)
