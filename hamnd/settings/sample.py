"""The sample configuration, written from the schema.

Owns how an option is explained in the sample file. Must not know any concrete key. The committed
config/hamnd.ENGINE.toml is this text; a test compares the two.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hamnd.settings.schema import REQUIRED, SAME, Key, Schema, Section

WIDTH = 98
_PREAMBLE = """\
Lines that begin with "# name =" are options that are off by default. Check this file with
    hamnctl check-config FILE          (form and relations)
    hamnctl check-config FILE --here   (also the files and programs of this host)
A running hamnd takes a changed file, whole or not at all, on SIGHUP (systemctl reload hamnd)."""


NAMES = {
    "db2": "Db2 HADR",
    "postgresql": "PostgreSQL",
    "mariadb": "MariaDB",
    "sqlite": "copies of xCAT's SQLite tables",
    "dump": "dumps of a PostgreSQL database",
    "shared_disk": "a disk that both reach",
}


def render_sample(schema: Schema, engine: str = "db2") -> str:
    """Return the sample file: every option with its comment block, defaults set, examples off."""
    return "\n".join(_lines(schema.of_site(engine, "linux"), engine)).rstrip() + "\n"


def _lines(schema: Schema, engine: str) -> Iterator[str]:
    for section in schema.sections:
        keys = schema.keys_of(section.path)
        is_off = section.many and not section.shown
        yield from _comment(section.doc.replace("{engine}", NAMES[engine]))
        if not section.path:
            yield from _comment(_PREAMBLE, keep=True)
        else:
            header = f"[[{section.path}]]" if section.many else f"[{section.path}]"
            yield f"# {header}" if is_off else header
        yield ""
        for key in keys:
            if key.path == "replication.engine":
                key = replace(key, example=engine)  # noqa: PLW2901  (each sample names its own)
            yield from _key(key, is_off=is_off)
        yield from _free(section)


def _comment(text: str, *, keep: bool = False) -> Iterator[str]:
    lines = text.splitlines() if keep else textwrap.wrap(text, WIDTH - 2)
    for line in lines:
        yield f"# {line}"


def _key(key: Key, *, is_off: bool) -> Iterator[str]:
    yield from _comment(key.doc)
    yield from _comment(_facts(key))
    if key.default is not REQUIRED and key.aix is not SAME:
        yield from _comment(f"On AIX: {toml_value(key.aix)}.")
    yield from _comment(f"Change: {key.change}")
    value = key.default if key.default is not REQUIRED and key.default is not None else key.example
    assignment = f"{key.name} = {toml_value(value)}"
    yield f"# {assignment}" if is_off or key.default is None else assignment
    yield ""


def _facts(key: Key) -> str:
    """Return unit, default and what is allowed, as one sentence each."""
    facts = [f"Unit: {key.unit}."] if key.unit else []
    if key.default is REQUIRED:
        facts.append("Required.")
    elif key.default is None:
        facts.append("Default: not set.")
    else:
        facts.append(f"Default: {toml_value(key.default)}.")
    facts.append(f"Allowed: {key.kind.allowed}.")
    return " ".join(facts)


def _free(section: Section) -> Iterator[str]:
    for name, value in (section.example or {}).items():
        yield f"# {name} = {toml_value(value)}"
    if section.example:
        yield ""


def toml_value(value: Any) -> str:
    """Return a value in TOML."""
    if isinstance(value, tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
