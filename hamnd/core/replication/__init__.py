"""What every replication engine tells the core, in one normal form (design §6).

Owns the `Engine` protocol and the values that pass through it. An engine is one module of this
package; it reads through its dialect, judges, and contributes steps. It must not order a plan
(plans), nor know another engine. How one is added: README, "Adding a replication engine".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from hamnd.core.policy import Terms
from hamnd.model.health import Replication
from hamnd.model.instant import Instant
from hamnd.model.names import FenceGrade, Verdict
from hamnd.model.plan import Loss, Step
from hamnd.model.work import Look, Report


@dataclass(frozen=True, slots=True)
class Sample:
    """The last reading in the engine's best state; durable, it decides the verdict (design §4)."""

    wall_s: float
    """When it was read, on this node's clock."""
    sync_mode: str | None
    state: str | None
    received: int | None
    """The farthest that was received then and since."""
    replayed: int | None
    primary: int | None
    peer_window_end: int | None
    started_at: float | None
    """When this node's database was activated; a later start voids every proof."""
    skew_s: float | None
    skew_uncertainty_s: float | None
    bad_flags: tuple[str, ...] = ()
    hold_s: float | None = None
    """So long after it the primary's server surely went on waiting for this standby."""


@dataclass(frozen=True, slots=True)
class Skew:
    """The primary's clock minus ours in seconds, and how far that can be off."""

    seconds: float
    uncertainty_s: float
    at: Instant


@dataclass(frozen=True, slots=True)
class PartnerDatabase:
    """What the partner's own tools say about its database, read over ssh."""

    is_good: bool | None = None
    """True: active and primary; False: a definite failure; None: not known."""
    role: str | None = None
    position: int | None = None
    """End of the partner's own log in bytes, where its database told."""
    at: Instant | None = None
    failing_since: Instant | None = None
    detail: str = ""
    timeline: int | None = None
    needs_xcatd: bool = False
    """Nobody but xcatd opens it: the primary's or not, it serves nobody while that is held off."""


@dataclass(frozen=True, slots=True)
class Death:
    """What is known about the end of the primary; wall seconds on this node's clock."""

    no_later_than: float | None
    """First device-proved off reading or a dated act."""
    grade: FenceGrade
    silent_since: float | None
    """When everything fell silent: not a proof of death, but of when it last spoke."""
    is_watched: bool = True
    """Whether this process has watched all the time since that proof: it was off ever since."""


@dataclass(frozen=True, slots=True)
class LossQuestion:
    """Everything a loss verdict is made of."""

    view: Replication | None
    sample: Sample | None
    frozen_window_end: int | None
    death: Death
    skew: Skew | None
    is_partner_serving: bool
    """The primary's database answers: a graceful takeover would ship the rest."""
    now_wall_s: float
    is_owner: bool = False
    """This node is the management node: what its database holds is the cluster's own."""
    is_partner_standby: bool = False
    """The partner says itself that it is the standby of this pair and serves nothing."""
    has_handed_over: bool = False
    """Step `quiesce` of a takeover ended the primary's writes, and all that it had is here."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """How this node's database can become primary now, or why not."""

    variant: str
    """graceful | peer-window-only | force-after-proof | accepted-force | start-as-primary |
    start-with-standby | activate | none.

    The last four are of a database that is primary already: it is down since a reboot and alone;
    down beside its standby; without replication since the takeover, up, down or closed to writes;
    up.
    """
    verdict: Verdict
    sentence: str
    clear: str = ""
    deadline_wall_s: float | None = None
    """Past it the variant is no longer accepted by the database."""
    waits_for: str = ""
    """Standbys that the promoted database would wait for although they are not there."""


class Way(StrEnum):
    """How a returned old primary becomes a standby again."""

    REINTEGRATE = "reintegrate"
    """Its own data stays: what diverged is taken back, the rest follows."""
    RESEED = "reseed"
    """It gets a new copy of everything."""


@dataclass(frozen=True, slots=True)
class Takeover:
    """Unplanned (guide §8): this node's database becomes primary, the partner's is gone."""

    promotion: Promotion
    is_heard: bool = False
    """The primary's database answers over ssh and sends its log here: it can still hand over."""


@dataclass(frozen=True, slots=True)
class Setup:
    """From two servers of their own to a pair (guide §5): primary and standby as configured.

    The primary's database serves and is not touched beyond what replication needs; whatever the
    standby has under the same name gives way, but is kept (step `preserve`).
    """


@dataclass(frozen=True, slots=True)
class Rejoin:
    """This node serves; the partner, returned and held off, becomes its standby (guide §9)."""

    way: Way
    kept_as: str
    """Names what is preserved, the same whenever it is planned: a position, a timeline, a GTID,
    never a clock's value. Letters, digits, dots, dashes and underscores."""
    diverged: str = ""
    """What only the old primary has, as a range in the engine's own words; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Switchover:
    """Planned (guide §5.1.9, §7): the partner hands over in order, and follows from then on."""


Task = Takeover | Setup | Rejoin | Switchover
"""What a plan wants of an engine, with all that its steps are made from besides the terms."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What the returned old primary is examined by."""

    ours: int | None
    """Where our own log stood when it was last a standby's, in bytes; None where the engine does
    not tell what was received: then positions prove nothing."""
    partner: PartnerDatabase
    view: Replication | None
    reports: Mapping[str, Report] = field(default_factory=lambda: MappingProxyType({}))
    """What `return_looks` brought home, by topic; each newer than the takeover."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the old primary's own data told once it had returned."""

    actual: str | None = None
    """The actual loss in words, entered in the report; None: not known yet."""
    rejoin: Rejoin | None = None
    """What makes it a standby again; None: that cannot be planned on what is known."""
    sentence: str = ""
    """Why it cannot, or what speaks for the way that was chosen."""


class Engine(Protocol):
    """One replication engine."""

    @property
    def name(self) -> str:
        """Name in the configuration and in JSON."""
        ...

    def looks(self, terms: Terms) -> Mapping[str, Look]:
        """Return what to read of this node's database in the replication rhythm, by topic."""
        ...

    def partner_looks(self, terms: Terms) -> Mapping[str, Look]:
        """Return what to ask the partner's own tools over ssh: the topic `partner_db`."""
        ...

    def view(
        self, terms: Terms, reports: Mapping[str, Report], remembered: Replication | None = None
    ) -> Replication:
        """Return the normal form of the latest readings; its source is the topic that told it.

        `reports` also has the latest of `partner_looks` that ended with 0, however old it is;
        `remembered` is what the readings before told of positions, for an engine whose database
        does not say itself when it last heard from its primary.
        """
        ...

    def partner(self, terms: Terms, report: Report, before: PartnerDatabase) -> PartnerDatabase:
        """Read what the partner's database says of itself."""
        ...

    def loss(self, terms: Terms, question: LossQuestion) -> Loss:
        """Return what a takeover now would lose, with its basis."""
        ...

    def promotion(self, terms: Terms, question: LossQuestion, loss: Loss) -> Promotion:
        """Return the way to promote now."""
        ...

    def steps(self, terms: Terms, task: Task) -> tuple[Step, ...]:
        """Return the engine's steps of a plan, in an order in which they can be run.

        Pure: the same terms and task give the same steps, and no action has a clock value, random
        or secret in it. Plans put other steps around them by these ids, which every engine uses:

        - Takeover: `promote`, after `fuse`; irreversible, its readiness can be looked at any day.
          While the primary `is_heard`, `quiesce` as in a switchover, where that saves what would be
          lost; optional, for a takeover cannot depend on a machine that is being taken over from.
        - Setup: any, the last is `replicate`.
        - Rejoin: `hold` (the old primary's database does not serve, whoever starts the machine),
          `preserve` after it (what is there is kept under `kept_as`; gate `preserve_diverged`,
          whose override drops this step: it does nothing else; an engine on which nothing can
          diverge has none), any, the last is `replicate`.
        - Switchover: `quiesce` (the old primary takes no writes any more and has handed over all;
          its compensation lets it write again), `promote`, any, the last is `replicate`.

        `replicate` is done when the standby is in the engine's best state, read on both nodes.

        Raises:
            PermanentError: the engine has no steps for this task; the message says what to do.
        """
        ...

    def return_looks(self, terms: Terms, view: Replication | None) -> Mapping[str, Look]:
        """Return what to read of the returned old primary, by topic: it is never started for it.

        Asked while this node is active and the actual loss is pending; `view` is our own database,
        which knows where it went on alone. Each topic begins with `returned`.
        """
        ...

    def examine(self, terms: Terms, exam: Examination) -> Finding:
        """Tell the actual loss, and how the old primary becomes a standby again.

        The actual loss is never less than what was acknowledged there and is missing here.
        """
        ...
