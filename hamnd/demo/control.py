"""The faults command line: `fault VERB`, and `send` for programs.

Owns the verbs that people and `hamnd demo` use to break the simulated site, their help, and their
effect on it. MUST NOT know sockets but for `send`, which is a client of the world's socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hamnd.demo.answers import Answer
from hamnd.demo.db2_model import Spoil
from hamnd.demo.db2_node import HostPower
from hamnd.demo.machines import (
    MANAGERS,
    OWN_ADDRESSES,
    PRIMARY,
    STANDBY,
    FenceMood,
    Site,
    UnitState,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One verb as it was given, with the moment and the world's parts it may change."""

    site: Site
    spoils: dict[tuple[str, str], Spoil]
    words: tuple[str, ...]
    now: float

    def machine(self, default: str = PRIMARY) -> str:
        """Return the machine that the first word names. Raises ValueError for an unknown one."""
        name = self.words[0] if self.words else default
        if name not in OWN_ADDRESSES:
            raise ValueError(f"{name}: no such machine; there are {', '.join(OWN_ADDRESSES)}")
        return name

    def manager(self, default: str = PRIMARY) -> str:
        """Return the management node that the first word names."""
        name = self.machine(default)
        if name not in MANAGERS:
            raise ValueError(f"{name} is not a management node")
        return name


def _kill(fault: Fault) -> str:
    name = fault.manager()
    fault.site.power_off(name, fault.now)
    return f"{name} lost its power: it is silent from now on"


def _power_on(fault: Fault) -> str:
    name = fault.manager()
    fault.site.power_on(name, fault.now)
    return f"{name} has power again; its database keeps its role and waits"


def _freeze(fault: Fault) -> str:
    name = fault.manager()
    fault.site.pair.freeze(name, fault.now)
    return f"{name} hangs: its kernel answers ping and accepts connections, nothing else does"


def _cut(fault: Fault) -> str:
    name = fault.machine()
    fault.site.isolate(name, fault.now)
    return f"the network of {name} is cut; it runs on"


def _cut_pair(fault: Fault) -> str:
    fault.site.cut(PRIMARY, STANDBY, fault.now)
    return f"only the link between {PRIMARY} and {STANDBY} is cut"


def _cut_one_way(fault: Fault) -> str:
    source = fault.manager()
    target = next(name for name in MANAGERS if name != source)
    fault.site.cut_one_way(source, target, fault.now)
    return f"nothing that {source} sends arrives at {target}; the other direction is whole"


def _slow(fault: Fault) -> str:
    seconds = float(fault.words[0]) if fault.words else 1.5
    fault.site.pair.slow(seconds, fault.now)
    return f"the network is slow: {seconds:g} s for each message"


def _heal(fault: Fault) -> str:
    fault.site.heal(fault.now)
    fault.spoils.clear()
    return "mended: network, frozen machines, power controller, programs (a dead machine stays off)"


def _mood(mood: FenceMood, sentence: str) -> Callable[[Fault], str]:
    def verb(fault: Fault) -> str:
        fault.site.fence_mood = mood
        return sentence

    return verb


def _hang(fault: Fault) -> str:
    if not fault.words:
        raise ValueError("fault hang COMMAND [MACHINE]")
    where = fault.words[1] if len(fault.words) > 1 else STANDBY
    fault.spoils[where, fault.words[0]] = Spoil(hangs=True)
    return f"{fault.words[0]} on {where} hangs from now on"


def _fail(fault: Fault) -> str:
    if not fault.words:
        raise ValueError("fault fail COMMAND [EXIT [TEXT [MACHINE]]]")
    name, code, text, where = (*fault.words, "", "", "")[:4]
    number = int(code) if code else 1
    said = text or f"{name}: failed, as asked for"
    fault.spoils[where or STANDBY, name] = Spoil(text=f"{said}\n", exit_code=number)
    return f"{name} on {where or STANDBY} fails from now on with exit code {number}"


def _late(fault: Fault) -> str:
    if len(fault.words) < 2:
        raise ValueError("fault late COMMAND SECONDS [MACHINE]")
    where = fault.words[2] if len(fault.words) > 2 else STANDBY
    fault.spoils[where, fault.words[0]] = Spoil(delay_s=float(fault.words[1]))
    return f"{fault.words[0]} on {where} takes {fault.words[1]} s longer from now on"


def _service(fault: Fault) -> str:
    if not fault.words:
        raise ValueError("fault service UNIT [MACHINE]: it stops, and cannot start again")
    where = fault.words[1] if len(fault.words) > 1 else PRIMARY
    unit = fault.site.unit(where, fault.words[0])
    if unit is None:
        raise ValueError(f"{where} has no unit {fault.words[0]}")
    fault.site.set_unit(where, fault.words[0], UnitState.FAILED, fault.now)
    unit.is_broken = True
    return f"{fault.words[0]} on {where} is down and cannot start"


def _hang_xcatd(fault: Fault) -> str:
    name = fault.manager()
    unit = fault.site.unit(name, "xcatd")
    if unit is not None:
        unit.hangs = True
    return f"xcatd on {name} accepts requests and answers none"


def _kill_db(fault: Fault) -> str:
    name = fault.manager()
    fault.site.pair.kill_process(name, fault.now)
    return f"the Db2 instance on {name} was killed; its partner knows at once"


def _skew(fault: Fault) -> str:
    if not fault.words:
        raise ValueError("fault skew SECONDS [MACHINE]")
    where = fault.words[1] if len(fault.words) > 1 else PRIMARY
    fault.site.pair.set_skew(where, float(fault.words[0]))
    return f"the clock of {where} is {float(fault.words[0]):g} s ahead"


def _examine(fault: Fault) -> str:
    """Tell what was committed only on the old primary; possible only when it has power."""
    old = fault.manager()
    new = next(name for name in MANAGERS if name != old)
    if fault.site.power(old) is HostPower.OFF:
        raise ValueError(f"{old} has no power: nobody can look at its database")
    loss = fault.site.pair.loss(old, new)
    return f"only_on={old} rows={loss.rows} bytes={loss.bytes}"


def _show(fault: Fault) -> str:
    site = fault.site
    lines = []
    for name in MANAGERS:
        node = site.pair.nodes[name]
        state = f"{node.role.value} {node.state.value}" if node.active else f"{node.role.value} -"
        units = " ".join(
            f"{unit}={one.state.value}" for unit, one in site.machines[name].units.items()
        )
        lines.append(f"{name}: {site.power(name).value}  {state}  {units}")
        carried = ", ".join(sorted(site.machines[name].addresses))
        lines.append(f"  carries {carried or 'no address of the cluster'}")
    cuts = ", ".join("-".join(sorted(cut)) for cut in site.cuts) or "none"
    return "\n".join([*lines, f"cuts: {cuts}  power controller: {site.fence_mood.value}"])


VERBS: dict[str, tuple[str, Callable[[Fault], str]]] = {
    "kill": ("[MACHINE]  take its power away (default aixmn1)", _kill),
    "power-on": ("[MACHINE]  give it power again", _power_on),
    "freeze": ("[MACHINE]  it hangs: ping answers, nothing else", _freeze),
    "cut": ("[MACHINE]  cut its network; it runs on", _cut),
    "cut-pair": ("cut only the link between the two management nodes", _cut_pair),
    "cut-one-way": ("[MACHINE]  what it sends no longer reaches its partner", _cut_one_way),
    "slow": ("[SECONDS]  delay every message", _slow),
    "heal": ("mend everything but dead machines", _heal),
    "xcatd": ("[MACHINE]  xcatd hangs", _hang_xcatd),
    "service": ("UNIT [MACHINE]  a service stops and cannot start", _service),
    "kill-db": ("[MACHINE]  kill the Db2 instance", _kill_db),
    "skew": ("SECONDS [MACHINE]  set a clock wrong", _skew),
    "fence-hang": (
        "the power controller answers nothing",
        _mood(FenceMood.HANGS, "the power controller hangs"),
    ),
    "fence-lies": (
        "the power controller says off, and nothing happens",
        _mood(FenceMood.LIES, "the power controller will say off without doing it"),
    ),
    "fence-refuses": (
        "the power controller refuses off",
        _mood(FenceMood.REFUSES_OFF, "the power controller will refuse to switch off"),
    ),
    "fence-reads-only": (
        "hamnd's account at the power controller may only look",
        _mood(FenceMood.READS_ONLY, "the power controller lets hamnd look, and no more"),
    ),
    "fence-fails": (
        "nobody can log in to the power controller",
        _mood(FenceMood.FAILS, "the power controller refuses every login"),
    ),
    "hang": ("COMMAND [MACHINE]  a program hangs (default aixmn2)", _hang),
    "fail": ("COMMAND [EXIT [TEXT [MACHINE]]]  a program fails", _fail),
    "late": ("COMMAND SECONDS [MACHINE]  a program takes longer", _late),
    "examine": ("[MACHINE]  what is committed only there (rows, bytes)", _examine),
    "show": ("how the simulated site stands", _show),
}


def usage() -> str:
    """Return the help of `fault`."""
    lines = [f"  {verb:<14}{text}" for verb, (text, _) in VERBS.items()]
    return "fault VERB [...]  breaks the simulated site, or mends it:\n" + "\n".join(lines) + "\n"


def carry_out(fault: Fault) -> Answer:
    """Carry out `fault` with its words; exit 2 for a verb or word that makes no sense."""
    if not fault.words or fault.words[0] in ("-h", "--help", "help"):
        return Answer(usage(), 0 if fault.words else 2)
    verb, *rest = fault.words
    known = VERBS.get(verb)
    if known is None:
        return Answer("", 2, stderr=f"fault: no verb '{verb}'\n{usage()}")
    try:
        sentence = known[1](Fault(fault.site, fault.spoils, tuple(rest), fault.now))
    except ValueError as error:
        return Answer("", 2, stderr=f"fault: {error}\n")
    return Answer(f"{sentence}\n")


async def send(
    socket: Path, tool: str, *arguments: str, machine: str = STANDBY
) -> tuple[int, str, str]:
    """Send one program call to a world's socket; return exit code, output and error output.

    Raises OSError when no world listens there, and EOFError (IncompleteReadError) when it ends.
    """
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        fields = (tool, machine, "0", "C", "", "", *arguments)
        request = "\0".join(fields).encode()
        writer.write(len(request).to_bytes(4, "big") + request)
        outputs = {b"o": bytearray(), b"e": bytearray()}
        while True:
            head = await reader.readexactly(5)
            body = await reader.readexactly(int.from_bytes(head[1:], "big"))
            if head[:1] == b"x":
                texts = [output.decode(errors="replace") for output in outputs.values()]
                return int(body), texts[0], texts[1]
            outputs[head[:1]] += body
    finally:
        writer.close()
