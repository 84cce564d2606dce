"""A PostgreSQL pair is set up, and a returned old primary is rejoined, by the engine's steps.

Owns those stories, each against real servers, with the steps carried out once directly: the plans
around them are another's. The truth is what the servers' own tables and files say.
"""

from __future__ import annotations

import re

import pytest

from hamnd.core.replication import Finding, Setup, Switchover
from hamnd.core.replication.postgresql import ENGINE
from hamnd.dialects.readers import read_look
from hamnd.model.names import Verdict
from hamnd.model.work import Looked
from tests.lab.site.faults import Faults
from tests.lab.site.fixtures import faults, lab, needs_lab
from tests.lab.site.hosts import Host, Lab, wait_until
from tests.lab.site.pair import CONFIG, configuration
from tests.lab.site.pg_pair import over_postgres
from tests.lab.site.pg_truth import examine
from tests.lab.site.postgres import Postgres, Writer, make_pair
from tests.lab.site.stepping import StepFailed, carry_out, take_looks, terms_of

__all__ = ["faults", "lab"]
pytestmark = [pytest.mark.lab, pytest.mark.timeout(240), needs_lab("postgres")]

SECRET = "a:b\\c'd only for replication"
PASSFILE = "/var/lib/postgresql/hamnd.pgpass"
TALKATIVE = (
    "log_statement = 'all'",
    "log_duration = on",
    "log_min_duration_sample = 0",
    "log_statement_sample_rate = 1",
    "log_transaction_sample_rate = 1",
    "shared_preload_libraries = 'pg_stat_statements'",
)
"""Whatever makes a server write statements down."""
STRICT = """
local all all trust
host all all 127.0.0.1/32 trust
"""


def configure(host: Host, more: str = "") -> None:
    host.write(CONFIG, configuration(host.name, over_postgres(more)), 0o640)


def give_password(host: Host, secret: str = SECRET) -> None:
    escaped = secret.replace("\\", "\\\\").replace(":", "\\:")
    host.write(PASSFILE, f"*:*:*:hamnd_replication:{escaped}\n", 0o600)
    host.run("chown", "postgres:", PASSFILE)


def test_two_servers_of_their_own_become_a_pair(lab: Lab) -> None:
    """Given a primary that lets nobody in and a standby with a database of its own, when the set-up
    is carried out, then the standby streams by a role of its own with a password that nothing
    shows, what it had is kept, and doing it all again finds it done."""
    first, second = Postgres(lab["mn1"]), Postgres(lab["mn2"])
    for server in (first, second):
        server.init()
        server.host.run("sh", "-c", 'cat >"$1/pg_hba.conf"', "put", server.data, stdin=STRICT)
        for setting in TALKATIVE:
            server.sql(f"ALTER SYSTEM SET {setting}")
        server.stop()
        server.start()
        server.sql("CREATE EXTENSION pg_stat_statements")
        give_password(server.host)
    second.sql("CREATE TABLE only_on_mn2 (n int)")
    keys = f'replication_passfile = "{PASSFILE}"'
    text = over_postgres(keys).replace('replication_user = "postgres"\n', "", 1)
    lab["mn2"].write(CONFIG, configuration("mn2", text), 0o640)
    terms = terms_of(lab["mn2"])
    steps = ENGINE.steps(terms, Setup())
    ended = carry_out(lab["mn2"], steps)
    assert [one.id for one in ended if one.outcome == "done"][-2:] == ["db-copy", "db-start"]
    first.sql("INSERT INTO lab_rows VALUES (1)")
    wait_until(lambda: second.rows() == {1}, "the row is on mn2")
    assert not second.accepts_writes
    assert first.sql("SELECT usename || sync_state FROM pg_stat_replication") == (
        "hamnd_replicationasync"
    )
    lab["mn2"].run("test", "-e", f"{second.data}.hamnd-kept-setup/PG_VERSION")
    for server in (first, second):
        assert "only for replication" not in server.host.run("cat", server.log)
    assert "only for replication" not in first.sql("SELECT query FROM pg_stat_statements")
    again = carry_out(lab["mn2"], steps)
    assert {one.outcome for one in again} == {"already"}


def test_what_only_the_old_primary_has_is_told_kept_and_taken_back(
    lab: Lab, faults: Faults
) -> None:
    """Given an asynchronous pair cut apart under writes and mn2 promoted, when mn1 comes back after
    a power cut, then its data tells no fewer transactions than are missing, it is kept, and mn1
    rewound follows mn2; a server that somebody starts meanwhile serves nothing."""
    first, second = make_pair(lab["mn1"], lab["mn2"])
    first.enable()
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
    second.sql("INSERT INTO lab_rows VALUES (0)")
    faults.heal()
    faults.on("mn1")
    wait_until(lambda: first.accepts_writes, "mn1 serves again, as nobody keeps it from it")
    found = examine(lab["mn2"])
    assert found.rejoin is not None
    assert found.rejoin.way == "reintegrate", found.sentence
    assert commits_of(found) >= len(missing)
    terms = terms_of(lab["mn2"])
    steps = ENGINE.steps(terms, found.rejoin)
    hold = [one for one in steps if one.id == "hold"]
    carry_out(lab["mn2"], hold)
    assert first.ask("SELECT 1").code != 0
    with pytest.raises(RuntimeError):
        first.start()
    assert commits_of(examine(lab["mn2"])) >= len(missing), "its files tell it as well"
    ended = carry_out(lab["mn2"], steps)
    assert ended[-1].id == "replicate"
    kept = f"{first.data}.hamnd-kept-{found.rejoin.kept_as}"
    lab["mn1"].run("test", "-e", f"{kept}/global/pg_control")
    wait_until(lambda: first.rows() == second.rows(), "mn1 has what mn2 has")
    assert not first.accepts_writes
    assert "mn1" in second.sql("SELECT application_name FROM pg_stat_replication")


def commits_of(found: Finding) -> int:
    assert found.actual is not None, found.sentence
    words = found.actual.split()
    assert words[:2] == ["at", "most"], found.actual
    return int(words[2])


def test_an_old_primary_that_cannot_be_rewound_gets_a_new_copy(lab: Lab, faults: Faults) -> None:
    """Given an old primary whose log since the fork is gone, then nothing is claimed about its
    loss, its data is moved away whole, and it gets a new copy."""
    first, second = make_pair(lab["mn1"], lab["mn2"])
    configure(lab["mn2"])
    first.stop("immediate")
    second.promote()
    lab["mn1"].run("sh", "-c", 'rm "$1"/pg_wal/0*', "lose", first.data)
    found = examine(lab["mn2"])
    assert found.rejoin is not None
    assert found.actual is None
    assert found.rejoin.way == "reseed"
    assert "its log since the fork is gone" in found.sentence
    carry_out(lab["mn2"], ENGINE.steps(terms_of(lab["mn2"]), found.rejoin))
    lab["mn1"].run("test", "-e", f"{first.data}.hamnd-kept-{found.rejoin.kept_as}/PG_VERSION")
    second.sql("INSERT INTO lab_rows VALUES (7)")
    wait_until(lambda: first.rows() == {7}, "mn1 follows")


def test_an_old_primary_whose_log_before_the_fork_is_gone_gets_a_new_copy_by_the_next_plan(
    lab: Lab, faults: Faults
) -> None:
    """Given a pair whose last checkpoint in common lies some segments before the fork, and an old
    primary that made one after it, which threw those away, then all that its data tells is for
    pg_rewind; that one refuses, its step says so, and the next plan is a new copy, twice kept."""
    first, second = make_pair(lab["mn1"], lab["mn2"])
    for setting in ("wal_keep_size = 0", "min_wal_size = '32MB'"):
        first.sql(f"ALTER SYSTEM SET {setting}")
    first.sql("SELECT pg_reload_conf()")
    first.sql("CHECKPOINT")
    configure(lab["mn2"])
    for number in range(1, 4):
        first.sql(f"INSERT INTO lab_rows VALUES ({number})")
        first.sql("SELECT pg_switch_wal()")
    wait_until(lambda: second.rows() == {1, 2, 3}, "mn2 has them")
    faults.pair_cut()
    first.sql("INSERT INTO lab_rows VALUES (4)")
    second.promote()
    first.sql("CHECKPOINT")
    second.sql("INSERT INTO lab_rows VALUES (5)")
    faults.heal()
    found = examine(lab["mn2"])
    assert found.rejoin is not None
    assert (found.rejoin.way, commits_of(found)) == ("reintegrate", 1), found.sentence
    terms = terms_of(lab["mn2"])
    with pytest.raises(StepFailed, match="only a new copy helps"):
        carry_out(lab["mn2"], ENGINE.steps(terms, found.rejoin))
    again = examine(lab["mn2"])
    assert again.rejoin is not None
    assert again.rejoin.way == "reseed"
    assert "pg_rewind could not take it back" in again.sentence
    carry_out(lab["mn2"], ENGINE.steps(terms, again.rejoin))
    wait_until(lambda: first.rows() == {1, 2, 3, 5}, "mn1 follows")
    for kept in (found.rejoin.kept_as, again.rejoin.kept_as):
        lab["mn1"].run("test", "-e", f"{first.data}.hamnd-kept-{kept}/PG_VERSION")


def test_an_exchange_loses_nothing_and_needs_no_rewinding(lab: Lab, faults: Faults) -> None:
    """Given a synchronous pair under writes from a third host, when the switchover is carried out
    from mn2, then every acknowledged row is there, and mn1 follows as a synchronous standby."""
    first, second = make_pair(lab["mn1"], lab["mn2"], synchronous=True)
    configure(lab["mn2"], "synchronous = true")
    writer = Writer(lab["sn1"], lab["mn1"].address)
    writer.wait(50)
    ended = carry_out(lab["mn2"], ENGINE.steps(terms_of(lab["mn2"]), Switchover()))
    acknowledged = set(writer.stop())
    assert [one.id for one in ended][:2] == ["quiesce", "promote"]
    assert acknowledged <= second.rows()
    assert second.accepts_writes
    assert not first.accepts_writes
    assert second.sql("SELECT sync_state FROM pg_stat_replication") == "sync"
    second.sql("INSERT INTO lab_rows VALUES (0)")


def test_a_standby_that_never_streams_holds_up_no_commit(lab: Lab, faults: Faults) -> None:
    """Given a synchronous pair that is set up, when the new standby does not stream, then the steps
    end there, and the primary goes on committing: nobody was made to wait for it."""
    first, second = Postgres(lab["mn1"]), Postgres(lab["mn2"])
    for server in (first, second):
        server.init()
    configure(lab["mn2"], "synchronous = true")
    steps = ENGINE.steps(terms_of(lab["mn2"]), Setup())
    started = [one.id for one in steps].index("db-start") + 1
    carry_out(lab["mn2"], steps[:started])
    second.stop()
    with pytest.raises(StepFailed, match="mn2 does not receive"):
        carry_out(lab["mn2"], steps[started:])
    assert first.ask("INSERT INTO lab_rows VALUES (1)").code == 0
    second.start()
    assert [one.id for one in carry_out(lab["mn2"], steps[started:])][-1] == "replicate"
    first.sql("INSERT INTO lab_rows VALUES (2)")
    assert first.sql("SELECT sync_state FROM pg_stat_replication") == "sync"


def test_a_refused_password_is_told_with_what_to_mend(lab: Lab, faults: Faults) -> None:
    """A password that the primary refuses is told as what it is, and where to mend it."""
    first, second = make_pair(lab["mn1"], lab["mn2"])
    for server in (first, second):
        give_password(server.host)
    first.sql("CREATE ROLE hamnd_replication LOGIN REPLICATION PASSWORD 'another'")
    strict = f"host replication hamnd_replication {lab['mn2'].address}/32 scram-sha-256\n"
    old = lab["mn1"].run("cat", f"{first.data}/pg_hba.conf")
    lab["mn1"].write(f"{first.data}/pg_hba.conf", strict + old, 0o600)
    first.sql("SELECT pg_reload_conf()")
    keys = f'replication_passfile = "{PASSFILE}"'
    text = over_postgres(keys).replace('replication_user = "postgres"\n', "", 1)
    lab["mn2"].write(CONFIG, configuration("mn2", text), 0o640)
    terms = terms_of(lab["mn2"])
    steps = {one.id: one for one in ENGINE.steps(terms, Setup())}
    look = {"login": steps["db-access"].postconditions[0]}
    refused = read_look(Looked(look["login"], take_looks(lab["mn2"], look)["login"]))
    assert refused.verdict is Verdict.BLOCK
    assert "the password of role hamnd_replication is refused" in refused.sentence


def test_how_far_a_copy_is_can_be_asked_while_it_runs(lab: Lab, faults: Faults) -> None:
    """Given a base backup on a slow leash, then the primary tells how much of it is sent."""
    first, second = make_pair(lab["mn1"], lab["mn2"])
    configure(lab["mn2"])
    steps = {one.id: one for one in ENGINE.steps(terms_of(lab["mn2"]), Setup())}
    look = steps["db-copy"].progress
    assert look is not None
    conninfo = f"host={lab['mn1'].address} user=postgres"
    argv = ("-D", "/tmp/slow", "--max-rate=256", "-c", "fast", "-d", conninfo)
    leash = lab["mn2"].start(str(second.bin / "pg_basebackup"), *argv, user="postgres")
    told: list[str] = []

    def is_told() -> bool:
        reading = read_look(Looked(look, take_looks(lab["mn2"], {"one": look})["one"]))
        told.append(reading.sentence)
        return reading.verdict is Verdict.PASS and "streaming database files" in reading.sentence

    try:
        wait_until(is_told, "the progress is told", 30)
    finally:
        leash.kill()
    assert re.search(r", \d+ of \d+ MiB$", told[-1]), told
    assert first.accepts_writes
