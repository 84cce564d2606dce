"""What must hold at every event, judged from the truth of the site and from what is on disk.

Owns the safety laws of the simulation. Must not use the core's own judgement (invariants, gates,
evidence): it knows what the core cannot, the truth. What the operator overrode by name, and a
controller that lied, are excuses that are counted, never silent; each ends when its cause is gone,
at the latest when the primary has truly lost its power and everything is to be proven anew.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from hamnd.core.commands import LookAtStep, PerformAction
from hamnd.core.events import ConfirmRequested, Event, RetryRequested
from hamnd.core.health.watch import Act
from hamnd.core.policy import Terms
from hamnd.core.progress import Run
from hamnd.core.state import Decision, NodeState
from hamnd.demo.db2_node import HostPower
from hamnd.dialects import readers
from hamnd.model.names import (
    GRADE_ORDER,
    Cause,
    FenceGrade,
    LookPurpose,
    LossVerdict,
    Outcome,
    Phase,
    PlanKind,
    RunStatus,
    State,
    Verdict,
)
from hamnd.model.plan import Plan
from hamnd.model.work import Looked, Report
from tests.sim.ground import PRIMARY, STANDBY, Ground

SEEN_GRACE_S = 3.0
"""How long the primary may have been back before a look of ours must have told."""
WITNESS_GRACE_S = 5.0
"""The same through witnesses: one look that was under way, and the next one."""
BOOT_GRACE_S = 15.0
"""How long a machine that somebody switched on may go unnoticed."""
DANGEROUS = ("fence", "primary-down", "isolation", "fence-truth")
"""Gates whose override is the operator's own risk of two primaries."""

Key = tuple[str, str]


class LawBrokenError(AssertionError):
    """Something happened that must never happen."""


@dataclass(slots=True)
class Deed:
    """What is known of one action: open, known, unknown, looked at, or asked for again."""

    state: str = "known"
    can_look: bool = True
    """The step has postconditions; without any only the operator can say "again"."""


@dataclass(slots=True)
class Counts:
    """What was explored."""

    checks: int = 0
    actions: int = 0
    unknown_actions: int = 0
    confirmations: int = 0
    refusals: int = 0
    excuses: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    """Rows of the transition table that fired."""
    verdicts: Counter[str] = field(default_factory=Counter)
    """Loss verdicts of confirmed takeovers."""
    variants: Counter[str] = field(default_factory=Counter)
    examined: Counter[str] = field(default_factory=Counter)
    """Actual losses that were compared with the truth."""


class Laws:
    """Watches one simulated site."""

    def __init__(self, ground: Ground, terms: Terms, clock: Callable[[], float]) -> None:
        self.ground = ground
        self.terms = terms
        self.clock = clock
        self.counts = Counts()
        self._risks: set[str] = set()
        """What somebody dared since the primary last had no power."""
        self.plans: dict[str, Plan] = {}
        """Confirmed plans by digest."""
        self._intents: Counter[Key] = Counter()
        self._starts: Counter[Key] = Counter()
        self._deeds: dict[str, Deed] = {}
        self._awaited: Counter[tuple[str, str, int]] = Counter()
        self._held_identity = False
        self._is_fence_proven = False
        self._served_since: float | None = None
        self._served_here_since: float | None = None
        self.is_every_report_heard = True
        """No answer of a witness gets lost on its way to hamnd."""

    def require(self, is_true: bool, law: str, detail: str) -> None:
        """Break the run unless it is so."""
        if not is_true:
            raise LawBrokenError(f"{law}: {detail}")

    def excuse(self, why: str) -> None:
        """Note that somebody else takes the risk of a primary that lives."""
        self._risks.add(why)
        self.counts.excuses.setdefault(why, 1)

    # At every event.

    def check(self) -> None:
        """Judge the truth as it is now."""
        ground, now = self.ground, self.clock()
        self.counts.checks += 1
        if ground.power(PRIMARY) is HostPower.OFF:
            self._risks.clear()
        writable = ground.pair.writable_nodes()
        if len(writable) > 1:
            self.require(self._may_split(), "split-brain", f"{writable} accept writes")
        if ground.holds[STANDBY] and not self._held_identity:
            self._identity_moved(now)
        self._held_identity = ground.holds[STANDBY]
        serves = ground.is_serving()
        here = serves and ground.is_seen_here()
        anywhere = here or (serves and ground.is_seen_by_witness())
        self._served_here_since = (self._served_here_since or now) if here else None
        self._served_since = (self._served_since or now) if anywhere else None

    def _may_split(self) -> bool:
        if self.ground.is_by_hand:
            self.excuse("somebody promoted by hand")
        if self.ground.has_lied:
            self.excuse("the controller lied")
        if self._is_weak():
            self.excuse("the site accepts weak evidence")
        return bool(self._risks)

    def _is_weak(self) -> bool:
        """A site that takes silence or a word for proof: the primary may live behind a cut."""
        order = GRADE_ORDER[self.terms.policy.fence_minimum]
        return order < GRADE_ORDER[FenceGrade.ORDERLY]

    def _identity_moved(self, now: float) -> None:
        """Law 3: the old primary cannot hold the address any more."""
        ground = self.ground
        if ground.power(PRIMARY) is HostPower.OFF:
            return
        booted = ground.booted_at
        if booted is not None and now - booted <= BOOT_GRACE_S:
            self.excuse("switched on a moment ago")
        self.require(
            self._may_split(), "law 3", f"identity moved, primary is {ground.power(PRIMARY)}"
        )

    # What the daemon does.

    def decided(self, before: NodeState, event: Event, decision: Decision) -> None:
        """Judge one decision that was adopted."""
        after = decision.state
        self.counts.rows.update(decision.rows)
        if decision.refusal is not None:
            self.counts.refusals += 1
        if isinstance(event, ConfirmRequested | RetryRequested) and decision.refusal is None:
            for deed in self._deeds.values():
                if deed.state == "unknown" and not deed.can_look:
                    deed.state = "asked"
        if after.run is not None:
            self._dares(after.run)
        if after.state is State.PRIMARY_DOWN and before.state is not State.PRIMARY_DOWN:
            self._primary_down(after)
        if after.state is State.ACTIVE and before.state is not State.ACTIVE:
            self._became_active(before, after)
        if after.state is State.TAKING_OVER:
            self.require(after.run is not None, "law 1", "TakingOver without a run")
        self._is_moving(decision)
        self._device_says_on(after)
        for record in decision.records:
            if record.what == "loss_examined":
                self._examined(json.loads(record.evidence)["actual"])

    def _dares(self, run: Run) -> None:
        """Note what the operator took upon himself with the plan that is open."""
        fence = run.steps.get("fence")
        if fence is not None and fence.outcome is Outcome.SKIPPED:
            self.excuse("step fence was skipped")
        for override in run.plan.request.overrides:
            if override.gate in DANGEROUS:
                self.excuse(f"gate {override.gate} was overridden")

    def _device_says_on(self, after: NodeState) -> None:
        """No act proves the primary off that the power controller said after it is on."""
        known = [one for one in after.watch.fence if one.is_off is not None]
        if not known or known[-1].is_off:
            return
        acts = [one for one in after.assessment.evidence if isinstance(one, Act)]
        proofs = [act.grade.value for act in acts if act.moment <= known[-1].at]
        self.require(not proofs, "law 3", f"the device says on, and {proofs} still count")

    def _confirmed(self, after: NodeState) -> None:
        self.counts.confirmations += 1
        run = after.run
        if run is None:  # a plan `undo` without anything to undo is done at once
            return
        plan = run.plan
        self.plans[plan.digest] = plan
        if plan.kind is PlanKind.TAKEOVER:
            self.counts.verdicts[plan.loss.verdict.value] += 1
            self.counts.variants[plan.variant] += 1
        self._dares(run)

    def _primary_down(self, after: NodeState) -> None:
        """The primary is never called down while it served and could be seen to serve."""
        now = self.clock()
        here, anywhere = self._served_here_since, self._served_since
        told = f"{after.cause}: {after.because}"
        seconds = now - here if here is not None else 0.0
        self.require(seconds <= SEEN_GRACE_S, "law 2", f"down, but served {seconds:.1f} s: {told}")
        seconds = now - anywhere if anywhere is not None else 0.0
        limit = WITNESS_GRACE_S + self.terms.policy.replication_interval_s
        if after.cause is Cause.SERVICE or not self.is_every_report_heard:
            return
        self.require(
            seconds <= limit, "law 2", f"down, but a witness saw it {seconds:.1f} s: {told}"
        )

    def _became_active(self, before: NodeState, after: NodeState) -> None:
        """Active says that this node serves: it had better be so."""
        if before.state is not State.TAKING_OVER or not after.finished:
            return
        last = after.finished[-1]
        if last.status != RunStatus.DONE.value or last.open_steps:
            return
        ground = self.ground
        self.require(ground.holds[STANDBY], "truth", "Active without the service address")
        self.require(ground.has_database(STANDBY), "truth", "Active, the database takes no writes")
        running = ground.services.states["xcatd"]
        self.require(running == "active", "truth", f"Active, xcatd is {running}")

    def _examined(self, actual: str) -> None:
        """The actual loss that is entered in the report is what was really lost."""
        if self._may_split():
            return  # the old primary may go on writing after anybody looked at it
        loss = self.ground.pair.loss(PRIMARY, STANDBY)
        told = f"the report says {actual!r}, lost {loss.rows} rows, {loss.bytes} B"
        if actual.startswith("zero"):
            self.counts.examined["zero"] += 1
            self.require(loss.rows == 0, "law 4", told)
            return
        self.counts.examined["lost"] += 1
        size = int(actual.partition(" B")[0])
        self.require(size > 0 and loss.bytes <= size, "law 4", told)

    def _is_moving(self, decision: Decision) -> None:
        """A running step waits for something that will come home in this life."""
        run = decision.state.run
        if run is None or run.status is not RunStatus.RUNNING:
            return
        coming = Counter(
            (one.digest, one.step, one.attempt)
            for one in decision.commands
            if isinstance(one, LookAtStep | PerformAction)
        )
        running = [key for key, one in run.steps.items() if one.outcome is Outcome.RUNNING]
        self.require(bool(running), "liveness", "a running run in which no step runs")
        for key in running:
            awaited = (run.plan.digest, key, run.steps[key].attempt)
            moves = self._awaited[awaited] + coming[awaited] > 0
            self.require(moves, "liveness", f"step {key} waits for nothing")

    def persisted(self, event: Event, decision: Decision) -> None:
        """Note the plans and intents that are on disk now, whether this life sees more or not."""
        if isinstance(event, ConfirmRequested) and decision.refusal is None:
            self._confirmed(decision.state)
        for record in decision.records:
            if record.phase is Phase.INTENT:
                self._intents[record.digest, record.step] += 1
            is_done = record.step == "fence" and record.outcome == "done"
            self._is_fence_proven = self._is_fence_proven or (
                is_done and record.what == "step_finished"
            )

    def awaits(self, command: LookAtStep) -> None:
        """Note a look that a step waits for."""
        self._awaited[command.digest, command.step, command.attempt] += 1

    def acts(self, command: PerformAction) -> None:
        """Judge an action that is about to start."""
        self.counts.actions += 1
        key = (command.digest, command.step)
        plan = self.plans.get(command.digest)
        self.require(plan is not None, "law 1", f"{command.step} without a confirmed plan")
        assert plan is not None
        step = plan.step(command.step)
        planned = step.actions[command.index]
        self.require(planned == command.action, "law 6", f"{command.step} is not as confirmed")
        self._starts[key] += 1
        has_intent = self._intents[key] >= self._starts[key]
        self.require(has_intent, "law 5", f"{command.step} acts without an intent on disk")
        deed = self._deeds.setdefault(_deed(command), Deed())
        is_known = deed.state in ("known", "looked", "asked")
        self.require(is_known, "law 5", f"{command.step} runs again, its first run is {deed.state}")
        deed.state, deed.can_look = "open", bool(step.postconditions)
        self._awaited[command.digest, command.step, command.attempt] += 1
        if command.step == "promote":
            self._promotes(plan)
        if command.step == "identity":
            overridden = self._is_fence_proven or bool(self._risks)
            self.require(overridden, "law 3", "identity before step fence was done or overridden")

    def _promotes(self, plan: Plan) -> None:
        if plan.variant == "graceful" or self.ground.power(PRIMARY) is HostPower.OFF:
            return
        booted = self.ground.booted_at
        is_fresh = booted is not None and self.clock() - booted <= BOOT_GRACE_S
        excused = self._may_split() or is_fresh
        power = self.ground.power(PRIMARY)
        self.require(bool(excused), "law 3", f"promoted by force, the primary is {power}")

    def reported(self, command: PerformAction, report: Report) -> None:
        """Note what an action's report told."""
        self._awaited[command.digest, command.step, command.attempt] -= 1
        verdict = readers.read_action(command.action, report).verdict
        is_unknown = verdict is Verdict.UNKNOWN
        self.counts.unknown_actions += is_unknown
        self._deeds[_deed(command)].state = "unknown" if is_unknown else "known"

    def looked(self, command: LookAtStep, looked: tuple[Looked, ...]) -> None:
        """Note that a step's postconditions were looked at."""
        self._awaited[command.digest, command.step, command.attempt] -= 1
        if command.purpose is LookPurpose.BEFORE:
            return
        verdicts = [readers.read_look(one).verdict for one in looked]
        is_no = any(one is Verdict.BLOCK for one in verdicts)
        is_yes = all(one is Verdict.PASS for one in verdicts)
        if is_no or is_yes:
            for name, deed in self._deeds.items():
                if name.startswith(f"{command.step} ") and deed.state != "open":
                    deed.state = "looked"

    def crashed(self) -> None:
        """What was under way is unknown from now on, and nothing was seen yet by the next life."""
        self._served_since = self._served_here_since = None
        self._awaited.clear()
        for deed in self._deeds.values():
            if deed.state == "open":
                deed.state = "unknown"
                self.counts.unknown_actions += 1

    # At the end.

    def judge_loss(self) -> None:
        """Compare what was really lost with what the last confirmed takeover said."""
        ground = self.ground
        taken = [one for one in self.plans.values() if one.kind is PlanKind.TAKEOVER]
        if not taken or not ground.has_database(STANDBY):
            return
        loss = ground.pair.loss(PRIMARY, STANDBY)
        verdict, plan = taken[-1].loss.verdict, taken[-1]
        if self._may_split():
            return
        if verdict is LossVerdict.ZERO_PROVEN or plan.variant in ("graceful", "peer-window-only"):
            told = f"{plan.variant}, {verdict.value}, lost {loss.rows} rows"
            self.require(loss.rows == 0, "law 4", told)
        if verdict is LossVerdict.BOUNDED and loss.first_at is not None:
            assert loss.last_at is not None
            assert plan.loss.seconds is not None
            seconds = loss.last_at - loss.first_at
            told = f"bound {plan.loss.seconds:.1f} s, lost {seconds:.1f} s of rows"
            self.require(seconds <= plan.loss.seconds + 0.5, "law 4", told)


def _deed(command: PerformAction) -> str:
    """Name an action across plans: a successor's takeover is the same deed as its forerunner's."""
    return f"{command.step} {command.index}"
