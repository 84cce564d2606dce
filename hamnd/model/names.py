"""The closed vocabularies of hamnd: states, answers, verdicts, outcomes.

Owns the words that appear in logs, the journal, JSON and metrics, so renaming one is a change
notice. Must not know how any of them is decided.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NoReturn


class ManyValued(StrEnum):
    """A word with more than two meanings: testing its truth would hide one (design law 2)."""

    def __bool__(self) -> NoReturn:
        """Refuse: ``if answer`` cannot tell "no" from "unknown"."""
        raise TypeError(f"{type(self).__name__} has several values; compare it with `is`")


class State(StrEnum):
    """What this node is (design §3)."""

    PEER = "Peer"
    DEGRADED = "Degraded"
    PRIMARY_DOWN = "PrimaryDown"
    TAKING_OVER = "TakingOver"
    ACTIVE = "Active"


class Cause(StrEnum):
    """Why the primary cannot act as management node (design §3)."""

    HOST = "host"
    FROZEN = "frozen"
    SERVICE = "service"


class Mode(StrEnum):
    """Whether hamnd may start actions at all."""

    NORMAL = "normal"
    OBSERVE_ONLY = "observe_only"


class PlanKind(StrEnum):
    """The plans the engine can run (design §5)."""

    TAKEOVER = "takeover"
    SETUP = "setup"
    """From two hosts to a pair: this node becomes the standby of a primary that serves."""
    SWITCHOVER = "switchover"
    """Planned: the primary hands over in order and follows from then on."""
    REJOIN = "rejoin"
    """The returned old primary becomes this node's standby."""
    FAILBACK = "failback"
    """The old primary rejoins where it has to, and is the management node again."""
    DRILL = "drill"
    """A switchover to this node and back, timed."""
    RESUME = "resume"
    """The management node was rebooted: what it served comes up again."""
    UNDO = "undo"


class RunStatus(StrEnum):
    """Where a confirmed plan stands."""

    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    ABORTED = "aborted"
    CONCLUDED = "concluded"


class Outcome(ManyValued):
    """What became of a step or an action."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    NOT_DONE = "not_done"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


class Verdict(ManyValued):
    """A judgement that may be impossible: UNKNOWN blocks and is never evidence."""

    PASS = "pass"
    BLOCK = "block"
    UNKNOWN = "unknown"
    OVERRIDDEN = "overridden"


class Answer(ManyValued):
    """What a probe heard (design law 2)."""

    ANSWERED = "answered"
    REFUSED = "refused"
    SILENT = "silent"
    UNKNOWN = "unknown"


class Status(ManyValued):
    """Status of a condition, spelled as in Kubernetes."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class LossVerdict(ManyValued):
    """What a takeover would lose (design §4)."""

    ZERO_PROVEN = "zero_proven"
    ZERO_LIKELY = "zero_likely"
    BOUNDED = "bounded"
    UNKNOWN = "unknown"


ENTIRE_DATABASE = "entire-database"
"""Class of a loss that can be everything: two machines may write one disk (design §12)."""
LOSS_CLASSES = (*(verdict.value for verdict in LossVerdict), ENTIRE_DATABASE)
"""What `--accept-loss` takes: the verdicts, and the one that no verdict is bad enough for."""


class FenceGrade(StrEnum):
    """How well it is proven that the old primary is off; see `GRADE_ORDER` (design §4)."""

    NONE = "none"
    OPERATOR = "operator"
    WITNESSES = "witnesses"
    ORDERLY = "orderly"
    AGENT_OFF = "agent_off"
    POWER_OFF = "power_off"
    RELEASED = "released"


GRADE_ORDER: dict[FenceGrade, int] = {
    FenceGrade.NONE: 0,
    FenceGrade.OPERATOR: 1,
    FenceGrade.WITNESSES: 2,
    FenceGrade.ORDERLY: 3,
    FenceGrade.AGENT_OFF: 4,
    FenceGrade.POWER_OFF: 5,
}
"""Rank of each grade in an unplanned takeover; RELEASED belongs to planned plans only."""


class Probe(StrEnum):
    """The ways this node asks whether the primary lives, and proves its own path."""

    PING = "ping"
    TCP = "tcp"
    SSH_BANNER = "ssh_banner"
    XCATD = "xcatd"
    GATEWAY = "gateway"


class Phase(StrEnum):
    """Kind of a journal record (design §12)."""

    INTENT = "intent"
    RESULT = "result"
    LOOK = "look"
    DECISION = "decision"
    OVERRIDE = "override"


class Rhythm(StrEnum):
    """The tick sources (design §3: two rhythms, and the slow one of readiness)."""

    REACH = "reach"
    REPLICATION = "replication"
    READINESS = "readiness"


class LookPurpose(StrEnum):
    """Why the run looks at the world within a step."""

    ALREADY = "already"
    """Do the postconditions hold before anything was done?"""
    BEFORE = "before"
    """Do the preconditions hold right before the first action?"""
    AFTER = "after"
    """Do the postconditions hold after the actions?"""
