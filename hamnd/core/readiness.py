"""Would a takeover work now? Every step's readiness looks, as conditions.

Owns the conditions StepReady and StandbyQuiet's kin, and the two summaries Protected and
TakeoverReady (design §4). Must not build steps (plans). TakeoverReady never depends on fresh
answers from the primary: it must be true at 3 am.
"""

from __future__ import annotations

from functools import lru_cache

from hamnd.core.health.assessment import Assessment
from hamnd.core.health.evidence import is_enough
from hamnd.core.health.watch import Watch
from hamnd.core.parity import DIFFERS
from hamnd.core.policy import Policy, Terms
from hamnd.model.health import LEFT_OUT, Condition, Replication
from hamnd.model.instant import Instant
from hamnd.model.names import Mode, State, Status, Verdict
from hamnd.model.work import Look, Reading

READY_PREFIX = "StepReady/"
OPTIONAL = frozenset({"salvage", "shield"})
"""Steps without which a takeover works as well: what they lack is told, and counts for nothing."""

PARITY = ("ParityOs", "ParityXcat", "ParityDatabase")
"""Whose difference, once it is known, makes a takeover fail; what is not known does not count."""

Looks = tuple[tuple[str, tuple[Look, ...]], ...]
_Proofs = list[tuple[Reading, Instant]]

TOPICS_KEPT = 256
"""Every event asks for the same few names."""

_WORST_FIRST = (
    (Verdict.BLOCK, Status.FALSE, "WouldFail"),
    (Verdict.UNKNOWN, Status.UNKNOWN, "CannotTell"),
)


def topic_of(step_id: str, number: int) -> str:
    """Return the topic of a step's readiness look."""
    return f"ready:{step_id}:{number}"


@lru_cache(maxsize=TOPICS_KEPT)
def _topics(step_id: str, count: int) -> tuple[str, ...]:
    return tuple(topic_of(step_id, number) for number in range(count))


def proof_age_max_s(policy: Policy) -> float:
    """How old a proof may be: two intervals of the readiness rhythm, and a probe's time."""
    return 2 * policy.readiness_interval_s + policy.probe_timeout_s + 15.0


def judge_steps(watch: Watch, looks: Looks, now: Instant, policy: Policy) -> list[Condition]:
    """Return one condition StepReady/ID for each step that has something to prove."""
    age_max_s = proof_age_max_s(policy)
    judged = []
    for step_id, step_looks in looks:
        if step_looks:
            count = len(step_looks)
            known = [watch.ready.get(topic) for topic in _topics(step_id, count)]
            fresh = [one for one in known if one is not None and now.since(one[1]) <= age_max_s]
            judged.append(_step_ready(step_id, fresh, count, now))
    return judged


def _step_ready(step_id: str, fresh: _Proofs, count: int, now: Instant) -> Condition:
    verdicts = [reading.verdict for reading, _ in fresh]
    for wanted, status, reason in _WORST_FIRST:
        if wanted in verdicts:
            reading, at = fresh[verdicts.index(wanted)]
            return _lacking(step_id, (status, reason, reading.sentence), now, at.wall_s)
    oldest = min((at.wall_s for _, at in fresh), default=None)
    if len(fresh) < count:
        message = f"{len(fresh)} of {count} proofs are fresh"
        told = (Status.UNKNOWN, "NotProvenLately", message)
        return _lacking(step_id, told, now, oldest)
    type_, message = f"{READY_PREFIX}{step_id}", f"{count} of {count} proofs hold"
    return Condition(type_, Status.TRUE, "Proven", message, now.wall_s, oldest, "readiness")


def _lacking(
    step_id: str, told: tuple[Status, str, str], now: Instant, seen: float | None
) -> Condition:
    """Return what is not proven; a step that a takeover can do without would be left out."""
    status, reason, message = told
    if step_id in OPTIONAL:
        reason, message = LEFT_OUT, f"would be left out: {message}"
    type_ = f"{READY_PREFIX}{step_id}"
    return Condition(type_, status, reason, message, now.wall_s, seen, "readiness")


def is_proof(condition: Condition) -> bool:
    """Whether a takeover's readiness depends on it: a step's proof, optional ones apart."""
    return condition.type.startswith(READY_PREFIX) and condition.reason != LEFT_OUT


def judge_protected(state: State, reading: Replication | None, is_partner_out: bool) -> Status:
    """Peer protects; an active node is protected while a standby of its own is in Peer.

    Where no link of the database shows who follows (copies, one disk), an old primary that nobody
    took in again is no standby.
    """
    if state is State.PEER:
        return Status.TRUE
    if state is State.ACTIVE and reading is not None and reading.role == "primary":
        is_followed = reading.has_link or not is_partner_out
        return Status.TRUE if reading.is_protecting and is_followed else Status.FALSE
    return Status.UNKNOWN if reading is None else Status.FALSE


def judge_ready(state: State, mode: Mode, assessment: Assessment, terms: Terms) -> Status:
    """Return whether a takeover would work if it were confirmed now (TakeoverReady)."""
    if mode is not Mode.NORMAL or state in (State.ACTIVE, State.TAKING_OVER):
        return Status.FALSE
    steps = [one for one in assessment.conditions if is_proof(one)]
    wanted = [
        *steps,
        assessment.condition("DiskSpace"),
        assessment.condition("FilesIdentical"),
        assessment.condition("StandbyQuiet"),
        _fence_condition(assessment, terms),
    ]
    statuses = [one.status for one in wanted if one is not None]
    if any(one.type in PARITY and one.reason == DIFFERS for one in assessment.conditions):
        return Status.FALSE
    if any(status is Status.FALSE for status in statuses):
        return Status.FALSE
    verdict = assessment.promotion.verdict
    in_peer = assessment.condition("ReplicationPeer")
    is_standby_up = in_peer is not None and in_peer.status is Status.TRUE
    if verdict is Verdict.BLOCK:
        return Status.FALSE
    if not steps or any(status is Status.UNKNOWN for status in statuses):
        return Status.UNKNOWN
    return Status.TRUE if verdict is Verdict.PASS or is_standby_up else Status.UNKNOWN


def _fence_condition(assessment: Assessment, terms: Terms) -> Condition | None:
    """A configured device must answer, unless proof is there; other sites rely on the operator."""
    if terms.site.fence.agent is None or is_enough(assessment.evidence, terms):
        return None
    return assessment.condition("FenceReady")
