"""From the fault to PrimaryDown, and from `confirm` to Active, between real hosts.

Owns how a night is timed: from the moment a lab host fails, or an operator confirms, until the
daemon publishes the state. The script that a takeover is measured against does the same actions and
looks, one by one, as `plan --json` shows them. Where no lab can be made the figures say why.
"""

from __future__ import annotations

import re
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from hamnd.cli.client import Client, Unreachable
from tests.lab.site import xcat
from tests.lab.site.hosts import Lab
from tests.lab.site.needs import missing
from tests.lab.site.pair import Db2Pair
from tests.lab.site.wire import Delay

Figure = Callable[[str, list[float], str, str, bool], dict[str, Any]]

DOWN_AFTER_S = 4.0
TUNED_DOWN_AFTER_S = 2.0
POLL_S = 0.01
_pause = threading.Event()
SLOW = Delay(delay_ms=400, loss_percent=30)
"""In each direction: 800 ms more for every round trip (design §11)."""
SLOW_FOR_S = 120.0


def bench_nights(runs: int, figure: Figure) -> list[dict[str, Any]]:
    """Return the figures of detection, of false alarms and of a takeover against its script."""
    reason = missing("crontab", *xcat.PROGRAMS)
    if reason is not None:
        return [{"name": "nights between real hosts", "skipped": reason}]
    figures = []
    for fault in ("kill_host", "freeze", "cut"):
        for settings, change, limit_s in (
            ("default settings", _default, 6.0 if fault == "cut" else DOWN_AFTER_S + 2),
            ("tuned", str, 3.0 if fault == "cut" else TUNED_DOWN_AFTER_S + 2),
        ):
            took = [_until_down(fault, change) for _ in range(runs)]
            is_met = statistics.median(took) <= limit_s
            name = f"{fault} to PrimaryDown, {settings}"
            figures.append(figure(name, took, "s", f"<= {limit_s:g}", is_met))
    alarms = float(_false_alarms())
    what = f"false alarms in {SLOW_FOR_S:.0f} s of 800 ms and 30 % loss each way, default settings"
    figures.append(figure(what, [alarms], "alarms", "0", alarms == 0))
    return [*figures, _against_script(runs, figure)]


def _default(text: str) -> str:
    """Take away the lab's haste."""
    return re.sub(r"(?m)^\[watch\]\n(.+\n)*", "", text)


def _watched(lab: Lab, change: Callable[[str], str]) -> Db2Pair:
    site = Db2Pair(lab, change=change)
    site.watch()
    site.wait_state("Peer", limit_s=120)
    site.wait_ready(limit_s=120)
    return site


def _states(site: Db2Pair) -> Iterator[str]:
    """Yield what the daemon publishes, again and again."""
    client = Client(str(site.lab["mn2"].path("/run/hamnd/hamnd.sock")))
    while True:
        try:
            yield str(client.get("status").document["state"])
        except Unreachable:
            yield "unreachable"
        _pause.wait(POLL_S)


def _until(site: Db2Pair, state: str, limit_s: float = 60.0) -> float:
    """Return how long the daemon needs from now on to publish a state."""
    began = time.monotonic()
    for seen in _states(site):
        took = time.monotonic() - began
        if seen == state:
            return took
        if took > limit_s:
            raise TimeoutError(f"{seen} and not {state} within {limit_s:g} s")
    raise AssertionError


def _until_down(fault: str, change: Callable[[str], str]) -> float:
    with Lab() as lab:
        site = _watched(lab, change)
        began = time.monotonic()
        getattr(site.faults, fault)("mn1")
        return time.monotonic() - began + _until(site, "PrimaryDown")


def _false_alarms() -> int:
    """Count how often a slow network made hamnd call the primary down."""
    with Lab() as lab:
        site = _watched(lab, _default)
        site.faults.slow("mn1", SLOW)
        began, was, alarms = time.monotonic(), "", 0
        for seen in _states(site):
            alarms += seen == "PrimaryDown" != was
            was = seen
            if time.monotonic() - began > SLOW_FOR_S:
                return alarms
    raise AssertionError


def _against_script(runs: int, figure: Figure) -> dict[str, Any]:
    ratios, ours, scripts = [], [], []
    for _ in range(runs):
        ours.append(_confirmed())
        scripts.append(_scripted())
        ratios.append(ours[-1] / scripts[-1])
    is_met = statistics.median(ratios) <= 0.8
    name = "confirm to Active against its plan as a script, step by step"
    document = figure(name, ratios, "x", "<= 0.8", is_met)
    document["confirm_s"] = round(statistics.median(ours), 3)
    document["script_s"] = round(statistics.median(scripts), 3)
    return document


def _down(lab: Lab) -> tuple[Db2Pair, dict[str, Any]]:
    """Return a pair whose primary is dead, and the plan for it."""
    site = _watched(lab, str)
    site.faults.kill_host("mn1")
    site.wait_state("PrimaryDown")
    return site, site.ask("plan", "takeover", "--accept-loss", "bounded")


def _confirmed() -> float:
    with Lab() as lab:
        site, plan = _down(lab)
        client = Client(str(lab["mn2"].path("/run/hamnd/hamnd.sock")))
        began = time.monotonic()
        reply = client.post("confirm", {"digest": plan["digest"], "named": "mn2"})
        if reply.status != 200:
            raise RuntimeError(str(reply.document))
        return time.monotonic() - began + _until(site, "Active")


def _scripted() -> float:
    """Carry the same plan out without hamnd, each look once; return its seconds."""
    with Lab() as lab:
        _, plan = _down(lab)
        lab["mn2"].run("systemctl", "stop", "hamnd")
        began = time.monotonic()
        for step in plan["steps"]:
            for part in (*step["actions"], *step["looks"]):
                lab["mn2"].ask("sh", "-c", part["preview"], timeout_s=120)
        return time.monotonic() - began
