"""Backup images of the simulated pair: files on its machines, and what is in them.

Owns which image holds what, and the commands BACKUP and RESTORE (db2-hadr.md §8, §11). MUST NOT
know where a machine's files really are: `Files` keeps them in memory, a lab puts its own there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hamnd.demo import db2_texts as texts
from hamnd.demo import db2_texts_reports as reports
from hamnd.demo.db2_node import Log, Node, PairConfig, Reply, Role
from hamnd.demo.db2_replies import Call, done, refuse, say


class Files:
    """Files of the machines by name and path; a file is one text."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], str] = {}

    def write(self, node: str, path: str, text: str) -> bool:
        """Write a file; False where that is not possible."""
        self._texts[node, path] = text
        return True

    def read(self, node: str, path: str) -> str | None:
        """Return a file's text, or None where there is none."""
        return self._texts.get((node, path))

    def services(self, node: str) -> frozenset[str] | None:
        """Return the service names that a machine knows; None: every one."""
        text = self.read(node, "/etc/services")
        if text is None:
            return None
        return frozenset(line.split()[0] for line in text.splitlines() if line.split())


@dataclass(frozen=True, slots=True)
class Image:
    """What a backup holds: the log until then, and the configuration, which travels in it."""

    log: Log
    parameters: dict[str, str]


class Images:
    """Every image that was ever made, by what its file says."""

    def __init__(self, config: PairConfig, files: Files) -> None:
        self.config = config
        self.files = files
        self._made: dict[str, Image] = {}

    def path(self, folder: str, stamp: str) -> str:
        """Return the name that Db2 gives to an image."""
        member = "NODE0000.CATN0000" if self.config.layout.is_old else "DBPART000"
        name = f"{self.config.database}.0.{self.config.instance}.{member}.{stamp}.001"
        return f"{folder.rstrip('/')}/{name}"

    def backup(self, call: Call) -> Reply:
        """Make an image of a node's database: online where its log is archived, else closed."""
        node, words = call.node, call.words
        is_online = "online" in words
        if node.role is Role.STANDBY:
            return refuse(self.config, call, "SQL1776N", "1")
        if node.poisoned:
            return say(self.config, call, "SQL1776N", reason="6")
        if node.active and not is_online:
            return say(self.config, call, "SQL1035N")
        if is_online and (node.parameters["LOGARCHMETH1"] == "OFF" or node.backup_pending):
            return say(self.config, call, "SQL2413N")
        target = re.search(r"\bto (\S+)", call.text)
        folder = target[1] if target else f"/home/{self.config.instance}"
        stamp = texts.backup_stamp(node.clock(call.at))
        log = Log()
        log.copy_from(node.log)
        content = f"image {len(self._made) + 1} of {self.config.database} {stamp}\n"
        is_kept = folder != "/dev/null"
        if is_kept and not self.files.write(node.name, self.path(folder, stamp), content):
            return say(self.config, call, "SQL2036N", path=folder)
        self._made[content] = Image(log, dict(node.parameters))
        node.backup_pending = False
        node.utility = ("BACKUP", call.at, call.at + self.config.backup_s)
        line = f"Backup successful. The timestamp for this backup image is : {stamp}"
        return Reply(f"\n{line}\n\n", 0, self.config.backup_s)

    def utilities(self, call: Call) -> Reply:
        """Tell how far a running backup or restore is."""
        name, begins, ends = call.node.utility or ("", 0.0, 0.0)
        if not begins <= call.at < ends:
            return say(self.config, call, "SQL1611W")
        share = (call.at - begins) / (ends - begins)
        return Reply(reports.utility(self.config, name, share, call.node.clock(begins)), 0)

    def restore(self, call: Call) -> Reply:
        """Put an image in the place of a closed database, to be rolled forward."""
        node = call.node
        if node.active or node.starting_as_primary:
            return say(self.config, call, "SQL1035N")
        if node.role is not Role.STANDARD:
            return refuse(self.config, call, "SQL1776N", "1")
        found = re.search(r"\bfrom (\S+) taken at (\d+)", call.text, re.IGNORECASE)
        content = found and self.files.read(node.name, self.path(found[1], found[2]))
        image = self._made.get(content or "")
        if found is None or image is None:
            stamp = found[2] if found else ""
            return say(self.config, call, "SQL2542N", database=self.config.database, stamp=stamp)
        self._take(node, image)
        node.utility = ("RESTORE", call.at, call.at + self.config.backup_s)
        if "without prompting" in " ".join(call.words) and node.exists:
            reply = say(self.config, call, "SQL2540W")
        else:
            reply = done(self.config, call, "RESTORE DATABASE")
        node.exists = True
        return Reply(reply.text, reply.exit_code, self.config.backup_s)

    def _take(self, node: Node, image: Image) -> None:
        node.log.copy_from(image.log)
        node.replayed = float(node.log.position)
        node.parameters = dict(image.parameters)
        node.role, node.rollforward_pending, node.poisoned = Role.STANDARD, True, False
        node.backup_pending = False
