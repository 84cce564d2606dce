"""One program call on the simulated site, from its arguments to its end.

Owns how a call finds its stand-in, how long it takes, what a spoilt program does instead, and that
a machine without power answers nothing. MUST NOT know sockets (`world`) nor what any single program
prints.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hamnd.demo import control, db2_programs
from hamnd.demo.answers import HANGS, Answer, Request
from hamnd.demo.db2_model import Spoil, statements
from hamnd.demo.db2_node import HostPower, Reply
from hamnd.demo.machines import NETWORK, Site
from hamnd.demo.site import VIEWS
from hamnd.demo.standins import AIX_STAND_INS, STAND_INS

POLL_S = 0.05

_OTHER_VIEWS = [view for view in VIEWS.values() if view != NETWORK]


@dataclass(frozen=True, slots=True)
class Call:
    """A program call as it came: `session` is the calling shell, `language` LC_ALL or LANG."""

    tool: str
    machine: str
    argv: tuple[str, ...]
    session: str = ""
    language: str = "C"
    xcat_host: str = ""
    stdin: str = ""


def canonical(text: str) -> str:
    """Return text with every machine's view of the network put back into the site's own."""
    for view in _OTHER_VIEWS:
        text = text.replace(f"{view}.", f"{NETWORK}.")
    return text


class Calls:
    """Answers program calls on one simulated site."""

    def __init__(self, site: Site, now: Callable[[], float], xcat_scale: float) -> None:
        self.site = site
        self.spoils: dict[tuple[str, str], Spoil] = {}
        self._now = now
        self._scale = xcat_scale

    async def answer(self, call: Call) -> Answer:
        """Carry out a call and return its answer when its time is over; a dead machine never does.

        Cancelling does not undo what was begun: a service that starts, a takeover that runs.
        """
        if call.tool == "fault":
            return self.fault(call.argv)
        if call.machine not in self.site.machines:
            return Answer(exit_code=255, stderr=f"no simulated machine {call.machine}\n")
        await self._stay_if_dead(call.machine)
        boot = self._boot(call.machine)
        spoil = self._take_spoil(call)
        if spoil is not None and spoil.prevents:
            answer = self._spoilt(spoil)
        elif call.tool in db2_programs.NAMES:
            answer = await self._db2(call)
        else:
            answer = self._stand_in(call)
        if spoil is not None and not spoil.prevents:
            answer = Answer(
                answer.stdout[: spoil.cut_at],
                answer.exit_code,
                answer.delay_s + spoil.delay_s,
                answer.stderr,
                answer.then,
                answer.until,
            )
        await self._take_time(answer)
        if self._boot(call.machine) != boot:
            await _for_ever()
        await self._stay_if_dead(call.machine)
        return answer

    def fault(self, words: Sequence[str]) -> Answer:
        """Carry out one fault verb now."""
        now = self._now()
        self.site.pair.tick(now)
        return control.carry_out(control.Fault(self.site, self.spoils, tuple(words), now))

    def _boot(self, machine: str) -> int:
        node = self.site.pair.nodes.get(machine)
        return node.boot if node is not None else 0

    async def _stay_if_dead(self, machine: str) -> None:
        """Wait while a machine is frozen, and for ever when it is off."""
        while self.site.power(machine) is not HostPower.UP:
            if self.site.power(machine) is HostPower.OFF:
                await _for_ever()
            await asyncio.sleep(POLL_S)

    def _take_spoil(self, call: Call) -> Spoil | None:
        return self.spoils.get((call.machine, call.tool))

    def _spoilt(self, spoil: Spoil) -> Answer:
        reply = spoil.apply(Reply("", 0, POLL_S))
        return Answer(reply.text, reply.exit_code, reply.duration_s)

    async def _take_time(self, answer: Answer) -> None:
        if answer.delay_s == math.inf:
            await _for_ever()
        if answer.delay_s > 0:
            await asyncio.sleep(answer.delay_s)
        while answer.until is not None and not answer.until():  # noqa: ASYNC110  (a model)
            await asyncio.sleep(POLL_S)
        if answer.then is not None:
            now = self._now()
            self.site.pair.tick(now)
            answer.then(now)

    def _stand_in(self, call: Call) -> Answer:
        is_aix = self.site.machines[call.machine].aix is not None
        stand_in = (AIX_STAND_INS.get(call.tool) if is_aix else None) or STAND_INS.get(call.tool)
        if stand_in is None:
            return Answer(exit_code=127, stderr=f"sh: {call.tool}: command not found\n")
        now = self._now()
        self.site.tick(now)
        argv = tuple(canonical(word) for word in call.argv)
        xcat_host = canonical(call.xcat_host)
        request = Request(
            self.site, call.machine, argv, now, call.stdin, xcat_host, self._scale, call.language
        )
        return stand_in(request)

    async def _db2(self, call: Call) -> Answer:
        """Run Db2's own program; a script of statements one by one, exit codes OR-ed."""
        argv = (call.tool, *call.argv)
        only_options = all(word.startswith(("-", "+")) or "/" in word for word in call.argv)
        if call.tool != "db2" or not (call.stdin and only_options):
            return await self._db2_once(call, argv)
        text, code = "", 0
        for statement in statements(argv, call.stdin):
            answer = await self._db2_once(call, statement)
            text += answer.stdout
            code |= answer.exit_code
        return Answer(text, code)

    async def _db2_once(self, call: Call, argv: Sequence[str]) -> Answer:
        pair, machine = self.site.pair, self.site.machines[call.machine]
        if machine.aix is not None:  # there name and address of a machine may change
            pair.rename_host(call.machine, machine.aix.host_name)
            pair.set_addresses(call.machine, *machine.addresses)
        reply = pair.run(call.machine, argv, self._now(), call.session, call.language)
        if reply.ticket is None:
            if reply.duration_s == math.inf:
                return HANGS
            await asyncio.sleep(reply.duration_s)
            return Answer(reply.text, reply.exit_code)
        while (ended := pair.answer(reply.ticket, self._now())) is None:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
        return Answer(ended.text, ended.exit_code)


async def _for_ever() -> None:
    await asyncio.Event().wait()
