"""plan, skip, abort, conclude, attest, clear, journal: one request, one answer.

Owns these commands. Must not follow a run (confirming) nor judge an answer: the daemon refuses.
"""

from __future__ import annotations

import argparse
from typing import Any

from hamnd import wire
from hamnd.cli import exits
from hamnd.cli.session import Session, Stop
from hamnd.model.names import LOSS_CLASSES
from hamnd.views.card import blocking_gates, render_plan

REASON = "why; it goes to the journal and the report"


def configure(parser: argparse.ArgumentParser, command: str) -> None:
    """Add the arguments of one of these commands."""
    match command:
        case "plan":
            _configure_plan(parser)
            return
        case "skip":
            parser.add_argument("step", metavar="STEP", help="id of the step")
        case "attest":
            parser.add_argument("what", choices=["primary-off"], help="what you give your word for")
            parser.add_argument(
                "--how", choices=wire.ATTEST_HOW, required=True, help="how you know it"
            )
        case "abort":
            parser.add_argument("--verbose", action="store_true", help="every command")
        case "journal":
            parser.add_argument("what", choices=["restart"], help="set it aside, begin a new one")
    parser.add_argument("--reason", metavar="TEXT", required=True, help=REASON)


def _configure_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=wire.PLAN_KINDS, metavar="KIND",
                        help=", ".join(wire.PLAN_KINDS))  # fmt: skip
    parser.add_argument(
        "--continue", dest="is_successor", action="store_true",
        help="a successor of the paused run: finished steps are kept",
    )  # fmt: skip
    parser.add_argument("--verbose", action="store_true", help="every gate and every command")
    parser.add_argument(
        "--convert", dest="with_conversion", action="store_true",
        help="setup: have xCAT's tables name the service address, each row shown before and after",
    )  # fmt: skip
    parser.add_argument(
        "--drill", dest="with_drill", action="store_true",
        help="setup: end with the guide's test, there and back with a node defined before it",
    )  # fmt: skip
    parser.add_argument(
        "--accept-loss",
        choices=LOSS_CLASSES,
        metavar="CLASS",
        help="accept the printed class of loss: " + ", ".join(LOSS_CLASSES),
    )
    parser.add_argument(
        "--override", metavar="GATE", action="append", default=[],
        help="override one gate by name; repeatable, each with its --reason",
    )  # fmt: skip
    parser.add_argument("--reason", metavar="TEXT", action="append", default=[], help=REASON)


def run(session: Session) -> int:
    """Carry out the command."""
    args = session.args
    match args.command:
        case "plan":
            return _show_plan(session, session.change("plan", _plan_body(args)))
        case "abort":
            return _show_plan(session, session.change("abort", {"reason": args.reason}))
        case "skip":
            body = {"step": args.step, "reason": args.reason}
            return _show_run(session, session.change("skip", body))
        case "conclude":
            return _show_run(session, session.change("conclude", {"reason": args.reason}))
        case "attest":
            return _done(session, "attest", {"how": args.how, "reason": args.reason})
        case "clear":
            return _done(session, "clear", {"reason": args.reason})
        case _:
            return _done(session, "journal-restart", {"reason": args.reason})


def _plan_body(args: argparse.Namespace) -> dict[str, Any]:
    if len(args.override) != len(args.reason):
        raise Stop(
            exits.USAGE,
            f"hamnctl plan: {len(args.override)} gates to override, {len(args.reason)} reasons: "
            "each --override needs its own --reason.",
            "try: hamnctl plan takeover --override GATE --reason TEXT",
        )
    body: dict[str, Any] = {"kind": args.kind}
    if args.accept_loss:
        body["accept_loss"] = args.accept_loss
    if args.override:
        pairs = zip(args.override, args.reason, strict=True)
        body["overrides"] = [{"gate": gate, "reason": reason} for gate, reason in pairs]
    if args.is_successor:
        body["continue"] = True
    if args.with_drill:
        body["drill"] = True
    if args.with_conversion:
        body["convert"] = True
    return body


def _show_plan(session: Session, document: dict[str, Any]) -> int:
    """Show a plan; one that a gate blocks cannot be confirmed, and the exit code says so."""
    verbose = bool(getattr(session.args, "verbose", False))
    session.screen.show(document, render_plan(document, verbose, session.screen.width))
    return exits.REFUSED if blocking_gates(document) else exits.OK


def _show_run(session: Session, document: dict[str, Any]) -> int:
    from hamnd.views.run import render_run, run_of

    if run_of(document) is None:
        text = f"{session.args.command}: done.   hamnctl status · hamnctl report"
        session.screen.show(document, [text])
    else:
        session.screen.show(document, render_run(document, session.screen.width))
    return exits.OK


def _done(session: Session, verb: str, body: dict[str, Any]) -> int:
    document = session.change(verb, body)
    told = str(document.get("done") or "done")
    session.screen.show(document, [f"{told}.", "NEXT    hamnctl status"])
    return exits.OK
