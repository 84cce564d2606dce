"""Follows a run to its end or pause: each step as it ends, with the elapsed time.

Owns what is printed while a run goes on, and the exit code of its end. Must not influence the run:
it reads the watch stream, and a daemon that goes away is looked for again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from hamnd.cli import exits, moments
from hamnd.cli.client import Unreachable
from hamnd.cli.session import Session, Stop
from hamnd.views.run import elapsed, expected_words, render_run, run_of, step_lines
from hamnd.views.text import fold, listed, plan_name, plural

ENDED = ("done", "not_done", "unknown", "skipped")
TRIES_MAX = 5
RETRY_S = 1.0
PREFIX_WIDTH = 6


class Steps(Protocol):
    """Where the steps of a run are shown: lines that stay, and the present moment."""

    def __enter__(self) -> Steps:
        """Begin."""
        ...

    def __exit__(self, *ended: object) -> None:
        """End, leaving the lines that stay."""
        ...

    def stay(self, lines: list[str]) -> None:
        """Show lines that stay."""
        ...

    def now(self, document: dict[str, Any]) -> None:
        """Show what runs at present."""
        ...


class PlainSteps:
    """Lines only: for pipes, logs, and terminals without colour."""

    def __init__(self, session: Session) -> None:
        """Write to the session's screen; nothing with --json."""
        self._screen = session.screen

    def __enter__(self) -> PlainSteps:
        return self

    def __exit__(self, *ended: object) -> None:
        return

    def stay(self, lines: list[str]) -> None:
        """Print lines at once."""
        if not self._screen.as_json:
            self._screen.say(lines)
            self._screen.flush()

    def now(self, document: dict[str, Any]) -> None:
        """Say nothing: a line that is not true any more a second later does not belong here."""


def follow(session: Session, digest: str, known: dict[str, Any] | None = None) -> int:
    """Show the run of `digest` until it ends or pauses, and return the exit code.

    Steps that have ended in the `known` picture of the run were told before.

    Raises Stop when the daemon stays away, and when the keyboard ends the watching.
    """
    follower = Follower(session, digest, known)
    try:
        with _steps(session) as steps:
            for document in _documents(session, steps):
                code = follower.take(document, steps)
                if code is not None:
                    break
            else:
                code = None
    except KeyboardInterrupt:
        told = "The run goes on without you. hamnctl confirm follows it again."
        raise Stop(exits.INTERRUPTED, "", told) from None
    if code is None:
        raise Stop(
            exits.OUTCOME_UNKNOWN,
            "OUTCOME UNKNOWN: hamnd went away while its run was followed.",
            "What was under way is looked at again when it starts: hamnctl status",
        )
    follower.finish()
    return code


def _steps(session: Session) -> Steps:
    if session.screen.has_colour and not session.screen.as_json:
        from hamnd.cli.boxes import LiveSteps

        return LiveSteps(session.screen)
    return PlainSteps(session)


def _documents(session: Session, steps: Steps) -> Iterator[dict[str, Any]]:
    """Yield status documents as they change; a broken stream is taken up again, and that said."""
    failures, is_told = 0, False
    while failures < TRIES_MAX:
        try:
            for document in session.client.stream("watch"):
                failures, is_told = 0, False
                yield document
        except Unreachable as error:
            if not is_told:
                told = f"{error}. {error.hint}. Meanwhile it is looked for again."
                steps.stay(fold(told, session.screen.width - 1, indent=PREFIX_WIDTH - 1))
            is_told = True
        failures += 1
        moments.pause(RETRY_S)


class Follower:
    """What was shown of one run so far."""

    def __init__(self, session: Session, digest: str, known: dict[str, Any] | None) -> None:
        """Begin with what was told before."""
        self._session = session
        self._digest = digest
        before = run_of(known or {}) or {}
        self._shown = {str(step.get("id")): _mark(step) for step in listed(before, "steps")}
        self._has_title = False
        self._has_passed = False
        self._last: dict[str, Any] = {}
        self._end: list[str] = []

    def take(self, document: dict[str, Any], steps: Steps) -> int | None:
        """Show what is new in a status document; return the exit code once the run rests."""
        run = run_of(document)
        if run is not None and run.get("digest") == self._digest:
            self._last = {**document, "run": run}
            steps.now(self._last)
            self._show(document, dict(run), steps)
            goes_on = run.get("status") == "running" or _is_under_way(run)
            return None if goes_on else self._rest(dict(run))
        return self._ended(document, steps)

    def finish(self) -> None:
        """Show how it ended."""
        self._session.screen.show(self._last, self._end)

    def _show(self, document: dict[str, Any], run: dict[str, Any], steps: Steps) -> None:
        width = self._session.screen.width - 1  # a full line makes some terminals add a blank one
        since = elapsed(document, run)
        if not self._has_title:
            self._has_title = True
            name = plan_name(self._digest)
            told = f"{str(run.get('kind')).upper()} {name}, confirmed by {run.get('actor')}"
            steps.stay(fold(f"{told}; {expected_words(run)}", width, indent=2, first=0))
        for step in listed(run, "steps"):
            outcome = str(step.get("outcome"))
            if outcome in ENDED and self._shown.get(str(step.get("id"))) != _mark(step):
                self._shown[str(step.get("id"))] = _mark(step)
                lines = step_lines(step, document.get("generated_at"), width - PREFIX_WIDTH)
                steps.stay(_prefixed(since, lines))
        passed = run.get("passed_point_of_no_return")
        if passed and not self._has_passed:
            self._has_passed = True
            told = f"Point of no return passed at {passed}. This screen can be closed."
            steps.stay(_prefixed(since, [f" {told}"]))

    def _rest(self, run: dict[str, Any]) -> int:
        """The run is paused, or ended on the operator's word."""
        width = self._session.screen.width
        self._end = render_run(self._last, width, with_steps=False)
        outcomes = {str(step.get("outcome")) for step in listed(run, "steps")}
        if run.get("status") == "done":
            return exits.OK
        is_unknown = run.get("status") == "paused" and "unknown" in outcomes
        return exits.OUTCOME_UNKNOWN if is_unknown else exits.STEP_FAILED

    def _ended(self, document: dict[str, Any], steps: Steps) -> int:
        """The daemon keeps no run that ended: what remains of it tells how."""
        finished = [
            one for one in listed(document, "finished") if one.get("digest") == self._digest
        ]
        name = plan_name(self._digest)
        if finished:
            last = finished[-1]
            status, open_steps = str(last.get("status")), last.get("open_steps") or []
        else:  # an undo leaves nothing but the state it came back to
            is_undo = lookup_kind(self._last) == "undo"
            status, open_steps = ("done" if is_undo else "gone"), []
        self._last = self._completed(document, status, open_steps, steps)
        if status == "done":
            report = f"hamnctl report {name} · " if finished else ""
            told = "DONE. Every step is verified."
            if open_steps:
                told = f"DONE, but left open: {', '.join(str(one) for one in open_steps)}."
            self._end = [f"{told}   {report}hamnctl status"]
            return exits.OK
        if status == "gone":
            self._end = [f"hamnd carries out no plan {name} any more.   hamnctl history"]
            return exits.OUTCOME_UNKNOWN
        told = f"{status.upper()} with {plural(len(open_steps), 'open step')}"
        names = ", ".join(str(one) for one in open_steps)
        self._end = [f"{told}: {names}.   hamnctl report {name} · hamnctl status"]
        return exits.STEP_FAILED

    def _completed(
        self, document: dict[str, Any], status: str, open_steps: list[Any], steps: Steps
    ) -> dict[str, Any]:
        """Return the last picture of the run, with the steps that ended unseen shown as ended."""
        run = run_of(self._last)
        if run is None:
            return {**document, "run": None}
        known = [
            _done_unseen(step, document)
            if step.get("outcome") in ("pending", "running")
            and status in ("done", "concluded")
            and step.get("id") not in open_steps
            else step
            for step in listed(run, "steps")
        ]
        ended = {**run, "steps": known, "status": status}
        self._show(document, ended, steps)
        return {**document, "run": ended}


def _mark(step: Mapping[str, Any]) -> tuple[str, object]:
    """Return what tells one ending of a step from another."""
    return str(step.get("outcome")), step.get("started_at")


def _done_unseen(step: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a step that ended together with its run; its own words are in the report."""
    now, started = document.get("generated_at"), step.get("started_at")
    took = None if now is None or started is None else now - started
    return {**step, "outcome": "done", "sentence": "verified", "duration_s": took}


def _is_under_way(run: Mapping[str, Any]) -> bool:
    """A paused run starts nothing, but what ran beside the failed step still comes home."""
    return any(step.get("outcome") == "running" for step in listed(run, "steps"))


def lookup_kind(document: dict[str, Any]) -> object:
    """Return the kind of the run in a document, or None."""
    run = run_of(document)
    return None if run is None else run.get("kind")


def _prefixed(since: str, lines: list[str]) -> list[str]:
    first, *rest = lines or [""]
    return [
        f"{since.partition(' ')[0]:<{PREFIX_WIDTH - 1}}{first}",
        *(" " * 5 + one for one in rest),
    ]
