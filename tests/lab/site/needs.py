"""What the lab needs of the machine: root, namespaces, cgroup v2, and Debian packages.

Owns the list of programs with the package that brings each, and the one line that says why a test
was skipped. MUST NOT start anything that stays.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

PLACES = "/usr/sbin:/usr/bin:/sbin:/bin"

PACKAGES = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "prlimit": "util-linux",
    "ip": "iproute2",
    "nft": "nftables",
    "ping": "iputils-ping",
    "arping": "iputils-arping",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "rsync": "rsync",
    "named": "bind9",
    "dig": "bind9-dnsutils",
    "nsupdate": "bind9-dnsutils",
    "named-checkconf": "bind9-utils",
    "dhcpd": "isc-dhcp-server",
    "conserver": "conserver-server",
    "console": "conserver-client",
    "curl": "curl",
    "in.tftpd": "tftpd-hpa",
    "faketime": "faketime",
    "pgrep": "procps",
    "ethtool": "ethtool",
    "ps": "procps",
    "crontab": "cron",
    "sqlite3": "sqlite3",
    "mariadbd": "mariadb-server",
    "mariadb": "mariadb-client",
    "mariadb-backup": "mariadb-backup",
    "mbstream": "mariadb-backup",
    "systemd-nspawn": "systemd-container",
    "systemd-analyze": "systemd",
    "losetup": "mount",
    "mkfs.ext4": "e2fsprogs",
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "amtool": "prometheus-alertmanager",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "chromium": "chromium",
    "lynx": "lynx",
    "tmux": "tmux",
    "bash": "bash",
    "openssl": "openssl",
    "fish": "fish",
    "zsh": "zsh",
    "mandoc": "mandoc",
    "dh": "debhelper",
    "dpkg-buildpackage": "dpkg-dev",
    "fakeroot": "fakeroot",
    "rpmbuild": "rpm",
    "rpmlint": "rpmlint",
    "mmdebstrap": "mmdebstrap",
    "lintian": "lintian",
}
"""The package of every program that the lab or its tests call, by the program's name."""

HOSTS = ("unshare", "nsenter", "ip", "nft", "ping", "arping", "sshd", "ssh", "ps", "ethtool")
"""What a bare lab cannot do without."""

POSTGRES_PLACE = Path("/usr/lib/postgresql")


def postgres_bin() -> Path | None:
    """Return the folder of the newest PostgreSQL server's programs, or None."""
    found = [path for path in POSTGRES_PLACE.glob("*/bin") if (path / "initdb").exists()]
    return max(found, key=lambda path: int(path.parent.name), default=None)


def cgroup_root() -> Path | None:
    """Return where cgroup v2 is mounted, alone or beside v1 (hybrid), or None."""
    try:
        mounts = Path("/proc/mounts").read_text()
    except OSError:
        return None
    for line in mounts.splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    return None


def absent(*programs: str) -> str | None:
    """Return which package is needed for the first of these programs that is not here, or None."""
    for program in programs:
        if program == "postgres":
            if postgres_bin() is None:
                return "needs package postgresql-15"
        elif shutil.which(program, path=PLACES) is None:
            return f"needs package {PACKAGES[program]} ({program})"
    return None


@functools.cache
def missing(*programs: str) -> str | None:
    """Return why no lab can be made here with these programs besides the bare ones, or None.

    The sentence is what a skipped test shows: "needs root", "needs package X".
    """
    if sys.platform != "linux":
        return "needs Linux"
    if os.geteuid() != 0:
        return "needs root"
    if (lacking := absent(*HOSTS, *programs)) is not None:
        return lacking
    root = cgroup_root()
    if root is None or not os.access(root, os.W_OK):
        return "needs a writable cgroup v2 mount"
    made = subprocess.run(
        ["unshare", "-m", "-u", "-i", "-n", "-p", "--fork", "true"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    if made.returncode != 0:
        return f"needs namespaces: {made.stderr.strip()}"
    return None
