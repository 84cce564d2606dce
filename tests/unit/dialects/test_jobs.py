"""Crontabs, timers and processes: read whole, or not known."""

import subprocess
from pathlib import Path

import pytest

from hamnd.dialects import jobs
from hamnd.dialects.cron import Names
from hamnd.dialects.jobs import TimedService
from hamnd.dialects.readers import read_action, read_look
from hamnd.model.names import Verdict
from hamnd.model.work import Action, Ending, Exec, Look, Looked, MarkedLine, Report
from tests.builders import site
from tests.unit.dialects.reports import ended, exited

PULL = "0 2 * * * rsync -az aixmn1:/install /\n"
QUIET = "MAILTO=root\n0 6 * * * /usr/lib/sa/sa2 -A\n"
NONE = exited(1, stderr="no crontab for root\n")
DENIED = exited(1, stderr="You (xcatdb) are not allowed to use this program (crontab)\n")

# systemctl show of systemd 252, two services that timers start.
TIMERS = (
    "Id=xcat-pull.service\nTriggeredBy=xcat-pull.timer\n"
    "ExecStart={ path=/usr/bin/rsync ; argv[]=/usr/bin/rsync -az aixmn1:/install / ; "
    "ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }\n"
    "\n"
    "Id=logrotate.service\nTriggeredBy=logrotate.timer\n"
    "ExecStart={ path=/usr/sbin/logrotate ; argv[]=/usr/sbin/logrotate /etc/logrotate.conf ; "
    "ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }\n"
)


def look(asked: Look, report: Report) -> Verdict:
    return read_look(Looked(asked, report)).verdict


@pytest.mark.parametrize(
    ("report", "text"),
    [
        (exited(0, PULL), PULL),
        (exited(0, ""), ""),
        (NONE, ""),
        (exited(1, stderr="no crontab for xcatdb\n"), ""),
        (DENIED, None),
        (exited(0, PULL, truncated=True), None),
        (ended(Ending.TIMED_OUT), None),
        (ended(Ending.COULD_NOT_RUN), None),
    ],
)
def test_a_crontab_is_read_whole_or_not_known(report: Report, text: str | None) -> None:
    assert jobs.parse_crontab(report) == text
    readable = Verdict.PASS if text is not None else Verdict.UNKNOWN
    assert look(jobs.crontab(site()), report) is readable


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (exited(0, QUIET + PULL), Verdict.BLOCK),
        (exited(0, QUIET), Verdict.PASS),
        (exited(0, "#hamnd-fuse# " + PULL), Verdict.PASS),
        (NONE, Verdict.PASS),
        (DENIED, Verdict.UNKNOWN),
    ],
)
def test_a_crontab_with_a_pull_from_the_primary_is_not_harmless(
    report: Report, verdict: Verdict
) -> None:
    assert look(jobs.crontab_harmless(site(), "xcatdb"), report) is verdict


def test_the_dangerous_line_is_shown() -> None:
    asked = jobs.crontab_harmless(site(), None)

    assert PULL.strip() in read_look(Looked(asked, exited(0, QUIET + PULL))).sentence


def test_a_crontab_that_somebody_edited_is_not_overwritten() -> None:
    edit = jobs.disarm_crontab(site(), None, PULL)
    assert edit is not None
    asked = jobs.crontab_is(site(), None, edit)

    assert look(asked, exited(0, PULL)) is Verdict.PASS
    assert look(asked, exited(0, "#hamnd-fuse# " + PULL)) is Verdict.PASS
    assert look(asked, exited(0, PULL + QUIET)) is Verdict.BLOCK
    assert look(asked, NONE) is Verdict.BLOCK
    assert look(asked, DENIED) is Verdict.UNKNOWN


def test_an_edit_names_the_crontab_and_the_lines_and_carries_no_text() -> None:
    secret = "0 2 * * * RSYNC_PASSWORD=hunter2 rsync -az aixmn1:/install /\n"
    edit = jobs.disarm_crontab(site(), "xcatdb", QUIET + secret)

    assert edit is not None
    assert edit.tells == ("crontab", "-u", "xcatdb", "-l")
    assert edit.takes == ("crontab", "-u", "xcatdb", "-")
    assert edit.lines == (
        MarkedLine(3, "0 2 * * * RSYNC_PASSWORD=*** rsync -az aixmn1:/install /"),
    )
    assert "hunter2" not in repr(edit)
    assert read_action(Action(edit), exited(0)).verdict is Verdict.PASS
    assert read_action(Action(edit), exited(1)).verdict is Verdict.BLOCK


def test_no_sentence_about_jobs_tells_a_secret() -> None:
    here, secret = site(), "RSYNC_PASSWORD=hunter2 rsync -az a:hunter2@aixmn1:/install / "
    line = f"sh -c '{secret} && pg_restore -phunter2 /t'"
    told = [
        (jobs.crontab_harmless(here, None), f"0 2 * * * {line}\n"),
        (jobs.cron_files_harmless(here), f"/etc/cron.d/x:0 2 * * * root {line}\n"),
        (jobs.timers_harmless(here), f"Id=p.service\nExecStart={{ argv[]={line} ; x }}\n"),
        (jobs.nothing_writes(here), "  901 pg_restore --password hunter2 -c /t\n"),
    ]
    for asked, text in told:
        reading = read_look(Looked(asked, exited(0, text)))
        assert reading.verdict is Verdict.BLOCK
        assert "pg_restore" in reading.sentence
        assert "hunter2" not in reading.sentence
        for cut in (exited(0, text, truncated=True), exited(2, text)):
            reading = read_look(Looked(asked, cut))
            assert reading.verdict is Verdict.UNKNOWN
            assert "hunter2" not in reading.sentence


def test_a_crontab_that_hamnd_does_not_rewrite_says_why() -> None:
    asked = jobs.crontab_harmless(site(), None)

    assert "UTF-8" in read_look(Looked(asked, exited(0, PULL + "# \ufffd\n"))).sentence
    assert look(asked, exited(0, QUIET + "# \ufffd\n")) is Verdict.PASS


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (exited(0, "/etc/crontab:17 * * * * root run-parts /etc/cron.hourly\n"), Verdict.PASS),
        (exited(0, ""), Verdict.PASS),
        (exited(0, "/etc/cron.d/xcat:0 2 * * * root rsync -az aixmn1:/install /\n"), Verdict.BLOCK),
        (exited(2, stderr="grep: /etc/crontab: Permission denied\n"), Verdict.UNKNOWN),
        (ended(Ending.TIMED_OUT), Verdict.UNKNOWN),
    ],
)
def test_the_files_of_cron_are_judged_with_their_user_field(
    report: Report, verdict: Verdict
) -> None:
    assert look(jobs.cron_files_harmless(site()), report) is verdict


def test_timers_are_read_with_what_they_start() -> None:
    services = jobs.parse_timers(exited(0, TIMERS))

    assert services == (
        TimedService("xcat-pull.service", ("xcat-pull.timer",),
                     "/usr/bin/rsync -az aixmn1:/install /"),
        TimedService("logrotate.service", ("logrotate.timer",),
                     "/usr/sbin/logrotate /etc/logrotate.conf"),
    )  # fmt: skip
    assert [one.service for one in jobs.dangerous_services(services, Names.of(site()))] == [
        "xcat-pull.service"
    ]


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (exited(0, TIMERS), Verdict.BLOCK),
        (exited(0, TIMERS.replace("aixmn1:/install /", "/install aixmn1:/")), Verdict.PASS),
        (exited(0, ""), Verdict.PASS),
        (
            exited(2, stderr="System has not been booted with systemd as init system\n"),
            Verdict.UNKNOWN,
        ),
        (exited(0, TIMERS, truncated=True), Verdict.UNKNOWN),
        (ended(Ending.LOST), Verdict.UNKNOWN),
    ],
)
def test_a_timer_that_pulls_from_the_primary_is_not_harmless(
    report: Report, verdict: Verdict
) -> None:
    assert look(jobs.timers_harmless(site()), report) is verdict


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (exited(0, "    1 /sbin/init\n  812 /usr/sbin/crond -n\n"), Verdict.PASS),
        (
            exited(0, "    1 /sbin/init\n  900 rsync --server -logDtpre.iLsfxC . /install\n"),
            Verdict.BLOCK,
        ),
        (exited(0, "  901 pg_restore -c -d xcatdb /tmp/xcatdb.tar\n"), Verdict.BLOCK),
        (exited(0, ""), Verdict.UNKNOWN),
        (exited(1, stderr="error: unsupported option\n"), Verdict.UNKNOWN),
        (ended(Ending.TIMED_OUT), Verdict.UNKNOWN),
    ],
)
def test_a_running_restore_or_incoming_copy_is_seen(report: Report, verdict: Verdict) -> None:
    assert look(jobs.nothing_writes(site()), report) is verdict


def test_the_process_is_named_so_that_it_can_be_ended() -> None:
    asked = jobs.nothing_writes(site())

    said = read_look(Looked(asked, exited(0, "  901 pg_restore -c -d xcatdb /t\n"))).sentence
    assert "process 901" in said


# --- the scripts themselves, in a real sh --------------------------------------------------


def run(asked: Look, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert isinstance(asked.request, Exec)
    argv = (*asked.request.argv[:4], *arguments) if arguments else asked.request.argv
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)


def test_the_timers_script_asks_systemctl_about_each_service_once(tmp_path: Path) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(
        "#!/bin/sh\nif [ $1 = list-timers ]; then\n"
        'echo "Mon 2026-11-23 00:00:00 UTC 11h left - - logrotate.timer logrotate.service"\n'
        'echo "Mon 2026-11-23 02:00:00 UTC 13h left - - pull.timer pull.service"\n'
        'echo "Mon 2026-11-23 03:00:00 UTC 14h left - - pull-too.timer pull.service"\n'
        'else shift 3; echo "asked: $*"; fi\n'
    )
    systemctl.chmod(0o755)

    done = run(jobs.timers(site()), str(systemctl))

    assert (done.returncode, done.stdout) == (
        0,
        "asked: logrotate.service logrotate.timer pull-too.timer pull.service pull.timer\n",
    )


def test_the_timers_script_is_silent_without_timers_and_fails_without_systemd(
    tmp_path: Path,
) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text("#!/bin/sh\nexit 0\n")
    systemctl.chmod(0o755)
    none = run(jobs.timers(site()), str(systemctl))
    systemctl.write_text("#!/bin/sh\necho 'not been booted with systemd' >&2\nexit 1\n")
    failed = run(jobs.timers(site()), str(systemctl))

    assert (none.returncode, none.stdout) == (0, "")
    assert failed.returncode == 2
    assert jobs.parse_timers(exited(failed.returncode, failed.stdout)) is None


def test_the_cron_files_of_this_very_machine_can_be_read() -> None:
    done = run(jobs.cron_files_harmless(site()))

    assert done.returncode == 0
    assert all(line.startswith("/etc/cron") for line in done.stdout.splitlines())
