"""What must hold between the steps that a site declares, and with the rest of its file.

Owns the relations over `[[plan.takeover.step]]` and the hooks. Must not know raw TOML, nor how a
step is put into a plan (core.declared).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hamnd.core.plans.takeover import takeover_steps
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Policy, Terms
from hamnd.core.replication import Promotion
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.settings.keys_daemon import STEPS
from hamnd.settings.kinds import nearest
from hamnd.settings.problem import Problem, error
from hamnd.settings.reader import Values

SECTION = "plan.takeover.step"
_SECRETIVE = r"-{0,2}\w*(?:passw|passphrase|secret|token)\w*"
SECRET = re.compile(_SECRETIVE + r"[=:][^/].*", re.IGNORECASE)
"""A word of a command line that carries a secret: everybody on the host can read it (law 7)."""
SECRET_NEXT = re.compile("-" + _SECRETIVE, re.IGNORECASE)
"""An option whose next word is one, unless that is a path."""
NOT_ALWAYS = frozenset({"salvage", "quiesce", "db-stop", "db-rehome", "report"})
"""Steps that some takeovers of a site have and others have not."""
SERVICES = {"dns", "dhcp", "consoles"}

Table = dict[str, Any]


def check(values: Values) -> list[Problem]:
    """Return every broken relation among the site's own steps and hooks."""
    tables = values.tables.get(SECTION, [])
    problems: list[Problem] = []
    for number, table in enumerate(tables):
        where = f"{SECTION}[{number}]"
        problems += _name(where, table, tables[:number])
        problems += _anchors(where, table, tables, values)
        problems += _host(where, table, values)
        for key in ("command", "check", "verify", "undo"):
            problems += _words(f"{where}.{key}", table.get(key) or ())
    problems += _words("hooks.state_change", values.single.get("hooks.state_change") or ())
    return problems


def _name(where: str, table: Table, earlier: list[Table]) -> Iterator[Problem]:
    name = table.get("id")
    if name in STEPS:
        yield error(
            f"{where}.id",
            "is a step of hamnd's own",
            value=f'"{name}"',
            hint=f'for example "site-{name}"',
        )
    elif name is not None and any(one.get("id") == name for one in earlier):
        yield error(f"{where}.id", "is the name of an earlier step too", value=f'"{name}"')


def _anchors(where: str, table: Table, tables: list[Table], values: Values) -> Iterator[Problem]:
    given = {key: table[key] for key in ("after", "before") if table.get(key) is not None}
    if not given and "after" in table and "before" in table:
        hint = 'for example after = "identity"'
        yield error(where, "has neither after nor before", hint=hint)
    own = tuple(str(one["id"]) for one in tables if "id" in one)
    known = (*_steps_of(values), *own)
    for key, name in given.items():
        if name == table.get("id"):
            yield error(f"{where}.{key}", "is the step itself", value=f'"{name}"')
        elif name in NOT_ALWAYS:
            told = "is not in every takeover of this site: nothing can hang on it"
            yield error(f"{where}.{key}", told, value=f'"{name}"', allowed=", ".join(known))
        elif name not in known:
            told = "is no step of this site's takeover"
            meant = nearest(name, known)
            yield error(
                f"{where}.{key}",
                told,
                value=f'"{name}"',
                allowed=", ".join(known),
                hint=f'did you mean "{meant}"?' if meant else "",
            )


def _steps_of(values: Values) -> tuple[str, ...]:
    """Return the steps that every takeover of this site has."""

    def is_run(step: str) -> bool:
        said = values.single.get(f"plan.services.{step}")
        return step not in SERVICES or (said is not False and said != "none")

    return tuple(step for step in STEPS if step not in NOT_ALWAYS and is_run(step))


def _host(where: str, table: Table, values: Values) -> Iterator[Problem]:
    host = table.get("host")
    witnesses = [str(one["name"]) for one in values.tables.get("witness", []) if "name" in one]
    if host is not None and host not in witnesses:
        yield error(
            f"{where}.host",
            "is no witness, and the old primary is off by then",
            value=f'"{host}"',
            allowed=", ".join(witnesses) or "no witness is configured",
            hint="leave host out for the node that takes over",
        )


def _words(path: str, words: tuple[str, ...]) -> Iterator[Problem]:
    pairs = zip(words, (*words, "-")[1:], strict=True)
    if any(
        SECRET.fullmatch(word) or (SECRET_NEXT.fullmatch(word) and later[:1] not in "/-")
        for word, later in pairs
    ):
        yield error(
            path,
            "holds what looks like a secret, and command lines can be read by everybody",
            value="(not shown)",
            hint="have the program read it from a file (mode 0600)",
        )


def check_order(site: Site, policy: Policy) -> list[Problem]:
    """Return whether the site's steps can be put into both orders that a takeover can have."""
    if not site.site_steps:
        return []
    terms = Terms(site, policy)
    platform = platform_of(site).steps(site, policy, {})
    for variant in ("graceful", "accepted-force"):
        try:
            takeover_steps(terms, Promotion(variant, Verdict.PASS, ""), platform)
        except ValueError as circle:
            told = f"in a takeover with a {variant.replace('accepted-', '')} promotion, {circle}"
            return [error(SECTION, told, hint="remove one after or before")]
    return []
