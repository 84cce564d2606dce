"""The xCAT site of pair.py on a disk that both nodes reach: a real file system on a loop device.

Owns the assembly. xCAT's own SQLite tables lie on the disk, mounted at /etc/xcat/shared. This
kernel has no device mapper: LVM is left out, the mount is real. MUST NOT judge.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.site import xcat
from tests.lab.site.hosts import Lab
from tests.lab.site.names import MANAGERS, PRIMARY
from tests.lab.site.pair import Pair

POINT = "/etc/xcat/shared"

DISK = """\
[replication]
engine = "shared_disk"
[replication.shared_disk]
{more}
[[replication.shared_disk.filesystem]]
device = "{device}"
mountpoint = "/etc/xcat/shared"
"""


@contextmanager
def loop_device(folder: Path) -> Iterator[str]:
    """Make an ext4 on a loop device for as long as a story lasts; RuntimeError where none is."""
    image = folder / "shared.img"
    with image.open("wb") as file:
        file.truncate(16 << 20)
    made = [["mkfs.ext4", "-q", str(image)], ["losetup", "--show", "-f", str(image)]]
    said = ""
    for argv in made:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
        if done.returncode:
            raise RuntimeError(f"{argv[0]}: {done.stderr}")
        said = done.stdout.strip()
    try:
        yield said
    finally:
        subprocess.run(["losetup", "-d", said], check=False, timeout=30)


class DiskPair(Pair):
    """xCAT over SQLite tables on a shared disk."""

    def __init__(self, lab: Lab, device: str, more: str = "") -> None:
        self.device = device
        self.replication = DISK.format(device=device, more=more)
        super().__init__(lab)

    def replicate(self) -> None:
        """Show the disk to both nodes, mount it on the primary, keep the tables on it."""
        number = str(Path(self.device).stat().st_rdev & 0xFF)
        for name in MANAGERS:
            host = self.lab[name]
            host.run("mknod", self.device, "b", "7", number)
            host.run("mkdir", "-p", POINT)
            for kind in ("node", "site"):
                host.run("ln", "-sf", f"{POINT}/{kind}.sqlite", f"/etc/xcat/{kind}.sqlite")
        self.lab[PRIMARY].run("mount", self.device, POINT)
        xcat.in_sqlite(self.lab[PRIMARY])
        xcat.install(self.lab, "sqlite")

    def holders(self) -> list[str]:
        """Return who has the disk mounted; two of them destroy it."""
        return [
            name
            for name in MANAGERS
            if self.lab[name].is_up and f" {POINT} " in self.lab[name].run("cat", "/proc/mounts")
        ]
