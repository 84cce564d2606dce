"""The operator: looks at hamnd, plans, confirms, retries, skips, aborts; each in his own way.

Owns what people do with hamnctl, and what they do with their hands (pull a cable). Must not look at
the truth of the site, except by walking to the machine. Whatever his character, once the faults
are over he does what the handbook says: the liveness phase asks whether that leads out.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from hamnd.core.events import (
    AbortRequested,
    AttestRequested,
    ClearRequested,
    ConcludeRequested,
    ConfirmRequested,
    Event,
    PlanRequested,
    RetryRequested,
    SkipRequested,
)
from hamnd.core.gates import blocking
from hamnd.core.run import is_past_no_return
from hamnd.core.state import Decision, NodeState
from hamnd.demo.db2_node import HostPower
from hamnd.model.names import Mode, PlanKind, RunStatus, State
from hamnd.model.plan import Override, Plan, PlanRequest
from tests.sim.daemon import Daemon
from tests.sim.ground import PRIMARY, STANDBY, Ground
from tests.sim.heap import Heap
from tests.sim.laws import Laws
from tests.sim.transcript import Transcript
from tests.sim.universe import Character

WHO = "anna"
RETRIES_MAX = 3
"""After so many retries of one step he does something else."""
SUCCESSORS_MAX = 3
"""After so many plans that continue a paused one he gives it up."""
QUICK = (Character.HASTY, Character.RECKLESS, Character.BRISK)
OVERRIDABLE = ("fence", "readiness", "disk", "isolation", "primary-down", "fence-truth")


@dataclass(slots=True)
class Patience:
    """What he remembers of the trouble he is in."""

    step: str = ""
    retries: int = 0
    blocked: int = 0
    confused: int = 0
    successors: int = 0
    has_attested: bool = False
    forbidden: frozenset[str] = frozenset()
    """The gates that blocked the last plan whatever he would override."""


class Operator:
    """One person with hamnctl."""

    def __init__(
        self, heap: Heap, daemon: Daemon, character: Character, dice: random.Random
    ) -> None:
        self.heap = heap
        self.daemon = daemon
        self.character = character
        self.dice = dice
        self.ground: Ground = daemon.world.ground
        self.laws: Laws = daemon.laws
        self.transcript: Transcript = daemon.transcript
        self.patience = Patience()
        self.old_digest = ""
        self.is_by_the_book = False
        """The faults are over."""
        self.is_away = False

    def come(self) -> None:
        """Look, do one thing, and come back."""
        self._act()
        self.heap.after(self._think_s(), self.come)

    def _think_s(self) -> float:
        if self.character is Character.BRISK:
            return 0.5
        if self.is_by_the_book:
            return self.dice.uniform(2.0, 4.0)
        match self.character:
            case Character.HASTY | Character.RECKLESS:
                return self.dice.uniform(0.3, 1.5)
            case Character.SLEEPY:
                return self.dice.uniform(8.0, 35.0)
            case _:
                return self.dice.uniform(2.0, 6.0)

    def _ask(self, event: Event) -> Decision | None:
        self.transcript.say(WHO, _words(event))
        return self.daemon.handle(event)

    def _act(self) -> None:
        daemon = self.daemon
        if not daemon.is_up or self.is_away:
            return
        state = daemon.state
        if state.mode is Mode.OBSERVE_ONLY:
            self._ask(ClearRequested("the disk is well again", WHO))
            return
        run = state.run
        if run is not None:
            if run.status is RunStatus.PAUSED:
                self._lead_out(state)
            return
        is_down = state.state is State.PRIMARY_DOWN
        if is_down or (state.state is State.DEGRADED and self._is_rash()):
            self._take_over()

    def _is_rash(self) -> bool:
        if self.is_by_the_book:
            return False
        if self.character is Character.RECKLESS:
            return self.dice.random() < 0.1
        return self.character is Character.HASTY and self.dice.random() < 0.3

    # From plan to confirmation.

    def _take_over(self, is_successor: bool = False) -> bool:
        """Plan, and confirm soon; False when no plan can be had that he may confirm."""
        request = PlanRequest(PlanKind.TAKEOVER, is_successor=is_successor)
        plan = self._plan(request)
        if plan is None:
            self.patience.blocked += 1
            return False
        plan = self._accept(plan)
        if plan is None:
            return False
        if self.character is Character.CONFUSED and self.patience.confused < 2:
            self.patience.confused += 1
            self._confuse(plan)
            return True
        self._confirm_later(plan)
        return True

    def _confirm_later(self, plan: Plan) -> None:
        """He reads the card first; a hasty one does not."""
        is_quick = self.character in QUICK
        seconds = 0.05 if is_quick else self.dice.uniform(0.5, 2.0)
        self.heap.after(seconds, lambda: self._confirm(plan.digest, STANDBY))
        self.old_digest = self.old_digest or plan.digest

    def _confirm(self, digest: str, named: str) -> None:
        decision = self._ask(ConfirmRequested(digest, WHO, named))
        if decision is not None and decision.refusal is None:
            patience = self.patience
            self.patience = Patience(confused=patience.confused, successors=patience.successors)

    def _confuse(self, plan: Plan) -> None:
        wrong = self.patience.confused == 1
        before = self.daemon.state
        digest = plan.digest if wrong or not self.old_digest else self.old_digest
        decision = self._ask(ConfirmRequested(digest, WHO, PRIMARY if wrong else STANDBY))
        self.old_digest = self.old_digest or plan.digest
        if wrong and decision is not None:
            is_refused = decision.refusal is not None
            self.laws.require(is_refused, "law 6", "a confirmation of the wrong name was taken")
            same = self.daemon.state.run == before.run
            self.laws.require(same, "law 6", "a refused confirmation changed the run")

    def _plan(self, request: PlanRequest) -> Plan | None:
        decision = self._ask(PlanRequested(request, WHO))
        return None if decision is None else decision.answer

    def _accept(self, plan: Plan) -> Plan | None:
        """Accept the loss that is shown, and override what he must, or may, or dares to."""
        refused = blocking(plan.gates)
        self.patience.forbidden = frozenset()
        if not refused:
            return plan
        accept: str | None = plan.request.accept_loss
        overrides = list(plan.request.overrides)
        for gate in refused:
            if gate.name == "loss":
                accept = plan.loss.class_
            elif self._may_override(gate.name):
                overrides.append(Override(gate.name, f"{self.character} operator"))
        request = PlanRequest(
            plan.kind, accept, tuple(overrides), is_successor=plan.request.is_successor
        )
        if request == plan.request:
            self._give_up(plan)
            return None
        again = self._plan(request)
        if again is None or blocking(again.gates):
            self._give_up(again or plan)
            return None
        return again

    def _give_up(self, plan: Plan) -> None:
        self.patience.blocked += 1
        self.patience.forbidden = frozenset(gate.name for gate in blocking(plan.gates))

    def _may_override(self, gate: str) -> bool:
        if gate not in OVERRIDABLE:
            return False
        if self.character is Character.RECKLESS and not self.is_by_the_book:
            return True
        if self.patience.blocked < 5 and self.patience.successors < SUCCESSORS_MAX:
            return False
        if gate in ("fence", "fence-truth"):
            self._pull_cable()
            return True
        return gate == "readiness"

    def _pull_cable(self) -> None:
        """Walk to the old primary and take its power away: the last resort that is always there."""
        if self.ground.power(PRIMARY) is not HostPower.OFF:
            self.transcript.say(WHO, f"pulls the cables of {PRIMARY}")
            self.ground.tick(self.heap.now)
            self.ground.power_off(PRIMARY)
        if not self.patience.has_attested:
            # Refused while the last answers are fresh: then he asks again.
            decision = self._ask(AttestRequested("pulled", "rack 12", WHO))
            self.patience.has_attested = decision is not None and decision.refusal is None

    # A paused run.

    def _lead_out(self, state: NodeState) -> None:
        run = state.run
        assert run is not None
        patience = self.patience
        if run.plan.kind is PlanKind.UNDO:
            self._end_undo(patience)
            return
        if patience.step != run.paused_step:
            patience.step, patience.retries = run.paused_step, 0
        is_contradicted = run.reason.startswith("contradicted")
        if is_contradicted and not is_past_no_return(run) and not self._is_reckless():
            self._abort()
            return
        if patience.retries < RETRIES_MAX:
            patience.retries += 1
            self._ask(RetryRequested(WHO))
            return
        patience.retries = 0
        self._something_else(state)

    def _is_reckless(self) -> bool:
        return self.character is Character.RECKLESS and not self.is_by_the_book

    def _something_else(self, state: NodeState) -> None:
        run = state.run
        assert run is not None
        step_id, patience = run.paused_step, self.patience
        if step_id == "fence" or "fence" in run.reason:
            self._pull_cable()
            if step_id == "fence":
                self._ask(SkipRequested("fence", "cables pulled", WHO))
            self._ask(RetryRequested(WHO))
        elif step_id in ("promote", "fuse", "") and self._succeed(patience):
            if self._is_primary_back and not is_past_no_return(run):
                self._abort()
        elif step_id in ("dns", "dhcp", "consoles", "verify"):
            self._ask(SkipRequested(step_id, "mended tomorrow", WHO))
            self._ask(RetryRequested(WHO))
        elif is_past_no_return(run):
            self._ask(ConcludeRequested("goes on by hand", WHO))
        else:
            self._abort()

    def _succeed(self, patience: Patience) -> bool:
        """Plan anew what is left of the run; a few times, for a gate may need a moment."""
        patience.successors += 1
        if patience.successors > SUCCESSORS_MAX:
            return False
        self._take_over(is_successor=True)
        return True

    @property
    def _is_primary_back(self) -> bool:
        """What forbids the plan that he was shown last is that the primary is there."""
        return self.is_by_the_book and "primary-down" in self.patience.forbidden

    def _abort(self) -> None:
        decision = self._ask(AbortRequested("the primary is back", WHO))
        if decision is not None and decision.answer is not None:
            self._confirm(decision.answer.digest, STANDBY)

    def _end_undo(self, patience: Patience) -> None:
        if patience.retries < RETRIES_MAX:
            patience.retries += 1
            self._ask(RetryRequested(WHO))
            return
        patience.retries = 0
        state = self.daemon.state
        assert state.run is not None
        if state.run.paused_step:
            self._ask(SkipRequested(state.run.paused_step, "undone by hand", WHO))
            self._ask(RetryRequested(WHO))


def _words(event: Event) -> str:
    match event:
        case PlanRequested(request=request):
            accepted = (
                f" --accept-loss {request.accept_loss}" if request.accept_loss is not None else ""
            )
            overridden = "".join(f" --override {one.gate}" for one in request.overrides)
            more = " --continue" if request.is_successor else ""
            return f"plan {request.kind}{accepted}{overridden}{more}"
        case ConfirmRequested():
            return f"confirm {event.digest} (names {event.named})"
        case RetryRequested():
            return "retry"
        case SkipRequested():
            return f"skip {event.step}"
        case AbortRequested():
            return "abort"
        case ConcludeRequested():
            return "conclude"
        case AttestRequested():
            return f"attest primary-off --how {event.how}"
        case _:
            return type(event).__name__
