"""A MariaDB pair is set up, switched over and rejoined by the engine's steps, carried out directly.

Owns those stories, each against real servers: the plans around them are another's. The truth is
what the servers' own tables and files say.
"""

from __future__ import annotations

import pytest

from hamnd.core.replication import Setup, Switchover
from hamnd.core.replication.mariadb import ENGINE
from tests.lab.site.faults import Faults
from tests.lab.site.fixtures import faults, lab, needs_lab
from tests.lab.site.hosts import Host, Lab, wait_until
from tests.lab.site.maria import CREDENTIALS, DATA, PROGRAMS, Maria, Writer, make_pair
from tests.lab.site.maria_pair import MARIADB
from tests.lab.site.maria_truth import examine, start_read_only
from tests.lab.site.pair import CONFIG, configuration
from tests.lab.site.stepping import StepFailed, carry_out, terms_of

__all__ = ["faults", "lab"]
pytestmark = [pytest.mark.lab, pytest.mark.timeout(240), needs_lab(*PROGRAMS)]


SECRET = "only-for-the-one-who-follows"


LOGS = """\
general-log
general-log-file = general.log
slow-query-log
slow-query-log-file = slow.log
long-query-time = 0
log-error = error.log
"""


def configure(host: Host, more: str = "") -> None:
    host.write(CONFIG, configuration(host.name, MARIADB + more), 0o640)


def settings(host: Host, lines: str) -> None:
    host.run("sh", "-c", "cat >>/etc/mysql/mariadb.conf.d/99-lab.cnf", stdin=lines)


def test_two_servers_of_their_own_become_a_pair(lab: Lab) -> None:
    """Given a primary and a standby with a database of its own, both logging all they are told,
    when the set-up is carried out, then the standby follows by GTID with a password that no log
    shows, what it had is kept, and doing it all again finds it done."""
    first, second = Maria(lab["mn1"], 1), Maria(lab["mn2"], 2)
    for server in (first, second):
        settings(server.host, LOGS)
        server.init()
        server.host.write(CREDENTIALS, f"[client]\nuser = follower\npassword = {SECRET}\n", 0o600)
    first.sql("INSERT INTO xcatdb.lab_rows VALUES (1)")
    configure(lab["mn2"])
    steps = ENGINE.steps(terms_of(lab["mn2"]), Setup())
    ended = carry_out(lab["mn2"], steps)
    assert [one.id for one in ended if one.outcome == "done"] == [
        "db-access",
        "hold",
        "preserve",
        "db-copy",
        "db-start",
        "db-follow",
    ]
    first.sql("INSERT INTO xcatdb.lab_rows VALUES (2)")
    wait_until(lambda: second.rows() == {1, 2}, "the rows are on mn2")
    assert not second.accepts_writes
    lab["mn2"].run("test", "-e", f"{DATA}.hamnd-kept-setup/ibdata1")
    told = " ".join(one.sentence for one in ended)
    assert SECRET not in told
    for server in (first, second):
        logs = "cd $1; cat general.log slow.log error.log bin.0*; mariadb-binlog bin.0*"
        written = server.host.run("sh", "-c", logs, "logs", DATA)
        assert "SET SESSION sql_log_off" in written, "they do log"
        assert SECRET not in written
    again = carry_out(lab["mn2"], steps)
    assert {one.outcome for one in again} == {"already"}


def test_a_server_whose_data_lies_elsewhere_is_not_even_stopped(lab: Lab) -> None:
    """Given a standby whose server works in another directory than hamnd was told, or with a binary
    log outside of it, when the set-up comes to setting its data aside, then it says so, and the
    server still serves."""
    first, second = Maria(lab["mn1"], 1), Maria(lab["mn2"], 2)
    for server in (first, second):
        server.init()
        server.host.write(CREDENTIALS, f"[client]\nuser = follower\npassword = {SECRET}\n", 0o600)
    configure(lab["mn2"], 'data_dir = "/srv/mysql"\n')
    steps = ENGINE.steps(terms_of(lab["mn2"]), Setup())
    with pytest.raises(StepFailed, match=f"the server's datadir is {DATA}/, not /srv/mysql"):
        carry_out(lab["mn2"], steps)
    configure(lab["mn2"])
    second.stop()
    lab["mn2"].run("install", "-d", "-o", "mysql", "/var/log/bin")
    settings(lab["mn2"], "log-bin = /var/log/bin/bin\n")
    second.start()
    with pytest.raises(StepFailed, match="log_bin lies outside of"):
        carry_out(lab["mn2"], ENGINE.steps(terms_of(lab["mn2"]), Setup()))
    assert second.ask("SELECT 1").code == 0


def test_an_exchange_loses_nothing(lab: Lab) -> None:
    """Given a pair under writes from a third host, when the switchover is carried out from mn2,
    then every acknowledged row is there, and mn1 follows and takes no writes."""
    first, second = make_pair(lab["mn1"], lab["mn2"])
    configure(lab["mn2"])
    writer = Writer(lab["sn1"], lab["mn1"].address)
    writer.wait(100)
    ended = carry_out(lab["mn2"], ENGINE.steps(terms_of(lab["mn2"]), Switchover()))
    assert [one.id for one in ended] == [
        "quiesce",
        "promote",
        "db-access",
        "db-follow",
        "replicate",
    ]
    acknowledged = set(writer.stop())
    assert len(acknowledged) >= 100
    assert acknowledged <= second.rows()
    second.sql("INSERT INTO xcatdb.lab_rows VALUES (0)")
    wait_until(lambda: first.rows() == second.rows(), "mn1 follows")
    assert (first.accepts_writes, second.accepts_writes) == (False, True)


def test_what_only_the_old_primary_has_is_told_and_kept(lab: Lab, faults: Faults) -> None:
    """Given a pair cut apart under writes and mn2 promoted, when mn1 comes back after a power cut,
    then it tells no fewer transactions than are missing; it gets no copy as long as it would start
    writable; then what it had is kept, and it follows mn2."""
    first, second = make_pair(lab["mn1"], lab["mn2"])
    configure(lab["mn2"])
    writer = Writer(lab["mn1"])
    writer.wait(50)
    faults.pair_cut()
    writer.wait(50)
    faults.off("mn1")
    acknowledged = set(writer.acknowledged)
    second.promote()
    missing = acknowledged - second.rows()
    assert len(missing) >= 50
    second.sql("INSERT INTO xcatdb.lab_rows VALUES (0)")
    faults.heal()
    faults.on("mn1")
    wait_until(lambda: first.accepts_writes, "mn1 serves again, as nobody keeps it from it")
    found = examine(lab["mn2"])
    assert found.rejoin is not None, found.sentence
    assert found.actual is not None
    told, count = found.actual, int(found.actual.split()[2])
    assert told.startswith("at most "), told
    assert len(missing) <= count <= len(missing) + 1, "one was perhaps under way"
    steps = ENGINE.steps(terms_of(lab["mn2"]), found.rejoin)
    with pytest.raises(StepFailed, match="would take writes at boot") as failed:
        carry_out(lab["mn2"], steps)
    assert [one.id for one in failed.value.done] == ["db-access", "hold", "preserve"]
    assert first.ask("SELECT 1").code != 0
    start_read_only(lab["mn1"])
    ended = carry_out(lab["mn2"], steps)
    assert ended[-1].id == "replicate"
    lab["mn1"].run("test", "-e", f"{DATA}.hamnd-kept-{found.rejoin.kept_as}/ibdata1")
    wait_until(lambda: first.rows() == second.rows(), "mn1 has what mn2 has")
    assert not first.accepts_writes
