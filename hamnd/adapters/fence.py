"""Speaks to the primary's power controller through a ClusterLabs fence agent.

Owns `AgentFence`: options and secrets as key=value lines on the agent's standard input, never on
its command line. Must not know what an answer proves (core.health) and never lets a secret out:
what the agent echoes is masked. The protocol is the FenceAgentAPI of ClusterLabs/fence-agents.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, quote_plus

from hamnd.model.site import FenceSite
from hamnd.model.work import Ending, Exec, Fence, FenceStatus, Report
from hamnd.ports import Clock, CommandRunner

MASK = "********"
SECRET_BYTES_MAX = 65_536


class AgentFence:
    """One fence agent with its options (port `FenceDevice`)."""

    def __init__(self, site: FenceSite, node: str, runner: CommandRunner, clock: Clock) -> None:
        """Take the runner of this node: the agent runs here."""
        self._site = site
        self._node = node
        self._runner = runner
        self._clock = clock

    async def call(self, request: Fence | FenceStatus, timeout_s: float) -> Report:
        """Run the agent with `action=VERB`; secrets are read now, so a changed file counts."""
        if self._site.agent is None:
            return self._could_not("no fence agent is configured ([fence] agent)")
        secrets: dict[str, str] = {}
        for name, path in self._site.secret_files.items():
            try:
                secrets[name] = _read_secret(path)
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                return self._could_not(f"the secret for {name} in {path} is unusable: {reason}")
        options = {**self._site.options, **secrets, "action": request.verb}
        broken = [name for name, value in options.items() if _breaks_lines(name, value)]
        if broken:
            return self._could_not(f"fence option {broken[0]!r} would break the agent's input")
        # The verb goes last: agents take the last of two lines with one key.
        options["action"] = options.pop("action")
        stdin = "".join(f"{name}={value}\n" for name, value in options.items())
        report = await self._runner.run(
            Exec(self._node, (self._site.agent,), stdin=stdin), timeout_s
        )
        return _mask(report, tuple(secrets.values()))

    def _could_not(self, detail: str) -> Report:
        now = self._clock.now()
        return Report(Ending.COULD_NOT_RUN, now, now, detail=detail)


def _read_secret(path: str) -> str:
    with Path(path).open("rb") as file:
        data = file.read(SECRET_BYTES_MAX + 1)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise ValueError("it is not text") from None  # the cause would quote a byte of it
    secret = text.rstrip("\r\n")
    if not secret:
        raise ValueError("the file is empty")
    if len(text) > SECRET_BYTES_MAX or _breaks_lines("", secret):
        raise ValueError("it must hold one line")
    return secret


def _breaks_lines(name: str, value: str) -> bool:
    return any(mark in name + value for mark in "\r\n\0") or "=" in name


def _mask(report: Report, secrets: tuple[str, ...]) -> Report:
    """Hide the secrets in everything the agent said, also as quoted by a shell, JSON or a URL."""
    shapes: set[str] = set()
    for secret in secrets:
        shapes |= {secret, shlex.quote(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
        shapes |= {quote(secret), quote(secret, safe=""), quote_plus(secret)}

    def masked(text: str) -> str:
        for shape in sorted(shapes, key=len, reverse=True):  # the longest first: '…' around it
            text = text.replace(shape, MASK)
        return text

    return replace(
        report,
        stdout=masked(report.stdout),
        stderr=masked(report.stderr),
        detail=masked(report.detail),
    )
