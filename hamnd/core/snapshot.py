"""The durable part of the state, as JSON, and back.

Owns what survives a restart and how it is written. Must not know where it is stored (the journal
adapter). Instants never reach disk: monotonic clocks mean nothing in another process, so after a
restart observation windows begin again, the safe direction. Nor do acts that proved the primary
off: nobody knows what happened to it while hamnd did not watch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from math import isfinite

from cattrs import Converter, StructureHandlerNotFoundError
from cattrs.strategies import configure_tagged_union

from hamnd.core.health.watch import Watch
from hamnd.core.kept import kept_reports
from hamnd.core.progress import Run
from hamnd.core.replication import Sample
from hamnd.core.state import Change, CopyState, FinishedRun, Hold, Lasting, NodeState
from hamnd.model.copying import CopyFacts
from hamnd.model.epoch import Epoch, EpochDoubt
from hamnd.model.names import Cause, Mode, State
from hamnd.model.rehearsal import Rehearsal
from hamnd.model.takeovers import PastTakeover
from hamnd.model.work import ActionRequest, LookRequest

FORMAT = 1
"""Raised when the document changes shape; older ones are read by `restore`."""

CHANGES_KEPT = 50

UNREADABLE = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
    StructureHandlerNotFoundError,
)
"""What a converter without detailed validation raises for a document of another shape."""


@dataclass(frozen=True, slots=True)
class Durable:
    """What survives a restart."""

    format: int
    state: State
    since: float
    because: str
    cause: Cause | None
    silence_began: float | None
    mode: Mode
    mode_reason: str
    boot_id: str
    epoch: Epoch | None
    run: Run | None
    finished: tuple[FinishedRun, ...]
    changes: tuple[Change, ...]
    sample: Sample | None
    frozen_window_end: int | None
    standby_end: int | None
    first_off: float | None
    lie: str = ""
    ended: dict[str, int] = field(default_factory=dict)
    copies: Mapping[str, CopyState] = field(default_factory=dict)
    doubt: EpochDoubt = EpochDoubt.NONE
    hold: Hold | None = None
    rehearsal: Rehearsal | None = None
    rehearsed_at: float | None = None
    is_exchanged: bool = False
    lasting: Lasting = field(default_factory=Lasting)
    elsewhere: PastTakeover | None = None


@cache
def _converter() -> Converter:
    converter = Converter(detailed_validation=False)
    configure_tagged_union(ActionRequest, converter, tag_name="kind")
    configure_tagged_union(LookRequest, converter, tag_name="kind")
    return converter


def durable(state: NodeState) -> Durable:
    """Return the durable part of a state."""
    watch = state.watch
    run = state.run
    if run is not None:
        steps = {key: replace(one, deadline=None) for key, one in run.steps.items()}
        run = replace(run, steps=steps)
    return Durable(
        format=FORMAT,
        state=state.state,
        since=state.since,
        because=state.because,
        cause=state.cause,
        silence_began=state.silence_began,
        mode=state.mode,
        mode_reason=state.mode_reason,
        boot_id=state.boot_id,
        epoch=state.epoch,
        run=run,
        finished=state.finished,
        changes=state.changes[-CHANGES_KEPT:],
        sample=watch.sample,
        frozen_window_end=watch.frozen_window_end,
        standby_end=watch.standby_end,
        first_off=watch.first_off,
        lie=watch.lie,
        ended=dict(state.ended),
        copies={name: _resting(one) for name, one in state.copies.items()},
        doubt=state.doubt,
        hold=state.hold,
        rehearsal=state.rehearsal,
        rehearsed_at=state.rehearsed_at,
        is_exchanged=state.is_exchanged,
        lasting=state.lasting,
        elsewhere=state.elsewhere,
    )


def _resting(one: CopyState) -> CopyState:
    """What runs ends with the process."""
    return replace(one, accepted=False, facts=CopyFacts(), progress=None)


def dump(state: NodeState) -> str:
    """Return the durable part of a state as one line of JSON."""
    return json.dumps(_converter().unstructure(durable(state), Durable), sort_keys=True)


def restore(text: str, memory: Mapping[str, tuple[str, float]]) -> NodeState:
    """Return the state that a document describes; the newer of its sample and memory's counts.

    Raises:
        ValueError: the document is not one that `dump` wrote.
    """
    try:
        document = json.loads(text)
        kept = _converter().structure(document, Durable)
    except UNREADABLE as error:
        raise ValueError(f"the state document cannot be read: {error}") from error
    if kept.format != FORMAT:
        raise ValueError(f"the state document has format {kept.format}, this hamnd reads {FORMAT}")
    _check(kept)
    sample, window_end = _newer_sample(kept, memory)
    watch = Watch(
        sample=sample,
        frozen_window_end=window_end,
        standby_end=kept.standby_end,
        first_off=kept.first_off,
        lie=kept.lie,
        reports=kept_reports(memory),
    )
    return NodeState(
        state=kept.state,
        since=kept.since,
        because=kept.because,
        cause=kept.cause,
        silence_began=kept.silence_began,
        mode=kept.mode,
        mode_reason=kept.mode_reason,
        boot_id=kept.boot_id,
        epoch=kept.epoch,
        doubt=kept.doubt,
        run=kept.run,
        finished=kept.finished,
        ended=kept.ended,
        changes=kept.changes,
        copies=kept.copies,
        hold=kept.hold,
        rehearsal=kept.rehearsal,
        rehearsed_at=kept.rehearsed_at,
        is_exchanged=kept.is_exchanged,
        lasting=kept.lasting,
        elsewhere=kept.elsewhere,
        watch=watch,
    )


def _check(kept: Durable) -> None:
    """Refuse what `dump` never wrote although each part of it can be read.

    Raises:
        ValueError: the parts do not fit each other.
    """
    lasting = kept.lasting
    numbers = [kept.since, kept.silence_began, kept.first_off, kept.rehearsed_at]
    numbers += [lasting.watched_since, lasting.standby_since, lasting.unprotected_since]
    numbers += [lasting.drilled_at, *lasting.confirmed_s]
    if kept.hold is not None:
        numbers += [kept.hold.since, kept.hold.until]
    if not all(number is None or isfinite(number) for number in numbers):
        raise ValueError("the state document has times that are none")
    run = kept.run
    if run is None:
        if kept.state is State.TAKING_OVER:
            raise ValueError("the state document is taking over without a run")
        return
    if set(run.steps) != {step.id for step in run.plan.steps}:
        raise ValueError("the state document has a run whose steps are not its plan's")
    for step in run.plan.steps:
        if not 0 <= run.steps[step.id].index <= len(step.actions):
            raise ValueError(f"the state document has a wrong action in step {step.id}")
        if not {*step.depends_on, *step.after} <= set(run.steps):
            raise ValueError(f"the state document lacks what step {step.id} depends on")


def _newer_sample(
    kept: Durable, memory: Mapping[str, tuple[str, float]]
) -> tuple[Sample | None, int | None]:
    """The journal's memory holds a sample about once a minute, the state one per change."""
    remembered = memory.get("sample")
    if remembered is None:
        return kept.sample, kept.frozen_window_end
    try:
        document = json.loads(remembered[0])
        window_end = document.pop("frozen_window_end")
        sample = _converter().structure(document, Sample)
    except UNREADABLE:  # a damaged fact is as good as none
        return kept.sample, kept.frozen_window_end
    if kept.sample is not None and kept.sample.wall_s >= sample.wall_s:
        return kept.sample, kept.frozen_window_end
    return sample, window_end
