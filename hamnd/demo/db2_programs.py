"""What the simulated `db2pd`, `db2start`, `db2stop`, `db2gcf` and their like do on one node.

Owns the programs beside the command line processor, and which program a command line names. MUST
NOT know what the words of `db2` mean (`db2_commands`) nor how a message is spelled (`db2_texts*`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hamnd.demo import db2_texts as texts
from hamnd.demo import db2_texts_pd as pd
from hamnd.demo.db2_commands import Commands
from hamnd.demo.db2_images import Files
from hamnd.demo.db2_link import Link
from hamnd.demo.db2_node import Node, Reply, Role, Unverified
from hamnd.demo.db2_operations import Operations
from hamnd.demo.db2_replies import Call, say

NAMES = (
    "db2",
    "db2pd",
    "db2start",
    "db2stop",
    "db2gcf",
    "db2level",
    "db2ilist",
    "db2_kill",
    "db2nkill",
    "db2rfpen",
)


class Programs:
    """Every program of the simulated product, on both nodes."""

    def __init__(self, link: Link, operations: Operations, files: Files) -> None:
        self.link = link
        self.operations = operations
        self.config = link.config
        self.commands = Commands(link, operations, files)

    def run(self, call: Call) -> Reply:
        """Carry out one command line, the program being its first word."""
        program, *rest = call.words
        if "using" in rest and not self._may_pass_using(rest):
            return Reply("refused: this argv carries a password (USING)\n", 64)
        programs: dict[str, Callable[[Call], Reply]] = {
            "db2": self.commands.clp,
            "db2pd": self._db2pd,
            "db2start": self._db2start,
            "db2stop": self._db2stop,
            "db2gcf": self._db2gcf,
            "db2level": self._db2level,
            "db2ilist": self._db2ilist,
            "db2_kill": self._kill,
            "db2nkill": self._kill,
            "db2rfpen": self._db2rfpen,
        }
        known = programs.get(program)
        if known is None:
            return Reply(f"sh: {program}: command not found\n", 127)
        text = call.text.strip()[len(program) :].strip()
        reply = known(replace(call, text=text, words=tuple(rest)))
        if reply.duration_s == 0:
            reply = replace(reply, duration_s=self.config.command_s)
        return reply

    def _may_pass_using(self, words: list[str]) -> bool:
        is_setting = words[:3] in (["update", "db", "cfg"], ["update", "alternate", "server"])
        return self.config.may_pass_using or is_setting

    def _db2pd(self, call: Call) -> Reply:
        node, layout = call.node, self.config.layout
        if not node.instance_up:
            return Reply(pd.instance_down(layout), 0)
        name = next(
            (
                word
                for option, word in zip(call.words, call.words[1:], strict=False)
                if option in ("-d", "-db", "-database")
            ),
            None,
        )
        wanted = self.config.database.lower()
        if (name is None and "-alldbs" not in call.words) or (name not in (None, wanted)):
            return Reply(pd.not_activated(layout, (name or "").upper()), 0)
        if not node.active:
            return Reply(pd.not_activated(layout, self.config.database), 0)
        if node.role is Role.STANDARD:
            return Reply(pd.not_hadr(self.config, node, call.at), 0)
        return Reply(pd.hadr(self.config, node, call.at), 0)

    def _db2start(self, call: Call) -> Reply:
        node = call.node
        if node.instance_up:
            return Reply(say(self.config, call, "SQL1026N").text, 1)
        if node.hostname != node.nodes_cfg_hostname:
            return say(self.config, call, "SQL6031N", reason="10")
        node.instance_up = True
        return self._member_reply(call, "SQL1063N")

    def _db2stop(self, call: Call) -> Reply:
        node = call.node
        if not node.instance_up:
            return Reply(say(self.config, call, "SQL1032N").text, 1)
        if node.active and "force" not in call.words:
            return say(self.config, call, "SQL1025N")
        if node.active:
            self.link.shut_down_database(node, call.at)
        self._stop_instance(node)
        return self._member_reply(call, "SQL1064N")

    def _stop_instance(self, node: Node) -> None:
        node.instance_up = False
        self.commands.forget_sessions(node)
        self.operations.drop(node, "SQL1224N")

    def _member_reply(self, call: Call, identifier: str) -> Reply:
        first = texts.member_line(call.node.clock(call.at), identifier)
        return Reply(first + texts.message(identifier), 0)

    def _kill(self, call: Call) -> Reply:
        """Kill the instance: no record is written, the partner's end is reset at once (§6.2)."""
        self.link.close_database(call.node, call.at, orderly=False)
        self._stop_instance(call.node)
        return Reply("", 0)

    def _db2rfpen(self, call: Call) -> Reply:
        """Put a closed database into rollforward pending; an old primary loses its role."""
        node = call.node
        if node.active or not node.exists:
            return Reply("db2rfpen: the database cannot be opened.\n", 1)
        node.role, node.rollforward_pending = Role.STANDARD, True
        return Reply("", 0)

    def _db2gcf(self, call: Call) -> Reply:
        node, words = call.node, call.words
        if "-u" in words:
            node.nodes_cfg_hostname = node.hostname
            node.instance_up = True
            told = Unverified.GCF_START_TEXT in self.config.unverified
            started = texts.gcf_status(self.config.instance, available=True)
            return Reply(started if told else "", 0)
        if "-k" in words:
            return self._kill(call)
        if "-d" in words:
            return self._db2stop(replace(call, words=("force",)))
        if "-s" in words:
            up = node.instance_up
            return Reply(texts.gcf_status(self.config.instance, up), 0 if up else 1)
        return Reply("Usage: db2gcf [-u|-d|-k|-s|-o] [-p partition] [-i instance]\n", 1)

    def _db2level(self, _: Call) -> Reply:
        return Reply(texts.level(self.config.layout.value, self.config.instance), 0)

    def _db2ilist(self, _: Call) -> Reply:
        return Reply(f"{self.config.instance}\n", 0)
