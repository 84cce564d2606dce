"""Configuration: the one place that sees raw TOML.

Owns `load`: text in, Site and Policy out, or every problem at once. Must not know the daemon, the
command line or any adapter. `check_host` is the part of it that looks at this host.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass

from hamnd.core.policy import Policy
from hamnd.model.site import Site
from hamnd.settings import (
    addresses,
    declared,
    filesets,
    keys_daemon,
    keys_files,
    keys_guard,
    keys_site,
    keys_takeover,
    relations,
    relations_aix,
)
from hamnd.settings.build import build
from hamnd.settings.here import check_host
from hamnd.settings.problem import Problem, Severity, error
from hamnd.settings.reader import read
from hamnd.settings.schema import Schema

__all__ = ["SCHEMA", "Loaded", "Problem", "Severity", "check_host", "load"]

SCHEMA = Schema(
    sections=(
        *keys_site.SECTIONS,
        *keys_guard.SECTIONS,
        *keys_daemon.SECTIONS,
        *keys_takeover.SECTIONS,
        *keys_files.SECTIONS,
    ),
    keys=(
        *keys_site.KEYS,
        *keys_guard.KEYS,
        *keys_daemon.KEYS,
        *keys_takeover.KEYS,
        *keys_files.KEYS,
    ),
)
"""Every option of the configuration: validation, defaults and the sample come from it."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration as read: whole (site and policy) or refused (both None), and the findings.

    `journal_timeout_s`: a journal write slower than this many seconds stops all action.
    """

    site: Site | None
    policy: Policy | None
    problems: tuple[Problem, ...]
    journal_timeout_s: float = 2.0

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The findings that refuse the configuration."""
        return tuple(problem for problem in self.problems if problem.is_error)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The findings that hamnd can live with."""
        return tuple(problem for problem in self.problems if not problem.is_error)


def load(text: str) -> Loaded:
    """Read a configuration and check form and relations; never raises, never does I/O."""
    try:
        raw = tomllib.loads(text)
    except (
        ValueError,
        RecursionError,
    ) as bad:  # also numbers and nesting beyond Python's own limits
        return Loaded(None, None, (error("", f"this is not TOML: {bad}"),))
    values, found = read(raw, SCHEMA)
    relations_found = (
        *addresses.check(values),
        *relations.check(values, relations_aix.RULES),
        *declared.check(values),
        *filesets.check(values),
    )
    problems = (*found, *relations_found)
    if any(problem.is_error for problem in problems):
        return Loaded(None, None, problems)
    site, policy = build(values)
    if circles := declared.check_order(site, policy):
        return Loaded(None, None, (*problems, *circles))
    return Loaded(site, policy, problems, values.single["journal.timeout_s"])
