"""What hamnd says of a PostgreSQL pair that is out of order: the true sentence, and what to do.

Owns these stories against real servers, each asked through the real adapters. A call that nobody
answers ends within its limit.
"""

from __future__ import annotations

import sys
import time

import pytest

from hamnd.core.policy import Terms
from hamnd.core.replication import PartnerDatabase, Promotion, Setup, Takeover
from hamnd.core.replication.postgresql import ENGINE
from hamnd.dialects.readers import read_look
from hamnd.model.health import Replication
from hamnd.model.names import Verdict
from hamnd.model.work import Look, Looked, Reading
from tests.lab.site.faults import Faults
from tests.lab.site.fixtures import faults, lab, needs_lab
from tests.lab.site.hosts import Host, Lab, wait_until
from tests.lab.site.pair import CONFIG, configuration
from tests.lab.site.pg_pair import over_postgres
from tests.lab.site.pg_truth import examine
from tests.lab.site.postgres import make_pair
from tests.lab.site.stepping import carry_out, take_looks, terms_of

__all__ = ["faults", "lab"]
pytestmark = [pytest.mark.lab, pytest.mark.timeout(240), needs_lab("postgres")]

PROMOTE = Takeover(Promotion("accepted-force", Verdict.PASS, ""))


def configure(host: Host, more: str = "") -> Terms:
    host.write(CONFIG, configuration(host.name, over_postgres(more)), 0o640)
    return terms_of(host)


def view(host: Host, terms: Terms) -> Replication:
    """What the engine makes of both servers' word, as the daemon would fold it."""
    both = take_looks(host, {**ENGINE.looks(terms), **ENGINE.partner_looks(terms)})
    told = {topic: one for topic, one in both.items() if one.exit_code == 0 or topic == "psql"}
    return ENGINE.view(terms, told)


def reading(host: Host, look: Look) -> Reading:
    return read_look(Looked(look, take_looks(host, {"one": look})["one"]))


def test_a_server_that_takes_the_connection_and_says_nothing_is_unknown_in_time(
    lab: Lab, faults: Faults
) -> None:
    """Given a standby whose processes are all stopped, then the kernel still takes connections, the
    look ends within its limit, and nothing is claimed: not that it is up, nor that it is down."""
    make_pair(lab["mn1"], lab["mn2"])
    terms = configure(lab["mn2"])
    assert view(lab["mn2"], terms).is_protecting
    lab["mn2"].run("sh", "-c", "kill -STOP $(pgrep -u postgres)")
    began = time.perf_counter()
    seen = view(lab["mn2"], terms)
    took_s = time.perf_counter() - began
    lab["mn2"].run("sh", "-c", "kill -CONT $(pgrep -u postgres)")
    assert took_s < 25
    assert (seen.is_database_up, seen.role, seen.is_protecting) == (None, None, False)
    assert "timeout" in seen.problems[0] or "limit" in seen.problems[0], seen.problems


CROWD = """\
import socket, sys, time
held = []
for number in range(2000):
    one = socket.socket(socket.AF_UNIX)
    one.setblocking(False)
    try:
        one.connect("/run/postgresql/.s.PGSQL.5432")
    except BlockingIOError:
        print("full", flush=True)
        time.sleep(300)
    held.append(one)
"""
"""Connects until the kernel takes no more for whoever listens, then waits."""


def test_a_postmaster_that_hangs_until_its_queue_is_full_is_not_taken_for_one_that_is_down(
    lab: Lab, faults: Faults
) -> None:
    """Given a primary whose postmaster hangs, when so many wait for it that the kernel refuses the
    next, then neither node says that it is down: nothing of it is known."""
    first, _ = make_pair(lab["mn1"], lab["mn2"])
    terms = configure(lab["mn2"])
    file = f"{first.data}/postmaster.pid"
    (look,) = ENGINE.partner_looks(terms).values()
    good = ENGINE.partner(terms, take_looks(lab["mn2"], {"one": look})["one"], PartnerDatabase())
    assert good.is_good is True
    lab["mn1"].run("sh", "-c", f"kill -STOP $(head -n 1 {file})")
    crowd = lab["mn1"].start(sys.executable, "-I", "-c", CROWD)
    try:
        wait_until(lambda: "full" in crowd.text(), "the queue is full", 30)
        told = take_looks(lab["mn2"], {"one": look})["one"]
    finally:
        crowd.kill()
        lab["mn1"].run("sh", "-c", f"kill -CONT $(head -n 1 {file})")
    assert "Resource temporarily unavailable" in told.stderr, told
    assert ENGINE.partner(terms, told, good) == good


def test_a_role_that_lacks_a_privilege_hears_which_grant(lab: Lab, faults: Faults) -> None:
    first, second = make_pair(lab["mn1"], lab["mn2"])
    first.sql("CREATE ROLE hamnd LOGIN")
    terms = configure(lab["mn2"], 'user = "hamnd"')
    count = "SELECT count(*) FROM pg_roles WHERE rolname = 'hamnd'"
    wait_until(lambda: second.sql(count) == "1", "the role is there")
    assert "grant it pg_monitor" in " ".join(view(lab["mn2"], terms).problems)
    (step,) = ENGINE.steps(terms, PROMOTE)
    refused = reading(lab["mn2"], step.readiness[0])
    assert refused.verdict is Verdict.BLOCK
    assert "GRANT EXECUTE ON FUNCTION pg_promote(boolean, integer) TO hamnd" in refused.sentence


def test_a_lost_slot_is_told_before_anybody_misses_it(lab: Lab, faults: Faults) -> None:
    """Given a standby cut off from a primary whose slot may keep next to nothing, when the log goes
    on, then the standby's view names the slot and what helps; and setting it up anew makes it."""
    first, _ = make_pair(lab["mn1"], lab["mn2"])
    terms = configure(lab["mn2"])
    first.sql("SELECT pg_create_physical_replication_slot('hamnd_mn2', true)")
    for setting in ("wal_keep_size = 0", "max_slot_wal_keep_size = '1MB'", "min_wal_size = '32MB'"):
        first.sql(f"ALTER SYSTEM SET {setting}")
    first.sql("ALTER SYSTEM SET max_wal_size = '32MB'")
    first.sql("SELECT pg_reload_conf()")
    for _ in range(6):
        first.sql("INSERT INTO lab_rows SELECT coalesce(max(n), 0) + 1 FROM lab_rows")
        first.sql("SELECT pg_switch_wal()")
    first.sql("CHECKPOINT")
    seen = view(lab["mn2"], terms)
    assert "slot hamnd_mn2 on the primary is lost" in " ".join(seen.problems), seen
    again = {one.id: one for one in ENGINE.steps(terms, Setup())}["db-slot"]
    carry_out(lab["mn2"], (again,))
    assert "lost" not in " ".join(view(lab["mn2"], terms).problems)


def test_an_old_primary_on_a_timeline_of_its_own_is_not_taken_for_one_that_can_be_rewound(
    lab: Lab, faults: Faults
) -> None:
    """Given both servers promoted, each to a timeline 2 of its own, then the loss is unknown, the
    reason is told, and what is planned is a new copy, the old data kept."""
    first, second = make_pair(lab["mn1"], lab["mn2"])
    configure(lab["mn2"])
    first.stop("immediate")
    second.promote()
    lab["mn1"].run("touch", f"{first.data}/standby.signal", user="postgres")
    first.start()
    first.promote()
    first.sql("CHECKPOINT")
    found = examine(lab["mn2"])
    assert found.rejoin is not None
    assert found.rejoin.way == "reseed"
    assert "timeline 2 over there is unknown here" in found.sentence
    assert (found.actual or "").startswith("unknown")


def test_a_standby_whose_disk_is_full_would_not_become_primary_and_says_why(
    lab: Lab, faults: Faults
) -> None:
    make_pair(lab["mn1"], lab["mn2"])
    terms = configure(lab["mn2"])
    (step,) = ENGINE.steps(terms, PROMOTE)
    assert reading(lab["mn2"], step.readiness[1]).verdict is Verdict.PASS
    faults.disk_full("mn2")
    full = reading(lab["mn2"], step.readiness[1])
    assert full.verdict is Verdict.BLOCK
    assert "is full, 0 MiB are left: make room" in full.sentence
