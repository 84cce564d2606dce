"""The checker: may this trigger move this state, and by which row?

Owns the only use of `transitions`: the synchronous Machine compiles the table, refuses what has no
row and evaluates guards. Must not have effects: no callbacks, no automatic triggers, the model is
thrown away. With its default settings the library would add a ``to_<state>`` past every guard and
return False for a refused one; here a refusal is a value that names the guard (dependencies.md §2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from transitions import EventData, Machine, MachineError

from hamnd.core.table import TABLE, Picture, Row, Trigger
from hamnd.model.names import State


@dataclass(frozen=True, slots=True)
class Refused:
    """The trigger does not move this state; nothing changed."""

    state: State
    trigger: Trigger
    because: str


class _Subject:
    """The throwaway model: it carries the state that `transitions` moves."""

    state: str


@cache
def _machine(table: tuple[Row, ...]) -> Machine:
    machine = Machine(
        model=None,
        states=[state.value for state in State],
        initial=State.DEGRADED.value,
        auto_transitions=False,
        ignore_invalid_triggers=False,
        send_event=True,
    )
    for row in table:
        machine.add_transition(
            row.on.value,
            row.source.value,
            row.target.value,
            conditions=None if row.guard is None else [_condition(row)],
        )
    return machine


def _condition(row: Row):  # type: ignore[no-untyped-def]  # transitions types callbacks loosely
    def is_allowed(event: EventData) -> bool:
        picture = event.kwargs["picture"]
        return row.guard is None or row.guard(picture)

    return is_allowed


def fire(
    state: State, trigger: Trigger, picture: Picture, table: tuple[Row, ...] = TABLE
) -> Row | Refused:
    """Return the row by which the trigger moves the state, or why it does not."""
    rows = [row for row in table if row.source is state and row.on is trigger]
    machine = _machine(table)
    subject = _Subject()
    machine.add_model(subject, initial=state.value)
    try:
        moved = machine.events[trigger.value].trigger(subject, picture=picture)
    except MachineError:
        return Refused(state, trigger, f"{trigger.value} means nothing in {state.value}")
    finally:
        machine.remove_model(subject)
    if not moved:
        return Refused(state, trigger, rows[0].guard_name)
    return next(row for row in rows if row.target.value == subject.state)
