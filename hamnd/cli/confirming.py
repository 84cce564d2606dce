"""confirm and retry: the operator's word, then the run as it goes.

Owns the card on a terminal, the question for the new primary's name, and joining a run that goes
on already. Must not judge: the daemon compares the picture with the plan (law 6). Closing the
terminal ends the watching, never the run.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from hamnd.cli import exits
from hamnd.cli.following import follow
from hamnd.cli.session import Session, Stop
from hamnd.views.card import blocking_gates, render_card
from hamnd.views.run import render_run, run_of
from hamnd.views.text import listed
from hamnd.views.ways import gates_lead_on

REFUSED_STATUS = 409
QUESTION = "Type the name of the new primary to go on: "
QUESTIONS = {
    "undo": "Type the name of this node, which stays what it was, to go on: ",
    "resume": "Type the name of this node, the management node, to go on: ",
    "rejoin": "Type the name of this node, the management node, to go on: ",
    "setup": "Type the name of this node, which is set up, to go on: ",
}
"""What is asked where no other node becomes primary."""


def configure(parser: argparse.ArgumentParser, command: str) -> None:
    """Add the arguments of one of these commands."""
    if command == "confirm":
        parser.add_argument("digest", nargs="?", metavar="DIGEST", help="of the plan; the latest")
        parser.add_argument("--name", metavar="NODE", help="name of the new primary")
    parser.add_argument(
        "--detach", action="store_true", help="do not follow the steps; the run goes on"
    )


def run(session: Session) -> int:
    """Carry out the command."""
    if session.args.command == "retry":
        document = session.change("retry", {})
        run_ = run_of(document)
        digest = "" if run_ is None else str(run_.get("digest", ""))
        return _follow(session, digest, document, known=document)
    return _confirm(session)


def _confirm(session: Session) -> int:
    wanted = _bare(session.args.digest or "")
    status = session.look("status")
    going = run_of(status)
    if going is not None and going.get("status") == "running":
        digest = str(going.get("digest", ""))
        if not wanted or _bare(digest).startswith(wanted):
            return _join(session, digest, going)
    plan = _pick(session, wanted)
    if plan is None:
        return _nothing_to_confirm(session, status, wanted)
    named = session.args.name if wanted and session.args.name else _ask(session, plan)
    digest = str(plan.get("digest", ""))
    document = _send(session, digest, {"digest": digest, "named": named})
    return _follow(session, digest, document)


def _bare(digest: str) -> str:
    return digest.replace("-", "").lower()


def _pick(session: Session, wanted: str) -> dict[str, Any] | None:
    """Return the plan with that digest (or its beginning), or the one shown last."""
    plans = [dict(plan) for plan in listed(session.look("plans"), "plans")]
    fitting = [plan for plan in plans if _bare(str(plan.get("digest", ""))).startswith(wanted)]
    return fitting[-1] if fitting else None


def _nothing_to_confirm(session: Session, status: dict[str, Any], wanted: str) -> int:
    run_ = run_of(status)
    if run_ is not None and run_.get("status") == "paused":
        session.screen.show(status, render_run(status, session.screen.width))
        return exits.STEP_FAILED
    told = f"no plan {session.args.digest} was shown lately" if wanted else "no plan was shown yet"
    raise Stop(exits.REFUSED, f"hamnctl confirm: {told}.", "try: hamnctl plan takeover")


def _ask(session: Session, plan: dict[str, Any]) -> str:
    """Show the card and ask for the new primary's name; anything but a name does nothing."""
    if session.screen.as_json or not (session.screen.is_terminal and sys.stdin.isatty()):
        raise Stop(
            exits.USAGE,
            "hamnctl confirm: without a terminal the digest and the name must be given.",
            f"try: hamnctl confirm {plan.get('digest')} --name NODE",
        )
    _show_card(session, plan)
    if blocking_gates(plan):
        told = "This plan cannot be confirmed: a gate blocks it."
        raise Stop(exits.REFUSED, told, *(f"try: {one}" for one in gates_lead_on(plan)))
    session.screen.flush()
    try:
        named = input(_question(plan)).strip()
    except EOFError:
        named = ""
    if not named:
        raise Stop(exits.REFUSED, "Nothing was done.")
    return named


def _question(plan: dict[str, Any]) -> str:
    """A setup with a drill makes this node primary for a while: it is asked for as such."""
    kind = "drill" if plan.get("with_drill") else str(plan.get("kind"))
    return QUESTIONS.get(kind, QUESTION)


def _show_card(session: Session, plan: dict[str, Any]) -> None:
    screen = session.screen
    if not screen.has_colour:
        screen.say(render_card(plan, screen.width))
        return
    from hamnd.cli.boxes import print_card

    print_card(plan, screen)


def _send(session: Session, digest: str, body: dict[str, Any]) -> dict[str, Any]:
    """Confirm once. A refusal because somebody else just confirmed it means: join that run."""
    answer = session.ask("confirm", body)
    if answer.status == REFUSED_STATUS:
        going = run_of(session.look("status"))
        if going is not None and going.get("digest") == digest:
            return {"run": going}
    return session.checked(answer)


def _join(session: Session, digest: str, run_: Any) -> int:
    told = f"Joining {run_.get('kind')} {digest}, confirmed by {run_.get('actor')}."
    if not session.screen.as_json:
        session.screen.say([told])
    return _follow(session, digest, {"run": run_})


def _follow(
    session: Session, digest: str, document: dict[str, Any], known: dict[str, Any] | None = None
) -> int:
    if session.args.detach:
        session.screen.show(document, render_run(document, session.screen.width))
        return exits.OK
    return follow(session, digest, known)
