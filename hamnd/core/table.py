"""The transition table: every move between states, as data.

Laws of this table: rows are disjoint, their ids are never used again, `because` is the sentence
that logs, history and the handbook show, and every pair (state, trigger) without a row is an
explicit refusal that changes nothing (fsm). A guard is a pure question about `Picture`. The table
must not know how triggers are derived (following) nor what happens besides the move.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from hamnd.model.names import State


class Trigger(StrEnum):
    """What the engine derives from an event and the new assessment."""

    CONDITION_LOST = "condition_lost"
    PEER_PROVEN = "peer_proven"
    PRIMARY_DOWN_HELD = "primary_down_held"
    PRIMARY_SEEN = "primary_seen"
    TAKEOVER_CONFIRMED = "takeover_confirmed"
    SWITCHOVER_CONFIRMED = "switchover_confirmed"
    SUCCESSOR_CONFIRMED = "successor_confirmed"
    RUN_VERIFIED = "run_verified"
    RUN_CONTRADICTED = "run_contradicted"
    RUN_UNDONE = "run_undone"
    RUN_CONCLUDED = "run_concluded"
    RESTARTED = "restarted"
    PRIMARY_HERE = "primary_here"
    STANDBY_HERE = "standby_here"
    SUPERSEDED = "superseded"
    EPOCH_UNKNOWN = "epoch_unknown"
    EPOCH_CONFIRMED = "epoch_confirmed"


@dataclass(frozen=True, slots=True)
class Picture:
    """What guards may ask about."""

    is_plan_current: bool = False
    """The confirmed plan is the one that would be made now, or a worse one became better."""
    has_overridden_all: bool = False
    """Every gate that would block was overridden by name."""
    is_flapping: bool = False
    is_identity_held: bool = False
    is_partner_serving: bool = False
    is_epoch_clear: bool = False
    """The epoch is known, and nobody else owns a newer one."""
    is_doubted: bool = False
    """This node was active, and its epoch does not, or not yet, let it serve."""
    is_past_no_return: bool = False


Guard = Callable[[Picture], bool]


@dataclass(frozen=True, slots=True)
class Row:
    """One move between states."""

    id: str
    source: State
    on: Trigger
    target: State
    because: str
    guard: Guard | None = None
    guard_name: str = ""
    """What is refused when the guard is false, in words."""


def _plan_is_current(picture: Picture) -> bool:
    return picture.is_plan_current


def _current_and_overridden(picture: Picture) -> bool:
    return picture.is_plan_current and picture.has_overridden_all


def _not_doubted(picture: Picture) -> bool:
    return not picture.is_doubted


def _calm(picture: Picture) -> bool:
    return not picture.is_flapping


def _identity_held(picture: Picture) -> bool:
    is_alone = picture.is_epoch_clear and not picture.is_partner_serving
    return picture.is_identity_held and is_alone


def _before_no_return(picture: Picture) -> bool:
    return not picture.is_past_no_return


def _past_no_return(picture: Picture) -> bool:
    return picture.is_past_no_return


_ADOPTED = "This node's database is primary and holds the identity; hamnd knows of no takeover."

TABLE: tuple[Row, ...] = (
    Row(
        "T01",
        State.PEER,
        Trigger.CONDITION_LOST,
        State.DEGRADED,
        "Something that protects the primary is no longer true.",
    ),
    Row(
        "T02",
        State.DEGRADED,
        Trigger.PEER_PROVEN,
        State.PEER,
        "Replication, path and primary have been in order for long enough.",
        _calm,
        "the pair flaps: it must stay in order for the whole flap window",
    ),
    Row(
        "T03",
        State.DEGRADED,
        Trigger.PRIMARY_DOWN_HELD,
        State.PRIMARY_DOWN,
        "The primary cannot act as management node, and nothing says otherwise.",
        _not_doubted,
        "this node was the management node itself: its epoch is in doubt (hamnctl guard)",
    ),
    Row(
        "T04",
        State.PRIMARY_DOWN,
        Trigger.PRIMARY_SEEN,
        State.DEGRADED,
        "The primary answered in a way that its silence excluded.",
    ),
    Row(
        "T05",
        State.PRIMARY_DOWN,
        Trigger.TAKEOVER_CONFIRMED,
        State.TAKING_OVER,
        "The operator confirmed this plan; make sure the old primary is off.",
        _plan_is_current,
        "the picture became worse since the plan was shown",
    ),
    Row(
        "T06",
        State.DEGRADED,
        Trigger.TAKEOVER_CONFIRMED,
        State.TAKING_OVER,
        "The operator confirmed this plan and overrode every gate that blocks it by name.",
        _current_and_overridden,
        "the primary is not proven down, and not every blocking gate was overridden",
    ),
    Row(
        "T07",
        State.TAKING_OVER,
        Trigger.RUN_VERIFIED,
        State.ACTIVE,
        "Every step is done and verified: this node is the management node.",
    ),
    Row(
        "T08",
        State.TAKING_OVER,
        Trigger.SUCCESSOR_CONFIRMED,
        State.TAKING_OVER,
        "The operator confirmed a plan that continues the paused one.",
        _plan_is_current,
        "the picture became worse since the plan was shown",
    ),
    Row(
        "T09",
        State.TAKING_OVER,
        Trigger.RUN_CONTRADICTED,
        State.TAKING_OVER,
        "The primary answered although it should be off: the run is held.",
    ),
    Row(
        "T10",
        State.TAKING_OVER,
        Trigger.RUN_UNDONE,
        State.DEGRADED,
        "The operator aborted before the point of no return and what was done is undone.",
        _before_no_return,
        "the point of no return is passed: conclude it instead",
    ),
    Row(
        "T11",
        State.TAKING_OVER,
        Trigger.RUN_CONCLUDED,
        State.ACTIVE,
        "The operator concluded the run with open steps.",
        _past_no_return,
        "nothing irreversible was done: abort it instead",
    ),
    *(
        Row(
            row_id,
            source,
            Trigger.PRIMARY_HERE,
            State.ACTIVE,
            _ADOPTED,
            _identity_held,
            "this node does not hold the identity, the partner is known to serve, or the epoch is "
            "not known or another node's (hamnctl guard)",
        )
        for row_id, source in (
            ("T12", State.PEER),
            ("T13", State.DEGRADED),
            ("T14", State.PRIMARY_DOWN),
        )
    ),
    Row(
        "T15",
        State.ACTIVE,
        Trigger.STANDBY_HERE,
        State.DEGRADED,
        "This node's database is standby and the identity is not held here.",
    ),
    *(
        Row(
            row_id,
            source,
            Trigger.RESTARTED,
            State.DEGRADED,
            "hamnd was restarted: nothing is proven until it is seen again.",
        )
        for row_id, source in (
            ("T16", State.PEER),
            ("T17", State.DEGRADED),
            ("T18", State.PRIMARY_DOWN),
        )
    ),
    Row(
        "T19",
        State.ACTIVE,
        Trigger.SUPERSEDED,
        State.DEGRADED,
        "The partner or a witness shows a newer epoch of another owner.",
    ),
    Row(
        "T20",
        State.ACTIVE,
        Trigger.EPOCH_UNKNOWN,
        State.DEGRADED,
        "The epoch is not this node's in this boot, and nobody can confirm it.",
    ),
    Row(
        "T21",
        State.DEGRADED,
        Trigger.EPOCH_CONFIRMED,
        State.ACTIVE,
        "The epoch is confirmed to be this node's.",
    ),
    *(
        Row(
            row_id,
            source,
            Trigger.SWITCHOVER_CONFIRMED,
            State.TAKING_OVER,
            "The operator confirmed that the primary hands over to this node.",
            _plan_is_current,
            "the picture became worse since the plan was shown",
        )
        for row_id, source in (("T31", State.PEER), ("T32", State.DEGRADED))
    ),
)
