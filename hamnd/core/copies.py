"""The file sets of a site as scheduled work.

Owns the copies by name, and the routines that carry them out. Must not know what a copy consists of
(filesets), nor the life of a routine (routines).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from hamnd.core.filesets import copies_of
from hamnd.core.policy import Terms
from hamnd.model.copying import Copy, CopyKind
from hamnd.model.routine import Routine

TERMS_KEPT = 4
PREFIX = "files:"


@lru_cache(maxsize=TERMS_KEPT)
def declared_copies(terms: Terms) -> Mapping[str, Copy]:
    """Return every copy by the name of its set, in the order of the configuration."""
    return MappingProxyType({copy.name: copy for copy in copies_of(terms.site)})


@lru_cache(maxsize=TERMS_KEPT)
def file_routines(terms: Terms) -> tuple[Routine, ...]:
    """Return the routines of all sets: one for each kind of work that a set has."""
    return tuple(
        Routine(
            name=routine_name(copy.name, kind),
            title=copy.title,
            schedule=copy.schedules.get(kind, ""),
            actions=actions,
            timeout_s=copy.timeouts_s[kind],
            jitter_s=copy.jitter_s,
            group=f"{PREFIX}{copy.name}",
        )
        for copy in declared_copies(terms).values()
        for kind, actions in copy.work.items()
    )


def routine_name(name: str, kind: CopyKind) -> str:
    """Return the routine's name for a kind of work on a set: ``files:install/check``."""
    return f"{PREFIX}{name}" + ("" if kind is CopyKind.COPY else f"/{kind}")


def is_file_set(routine: str) -> bool:
    """Whether a routine of this name works on a file set."""
    return routine.startswith(PREFIX)
