"""Schedules: what crontab(5) takes is read alike, what it refuses is refused with its field."""

from __future__ import annotations

import pytest

from hamnd.dialects.schedule import NoSchedule, Schedule, parse_schedule


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("*/5 * * * *", Schedule("0", "0-59/5", "*", "*", "*", "*")),
        ("*/10 * * * * *", Schedule("0-59/10", "*", "*", "*", "*", "*")),
        ("0 3 1,15 jan-mar *", Schedule("0", "0", "3", "1,15", "1-3", "*")),
        ("30 2 * * 0", Schedule("0", "30", "2", "*", "*", "sun")),
        ("30 2 * * 7", Schedule("0", "30", "2", "*", "*", "sun")),
        ("0 1 * * 1-5", Schedule("0", "0", "1", "*", "*", "mon,tue,wed,thu,fri")),
        ("0 1 * * Mon,Sat", Schedule("0", "0", "1", "*", "*", "mon,sat")),
        ("10/20 * * * *", Schedule("0", "10-59/20", "*", "*", "*", "*")),
    ],
)
def test_a_schedule_means_what_cron_means_by_it(text: str, read: Schedule) -> None:
    assert parse_schedule(text) == read


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "0 fields"),
        ("* * * *", "4 fields"),
        ("60 * * * *", '"60" as minute'),
        ("* 24 * * *", '"24" as hour'),
        ("* * 0 * *", '"0" as day'),
        ("* * * 13 *", '"13" as month'),
        ("* * * * 8", '"8" as weekday'),
        ("* * * * fun", '"fun" as weekday'),
        ("5-1 * * * *", '"5-1" as minute'),
        ("*/0 * * * *", "no such step"),
        ("@daily", "1 fields"),
        ("1,,2 * * * *", '"" as minute'),
        ("*-5 * * * *", '"*-5" as minute'),
        ("0 1 13 * 5", "either"),
    ],
)
def test_what_is_no_schedule_says_which_field(text: str, why: str) -> None:
    with pytest.raises(NoSchedule, match=why.replace("*", r"\*")):
        parse_schedule(text)
