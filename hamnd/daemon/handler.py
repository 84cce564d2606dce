"""Answers the control socket: a look from the state as it is, a change through the queue.

Owns which document answers which verb, and which HTTP status an ending has. Must not know sockets
(adapters.control), nor decide anything: who may ask for a change was told by the caller's `Caller`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

import structlog

from hamnd import wire
from hamnd.core.copies import routine_name
from hamnd.core.policy import Terms
from hamnd.core.state import Decision
from hamnd.core.whereabouts import present
from hamnd.daemon.runtime import Runtime, SetAside
from hamnd.errors import HamndError, InvariantViolation, JournalError, OutcomeUnknown
from hamnd.model.copying import CopyKind
from hamnd.model.plan import Plan
from hamnd.ports import Caller, Clock, Request, Response
from hamnd.views.card import plan_document
from hamnd.views.explain import explain_document
from hamnd.views.facts import hold_part, seconds, skew_s
from hamnd.views.files import files_document, files_parts
from hamnd.views.guard import guard_document
from hamnd.views.ready import ready_document
from hamnd.views.rehearsal import rehearsal_of
from hamnd.views.run import run_document
from hamnd.views.run_facts import eta_of
from hamnd.views.status import status_document
from hamnd.views.witnesses import witnesses_document
from hamnd.wire import Verb

log = structlog.get_logger(__name__)


class ControlHandler:
    """The handler behind the control socket (`ports.Handler`), and its watch stream."""

    def __init__(
        self,
        runtime: Runtime,
        clock: Clock,
        set_aside: SetAside,
        next_at: Callable[[str], float | None] = lambda _routine: None,
    ) -> None:
        """Take the loop, what sets a damaged journal aside (blocking), and when routines begin."""
        self._next_at = next_at
        self._runtime = runtime
        self._clock = clock
        self._set_aside = set_aside

    async def __call__(self, request: Request, caller: Caller) -> Response:
        """Answer one request; never raises for what it says."""
        await self._runtime.has_begun()  # a run under way when the last hamnd died is paused by now
        try:
            verb = Verb(request.verb.removeprefix(wire.PREFIX).strip("/"))
        except ValueError:
            hint = "known: " + ", ".join(Verb)
            return _error(404, f"there is no verb {request.verb!r}", hint=hint)
        if request.changes != (verb not in wire.LOOKS):
            method = "GET" if verb in wire.LOOKS else "POST"
            return _error(405, f"{verb} is asked for by {method}")
        if verb in wire.LOOKS:
            return Response(200, self._look(verb))
        if not caller.may_operate:
            log.warning("request_denied", verb=str(verb), caller=caller.name, uid=caller.uid)
            told = f"{caller.name} is not an operator of this node"
            return _error(403, told, gate="operators", hint="see operators in the configuration")
        return await self._change(verb, request.body, caller)

    async def watch(
        self, request: Request, caller: Caller
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        """Yield the status on every change, and at least every `WATCH_INTERVAL_S`."""
        await self._runtime.has_begun()
        log.debug("watch_began", caller=caller.name, verb=request.verb)
        while not self._runtime.is_draining:
            version = self._runtime.version
            yield self.status()
            await self._runtime.wait_changed(version, wire.WATCH_INTERVAL_S)

    @property
    def _terms(self) -> Terms:
        """The configuration in force, with the addresses that the two nodes have now."""
        return present(self._runtime.terms, self._runtime.state)

    def status(self) -> dict[str, Any]:
        """Return the one status document of this moment."""
        runtime = self._runtime
        document = status_document(runtime.state, self._clock.now(), self._terms)
        document["files"] = self._files(document["files"])
        refused = runtime.refused_reload
        return {**document, "reload": None if refused is None else refused.as_json()}

    def _files(self, parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the copies with when each begins next: the scheduler alone knows."""
        return [{**one, "next_at": seconds(self._begins(one["set"]))} for one in parts]

    def _begins(self, name: str) -> float | None:
        times = (self._next_at(routine_name(name, kind)) for kind in CopyKind)
        return min((at for at in times if at is not None), default=None)

    def _look(self, verb: Verb) -> dict[str, Any]:
        state, terms, now = self._runtime.state, self._terms, self._clock.now()
        match verb:
            case Verb.READY:
                return ready_document(state, now, terms)
            case Verb.EXPLAIN:
                return explain_document(state, now, terms)
            case Verb.WITNESSES:
                return witnesses_document(state, now, terms)
            case Verb.FILES:
                document = files_document(state, now, terms)
                return {**document, "files": self._files(document["files"])}
            case Verb.GUARD:
                return guard_document(state, now, terms)
            case Verb.PLANS:
                plans = [self._plan_document(plan) for plan in state.plans]
                return {"schema": wire.SCHEMAS[verb], "plans": plans}
            case Verb.RUN:
                return self._run_document()
            case _:
                return self.status()

    def _plan_document(self, plan: Plan) -> dict[str, Any]:
        runtime = self._runtime
        eta = eta_of(runtime.state.finished, plan)
        now, terms = self._clock.now(), self._terms
        skew = skew_s(runtime.state.watch)
        document = plan_document(plan, now.wall_s, terms.site, eta, skew)
        return {**document, "files": files_parts(runtime.state, now, terms)}

    def _run_document(self) -> dict[str, Any]:
        runtime = self._runtime
        state, site = runtime.state, self._terms.site
        return run_document(state.run, self._clock.now(), site, state.finished)

    async def _change(self, verb: Verb, body: Mapping[str, Any], caller: Caller) -> Response:
        if self._runtime.is_draining:
            return _error(503, "hamnd is stopping; nothing was done", gate="stopping")
        try:
            asked = wire.decode(verb, body, caller.actor)
            decision = await self._ask(asked)
        except wire.Malformed as malformed:
            log.warning("request_malformed", caller=caller.name, problems=list(malformed.problems))
            return Response(400, wire.problems_document(malformed))
        except JournalError as error:
            return self._not_written(verb, error)
        except HamndError as error:
            return _failed(error)
        if decision is None:
            told = "the journal is sound: restarting it would only hide its history"
            return _error(409, told, gate="journal", hint="hamnctl status")
        if decision.refusal is not None:
            return Response(409, wire.refusal_document(decision.refusal))
        return Response(200, self._answer(verb, decision))

    def _not_written(self, verb: Verb, error: JournalError) -> Response:
        """Say that nothing was started, and what leads on."""
        log.warning("request_not_journalled", verb=str(verb), error=str(error))
        if verb is not Verb.CLEAR:
            told = f"nothing was started: {error}"
            return _error(503, told, gate="journal", hint="hamnctl status")
        # Mode normal on a journal that takes nothing would be no mode at all: a refusal.
        hint = "mend what it says, then: hamnctl clear --reason TEXT"
        if not self._runtime.has_journal:
            hint = "hamnctl journal restart --reason TEXT, then: hamnctl clear --reason TEXT"
        return _error(409, f"hamnd stays observe_only: {error}", gate="journal", hint=hint)

    async def _ask(self, asked: wire.Asked) -> Decision | None:
        if not isinstance(asked, wire.JournalRestart):
            return await self._runtime.ask(asked)
        if self._runtime.is_journal_sound:
            return None
        return await self._runtime.restart_journal(self._set_aside, asked.reason, asked.actor)

    def _answer(self, verb: Verb, decision: Decision) -> dict[str, Any]:
        if decision.answer is not None:
            return self._plan_document(decision.answer)
        if verb is Verb.SYNC:
            return self._look(Verb.FILES)
        if verb is Verb.REHEARSE:
            return rehearsal_of(self.status())
        if wire.SCHEMAS[verb] == wire.SCHEMAS[Verb.ATTEST]:
            state = self._runtime.state
            return {
                "schema": wire.SCHEMAS[verb],
                "done": decision.because or f"{verb} is journalled",
                "state": state.state.value,
                "mode": state.mode.value,
                "hold": hold_part(state),
            }
        return self._run_document()


def _error(status: int, sentence: str, *, gate: str = "request", hint: str = "") -> Response:
    return Response(status, wire.error_document(sentence, gate=gate, hint=hint))


def _failed(error: HamndError) -> Response:
    """Say what is known of a request that came to no decision."""
    match error:
        case OutcomeUnknown():
            return _error(504, str(error), gate="outcome", hint="hamnctl status")
        case InvariantViolation():
            return _error(500, f"nothing was started: {error}", gate="invariant")
        case _:
            return _error(500, f"nothing was started: {error}", gate="internal")
