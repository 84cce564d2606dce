"""What the simulated command line processor `db2` does on one node.

Owns the meaning of command words and which refusal a state earns (db2-hadr.md §8, §10). MUST NOT
know how time passes (`db2_link`, `db2_operations`) nor how a message is spelled (`db2_texts*`).
A refusal whose reason code is only [U] carries no number unless `Unverified.REASON_CODES` is set.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from hamnd.demo import db2_sql
from hamnd.demo import db2_texts as texts
from hamnd.demo import db2_texts_reports as reports
from hamnd.demo.db2_images import Files, Images
from hamnd.demo.db2_link import Link
from hamnd.demo.db2_node import HadrState, Node, Reply, Role, SyncMode
from hamnd.demo.db2_operations import Kind, Operations
from hamnd.demo.db2_parameters import NEEDED
from hamnd.demo.db2_replies import Call, done, refuse, say

PEER_WINDOW_MARGIN_S = 5
"""TAKEOVER ... PEER WINDOW ONLY wants at least this much before the end (§6.3)."""

_NAMES_DATABASE = (
    r".*?\b(?:on|for|to|activate|deactivate|backup|restore|rollforward) "
    r"(?:database |db )?(?:on )?(\w+)"
)

START_HADR = "START HADR ON DATABASE"


class Commands:
    """The command words of both nodes, and which shells are connected to a database."""

    def __init__(self, link: Link, operations: Operations, files: Files) -> None:
        self.link = link
        self.images = Images(link.config, files)
        self.operations = operations
        self.config = link.config
        self.sessions: set[tuple[str, str]] = set()

    def clp(self, call: Call) -> Reply:
        """Carry out one `db2` command line and return what it printed."""
        words = call.words
        text = call.text
        bare = False
        while words and re.fullmatch(r"[-+][a-z]+[0-9]*[-+]?", words[0]):
            bare = bare or "x" in words[0]
            text = text[len(words[0]) :].strip()
            words = words[1:]
        statement = replace(call, words=words, text=text.strip('"').rstrip(";"), bare=bare)
        if not words:
            return Reply(texts.message("DB21061E"), int(texts.Exit.ERROR))
        if not call.node.instance_up:
            return say(self.config, call, "SQL1032N")
        handler = self._handler(words)
        if handler is not None:
            wrong = self._wrong_database(statement)
            return wrong if wrong is not None else handler(statement)
        if words[0] in db2_sql.VERBS:
            return self._sql(statement)
        return say(self.config, call, "SQL0104N", token=words[0])

    def forget_sessions(self, node: Node) -> None:
        """End every connection to a node's database."""
        self.sessions = {known for known in self.sessions if known[0] != node.name}

    def _handler(self, words: tuple[str, ...]) -> Callable[[Call], Reply] | None:
        line = " ".join(words)
        for beginning, handler in (
            ("takeover hadr on d", self._takeover),
            ("start hadr on d", self._start_hadr),
            ("stop hadr on d", self._stop_hadr),
            ("activate d", self._activate),
            ("deactivate d", self._deactivate),
            ("get db cfg for", self._get_cfg),
            ("get database configuration for", self._get_cfg),
            ("get snapshot for d", self._get_snapshot),
            ("connect reset", self._connect_reset),
            ("connect to", self._connect),
            ("force application", self._force_applications),
            ("list application", self._list_applications),
            ("list d", self._list_directory),
            ("list utilities", self.images.utilities),
            ("terminate", self._terminate),
            ("backup d", self.images.backup),
            ("restore d", self.images.restore),
            ("rollforward d", self._rollforward),
            ("update db cfg for", self._update_cfg),
            ("update alternate server for d", self._update_alternate),
        ):
            if line.startswith(beginning):
                return handler
        return None

    def _wrong_database(self, call: Call) -> Reply | None:
        """Return SQL1013N when the command names another database than ours."""
        match = re.match(_NAMES_DATABASE, " ".join(call.words))
        named = match.group(1) if match else ""
        is_ours = named == self.config.database.lower()
        if not match or named == "reset":
            return None
        if is_ours and (call.node.exists or call.words[0] == "restore"):
            return None
        return say(self.config, call, "SQL1013N", database=named.upper())

    def _takeover(self, call: Call) -> Reply:
        node, link = call.node, self.link
        line = " ".join(call.words)
        by_force = " by force" in line
        in_window = by_force and "peer window only" in line
        if by_force and not in_window and self.config.cluster_managed:
            return say(self.config, call, "SQL1770N", reason="10")
        if not node.active or node.role is not Role.STANDBY:
            return refuse(self.config, call, "SQL1770N", "2" if by_force else "1")
        if any(one.node is node for one in self.operations.running.values()):
            return refuse(self.config, call, "SQL1770N", "2" if by_force else "1")
        state = node.state
        if in_window:
            return self._takeover_in_window(call)
        if by_force:
            allowed = [HadrState.PEER, HadrState.DISCONNECTED_PEER]
            allowed.append(HadrState.REMOTE_CATCHUP_PENDING)
            if self.config.layout.number >= (10, 5):
                allowed.append(HadrState.REMOTE_CATCHUP)
            if state not in allowed:
                return refuse(self.config, call, "SQL1770N", "2")
            return self.operations.begin(Kind.FORCED, node, call.at)
        is_super = self.config.sync_mode is SyncMode.SUPERASYNC
        if state is HadrState.PEER or (is_super and state is HadrState.REMOTE_CATCHUP):
            if link.other(node).poisoned:
                return refuse(self.config, call, "SQL1770N", "1")
            return self.operations.begin(Kind.GRACEFUL, node, call.at)
        return refuse(self.config, call, "SQL1770N", "1")

    def _takeover_in_window(self, call: Call) -> Reply:
        node = call.node
        if not self.config.sync_mode.waits_for_standby:
            return refuse(self.config, call, "SQL1770N", "2")
        inside = (
            node.state in (HadrState.PEER, HadrState.DISCONNECTED_PEER)
            and node.window_end is not None
            and node.clock(call.at) <= node.window_end - PEER_WINDOW_MARGIN_S
        )
        if not inside:
            return say(self.config, call, "SQL1770N", reason="9")
        return self.operations.begin(Kind.FORCED, node, call.at)

    def _start_hadr(self, call: Call) -> Reply:
        line = " ".join(call.words)
        if " as standby" in line:
            return self._start_as_standby(call)
        if " as primary" not in line:
            return say(self.config, call, "SQL0104N", token="start")
        node = call.node
        if node.active and node.role is Role.PRIMARY:
            return say(self.config, call, "SQL1777N")
        if node.role is Role.STANDBY:
            return refuse(self.config, call, "SQL1767N", "2")
        if node.poisoned:
            return say(self.config, call, "SQL1776N", reason="6")
        if node.rollforward_pending:
            return say(self.config, call, "SQL1117N", database=self.config.database)
        wrong = self._why_no_hadr(call)
        if wrong is not None:
            return wrong
        node.role = Role.PRIMARY
        if " by force" in line:
            if not node.active:
                self.link.open_database(node, call.at)
            return done(self.config, call, START_HADR)
        return self.operations.begin(Kind.START_PRIMARY, node, call.at)

    def _start_as_standby(self, call: Call) -> Reply:
        node = call.node
        if node.active and node.role is Role.STANDBY:
            return say(self.config, call, "SQL1777N")
        if node.active or node.starting_as_primary:
            reason = "3" if node.role is Role.PRIMARY else "4"
            return refuse(self.config, call, "SQL1767N", reason)
        if node.role is Role.STANDARD and not node.rollforward_pending:
            return refuse(self.config, call, "SQL1767N", "1")
        wrong = self._why_no_hadr(call)
        if wrong is not None:
            return wrong
        node.role = Role.STANDBY
        node.poisoned = node.rollforward_pending = False
        node.replayed = min(node.replayed, float(node.log.position))
        self.link.open_database(node, call.at)
        return done(self.config, call, START_HADR)

    def _why_no_hadr(self, call: Call) -> Reply | None:
        """Return SQL1768N when the configuration does not allow HADR on this machine (§8.1)."""
        node, parameters = call.node, call.node.parameters
        services = self.images.files.services(node.name)
        reasons = {
            "1": parameters["LOGARCHMETH1"] == "OFF",
            "8": not all(parameters[name] for name in NEEDED),
            "4": not node.is_called(parameters["HADR_LOCAL_HOST"]),
            "5": not _is_service(parameters["HADR_LOCAL_SVC"], services),
            "6": not _is_service(parameters["HADR_REMOTE_SVC"], services),
        }
        wrong = next((reason for reason, holds in reasons.items() if holds), None)
        return None if wrong is None else say(self.config, call, "SQL1768N", reason=wrong)

    def _stop_hadr(self, call: Call) -> Reply:
        node = call.node
        if node.role is Role.STANDARD:
            return refuse(self.config, call, "SQL1769N", "1")
        if node.role is Role.STANDBY and node.active:
            return say(self.config, call, "SQL1769N", reason="2")
        if node.role is Role.STANDBY:
            node.rollforward_pending = True
        elif node.active:
            self.link.lose(node, call.at, orderly=True)
        node.role = Role.STANDARD
        return done(self.config, call, "STOP HADR ON DATABASE")

    def _activate(self, call: Call) -> Reply:
        node = call.node
        if node.active:
            return say(self.config, call, "SQL1490W")
        refused = self._why_not_open(call)
        if refused is not None:
            return refused
        if node.role is Role.PRIMARY:
            return self.operations.begin(Kind.ACTIVATE, node, call.at)
        self.link.open_database(node, call.at)
        return done(self.config, call, "ACTIVATE DATABASE")

    def _why_not_open(self, call: Call) -> Reply | None:
        node = call.node
        database = self.config.database
        if node.rollforward_pending:
            return say(self.config, call, "SQL1117N", database=database)
        if node.backup_pending:
            return say(self.config, call, "SQL1116N", database=database)
        if node.poisoned:
            return say(self.config, call, "SQL1776N", reason="6")
        return None

    def _deactivate(self, call: Call) -> Reply:
        node = call.node
        if not node.active:
            return say(self.config, call, "SQL1496W")
        if node.applications > 0:
            return say(self.config, call, "SQL1495W")
        self.link.shut_down_database(node, call.at)
        return done(self.config, call, "DEACTIVATE DATABASE")

    def _get_cfg(self, call: Call) -> Reply:
        return Reply(reports.db_cfg(self.config, call.node, call.language), 0)

    def _get_snapshot(self, call: Call) -> Reply:
        if not call.node.active:
            return say(self.config, call, "SQL1611W")
        return Reply(reports.snapshot(self.config, call.node, call.at), 0)

    def _connect(self, call: Call) -> Reply:
        node = call.node
        refused = self._why_not_open(call)
        if refused is not None:
            return refused
        if node.role is Role.STANDBY and not self.config.reads_on_standby:
            return refuse(self.config, call, "SQL1776N", "1")
        if not node.active:
            if node.role is Role.PRIMARY:
                return self.operations.begin(Kind.CONNECT, node, call.at)
            if node.role is Role.STANDBY:
                return refuse(self.config, call, "SQL1776N", "1")
            self.link.open_database(node, call.at)
        self._join(call)
        config = self.config
        return Reply(texts.connection(config.database, config.instance, config.layout.value), 0)

    def _join(self, call: Call) -> None:
        known = (call.node.name, call.session)
        if known not in self.sessions:
            self.sessions.add(known)
            call.node.applications += 1

    def _leave(self, call: Call) -> bool:
        return self.end_session(call.node, call.session)

    def end_session(self, node: Node, session: str) -> bool:
        """End one shell's connection; False when it had none."""
        if (node.name, session) not in self.sessions:
            return False
        self.sessions.discard((node.name, session))
        node.applications = max(0, node.applications - 1)
        return True

    def _connect_reset(self, call: Call) -> Reply:
        if not self._leave(call):
            return say(self.config, call, "SQL1024N")
        return done(self.config, call, "SQL")

    def _terminate(self, call: Call) -> Reply:
        self._leave(call)
        return done(self.config, call, "TERMINATE")

    def _force_applications(self, call: Call) -> Reply:
        node, back = call.node, self.config.clients_return_s
        self.forget_sessions(node)
        node.applications = 0
        node.load_due = None if back is None else call.at + back
        reply = say(self.config, call, "DB20000I", "DB21024I", command="FORCE APPLICATION")
        return Reply(reply.text + "\n", reply.exit_code)

    def _list_applications(self, call: Call) -> Reply:
        node = call.node
        if not (node.active and node.applications):
            return say(self.config, call, "SQL1611W")
        ours = ["db2bp" for known in self.sessions if known[0] == node.name]
        names = [*ours, *("xcatd" for _ in range(node.applications - len(ours)))]
        return Reply(reports.applications(self.config, names, node.clock(call.at)), 0)

    def _list_directory(self, call: Call) -> Reply:
        return Reply(reports.directory(self.config, call.node), 0)

    def _rollforward(self, call: Call) -> Reply:
        """End the node's life as a standby when it is completed (§10, §11)."""
        node = call.node
        if "complete" in call.words or "stop" in call.words:
            node.role, node.rollforward_pending = Role.STANDARD, False
            self.link.diverge(node, call.at)
        return done(self.config, call, "ROLLFORWARD")

    def _update_cfg(self, call: Call) -> Reply:
        title = "UPDATE DATABASE CONFIGURATION"
        words = re.split(r"\busing\b", call.text, maxsplit=1, flags=re.IGNORECASE)[-1].split()
        named = (word.upper() for word in words[::2])
        before = call.node.parameters["LOGARCHMETH1"]
        call.node.parameters.update(zip(named, words[1::2], strict=False))
        if before == "OFF" and call.node.parameters["LOGARCHMETH1"] != "OFF":
            call.node.backup_pending = True
        if call.node.active:
            return say(self.config, call, "DB20000I", "SQL1363W", command=title)
        return done(self.config, call, title)

    def _update_alternate(self, call: Call) -> Reply:
        title = "UPDATE ALTERNATE SERVER FOR DATABASE"
        words = call.text.split()
        call.node.alternate = (words[-3], words[-1])
        return say(self.config, call, "DB20000I", "DB21056W", command=title)

    def _sql(self, call: Call) -> Reply:
        node = call.node
        if (node.name, call.session) not in self.sessions:
            return say(self.config, call, "SQL1024N")
        if not node.active:
            self._leave(call)
            return say(self.config, call, "SQL1224N")
        statement = db2_sql.parse(call.text)
        if statement is None:
            return say(self.config, call, "SQL0104N", token=call.words[0].upper())
        if isinstance(statement, db2_sql.Query):
            return self._query(call, statement)
        if statement is db2_sql.NOTHING:
            return done(self.config, call, "SQL")
        if node.poisoned:
            return say(self.config, call, "SQL1776N", reason="6")
        if not self.link.can_write(node):
            return say(self.config, call, "SQL1773N" if node.role is Role.STANDBY else "SQL1224N")
        if statement.misses(node.log.contents(statement.table)):
            return say(self.config, call, "SQL0100W")
        change = statement.change()
        if not self.link.commit(node, change, call.at):
            return self.operations.begin(Kind.INSERT, node, call.at, change)
        return done(self.config, call, "SQL")

    def _query(self, call: Call, query: db2_sql.Query) -> Reply:
        rows = {"1": "1"} if query.table is None else call.node.log.contents(query.table)
        values = query.answer(rows)
        text = texts.table(query.column, values, call.bare)
        return Reply(text, 0 if values else int(texts.Exit.NO_ROW))


def _is_service(value: str, known: frozenset[str] | None) -> bool:
    """Whether HADR can listen or connect there: a number, or a name of /etc/services."""
    return value.isdigit() or known is None or value in known
