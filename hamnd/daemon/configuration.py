"""Reads the configuration file: whole and valid, or every problem.

Owns the way from a path to terms, at the start and again at SIGHUP, and which values need a
restart. Must not know what is done with terms (service), nor any key's meaning (settings).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hamnd.core.policy import Terms
from hamnd.errors import HamndError
from hamnd.model.site import Site
from hamnd.settings import Problem, check_host, load
from hamnd.settings.problem import error

BYTES_MAX = 1_048_576
"""A longer file is no configuration of hamnd."""

FIXED: tuple[tuple[str, Callable[[Site], object]], ...] = (
    ("node", lambda site: site.node),
    ("platform", lambda site: site.platform),
    ("paths.state_dir", lambda site: site.paths.state_dir),
    ("paths.socket", lambda site: site.paths.socket),
    ("metrics", lambda site: site.metrics),
    ("journal.reserve_mib", lambda site: site.journal_reserve_mib),
    ("operators", lambda site: (site.operators, site.operators_users)),
)
"""Values that are taken up at the start only: a reload that changes one is refused whole."""

FIXED_IN_A_RUN: tuple[tuple[str, Callable[[Site], object]], ...] = (
    ("primary", lambda site: site.primary),
    ("standby", lambda site: site.standby),
    ("identity", lambda site: site.identity),
    ("network.gateway", lambda site: site.gateway),
    ("replication.engine", lambda site: site.engine),
    ("replication.db2", lambda site: site.db2),
    ("replication.postgresql", lambda site: site.postgresql),
    ("replication.sqlite", lambda site: site.sqlite),
    ("replication.dump", lambda site: site.dump),
    ("replication.mariadb", lambda site: site.mariadb),
    ("replication.shared_disk", lambda site: site.shared_disk),
    ("fence.agent", lambda site: site.fence.agent),
    ("fence.options", lambda site: site.fence.options),
    ("fence.secret_files", lambda site: site.fence.secret_files),
    ("witness", lambda site: site.witnesses),
    ("ssh", lambda site: site.ssh),
    ("tools", lambda site: (site.tools, site.tool_path)),
)
"""Values that a confirmed plan was made from: they stay while its run is open (law 6)."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A file that was read: terms in full, or None and the problems that refuse it."""

    terms: Terms | None
    problems: tuple[Problem, ...]
    journal_timeout_s: float


def read_configuration(path: Path, *, host_decides: bool) -> Configuration:
    """Read and validate a file, and look whether this host has what the site needs. Blocking.

    With `host_decides`, what this host lacks refuses the file: there is another one in force. At
    the start there is none, and a watcher that lacks a program is better than no watcher: it shows
    the lack as a step that is not ready.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(BYTES_MAX + 1)
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as bad:
        return Configuration(None, (error("", f"{path} cannot be read: {bad}"),), 0.0)
    if len(raw) > BYTES_MAX:
        return Configuration(None, (error("", f"{path} is larger than {BYTES_MAX} bytes"),), 0.0)
    loaded = load(text)
    if loaded.site is None or loaded.policy is None:
        return Configuration(None, loaded.problems, 0.0)
    problems = (*loaded.problems, *check_host(loaded.site))
    if host_decides and any(problem.is_error for problem in problems):
        return Configuration(None, problems, 0.0)
    return Configuration(Terms(loaded.site, loaded.policy), problems, loaded.journal_timeout_s)


def fixed_problems(old: Site, new: Site) -> tuple[Problem, ...]:
    """Return an error for each changed value that only a restart can take up."""
    return tuple(
        error(path, "changed, and a running hamnd cannot take it up", hint="restart hamnd")
        for path, value in FIXED
        if value(old) != value(new)
    )


def held_problems(old: Site, new: Site) -> tuple[Problem, ...]:
    """Return an error for each changed value that a run which is open stands on."""
    return tuple(
        error(
            path,
            "changed, and a run that was confirmed with the old value is open",
            hint="end the run first (hamnctl status), then reload",
        )
        for path, value in FIXED_IN_A_RUN
        if value(old) != value(new)
    )


def is_other_site(old: Site, new: Site) -> bool:
    """Whether the world itself is described otherwise: what was seen of the old one is void."""
    how_hamnd_runs = {
        "hooks": old.hooks,
        "log_level": old.log_level,
        "journal_timeout_s": old.journal_timeout_s,
    }
    return replace(new, **how_hamnd_runs) != old  # type: ignore[arg-type]  # fields by name


@dataclass(frozen=True, slots=True)
class RefusedReload:
    """A file that was read again and is not in force, with every problem that refuses it."""

    at_wall_s: float
    path: str
    problems: tuple[Problem, ...]

    def as_json(self) -> dict[str, Any]:
        """Return what the status document tells about it."""
        return {
            "refused_at": int(self.at_wall_s),
            "file": self.path,
            "problems": [problem.as_json() for problem in self.problems if problem.is_error],
        }


class ReloadRefused(HamndError):
    """The new configuration cannot be taken up now; the old one is in force."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Carry every problem."""
        super().__init__("; ".join(problem.line() for problem in problems))
        self.problems = problems


def difference(old: Terms, new: Terms) -> str:
    """Return in one line which parts of the terms a reload changed; values may be secret paths."""
    changed = [
        name
        for part, other in ((old.site, new.site), (old.policy, new.policy))
        for name in part.__slots__
        if getattr(part, name) != getattr(other, name)
    ]
    return ", ".join(changed) if changed else "nothing changed"
