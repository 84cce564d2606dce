"""The wires between the hosts: bridges, ports, carrier, dropped and delayed frames.

Owns everything in the keeper's network namespace and which frames it drops. One rule set is made
from all cuts together, so that cuts add up and each can be mended alone. MUST NOT know processes
inside hosts nor what a cut means to them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab.site.names import Network

RELAY = Path(__file__).with_name("wiredelay.py")


@dataclass(frozen=True, slots=True)
class Cut:
    """Frames that no longer arrive: from `source` to `target`, None being everybody."""

    source: str | None
    target: str | None
    network: Network


@dataclass(frozen=True, slots=True)
class Delay:
    """What a slow wire does to each frame, in each direction."""

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss_percent: float = 0.0
    twice_percent: float = 0.0


class Wire:
    """All networks of one lab. `enter` runs a command in the keeper's network namespace."""

    def __init__(
        self, networks: Sequence[Network], enter: Callable[[Sequence[str]], list[str]]
    ) -> None:
        self.networks = tuple(networks)
        self._enter = enter
        self._cuts: set[Cut] = set()
        self._dark: set[str] = set()
        self._relays: dict[tuple[str, Network], subprocess.Popen[bytes]] = {}

    def run(self, *argv: str, stdin: str = "") -> str:
        """Run a command among the wires. Raises RuntimeError with what it said when it fails."""
        done = subprocess.run(
            self._enter(argv), input=stdin, capture_output=True, text=True, check=False, timeout=60
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def make(self) -> None:
        """Make the bridges."""
        lines = ["link set lo up"]
        for network in self.networks:
            lines.append(f"link add {network.bridge} type bridge mcast_snooping 0")
            lines.append(f"link set {network.bridge} up")
        self._batch(lines)

    def plug(self, host: str, pid: int) -> None:
        """Give the process's network namespace its end of every wire, carrier on."""
        self._dark.discard(host)
        for network in self.networks:
            # The namespace of a host that lost its power dies late, and its port with it.
            self._unplug(network.port(host))
        lines = []
        for network in self.networks:
            port = network.port(host)
            lines.append(
                f"link add {port} type veth peer name {network.interface}"
                f" address {network.hardware(host)} netns {pid}"
            )
            lines.append(f"link set {port} master {network.bridge} up")
        self._batch(lines)

    def _unplug(self, port: str) -> None:
        subprocess.run(
            self._enter(("ip", "link", "del", port)), capture_output=True, check=False, timeout=60
        )

    def _batch(self, lines: Iterable[str]) -> None:
        self.run("ip", "-batch", "-", stdin="\n".join(lines) + "\n")

    # Carrier.

    def carrier(self, host: str, is_on: bool, network: Network | None = None) -> None:
        """Pull a host's cable out at the switch, or put it in; None: all of them."""
        state = "up" if is_on else "down"
        if is_on:
            self._dark.discard(host)
        elif network is None:
            self._dark.add(host)
        self._batch(
            f"link set {one.port(host)} {state}" for one in self.networks if network in (None, one)
        )

    def is_dark(self, host: str) -> bool:
        """Whether all its cables are out, so that not even its kernel can say goodbye."""
        return host in self._dark

    # Dropped frames: the carrier stays.

    def cut(self, *cuts: Cut) -> None:
        """Drop these frames too."""
        self._cuts |= set(cuts)
        self._load()

    def mend(self, *cuts: Cut) -> None:
        """Let these frames through again; without any: all of them."""
        self._cuts = self._cuts - set(cuts) if cuts else set()
        self._load()

    @property
    def cuts(self) -> frozenset[Cut]:
        """What is dropped now."""
        return frozenset(self._cuts)

    def _load(self) -> None:
        rules = []
        for cut in sorted(self._cuts, key=repr):
            rule = ""
            if cut.source is not None:
                rule += f"iifname {_ports(cut.network, cut.source)} "
            if cut.target is not None:
                rule += f"oifname {_ports(cut.network, cut.target)} "
            rules.append(f"  {rule}drop")
        body = "\n".join(rules)
        # Replaced in one transaction: no frame slips through while the rules change.
        self.run(
            "nft",
            "-f",
            "-",
            stdin="table bridge lab\ndelete table bridge lab\ntable bridge lab {\n chain cuts {\n"
            f"  type filter hook forward priority 0\n{body}\n }}\n}}\n",
        )

    # Slow wires: the kernel here may lack netem, so that a relay does it.

    def slow(self, host: str, delay: Delay, network: Network) -> None:
        """Relay a host's frames late. The hosts' checksum offload has to be off (`faults.slow`)."""
        self.fast(host, network)
        argv = (
            sys.executable,
            "-I",
            str(RELAY),
            network.port(host),
            network.bridge,
            network.relay(host),
            *(str(one) for one in (delay.delay_ms, delay.jitter_ms)),
            *(str(one) for one in (delay.loss_percent, delay.twice_percent)),
        )
        relay = subprocess.Popen(
            self._enter(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._relays[host, network] = relay
        assert relay.stdout is not None
        if relay.stdout.readline() != b"ready\n":
            self.fast(host, network)
            raise RuntimeError(f"the relay for {host} did not start")

    def fast(self, host: str, network: Network) -> None:
        """Take the relay out again, if there is one."""
        relay = self._relays.pop((host, network), None)
        if relay is None:
            return
        relay.terminate()
        for pipe in (relay.stdin, relay.stdout):
            if pipe is not None:
                pipe.close()
        relay.wait(timeout=30)

    @property
    def slowed(self) -> tuple[tuple[str, Network], ...]:
        """Which wires are slow now."""
        return tuple(self._relays)

    def close(self) -> None:
        """End the relays; the rest ends with the keeper."""
        for host, network in self.slowed:
            self.fast(host, network)


def _ports(network: Network, host: str) -> str:
    return f'{{ "{network.port(host)}", "{network.relay(host)}" }}'
