"""What keeps dumps from coming, or from being used, said in words that lead to its end.

Owns those stories against real servers. Whatever happens, the copy that was restored last stays.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lab.site import xcat
from tests.lab.site.dump_pair import DumpPair
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Host, Lab, wait_until
from tests.lab.site.needs import postgres_bin
from tests.lab.site.postgres import ACCESS

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    needs_lab("crontab", "postgres", *xcat.PROGRAMS),
]

WELL = "is restored"
DUMPER = "CREATE ROLE dumper LOGIN"


def says(site: DumpPair, *words: str) -> None:
    """Wait until the last run is told with one of these."""

    def told() -> str:
        return site.explained("Scheduled/copy:dump")

    try:
        wait_until(lambda: any(one in told() for one in words), "", 60)
    except TimeoutError:
        raise AssertionError(f"{words}: {told()}") from None


def rewrite_access(site: DumpPair, text: str) -> None:
    """Let people into mn1's server by these lines alone."""
    site.lab["mn1"].run("sh", "-c", 'cat >"$1/pg_hba.conf"', "hba", site.first.data, stdin=text)
    site.lab["mn1"].run("pkill", "-HUP", "-o", "-u", "postgres", "-x", "postgres")


def wrong_password(site: DumpPair) -> Callable[[], object]:
    site.first.sql("ALTER ROLE postgres PASSWORD 'another one'", "postgres")
    line = "*:*:*:*:not that one\n"
    site.lab["mn1"].write("/var/lib/postgresql/.pgpass", line, 0o600)
    site.lab["mn1"].run("chown", "postgres", "/var/lib/postgresql/.pgpass")
    rewrite_access(site, ACCESS.replace("local all all trust", "local all all scram-sha-256"))
    return lambda: rewrite_access(site, ACCESS)


def mute_server(site: DumpPair) -> Callable[[], object]:
    site.lab["mn1"].run("sh", "-c", "kill -STOP $(pgrep -u postgres -x postgres)")
    return lambda: site.lab["mn1"].run("sh", "-c", "kill -CONT $(pgrep -u postgres -x postgres)")


def store_full(site: DumpPair) -> Callable[[], object]:
    host = site.lab["mn2"]
    host.run("mount", "-t", "tmpfs", "-o", "size=8k", "none", "/var/lib/hamnd/dump")
    return lambda: host.run("umount", "-l", "/var/lib/hamnd/dump")


def dumping_as(host: Host, filter_: str) -> Callable[[], object]:
    """Have pg_dump's output go through a filter whose end looks like success."""
    real = f"{postgres_bin()}/pg_dump"
    host.run("mv", real, f"{real}.real")
    host.write(real, f'#!/bin/sh\n{real}.real "$@" | {filter_}\n', 0o755)
    return lambda: host.run("mv", f"{real}.real", real)


def no_dump(site: DumpPair) -> Callable[[], object]:
    return dumping_as(site.lab["mn1"], "head -c 40")


def cut_off(site: DumpPair) -> Callable[[], object]:
    """Its list of contents is whole, its data is not: only restoring it shows that."""
    return dumping_as(site.lab["mn1"], "head -c -2000")


def shrunk(site: DumpPair) -> Callable[[], object]:
    site.first.sql("TRUNCATE lab_rows")
    return lambda: site.first.sql(ROWS)


ROWS = "INSERT INTO lab_rows SELECT n FROM generate_series(1, 20000) n ON CONFLICT DO NOTHING"


def test_what_keeps_dumps_from_coming_is_said_and_the_last_good_one_stays(lab: Lab) -> None:
    """Given dumps every three seconds, when one thing after the other goes wrong, then each is told
    in its own words, and what was restored before is still what a takeover would use."""
    site = DumpPair(lab)
    site.first.sql(ROWS)
    site.watch()
    site.wait_state("Peer")
    for fault, words in (
        (wrong_password, ("the password of role postgres is refused",)),
        (store_full, ("No space left on device",)),
        (no_dump, ("pg_restore -l cannot read it",)),
        (cut_off, ("pg_restore: error: ",)),
        (shrunk, ("it shrank from",)),
        (mute_server, ("not done within", "timeout expired", "ran into our time limit")),
    ):
        heal = fault(site)
        says(site, *words)
        assert len(site.second.sql("SELECT n FROM lab_rows", "xcatdb_hamnd").split()) == 20000
        heal()
        says(site, WELL)
    assert site.second.rows() == {-1}, "live data is nobody's target"


def test_a_role_that_lacks_a_privilege_hears_which_grant(lab: Lab) -> None:
    """Given a role of its own for the dumps, with no rights on either server, then hamnd names one
    GRANT after the other until its copy is restored, and then protects."""
    site = DumpPair(lab)
    for server in (site.first, site.second):
        server.host.run("useradd", "-m", "-s", "/bin/sh", "dumper")
        server.sql(DUMPER, "postgres")
    limit = "timeout_s = 20"
    site.replication = site.replication.replace(limit, f'{limit}\nos_user = "dumper"')
    site.watch()
    says(site, "GRANT pg_read_all_data TO that role")
    site.first.sql("GRANT pg_read_all_data TO dumper", "postgres")
    says(site, "ALTER ROLE … CREATEDB")
    site.second.sql("ALTER ROLE dumper CREATEDB", "postgres")
    says(site, "GRANT xcatadm TO that role")
    site.second.sql("GRANT xcatadm TO dumper", "postgres")
    says(site, WELL)
    site.wait_state("Peer")
    site.wait_ready()
    site.second.sql("ALTER DATABASE xcatdb OWNER TO postgres", "postgres")
    lacks = "our role may not rename the databases: GRANT postgres TO dumper"
    wait_until(lambda: lacks in " ".join(site.hamnctl("ready").text.split()), "it says so", 60)
    site.second.sql("ALTER DATABASE xcatdb OWNER TO dumper", "postgres")
    site.wait_ready()
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    site.take_over()
