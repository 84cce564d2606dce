"""The xCAT site of pair.py on a disk that both nodes reach: a real file system on a loop device.

Owns the assembly. xCAT's own SQLite tables lie on the disk, mounted at /etc/xcat/shared. The mount
is real. This kernel has no device mapper and no SCSI disk: LVM's commands, and sg_persist, are
stand-ins that do what their manual pages say, the latter on a second device that both nodes reach.
MUST NOT judge.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.site import xcat
from tests.lab.site.hosts import CHECKOUT, Host, Lab
from tests.lab.site.names import MANAGERS, PRIMARY
from tests.lab.site.pair import Pair
from tests.lab.site.sqlite_pair import CREATE, SqliteWriter, rows_in

POINT = "/etc/xcat/shared"
ROWS = f"{POINT}/lab_rows.sqlite"

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
def loop_device(folder: Path, name: str = "shared") -> Iterator[str]:
    """Make an ext4 on a loop device for as long as a story lasts; RuntimeError where none is."""
    image = folder / f"{name}.img"
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

    def __init__(self, lab: Lab, device: str, more: str = "", tools: str = "") -> None:
        self.device = device
        self.replication = DISK.format(device=device, more=more) + tools
        super().__init__(lab)

    def replicate(self) -> None:
        """Show the disk to both nodes, mount it on the primary, keep the tables on it."""
        for name in MANAGERS:
            host = self.lab[name]
            self.cable(host)
            host.run("mkdir", "-p", POINT)
            for kind in ("node", "site"):
                host.run("ln", "-sf", f"{POINT}/{kind}.sqlite", f"/etc/xcat/{kind}.sqlite")
        self.attach(self.lab[PRIMARY])
        xcat.in_sqlite(self.lab[PRIMARY])
        self.lab[PRIMARY].run("sqlite3", ROWS, CREATE)
        xcat.install(self.lab, "sqlite")

    def cable(self, host: Host) -> None:
        """Let a host see the disk."""
        show(host, self.device)

    def attach(self, host: Host) -> None:
        """Mount the disk by hand."""
        host.run("mount", self.device, POINT)

    def write(self, node: str = PRIMARY) -> SqliteWriter:
        """Start a writer of numbered rows, which are on the disk when they are acknowledged."""
        return SqliteWriter(self.lab[node], path=ROWS)

    def rows(self, node: str) -> set[int]:
        """Return the rows that are on the disk, as a node that has it mounted reads them."""
        return rows_in(self.lab[node], ROWS)

    def holders(self) -> list[str]:
        """Return who has the disk mounted; two of them destroy it."""
        return [
            name
            for name in MANAGERS
            if self.lab[name].is_up and f" {POINT} " in self.lab[name].run("cat", "/proc/mounts")
        ]


GROUP = "/dev/xcatvg/shared"
RESERVE = "/usr/local/sbin/reserve-disk"
COMMANDS = {"reserve": "take", "reservation_check": "mine"}
SG_PERSIST = Path(__file__).with_name("sg_persist.py")
TOOLS = """
[tools]
vgs = "/usr/local/sbin/vgs"
vgchange = "/usr/local/sbin/vgchange"
"""
VGS = """\
#!/bin/sh
[ -b {device} ] && {{ echo "  xcatvg"; exit 0; }}
echo '  Volume group "xcatvg" not found' >&2; exit 5
"""
VGCHANGE = f"""\
#!/bin/sh
[ "$1 $3" = "-a xcatvg" ] && [ -b {{device}} ] || exit 5
case $2 in
y) mkdir -p /dev/xcatvg; [ -b {GROUP} ] || mknod {GROUP} b 7 {{number}} ;;
n) ! grep -q '^{GROUP} ' /proc/mounts || {{{{ echo "  xcatvg/shared is in use." >&2; exit 5; }}}}
rm -f {GROUP} ;;
esac
"""


class GroupPair(DiskPair):
    """The same in a volume group that is activated by hand, and with a reservation that is checked.

    `register` is a second device: what the disk itself would remember of its reservation.
    """

    def __init__(self, lab: Lab, disk: str, register: str) -> None:
        self.disk = disk
        self.register = register
        words = [f'{key} = ["{RESERVE}", "{what}", "{register}"]' for key, what in COMMANDS.items()]
        super().__init__(lab, GROUP, "\n".join(('volume_group = "xcatvg"', *words)), TOOLS)

    def cable(self, host: Host) -> None:
        """Let a host see the disk, and give it the commands that work on it."""
        show(host, self.disk)
        show(host, self.register)
        number = number_of(self.disk)
        programs = {"vgs": VGS, "vgchange": VGCHANGE}
        for name, text in programs.items():
            told = text.format(device=self.disk, number=number)
            host.write(f"/usr/local/sbin/{name}", told, 0o755)
        host.write("/usr/bin/sg_persist", SG_PERSIST.read_text(), 0o755)
        host.write(RESERVE, (CHECKOUT / "config/shared-disk/reserve-disk").read_text(), 0o755)

    def attach(self, host: Host) -> None:
        """Reserve, activate and mount by hand, as the site did when it was set up."""
        host.run(RESERVE, "take", self.register)
        host.run("/usr/local/sbin/vgchange", "-a", "y", "xcatvg")
        host.run("mount", GROUP, POINT)

    def is_reserved(self, node: str) -> bool:
        """Whether the sample's own check says that a node alone holds the disk."""
        return self.lab[node].ask(RESERVE, "mine", self.register).code == 0


def show(host: Host, device: str) -> None:
    """Make a device's node on a host."""
    host.run("mknod", device, "b", "7", number_of(device))


def number_of(device: str) -> str:
    """Return a loop device's number."""
    return str(Path(device).stat().st_rdev & 0xFF)
