"""What is wrong with a configuration, one value per finding.

Owns `Problem` and how a finding reads. Must not know keys, files or how a finding is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Whether hamnd can run with the finding."""

    ERROR = "error"
    WARNING = "warning"


def _escaped(sign: str) -> str:
    """Return a sign that would drive a terminal as TOML writes it."""
    return sign.encode("unicode_escape").decode()


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: where, what was written, what is wrong, what is allowed, what to do.

    `value` is text fit for a terminal and already masked where it could be a secret (law 7); it is
    empty when there is nothing to show.
    """

    severity: Severity
    path: str
    problem: str
    value: str = ""
    allowed: str = ""
    hint: str = ""

    @property
    def is_error(self) -> bool:
        """Whether the configuration is refused because of this finding."""
        return self.severity is Severity.ERROR

    def line(self) -> str:
        """Return the finding as one line for people."""
        where = f"{self.path} = {self.value}" if self.value else self.path
        text = f"{self.severity}: {where}: {self.problem}" if where else f"error: {self.problem}"
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        if self.hint:
            text += f"; {self.hint}"
        return "".join(sign if sign.isprintable() else _escaped(sign) for sign in text)

    def as_json(self) -> dict[str, str]:
        """Return the finding as the object that `check-config --json` prints."""
        return {
            "severity": str(self.severity),
            "path": self.path,
            "value": self.value,
            "problem": self.problem,
            "allowed": self.allowed,
            "hint": self.hint,
        }


def error(
    path: str, problem: str, *, value: str = "", allowed: str = "", hint: str = ""
) -> Problem:
    """Return a finding that refuses the configuration."""
    return Problem(Severity.ERROR, path, problem, value, allowed, hint)


def warning(
    path: str, problem: str, *, value: str = "", allowed: str = "", hint: str = ""
) -> Problem:
    """Return a finding that a human should know and hamnd can live with."""
    return Problem(Severity.WARNING, path, problem, value, allowed, hint)
