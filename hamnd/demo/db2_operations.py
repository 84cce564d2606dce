"""Commands of a simulated node that take time: takeover, a primary that starts, a waiting insert.

Owns running operations, when and how they end, and what they do to both nodes (db2-hadr.md §8.2,
§10). MUST NOT parse commands. An operation lives on one node and dies with its instance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto

from hamnd.demo import db2_texts as texts
from hamnd.demo.db2_link import Link
from hamnd.demo.db2_node import Change, HadrState, Node, Partner, Reply, Role

HANDOVER_SHARE = 2 / 3
"""Share of a graceful takeover after which the old primary has already become a standby."""


class Kind(Enum):
    """What is going on."""

    GRACEFUL = auto()
    FORCED = auto()
    START_PRIMARY = auto()
    ACTIVATE = auto()
    CONNECT = auto()
    INSERT = auto()


@dataclass(slots=True)
class Operation:
    """One running command. `ends` is when it ends by itself (infinite: only by an event)."""

    ticket: int
    node: Node
    kind: Kind
    started: float
    ends: float
    change: Change | None = None
    handed_over: bool = False


class Operations:
    """The running commands of both nodes, and the replies of those that ended."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.running: dict[int, Operation] = {}
        self._ended: dict[int, Reply] = {}
        self._tickets = 0

    # What the commands start.

    def begin(self, kind: Kind, node: Node, at: float, change: Change | None = None) -> Reply:
        """Start an operation and return its forecast."""
        self._tickets += 1
        operation = Operation(self._tickets, node, kind, at, math.inf, change)
        config = self.link.config
        partner = self.link.other(node)
        forecast = self._done("TAKEOVER HADR ON DATABASE")
        if kind in (Kind.GRACEFUL, Kind.FORCED):
            operation.ends = at + config.takeover_s + self._replay_s(node)
        if kind is Kind.GRACEFUL and not self.link.is_whole(node, partner):
            heard = node.heartbeats.last_received_at or at
            operation.ends = math.inf  # it ends when this node notices that the partner is gone
            wait = max(0.0, heard + config.hadr_timeout_s - at)
            forecast = Reply(texts.message("SQL1770N", reason="7"), 4, wait)
        elif kind is Kind.GRACEFUL:
            partner.forcing_applications = True
        if kind is Kind.FORCED:
            self._poison(node, partner, at)
        if kind in (Kind.START_PRIMARY, Kind.ACTIVATE, Kind.CONNECT):
            operation.ends = at + config.hadr_timeout_s
            node.starting_as_primary = True
            node.log_gap_average = 0.0
            forecast = Reply(texts.message("SQL1768N", reason="7"), 4)
        if kind is Kind.INSERT:
            forecast = self._inserted()
        self.running[operation.ticket] = operation
        seconds = forecast.duration_s or operation.ends - at
        return Reply(forecast.text, forecast.exit_code, seconds, operation.ticket)

    def _replay_s(self, node: Node) -> float:
        rate = self.link.config.replay_bytes_per_s
        return (node.log.position - node.replayed) / rate if rate else 0.0

    def _poison(self, node: Node, partner: Node, at: float) -> None:
        """Tell the old primary to stop, if it can hear it; the link is over either way (§8.2)."""
        if self.link.delivers(node, partner) and partner.active and partner.role is Role.PRIMARY:
            partner.poisoned = True
            self.link.lose(partner, at, orderly=True)
        if node.connected:
            self.link.lose(node, at)

    # Time.

    def next_time(self) -> float:
        """Return when a running operation ends or hands over by itself, or infinity."""
        times = []
        for operation in self.running.values():
            if not operation.node.runs:
                continue
            times.append(operation.ends)
            handover = self._handover_at(operation)
            if handover is not None and not operation.handed_over:
                times.append(handover)
        return min(times, default=math.inf)

    def _handover_at(self, operation: Operation) -> float | None:
        if operation.kind is not Kind.GRACEFUL or operation.ends == math.inf:
            return None
        return operation.started + (operation.ends - operation.started) * HANDOVER_SHARE

    def step(self, at: float) -> None:
        """Let every operation do what is due, and end those that can end."""
        for operation in list(self.running.values()):
            if not operation.node.runs:
                continue
            match operation.kind:
                case Kind.GRACEFUL:
                    self._step_graceful(operation, at)
                case Kind.FORCED:
                    self._step_forced(operation, at)
                case Kind.START_PRIMARY | Kind.ACTIVATE | Kind.CONNECT:
                    self._step_start(operation, at)
                case Kind.INSERT:
                    self._step_insert(operation, at)

    def answer(self, ticket: int) -> Reply | None:
        """Return the reply of an operation that ended, or None while it runs."""
        return self._ended.get(ticket)

    def drop(self, node: Node, because: str | None = None) -> None:
        """End what runs on a node: with a message where its instance died, else without a word."""
        for operation in list(self.running.values()):
            if operation.node is not node:
                continue
            text = texts.message(because) if because else ""
            partner = self.link.other(node)
            partner.forcing_applications = False
            partner.takeover_remaining = None
            self._end(operation, Reply(text, 4 if because else 255, 0.0))

    def _end(self, operation: Operation, reply: Reply) -> None:
        del self.running[operation.ticket]
        self._ended[operation.ticket] = Reply(
            reply.text, reply.exit_code, reply.duration_s, operation.ticket
        )

    # The operations themselves.

    def _step_graceful(self, operation: Operation, at: float) -> None:
        node = operation.node
        partner = self.link.other(node)
        is_whole = self.link.is_whole(node, partner) and partner.active
        if not node.connected or not (is_whole or operation.ends == math.inf):
            partner.forcing_applications = False
            node.takeover_remaining = partner.takeover_remaining = None
            self._end(operation, self._refused("7", at - operation.started))
            return
        self._count_applications(operation, at)
        handover = self._handover_at(operation)
        if handover is not None and handover <= at and not operation.handed_over:
            operation.handed_over = True
            for record in partner.log.beyond(node.log):
                node.log.append(record)
            partner.role, partner.applications = Role.STANDBY, 0
        if operation.ends <= at:
            partner.forcing_applications = False
            node.takeover_remaining = partner.takeover_remaining = None
            node.role, node.last_takeover_at = Role.PRIMARY, at
            for one in (node, partner):
                one.connected = False
            self.link.join_in_peer(node, partner, at)
            self._end(operation, self._done("TAKEOVER HADR ON DATABASE", at - operation.started))

    def _step_forced(self, operation: Operation, at: float) -> None:
        node = operation.node
        if not node.active:
            self._end(operation, Reply(texts.message("SQL1224N"), 4, at - operation.started))
            return
        self._count_applications(operation, at)
        if operation.ends > at:
            return
        node.takeover_remaining = None
        node.role, node.last_takeover_at = Role.PRIMARY, at
        node.state, node.status_since, node.reconnect_due = HadrState.DISCONNECTED, at, None
        node.window_end, node.connected = None, False
        node.partner = Partner()  # it has never heard of a standby
        self._end(operation, self._done("TAKEOVER HADR ON DATABASE", at - operation.started))

    def _count_applications(self, operation: Operation, at: float) -> None:
        node = operation.node
        total = operation.ends - operation.started
        if total == math.inf or total <= 0:
            return
        left = max(0.0, 1 - (at - operation.started) / total)
        partner = self.link.other(node)
        graceful = operation.kind is Kind.GRACEFUL
        remaining = (math.ceil(partner.applications * left) if graceful else 0, 0)
        node.takeover_remaining = remaining
        if graceful and partner.active:
            partner.takeover_remaining = remaining

    def _step_start(self, operation: Operation, at: float) -> None:
        node = operation.node
        seconds = at - operation.started
        if node.active and not node.starting_as_primary:
            if operation.kind is Kind.CONNECT:
                config = self.link.config
                block = texts.connection(config.database, config.instance, config.layout.value)
                self._end(operation, Reply(block, 0, seconds))
            elif operation.kind is Kind.ACTIVATE:
                self._end(operation, self._done("ACTIVATE DATABASE", seconds))
            else:
                self._end(operation, self._done("START HADR ON DATABASE", seconds))
        elif operation.ends <= at or not node.starting_as_primary:
            node.starting_as_primary = False
            if node.active:  # it was an online STANDARD database, and stays one
                node.role = Role.STANDARD
            self._end(operation, Reply(texts.message("SQL1768N", reason="7"), 4, seconds))

    def _step_insert(self, operation: Operation, at: float) -> None:
        node = operation.node
        seconds = at - operation.started
        if not self.link.can_write(node):
            self._end(operation, Reply(texts.message("SQL1224N"), 4, seconds))
        elif self.link.commit(node, operation.change, at):
            self._end(operation, Reply(self._inserted().text, 0, seconds))

    def _inserted(self) -> Reply:
        return Reply(texts.message("DB20000I", command="SQL"), 0)

    def _done(self, command: str, seconds: float = 0.0) -> Reply:
        return Reply(texts.message("DB20000I", command=command), 0, seconds)

    def _refused(self, reason: str, seconds: float = 0.0) -> Reply:
        return Reply(texts.message("SQL1770N", reason=reason), 4, seconds)
