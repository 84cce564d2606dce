"""The shape of a configuration: what a key and a section are.

Owns `Key`, `Section` and `Schema`. Must not know any concrete key, nor raw TOML.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from hamnd.settings.kinds import Kind


class Mark(Enum):
    """Values that no configuration can hold."""

    REQUIRED = "required"
    SAME = "same"


REQUIRED = Mark.REQUIRED
"""Default of a key that the file must set."""
SAME = Mark.SAME
"""The default on AIX is the default on Linux."""


@dataclass(frozen=True, slots=True)
class Key:
    """One option: how to read it, what it means and when to change it.

    `path` is dotted; its part before the last dot is the section. A default of `None` means that
    the option is off. `example` is what the sample file shows where there is no default to show.
    """

    path: str
    kind: Kind
    doc: str
    change: str
    default: Any = REQUIRED
    unit: str = ""
    example: Any = None
    aix: Any = SAME
    engine: str = ""
    """The replication engines whose option this is, joined by blanks; "" for every site."""
    platform: str = ""
    """The platform whose option this is; "" for an option of every site."""

    @property
    def section(self) -> str:
        """Path of the table that holds this key; empty at the top."""
        return self.path.rpartition(".")[0]

    @property
    def name(self) -> str:
        """The key as written inside its table."""
        return self.path.rpartition(".")[2]

    def default_on(self, platform: str) -> Any:
        """Return the default for a platform ("linux", "aix")."""
        return self.aix if platform == "aix" and self.aix is not SAME else self.default


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the file.

    `many` tables are written `[[path]]` and keep their order. A `free` table has keys of the
    site's choosing: `free` reads each value, `free_name` each name; `secret` values stay hidden.
    """

    path: str
    doc: str
    many: bool = False
    free: Kind | None = None
    free_name: Kind | None = None
    secret: bool = False
    example: Mapping[str, Any] | None = None
    shown: bool = False
    """Whether the sample shows the examples of a free or repeated table as if they were set."""
    engine: str = ""
    """The replication engine whose table this is; "" for a table of every site."""
    platform: str = ""
    """The platform whose table this is; "" for a table of every site."""


@dataclass(frozen=True, slots=True)
class Schema:
    """All sections in the order of the sample file, and their keys."""

    sections: tuple[Section, ...]
    keys: tuple[Key, ...]

    def keys_of(self, section: str) -> tuple[Key, ...]:
        """Return the keys of one section, in order."""
        return tuple(key for key in self.keys if key.section == section)

    def of_site(self, engine: str, platform: str) -> Schema:
        """Return the schema of such a site: without what belongs to other engines and platforms."""

        def is_ours(one: Section | Key) -> bool:
            of_engine = not one.engine or engine in one.engine.split()
            return of_engine and one.platform in ("", platform)

        sections = tuple(one for one in self.sections if is_ours(one))
        paths = {one.path for one in sections}
        keys = tuple(one for one in self.keys if is_ours(one) and one.section in paths)
        return Schema(sections, keys)

    def children_of(self, path: str) -> Iterator[Section]:
        """Yield the sections written directly inside another one."""
        for section in self.sections:
            if section.path and section.path.rpartition(".")[0] == path:
                yield section
