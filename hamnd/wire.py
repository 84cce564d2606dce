"""What is said on the control socket: verbs, their request documents, the schemas of answers.

Owns the words between hamnctl and the daemon, and the validation of a request by hand: every
problem of a document at once, unknown keys included. Must not know sockets, HTTP libraries, nor how
a request is answered. Pure.

A verb is the path below `PREFIX`. Looking is GET and changes nothing; asking for a change is POST
with a JSON object. A refusal is HTTP 409 with `refusal_document`, a malformed request HTTP 400 with
`problems_document`, a request whose decision did not come in time HTTP 504: its outcome is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from hamnd.core.events import (
    AbortRequested,
    AckRequested,
    AttestRequested,
    ClearRequested,
    ConcludeRequested,
    ConfirmRequested,
    Event,
    HoldRequested,
    PlanRequested,
    RehearseRequested,
    RetryRequested,
    SkipRequested,
    SyncRequested,
    UnholdRequested,
)
from hamnd.core.state import Refusal
from hamnd.errors import HamndError
from hamnd.model.copying import CopyKind
from hamnd.model.names import LOSS_CLASSES, PlanKind
from hamnd.model.plan import Override, PlanRequest

PREFIX = "/v1/"
"""Path prefix of every verb; a change of meaning is a new prefix."""

TEXT_MAX = 500
"""Characters of a reason or a name; longer ones are refused, they go to journal and report."""
OVERRIDES_MAX = 32
UNKNOWN_TOLD_MAX = 20
"""Keys that are not known and are told one by one: each is compared with those that are."""
MOMENT_MAX = 253_402_300_799
"""9999-12-31T23:59:59Z in epoch seconds."""
WATCH_INTERVAL_S = 5.0
"""A watch stream carries a status document on every change and at least this often."""


class Verb(StrEnum):
    """Everything that can be asked of the daemon."""

    STATUS = "status"
    READY = "ready"
    EXPLAIN = "explain"
    WITNESSES = "witnesses"
    FILES = "files"
    GUARD = "guard"
    PLANS = "plans"
    RUN = "run"
    WATCH = "watch"
    PLAN = "plan"
    CONFIRM = "confirm"
    RETRY = "retry"
    SKIP = "skip"
    ABORT = "abort"
    CONCLUDE = "conclude"
    ATTEST = "attest"
    CLEAR = "clear"
    SYNC = "sync"
    HOLD = "hold"
    UNHOLD = "unhold"
    ACK = "ack"
    REHEARSE = "rehearse"
    JOURNAL_RESTART = "journal-restart"


LOOKS = frozenset(
    {
        Verb.STATUS,
        Verb.READY,
        Verb.EXPLAIN,
        Verb.WITNESSES,
        Verb.FILES,
        Verb.GUARD,
        Verb.PLANS,
        Verb.RUN,
        Verb.WATCH,
    }
)
"""Verbs that only read (GET); all others ask for a change (POST)."""

SCHEMAS: Mapping[Verb, str] = MappingProxyType(
    {
        Verb.STATUS: "hamnd.status/1",
        Verb.WATCH: "hamnd.status/1",
        Verb.READY: "hamnd.ready/1",
        Verb.EXPLAIN: "hamnd.explain/1",
        Verb.WITNESSES: "hamnd.witnesses/1",
        Verb.FILES: "hamnd.files/1",
        Verb.GUARD: "hamnd.guard/1",
        Verb.PLANS: "hamnd.plans/1",
        Verb.RUN: "hamnd.run/1",
        Verb.PLAN: "hamnd.plan/1",
        Verb.ABORT: "hamnd.plan/1",
        Verb.CONFIRM: "hamnd.run/1",
        Verb.RETRY: "hamnd.run/1",
        Verb.SKIP: "hamnd.run/1",
        Verb.CONCLUDE: "hamnd.run/1",
        Verb.ATTEST: "hamnd.done/1",
        Verb.CLEAR: "hamnd.done/1",
        Verb.SYNC: "hamnd.files/1",
        Verb.HOLD: "hamnd.done/1",
        Verb.UNHOLD: "hamnd.done/1",
        Verb.ACK: "hamnd.done/1",
        Verb.REHEARSE: "hamnd.rehearsal/1",
        Verb.JOURNAL_RESTART: "hamnd.done/1",
    }
)
"""The `schema` of the document that answers a verb."""
ERROR_SCHEMA = "hamnd.error/1"

ATTEST_HOW = ("seen", "pulled", "facility")
"""How the operator knows that the primary is off (design §4)."""
PLAN_KINDS = tuple(str(kind) for kind in PlanKind if kind is not PlanKind.UNDO)
"""Plans that can be asked for by name; an undo plan comes from `abort`."""


class Malformed(HamndError):
    """A request document cannot be used: HTTP 400, nothing changed."""

    def __init__(self, verb: str, problems: tuple[str, ...]) -> None:
        """Name the verb and everything that is wrong with its document."""
        super().__init__(f"{verb}: " + "; ".join(problems))
        self.verb = verb
        self.problems = problems


class Form(StrEnum):
    """The forms a value of a request document can have."""

    TEXT = "a text"
    WORD = "one of the known words"
    FLAG = "true or false"
    MOMENT = "a time in whole UTC seconds"
    OVERRIDES = 'a list of {"gate": …, "reason": …}'
    NAMES = "a list of names"


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a request document."""

    name: str
    form: Form = Form.TEXT
    required: bool = True
    words: tuple[str, ...] = ()


_REASON = Field("reason")

DOCUMENTS: Mapping[Verb, tuple[Field, ...]] = MappingProxyType(
    {
        Verb.PLAN: (
            Field("kind", Form.WORD, words=PLAN_KINDS),
            Field("accept_loss", Form.WORD, required=False, words=LOSS_CLASSES),
            Field("overrides", Form.OVERRIDES, required=False),
            Field("continue", Form.FLAG, required=False),
            Field("drill", Form.FLAG, required=False),
            Field("convert", Form.FLAG, required=False),
        ),
        Verb.CONFIRM: (Field("digest"), Field("named")),
        Verb.RETRY: (),
        Verb.SKIP: (Field("step"), _REASON),
        Verb.ABORT: (_REASON,),
        Verb.CONCLUDE: (_REASON,),
        Verb.ATTEST: (Field("how", Form.WORD, words=ATTEST_HOW), _REASON),
        Verb.CLEAR: (_REASON,),
        Verb.SYNC: (
            Field("sets", Form.NAMES, required=False),
            Field("verify", Form.FLAG, required=False),
            Field("accept_deletions", Form.FLAG, required=False),
        ),
        Verb.HOLD: (Field("until", Form.MOMENT), _REASON),
        Verb.UNHOLD: (),
        Verb.ACK: (Field("digest"),),
        Verb.REHEARSE: (),
        Verb.JOURNAL_RESTART: (_REASON,),
    }
)
"""The keys of each request document; a verb that only looks takes none."""


@dataclass(frozen=True, slots=True)
class JournalRestart:
    """The operator sets a damaged journal aside; carried out by the runtime, not by the core."""

    reason: str
    actor: str


Asked = Event | JournalRestart


def _text_problem(name: str, value: Any) -> str | None:
    if not isinstance(value, str):
        return f"{name} is not a text"
    if not value.strip():
        return f"{name} is empty"
    if len(value) > TEXT_MAX:
        return f"{name} is longer than {TEXT_MAX} characters"
    if not value.isprintable():
        return f"{name} contains a line break or another control character"
    return None


def _overrides_problems(name: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        return [f"{name} is not {Form.OVERRIDES}"]
    if len(value) > OVERRIDES_MAX:
        return [f"{name} has more than {OVERRIDES_MAX} entries"]
    problems: list[str] = []
    for index, entry in enumerate(value):
        where = f"{name}[{index}]"
        if not isinstance(entry, dict):
            problems.append(f"{where} is not an object")
            continue
        problems += [f"{where}.{key} is not known" for key in sorted(entry.keys() - _OVERRIDE_KEYS)]
        for key in ("gate", "reason"):
            problem = _text_problem(f"{where}.{key}", entry.get(key, ""))
            if problem is not None:
                problems.append(problem)
    return problems


def _names_problems(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > OVERRIDES_MAX:
        return [f"{name} is not {Form.NAMES} of at most {OVERRIDES_MAX}"]
    problems = (_text_problem(f"{name}[{index}]", one) for index, one in enumerate(value))
    return [problem for problem in problems if problem is not None]


_OVERRIDE_KEYS = frozenset({"gate", "reason"})


def _field_problems(field: Field, value: Any) -> list[str]:
    match field.form:
        case Form.TEXT:
            problem = _text_problem(field.name, value)
            return [] if problem is None else [problem]
        case Form.WORD:
            if isinstance(value, str) and value in field.words:
                return []
            return [f"{field.name} is not one of {', '.join(field.words)}"]
        case Form.FLAG:
            return [] if isinstance(value, bool) else [f"{field.name} is not {Form.FLAG}"]
        case Form.MOMENT:
            is_moment = isinstance(value, int) and not isinstance(value, bool)
            is_moment = is_moment and 0 <= value <= MOMENT_MAX
            return [] if is_moment else [f"{field.name} is not {Form.MOMENT}"]
        case Form.NAMES:
            return _names_problems(field.name, value)
        case Form.OVERRIDES:
            return _overrides_problems(field.name, value)


def problems_of(verb: Verb, body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return everything that is wrong with a request document, in the order of its keys."""
    fields = {field.name: field for field in DOCUMENTS.get(verb, ())}
    problems: list[str] = []
    unknown = [key for key in body if key not in fields]
    for key in unknown[:UNKNOWN_TOLD_MAX]:
        meant = get_close_matches(key, fields, n=1)
        problems.append(f"{key} is not known" + (f"; did you mean {meant[0]}?" if meant else ""))
    if len(unknown) > UNKNOWN_TOLD_MAX:
        problems.append(f"{len(unknown) - UNKNOWN_TOLD_MAX} more keys are not known")
    for field in fields.values():
        if field.name in body:
            problems += _field_problems(field, body[field.name])
        elif field.required:
            problems.append(f"{field.name} is missing")
    return tuple(problems)


def decode(verb: Verb, body: Mapping[str, Any], actor: str) -> Asked:
    """Return what a change verb asks for, on behalf of `actor`.

    Raises:
        Malformed: the document has problems, all of which are named.
        ValueError: the verb only looks; a caller's mistake.
    """
    if verb in LOOKS:
        raise ValueError(f"{verb} asks for nothing")
    problems = problems_of(verb, body)
    if problems:
        raise Malformed(str(verb), problems)
    return _ASKED[verb](body, actor)


def _sync_request(body: Mapping[str, Any], actor: str) -> SyncRequested:
    kind = CopyKind.VERIFY if body.get("verify") else CopyKind.COPY
    accepts = bool(body.get("accept_deletions"))
    return SyncRequested(tuple(body.get("sets", ())), actor, kind, accepts)


def _plan_request(body: Mapping[str, Any]) -> PlanRequest:
    accepted = body.get("accept_loss")
    return PlanRequest(
        kind=PlanKind(body["kind"]),
        accept_loss=accepted,
        overrides=tuple(
            Override(entry["gate"], entry["reason"]) for entry in body.get("overrides", ())
        ),
        is_successor=bool(body.get("continue", False)),
        with_drill=bool(body.get("drill", False)),
        with_conversion=bool(body.get("convert", False)),
    )


_ASKED: Mapping[Verb, Callable[[Mapping[str, Any], str], Asked]] = MappingProxyType(
    {
        Verb.PLAN: lambda body, actor: PlanRequested(_plan_request(body), actor),
        Verb.CONFIRM: lambda body, actor: ConfirmRequested(body["digest"], actor, body["named"]),
        Verb.RETRY: lambda _, actor: RetryRequested(actor),
        Verb.SKIP: lambda body, actor: SkipRequested(body["step"], body["reason"], actor),
        Verb.ABORT: lambda body, actor: AbortRequested(body["reason"], actor),
        Verb.CONCLUDE: lambda body, actor: ConcludeRequested(body["reason"], actor),
        Verb.ATTEST: lambda body, actor: AttestRequested(body["how"], body["reason"], actor),
        Verb.CLEAR: lambda body, actor: ClearRequested(body["reason"], actor),
        Verb.SYNC: _sync_request,
        Verb.HOLD: lambda body, actor: HoldRequested(body["until"], body["reason"], actor),
        Verb.UNHOLD: lambda _, actor: UnholdRequested(actor),
        Verb.ACK: lambda body, actor: AckRequested(body["digest"], actor),
        Verb.REHEARSE: lambda _, actor: RehearseRequested(actor),
        Verb.JOURNAL_RESTART: lambda body, actor: JournalRestart(body["reason"], actor),
    }
)
"""What each change verb asks for; its document was found to be in order."""


def refusal_document(refusal: Refusal) -> dict[str, Any]:
    """Return the document of a refused request (HTTP 409): nothing was changed."""
    return {
        "schema": ERROR_SCHEMA,
        "error": refusal.sentence,
        "gate": refusal.gate,
        "difference": list(refusal.difference),
        "hint": refusal.hint,
    }


def problems_document(malformed: Malformed) -> dict[str, Any]:
    """Return the document of a malformed request (HTTP 400): nothing was changed."""
    return {
        "schema": ERROR_SCHEMA,
        "error": str(malformed),
        "gate": "request",
        "difference": list(malformed.problems),
        "hint": "",
        "problems": list(malformed.problems),
    }


def error_document(sentence: str, *, gate: str = "", hint: str = "") -> dict[str, Any]:
    """Return the document of any other error, in the same shape as a refusal."""
    return {
        "schema": ERROR_SCHEMA,
        "error": sentence,
        "gate": gate,
        "difference": [],
        "hint": hint,
    }
