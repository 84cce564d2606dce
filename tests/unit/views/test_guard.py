"""`hamnctl guard`: the answer, why, and who keeps what.

Owns the screens of a node that may serve, must not, and cannot know. The judgement is core's.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamnd.core.returning import judge_return
from hamnd.core.state import NodeState
from hamnd.model.epoch import Epoch, EpochSight
from hamnd.model.work import Ending, Report
from hamnd.views.guard import guard_document, render_guard
from hamnd.views.status import status_document
from tests.builders import NIGHT, PRIMARY, STANDBY, pair, terms


def node(epoch: Epoch, **changes: object) -> NodeState:
    state = replace(pair().active().state, boot_id="boot-2", epoch=epoch)
    return replace(state, **changes)  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(
    ("epoch", "code", "first"),
    [
        (Epoch(4, STANDBY, "boot-2"), 0, f"{STANDBY} MAY serve: epoch 4 names {STANDBY}"),
        (Epoch(5, PRIMARY), 3, f"{STANDBY} must NOT serve: epoch 5 names {PRIMARY}"),
        (Epoch(4, STANDBY, "boot-1"), 5, f"{STANDBY} CANNOT KNOW whether it may serve"),
    ],
)
def test_the_answer_comes_first(epoch: Epoch, code: int, first: str) -> None:
    document = guard_document(node(epoch), NIGHT, terms())
    screen = render_guard(document)
    assert document["exit_code"] == code
    assert " ".join(screen).startswith(first)
    assert f"hamn-guard ends with {code}" in " ".join(screen)
    assert all(len(line) <= 80 for line in screen)


def test_a_host_that_keeps_an_older_epoch_is_told() -> None:
    state = node(Epoch(4, STANDBY, "boot-2"))
    sights = {
        name: EpochSight(name, epoch, "b", NIGHT)
        for name, epoch in (
            ("sn01", Epoch(4, STANDBY)),
            ("sn02", Epoch(3, PRIMARY)),
            ("sn03", None),
        )
    }
    state = replace(state, watch=replace(state.watch, epochs=sights))
    screen = "\n".join(render_guard(guard_document(state, NIGHT, terms())))
    assert "keeps epoch 4 of aixmn2 (" in screen
    assert "keeps epoch 3 of aixmn1, an older one" in screen
    assert "keeps no epoch" in screen


def test_a_superseded_node_says_so_first() -> None:
    document = status_document(pair().superseded().state, NIGHT, terms())
    assert document["headline"][0] == f"{STANDBY} is SUPERSEDED: it must not serve."
    assert document["guard"]["exit_code"] == 3


def test_when_unknown_settles_nothing_that_is_disputed() -> None:
    state = node(Epoch(4, STANDBY, "boot-1"))
    sight = EpochSight(PRIMARY, Epoch(3, PRIMARY, "b"), "b", NIGHT)
    state = replace(state, watch=replace(state.watch, epochs={PRIMARY: sight}))
    document = guard_document(state, NIGHT, terms())
    assert (document["exit_code"], document["is_disputed"]) == (5, True)
    assert "units are held: it is disputed" in " ".join(render_guard(document))


@pytest.mark.parametrize(
    ("there", "shown", "told"),
    [
        (True, "hamn-guard is installed\n", ("True", "Installed")),
        (True, "hamn-guard is not before: xcatd dhcpd\n", ("False", "NotBefore")),
        (True, "", ("False", "Missing")),
        (False, "hamn-guard is installed\n", ("False", "Missing")),
    ],
)
def test_the_guard_counts_as_installed_where_it_is_asked(
    there: bool, shown: str, told: tuple[str, str]
) -> None:
    """Given a file /usr/sbin/hamn-guard, then it is one that units ask before they start."""
    state = node(Epoch(4, STANDBY, "boot-2"))
    report = Report(Ending.EXITED, NIGHT, NIGHT, 0, shown)
    sights = {PRIMARY: EpochSight(PRIMARY, None, "b", NIGHT, has_guard=there)}
    watch = replace(state.watch, epochs=sights, reports={"seen:guard": report})
    found = judge_return(replace(state, watch=watch), NIGHT, terms())[-1]
    assert (found.type, found.status.value, found.reason) == ("GuardInstalled", *told)
    assert ("xcatd dhcpd" in found.message) is ("NotBefore" in told)
