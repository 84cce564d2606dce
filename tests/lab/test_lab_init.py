"""`hamnd init` on the two management nodes of a real site: what it writes passes the check there.

Owns that one story; what becomes of which finding is tests/unit/settings/test_proposing's.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator

import pytest

from tests.lab.site import xcat
from tests.lab.site.fixtures import needs_lab
from tests.lab.site.hosts import CHECKOUT, Done, Host, Lab
from tests.lab.site.names import CLUSTER, PRIMARY, SERVICE_NAME, STANDBY
from tests.lab.site.pair import Db2Pair

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    needs_lab("crontab", *xcat.PROGRAMS),
]

FILE = "/etc/hamnd/proposed.toml"


def hamnd(host: Host, *arguments: str) -> Done:
    return host.ask("env", f"PYTHONPATH={CHECKOUT}", sys.executable, "-m", *arguments, timeout_s=90)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as one:
        yield one


def test_both_nodes_propose_one_pair_and_never_overwrite_it(lab: Lab) -> None:
    """Given a pair with a movable address over Db2, when each node is asked with the other's name,
    then both files name the same pair; and a second call leaves the first file as it is."""
    Db2Pair(lab)
    told = {}
    for name, word in ((PRIMARY, ("--standby", STANDBY)), (STANDBY, ("--primary", PRIMARY))):
        host = lab[name]
        host.write("/etc/hamnd/there", "")
        done = hamnd(host, "hamnd", "init", *word, "--output", FILE)
        assert done.code == 0, done.text
        assert "[fence]" in done.err
        text = host.path(FILE).read_text()
        again = hamnd(host, "hamnd", "init", "--output", FILE)
        assert (again.code, host.path(FILE).read_text()) == (2, text)
        assert "is there already" in again.err
        told[name] = tomllib.loads(text)
    primary, standby = told[PRIMARY], told[STANDBY]
    assert [one["node"] for one in (primary, standby)] == [PRIMARY, STANDBY]
    for one in (primary, standby):
        assert one["primary"] == {"name": PRIMARY, "address": CLUSTER.address(PRIMARY)}
        assert one["standby"] == {"name": STANDBY, "address": CLUSTER.address(STANDBY)}
        assert one["replication"]["engine"] == "db2"
    assert primary["identity"]["mode"] == "service_address"
    assert primary["identity"]["address"][0]["address"] == CLUSTER.address(SERVICE_NAME)
    checked = hamnd(lab[PRIMARY], "hamnd.cli.main", "check-config", FILE)
    assert checked.code == 0, checked.text
