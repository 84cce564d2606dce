"""The epoch of this node: raised, learned, kept, and what it does to an active node (design §5).

Owns how the newest epoch becomes known and where it is written. In a plan it is an action (step
`epoch`); everywhere else hamnd writes it, unasked, into its own state directory on the two nodes
and nowhere else (law 1): after an adoption, and where one of them keeps an older one than is known.
Must not judge who may serve (guarding) nor touch a unit, a database or an address.
"""

from __future__ import annotations

import json
from dataclasses import replace

from hamnd.core import run as runs
from hamnd.core.commands import KeepEpoch
from hamnd.core.events import EpochKept
from hamnd.core.guarding import (
    GuardAnswer,
    MayServe,
    guard_answer,
    has_asked_everyone,
    is_current,
)
from hamnd.core.health.rule import does_answer, is_recent
from hamnd.core.outliving import is_begun
from hamnd.core.served import is_standby_here
from hamnd.core.state import NodeState
from hamnd.core.table import Picture, Trigger
from hamnd.core.turn import Turn
from hamnd.dialects import epoch as dialect
from hamnd.dialects import readers
from hamnd.model.epoch import NO_BOOT, Claim, Epoch, EpochDoubt, EpochSight
from hamnd.model.names import Mode, Phase, Probe, RunStatus, State, Verdict
from hamnd.model.record import Record

OUTCOME = {Verdict.PASS: "done", Verdict.BLOCK: "not_done"}


def claim_epoch(turn: Turn, digest: str) -> None:
    """This node may serve from now on, in this boot; the first epoch of a pair was never raised."""
    epoch = turn.state.epoch
    if not is_current(turn.state, turn.terms) or (epoch is not None and epoch.number == 0):
        set_epoch(turn, turn.terms.site.node, digest)


def set_epoch(turn: Turn, owner: str, digest: str) -> None:
    """Raise the epoch for an owner, and write it down."""
    number = 0 if turn.state.epoch is None else turn.state.epoch.number
    _raise_to(turn, number + 1, owner, digest)


def _raise_to(turn: Turn, number: int, owner: str, digest: str) -> None:
    boot_id = turn.state.boot_id if owner == turn.terms.site.node else NO_BOOT
    raised = Epoch(number, owner, boot_id)
    turn.state = replace(turn.state, epoch=raised)
    evidence = json.dumps({"epoch": raised.number, "owner": owner})
    turn.record(Record(Phase.DECISION, "epoch_raised", digest=digest, evidence=evidence))


def set_claim(turn: Turn, claim: Claim, digest: str) -> None:
    """Raise the epoch as a step claims it; one that was raised meanwhile is not taken back."""
    epoch = turn.state.epoch
    if epoch is not None and epoch.owner == claim.owner and epoch.number >= claim.number:
        return
    if epoch is not None and epoch.number >= claim.number:
        claim = replace(claim, number=epoch.number + 1)
    _raise_to(turn, claim.number, claim.owner, digest)


def follow_epoch(turn: Turn) -> None:
    """Learn the newest epoch, and let it say whether this node still counts as active."""
    for sight in turn.state.watch.epochs.values():
        if turn.before.watch.epochs.get(sight.host) is not sight:
            _learn(turn, sight)
    state = turn.state
    if state.state is State.ACTIVE and state.epoch is not None:
        _follow_active(turn, guard_answer(state, turn.terms))
    elif state.state is State.DEGRADED and state.doubt is not EpochDoubt.NONE:
        _follow_doubt(turn, guard_answer(state, turn.terms))


def _learn(turn: Turn, sight: EpochSight) -> None:
    """Take a newer epoch, whoever keeps it; of its own file a node also believes the boot."""
    told, known = sight.epoch, turn.state.epoch
    if told is None:
        return
    site = turn.terms.site
    is_own = sight.host == site.node
    if known is None or told.number > known.number:
        boot_id = told.boot_id if is_own or told.owner != site.node else NO_BOOT
        turn.state = replace(turn.state, epoch=replace(told, boot_id=boot_id))
        _note(turn, "epoch_learned", sight)
        return
    is_same = told.owner == known.owner == site.node and told.number == known.number
    if is_own and is_same and told.boot_id == turn.state.boot_id != known.boot_id:
        # hamn-guard had it confirmed in this boot, or the operator asserted it.
        turn.state = replace(turn.state, epoch=told)
        _note(turn, "epoch_confirmed", sight)


def _note(turn: Turn, what: str, sight: EpochSight) -> None:
    assert sight.epoch is not None
    told = {"epoch": sight.epoch.number, "owner": sight.epoch.owner, "from": sight.host}
    if sight.note:
        told["note"] = sight.note
    turn.record(Record(Phase.DECISION, what, evidence=json.dumps(told)))


def _follow_active(turn: Turn, answer: GuardAnswer) -> None:
    if is_current(turn.state, turn.terms) or _is_given_away(turn.state):
        return
    match answer.may_serve:
        case MayServe.YES:
            _confirm(turn, answer)
        case MayServe.NO:
            _leave_active(turn, Trigger.SUPERSEDED, EpochDoubt.SUPERSEDED, answer)
        case MayServe.UNKNOWN if has_asked_everyone(turn.state, turn.terms):
            _leave_active(turn, Trigger.EPOCH_UNKNOWN, EpochDoubt.UNKNOWN, answer)
        case MayServe.UNKNOWN:
            pass  # the others are being asked


def _is_given_away(state: NodeState) -> bool:
    """Whether this node's own run, under way, named the one that the newest epoch names.

    The number may be higher than the plan's: one that was raised meanwhile is outdone. A run that
    is held or over is judged like any other: whoever is named may serve, not this node.
    """
    run, epoch = state.run, state.epoch
    if run is None or epoch is None or run.status is not RunStatus.RUNNING:
        return False
    return any(
        claim.owner == epoch.owner and claim.number <= epoch.number
        for step in run.plan.steps
        if (claim := step.claims) is not None and is_begun(run.steps[step.id])
    )


def _leave_active(turn: Turn, trigger: Trigger, doubt: EpochDoubt, answer: GuardAnswer) -> None:
    if turn.fire(trigger, Picture(), answer.because) is None:
        turn.state = replace(turn.state, doubt=doubt)
    if turn.state.run is not None:
        turn.take(runs.interrupt(turn.state.run, answer.because))


def _follow_doubt(turn: Turn, answer: GuardAnswer) -> None:
    """A doubt ends when the epoch is ours after all, or this node is a standby.

    A run that resumes raises the epoch first, and is over when it is verified.
    """
    if turn.state.run is not None:
        return
    if is_standby_here(turn.state.watch, turn.now, turn.terms):
        turn.state = replace(turn.state, doubt=EpochDoubt.NONE)
        turn.persist = True
        return
    if answer.may_serve is MayServe.YES:
        if not is_current(turn.state, turn.terms):
            _confirm(turn, answer)
        turn.state = replace(turn.state, doubt=EpochDoubt.NONE)
        turn.fire(Trigger.EPOCH_CONFIRMED, Picture(), answer.because)
    elif answer.may_serve is MayServe.NO and turn.state.doubt is EpochDoubt.UNKNOWN:
        turn.state = replace(turn.state, doubt=EpochDoubt.SUPERSEDED, because=answer.because)
        turn.record(Record(Phase.DECISION, "superseded", evidence=answer.because))


def _confirm(turn: Turn, answer: GuardAnswer) -> None:
    """The same epoch, now for this boot."""
    epoch = turn.state.epoch
    assert epoch is not None
    turn.state = replace(turn.state, epoch=replace(epoch, boot_id=turn.state.boot_id))
    told = {"epoch": epoch.number, "owner": epoch.owner, "because": answer.because}
    turn.record(Record(Phase.DECISION, "epoch_confirmed", evidence=json.dumps(told)))


def _begin(turn: Turn) -> None:
    """Before any epoch was raised, and while the pair is whole, the present primary has the first.

    It lies on both nodes before it is needed, with the boot in which the primary serves now. 0 is
    what everybody assumes of the configured primary; the other node needs 1 to outdo that.
    """
    state, site = turn.state, turn.terms.site
    here, there = (state.watch.epochs.get(one) for one in (site.node, site.partner.name))
    if state.state is not State.PEER or state.run is not None or here is None or there is None:
        return
    if here.epoch is not None or there.epoch is not None or not _is_there(turn, there.host, there):
        return
    number = 0 if site.partner == site.primary else 1
    epoch = Epoch(number, there.host, there.boot_id)
    turn.state = replace(state, epoch=epoch)
    evidence = json.dumps({"epoch": epoch.number, "owner": epoch.owner})
    turn.record(Record(Phase.DECISION, "epoch_begun", evidence=evidence))


def keep_epoch(turn: Turn) -> None:
    """Have the newest epoch written where one of the two nodes keeps an older one."""
    if turn.state.epoch is None and turn.state.mode is Mode.NORMAL:
        _begin(turn)
    state, site = turn.state, turn.terms.site
    epoch = state.epoch
    if epoch is None or state.mode is not Mode.NORMAL:
        return
    for host in (site.node, site.partner.name):
        sight = state.watch.epochs.get(host)
        if sight is None or host in state.timing.keeping or not _is_older(turn, sight, epoch):
            continue
        if not _is_there(turn, host, sight):
            continue
        turn.commands.append(KeepEpoch(host, epoch, dialect.keep(site, host, epoch)))
        timing = turn.state.timing
        turn.state = replace(
            turn.state, timing=replace(timing, keeping=frozenset((*timing.keeping, host)))
        )


def _is_there(turn: Turn, host: str, sight: EpochSight) -> bool:
    """Whether that host told lately what it keeps, and would take it now."""
    watch, policy = turn.state.watch, turn.terms.policy
    if not is_recent(sight.at, turn.now, policy.slow_freshness_s):
        return False
    is_here = host == turn.terms.site.node
    return is_here or does_answer(watch, Probe.SSH_BANNER, turn.now, policy)


def _is_older(turn: Turn, sight: EpochSight, epoch: Epoch) -> bool:
    kept = sight.epoch
    if kept is None or kept.number < epoch.number:
        return True
    # Confirmed for this boot: so that hamn-guard need not ask again.
    is_ours = kept.owner == epoch.owner == turn.terms.site.node == sight.host
    same = kept.number == epoch.number
    return is_ours and same and is_current(turn.state, turn.terms) and kept.boot_id != epoch.boot_id


def on_kept(turn: Turn, event: EpochKept) -> None:
    """Write down where the epoch is kept now; a failure that lasts is written down once."""
    command = event.command
    reading = readers.read_action(command.action, event.report)
    timing = turn.state.timing
    outcome = OUTCOME.get(reading.verdict, "unknown")
    told = f"{command.host}: {outcome}, epoch {command.epoch.number}"
    if timing.kept.get(command.host) != told:
        evidence = json.dumps(
            {
                "host": command.host,
                "epoch": command.epoch.number,
                "owner": command.epoch.owner,
                "sentence": reading.sentence,
            }
        )
        turn.record(Record(Phase.RESULT, "epoch_kept", outcome=outcome, evidence=evidence))
    keeping = frozenset(host for host in timing.keeping if host != command.host)
    kept = {**timing.kept, command.host: told}
    turn.state = replace(turn.state, timing=replace(timing, keeping=keeping, kept=kept))
