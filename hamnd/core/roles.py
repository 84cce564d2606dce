"""Roles that changed without a plan: adoption, and its reverse.

Owns when a node becomes active by no run of hamnd, and when it no longer is. Must not know runs'
steps (following) nor plans.
"""

from __future__ import annotations

from hamnd.core.epochs import claim_epoch, set_epoch
from hamnd.core.guarding import is_epoch_known, newest_epoch
from hamnd.core.health.rule import is_recent
from hamnd.core.platforms import platform_of
from hamnd.core.readiness import proof_age_max_s
from hamnd.core.served import is_standby_here
from hamnd.core.state import NodeState
from hamnd.core.table import Picture, Trigger
from hamnd.core.turn import Turn
from hamnd.model.epoch import EpochDoubt
from hamnd.model.health import Replication
from hamnd.model.names import RunStatus, State
from hamnd.model.work import Ending


def follow_role(turn: Turn) -> None:
    """A role that changed without a plan: made active, or back to standby, by hand."""
    state = turn.state
    reading = state.watch.replication
    if reading is None or _has_open_run(state):
        return
    if reading.role == "primary" and state.state not in (State.ACTIVE, State.TAKING_OVER):
        _adopt(turn, reading)
    elif state.state is State.ACTIVE and _is_standby(turn) and _gave_up_identity(turn):
        turn.fire(Trigger.STANDBY_HERE, Picture())
        epoch = turn.state.epoch
        if epoch is not None and epoch.owner == turn.terms.site.node:
            # Gone back by hand: whoever serves now, it is not this node.
            set_epoch(turn, turn.terms.site.partner.name, "")


def _adopt(turn: Turn, reading: Replication) -> None:
    """Made active by hand: only on fresh looks, and while nobody else is known to serve."""
    policy, watch = turn.terms.policy, turn.state.watch
    report = watch.reports.get("seen:addresses")
    is_fresh = (
        report is not None
        and is_recent(report.finished, turn.now, proof_age_max_s(policy))
        and is_recent(reading.observed, turn.now, policy.slow_freshness_s)
    )
    is_serving = watch.partner.is_good is True and is_recent(
        watch.partner.at, turn.now, policy.slow_freshness_s
    )
    picture = Picture(
        is_identity_held=is_fresh and holds_identity(turn),
        is_partner_serving=is_serving,
        is_epoch_clear=_is_epoch_clear(turn),
    )
    if turn.fire(Trigger.PRIMARY_HERE, picture) is None:
        claim_epoch(turn, "")


def _is_epoch_clear(turn: Turn) -> bool:
    """Whether nobody else owns a newer epoch than the one that this node went by.

    An epoch of the partner is no hindrance to a standby that was promoted by hand: it knew that
    epoch while it was a standby. A node that comes back as a primary under it was taken over from.
    Before any epoch was raised a witness that keeps none tells nothing: only the partner knows that
    it did not take over (guarding), or this node that it was the standby until now. A shared disk
    leaves nothing else of that: there is neither a sample nor the end of a log.
    """
    state, site = turn.state, turn.terms.site
    if not is_epoch_known(state, turn.now, turn.terms) or state.doubt is not EpochDoubt.NONE:
        return False
    epoch = newest_epoch(state, turn.terms)
    if state.watch.standby_end is not None or state.watch.sample is not None:
        return True  # what is copied has a sample and no end of its log
    if epoch.number == 0:
        sight = state.watch.epochs.get(site.partner.name)
        age_max_s = turn.terms.policy.slow_freshness_s
        is_told = sight is not None and is_recent(sight.at, turn.now, age_max_s)
        return is_told or _stood_by(state)
    return epoch.owner == site.node


def _stood_by(state: NodeState) -> bool:
    """Whether this node was in Peer later than it was active, as far back as is known."""
    was = [one.target for one in state.changes if one.target in (State.PEER, State.ACTIVE)]
    return was[-1:] == [State.PEER]


def _is_standby(turn: Turn) -> bool:
    return is_standby_here(turn.state.watch, turn.now, turn.terms)


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
