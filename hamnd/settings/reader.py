"""From raw TOML to read values, with every problem at once.

Owns the walk over the raw tables: unknown keys, wrong tables, missing keys, single values. Must
not know any concrete key, nor relations between keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hamnd.settings.kinds import Unfit, nearest, type_name
from hamnd.settings.problem import Problem, error
from hamnd.settings.schema import REQUIRED, Key, Schema, Section

VALUE_SHOWN_MAX = 60
"""Characters of a refused value that are worth showing."""


@dataclass(slots=True)
class Values:
    """What could be read: a value per path, a list of tables per repeated section.

    A key that is missing or was refused is absent, so that relations over it stay silent.
    """

    single: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)
    """Paths that the file itself sets."""


def shown(value: object) -> str:
    """Return a value as TOML would write it, cut to a readable length."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= VALUE_SHOWN_MAX else text[: VALUE_SHOWN_MAX - 1] + "…"


def join(*parts: str) -> str:
    """Return the dotted path of parts, leaving out empty ones."""
    return ".".join(part for part in parts if part)


def read(raw: dict[str, Any], schema: Schema) -> tuple[Values, list[Problem]]:
    """Read a whole file; the problems come in the order of the schema."""
    platform = raw.get("platform")
    reader = _Reader(schema, platform if isinstance(platform, str) else "", _engine(raw, schema))
    reader.section(schema.sections[0], raw)
    return reader.values, reader.problems


def _engine(raw: dict[str, Any], schema: Schema) -> str:
    """Return the engine that the file names; for none or an unknown one, the first there is."""
    known = [section.engine for section in schema.sections if section.engine]
    table = raw.get("replication")
    named = table.get("engine") if isinstance(table, dict) else None
    return named if named in known else known[0]


class _Reader:
    """One walk over one file."""

    def __init__(self, whole: Schema, platform: str, engine: str) -> None:
        self.whole = whole
        self.schema = whole.of_site(engine, platform)
        self.platform = platform
        self.values = Values()
        self.problems: list[Problem] = []

    def section(self, section: Section, raw: dict[str, Any]) -> None:
        """Read one plain table, then the tables inside it."""
        target = self.values.single
        self._keys(section.path, section.path, raw, target)
        children = {child.path.rpartition(".")[2]: child for child in self._children(section)}
        for name, child in children.items():
            self._child(child, raw.get(name))
        self._unknown(section.path, section.path, raw, tuple(children))

    def _children(self, section: Section) -> Iterator[Section]:
        return self.schema.children_of(section.path)

    def _child(self, child: Section, raw: Any) -> None:
        if child.many:
            self._repeated(child, raw)
        elif raw is None:
            self.section(child, {}) if child.free is None else self._free(child, {})
        elif not isinstance(raw, dict):
            self.problems.append(
                error(child.path, f"is {type_name(raw)}, not a table", hint=f"write [{child.path}]")
            )
        elif child.free is not None:
            self._free(child, raw)
        else:
            self.section(child, raw)

    def _repeated(self, section: Section, raw: Any) -> None:
        tables: list[dict[str, Any]] = []
        if raw is None:
            raw = []
        if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw):
            hint = f"write [[{section.path}]]"
            self.problems.append(error(section.path, "is not a list of tables", hint=hint))
            return
        for number, item in enumerate(raw):
            table: dict[str, Any] = {}
            where = f"{section.path}[{number}]"
            self._keys(section.path, where, item, table)
            self._unknown(section.path, where, item, ())
            tables.append(table)
        self.values.tables[section.path] = tables

    def _keys(self, path: str, where: str, raw: dict[str, Any], target: dict[str, Any]) -> None:
        repeated = where != path
        for key in self.schema.keys_of(path):
            name = key.name if repeated else key.path
            if key.name in raw:
                self.values.given.add(join(where, key.name))
                self._value(key, join(where, key.name), raw[key.name], target, name)
            elif key.default is REQUIRED:
                self._missing(key, join(where, key.name))
            else:
                target[name] = key.default_on(self.platform)

    def _missing(self, key: Key, path: str) -> None:
        hint = f"for example {key.name} = {shown(key.example)}"
        self.problems.append(
            error(path, "is required and missing", allowed=key.kind.allowed, hint=hint)
        )

    def _value(self, key: Key, path: str, raw: object, target: dict[str, Any], name: str) -> None:
        try:
            target[name] = key.kind.read(raw)
        except Unfit as unfit:
            self.problems.append(
                error(
                    path,
                    unfit.problem,
                    value=shown(raw),
                    allowed=key.kind.allowed,
                    hint=unfit.hint,
                )
            )

    def _free(self, section: Section, raw: dict[str, Any]) -> None:
        assert section.free is not None
        read_values: dict[str, Any] = {}
        for name, value in raw.items():
            path = f"{section.path}.{name}"
            try:
                if section.free_name is not None:
                    section.free_name.read(name)
            except Unfit as unfit:
                hint, allowed = unfit.hint, section.free_name.allowed if section.free_name else ""
                self.problems.append(error(path, "is an unknown key", allowed=allowed, hint=hint))
                continue
            try:
                read_values[name] = section.free.read(value)
            except Unfit as unfit:
                value_shown = "(not shown)" if section.secret else shown(value)
                self.problems.append(
                    error(
                        path,
                        unfit.problem,
                        value=value_shown,
                        allowed=section.free.allowed,
                        hint=unfit.hint,
                    )
                )
        self.values.single[section.path] = read_values

    def _unknown(
        self, path: str, where: str, raw: dict[str, Any], children: tuple[str, ...]
    ) -> None:
        known = (*(key.name for key in self.schema.keys_of(path)), *children)
        for name in raw:
            if name in known:
                continue
            told, hint = "is an unknown key", self._meant(name, known)
            if owner := self._owner_of(join(path, name)):
                told, hint = f"belongs to the {owner}, which is not configured", "remove it"
            self.problems.append(error(join(where, name), told, hint=hint))

    def _owner_of(self, path: str) -> str:
        """Return the engine or platform that a path belongs to, or nothing."""
        parts: tuple[Section | Key, ...] = (*self.whole.sections, *self.whole.keys)
        one = next((one for one in parts if one.path == path), None)
        if one is None:
            return ""
        platform = f"platform {one.platform}" if one.platform else ""
        return f"engine {one.engine}" if one.engine else platform

    def _meant(self, name: str, known: tuple[str, ...]) -> str:
        """Return what was probably meant: the one such key elsewhere, or a similar one here."""
        elsewhere = [key.path for key in self.schema.keys if key.name == name]
        if len(elsewhere) == 1:
            return f'did you mean "{elsewhere[0]}"?'
        if meant := nearest(name, known):
            return f'did you mean "{meant}"?'
        return f"known here: {', '.join(known)}"
