"""From a primary that serves and a standby with nothing of it to a pair in Peer, by plan `setup`.

Owns that story through the real daemon, for every engine that hamnd sets up, and what half of it
found done. What the engines' steps do alone is tested beside each engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.maria import CREDENTIALS, PROGRAMS, Maria
from tests.lab.site.maria_pair import MariaPair
from tests.lab.site.names import PRIMARY, STANDBY
from tests.lab.site.pair import SERVICE_ADDRESS, TIMES, Db2Pair, Pair
from tests.lab.site.pg_pair import PostgresPair
from tests.lab.site.postgres import Postgres
from tests.lab.site.sqlite_pair import SqlitePair

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    needs_lab("crontab", "postgres", "sqlite3", *PROGRAMS, *xcat.PROGRAMS),
]


class TwoPostgres(PostgresPair):
    """Two servers of their own, as packages leave them; xCAT is on the first."""

    def replicate(self) -> None:
        self.first, self.second = Postgres(self.lab[PRIMARY]), Postgres(self.lab[STANDBY])
        for server in (self.first, self.second):
            server.init()
            server.enable()
        self.second.sql("CREATE TABLE only_on_mn2 (n int)")
        xcat.in_postgres(self.first)
        xcat.install(self.lab, "pg")


class TwoMaria(MariaPair):
    """Two servers of their own; xCAT is on the first."""

    def replicate(self) -> None:
        self.first, self.second = Maria(self.lab[PRIMARY], 1), Maria(self.lab[STANDBY], 2)
        for server in (self.first, self.second):
            server.init()
            text = "[client]\nuser = follower\npassword = only-for-the-one-who-follows\n"
            server.host.write(CREDENTIALS, text, 0o600)
        xcat.in_mariadb(self.first)
        xcat.install(self.lab, "mysql")


def make(
    lab: Lab,
    engine: str,
    change: Callable[[str], str] = str,
    address: str = SERVICE_ADDRESS,
) -> Pair:
    """Return a site whose standby has nothing yet; `address` is what makes a node the manager."""
    match engine:
        case "postgresql":
            return TwoPostgres(lab, change, address)
        case "db2":
            return Db2Pair(lab, replace(TIMES, is_paired=False), change, address)
        case "mariadb":
            return TwoMaria(lab, change, address)
        case _:
            return SqlitePair(lab, change, address)


def writable(site: Pair) -> tuple[str, ...]:
    """Return whose database takes writes; of xCAT's own tables, where xcatd runs."""
    if isinstance(site, Db2Pair):
        return site.db2.writable()
    assert isinstance(site, TwoPostgres | TwoMaria | SqlitePair)
    return site.writable()


def set_up(site: Pair, *words: str) -> list[str]:
    """Plan and confirm as an operator does; return the steps."""
    wait_plannable(site)
    plan = site.carry_out("setup", STANDBY, *words)
    return [step["id"] for step in plan["steps"]]


def wait_plannable(site: Pair) -> None:
    """Wait until a setup can be planned."""

    def is_seen() -> bool:
        """Whether what answers over there is known; a plan is made of it."""
        found = {one["type"]: one["status"] for one in site.ask("status")["conditions"]}
        return found.get("PrimaryReachable") == found.get("PartnerIdle") == "True"

    wait_until(is_seen, "mn1 was seen", 60)
    wait_until(lambda: not site.ask("status")["run"], "nothing runs", 60)


@pytest.mark.parametrize("engine", ["postgresql", "db2", "mariadb", "sqlite"])
def test_a_standby_with_nothing_becomes_one_in_peer(lab: Lab, engine: str) -> None:
    """Given a primary that serves and a standby that never followed it, when the operator confirms
    the plan setup, then the pair is in Peer, the primary serves on, the guard is on both nodes,
    and the same plan once more finds it done."""
    site = make(lab, engine)
    site.lab[STANDBY].ask("systemctl", "enable", "xcatd")
    site.watch()
    site.wait_state("Degraded")
    ids = set_up(site)
    assert ids[:5] == ["alone", "names", "keys", "requirements", "quiet"]
    assert "replicate" in ids
    assert ids[-1] == "guard"
    site.wait_state("Peer", limit_s=120)
    assert site.owners() == [PRIMARY]
    assert writable(site) == (PRIMARY,)
    assert "cn1" in site.lab["sn1"].run("lsdef", environment={"XCATHOST": "mn:3001"})
    assert site.lab[STANDBY].ask("systemctl", "is-enabled", "xcatd").out.strip() != "enabled"
    assert site.lab[PRIMARY].ask("/usr/sbin/hamn-guard", "check", timeout_s=60).code == 0
    site.lab[STANDBY].run("test", "-x", "/usr/sbin/hamn-guard")
    set_up(site)
    site.wait_state("Peer", limit_s=120)
