"""Who may serve: roles that changed without a plan, and the epoch that names the owner.

Owns adoption (active by no run of hamnd), its reverse, and the epoch. Must not know runs' steps
(following) nor plans.
"""

from __future__ import annotations

import json
from dataclasses import replace

from hamnd.core.health.rule import is_recent, slow_freshness_s
from hamnd.core.platforms import platform_of
from hamnd.core.readiness import proof_age_max_s
from hamnd.core.state import Epoch, NodeState
from hamnd.core.table import Picture, Trigger
from hamnd.core.turn import Turn
from hamnd.model.health import Replication
from hamnd.model.names import Phase, RunStatus, State
from hamnd.model.record import Record
from hamnd.model.work import Ending


def follow_role(turn: Turn) -> None:
    """A role that changed without a plan: made active, or back to standby, by hand."""
    state = turn.state
    reading = state.watch.replication
    if reading is None or _has_open_run(state):
        return
    if reading.role == "primary" and state.state not in (State.ACTIVE, State.TAKING_OVER):
        _adopt(turn, reading)
    elif reading.role == "standby" and state.state is State.ACTIVE and _gave_up_identity(turn):
        turn.fire(Trigger.STANDBY_HERE, Picture())


def _adopt(turn: Turn, reading: Replication) -> None:
    """Made active by hand: only on fresh looks, and while nobody else is known to serve."""
    policy, watch = turn.terms.policy, turn.state.watch
    report = watch.reports.get("seen:addresses")
    is_fresh = (
        report is not None
        and is_recent(report.finished, turn.now, proof_age_max_s(policy))
        and is_recent(reading.observed, turn.now, slow_freshness_s(policy))
    )
    is_serving = watch.partner.is_good is True and is_recent(
        watch.partner.at, turn.now, slow_freshness_s(policy)
    )
    picture = Picture(
        is_identity_held=is_fresh and holds_identity(turn), is_partner_serving=is_serving
    )
    if turn.fire(Trigger.PRIMARY_HERE, picture) is None:
        claim_epoch(turn, "")


def _gave_up_identity(turn: Turn) -> bool:
    """Whether role and addresses, both looked at since this node is active, say so."""
    state = turn.state
    report, reading = state.watch.reports.get("seen:addresses"), state.watch.replication
    if report is None or reading is None:
        return False
    if min(report.started.wall_s, reading.observed.wall_s) <= state.since:
        return False
    readable = report.ending is Ending.EXITED and report.exit_code == 0
    return readable and not holds_identity(turn)


def holds_identity(turn: Turn) -> bool:
    """Whether this node carries every address of the identity, as last seen."""
    report = turn.state.watch.reports.get("seen:addresses")
    if report is None:
        return False
    return platform_of(turn.terms.site).holds_identity(turn.terms.site, report) is True


def _has_open_run(state: NodeState) -> bool:
    run = state.run
    return run is not None and run.status in (RunStatus.RUNNING, RunStatus.PAUSED)


def claim_epoch(turn: Turn, digest: str) -> None:
    """This node may serve from now on, in this boot."""
    node, epoch = turn.terms.site.node, turn.state.epoch
    if epoch is not None and epoch.owner == node and epoch.boot_id == turn.state.boot_id:
        return
    set_epoch(turn, node, turn.state.boot_id, digest)


def set_epoch(turn: Turn, owner: str, boot_id: str, digest: str) -> None:
    """Raise the epoch for an owner, and write it down."""
    epoch = turn.state.epoch
    raised = Epoch((epoch.number if epoch is not None else 0) + 1, owner, boot_id)
    turn.state = replace(turn.state, epoch=raised)
    evidence = json.dumps({"epoch": raised.number, "owner": owner})
    turn.record(Record(Phase.DECISION, "epoch_raised", digest=digest, evidence=evidence))
