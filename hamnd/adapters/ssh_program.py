"""Runs programs on another host with the `ssh` program, one connection per call.

Owns `OpensshRunner`: the transport where asyncssh cannot be had (AIX, aix.md §9). Must not start
processes itself: it is given the runner of this node.

ssh ends with the remote command's code, or with 255 when ssh itself failed. To tell the two 255s
apart, and to know whether the command had begun, the remote shell writes a line to standard error
before and after it. Without proof that nothing was sent, a failure counts as LOST.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

from hamnd.dialects.shell import endpoint, remote_line, ssh_argv
from hamnd.model.site import Site
from hamnd.model.work import Ending, Exec, Report
from hamnd.ports import Clock, CommandRunner, Placed, as_configured

BEGAN = "hamnd-remote-began"
ENDED = "hamnd-remote-ended"
SSH_FAILED = 255

OPTIONS = (
    "-T",
    "-o",
    "LogLevel=ERROR",  # no login banners among the messages
    "-o",
    "ControlPath=none",  # a hanging shared connection would hang every call
    "-o",
    "ClearAllForwardings=yes",
    "-o",
    "ServerAliveInterval=2",
    "-o",
    "ServerAliveCountMax=2",
)

_ENDED = re.compile(rf"\n{ENDED} (\d+)\n")
_REFUSED = re.compile(r"connect to (?:host|address) .*: Connection refused")
_NOTHING_SENT = re.compile(
    r"connect to (?:host|address) "
    r"|Could not resolve hostname"
    r"|Host key verification failed"
    r"|REMOTE HOST IDENTIFICATION HAS CHANGED"
    r"|Permission denied \("
    r"|Too many authentication failures"
    r"|kex_exchange_identification:"
    r"|[Bb]anner exchange"
    r"|Unable to negotiate"
    r"|Bad owner or permissions"
    r"|Bad configuration option"
    r"|command-line: line \d+:"
)


class OpensshRunner:
    """Runs programs on one host (port `CommandRunner`)."""

    def __init__(
        self,
        site: Site,
        host: str,
        runner: CommandRunner,
        clock: Clock,
        placed: Placed = as_configured,
    ) -> None:
        """Take the runner of this node, which starts ssh; `placed` tells where hosts are.

        Raises:
            PermanentError: the site has no host of that name.
        """
        self._endpoint = endpoint(site, host)
        self._site = site
        self._placed = placed
        self._node = site.node
        self._known_hosts_file = site.ssh.known_hosts_file
        self._connect_timeout_s = site.ssh.connect_timeout_s
        self._host = host
        self._runner = runner
        self._clock = clock

    async def run(self, request: Exec, timeout_s: float) -> Report:
        """Run the program there; past `timeout_s` ssh is ended and NO_REPLY reported."""
        line = remote_line(request, self._site)
        script = (
            f"echo {BEGAN} >&2\n{line}\nhamnd_code=$?\n"
            f"printf '\\n%s %s\\n' {ENDED} $hamnd_code >&2\nexit $hamnd_code"
        )
        site = self._placed(self._site)
        self._endpoint = endpoint(site, self._host)
        program, *options = ssh_argv(site, self._host)
        # The first of two values counts for ssh. It must give up before we end it, or nobody could
        # tell whether the command was sent.
        connect_s = max(1, min(math.ceil(self._connect_timeout_s), math.floor(timeout_s - 0.5)))
        limit = ("-o", f"ConnectTimeout={connect_s}")
        argv = (program, *OPTIONS, *limit, *options, script)
        return self._judge(
            await self._runner.run(Exec(self._node, argv, stdin=request.stdin), timeout_s)
        )

    async def close(self) -> None:
        """Nothing stays open between calls."""

    def _judge(self, report: Report) -> Report:
        before, has_begun, after = report.stderr.partition(BEGAN + "\n")
        ended = list(_ENDED.finditer(after))
        if ended:
            last = ended[-1]
            stderr = before + after[: last.start()] + after[last.end() :]
            return replace(
                report, ending=Ending.EXITED, exit_code=int(last[1]), stderr=stderr, detail=""
            )
        report = replace(report, stderr=before + after)
        match report.ending:
            case Ending.COULD_NOT_RUN:
                return report
            case Ending.TIMED_OUT:
                state = "has not ended" if has_begun else "gave no reply"
                detail = f"{self._host}: the command {state}: {report.detail}"
                return replace(report, ending=Ending.NO_REPLY, exit_code=None, detail=detail)
            case _ if report.exit_code != SSH_FAILED and not report.detail:
                return report  # a shell without our markers (restricted, not POSIX) told its code
            case _:
                return self._failed(report, bool(has_begun))

    def _failed(self, report: Report, has_begun: bool) -> Report:
        text = report.stderr
        said = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
        why = said or report.detail or "ssh failed without a message"
        if has_begun or not _NOTHING_SENT.search(text):
            detail = f"{self._host}: the connection broke before the answer: {why}"
            return replace(report, ending=Ending.LOST, exit_code=None, detail=detail)
        if _REFUSED.search(text):
            detail = (
                f"{self._host}: connection refused, no sshd listens on port {self._endpoint.port}"
            )
            return replace(report, ending=Ending.REFUSED, exit_code=None, detail=detail)
        if "IDENTIFICATION HAS CHANGED" in text:
            why = (
                f"the host key of {self._endpoint.address} is not the one in "
                f"{self._known_hosts_file}: another machine answers there, "
                "or it was installed anew"
            )
        elif "Host key verification failed" in text:
            port, address = self._endpoint.port, self._endpoint.address
            named = self._endpoint.key_alias or address
            why = (
                f"{self._known_hosts_file} has no key for {named} "
                f"(compare and add: ssh-keyscan -p {port} {address})"
            )
        detail = f"{self._host}: nothing was sent: {why}"
        return replace(report, ending=Ending.COULD_NOT_RUN, exit_code=None, detail=detail)
