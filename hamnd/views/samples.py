"""The status document as numbers: every metric that hamnd exports, with name, help and labels.

Owns the names and meanings of design §8's metrics. Must not know Prometheus' text format nor any
library for it. Everything comes from the one status document, so that text, JSON and metrics agree;
only what a document of one moment cannot hold (totals, the loop's own measures) is added beside it.

A fact with several values is one-hot: one series per value, 1 for the present one, and unknown is a
value. A number that is not known is left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from hamnd.model.names import (
    FenceGrade,
    LossVerdict,
    Mode,
    PlanKind,
    RunStatus,
    State,
    Status,
)
from hamnd.views.facts import STEP_READY, step_of
from hamnd.views.gaps import Gaps

if TYPE_CHECKING:
    from hamnd.core.state import NodeState

PREFIX = "hamnd_"
ROLES = ("primary", "standby", "standard", "unknown")
SIGHTS = ("reached", "silent", "unknown")
NONE = "none"


class MetricType(StrEnum):
    """How a metric behaves over time."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One series at one moment; `name` without a counter's `_total` is the family of its help.

    The value of a histogram is the sum of what was counted, `buckets` how many up to each bound.
    """

    name: str
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    type: MetricType = MetricType.GAUGE
    buckets: Sequence[tuple[str, float]] = ()


@dataclass(frozen=True, slots=True)
class Measures:
    """What only the running loop can tell, in seconds."""

    version: str
    probe_durations_s: Mapping[str, float] = field(default_factory=dict)
    round_age_s: float | None = None
    answer_gaps: Mapping[str, Gaps] = field(default_factory=dict)


def samples(
    document: Mapping[str, Any], state: NodeState, measures: Measures
) -> tuple[Metric, ...]:
    """Return every metric of one moment; series of one name stand together."""
    return (
        *_node(document),
        *_times(document),
        *_conditions(document),
        *_files(document),
        *_run(document),
        *_loss(document),
        *_replication(document),
        *_evidence(document),
        *_totals(state),
        *_measures(measures),
    )


def _gauge(name: str, help_: str, value: float, **labels: str) -> Metric:
    return Metric(PREFIX + name, help_, float(value), labels)


def _known(name: str, help_: str, value: float | None, **labels: str) -> Iterator[Metric]:
    if value is not None:
        yield _gauge(name, help_, value, **labels)


def _one_hot(
    name: str, help_: str, label: str, values: Iterable[str], present: str
) -> Iterator[Metric]:
    for value in values:
        yield _gauge(name, help_, value == present, **{label: value})


def _words(words: type[StrEnum]) -> tuple[str, ...]:
    return tuple(word.value for word in words)


def _node(document: Mapping[str, Any]) -> Iterator[Metric]:
    yield from _one_hot(
        "state", "What this node is (one-hot).", "state", _words(State), document["state"]
    )
    yield from _one_hot(
        "mode", "Whether hamnd may start actions (one-hot).", "mode", _words(Mode), document["mode"]
    )
    yield from _one_hot(
        "protected",
        "Whether a death of the primary would lose only what the loss verdict says (one-hot).",
        "status",
        _words(Status),
        document["protected_status"],
    )
    yield from _one_hot(
        "takeover_ready",
        "Whether a takeover would work now (one-hot; False in mode observe_only).",
        "status",
        _words(Status),
        _ready_status(document),
    )
    yield from _known("epoch", "Newest known epoch of who may serve.", document["epoch"])
    yield from _one_hot(
        "role_observed",
        "Role of this node's database (one-hot).",
        "role",
        ROLES,
        _role(document),
    )
    yield from _one_hot(
        "role_expected",
        "Role that the state of this node asks of its database (one-hot).",
        "role",
        ROLES,
        _expected_role(document["state"]),
    )
    old = _old_primary(document)
    yield from _one_hot(
        "old_primary",
        "What an active node sees of the old primary (one-hot; none: this node is not active).",
        "what",
        (NONE, "unknown", "silent", "seen", "serving"),
        old,
    )


def _ready_status(document: Mapping[str, Any]) -> str:
    """The document's `ready` is a yes or no for scripts; the mode alone can make it a no."""
    status = str(document["readiness"]["status"])
    is_denied = status == Status.TRUE.value and not document["ready"]
    return Status.FALSE.value if is_denied else status


def _role(document: Mapping[str, Any]) -> str:
    replication = document["replication"]
    role = None if replication is None else replication["role"]
    return role if role in ROLES else "unknown"


def _expected_role(state: str) -> str:
    match State(state):
        case State.ACTIVE:
            return "primary"
        case State.TAKING_OVER:
            return "unknown"
        case State.PEER | State.DEGRADED | State.PRIMARY_DOWN:
            return "standby"


def _old_primary(document: Mapping[str, Any]) -> str:
    if document["state"] != State.ACTIVE.value:
        return NONE
    old = document["old_primary"]
    if old is None:
        return "unknown"
    if old["serving"]:
        return "serving"
    return "seen" if old["seen"] else "silent"


def _times(document: Mapping[str, Any]) -> Iterator[Metric]:
    now = document["generated_at"]
    is_down = document["state"] == State.PRIMARY_DOWN.value
    yield _gauge(
        "unconfirmed_seconds",
        "How long the primary has been down without a confirmed takeover; 0 otherwise.",
        max(0, now - document["since"]) if is_down else 0,
    )
    since = document["unprotected_since"]
    yield _gauge(
        "unprotected_seconds",
        "How long nothing has protected the cluster's data; 0 while protected.",
        0 if since is None else max(0, now - since),
    )
    skew = document["clock_skew"]
    if skew is not None:
        yield _gauge(
            "clock_skew_seconds", "The primary's clock minus this node's.", skew["seconds"]
        )
    yield from _known(
        "confirm_seconds_p95",
        "How long people took from PrimaryDown to a confirmed takeover, 95th percentile.",
        document["people"]["confirm_p95_s"],
    )
    hold = document["hold"] or {"since": 0, "until": 0}
    yield _gauge(
        "hold_begin_timestamp_seconds",
        "When the hold that silences paging began; 0 without one.",
        hold["since"],
    )
    yield _gauge(
        "hold_expires_timestamp_seconds",
        "When the hold that silences paging ends; 0 without one.",
        hold["until"],
    )
    yield from _known(
        "watched_since_timestamp_seconds",
        "When this node's journal began.",
        document["watched_since"],
    )
    yield from _known(
        "standby_since_timestamp_seconds",
        "Since when this node has been a standby; absent while it is none.",
        document["standby_since"],
    )
    yield from _known(
        "last_rehearsal_timestamp_seconds",
        "When the latest rehearsal ended well; absent before the first.",
        document["last_rehearsal_at"],
    )
    yield from _known(
        "last_drill_timestamp_seconds",
        "When the latest drill ended well; absent before the first.",
        document["last_drill_at"],
    )


def _conditions(document: Mapping[str, Any]) -> Iterator[Metric]:
    conditions = document["conditions"]
    for condition in conditions:
        for status in _words(Status):
            yield _gauge(
                "condition",
                "Status of each condition (one-hot over status).",
                status == condition["status"],
                type=condition["type"],
                status=status,
            )
    steps = [one for one in conditions if one["type"].startswith(STEP_READY)]
    for step in steps:
        yield _gauge(
            "step_ready",
            "1 when the step is proven to work; 0 when it is not, or not known (see condition).",
            step["status"] == Status.TRUE.value,
            step=step_of(step["type"]),
        )
    for step in steps:
        observed = step["observed_at"]
        yield from _known(
            "step_proof_age_seconds",
            "Age of the latest look at whether the step would work.",
            None if observed is None else max(0, document["generated_at"] - observed),
            step=step_of(step["type"]),
        )


def _files(document: Mapping[str, Any]) -> Iterator[Metric]:
    sets, now = document["files"], document["generated_at"]
    for one in sets:
        fresh = one["fresh_as_of"]
        yield from _known(
            "sync_age_seconds",
            "Age of the latest complete, verified copy of each file set; absent before the first.",
            None if fresh is None else max(0, now - fresh),
            set=one["set"],
        )
    for one in sets:
        yield from _known(
            "sync_age_limit_seconds",
            "Age from which a file set counts as stale.",
            one["stale_after_s"],
            set=one["set"],
        )
    for one in sets:
        yield from _known(
            "sync_duration_seconds",
            "How long the latest pull of each file set took.",
            (one["last_run"] or {}).get("duration_s"),
            set=one["set"],
        )


def _run(document: Mapping[str, Any]) -> Iterator[Metric]:
    run = document["run"]
    present = (NONE, NONE) if run is None else (run["kind"], run["status"])
    pairs = [(kind, status) for kind in _words(PlanKind) for status in _words(RunStatus)]
    for kind, status in [(NONE, NONE), *pairs]:
        yield _gauge(
            "run",
            "The plan being carried out (one-hot; none: no run).",
            (kind, status) == present,
            kind=kind,
            status=status,
        )
    if run is None:
        return
    begun = [
        step["started_at"]
        for step in run["steps"]
        if step["outcome"] == "running" and step["started_at"] is not None
    ]
    yield _gauge(
        "run_step_age_seconds",
        "How long the longest running step has been running; 0 between steps.",
        max(0, document["generated_at"] - min(begun)) if begun else 0,
    )


def _loss(document: Mapping[str, Any]) -> Iterator[Metric]:
    loss = document["data_loss"]
    yield from _one_hot(
        "loss_verdict",
        "What a takeover would lose (one-hot).",
        "verdict",
        _words(LossVerdict),
        loss["verdict"],
    )
    yield from _known("loss_bytes_bound", "Enforced bound of the loss in bytes.", loss["bytes"])
    yield from _known(
        "loss_seconds_bound", "Enforced bound of the loss in seconds.", loss["seconds"]
    )
    yield from _known(
        "peer_window_remaining_seconds",
        "What is left of the peer window, or would be if the primary died now.",
        loss["peer_window_remaining_s"],
    )


def _replication(document: Mapping[str, Any]) -> Iterator[Metric]:
    replication = document["replication"]
    if replication is None:
        return
    yield from _known(
        "peer_window_seconds", "Length of the peer window.", replication["peer_window_s"]
    )
    yield from _known(
        "log_gap_bytes",
        "Log that this node has not received, computed from positions.",
        replication["gap_bytes"],
    )
    yield from _known(
        "log_gap_average_bytes",
        "The database's own running average of the log gap; it lags behind log_gap_bytes.",
        replication["gap_average_bytes"],
    )
    yield from _known(
        "replay_gap_bytes",
        "Log received and not yet replayed, computed from positions.",
        replication["replay_gap_bytes"],
    )
    verified_at = replication["verified_at"]
    if replication["fresh_s"] is not None and verified_at is not None:
        yield _gauge(
            "copy_age_seconds",
            "Age of what the newest verified copy of the database is proven to hold.",
            max(0, document["generated_at"] - verified_at),
        )
    for which, position in replication["positions"].items():
        yield from _known(
            "log_position_bytes", "Positions in the log stream.", position, which=which
        )


def _evidence(document: Mapping[str, Any]) -> Iterator[Metric]:
    for witness in document["witnesses"]:
        for answer in SIGHTS:
            yield _gauge(
                "witness_sees",
                "What each witness sees of the primary (one-hot over answer).",
                witness["sees"] == answer,
                witness=witness["name"],
                answer=answer,
            )
    held = {piece["grade"] for piece in document["fence"]["evidence"]}
    for grade in _words(FenceGrade):
        yield _gauge(
            "fence_evidence",
            "Evidence held now that the old primary is off (none: there is none).",
            grade in held or (grade == FenceGrade.NONE.value and not held),
            kind=grade,
        )


def _totals(state: NodeState) -> Iterator[Metric]:
    """Counters begin at 0: the first takeover of a site is an increase too."""
    ends = (RunStatus.DONE.value, RunStatus.ABORTED.value, RunStatus.CONCLUDED.value)
    none = dict.fromkeys((f"{kind} {end}" for kind in _words(PlanKind) for end in ends), 0)
    for key, count in sorted({**none, **state.ended}.items()):
        kind, outcome = key.split(" ")
        yield Metric(
            PREFIX + "takeovers_total",
            "Runs that ended, since this node's journal began.",
            float(count),
            {"kind": kind, "outcome": outcome},
            MetricType.COUNTER,
        )


def _measures(measures: Measures) -> Iterator[Metric]:
    for probe, seconds in sorted(measures.probe_durations_s.items()):
        yield _gauge(
            "probe_duration_seconds",
            "How long each probe of the latest reach round took, answered or not.",
            seconds,
            probe=probe,
        )
    yield from _known(
        "probe_gap_seconds",
        "Time since the latest reach round came home, or since hamnd started.",
        measures.round_age_s,
    )
    for probe, gaps in measures.answer_gaps.items():
        yield Metric(
            PREFIX + "probe_answer_gap_seconds",
            "From one answer of the primary to the next, for each probe (histogram).",
            gaps.sum_s,
            {"probe": probe},
            MetricType.HISTOGRAM,
            gaps.cumulative,
        )
    yield _gauge("build_info", "Which hamnd this is; always 1.", 1, version=measures.version)
