"""Makes the manual pages and the shells' completion from the parsers, the keys and the metrics.

`python man/build.py` (`make generated`) writes man/ and completion/; a test holds both together.
Owns the pages' order and the prose that no parser knows. What can be told by the code is.
"""

from __future__ import annotations

import argparse
import re
import shlex
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

import shtab

from hamnd import __version__
from hamnd.cli.main import COMMANDS, whole_parser
from hamnd.settings import SCHEMA
from hamnd.settings.sample import NAMES, toml_value
from hamnd.settings.schema import REQUIRED, SAME, Key, Section
from hamnd.views.gaps import BOUNDS_S, Gaps
from hamnd.views.samples import Measures, Metric, samples
from hamnd.views.status import status_document
from tests.builders import situations

ROOT = Path(__file__).resolve().parents[1]

CODES = (
    ("0", "It went well; for ready: a takeover would work now."),
    ("1", "It failed."),
    ("2", "Wrong usage, or a configuration that is refused."),
    ("3", "Not ready, or refused: nothing was done."),
    ("4", "A step failed; the run is paused."),
    ("5", "The outcome is unknown: it may have happened. Look at the status, repeat nothing."),
    ("6", "The daemon is unreachable, and no journal answers for it."),
)
ENVIRONMENT = (
    ("HAMND_SOCKET", "Control socket, where --socket is not given."),
    ("HAMND_STATE_DIR", "Folder of the journal, where --state-dir is not given."),
    ("NO_COLOR", "Any value: no colours. Words and marks say the same."),
)
FILES = (
    ("/etc/hamnd/hamnd.toml", "The configuration: hamnd.toml(5)."),
    ("/run/hamnd/hamnd.sock", "The control socket. On AIX /var/run/hamnd/hamnd.sock."),
    ("/var/lib/hamnd", "Journal, reports, and the journal's reserve. On AIX /var/hamnd."),
)
SIGNALS = (
    ("SIGTERM, SIGINT", "Start nothing more, let the running action end, then stop."),
    ("SIGHUP", "Read the configuration again and apply it whole, or not at all and say why."),
)
LOG_KEYS = (
    ("timestamp", "When, UTC, ISO 8601."),
    ("level", "info; warning: a person should know; error: not done; critical: action is halted."),
    ("logger", "The module that says it."),
    ("event", "What happened, in the past tense; decided is the canonical line."),
    ("event_id", "Number of the event within this process: every line about it carries it."),
    ("event_kind", "Which event was decided."),
    ("old_state, new_state", "The state before and after."),
    ("because", "Why, in a sentence."),
    ("rows", "Rows of the table of states that fired (T01, ...)."),
    ("commands", "What was started because of it."),
    ("records", "What was journalled."),
    ("conditions", "Conditions that changed, as Type=Status(Reason)."),
    ("mode", "observe_only; left out in mode normal."),
    ("refused_by, refusal", "The gate that refused a request, and its sentence."),
    ("digest, step", "Plan and step, within a run."),
    ("duration_ms", "How long the decision took, writing included."),
)  # fmt: skip
"""The keys of the canonical log line; empty ones are left out of it."""


def _roff(text: str) -> str:
    """Return text as roff takes it: nothing of it is a request or an escape."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return re.sub(r"(?m)^\.", r"\\&.", text)


def _paragraph(text: str) -> str:
    return f".PP\n{_folded(text)}"


def _folded(text: str) -> str:
    """Return a sentence on lines of a readable length."""
    return _roff("\n".join(textwrap.wrap(" ".join(text.split()), 72)))


def _terms(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, text in pairs:
        yield f".TP\n.B {_roff(term)}\n{_folded(text)}"


def _title(name: str, section: int, what: str) -> list[str]:
    """Return the head of a page. It carries no date: the version says which hamnd it is of."""
    return [
        '.\\" Made by man/build.py: change that, or what it is made from.',
        f'.TH {name.upper()} {section} "" "hamnd {__version__}" "xCAT high availability"',
        f".SH NAME\n{name} \\- {_roff(what)}",
    ]


def _page(lines: Iterable[str]) -> str:
    """Return the lines as one page; right below a heading no paragraph begins."""
    return re.sub(r"(?m)^(\.S[HS] .*\n)\.PP\n", r"\1", "\n".join(lines)) + "\n"


def _options(parser: argparse.ArgumentParser, *, hidden: frozenset[str]) -> Iterator[str]:
    """Yield every option and operand of a parser with its help."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) or hidden & {*action.option_strings}:
            continue
        name = action.metavar or action.dest.upper().replace("_", "-")
        name = " ".join(name) if isinstance(name, tuple) else name
        if action.choices and not action.metavar:
            name = "|".join(map(str, action.choices))
        value = "" if action.nargs == 0 else f" {name}"
        told = ", ".join(f"{one}{value}" for one in action.option_strings) or name
        yield from _terms([(told, str(action.help or "") % {"default": action.default})])


def commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parser of every command of hamnctl."""
    (found,) = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(found.choices)


def _usage(parser: argparse.ArgumentParser) -> str:
    text = " ".join(parser.format_usage().split()).removeprefix("usage: ")
    return re.sub(r" \[(-h|--json|--socket PATH|--state-dir DIR)\]", "", text)


def hamnctl() -> str:
    """Return the page of hamnctl."""
    parser = whole_parser()
    common = frozenset({"-h", "--json", "--socket", "--state-dir"})
    lines = _title("hamnctl", 1, "look after a pair of xCAT management nodes")
    lines += [".SH SYNOPSIS", ".B hamnctl\n[\\fIoption\\fR ...] \\fIcommand\\fR [...]"]
    lines += [".SH DESCRIPTION", _paragraph(parser.description or "")]
    lines.append(_paragraph(
        "hamnctl asks the daemon on this node, hamnd(8), over its control socket, and needs no "
        "configuration. Where no daemon answers, looking falls back to the journal: the age comes "
        "first, and ready never exits 0. Looking changes nothing. A change is two commands: one "
        "that shows a plan with its digest, and confirm. Closing the terminal ends no run."
    ))  # fmt: skip
    lines += [".SH OPTIONS", _paragraph("Every command takes these, before or after its name.")]
    lines += _options(parser, hidden=frozenset())
    lines.append(".SH COMMANDS")
    for name, one in commands(parser).items():
        lines += [
            f".SS {_roff(_usage(one).removeprefix('hamnctl '))}",
            _roff(one.description or ""),
        ]
        lines += _options(one, hidden=common)
        lines.append(f".PP\nExample:\n.RS\n.nf\n{_roff(COMMANDS[name][2])}\n.fi\n.RE")
    lines += [".SH EXIT STATUS", *_terms(CODES)]
    lines += [".SH ENVIRONMENT", *_terms(ENVIRONMENT)]
    lines += [".SH FILES", *_terms(FILES)]
    lines += [".SH SEE ALSO", ".BR hamnd (8),\n.BR hamnd.toml (5)"]
    return _page(lines)


def hamnd() -> str:
    """Return the page of the daemon."""
    from hamnd.daemon.main import _parser
    from hamnd.daemon.survey import parser as init_parser

    lines = _title("hamnd", 8, "watch a pair of xCAT management nodes, guide a confirmed takeover")
    lines += [".SH SYNOPSIS", ".B hamnd \\-\\-config\n.I FILE\n[\\fB\\-\\-check\\fR]"]
    lines += [".br\n.B hamnd demo\n[\\fB\\-\\-auto\\fR] [\\fB\\-\\-dir\\fR \\fIDIR\\fR]"]
    lines += [".br\n.B hamnd init\n[\\fIOPTION\\fR ...]"]
    lines += [".br\n.B hamnd import\\-cron\n[\\fB\\-\\-system\\fR] [\\fIFILE\\fR]"]
    lines += [".SH DESCRIPTION", _paragraph(
        "hamnd runs on the standby management node. It watches replication, copied files and the "
        "primary from several vantage points, says what a takeover would lose, and keeps proving "
        "that one would work. It never takes over by itself: when an operator confirms a plan with "
        "hamnctl(1), it carries out the steps, each journalled, verified and resumable."
    ), _paragraph(
        "It stays in the foreground, tells the service manager when it is ready, and logs to "
        "standard error. A dead hamnd disturbs no database, service or address."
    )]  # fmt: skip
    lines += [".SH OPTIONS", *_options(_parser(), hidden=frozenset({"-h"}))]
    lines += [".SH A FIRST CONFIGURATION", _paragraph(
        "hamnd init looks at this host (cfgloc, xCAT's site table, addresses, the way out, "
        "root's crontab) and proposes a configuration, with the reason for each value; what no "
        "look at one host can tell is named. hamnd import-cron reads a crontab that copies files "
        "(- is standard input) and proposes file sets that do the same. Neither changes anything."
    ), *_options(init_parser(), hidden=frozenset({"-h"}))]  # fmt: skip
    lines += [".SH THE DEMO", _paragraph(
        "hamnd demo starts a simulated site on loopback addresses with the real daemon in it, and "
        "prints how to break it. It needs no root and no database. With --auto it plays one whole "
        "takeover and exits 0 only if everything held."
    )]  # fmt: skip
    lines += [".SH SIGNALS", *_terms(SIGNALS)]
    lines += [".SH LOG", _paragraph(
        "One JSON object in each line, unless standard error is a terminal. Of every decision that "
        "changed something there is one canonical line, whose event is decided."
    ), *_terms(LOG_KEYS)]  # fmt: skip
    lines += [".SH PAGES", _paragraph(
        "On metrics.listen hamnd serves, read-only: / (a live page for people), /events (its "
        "stream), /status.json (the document of hamnctl status --json) and /metrics. With "
        "metrics.certificate_file they are HTTPS, with metrics.users_file they ask for a password."
    )]  # fmt: skip
    lines += [".SH METRICS", *_terms(metrics())]
    lines += [".SH EXIT STATUS", *_terms((("0", "Stopped as told."), ("1", "It cannot run here."),
                                          ("2", "The configuration is refused.")))]  # fmt: skip
    lines += [".SH FILES", *_terms(FILES)]
    lines += [".SH SEE ALSO", ".BR hamnctl (1),\n.BR hamnd.toml (5)"]
    return _page(lines)


def metrics() -> list[tuple[str, str]]:
    """Return every metric with its labels and help, as the code tells them."""
    found: dict[str, Metric] = {}
    gaps = {"ping": Gaps((0,) * (len(BOUNDS_S) + 1), 0.0)}
    measures = Measures("", {"ping": 1.0}, 1.0, gaps)
    for one in situations().values():
        document = status_document(one.state, one.now, one.terms)
        document |= {
            "files": [{"set": "s", "fresh_as_of": 1, "stale_after_s": 1,
                       "last_run": {"duration_s": 1}}],
            "hold": {"since": 1, "until": 1}, "last_drill_at": 1, "last_rehearsal_at": 1,
            "people": {"confirm_p95_s": 1},
            "data_loss": {**document["data_loss"], "bytes": 1, "seconds": 1},
        }  # fmt: skip
        if document["replication"]:
            document["replication"]["gap_average_bytes"] = 1
        for metric in samples(document, one.state, measures):
            found.setdefault(metric.name, metric)
    told = []
    for name, metric in sorted(found.items()):
        labels = f"{{{','.join(metric.labels)}}}" if metric.labels else ""
        told.append((f"{name}{labels}", metric.help))
    return told


def hamnd_toml() -> str:
    """Return the page of the configuration."""
    lines = _title("hamnd.toml", 5, "configuration of hamnd")
    lines += [".SH DESCRIPTION", _paragraph(
        "One TOML file. Unknown keys are refused, with the nearest known name; all problems are "
        "told at once by hamnctl check-config FILE. SIGHUP makes a running hamnd read it again. "
        "Secrets are paths to files, never values. There is a complete sample for each database "
        "engine."
    )]  # fmt: skip
    for section in SCHEMA.sections:
        lines += _section(section)
    lines += [".SH FILES", *_terms(FILES[:1])]
    lines += [".SH SEE ALSO", ".BR hamnd (8),\n.BR hamnctl (1)"]
    return _page(lines)


def _section(section: Section) -> Iterator[str]:
    title = f"[[{section.path}]]" if section.many else f"[{section.path}]"
    yield f".SH {_roff(title if section.path else 'TOP OF THE FILE')}"
    yield _paragraph(section.doc.replace("{engine}", "its engine"))
    if section.engine:
        yield _paragraph(f"Only with replication.engine = {section.engine}.")
    for key in SCHEMA.keys_of(section.path):
        yield from _terms([(key.name, f"{key.doc} {_facts(key)} Change: {key.change}")])


def _facts(key: Key) -> str:
    facts = [f"Unit: {key.unit}."] if key.unit else []
    if key.default is REQUIRED:
        facts.append("Required.")
    elif key.default is None:
        facts.append("Default: not set.")
    else:
        facts.append(f"Default: {toml_value(key.default)}.")
    if key.aix is not SAME and key.default is not REQUIRED:
        facts.append(f"On AIX: {toml_value(key.aix)}.")
    if key.engine:
        facts.append(f"Of {NAMES.get(key.engine, key.engine)}.")
    return " ".join([*facts, f"Allowed: {key.kind.allowed}."])


def fish() -> str:
    """Return the completion for fish, which shtab does not write."""
    parser = whole_parser()
    lines = ["# Made by man/build.py.", "complete -c hamnctl -f"]
    lines += [_fish_option(action, "") for action in parser._actions if action.option_strings]
    for name, one in commands(parser).items():
        does = shlex.quote(COMMANDS[name][1])
        lines.append(f"complete -c hamnctl -n __fish_use_subcommand -a {name} -d {does}")
        when = f" -n '__fish_seen_subcommand_from {name}'"
        for action in one._actions:
            if action.option_strings and action.help != argparse.SUPPRESS:
                lines.append(_fish_option(action, when))
            elif action.choices:
                words = " ".join(map(str, action.choices))
                lines.append(f"complete -c hamnctl{when} -a {shlex.quote(words)}")
            elif action.metavar == "FILE":
                lines.append(f"complete -c hamnctl{when} -F")
    return "\n".join(lines) + "\n"


def _fish_option(action: argparse.Action, when: str) -> str:
    names = " ".join(
        f"-l {one[2:]}" if one.startswith("--") else f"-s {one[1:]}"
        for one in action.option_strings
    )
    takes = "" if action.nargs == 0 else " -r"
    takes += f" -a {shlex.quote(' '.join(map(str, action.choices)))}" if action.choices else ""
    takes += " -F" if action.metavar in ("FILE", "PATH", "DIR") else ""
    told = textwrap.shorten(str(action.help or ""), 70, placeholder="...")
    return f"complete -c hamnctl{when} {names}{takes} -d {shlex.quote(told)}"


def build() -> dict[str, str]:
    """Return every generated file by its place in the repository."""
    parser = whole_parser()
    return {
        "man/hamnctl.1": hamnctl(),
        "man/hamnd.8": hamnd(),
        "man/hamnd.toml.5": hamnd_toml(),
        "completion/hamnctl.bash": shtab.complete(parser, "bash"),
        "completion/_hamnctl": shtab.complete(parser, "zsh"),
        "completion/hamnctl.fish": fish(),
    }


if __name__ == "__main__":
    for name, text in build().items():
        (ROOT / name).write_text(text, encoding="utf-8")
