"""The demo's confirmed plan as calls on the simulated site: which call is which step's doing.

Owns `Script`, and what counts as a change of the site. Must not start, hold or judge anything.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hamnd.demo.calls import Call
from hamnd.demo.executables import STAND_INS
from tests.lab.demo_stage import StageFailed

ACTIONS = {
    "fuse": 1,
    "fence": 1,
    "epoch": 2,
    "promote": 1,
    "identity": 4,
    "xcatd": 4,
    "dns": 1,
    "dhcp": 2,
    "consoles": 2,
    "verify": 3,
}
"""Steps of the demo's takeover with their number of actions (checked against every plan)."""

UNSEEN = {"epoch": (0, 1), "identity": (0, 3), "verify": (0, 2)}
"""Actions that no stand-in sees: the epoch is written, the way back is armed, the change is kept;
no xcatprobe here, and witnesses are told over ssh."""

PROVEN_AFTER = {**ACTIONS, "identity": 3}
"""How many actions come before the proof; the address is kept only after it."""


def is_change(call: Call) -> bool:
    """Whether a call is meant to change the simulated site."""
    verb = call.argv[0] if call.argv else ""
    match call.tool:
        case "crontab":
            return "-l" not in call.argv
        case "fence_demo":
            return "action=off" in call.stdin
        case "db2":
            return verb in ("takeover", "start", "stop", "activate", "deactivate")
        case "ip":
            return "add" in call.argv or "del" in call.argv
        case "arping":
            return "-U" in call.argv
        case "systemctl":
            return verb in ("start", "stop", "restart", "enable", "disable")
        case "makedhcp":
            return "-q" not in call.argv
        case "mkdef" | "chdef" | "rmdef" | "makedns" | "makeconservercf":
            return True
        case _:
            return False


def name_of(call: Call) -> str:
    """Return a change in words, the same in every story."""
    if call.tool == "fence_demo":
        return "fence off"
    return " ".join((call.tool, *call.argv))


def _is_script(words: list[str]) -> bool:
    """Whether a script calls the tool, with arguments that only the script knows."""
    scripts = [text for word, text in zip(words, words[2:], strict=False) if word == "sh"]
    return any('exec "$@"' not in text for text in scripts)


@dataclass(frozen=True, slots=True)
class Request:
    """A call as the plan shows it; `argv` is None where the plan does not say all of it."""

    tool: str
    argv: tuple[str, ...] | None
    verb: str = ""

    @classmethod
    def of(cls, shown: Mapping[str, Any]) -> Request | None:
        """Return the call behind one action or look of a plan; None where no program is run."""
        kind, argv = shown["kind"], shown["argv"]
        if kind in ("fence", "fence_status"):
            return cls("fence_demo", None, "off" if kind == "fence" else "status")
        written = shown["preview"].rpartition("|")[2]  # what an edit hands its text to
        words = argv or shlex.split(written)
        for number, word in enumerate(words):
            tool = word.rpartition("/")[2]
            if tool in STAND_INS:
                return cls(tool, None if _is_script(words) else tuple(words[number + 1 :]))
        return None

    def is_made_by(self, call: Call) -> bool:
        """Whether a call is this request, or one of a script that is."""
        if call.tool != self.tool:
            return False
        if self.verb:
            return f"action={self.verb}" in call.stdin
        return call.argv == self.argv if self.argv is not None else not is_change(call)


class Script:
    """The confirmed plan, as calls on the simulated site."""

    def __init__(self, shown: dict[str, Any]) -> None:
        self.shown = shown
        self.steps = {step["id"]: step for step in shown["steps"]}
        found = {key: len(step["actions"]) for key, step in self.steps.items()}
        if found != ACTIONS:
            raise StageFailed(f"the plan's steps are {found}, the matrix knows {ACTIONS}")

    def is_action(self, call: Call, step: str, index: int) -> bool:
        """Whether a call is that action of the step."""
        request = Request.of(self.steps[step]["actions"][index])
        return request is not None and request.is_made_by(call)

    def changes_of(self, step: str) -> frozenset[str]:
        """Return the names of the changes that a step makes."""
        found = (Request.of(action) for action in self.steps[step]["actions"])
        return frozenset(
            "fence off" if one.argv is None else " ".join((one.tool, *one.argv))
            for one in found
            if one is not None
        )

    def is_look(self, call: Call, step: str) -> bool:
        """Whether a call is one of the step's looks (or one like it in another rhythm)."""
        requests = (Request.of(look) for look in self.steps[step]["looks"])
        return any(one is not None and one.is_made_by(call) for one in requests)
