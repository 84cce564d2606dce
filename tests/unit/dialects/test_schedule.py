"""Schedules: what crontab(5) takes is read alike, what it refuses is refused with its field."""

from __future__ import annotations

import pytest

from hamnd.dialects.schedule import NoSchedule, Schedule, longest_pause_s, parse_schedule


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


@pytest.mark.parametrize(
    ("text", "pause_s"),
    [
        ("*/5 * * * *", 300),
        ("*/10 * * * * *", 60),
        ("0 * * * *", 3600),
        ("0,50 * * * *", 3000),
        ("0 3 * * *", 86_400),
        ("0 8-18/2 * * mon-fri", 62 * 3600),
        ("0 3 * * sun", 604_800),
        ("0 3 1 * *", None),
    ],
)
def test_the_longest_pause_of_a_schedule(text: str, pause_s: int | None) -> None:
    assert longest_pause_s(parse_schedule(text)) == pause_s
