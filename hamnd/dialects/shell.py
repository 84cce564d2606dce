"""The shell: how an exact argv becomes a line of text, and what an exit code says.

Owns the one quoting function and the one rendering of a request as a line that sh on this node can
run (card, digest, journal, runbook). Must not know any program's options or output, except those of
su, ssh and the standard input of a fence agent. A POSIX login shell is assumed on every host.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import assert_never

from hamnd.dialects.editing import sed_script
from hamnd.errors import PermanentError
from hamnd.model.names import Probe, Verdict
from hamnd.model.site import Site
from hamnd.model.work import (
    ActionRequest,
    Edit,
    Ending,
    Exec,
    Fence,
    FenceStatus,
    Look,
    LookRequest,
    Place,
    Pull,
    Reach,
    Read,
    Reading,
    Report,
    Spread,
    Swap,
)

_BARE = re.compile(r"[A-Za-z0-9_@%+:,./=-]+")
_KEYWORDS = re.compile(
    r"case|coproc|do|done|elif|else|esac|fi|for|function|if|in|select|then|time|until|while"
)
_OUTPUT_LINES_MAX = 3
_OUTPUT_CHARACTERS_MAX = 300


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where ssh reaches a node or witness, and as whom."""

    address: str
    port: int
    user: str
    key_alias: str = ""
    """By which name its host key is known; empty: by its address."""


def quote(argv: Sequence[str]) -> str:
    r"""Return one printable line that makes a POSIX shell run exactly this argv.

    Any text but NUL is carried, bytes included when they came in by ``surrogateescape``. What is
    not printable (a newline, an escape sequence, a stray byte) is written in octal, so that the
    line can be shown, logged and stored: ``eval "$(printf 'echo '\''a\012b'\''')"``.
    """
    return _one_line(_words(argv))


def local_argv(request: Exec, effective_user: str) -> tuple[str, ...]:
    """Return what to execute here: the exact argv, through su only when the user differs.

    `su -` begins with a fresh environment, so LANG=C is set behind it.
    """
    if request.user is None or request.user == effective_user:
        return request.argv
    return ("su", "-", request.user, "-c", _in_english(request.argv))


def remote_line(request: Exec, site: Site) -> str:
    """Return the command line that ssh hands to the login shell over there.

    sshd gives it a bare PATH, without xCAT's own directories: the site's come first, as here.
    Raises PermanentError for a host that the site does not have.
    """
    login_user = endpoint(site, request.host).user
    if request.user is None or request.user == login_user:
        return _in_english(request.argv, f"PATH={_single_quoted(site.tool_path)}:$PATH ")
    return quote(local_argv(request, login_user))


def endpoint(site: Site, host: str) -> Endpoint:
    """Return where ssh reaches a host. Raises PermanentError for a name the site does not have."""
    for node in (site.primary, site.standby):
        if node.name == host:
            # Where own addresses are exchanged, a host key is the machine's at every address.
            alias = node.name if site.identity_spare else ""
            return Endpoint(node.address, node.ssh_port, site.ssh.user, alias)
    for witness in site.witnesses:
        if witness.name == host:
            return Endpoint(witness.address, witness.ssh_port, witness.user)
    raise PermanentError(f"{host}: neither a management node nor a witness of this site")


def ssh_argv(site: Site, host: str) -> tuple[str, ...]:
    """Return the ssh command up to the destination; the remote line is its last argument."""
    where = endpoint(site, host)
    options = (
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        f"UserKnownHostsFile={site.ssh.known_hosts_file}",
        f"ConnectTimeout={max(1, ceil(site.ssh.connect_timeout_s))}",
        *((f"HostKeyAlias={where.key_alias}",) if where.key_alias else ()),
    )
    return (
        site.tool("ssh"),
        "-p",
        str(where.port),
        "-i",
        site.ssh.key_file,
        *(word for option in options for word in ("-o", option)),
        f"{where.user}@{where.address}",
    )


def preview(request: ActionRequest | LookRequest, site: Site) -> str:
    """Return one line that sh on this node, run by root, can execute instead of hamnd.

    A reach probe, which hamnd sends itself, is shown as the nearest program's call. Secrets of a
    fence device are read from their files, never shown. Programs with bare names are looked up on
    PATH; hamnd uses the site's `tools.path`.
    """
    match request:
        case Exec():
            return _one_line(_pipe(request.stdin) + _exec_text(request, site))
        case Spread():
            each = (_exec_text(Exec(host, request.argv), site) for host in request.hosts)
            return _one_line("{ " + " & ".join(each) + " & wait; }")
        case Edit():
            return _one_line(_edit_text(request, site))
        case Swap():
            return _swap_text(request)
        case Pull():
            return _one_line(_pull_text(request, site))
        case Fence() | FenceStatus():
            return _one_line(_fence_text(request.verb, site))
        case Reach():
            return quote(_reach_argv(request, site))
        case Read():
            return _one_line(_exec_text(Exec(request.host, ("cat", request.path)), site))
        case _:
            assert_never(request)


def declared(host: str, argv: tuple[str, ...], user: str | None, what: str) -> Look:
    """Return a look that runs a command of the site's own, which only reads by the site's word."""
    return Look(
        Exec(host, argv, user),
        reads="shell.exit_zero",
        expects=f"{what} (declared by the site to read only)",
    )


def read_exit_zero(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """Judge a program by its exit code alone: 0 is PASS, any other BLOCK with its last lines."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    if report.exit_code == 0:
        return Reading(Verdict.PASS, last_lines(report) or "exit code 0")
    said = last_lines(report) or "it said nothing"
    return Reading(Verdict.BLOCK, f"exit code {report.exit_code}: {said}")


def unanswered(report: Report) -> Reading | None:
    """Return UNKNOWN for every report in which no program told its own end, else None.

    That nothing was even sent means "not done" for an action, but nothing at all for a look; the
    reader cannot know which it reads, `hamnd.dialects.readers.read_action` does.
    """
    if report.ending is Ending.EXITED and report.exit_code is not None:
        return None
    words = {
        Ending.EXITED: "ended without an exit code",
        Ending.REFUSED: "the host refused the connection",
        Ending.NO_REPLY: "no reply within the limit",
        Ending.TIMED_OUT: "ran into our time limit",
        Ending.COULD_NOT_RUN: "could not be run",
        Ending.LOST: "the connection broke before the answer",
    }[report.ending]
    return Reading(Verdict.UNKNOWN, f"{words}: {report.detail}" if report.detail else words)


def unreadable(report: Report) -> Reading:
    """Return UNKNOWN for an answer that came and could not be understood, or did not come."""
    said = last_lines(report) or "it said nothing"
    return unanswered(report) or Reading(
        Verdict.UNKNOWN, f"unreadable (exit code {report.exit_code}): {said}"
    )


def last_lines(report: Report, stream: str | None = None) -> str:
    """Return the last lines a program said (standard error first when it spoke there), joined."""
    text = stream if stream is not None else (report.stderr.strip() or report.stdout)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-_OUTPUT_LINES_MAX:])[-_OUTPUT_CHARACTERS_MAX:]


def _words(argv: Sequence[str]) -> str:
    """Join words; the first one must be read as a command, never as an assignment or keyword."""
    words = [word if _BARE.fullmatch(word) else _single_quoted(word) for word in argv]
    if words and ("=" in words[0] or _KEYWORDS.fullmatch(words[0])):
        words[0] = _single_quoted(argv[0])
    return " ".join(words)


def _single_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _in_english(argv: Sequence[str], settings: str = "") -> str:
    """Return the line in the C locale: parsers read English (db2-hadr.md §1, xcat-hamn.md §4)."""
    return _one_line(f"{settings}LC_ALL=C LANG=C " + _words(argv))


def _one_line(text: str) -> str:
    """Return shell text as one printable line; text that has to be escaped is evaluated."""
    if text.isprintable():
        return text
    escaped = "".join(_octal(character) for character in text)
    if escaped.startswith("-"):  # printf would take it for an option
        escaped = "\\055" + escaped[1:]
    return f'eval "$(printf {_single_quoted(escaped)})"'


def _octal(character: str) -> str:
    """Return a character as printf's format operand has it."""
    if character in "\\%":
        return character * 2
    if character.isprintable():
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode(errors="surrogateescape"))


def _pipe(stdin: str | None) -> str:
    """Return the left side of a pipe that delivers `stdin` byte by byte."""
    if stdin is None:
        return ""
    if not stdin:
        return "printf '' | "
    lines = stdin.removesuffix("\n").split("\n")
    directives = "\\n".join("%s" for _ in lines) + ("\\n" if stdin.endswith("\n") else "")
    if len(lines) > 1 and stdin.endswith("\n"):
        directives = "%s\\n"  # printf uses its format again for every further operand
    return " ".join(["printf", f"'{directives}'", *(_single_quoted(line) for line in lines), "| "])


def _exec_text(request: Exec, site: Site) -> str:
    if request.host == site.node:
        return _words(local_argv(request, "root"))
    return _words((*ssh_argv(site, request.host), remote_line(request, site)))


def _edit_text(request: Edit, site: Site) -> str:
    """Return the edit by line numbers; a text that is not the expected one is left alone."""
    tells = _exec_text(Exec(request.host, request.tells), site)
    takes = _exec_text(Exec(request.host, request.takes), site)
    check = _words(("grep", "-q", f"^{request.expected_sha256}"))
    change = _words(("sed", "-E" if request.swaps else "-e", sed_script(request)))
    return f"{tells} | sha256sum | {check} && {tells} | {change} | {takes}"


def _swap_text(request: Swap) -> str:
    """Return the switch by hand, in two renames where hamnd needs one."""
    return " && ".join(_place_text(one) for one in request.places)


def _place_text(place: Place) -> str:
    there = _words(("test", "-e", place.target))
    keep = _words(("mv", place.target, place.kept))
    staged, drop = _words(("test", "-e", place.staged)), _words(("rm", "-rf", place.kept))
    switch = _words(("mv", place.staged, place.target))
    return f"if {staged}; then {drop} && {{ ! {there} || {keep}; }} && {switch}; fi"


def rsync_filter(name: str) -> str:
    """Return a name as rsync's filters take it, so that it matches itself alone.

    A backslash is one there unless the pattern has a wildcard (rsync(1), PATTERN MATCHING RULES).
    """
    return re.sub(r"([\\*?\[])", r"\\\1", name) if re.search(r"[*?\[]", name) else name


def _pull_text(request: Pull, site: Site) -> str:
    """Return the pull by hand: a plain rsync of every path, which brings the same trees here."""
    shell = _words((*ssh_argv(site, request.source)[:-1],))
    where = endpoint(site, request.source)
    host = f"[{where.address}]" if ":" in where.address else where.address
    dry = ("-n", "-i") if request.is_dry else ()
    limits = (f"--bwlimit={request.bandwidth_kib}",) if request.bandwidth_kib else ()
    lines = []
    for path in request.paths:
        inside = path if path.endswith("/") else path.rpartition("/")[0] + "/"
        left_out = (
            f"--exclude=/{rsync_filter(one.removeprefix(inside))}"
            for one in request.exclude
            if one.startswith(inside)
        )
        only = (*(f"--include=/{one}" for one in request.only), "--exclude=*")
        what = only if request.only else ("--delete",)
        options = ("-aHs", *dry, *limits, *left_out, *what, "-e", shell)
        lines.append(_words((site.tool("rsync"), *options, f"{where.user}@{host}:{path}", path)))
    return " && ".join(lines)


def _fence_text(verb: str, site: Site) -> str:
    """Return the agent's call; ClusterLabs agents skip empty lines on their standard input.

    The verb goes last, as the adapter sends it: agents take the last of two lines with one key.
    """
    fence = site.fence
    options = [f"{key}={value}" for key, value in fence.options.items()]
    agent = _words((fence.agent or "fence-agent-not-configured",))
    if not fence.secret_files:
        feed = _words(("printf", "%s\\n", *options, f"action={verb}"))
        return f"{feed} | {agent}"
    parts = [_words(("printf", "%s\\n", *options))] if options else []
    for key, path in fence.secret_files.items():
        parts += [_words(("printf", "%s", f"{key}=")), _words(("cat", path)), "echo"]
    parts.append(_words(("echo", f"action={verb}")))
    return f"{{ {'; '.join(parts)}; }} | {agent}"


def _reach_argv(request: Reach, site: Site) -> tuple[str, ...]:
    """Return the program that asks what hamnd asks itself."""
    port = "" if request.port is None else str(request.port)
    match request.probe:
        case Probe.PING | Probe.GATEWAY:
            return (site.tool("ping"), "-n", "-c", "1", "-w", "2", request.address)
        case Probe.TCP:
            return ("nc", "-z", "-w", "2", request.address, port)
        case Probe.SSH_BANNER:
            return ("ssh-keyscan", "-T", "2", "-p", port, request.address)
        case Probe.XCATD:
            return (
                "env",
                f"XCATHOST={request.address}:{port}",
                site.tool("lsxcatd"),
                "-v",
            )
        case _:
            assert_never(request.probe)
