"""Ends hamnd, or its whole host, at a step of a real takeover, and lets an operator lead it on.

Owns the points (what is ended, at which record of which step) and how the story is played. Must not
judge (the tests do).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tests.lab.lab_nights import TIMES
from tests.lab.site.db2 import OWNER
from tests.lab.site.desk import Desk, Entry
from tests.lab.site.guides_way import INTERFACES, PRIMARYS, primary_address
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.names import PRIMARY, STANDBY
from tests.lab.site.pair import Db2Pair
from tests.lab.site.watcher import Watcher

STEPS = (
    *("fuse", "fence", "shield", "epoch", "promote", "identity"),
    *("xcatd", "dns", "dhcp", "consoles", "verify"),
)
"""Those of every takeover in which the old primary is silent and no guard is installed."""
GUIDES_STEPS = ("promote", "db-stop", "identity", "db-rehome", "verify", "settle")
"""Where the primary's own address moves: what is there only then, and what means more there."""
LAST = {False: "verify", True: "settle"}
BACK_S = 120.0
ACTIVATE = "db2 activate db XCATDB"
"""What hamnd says to do about a standby whose host was rebooted."""
RESUME = "plan resume"
ROUNDS_MAX = 12
"""Retries and successors that an operator may need; far fewer are."""


class End(StrEnum):
    """What comes to its end."""

    DAEMON = "daemon"
    """hamnd is killed; what it started lives on."""
    HOST = "host"
    """Its host loses its power, and boots again."""


class At(StrEnum):
    """When, within a step."""

    ACTING = "action_started"
    """The intent is on disk, the action runs or was about to."""
    DONE = "step_finished"
    """The step's end is on disk."""


@dataclass(frozen=True, slots=True)
class Crash:
    """One point."""

    end: End
    step: str
    at: At
    is_guides: bool = False
    """In the guide's way: the primary's own address moves, not a movable one."""

    def __str__(self) -> str:
        way = "guides-" if self.is_guides else ""
        return f"{way}{self.end}-{self.step}-{'acting' if self.at is At.ACTING else 'done'}"

    @property
    def is_too_late(self) -> bool:
        """Whether the run is over before the crash can come."""
        return self.at is At.DONE and self.step == LAST[self.is_guides]


# The fuse finds nothing to disarm on a clean standby, and a fence that is proven sends nothing.
WITHOUT_ACTION = ("fuse", "fence")

EVERY_CRASH = tuple(
    Crash(end, step, at, is_guides)
    for is_guides, steps in ((False, STEPS), (True, GUIDES_STEPS))
    for end in End
    for step in steps
    for at in At
    if not (at is At.ACTING and step in WITHOUT_ACTION)
)

REPRESENTATIVES = (
    Crash(End.DAEMON, "promote", At.ACTING),
    Crash(End.DAEMON, "identity", At.DONE),
    Crash(End.HOST, "promote", At.DONE),
    Crash(End.HOST, "identity", At.ACTING, is_guides=True),
)


@dataclass(slots=True)
class Led:
    """What a story came to."""

    met: bool = False
    """Whether the crash came at its point, not after the run was over."""
    first: dict[str, Any] = field(default_factory=dict)
    """The run as the restarted hamnd showed it; empty where it was over."""
    screen: str = ""
    ways: list[str] = field(default_factory=list)
    """How the operator led on, each time with why it rested."""
    state: str = ""
    writers: tuple[str, ...] = ()
    owners: list[str] = field(default_factory=list)
    lost: int = -1
    promotions: int = 0
    """How often a takeover of the database was begun and not refused by it."""
    violations: list[str] = field(default_factory=list)


@contextmanager
def _pair(is_guides: bool) -> Iterator[Db2Pair]:
    with Lab() as lab:
        if is_guides:
            lab[STANDBY].write("/etc/network/interfaces", INTERFACES)
            site = Db2Pair(lab, TIMES, primary_address, service_address=PRIMARYS)
        else:
            site = Db2Pair(lab, TIMES)
        site.watch()
        # As on any site, hamnd and the instance come up with the host; its database does not.
        lab[STANDBY].run("systemctl", "enable", "hamnd")
        Desk(site).wait_state("Peer")
        site.wait_ready()
        yield site


def play(crash: Crash) -> Led:
    """Tell one story from Peer to Active."""
    led = Led()
    with (
        _pair(crash.is_guides) as site,
        Watcher(site.lab, site.db2.writable, site.service_address) as watcher,
    ):
        desk = Desk(site)
        site.faults.off(PRIMARY)
        desk.wait_state("PrimaryDown")
        desk.confirm(desk.plan()["digest"])
        desk.wait_record(crash.at, crash.step)
        if crash.end is End.DAEMON:
            site.faults.kill_process(STANDBY, "hamnd --config")
            site.lab[STANDBY].run("systemctl", "start", "hamnd", timeout_s=60)
        else:
            site.faults.power_cycle(STANDBY)
        desk.wait_answer(BACK_S)
        status = desk.status() or {}
        led.met = status["run"] is not None
        led.first = status["run"] or {}
        led.screen = desk.told()
        _lead_on(site, desk, led)
        led.state = desk.state()
        watcher.settle()
        led.writers, led.owners = site.db2.writable(), site.owners()
        led.lost = site.db2.lost(PRIMARY, STANDBY)
        led.promotions = _promotions(desk.entries())
    led.violations = watcher.violations
    return led


def _promotions(entries: list[Entry]) -> int:
    """Return how many takeovers of the database were begun that it did not refuse, and that were
    not found to have come to nothing before the next one."""
    count, is_open = 0, False
    for one in (entry for entry in entries if entry.step == "promote"):
        if one.what == "action_started" and "takeover hadr" in (one.preview or "").lower():
            count, is_open = count + 1, True
        is_refused = (one.what, one.outcome) == ("action_finished", "not_done")
        is_not_so = one.outcome == "not true" and '"already"' in (one.evidence or "")
        if is_open and (is_refused or is_not_so):
            count, is_open = count - 1, False
    return count


def _lead_on(site: Db2Pair, desk: Desk, led: Led) -> None:
    """Do what the screen offers: retry, and where that cannot help a successor plan.

    A standby whose host was rebooted is activated first, by hand, as the screen says too.
    """
    for _ in range(ROUNDS_MAX):
        run = desk.wait_rest()
        if run is None:
            desk.wait_state("Active", limit_s=BACK_S)
            if not site.db2.writable():  # it was over, and its host booted since
                led.ways.append(RESUME)
                wait_until(lambda: RESUME in desk.told(), f"it offers {RESUME}", BACK_S)
                can_plan = lambda: "digest" in site.ask("plan", "resume")  # noqa: E731
                wait_until(can_plan, "its own database was read", BACK_S)
                site.carry_out("resume", STANDBY)
            return
        if ACTIVATE in desk.told() and ACTIVATE not in led.ways:
            led.ways.append(ACTIVATE)
            desk.host.ask("su", "-", OWNER, "-c", ACTIVATE, timeout_s=60)
        why = f"{run['paused_step']}: {run['reason']}"
        if led.ways and led.ways[-1] == f"retry after {why}":
            led.ways.append(f"continue after {why}")
            plan = desk.plan("--continue")
            if "digest" in plan and plan["data_loss"]["verdict"] != "zero_proven":
                # Who was rebooted cannot vouch for the window any more: the loss is the operator's.
                verdict = plan["data_loss"]["verdict"]
                plan = desk.plan("--continue", "--accept-loss", verdict)
            if "digest" in plan:
                site.hamnctl("confirm", plan["digest"], "--name", STANDBY, "--detach")
        else:
            led.ways.append(f"retry after {why}")
            desk.retry()
    raise TimeoutError(f"led on in vain: {led.ways}\n{desk.told()}\n{desk.ending()}")
