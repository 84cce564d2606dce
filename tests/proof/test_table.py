"""Every state, every trigger, every outcome of every guard: the laws that the table must keep.

Owns the laws as predicates over one move, written apart from the table. Each guard is taken out
once, and the laws must notice: a law that no missing guard breaks would prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from itertools import product

import pytest

from hamnd.core.fsm import Refused, fire
from hamnd.core.table import TABLE, Picture, Row, Trigger
from hamnd.model.names import State

PICTURES = tuple(
    Picture(*outcomes) for outcomes in product((False, True), repeat=len(fields(Picture)))
)
GUARDED = tuple(row for row in TABLE if row.guard is not None)


def _taking_over_is_confirmed(move: Row, picture: Picture) -> bool:
    """Law 1: only an operator's word about the plan that he saw begins or continues one."""
    if move.target is not State.TAKING_OVER or move.on is Trigger.RUN_CONTRADICTED:
        return True
    if not picture.is_plan_current:
        return False
    if move.on is Trigger.TAKEOVER_CONFIRMED and move.source is State.DEGRADED:
        return picture.has_overridden_all
    told = (Trigger.TAKEOVER_CONFIRMED, Trigger.SWITCHOVER_CONFIRMED, Trigger.SUCCESSOR_CONFIRMED)
    return move.on in told


def _active_is_earned(move: Row, picture: Picture) -> bool:
    """Nobody serves who did not finish a takeover, or whom the epoch does not name."""
    if move.target is not State.ACTIVE:
        return True
    if move.on is Trigger.RUN_CONCLUDED:
        return picture.is_past_no_return
    if move.on is Trigger.PRIMARY_HERE:
        is_alone = picture.is_epoch_clear and not picture.is_partner_serving
        return picture.is_identity_held and is_alone
    return move.on in (Trigger.RUN_VERIFIED, Trigger.EPOCH_CONFIRMED)


def _peer_is_calm(move: Row, picture: Picture) -> bool:
    return move.target is not State.PEER or not picture.is_flapping


def _doubt_declares_nobody_dead(move: Row, picture: Picture) -> bool:
    return move.target is not State.PRIMARY_DOWN or not picture.is_doubted


def _no_way_back_past_no_return(move: Row, picture: Picture) -> bool:
    is_way_back = move.source is State.TAKING_OVER and move.target is State.DEGRADED
    return not is_way_back or not picture.is_past_no_return


LAWS: tuple[Callable[[Row, Picture], bool], ...] = (
    _taking_over_is_confirmed,
    _active_is_earned,
    _peer_is_calm,
    _doubt_declares_nobody_dead,
    _no_way_back_past_no_return,
)


def _broken(table: tuple[Row, ...]) -> Iterator[str]:
    """Yield each law that some move of this table breaks."""
    for state, trigger in product(State, Trigger):
        for picture in PICTURES:
            move = fire(state, trigger, picture, table)
            if isinstance(move, Refused):
                continue
            for law in LAWS:
                if not law(move, picture):
                    yield f"{move.id} breaks {law.__name__} under {picture}"


def test_no_move_of_the_table_breaks_a_law() -> None:
    assert next(_broken(TABLE), None) is None


@pytest.mark.parametrize("row", GUARDED, ids=lambda row: row.id)
def test_without_any_one_guard_a_law_is_broken(row: Row) -> None:
    mutant = tuple(replace(one, guard=None) if one is row else one for one in TABLE)
    assert next(_broken(mutant), None) is not None


def test_every_state_can_be_left_and_reached() -> None:
    """A state without a way out would be a trap, one without a way in a dead letter."""
    for state in State:
        assert any(row.source is state is not row.target for row in TABLE), f"{state} is a trap"
        assert any(row.target is state is not row.source for row in TABLE), f"{state}: never"
