"""A standby in trouble is no old primary that is back: nobody is told to switch it off."""

from __future__ import annotations

from typing import Any

import pytest

from hamnd.views.status import status_document
from tests.unit.core.story import Story
from tests.unit.core.test_way_home import switched


def shown(story: Story) -> dict[str, Any]:
    return status_document(story.state, story.now, story.terms)


def unlinked() -> Story:
    """This node was handed over to; then the replication to its standby breaks off."""
    story = switched()
    assert shown(story)["protected"] is True
    story.world.database.state = "REMOTE_CATCHUP_PENDING"
    story.world.database.connect = "DISCONNECTED"
    return story.live(15.0)


@pytest.mark.parametrize("partner", ["standby", "dumb"])
def test_a_standby_whose_replication_broke_is_not_to_be_switched_off(partner: str) -> None:
    story = unlinked()
    story.world.partner = partner
    story.live(60.0)
    document = shown(story)
    assert document["old_primary"]["seen"] is True
    assert document["headline"] == ["aixmn2 is the MANAGEMENT NODE. No standby protects it."]
    assert not any("POWER OFF" in line or "hold " in line for line in document["next"])


def test_a_standby_that_says_that_it_is_primary_is() -> None:
    story = unlinked()
    story.world.partner = "good"
    story.world.there.role = "PRIMARY"
    story.live(15.0)
    assert shown(story)["headline"][0].startswith("SPLIT BRAIN")
