"""Everything that can go wrong, as verbs.

Owns the faults of a lab and their mending. What a peer sees of each was measured (lab.md §4) and is
told in each verb's docstring; `test_lab_faults` shows it. MUST NOT know hamnd.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from tests.lab.site import keys
from tests.lab.site.hosts import Host, Lab
from tests.lab.site.names import CLUSTER, MANAGERS, Network
from tests.lab.site.wire import Cut, Delay

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
_OFFLOADS = ("tx", "rx", "tso", "gso", "gro", "sg")
_TABLE = "lab_faults"


class Faults:
    """The faults of one lab. Each verb takes effect at once; `heal` mends all but dead hosts."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._mend: dict[str, Callable[[], None]] = {}

    def _host(self, name: str) -> Host:
        return self.lab[name]

    def _until(self, key: str, mend: Callable[[], None]) -> None:
        """Remember how a fault is taken back; the same fault twice is mended once."""
        self._mend[key] = mend

    def _until_run(self, key: str, host: Host, *argv: str) -> None:
        def mend() -> None:
            host.run(*argv)

        self._until(key, mend)

    def _mended(self, key: str) -> None:
        mend = self._mend.pop(key, None)
        if mend is not None:
            mend()

    # Power.

    def off(self, name: str) -> None:
        """Take a host's power. Peers see silence only: no FIN, no RST, connections just hang."""
        host = self._host(name)
        if host.is_up:
            self.lab.wire.carrier(name, False)
            host.end()
        for key in [key for key in self._mend if key.startswith(f"{name}:")]:
            if not key.endswith(":disk"):
                del self._mend[key]  # it died with the host: what was frozen or mounted is gone

    def on(self, name: str, wait: bool = True) -> None:
        """Give it power: it boots with the disk that it had, and starts what is enabled."""
        host = self._host(name)
        host.environment.clear()
        slowed = [network for slow, network in self.lab.wire.slowed if slow == name]
        for network in slowed:
            self._mended(f"slow:{name}:{network.name}")
        host.power_on()
        if wait:
            host.wait_ready()
            if self.lab.wire.slowed:
                self._without_offload(host)

    def power_cycle(self, name: str) -> None:
        """Off and on at once, as a reset does."""
        self.off(name)
        self.on(name)

    def kill_host(self, name: str) -> None:
        """Kill every process while the kernel lives: peers get FIN or RST. No power cut!"""
        self._host(name).end()

    # Processes.

    def kill_process(self, name: str, pattern: str, signal: str = "KILL") -> None:
        """Kill the processes of one host whose command line matches (pgrep -f, inside it only).

        Raises RuntimeError when there is none.
        """
        # Who is killed is there for a moment more, and so are its locks until its last thread lets
        # go of the disk: whoever starts it anew must not find it running.
        script = (
            'n=0; for p in $(pgrep -f -- "$1"); do [ "$p" = $$ ] || '
            '{ kill -s "$2" "$p" && n=1; [ "$2" = KILL ] && '
            "while grep -qs '^State:.[^ZX]' /proc/$p/task/*/status; do sleep .01; done; }; done; "
            '[ "$n" = 1 ]'
        )
        # The pattern is an argument of the script too: brackets keep it from matching itself.
        hidden = f"[{pattern[0]}]{pattern[1:]}" if pattern[:1].isalnum() else pattern
        self._host(name).run("sh", "-c", script, "kill", hidden, signal)

    def freeze(self, name: str) -> None:
        """Stop all programs: ping and TCP connect still work, no ssh banner comes."""
        self._host(name).freeze()
        self._until(f"{name}:freeze", lambda: self._host(name).freeze(False))

    def thaw(self, name: str) -> None:
        """Let them continue where they were."""
        self._mended(f"{name}:freeze")

    # The network.

    def cut(self, name: str, network: Network | None = None) -> None:
        """Pull its cable, carrier lost: as silent as a power cut, but the host lives on."""
        self.lab.wire.carrier(name, False, network)
        where = network.name if network else "*"
        key = f"{name}:cut:{where}"
        self._until(key, lambda: self.lab.wire.carrier(name, True, network))

    def cut_silently(self, name: str, network: Network = CLUSTER) -> None:
        """Lose all its frames behind the switch: it still has carrier and notices nothing."""
        self._cut(f"silent:{name}", Cut(name, None, network), Cut(None, name, network))

    def pair_cut(self, network: Network = CLUSTER, one: str = "mn1", other: str = "mn2") -> None:
        """Cut only these two from each other: everybody else reaches both. The split-brain case."""
        self._cut(f"pair:{one}:{other}", Cut(one, other, network), Cut(other, one, network))

    def one_way_cut(self, source: str, target: str, network: Network = CLUSTER) -> None:
        """Lose what `source` sends to `target`; the other direction stays whole."""
        self._cut(f"way:{source}:{target}", Cut(source, target, network))

    def _cut(self, key: str, *cuts: Cut) -> None:
        self.lab.wire.cut(*cuts)
        self._until(key, lambda: self.lab.wire.mend(*cuts))

    def slow(self, name: str, delay: Delay, network: Network = CLUSTER) -> None:
        """Delay, lose and double its frames in both directions."""
        for host in self.lab:
            if host.is_up:
                self._without_offload(host)
        self.lab.wire.slow(name, delay, network)
        key = f"slow:{name}:{network.name}"
        self._until(key, lambda: self.lab.wire.fast(name, network))

    def _without_offload(self, host: Host) -> None:
        """Have every frame finished: a relayed one with an open checksum is thrown away."""
        words = [word for offload in _OFFLOADS for word in (offload, "off")]
        for network in self.lab.plan.networks:
            host.run("ethtool", "-K", network.interface, *words)

    # Ports.

    def drop_port(self, name: str, port: int, source: str | None = None) -> None:
        """Lose what arrives for a TCP port (from one host only): a connect hangs."""
        self._port_rule(name, port, source, "drop")

    def refuse_port(self, name: str, port: int, source: str | None = None) -> None:
        """Answer a TCP port with a reset: "Connection refused" proves that the host is up."""
        self._port_rule(name, port, source, "reject with tcp reset")

    def refuse_address(self, name: str, address: str, port: int) -> None:
        """Answer a TCP port with a reset at one address of a host, as where nothing listens."""
        self._filter(name, "input", f"ip daddr {address} tcp dport {port} reject with tcp reset")

    def _port_rule(self, name: str, port: int, source: str | None, verdict: str) -> None:
        sender = f"ip saddr {CLUSTER.address(source)} " if source else ""
        self._filter(name, "input", f"{sender}tcp dport {port} {verdict}")

    def _filter(self, name: str, hook: str, *rules: str) -> None:
        host = self._host(name)
        body = "\n".join(f"  {rule}" for rule in rules)
        text = (
            f"table inet {_TABLE} {{\n chain {hook} {{\n"
            f"  type filter hook {hook} priority -300\n{body}\n }}\n}}\n"
        )
        host.run("nft", "-f", "-", stdin=text)
        self._until_run(f"{name}:filter", host, "nft", "delete", "table", "inet", _TABLE)

    # The clock: there is one for the whole machine, so that only processes can be deceived.

    def wrong_clock(self, name: str, seconds: float) -> None:
        """Have every program started from now on, over ssh too, read a clock that is ahead.

        Its monotonic clock stays right. Programs that run already keep theirs.
        """
        host = self._host(name)
        host.environment |= clock(seconds)
        words = " ".join(f"{key}={value}" for key, value in clock(seconds).items())
        host.write("/etc/ssh/lab.d/clock.conf", f"SetEnv {words}\n")
        self._reload_sshd(host)

        def mend() -> None:
            for key in clock(seconds):
                host.environment.pop(key, None)
            host.path("/etc/ssh/lab.d/clock.conf").unlink()
            self._reload_sshd(host)

        self._until(f"{name}:clock", mend)

    # Disks.

    def disk_full(self, name: str) -> None:
        """Leave no block free on the host's disk: writes end with ENOSPC."""
        place = self.lab.folder / "disks" / name
        script = (
            'sync; used=$(df --output=used -B4096 "$1" | tail -1); '
            'mount -o "remount,size=$((used * 4096))" "$1"'
        )
        self.lab.keep("sh", "-c", script, "full", str(place))
        size = f"remount,size={self.lab.plan.disk_mb}m"
        self._until(f"{name}:disk", lambda: self.lab.keep("mount", "-o", size, str(place)))

    def unwritable(self, name: str, pattern: str) -> None:
        """Have every write of the matching processes into a file fail, open files too (EFBIG)."""
        host = self._host(name)
        each = 'for one in $(pgrep -f -- "$1"); do prlimit --pid "$one" --fsize="$2"; done'
        limit = ("sh", "-c", each, "limit", pattern)
        host.run(*limit, "0:unlimited")
        self._until_run(f"{name}:unwritable", host, *limit, "unlimited:unlimited")

    def read_only(self, name: str, folder: str) -> None:
        """Have a folder's file system read-only for whoever opens a file from now on: EROFS."""
        host = self._host(name)
        host.run("mount", "--bind", folder, folder)
        host.run("mount", "-o", "remount,bind,ro", folder)
        self._until_run(f"{name}:read_only:{folder}", host, "umount", "-l", folder)

    # Names and logins.

    def dns_gone(self, name: str) -> None:
        """Lose the host's questions to every other name server, and its own table of names."""
        host = self._host(name)
        names = host.path("/etc/hosts").read_text()
        host.write("/etc/hosts", "127.0.0.1 localhost\n")
        elsewhere = 'oifname != "lo"'
        lost = (f"{elsewhere} {protocol} dport 53 drop" for protocol in ("udp", "tcp"))
        self._filter(name, "output", *lost)
        let_through = self._mend.pop(f"{name}:filter")

        def mend() -> None:
            let_through()
            host.write("/etc/hosts", names)

        self._until(f"{name}:dns", mend)

    def sshd_gone(self, name: str) -> None:
        """End sshd, its sessions too: "Connection refused" while the host lives."""
        host = self._host(name)
        host.run("pkill", "-KILL", "-x", "sshd")
        self._until(f"{name}:sshd", lambda: start_sshd(host))

    def wrong_host_key(self, name: str) -> None:
        """Have sshd show a key that nobody has pinned, as after a reinstallation."""
        host = self._host(name)
        own = host.path("/etc/ssh/lab_host_key")
        before = own.read_bytes()
        new = Path(f"{own}.new")
        keys.pair(new, "not pinned")
        own.write_bytes(new.read_bytes())
        self._restart_sshd(host)

        def mend() -> None:
            own.write_bytes(before)
            self._restart_sshd(host)

        self._until(f"{name}:host_key", mend)

    def _restart_sshd(self, host: Host) -> None:
        host.run("sh", "-c", "kill $(cat /run/sshd.pid) && rm -f /run/sshd.pid")
        start_sshd(host)

    def _reload_sshd(self, host: Host) -> None:
        self._restart_sshd(host)

    # The end.

    def heal(self) -> None:
        """Mend network, frozen hosts, clocks, disks, names and logins; the dead stay dead."""
        # A frozen host could not be mended in any other way before it is thawed.
        for name in self.lab.hosts:
            self.thaw(name)
        for key in reversed(list(self._mend)):
            self._mended(key)

    @property
    def present(self) -> tuple[str, ...]:
        """What is broken now, for people."""
        dead = tuple(f"{host.name}:off" for host in self.lab if not host.is_up)
        return (*dead, *self._mend)


def clock(seconds: float) -> dict[str, str]:
    """Return the environment in which a program reads a clock that is so many seconds ahead."""
    return {
        "LD_PRELOAD": FAKETIME,
        "FAKETIME": f"{seconds:+g}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def start_sshd(host: Host) -> None:
    """Start a host's sshd as its boot does; retried, for the port may not be free yet."""
    start = "/usr/sbin/sshd -f /lab/sshd_config -h /etc/ssh/lab_host_key"
    wait = "for i in $(seq 200); do [ -s /run/sshd.pid ] && exit 0; sleep .02; done; exit 1"
    script = f"for i in $(seq 50); do {start} 2>/dev/null && break; sleep .05; done; {wait}"
    host.run("sh", "-c", script)


def pair_of(name: str) -> str:
    """Return the other management node."""
    return next(other for other in MANAGERS if other != name)


def quoted(*argv: str) -> str:
    """Return a command line for a shell."""
    return shlex.join(argv)
