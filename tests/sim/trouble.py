"""Faults: how each one begins on the simulated site, and how it ends.

Owns what a fault does to the truth. Must not know hamnd.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from hamnd.demo.db2_node import HostPower
from tests.sim.ground import CONTROLLER, GATEWAY, PRIMARY, STANDBY, Ground, Mood, Xcatd
from tests.sim.heap import Heap
from tests.sim.transcript import Transcript
from tests.sim.universe import Fault, FaultKind

JOB = "/usr/bin/rsync -a root@aixmn1:/install/ /install/"


class Trouble:
    """Makes and mends what the universe drew."""

    def __init__(self, heap: Heap, ground: Ground, transcript: Transcript) -> None:
        self.heap = heap
        self.ground = ground
        self.transcript = transcript
        self.hint: Callable[[str], None] = lambda _: None
        self.halt: Callable[[], None] = lambda: None
        self.is_over = False

    def plan(self, faults: tuple[Fault, ...]) -> None:
        """Schedule every fault, and its end."""
        for fault in faults:
            self.heap.after(fault.at_s, partial(self._begin, fault))

    def _begin(self, fault: Fault) -> None:
        if self.is_over:
            return
        self.transcript.say("FAULT", f"{fault.kind} {fault.word}".rstrip())
        self.ground.tick(self.heap.now)
        self._do(fault)
        if fault.for_s is not None:
            self.heap.after(fault.for_s, lambda: self._end(fault))

    def _end(self, fault: Fault) -> None:
        if self.is_over:
            return
        self.transcript.say("FAULT", f"{fault.kind} is over")
        self.ground.tick(self.heap.now)
        self._undo(fault)

    def heal(self) -> None:
        """End all faults; a machine without power stays so, everything else works again."""
        self.is_over = True
        ground = self.ground
        ground.tick(self.heap.now)
        self.transcript.say("FAULT", "all faults are over")
        ground.heal()
        self._wake()
        if ground.runs(PRIMARY):
            self._restart_database()
        if ground.is_by_hand and not ground.has_database(STANDBY):
            self._finish_by_hand()
        if ground.runs(PRIMARY) and not ground.is_by_hand:
            ground.start_xcatd_on_primary()

    def _do(self, fault: Fault) -> None:
        deeds: dict[FaultKind, Callable[[Fault], None]] = {
            FaultKind.KILL: self._kill,
            FaultKind.REBOOT: self._kill,
            FaultKind.FREEZE: self._freeze,
            FaultKind.FREEZE_SOLID: self._freeze,
            FaultKind.KILL_DATABASE: self._kill_database,
            FaultKind.STOP_XCATD: self._stop_xcatd,
            FaultKind.HANG_XCATD: self._stop_xcatd,
            FaultKind.SLOW: self._slow,
            FaultKind.CLOCK: self._clock,
            FaultKind.BY_HAND: self._promote_by_hand,
            FaultKind.SLOW_DISK: lambda _: self.halt(),
        }
        deeds.get(fault.kind, self._break)(fault)

    def _kill(self, _: Fault) -> None:
        self.ground.power_off(PRIMARY)

    def _freeze(self, fault: Fault) -> None:
        self.ground.is_kernel_awake = fault.kind is FaultKind.FREEZE
        if self.ground.runs(PRIMARY):
            self.ground.pair.freeze(PRIMARY, self.heap.now)

    def _kill_database(self, _: Fault) -> None:
        if self.ground.runs(PRIMARY):
            self.ground.pair.kill_process(PRIMARY, self.heap.now)

    def _stop_xcatd(self, fault: Fault) -> None:
        is_hung = fault.kind is FaultKind.HANG_XCATD
        self.ground.stop_xcatd_on_primary(Xcatd.HANGS if is_hung else Xcatd.DOWN)

    def _slow(self, fault: Fault) -> None:
        self.ground.delay_s = fault.value
        self.ground.pair.slow(fault.value, self.heap.now)

    def _clock(self, fault: Fault) -> None:
        node = self.ground.pair.nodes[fault.word]
        self.ground.pair.set_skew(fault.word, node.clock_skew_s + fault.value)

    def _promote_by_hand(self, _: Fault) -> None:
        """Take over at the console: gracefully, or by force with the old primary's power cut."""
        ground = self.ground
        ground.is_by_hand = True
        can_ask = ground.runs(PRIMARY) and ground.has_path(PRIMARY, STANDBY)
        if not can_ask:
            ground.power_off(PRIMARY)
        command = f"takeover hadr on db {ground.pair.config.database}"
        words = command if can_ask else f"{command} by force"
        ground.pair.run(STANDBY, ("db2", words), self.heap.now)
        ground.pair.nodes[STANDBY].reconnect_due = None
        self.heap.after(12.0, self._serve_by_hand)

    def _finish_by_hand(self) -> None:
        """A handover that broke off in the middle left two standbys: who began it ends it."""
        self.ground.power_off(PRIMARY)
        command = f"takeover hadr on db {self.ground.pair.config.database} by force"
        self.ground.pair.run(STANDBY, ("db2", command), self.heap.now)
        self.heap.after(12.0, self._serve_by_hand)

    def _serve_by_hand(self) -> None:
        ground = self.ground
        ground.tick(self.heap.now)
        if not ground.has_database(STANDBY):
            return
        self.transcript.say("FAULT", "by_hand: address and xcatd are started here")
        ground.stop_xcatd_on_primary(Xcatd.DOWN)
        ground.holds.update({PRIMARY: False, STANDBY: True})
        ground.set_unit("xcatd")

    def _break(self, fault: Fault) -> None:
        """Cut something, or make something misbehave."""
        ground = self.ground
        match fault.kind:
            case FaultKind.CUT_PAIR:
                ground.cut(PRIMARY, STANDBY)
                self.hint(PRIMARY)
            case FaultKind.CUT_ONE_WAY:
                ground.cut(PRIMARY, STANDBY, both=False)
            case FaultKind.CUT_PRIMARY | FaultKind.CUT_STANDBY:
                ground.isolate(PRIMARY if fault.kind is FaultKind.CUT_PRIMARY else STANDBY)
            case FaultKind.CUT_WITNESSES:
                for name in ground.witnesses:
                    ground.cut(name, STANDBY)
            case FaultKind.CUT_GATEWAY | FaultKind.CONTROLLER_CUT:
                is_gateway = fault.kind is FaultKind.CUT_GATEWAY
                ground.cut(STANDBY, GATEWAY if is_gateway else CONTROLLER)
            case FaultKind.LOSS:
                ground.loss = fault.value
            case FaultKind.CONTROLLER:
                ground.mood = Mood(fault.word)
            case FaultKind.BREAK_UNIT:
                ground.services.broken.add(fault.word)
            case FaultKind.JOB:
                ground.services.running.append(JOB)
            case _:
                raise AssertionError(fault.kind)

    def _undo(self, fault: Fault) -> None:
        ground = self.ground
        match fault.kind:
            case FaultKind.REBOOT:
                ground.boot(PRIMARY)
            case FaultKind.FREEZE | FaultKind.FREEZE_SOLID:
                self._wake()
            case FaultKind.STOP_XCATD | FaultKind.HANG_XCATD:
                if ground.runs(PRIMARY) and not ground.is_by_hand:
                    ground.start_xcatd_on_primary()
            case FaultKind.SLOW:
                ground.delay_s = 0.0
                ground.pair.slow(0.0, self.heap.now)
            case FaultKind.LOSS:
                ground.loss = 0.0
            case _:
                ground.cuts.clear()
                ground.pair.heal(self.heap.now)

    def _wake(self) -> None:
        ground = self.ground
        if ground.power(PRIMARY) is HostPower.FROZEN:
            ground.pair.thaw(PRIMARY, self.heap.now)

    def _restart_database(self) -> None:
        """Somebody on the primary starts what is down there; Db2 itself refuses what is unsafe."""
        ground, node = self.ground, self.ground.pair.nodes[PRIMARY]
        if not node.instance_up:
            ground.pair.run(PRIMARY, ("db2start",), self.heap.now)
        if not node.active:
            database = ground.pair.config.database
            ground.pair.run(PRIMARY, ("db2", "activate", "db", database), self.heap.now)
