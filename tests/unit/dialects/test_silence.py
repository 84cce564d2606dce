"""What a third host tells of an address that should be silent."""

from __future__ import annotations

import pytest

from hamnd.dialects.silence import read_silent_at
from hamnd.model.names import Verdict
from tests.unit.dialects.reports import exited

ASKED = "ARPING 10.1.0.2 from 0.0.0.0 eth0\nSent 2 probes (2 broadcast(s))\n"
NOBODY = f"{ASKED}Received 0 response(s)\n"
SOMEBODY = (
    "Unicast reply from 10.1.0.2 [02:00:0A:63:00:0B]\nSent 1 probes\nReceived 1 response(s)\n"
)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (f"{NOBODY}ping=1\n10.1.0.2 dev eth0 lladdr 02:00:0a:63:00:0b STALE\nwhole\n", "pass"),
        (f"{SOMEBODY}ping=1\nwhole\n", "block"),
        (f"{NOBODY}ping=0\nwhole\n", "block"),
        ("ping=1\n10.1.0.2 dev eth0 FAILED\nwhole\n", "pass"),
        ("ping=1\nwhole\n", "pass"),
        (f"{NOBODY}ping=1\n10.1.0.2 lladdr 02:00:0a:63:00:0b REACHABLE\nwhole\n", "pass"),
        ("ping=1\n10.1.0.2 dev eth0 lladdr 02:00:0a:63:00:0b REACHABLE\nwhole\n", "unknown"),
        ("ping=1\n10.1.0.2 dev eth0 lladdr 02:00:0a:63:00:0b DELAY\nwhole\n", "unknown"),
        ("ping=1\n? (10.1.0.2) at 2:0:a:63:0:b [ether] on en0\nwhole\n", "unknown"),
        ("ping=1\n", "unknown"),
        ("", "unknown"),
    ],
)
def test_remembered_is_neither_heard_nor_silent(text: str, verdict: str) -> None:
    assert read_silent_at(exited(0, text), ("sn1", "10.1.0.2")).verdict is Verdict(verdict)
