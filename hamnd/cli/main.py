"""Entry of `hamnctl`: which command, with which options; loads the one command group it needs.

Owns the list of commands, their help and the end of the process: codes, broken pipes, ctrl-C.
Must not know how a command works. Looking never changes anything; a change is plan, then confirm.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from hamnd import __version__
from hamnd.cli import exits
from hamnd.cli.client import Unreachable
from hamnd.cli.screen import Screen
from hamnd.cli.session import Session, Stop

COMMANDS: dict[str, tuple[str, str, str]] = {
    "status": ("looking", "Show what this node is, what would be lost, what to run next",
               "hamnctl status --watch"),
    "ready": ("looking", "Tell whether a takeover would work now; exit 0 only when it would",
              "hamnctl ready || hamnctl explain"),
    "explain": ("looking", "Explain this state: the evidence, and what would change it",
                "hamnctl explain replication"),
    "witnesses": ("looking", "Show what each service node reaches of the primary",
                  "hamnctl witnesses"),
    "guard": ("looking", "Tell what hamn-guard answers here, and why",
              "hamnctl guard"),
    "files": ("looking", "Show what is copied here, how fresh it is, and what differs",
              "hamnctl files"),
    "sync": ("syncing", "Copy file sets from the primary now, and show how far they are",
             "hamnctl sync install --verify"),
    "history": ("reading", "List what the journal recorded, oldest first",
                "hamnctl history --last 100 --verify"),
    "report": ("reading", "Show the report of a takeover: who, when, what was lost",
               "hamnctl report 7f3a-91c2 --markdown"),
    "runbook": ("runbook", "Print the whole takeover by hand, with this site's values",
                "hamnctl runbook --config /etc/hamnd/hamnd.toml"),
    "plan": ("planning", "Plan a takeover and show the card; changes nothing",
             "hamnctl plan takeover --override fence --reason 'cables pulled, rack 12'"),
    "confirm": ("confirming", "Confirm a plan by its digest and follow its steps",
                "hamnctl confirm 7f3a-91c2"),
    "retry": ("confirming", "Let a paused run go on after the cause was repaired",
              "hamnctl retry"),
    "skip": ("planning", "Leave one step of a paused run out",
             "hamnctl skip dhcp --reason 'no nodes boot today'"),
    "abort": ("planning", "Show the plan that undoes a paused run; confirm starts it",
              "hamnctl abort --reason 'aixmn1 is back'"),
    "conclude": ("planning", "End a paused run past its point of no return, open steps and all",
                 "hamnctl conclude --reason 'consoles follow on Monday'"),
    "attest": ("planning", "Give your word that the primary is off",
               "hamnctl attest primary-off --how seen --reason 'LEDs are dark, rack 12'"),
    "rehearse": ("rehearsing", "Take every look of a takeover's steps now; changes nothing",
                 "hamnctl rehearse"),
    "hold": ("holds", "Silence the pages of this pair while somebody works on it",
             "hamnctl hold --for 4h --reason 'new kernel on aixmn1'"),
    "unhold": ("holds", "End the hold: paging and rehearsals go on",
               "hamnctl unhold"),
    "ack": ("holds", "Say that you looked at a finished takeover; a second one needs it",
            "hamnctl ack 7f3a-91c2"),
    "clear": ("planning", "End mode observe_only after its cause is gone",
              "hamnctl clear --reason 'disk was full, freed 4 GiB'"),
    "journal": ("planning", "Set a damaged journal aside and begin a new one",
                "hamnctl journal restart --reason 'file system was repaired'"),
    "check-config": ("checking", "Check a configuration: all problems at once",
                     "hamnctl check-config /etc/hamnd/hamnd.toml --here"),
    "parse": ("checking", "Parse the output of a Db2 tool into JSON",
              "db2pd -hadr -db XCATDB | hamnctl parse db2pd"),
}  # fmt: skip
"""Command -> (module of its group, what it does, an example)."""

EPILOG = """\
Without a command line option, HAMND_SOCKET and HAMND_STATE_DIR say where the daemon and its
journal are. Exit codes: 0 ok, 1 failed, 2 usage or bad configuration, 3 not ready or refused,
4 step failed, 5 outcome unknown, 6 daemon unreachable.

example: hamnctl status"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run hamnctl with these arguments (default: the process's own) and return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    screen = Screen()
    try:
        code = _run(arguments, screen)
        screen.flush()
    except KeyboardInterrupt:
        screen.complain("")
        code = exits.INTERRUPTED
    except BrokenPipeError:
        # Nobody reads any more; what Python would still flush at exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = exits.BROKEN_PIPE
    return code


def _run(arguments: list[str], screen: Screen) -> int:
    common, rest = _hoisted(arguments)
    parser = _parser(next((word for word in rest if word in COMMANDS), None))
    try:
        args = parser.parse_args([*common, *rest])
    except SystemExit as ended:  # argparse has said why
        return ended.code if isinstance(ended.code, int) else exits.USAGE
    if args.command is None:
        parser.print_help(sys.stderr)
        return exits.USAGE
    module = importlib.import_module(f"hamnd.cli.{COMMANDS[args.command][0]}")
    session = Session(args, screen)
    try:
        code: int = module.run(session)
    except Stop as stop:
        screen.complain(*stop.lines)
        return stop.code
    except Unreachable as error:
        screen.complain(f"hamnctl: {error}.", f"try: {error.hint}")
        return exits.UNREACHABLE
    return code


def _hoisted(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the options that every command takes, and the rest, which begins with the command.

    argparse takes an optional operand for absent when an option stands before it, as in
    ``parse db2pd --json FILE``: options that may stand anywhere are taken out of its way.
    """
    common: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--json" or word.startswith(("--socket=", "--state-dir=")):
            common.append(word)
        elif word in ("--socket", "--state-dir"):
            common += [word, *([value] if (value := next(words, None)) is not None else [])]
        elif word in ("--reason", "--"):  # what follows is a value, or operands alone
            rest += [word, *([value] if (value := next(words, None)) is not None else [])]
        else:
            rest.append(word)
    return common, rest


def _common(default: object) -> argparse.ArgumentParser:
    """Options that every command takes, before or after its name."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--json", action="store_true", default=default or False, help="print one JSON document"
    )
    common.add_argument(
        "--socket", metavar="PATH", default=default, help="control socket of the daemon"
    )
    common.add_argument("--state-dir", metavar="DIR", default=default, help="folder of the journal")
    return common


def whole_parser() -> argparse.ArgumentParser:
    """Return the parser with every command in full: manuals and completion are made from it."""
    return _parser(None, is_whole=True)


def _parser(command: str | None, *, is_whole: bool = False) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hamnctl",
        description="Look after a pair of xCAT management nodes. Looking never changes anything; "
        "a change is always two commands: plan, then confirm.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_common(None)],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"hamnctl {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    shown = COMMANDS if command is None else [command]
    for name in shown:
        module_name, does, example = COMMANDS[name]
        one = commands.add_parser(
            name,
            help=does,
            description=f"{does}.",
            epilog=f"example: {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[_common(argparse.SUPPRESS)],
            allow_abbrev=False,
        )
        if is_whole or name == command:
            importlib.import_module(f"hamnd.cli.{module_name}").configure(one, name)
    return parser


if __name__ == "__main__":
    sys.exit(main())
