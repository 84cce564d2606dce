"""PostgreSQL's own messages in plain words, and what the files of a returned primary tell.

Owns specimens of versions 12 to 17 as their programs print them; those of 15 were seen here.
"""

from __future__ import annotations

import pytest

from hamnd.dialects.postgresql.messages import grant_for, plainly
from hamnd.dialects.postgresql.returned import parse_returned
from hamnd.model.work import Ending, Report
from tests.unit.core.builders import at

CONTROL = """\
pg_control version number:            1300
Database system identifier:           7713872154030226609
Database cluster state:               in production
Latest checkpoint location:           0/2000060
Latest checkpoint's REDO location:    0/2000028
Latest checkpoint's TimeLineID:       1
Latest checkpoint's PrevTimeLineID:   1
Latest checkpoint's NextXID:          0:725
wal_level setting:                    replica
wal_log_hints setting:                {hints}
Data page checksum version:           {sums}
hamnd place: /var/lib/postgresql/15/main
hamnd tablespaces: 0
"""
SEEN = """\
hamnd commits: 4
hamnd first: 2026-11-30 08:03:44.911931 UTC
hamnd last: 2026-11-30 08:03:45.379936 UTC
hamnd said: {said}
"""
END_15 = (
    "pg_waldump: error: error in WAL record at 0/3002310: invalid record length at 0/3002338: "
    "wanted 24, got 0"
)
END_12 = (
    "pg_waldump: fatal: error in WAL record at 0/3002310: invalid record length at 0/3002338: "
    "wanted 24, got 0"
)


def told(said: str, hints: str = "on", sums: str = "0") -> Report:
    text = CONTROL.format(hints=hints, sums=sums) + SEEN.format(said=said)
    return Report(Ending.EXITED, at(0), at(0.1), 0, text)


@pytest.mark.parametrize("end", [END_15, END_12])
def test_the_end_of_the_log_and_the_commits_in_it_are_read(end: str) -> None:
    found = parse_returned(told(end))
    assert found is not None
    assert (found.timeline, found.commits, found.end) == (1, 4, 0x3002338)
    assert found.first.startswith("2026-11-30 08:03:44")
    assert found.can_be_rewound
    assert not found.has_no_more


def test_a_log_that_was_not_read_to_its_end_counts_nothing() -> None:
    """Too few commits would be a loss told too small."""
    gone = 'pg_waldump: error: could not find file "000000010000000000000003": No such file'
    for said in (gone, "", "pg_waldump: error: could not find any WAL file"):
        found = parse_returned(told(said))
        assert found is not None
        assert found.commits is None


def test_a_log_that_ends_at_the_fork_has_nothing_more() -> None:
    found = parse_returned(told("pg_waldump: error: could not find a valid record after 0/3002198"))
    assert found is not None
    assert found.has_no_more


def test_checksums_or_hints_are_needed_for_rewinding() -> None:
    neither = parse_returned(told(END_15, hints="off"))
    sums = parse_returned(told(END_15, hints="off", sums="1"))
    assert neither is not None
    assert sums is not None
    assert (neither.can_be_rewound, sums.can_be_rewound) == (False, True)


def test_what_is_no_answer_is_none() -> None:
    assert parse_returned(Report(Ending.TIMED_OUT, at(0), at(60))) is None
    assert parse_returned(Report(Ending.EXITED, at(0), at(1), 0, "no control file\n")) is None
    assert parse_returned(Report(Ending.EXITED, at(0), at(1), 1, CONTROL)) is None


@pytest.mark.parametrize(
    ("said", "means"),
    [
        (
            (
                'psql: error: connection to server at "10.1.0.4", port 5432 failed: FATAL:  '
                'password authentication failed for user "hamnd_replication"'
            ),
            "the password of role hamnd_replication is refused",
        ),
        ("fe_sendauth: no password supplied", "the passfile has no line"),
        (
            (
                'FATAL:  no pg_hba.conf entry for replication connection from host "10.1.0.3", '
                'user "hamnd_replication", no encryption'
            ),
            "lets nobody in as hamnd_replication from 10.1.0.3",
        ),
        (
            (
                "FATAL:  requested timeline 3 does not contain minimum recovery point 0/5000000 on "
                "timeline 2"
            ),
            "timeline 3 is unknown here",
        ),
        (
            (
                "LOG:  new timeline 2 forked off current database system timeline 1 before current "
                "recovery point 0/3000148"
            ),
            "more of timeline 1",
        ),
        ('ERROR:  replication slot "hamnd_mn2" does not exist', "slot hamnd_mn2 is gone"),
        (
            (
                "FATAL:  could not receive data from WAL stream: ERROR:  requested WAL segment "
                "000000010000000000000007 has already been removed"
            ),
            "it needs a new copy",
        ),
        (
            (
                'psql: error: connection to server on socket "/run/postgresql/.s.PGSQL.5432" '
                "failed: Resource temporarily unavailable"
            ),
            "it hangs, or is overrun",
        ),
        ("psql: error: could not connect to server: Permission denied", "may not be entered"),
        ('PANIC:  could not write to file "pg_wal/xlogtemp.7": No space left on device', "full"),
    ],
)
def test_a_message_becomes_what_an_administrator_can_do(said: str, means: str) -> None:
    assert means in (plainly(said) or "")


def test_other_messages_are_left_as_they_are() -> None:
    assert plainly("ERROR:  division by zero") is None
    assert grant_for("ERROR:  division by zero") is None


def test_a_missing_privilege_names_its_grant() -> None:
    function = "ERROR:  permission denied for function pg_promote"
    assert (grant_for(function) or "").startswith("GRANT EXECUTE ON FUNCTION pg_promote")
    assert "pg_monitor" in (grant_for("ERROR: permission denied for view pg_stat_wal") or "")
    assert "superuser" in (grant_for("ERROR:  must be superuser to do CHECKPOINT") or "")
