"""The disk that both nodes can reach, as configured.

Owns these values. Must not know how a disk is mounted or reserved (dialects.shared_disk).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SharedFilesystem:
    """One file system on the shared disk."""

    device: str
    mountpoint: str
    options: str = "defaults"


@dataclass(frozen=True, slots=True)
class SharedDiskSite:
    """A disk that both nodes can reach, and one at a time has mounted (guide §2)."""

    volume_group: str | None = None
    unit: str | None = None
    """The database's service, started once the disk is mounted."""
    reserve: tuple[str, ...] = ()
    """The site's own command that reserves the disk for the node it runs on."""
    reservation_check: tuple[str, ...] = ()
    """The site's own command that ends with 0 when this node alone holds the reservation."""
    filesystems: tuple[SharedFilesystem, ...] = ()
