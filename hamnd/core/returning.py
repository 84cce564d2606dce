"""What is true of a node that is, or was, active: open steps, the old primary's return, the guard.

Owns the conditions TakeoverIncomplete, OldPrimaryReturned, AddressUnique, FuseClear and
GuardInstalled. Must not decide what follows from them (table) nor who may serve (guarding).
"""

from __future__ import annotations

from hamnd.core.guarding import does_claim
from hamnd.core.health.claim import is_claimed
from hamnd.core.health.rule import (
    freshness_s,
    is_recent,
    latest_host_answer,
    silence_began,
)
from hamnd.core.health.watch import Watch
from hamnd.core.platforms.crontabs import armed
from hamnd.core.policy import Terms
from hamnd.core.state import NodeState
from hamnd.dialects import linux
from hamnd.dialects.aix import interfaces
from hamnd.model.health import Condition
from hamnd.model.instant import Instant
from hamnd.model.names import PlanKind, RunStatus, State, Status, Verdict

SEEN = "seen:"
RETURNED = "OldPrimaryReturned"
"""Its condition is there for as long as the partner is an old primary that nobody took in."""
ARMED = (Verdict.PASS, Verdict.UNKNOWN, Verdict.BLOCK)
"""How bad a reading of jobs is."""


def judge_return(state: NodeState, now: Instant, terms: Terms) -> tuple[Condition, ...]:
    """Return the conditions that hold of this node now; `since` is carried over elsewhere."""
    found = [*_incomplete(state, now), *_returned(state, now, terms), *_unique(state, now, terms)]
    return (*found, *_fuse_clear(state, now, terms), _guarded(state, now, terms))


def _incomplete(state: NodeState, now: Instant) -> list[Condition]:
    last = state.made_active_by
    if state.state is not State.ACTIVE or last is None or not last.open_steps:
        return []
    since = state.finished[state.finished.index(last) :]
    if any(one.kind == PlanKind.RESUME and one.status == RunStatus.DONE for one in since):
        return []  # a resume does every step that is not so
    message = f"open steps: {', '.join(last.open_steps)}"
    told = ("OpenSteps", message, now.wall_s, last.finished_at, "run")
    return [Condition("TakeoverIncomplete", Status.TRUE, *told)]


def _returned(state: NodeState, now: Instant, terms: Terms) -> list[Condition]:
    """Whether the old primary answers, and whether it serves although nobody let it.

    Silent again for as long as it takes to count as down, it is no longer back: what a page says
    must be so now.
    """
    out_since = _out_since(state, terms)
    if out_since is None:
        return []
    heard = latest_host_answer(state.watch)
    is_back = heard is not None and heard.wall_s > out_since
    seen, since = None if heard is None else heard.wall_s, now.wall_s
    status, reason, message = Status.FALSE, "StaysAway", "the old primary does not answer"
    if is_back:
        status, reason = Status.TRUE, "Answers"
        message = "the old primary answers again: hold it off until it is rejoined"
    began = silence_began(state.watch, now, terms.policy)
    if is_back and began is not None and _is_silent(state, began, now, terms):
        status, reason, since = Status.FALSE, "SilentAgain", began.wall_s
        message = "the old primary returned, and is silent again: keep it off until it is rejoined"
        is_back = False
    elif is_back and began is None and _was_silent(state, seen):
        status, reason = Status.UNKNOWN, "NotHeard"
        message = "the old primary returned and fell silent; whether it still is cannot be told now"
        is_back = False
    sight = state.watch.epochs.get(terms.site.partner.name)
    if is_back and is_serving_again(state.watch, now, terms, out_since):
        reason = "Serves"
        message = "the old primary SERVES again, a second time: stop xcatd and its database there"
    elif is_back and sight is not None and does_claim(sight, terms):
        reason = "ClaimsToServe"
        number = "?" if sight.epoch is None else sight.epoch.number
        message = f"the old primary may serve by an epoch of its own: {number}"
    told = (reason, message, since, seen, "reach probes")
    return [Condition(RETURNED, status, *told)]


def _out_since(state: NodeState, terms: Terms) -> float | None:
    """Return since when the partner of an active node is an old primary, or None: it is none.

    Taken over from by hand it is one as well, unless it said since that it is the standby, and a
    reboot leaves nobody in that role: a shared disk is then mounted by neither.
    """
    last, partner = state.last_takeover, state.watch.partner
    if state.state is not State.ACTIVE:
        return None
    if last is not None:
        return last.finished_at
    if state.is_followed or not terms.site.is_on_standby:
        return None
    view, told_at = state.watch.replication, partner.at
    has_told = told_at is not None and told_at.wall_s > state.since
    is_proof = view is None or view.is_role_lasting
    return None if has_told and is_proof and partner.role == "standby" else state.since


def is_serving_again(watch: Watch, now: Instant, terms: Terms, since_s: float) -> bool | None:
    """Whether the old primary serves, as its own tools said lately and after `since_s`.

    None: they did not say. Data that only xcatd opens serve nobody while that is held off.
    """
    partner, xcatd = watch.partner, watch.xcatd
    is_fresh = is_recent(partner.at, now, terms.policy.slow_freshness_s)
    if not is_fresh or partner.at is None or partner.at.wall_s <= since_s:
        return None
    if partner.is_good is not True or not partner.needs_xcatd:
        return partner.is_good
    age_max_s = freshness_s(terms.policy)
    if xcatd.failing_since is not None:
        return False if is_recent(xcatd.failing_last, now, age_max_s) else None
    return True if is_recent(xcatd.good, now, age_max_s) else None


def _is_silent(state: NodeState, began: Instant, now: Instant, terms: Terms) -> bool:
    heard = latest_host_answer(state.watch)
    has_lasted = now.since(began) >= terms.policy.down_after_s
    is_newer = heard is None or heard <= began
    return has_lasted and is_newer and is_claimed(state.watch, now, terms.policy) is not True


def _was_silent(state: NodeState, seen: float | None) -> bool:
    """Whether it was silent before, and nobody has heard it since."""
    was = state.assessment.condition(RETURNED)
    return was is not None and was.status is not Status.TRUE and was.observed_at == seen


def _unique(state: NodeState, now: Instant, terms: Terms) -> list[Condition]:
    """While active: whether another host has an address of ours too.

    AIX logs it; on Linux the network is asked for the address that was taken from the partner.
    """
    if state.state is not State.ACTIVE:
        return []
    report = state.watch.reports.get("seen:duplicates")
    if report is None:
        return _claimed(state, now, terms)
    reading = interfaces.read_no_duplicate_lately(report)
    words = {Verdict.PASS: (Status.TRUE, "Unique"), Verdict.BLOCK: (Status.FALSE, "Doubled")}
    status, reason = words.get(reading.verdict, (Status.UNKNOWN, "NotRead"))
    told = (reason, reading.sentence, now.wall_s, report.finished.wall_s, "errpt")
    return [Condition("AddressUnique", status, *told)]


def _claimed(state: NodeState, now: Instant, terms: Terms) -> list[Condition]:
    moving, claim = terms.site.moving, state.watch.claim
    claimed = is_claimed(state.watch, now, terms.policy)
    if moving is None or claimed is None:
        return []
    seen = claim.answered if claimed else claim.silent_last
    at = None if seen is None else seen.wall_s
    told = (Status.TRUE, "Unique", f"no other host claims {moving.address}")
    if claimed:
        doubled = f"another host claims {moving.address} too{claim.detail}: take it off the network"
        told = (Status.FALSE, "Doubled", doubled)
    return [Condition("AddressUnique", *told, now.wall_s, at, "arping")]


def _fuse_clear(state: NodeState, now: Instant, terms: Terms) -> list[Condition]:
    """Whether a job that belongs to a standby would write onto this node, which is active."""
    if state.state is not State.ACTIVE:
        return []
    seen = {
        topic.removeprefix(SEEN): report
        for topic, report in state.watch.reports.items()
        if topic.startswith(SEEN) and report.finished.wall_s >= state.since
    }
    readings = armed(terms.site, seen)
    if not readings:
        return []
    worst = max(readings, key=lambda one: ARMED.index(one.verdict))
    status, reason = {
        Verdict.BLOCK: (Status.FALSE, "Armed"),
        Verdict.UNKNOWN: (Status.UNKNOWN, "Unreadable"),
    }.get(worst.verdict, (Status.TRUE, "Clear"))
    message = f"{worst.sentence} -> disarm it here, and ask who armed it"
    if status is Status.TRUE:
        message = "no job here is known to write onto this node"
    at = max(report.finished.wall_s for report in seen.values())
    return [Condition("FuseClear", status, reason, message, now.wall_s, at, "looks at jobs")]


def _guarded(state: NodeState, now: Instant, terms: Terms) -> Condition:
    """Whether the return guard is installed on both nodes, as far as each was seen."""
    site = terms.site
    report = state.watch.reports.get("seen:guard")
    sight = state.watch.epochs.get(site.partner.name)
    here = None if report is None else linux.is_guard_there(report)
    there = None if sight is None else sight.has_guard
    missing = [
        name for name, is_there in ((site.node, here), (site.partner.name, there))
        if is_there is False
    ]  # fmt: skip
    seen = None if report is None else report.finished.wall_s
    source = "looks at both nodes"
    if report is not None and (names := linux.unguarded(report)):
        told = (
            f"hamn-guard is on {site.node}, but not before {names}: at a reboot it starts unasked"
        )
        status, reason = Status.FALSE, "NotBefore"
    elif missing:
        told = f"no return guard on {' and '.join(missing)}: at a reboot everything enabled starts"
        status, reason = Status.FALSE, "Missing"
    elif here is None or there is None:
        status, reason = Status.UNKNOWN, "NotSeen"
        told = "whether the return guard is installed on both nodes was not seen yet"
    else:
        status, reason, told = Status.TRUE, "Installed", "hamn-guard is installed on both nodes"
    return Condition("GuardInstalled", status, reason, told, now.wall_s, seen, source)
