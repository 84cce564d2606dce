"""The page arrives: a pair of real hosts under the real Prometheus and Alertmanager.

Owns that one story, from a quiet day over the death of the primary to its return, with hamnd on
both nodes and Prometheus reaching them over the lab's wires. TLS, passwords and a hold are
test_seen_paging's, without root. `missing` names what is not installed; nothing stands in for it.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hamnd.adapters.clock import SystemClock
from tests.lab import promql
from tests.lab.monitoring import Monitoring, monitored
from tests.lab.site import carrier, xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Host, Lab
from tests.lab.site.names import CLUSTER, GATEWAY, MANAGERS, PRIMARY, STANDBY
from tests.lab.site.pair import NO_FILES, TIMES, Db2Pair

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    needs_lab("prometheus", "prometheus-alertmanager", "crontab", *xcat.PROGRAMS),
]

PORT = 9745
NOT_HERE = {
    "hamnd_last_drill_timestamp_seconds": "no drill in this story",
    'type="AddressUnique"': "only AIX logs who else has an address of ours",
    'cluster=""': "every target is labelled",
    'node=""': "every target is labelled",
    'alertname="OnHold"': "nobody holds the pages here",
}
"""What a series that gives nothing must contain, and why that is right here."""
TOO_QUICK = {"FenceLies"}
"""A lab host answers a second after it got power, before its controller was read again."""
WOKEN = {"PrimaryDownUnconfirmed", "OldPrimaryReturned"}


@pytest.fixture
def site(lab: Lab) -> Db2Pair:
    """A pair in Peer that copies one file set; hamnd runs on either node."""

    def copying(text: str) -> str:
        return text.replace(NO_FILES, '[files]\nsets = ["hosts"]\n')

    # A window that a busy machine does not outlast between plan and confirm.
    site = Db2Pair(lab, replace(TIMES, peer_window_s=120), copying)
    for name in MANAGERS:
        site.watch(name, more=f'[metrics]\nlisten = "{CLUSTER.address(name)}:{PORT}"\n')
    site.wait_state("Peer")
    site.wait_ready()
    return site


@contextmanager
def carried(host: Host, names: tuple[str, ...]) -> Iterator[list[dict[str, Any]]]:
    """Give the metrics of these hosts as targets on loopback, reached from a host of the lab."""
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ways = [
        f"{one.fileno()}={CLUSTER.address(name)}:{PORT}"
        for one, name in zip(listening, names, strict=True)
    ]
    process = subprocess.Popen(
        host.command([sys.executable, carrier.__file__, *ways]),
        stdin=subprocess.DEVNULL,
        pass_fds=[one.fileno() for one in listening],
    )
    try:
        yield [
            {
                "targets": [f"127.0.0.1:{one.getsockname()[1]}"],
                "labels": {"cluster": "lab", "node": name},
            }
            for one, name in zip(listening, names, strict=True)
        ]
    finally:
        process.kill()
        process.wait()
        for one in listening:
            one.close()


async def test_the_death_of_a_primary_pages_and_so_does_its_return(
    site: Db2Pair, tmp_path: Path
) -> None:
    """Given a ready pair of hosts that Prometheus scrapes, when mn1 loses its power, the page
    arrives and says what to run; when the takeover is confirmed it resolves; when mn1 has power
    again its page arrives; nobody was woken by anything else, and every expression gave data."""
    began = SystemClock().now().wall_s
    with carried(site.lab[GATEWAY], MANAGERS) as targets:
        async with monitored(tmp_path, targets) as watched:
            await a_quiet_day(site, watched)
            await a_night(site, watched)
            await asyncio.to_thread(site.faults.on, PRIMARY)
            await watched.receiver.until("pager", "OldPrimaryReturned", "firing")
            assert {alert for _, alert, _ in watched.receiver.pages} - TOO_QUICK == WOKEN
            empty = await promql.without_data(watched.since(began))
            assert {one for one in empty if not any(part in one for part in NOT_HERE)} == set()
            await watched.every_rule_is_healthy()


async def a_quiet_day(site: Db2Pair, watched: Monitoring) -> None:
    await watched.prometheus.until(f'hamnd_takeover_ready{{status="True", node="{STANDBY}"}} == 1')
    await watched.prometheus.until(f'hamnd_state{{state="Active", node="{PRIMARY}"}} == 1')
    for command in ("sync", "rehearse"):
        done = await asyncio.to_thread(site.hamnctl, command)
        assert done.code == 0, done.text
    await watched.prometheus.until("hamnd_last_rehearsal_timestamp_seconds")
    assert watched.receiver.pages == []


async def a_night(site: Db2Pair, watched: Monitoring) -> None:
    await asyncio.to_thread(site.faults.off, PRIMARY)
    await watched.receiver.until("pager", "PrimaryDownUnconfirmed", "firing")
    page = watched.receiver.bodies[0]["alerts"][0]
    assert (page["labels"]["cluster"], page["labels"]["node"]) == ("lab", STANDBY)
    assert "hamnctl plan takeover" in page["annotations"]["description"]
    assert await watched.prometheus.query(f'up{{node="{PRIMARY}"}} == 0'), "its wire is dead too"
    await asyncio.to_thread(site.take_over)
    await watched.receiver.until("pager", "PrimaryDownUnconfirmed", "resolved")
    await watched.prometheus.until(f'hamnd_state{{state="Active", node="{STANDBY}"}} == 1')
    assert site.owners() == [STANDBY]
