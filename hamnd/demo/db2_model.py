"""A simulated pair of Db2 HADR nodes: pure, driven by ticks, obeying db2-hadr.md §13.

Owns the one object that tests, the simulation and the demo's world use, `Db2Pair`:

    pair = Db2Pair(PairConfig(layout=Layout.V9_7, peer_window_s=40), now=1000.0)   # in PEER
    pair.tick(1010.0)                                   # heartbeats, commits, time-outs until then
    reply = pair.run("aixmn2", ("db2pd", "-d", "XCATDB", "-hadr"), 1010.0)
    pair.kill_host("aixmn1", 1010.5)                    # silent: nobody notices before HADR_TIMEOUT
    reply = pair.run("aixmn2", ("db2", "takeover hadr on db XCATDB by force"), 1075.0)
    pair.tick(1075.0 + reply.duration_s)                # the takeover happens meanwhile
    pair.answer(reply.ticket, 1080.0)                  # what came of it (None: still runs)
    pair.loss("aixmn1", "aixmn2")                       # truth: committed only there

`now` is true time in seconds and never goes back; a node's own clock is that plus its skew. There
is no clock, no I/O and no randomness but the seeded spread of the write load. A `Reply` carries
text, exit code and duration; the effect of a short command is immediate, that of a long one comes
while ticking, and its reply is then a forecast until `answer` gives the real one. A node that is
off or frozen never answers: infinite duration, no text.

Faults: `cut` / `heal` (per direction), `kill_host` / `power_on`, `kill_process`, `freeze` /
`thaw`, `slow`, `set_skew`, `set_flags`, `spoil` (one program hangs, fails, lies or is cut short).

MUST NOT know hamnd, xCAT or processes. Not simulated: several standbys, pureScale, delayed replay,
reads during replay-only windows, times of HADR that UPDATE DB CFG changed on both nodes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hamnd.demo.db2_images import Files
from hamnd.demo.db2_link import Link
from hamnd.demo.db2_node import Change, HostPower, Node, PairConfig, Reply, Role
from hamnd.demo.db2_operations import Operations
from hamnd.demo.db2_parameters import ALONE, of_pair
from hamnd.demo.db2_programs import Programs
from hamnd.demo.db2_replies import Call

NEVER = Reply("", 255, math.inf)
"""What a machine answers that is off or frozen."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What was committed on one node and is missing on the other."""

    rows: int
    bytes: int
    changes: tuple[Change, ...]
    first_at: float | None
    last_at: float | None


@dataclass(frozen=True, slots=True)
class Spoil:
    """How one program of one node misbehaves. None leaves that part as it would be.

    `hangs`: it never ends. `text` and `exit_code` replace its own. `delay_s` is added. `cut_at`
    ends the text after so many characters. `times` is how often (None: until taken back); a
    program whose text or exit code is replaced is not carried out at all.
    """

    hangs: bool = False
    text: str | None = None
    exit_code: int | None = None
    delay_s: float = 0.0
    cut_at: int | None = None
    times: int | None = None

    def apply(self, reply: Reply) -> Reply:
        """Return the spoiled reply."""
        text = reply.text if self.text is None else self.text
        code = reply.exit_code if self.exit_code is None else self.exit_code
        seconds = math.inf if self.hangs else reply.duration_s + self.delay_s
        return replace(reply, text=text[: self.cut_at], exit_code=code, duration_s=seconds)

    @property
    def prevents(self) -> bool:
        """Whether the program does nothing but misbehave."""
        return self.hangs or self.text is not None or self.exit_code is not None


class Db2Pair:
    """The pair, beginning in the steady state of its sync mode (PEER, or catch-up for SUPERASYNC).

    `nodes` may be read freely by tests; only this class and its modules change them.
    """

    def __init__(
        self, config: PairConfig | None = None, now: float = 0.0, files: Files | None = None
    ) -> None:
        self.config = config or PairConfig()
        primary = Node(self.config.primary, Role.PRIMARY)
        standby = Node(self.config.standby, Role.STANDBY)
        self.link = Link(self.config, primary, standby)
        self.operations = Operations(self.link)
        self.programs = Programs(self.link, self.operations, files or Files())
        self.nodes = self.link.nodes
        self._spoils: dict[tuple[str, str], Spoil] = {}
        self._cursor = now
        for node in (primary, standby):
            node.activated_at = node.replay_clock = now
            node.hostname = node.nodes_cfg_hostname = node.name
            node.addresses = frozenset({node.config.address})
            node.parameters = of_pair(self.config, node.config)
        if self.config.is_paired:
            self.link.join_in_peer(primary, standby, now)
        else:
            self._part(now)
        self.set_load(primary.name, self.config.write_rows_per_s, now)

    def _part(self, now: float) -> None:
        """Make two databases of their own out of the pair; nothing of one is in the other."""
        for node in self.nodes.values():
            node.role, node.parameters = Role.STANDARD, dict(ALONE)
            self.link.diverge(node, now)

    # Time.

    @property
    def now(self) -> float:
        """The true time until which everything has happened."""
        return self._cursor

    def tick(self, now: float) -> None:
        """Let everything happen that was due until now. Raises ValueError when time goes back."""
        if now < self._cursor:
            raise ValueError(f"time went back from {self._cursor} to {now}")
        while True:
            due = min(self.link.next_time(), self.operations.next_time())
            at = max(due, self._cursor)
            if at > now:
                break
            self._cursor = at
            self.link.step(at)
            self.operations.step(at)
        self._cursor = now
        self._settle(now)

    def _settle(self, now: float) -> None:
        self.operations.step(now)
        for node in self.nodes.values():
            if node.runs:
                self.link.settle_replay(node, now)

    def next_time(self) -> float:
        """Return when something happens by itself next (true time), or infinity."""
        return min(self.link.next_time(), self.operations.next_time())

    # Commands.

    def run(
        self,
        node: str,
        argv: Sequence[str],
        now: float,
        session: str = "",
        language: str = "C",
    ) -> Reply:
        """Run one program on a node: `db2`, `db2pd`, `db2start`, `db2stop`, `db2gcf`, ...

        `argv` may hold the words one by one or in one string, as a shell passes them. `session`
        stands for the shell that a CONNECT belongs to; `language` is LC_ALL or LANG.
        """
        self.tick(now)
        machine = self.nodes[node]
        if not machine.runs:
            return NEVER
        text = " ".join(argv)
        words = tuple(text.lower().split())
        if not words:
            return Reply("", 127)
        words = (words[0].rpartition("/")[2], *words[1:])
        text = words[0] + text.lstrip()[len(text.split()[0]) :]
        spoil = self._take_spoil(node, words[0])
        if spoil is not None and spoil.prevents:
            return spoil.apply(Reply("", 0, self.config.command_s))
        call = Call(machine, text, words, now, session, language)
        reply = self.programs.run(call)
        self.operations.step(now)
        return spoil.apply(reply) if spoil is not None else reply

    def answer(self, ticket: int, now: float) -> Reply | None:
        """Return the real reply of a long command, or None while it still runs."""
        self.tick(now)
        return self.operations.answer(ticket)

    def run_to_end(self, node: str, argv: Sequence[str], now: float) -> tuple[Reply, float]:
        """Run a program, let time pass until it ends, and return its reply and that moment.

        A command that cannot end (its machine hangs, nothing will wake it) returns at infinity.
        """
        reply = self.run(node, argv, now)
        if reply.ticket is None:
            return reply, now + reply.duration_s
        at = now
        for _ in range(1_000_000):
            ended = self.answer(reply.ticket, at)
            if ended is not None:
                return ended, at
            at = max(at, self.next_time())
            if at == math.inf:
                break
        return NEVER, math.inf

    def sessions(self) -> frozenset[tuple[str, str]]:
        """Return (node, shell) of every shell that is connected to a database."""
        return frozenset(self.programs.commands.sessions)

    def end_session(self, node: str, session: str) -> None:
        """End a shell's connection: the CLP's back end goes when its shell does."""
        self.programs.commands.end_session(self.nodes[node], session)

    def _take_spoil(self, node: str, program: str) -> Spoil | None:
        spoil = self._spoils.get((node, program))
        if spoil is None or spoil.times is None:
            return spoil
        if spoil.times <= 1:
            del self._spoils[node, program]
        else:
            self._spoils[node, program] = replace(spoil, times=spoil.times - 1)
        return spoil

    def spoil(self, node: str, program: str, how: Spoil | None) -> None:
        """Make one program of a node misbehave from now on; None takes it back."""
        if how is None:
            self._spoils.pop((node, program), None)
        else:
            self._spoils[node, program] = how

    # Faults.

    def cut(self, source: str, target: str, now: float) -> None:
        """Cut the network in one direction: what `source` sends no longer arrives at `target`."""
        self.tick(now)
        self.link.cut.add((source, target))

    def cut_both(self, now: float) -> None:
        """Cut the network between the two nodes in both directions."""
        one, two = self.nodes
        self.cut(one, two, now)
        self.cut(two, one, now)

    def heal(self, now: float) -> None:
        """Undo every cut and all slowness; what a node has noticed stays noticed."""
        self.tick(now)
        self.link.cut.clear()
        self.slow(0.0, now)

    def slow(self, delay_s: float, now: float) -> None:
        """Delay every shipment by so many seconds; from one second on the pair is CONGESTED."""
        self.tick(now)
        self.link.set_delay(delay_s, now)

    def kill_host(self, node: str, now: float) -> None:
        """Cut the power: the partner hears nothing and notices only after HADR_TIMEOUT."""
        self.tick(now)
        machine = self.nodes[node]
        self.operations.drop(machine)
        self.programs.commands.forget_sessions(machine)
        machine.power = HostPower.OFF
        machine.instance_up = False
        self.link.close_database(machine, now, orderly=False)
        machine.load_rows_per_s = 0.0

    def power_on(self, node: str, now: float, start_instance: bool = False) -> None:
        """Give a machine power again: roles and logs are as they were, nothing is activated."""
        self.tick(now)
        machine = self.nodes[node]
        if machine.power is HostPower.OFF:
            machine.boot += 1
        machine.power = HostPower.UP
        machine.instance_up = machine.instance_up or start_instance

    def kill_process(self, node: str, now: float) -> None:
        """Kill the instance's processes (db2_kill): its kernel tells the partner at once."""
        self.run(node, ("db2_kill",), now)

    def freeze(self, node: str, now: float) -> None:
        """Stop a machine as it stands: connections stay open, nothing is computed or answered."""
        self.tick(now)
        self.nodes[node].power = HostPower.FROZEN

    def thaw(self, node: str, now: float) -> None:
        """Let a frozen machine go on; the first thing it does is look at its clock."""
        self.tick(now)
        machine = self.nodes[node]
        if machine.power is not HostPower.FROZEN:
            return
        machine.power = HostPower.UP
        self.link.notice(machine, now)
        self.tick(now)

    def set_skew(self, node: str, seconds: float) -> None:
        """Set how far a node's own clock is ahead of true time."""
        self.nodes[node].clock_skew_s = seconds

    def set_flags(self, node: str, *flags: str) -> None:
        """Set HADR_FLAGS as a node shows them, e.g. STANDBY_LOG_DEVICE_FULL (§3.2)."""
        self.nodes[node].flags = flags

    def rename_host(self, node: str, hostname: str) -> None:
        """Change a machine's host name; db2nodes.cfg keeps the old one (SQL6031N 10)."""
        self.nodes[node].hostname = hostname

    def set_addresses(self, node: str, *addresses: str) -> None:
        """Set a machine's addresses; HADR's host parameters do not follow (SQL1768N 4)."""
        self.nodes[node].addresses = frozenset(addresses)

    def set_load(self, node: str, rows_per_s: float, now: float) -> None:
        """Set how many rows a second clients write on a node; it writes whenever it may."""
        self.tick(now)
        machine = self.nodes[node]
        had_load = machine.load_rows_per_s > 0
        machine.load_rows_per_s = rows_per_s
        machine.load_due = now + 1 / rows_per_s if rows_per_s > 0 else None
        clients = self.config.client_connections
        if rows_per_s > 0 and not had_load:
            machine.applications += clients
        elif rows_per_s <= 0 and had_load:
            machine.applications = max(0, machine.applications - clients)

    # What clients do, and the truth that no client sees.

    def write(self, node: str, change: Change, now: float) -> bool:
        """Commit one row now. False: not possible at this moment, or it would have to wait."""
        self.tick(now)
        machine = self.nodes[node]
        return self.link.can_write(machine) and self.link.commit(machine, change, now)

    def rows(self, node: str, table: str) -> dict[str, str]:
        """Return a table of one node by key, readable or not."""
        return self.nodes[node].log.contents(table)

    def is_open(self, node: str) -> bool:
        """Whether clients can connect to this node's database and read."""
        machine = self.nodes[node]
        reads = machine.role is not Role.STANDBY or self.config.reads_on_standby
        return machine.runs and machine.instance_up and machine.active and reads

    def is_writable(self, node: str) -> bool:
        """Whether a row could be committed on this node at this moment without waiting."""
        machine = self.nodes[node]
        return self.link.can_write(machine) and not self.link.is_blocked(machine)

    def writable_nodes(self) -> tuple[str, ...]:
        """Return the nodes that accept writes now; two of them are a split brain."""
        return tuple(name for name in self.nodes if self.is_writable(name))

    def loss(self, old: str, new: str) -> Loss:
        """Return what was committed on `old` and is missing on `new`: rows, bytes, changes."""
        records = self.nodes[old].log.beyond(self.nodes[new].log)
        rows = [record for record in records if record.is_row]
        changes = tuple(record.change for record in rows if record.change is not None)
        size = sum(record.end - record.start for record in rows)
        times = [record.at for record in rows]
        return Loss(len(rows), size, changes, min(times, default=None), max(times, default=None))

    def has_diverged(self, node: str) -> bool:
        """Whether a node's log holds anything that its partner's lacks."""
        machine = self.nodes[node]
        return bool(machine.log.beyond(self.link.other(machine).log))


def statements(argv: Sequence[str], script: str) -> Iterator[tuple[str, ...]]:
    """Split what `db2 -tvf FILE` or `db2 < FILE` would run into one argv per statement.

    `script` is the text of that file or of standard input. Without `-t` a line is a statement.
    """
    options = [word for word in argv[1:] if word.startswith(("-", "+"))]
    ends_at_semicolon = any("t" in option for option in options if option.startswith("-"))
    kept = tuple(option for option in options if "x" in option)
    for piece in script.split(";" if ends_at_semicolon else "\n"):
        lines = [line for line in piece.splitlines() if not line.strip().startswith("--")]
        statement = " ".join(" ".join(lines).split())
        if statement:
            yield (argv[0], *kept, statement)
