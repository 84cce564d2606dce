"""Carries out an engine's steps between lab hosts, as a run would, through the real adapters.

Owns the smallest executor: one step after the other, each proven by its own looks. MUST NOT judge
more than a run does, nor know any engine. It is for steps whose plan kind the daemon does not run.

    here = lab["mn2"]
    done = carry_out(here, ENGINE.steps(terms_of(here), Setup()))

The steps are carried out by a process of their own inside the host, which reads the host's own
hamnd.toml: its adapters see that host's network, files and ssh keys.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from cattrs import Converter
from cattrs.strategies import configure_tagged_union

from hamnd.adapters.clock import SystemClock
from hamnd.core.policy import Terms
from hamnd.core.readings import combine
from hamnd.daemon.wiring import Wiring
from hamnd.dialects.readers import read_action
from hamnd.model.names import Verdict
from hamnd.model.plan import Step
from hamnd.model.work import ActionRequest, Look, Looked, LookRequest, Report
from hamnd.ports import World
from hamnd.settings import load
from tests.lab.site.hosts import CHECKOUT, Done, Host

CONFIG = "/etc/hamnd/hamnd.toml"
PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class Stepped:
    """How one step ended: done, already (its postconditions held before), or failed."""

    id: str
    outcome: str
    sentence: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Order:
    """What the process inside the host is to do."""

    steps: tuple[Step, ...] = ()
    looks: dict[str, Look] = field(default_factory=dict)


class StepFailed(AssertionError):
    """A step was not done; the message is its own sentence. `done` are those before it."""

    def __init__(self, failed: Stepped, done: tuple[Stepped, ...]) -> None:
        super().__init__(f"{failed.id}: {failed.sentence}")
        self.failed = failed
        self.done = done


def terms_of(host: Host) -> Terms:
    """Return the terms of a host's own hamnd.toml, as its daemon would decide on them."""
    return _read(host.path(CONFIG))


def carry_out(host: Host, steps: Sequence[Step], limit_s: float = 300.0) -> tuple[Stepped, ...]:
    """Carry steps out on a host that has hamnd's configuration; return how each ended.

    Raises StepFailed at the first that is not done.
    """
    told = _inside(host, Order(steps=tuple(steps)), limit_s)
    lines = [line for line in told.out.splitlines() if line.startswith("{")]
    ended = tuple(Stepped(**json.loads(line)) for line in lines)
    for number, one in enumerate(ended):
        if one.outcome == "failed":
            raise StepFailed(one, ended[:number])
    if told.code != 0 or len(ended) != len(steps):
        raise RuntimeError(f"{host.name}: exit {told.code} after {len(ended)} steps\n{told.text}")
    return ended


def take_looks(host: Host, looks: Mapping[str, Look], limit_s: float = 120.0) -> dict[str, Report]:
    """Take looks on a host once, side by side, and return their reports by topic."""
    told = _inside(host, Order(looks=dict(looks)), limit_s)
    if told.code != 0:
        raise RuntimeError(f"{host.name}: exit {told.code}\n{told.text}")
    return _converter().structure(json.loads(told.out), dict[str, Report])


def _inside(host: Host, order: Order, limit_s: float) -> Done:
    return host.ask(
        *(sys.executable, "-m", "tests.lab.site.stepping"),
        stdin=json.dumps(_converter().unstructure(order, Order)),
        environment={"PYTHONPATH": str(CHECKOUT)},
        timeout_s=limit_s,
    )


def _read(path: Path) -> Terms:
    loaded = load(path.read_text())
    if loaded.site is None or loaded.policy is None:
        raise ValueError("\n".join(problem.line() for problem in loaded.problems))
    return Terms(loaded.site, loaded.policy)


@cache
def _converter() -> Converter:
    converter = Converter(detailed_validation=False)
    configure_tagged_union(ActionRequest, converter, tag_name="kind")
    configure_tagged_union(LookRequest, converter, tag_name="kind")
    return converter


# Inside the host.


async def _main() -> None:
    order = _converter().structure(json.load(sys.stdin), Order)
    site = _read(Path(CONFIG)).site
    wired = Wiring(SystemClock(), "root", lambda _: None).build(site)
    try:
        if order.looks:
            reports = await asyncio.gather(*(wired.world.look(one) for one in order.looks.values()))
            home = dict(zip(order.looks, reports, strict=True))
            _say(_converter().unstructure(home, dict[str, Report]))
        for step in order.steps:
            began = time.perf_counter()
            outcome, sentence = await _step(wired.world, step)
            _say(asdict(Stepped(step.id, outcome, sentence, time.perf_counter() - began)))
            if outcome == "failed":
                break
    finally:
        await wired.close()


def _say(document: dict[str, Any]) -> None:
    print(json.dumps(document), flush=True)  # noqa: T201 - its answer


async def _step(world: World, step: Step) -> tuple[str, str]:
    """Do what stages does with one step, without its retries."""
    if step.postconditions and step.skip_if_done:
        verdict, sentence = await _look(world, step.postconditions)
        if verdict is Verdict.PASS:
            return "already", sentence
    verdict, sentence = await _look(world, step.preconditions)
    if verdict is not Verdict.PASS:
        return "failed", f"precondition: {sentence}"
    said = ""
    deadline = time.perf_counter() + step.timeout_s
    for action in step.actions:
        report = await world.perform(action, max(0.1, deadline - time.perf_counter()))
        reading = read_action(action, report)
        if reading.verdict is not Verdict.PASS:
            return "failed", f"action: {reading.sentence}"
        said = reading.sentence
    return await _after(world, step, said)


async def _after(world: World, step: Step, said: str) -> tuple[str, str]:
    limit = time.perf_counter() + step.wait_s
    while True:
        verdict, sentence = await _look(world, step.postconditions)
        if verdict is Verdict.PASS:
            return "done", sentence or said
        if time.perf_counter() > limit:
            return "failed", f"postcondition: {sentence}"
        await asyncio.sleep(PAUSE_S)


async def _look(world: World, looks: tuple[Look, ...]) -> tuple[Verdict, str]:
    reports = await asyncio.gather(*(world.look(look) for look in looks))
    return combine(tuple(Looked(*pair) for pair in zip(looks, reports, strict=True)))


if __name__ == "__main__":
    asyncio.run(_main())
