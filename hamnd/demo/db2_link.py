"""The HADR link between two simulated nodes: heartbeats, loss, peer window, catch-up, commits.

Owns what happens by itself as time passes (db2-hadr.md §6). Every moment comes as an argument in
true seconds; a node's own clock is that plus its skew. MUST NOT know commands, texts or exit codes.
The order inside `step` is the order in which a real node would notice things: first what arrives,
then what runs out.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from hamnd.demo.db2_node import (
    KEPT_RECORDS,
    SHUTDOWN_RECORD_BYTES,
    Change,
    HadrState,
    Heartbeats,
    LogRecord,
    Node,
    PairConfig,
    Role,
    SyncMode,
    Unverified,
    Waits,
)

LOCAL_CATCHUP_S = 0.3
SHIP_EVERY_S = 0.25
REMOTE_CATCHUP_MIN_S = 0.5
DIVERGED_AFTER_S = 1.0
CONGESTED_DELAY_S = 1.0
COMMIT_WAIT_S = 0.000187


class Link:
    """Two nodes, the network between them and the random source of the write load."""

    def __init__(self, config: PairConfig, primary: Node, standby: Node) -> None:
        self.config = config
        self.nodes: dict[str, Node] = {primary.name: primary, standby.name: standby}
        self.cut: set[tuple[str, str]] = set()
        self.delay_s = 0.0
        self.ship_due: float | None = None
        self._serial = 0
        self._random = random.Random(config.seed)

    def other(self, node: Node) -> Node:
        """Return the partner of a node."""
        return next(other for name, other in self.nodes.items() if name != node.name)

    def delivers(self, source: Node, target: Node) -> bool:
        """Whether a message sent now by one node is handled by the other."""
        return source.runs and target.runs and (source.name, target.name) not in self.cut

    def is_whole(self, one: Node, two: Node) -> bool:
        """Whether messages pass in both directions."""
        return self.delivers(one, two) and self.delivers(two, one)

    def primary_and_standby(self) -> tuple[Node, Node] | None:
        """Return (primary, standby) when both databases take part in HADR in different roles."""
        one, two = self.nodes.values()
        if one.role is Role.STANDBY:
            one, two = two, one
        ready = one.role is Role.PRIMARY and two.role is Role.STANDBY
        return (one, two) if ready and one.serves_hadr and two.active else None

    def next_time(self) -> float:
        """Return the true time at which something happens by itself next, or infinity."""
        times = [at for node in self.nodes.values() if node.runs for at in self._node_times(node)]
        if self.ship_due is not None:
            times.append(self.ship_due)
        return min(times, default=math.inf)

    def _node_times(self, node: Node) -> Iterator[float]:
        due = (
            node.load_due,
            node.heartbeats.send_due,
            node.heartbeats.expect_due,
            node.local_catchup_until,
            node.reconnect_due,
            node.diverged_at,
            self._loss_deadline(node),
            self._window_expiry(node),
        )
        yield from (at for at in due if at is not None)

    def _loss_deadline(self, node: Node) -> float | None:
        heard = node.heartbeats.last_received_at
        if not node.connected or heard is None:
            return None
        return heard + self.config.hadr_timeout_s

    def _window_expiry(self, node: Node) -> float | None:
        if node.state is not HadrState.DISCONNECTED_PEER or node.window_end is None:
            return None
        return node.window_end - node.clock_skew_s

    def step(self, at: float) -> None:
        """Do everything that is due at a moment. Leaves nothing due at or before it."""
        for node in self.nodes.values():
            if node.runs:
                self._heartbeat(node, at)
        if self.ship_due is not None and self.ship_due <= at:
            self._ship(at)
        for node in self.nodes.values():
            if node.runs:
                self._expire(node, at)
        for node in self.nodes.values():
            if node.runs:
                self._run_load(node, at)
                self.settle_replay(node, at)

    def _heartbeat(self, node: Node, at: float) -> None:
        beats = node.heartbeats
        if beats.send_due is not None and beats.send_due <= at:
            beats.send_due = at + self.config.heartbeat_s
            self.send_heartbeat(node, at)
        if beats.expect_due is not None and beats.expect_due <= at:
            beats.expect_due = at + self.config.heartbeat_s
            beats.expected += 1
            heard = beats.last_received_at
            if heard is None or at - heard > self.config.heartbeat_s * 1.01:
                beats.missed += 1

    def send_heartbeat(self, node: Node, at: float) -> None:
        """Send one heartbeat; a primary in PEER also moves the peer window with it (§6.3)."""
        target = self.other(node)
        is_primary = node.role is Role.PRIMARY
        if is_primary and node.state is HadrState.PEER and self.config.window_s > 0:
            node.window_end = math.floor(node.clock(at)) + self.config.window_s
        if not self.delivers(node, target):
            return
        if not target.connected:
            if self.delivers(target, node):
                self.lose(node, at)  # the partner's kernel answers with a reset
            return
        self._tell(node, target, at)
        if is_primary and target.state is HadrState.PEER and node.window_end is not None:
            target.window_end = node.window_end

    def _tell(self, source: Node, target: Node, at: float) -> None:
        """Let one node know the other's positions, as of now."""
        target.heartbeats.last_received_at = at
        target.partner.ever_connected = True
        target.partner.position = source.log.position
        target.partner.log_time = source.log.last_at
        if source.role is Role.STANDBY:
            target.partner.replayed = int(source.replayed)
            target.partner.replay_time = source.log.last_at

    def _expire(self, node: Node, at: float) -> None:
        deadline = self._loss_deadline(node)
        if deadline is not None and deadline <= at:
            self.lose(node, at)
        expiry = self._window_expiry(node)
        if expiry is not None and expiry <= at:
            self._leave_window(node, at)
        if node.local_catchup_until is not None and node.local_catchup_until <= at:
            node.local_catchup_until = None
            node.state = HadrState.REMOTE_CATCHUP_PENDING
            node.reconnect_due = at
        if node.diverged_at is not None and node.diverged_at <= at:
            self.close_database(node, at)
        if node.reconnect_due is not None and node.reconnect_due <= at:
            node.reconnect_due = at + self.config.reconnect_s
            self._try_connect(node, at)

    def _leave_window(self, node: Node, at: float) -> None:
        if node.role is Role.STANDBY:
            node.state = HadrState.REMOTE_CATCHUP_PENDING
        else:
            node.state = HadrState.DISCONNECTED
            self._end_wait(node, at)

    def notice(self, node: Node, at: float) -> None:
        """Let a node that was frozen look around before it does anything else."""
        deadline = self._loss_deadline(node)
        if (deadline is not None and deadline <= at) or not self.other(node).connected:
            self.lose(node, at)

    def lose(self, node: Node, at: float, orderly: bool = False) -> None:
        """Let a node notice that its partner is gone; its close resets the partner's end too.

        `orderly` is a normal shutdown of the partner, which opens no peer window (§6.2).
        """
        if not node.connected:
            return
        in_window = node.state is HadrState.PEER and self.config.window_s > 0 and not orderly
        if in_window and node.window_end is None:
            node.window_end = math.floor(node.clock(at)) + self.config.window_s
        self._disconnect(node, at)
        if in_window:
            node.state = HadrState.DISCONNECTED_PEER
        elif node.role is Role.STANDBY:
            node.state = HadrState.REMOTE_CATCHUP_PENDING
        else:
            node.state = HadrState.DISCONNECTED
            self._end_wait(node, at)
        partner = self.other(node)
        if partner.connected and self.delivers(node, partner):
            self.lose(partner, at, orderly)

    def _disconnect(self, node: Node, at: float) -> None:
        node.connected = node.congested = False
        node.status_since = at
        node.joined_at = None
        node.heartbeats.send_due = node.heartbeats.expect_due = None
        if node.role is Role.STANDBY and node.active:
            node.reconnect_due = at + self.config.reconnect_s

    def _try_connect(self, node: Node, at: float) -> None:
        pair = self.primary_and_standby()
        if pair is None or node is not pair[1]:
            if node.role is not Role.STANDBY or not node.active:
                node.reconnect_due = None
            return
        primary, standby = pair
        if standby.connected:
            standby.reconnect_due = None
            return
        if primary.connected or primary.poisoned or not self.is_whole(primary, standby):
            return
        if not (self._calls(primary, standby) and self._calls(standby, primary)):
            return
        self._connect(primary, standby, at)

    def _calls(self, node: Node, partner: Node) -> bool:
        """Whether a node's configuration fits its partner: where it is, and the same times."""
        mine, yours = node.parameters, partner.parameters
        same = ("HADR_TIMEOUT", "HADR_PEER_WINDOW")
        is_equal = all(mine[name] == yours[name] for name in same)
        return is_equal and partner.is_called(mine["HADR_REMOTE_HOST"])

    def _connect(self, primary: Node, standby: Node, at: float) -> None:
        standby.reconnect_due = None
        for node in (primary, standby):
            node.connected, node.status_since, node.joined_at = True, at, at
            node.congested = self.delay_s >= CONGESTED_DELAY_S
            node.state = HadrState.REMOTE_CATCHUP
            beat_due = at + self.config.heartbeat_s
            node.heartbeats = Heartbeats(0, 0, at, beat_due, beat_due)
            keeps_end = self.config.layout.is_old
            if not keeps_end or Unverified.CLEAR_WINDOW_END in self.config.unverified:
                node.window_end = None
            self._tell(self.other(node), node, at)
        self._end_wait(primary, at)
        if primary.starting_as_primary and not primary.active:
            self.open_database(primary, at)
        primary.starting_as_primary = False
        if standby.log.begins(primary.log):
            self.ship_due = at + SHIP_EVERY_S
        else:
            standby.diverged_at = at + DIVERGED_AFTER_S

    def _ship(self, at: float) -> None:
        self.ship_due = None
        pair = self.primary_and_standby()
        if pair is None or not (pair[0].connected and pair[1].connected):
            return
        primary, standby = pair
        if standby.diverged_at is not None:
            return
        mode = self.config.sync_mode
        if primary.state is HadrState.PEER and mode.waits_for_standby:
            return
        self.ship_due = at + SHIP_EVERY_S
        if not self.delivers(primary, standby):
            return
        self._copy_log(primary, standby, at)
        self.settle_replay(standby, at)
        if self.delivers(standby, primary):
            self._tell(standby, primary, at)
        self._tell(primary, standby, at)
        caught_up = standby.log.position == primary.log.position
        may_be_peer = mode is not SyncMode.SUPERASYNC and self.is_whole(primary, standby)
        waited = primary.joined_at is not None and at - primary.joined_at >= REMOTE_CATCHUP_MIN_S
        if primary.state is HadrState.REMOTE_CATCHUP and caught_up and may_be_peer and waited:
            self.enter_peer(primary, standby, at)

    def _copy_log(self, primary: Node, standby: Node, at: float) -> None:
        budget = max(self.config.catchup_bytes_per_s * SHIP_EVERY_S, 1)
        newest = at - self.config.ship_delay_s - self.delay_s
        waits = self.config.sync_mode.waits_for_standby
        for record in primary.log.records[len(standby.log.records) :]:
            if budget <= 0 or (record.at > newest and not waits):
                return
            standby.log.append(record)
            budget -= record.end - record.start

    def enter_peer(self, primary: Node, standby: Node, at: float) -> None:
        """Bring both nodes into PEER, with the first peer window end on its way."""
        for node in (primary, standby):
            node.state = HadrState.PEER
        self.send_heartbeat(primary, at)

    def join_in_peer(self, primary: Node, standby: Node, at: float) -> None:
        """Connect two nodes that hold the same log and are in step (set-up, graceful takeover)."""
        self._connect(primary, standby, at)
        if self.config.sync_mode is not SyncMode.SUPERASYNC:
            self.enter_peer(primary, standby, at)

    def open_database(self, node: Node, at: float) -> None:
        """Activate a database in the role it has."""
        node.active, node.starting_as_primary, node.activated_at = True, False, at
        node.diverged_at, node.waits = None, Waits()
        if node.load_rows_per_s > 0:
            node.load_due = at + 1 / node.load_rows_per_s
        if node.role is not Role.STANDBY:
            if not node.connected:
                node.state, node.status_since = HadrState.DISCONNECTED, at
            return
        node.state, node.status_since = HadrState.LOCAL_CATCHUP, at
        node.window_end = None
        node.partner = type(node.partner)()
        node.heartbeats = Heartbeats()
        node.local_catchup_until = at + LOCAL_CATCHUP_S

    def shut_down_database(self, node: Node, at: float) -> None:
        """Deactivate in order: a primary writes one more record, shipped only while connected.

        An isolated primary thereby diverges from its standby (§10: do not DEACTIVATE it).
        """
        partner = self.other(node)
        if node.active and node.role is Role.PRIMARY:
            ships = node.connected and partner.connected and self.is_whole(node, partner)
            records = [*node.log.beyond(partner.log)] if ships else []
            record = self._record(node, None, at, SHUTDOWN_RECORD_BYTES, is_row=False)
            node.log.append(record)
            for shipped in [*records, record] if ships else []:
                partner.log.append(shipped)
        self.close_database(node, at)

    def diverge(self, node: Node, at: float) -> None:
        """Give a node's log a record that no other log will ever have."""
        node.log.append(self._record(node, None, at, SHUTDOWN_RECORD_BYTES, is_row=False))

    def close_database(self, node: Node, at: float, orderly: bool = True) -> None:
        """End a database: its connection goes, the partner notices if the network lets it."""
        if not node.serves_hadr and not node.active:
            return
        was_connected = node.connected
        node.active = node.starting_as_primary = False
        node.diverged_at = node.local_catchup_until = node.reconnect_due = node.load_due = None
        node.applications, node.takeover_remaining = 0, None
        self._disconnect(node, at)
        node.reconnect_due = None
        partner = self.other(node)
        if was_connected and partner.connected and self.delivers(node, partner):
            self.lose(partner, at, orderly)

    def can_write(self, node: Node) -> bool:
        """Whether this database accepts transactions (one of them may still have to wait)."""
        serves = node.runs and node.instance_up and node.active and node.role is not Role.STANDBY
        return serves and not node.poisoned and not node.forcing_applications

    def is_blocked(self, node: Node) -> bool:
        """Whether a commit would wait for the standby or for the end of the peer window."""
        if node.state is HadrState.DISCONNECTED_PEER:
            return True
        if node.state is not HadrState.PEER or not self.config.sync_mode.waits_for_standby:
            return False
        partner = self.other(node)
        return not (partner.connected and self.is_whole(node, partner))

    def commit(self, node: Node, change: Change | None, at: float) -> bool:
        """Commit one row, on both nodes where the sync mode says so. False: it has to wait."""
        if self.is_blocked(node):
            if node.waits.blocked_since is None:
                node.waits.blocked_since = at
            return False
        self._end_wait(node, at)
        record = self._record(node, change, at, self.config.row_bytes)
        node.log.append(record)
        waits = node.waits
        waits.count += 1
        waits.accumulated_s += COMMIT_WAIT_S + self.delay_s
        waits.recent_average_s += (COMMIT_WAIT_S + self.delay_s - waits.recent_average_s) * 0.1
        partner = self.other(node)
        in_peer = node.state is HadrState.PEER and node.role is Role.PRIMARY
        node.log_gap_average += (self.config.row_bytes - node.log_gap_average) * 0.1
        if in_peer and self.config.sync_mode.waits_for_standby:
            partner.log.append(record)
            self.settle_replay(partner, at)
            self._tell(node, partner, at)
            self._tell(partner, node, at)
            partner.log_gap_average += (self.config.row_bytes - partner.log_gap_average) * 0.1
        self._forget(node, partner)
        return True

    def _record(
        self, node: Node, change: Change | None, at: float, size: int, is_row: bool = True
    ) -> LogRecord:
        self._serial += 1
        start = node.log.position
        return LogRecord(self._serial, start, start + size, at, change, is_row)

    def _forget(self, node: Node, partner: Node) -> None:
        common = node.log.fork_length(partner.log) - KEPT_RECORDS
        if common < KEPT_RECORDS:
            return
        if partner.replayed < node.log.records[common - 1].end:
            return
        node.log.fold(common)
        partner.log.fold(common)

    def _end_wait(self, node: Node, at: float) -> None:
        since = node.waits.blocked_since
        if since is not None:
            node.waits.accumulated_s += at - since
            node.waits.blocked_since = None

    def _run_load(self, node: Node, at: float) -> None:
        if node.load_due is None or node.load_due > at:
            return
        if node.load_rows_per_s <= 0:
            node.load_due = None
            return
        pause = 1 / node.load_rows_per_s * self._random.uniform(0.7, 1.3)
        node.load_due = at + max(pause, self.delay_s)
        if self.can_write(node):
            node.applications = max(node.applications, self.config.client_connections)
            self.commit(node, None, at)

    def settle_replay(self, node: Node, at: float) -> None:
        """Replay on a standby what its speed allowed until now; a primary has replayed all."""
        rate = self.config.replay_bytes_per_s
        if node.role is not Role.STANDBY or rate is None:
            node.replayed = node.log.position
        elif node.active:
            reached = node.replayed + rate * max(0.0, at - node.replay_clock)
            node.replayed = min(float(node.log.position), reached)
        gap = node.log.position - node.replayed
        node.replay_gap_average += (gap - node.replay_gap_average) * 0.1
        node.replay_clock = at

    def set_delay(self, delay_s: float, at: float) -> None:
        """Slow the network down; beyond a second both ends call the connection congested."""
        self.delay_s = delay_s
        for node in self.nodes.values():
            congested = node.connected and delay_s >= CONGESTED_DELAY_S
            if congested is not node.congested:
                node.congested, node.status_since = congested, at
