"""Engines that copy: what is proven to be here, what is lost, and what may be promoted.

The story: copy 3 was asked for at 0, and taken then on the primary's clock, which is 100 s ahead.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from hamnd.core.health.conditions import judge_conditions
from hamnd.core.health.watch import Watch, fold_replication
from hamnd.core.readiness import judge_protected
from hamnd.core.replication import (
    Death,
    Examination,
    LossQuestion,
    PartnerDatabase,
    Way,
    dump,
    shared_disk,
    sqlite,
)
from hamnd.core.replication.copies import judge_loss, judge_promotion
from hamnd.dialects.readers import READERS
from hamnd.model.health import Replication
from hamnd.model.names import FenceGrade, LossVerdict, State, Status, Verdict
from hamnd.model.shared_disk import SharedDiskSite, SharedFilesystem
from hamnd.model.site import SqliteSite
from hamnd.model.work import Ending, Report
from tests.unit.core.builders import WALL, at, report, site, terms

SITE = site(engine="sqlite", sqlite=SqliteSite(stale_after_s=60.0))
TERMS = terms(SITE)
AHEAD = 100.0
TABLES = ("mac.sqlite", "nodelist.sqlite", "site.sqlite")
OLD = WALL + AHEAD - 500


def copy_json(**changes: Any) -> dict[str, Any]:
    told = {
        "number": 3,
        "asked_at": WALL,
        "items": {name: [8192, "0" * 64] for name in TABLES},
        "head": {"taken": f"{WALL + AHEAD:.3f}", "snapshot": "set", "how": "python3"},
    }
    return told | changes


def store(sent: float, role: str = "", **changes: Any) -> Report:
    told = {
        "schema": "hamnd.copies/1",
        "role": role,
        "live": [],
        "copy": copy_json(),
        "damaged": [],
        "count": 3,
    }
    return report(sent=sent, stdout=json.dumps(told | changes))


def word(
    sent: float, *files: tuple[str, float], now: float | None = None, role: str = ""
) -> Report:
    """The primary's word, asked at `sent`; its tables are old but for `files`."""
    written = dict.fromkeys(TABLES, OLD) | dict(files)
    moment = WALL + AHEAD + sent if now is None else now
    lines = ["hamnd-look 1", f"now {moment:.0f}", *([f"role {role}"] if role else [])]
    lines += [f"file {moment_:.0f} 8192 {name}" for name, moment_ in written.items()]
    return report(sent=sent, stdout="\n".join([*lines, "end"]) + "\n")


def view(here: Report, there: Report | None = None) -> Replication:
    reports = {sqlite.TOPIC: here} | ({} if there is None else {sqlite.PARTNER_TOPIC: there})
    return sqlite.ENGINE.view(TERMS, reports)


# ---- view --------------------------------------------------------------------------------------
def test_a_young_copy_protects_and_has_everything_up_to_when_it_was_asked_for() -> None:
    seen = view(store(30.0))
    assert (seen.role, seen.state, seen.is_protecting) == ("standby", "copied", True)
    assert seen.verified_at == WALL
    assert seen.summary == "copy 3, 3 tables"


def test_a_primary_that_wrote_nothing_since_makes_the_copy_as_young_as_its_word() -> None:
    seen = view(store(500.0), word(499.0))
    assert seen.verified_at == WALL + 499.0
    assert seen.state == "copied"
    assert seen.summary.endswith("; nothing changed since")


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        (("mac.sqlite", WALL + AHEAD + 1), "mac"),
        (("mac.sqlite", WALL + AHEAD - 1), "mac"),
        (("mac.sqlite-wal", WALL + AHEAD + 1), "mac"),
        (("mac.sqlite-journal", OLD), "mac"),
        (("new.sqlite", OLD), "new"),
    ],
)
def test_whatever_may_have_been_written_since_leaves_the_copy_as_old_as_it_is(
    file: tuple[str, float], changed: str
) -> None:
    """Also right before it, in whole seconds; a journal is a transaction under way."""
    seen = view(store(500.0), word(499.0, file))
    assert seen.verified_at == WALL
    assert (seen.state, seen.is_protecting) == ("stale", False)
    assert seen.summary.endswith(f"since then {changed} changed")


@pytest.mark.parametrize("now", [WALL + AHEAD + 300, WALL + AHEAD + 700, WALL + AHEAD - 1])
def test_a_primary_whose_clock_was_set_proves_nothing_by_its_file_times(now: float) -> None:
    assert view(store(500.0), word(499.0, now=now)).verified_at == WALL


def test_the_word_of_a_standby_says_nothing_of_what_the_primary_wrote() -> None:
    assert view(store(500.0), word(499.0, role="standby kept copy-3")).verified_at == WALL


def test_without_a_copy_nothing_protects_and_damage_is_told() -> None:
    seen = view(store(1.0, copy=None, damaged=["copy 3: mac.sqlite is not what was verified"]))
    assert (seen.state, seen.is_protecting, seen.verified_at) == ("none", False, None)
    assert seen.problems == ("not used any more: copy 3: mac.sqlite is not what was verified",)


@pytest.mark.parametrize("text", ["", "{}", '{"schema": "hamnd.copies/1"}', "Traceback"])
def test_half_an_answer_tells_nothing(text: str) -> None:
    seen = view(report(sent=1.0, stdout=text))
    assert (seen.role, seen.state) == (None, None)
    assert judge_promotion(question(seen), "copy:sqlite").verdict is Verdict.UNKNOWN


def test_the_node_with_the_primarys_tables_is_primary_and_its_standbys_copy_protects_it() -> None:
    there = word(1.0, role="standby kept copy-3")
    text = f"copy 9 {json.dumps(copy_json(asked_at=WALL - 10))}\nend"
    there = replace(there, stdout=there.stdout.replace("end", text))
    seen = view(store(2.0, role="primary copy 3 taken 1"), there)
    assert (seen.role, seen.state, seen.is_protecting) == ("primary", "copied", True)
    assert seen.promoted is not None
    assert seen.promoted.number == 3
    assert view(store(2.0, role="primary copy 3 taken 1")).state == "alone"


def test_a_copy_that_arrives_is_a_sign_of_life_and_none_is_no_link_lost() -> None:
    watch = fold_replication(Watch(), view(store(1.0)), at(1.0))
    later = view(store(6.0, copy=copy_json(number=4, asked_at=WALL + 5)))
    assert fold_replication(watch, later, at(6.0)).progress == view(store(1.0)).observed
    assert fold_replication(watch, view(store(6.0)), at(6.0)).progress is None


@pytest.mark.parametrize(
    ("age", "status"), [(59.0, Status.TRUE), (61.0, Status.FALSE)], ids=["young", "old"]
)
def test_the_gap_of_what_is_copied_is_its_age(age: float, status: Status) -> None:
    watch = Watch(replication=view(store(1.0)))
    gap = next(
        one for one in judge_conditions(watch, at(age), TERMS) if one.type == "ReplicationGap"
    )
    assert gap.status is status


# ---- loss --------------------------------------------------------------------------------------
def question(
    seen: Replication | None,
    grade: FenceGrade = FenceGrade.NONE,
    off: float | None = None,
    serving: bool = False,
    watched: bool = True,
) -> LossQuestion:
    moment = None if off is None else WALL + off
    death = Death(moment, grade, None, watched)
    return LossQuestion(seen, None, None, death, None, serving, WALL + 60.0)


def test_only_a_proven_end_bounds_what_is_lost() -> None:
    seen = view(store(1.0))
    loss = judge_loss(question(seen, FenceGrade.POWER_OFF, 40.0))
    assert (loss.verdict, loss.seconds) == (LossVerdict.BOUNDED, 40.0)
    for one in (
        question(seen),
        question(seen, FenceGrade.WITNESSES, 40.0),
        question(seen, FenceGrade.POWER_OFF, 40.0, watched=False),
        question(seen, FenceGrade.POWER_OFF, 40.0, serving=True),
        question(None),
        question(view(store(1.0, copy=None)), FenceGrade.POWER_OFF, 40.0),
    ):
        assert judge_loss(one).verdict is LossVerdict.UNKNOWN


def test_there_is_nothing_to_promote_without_a_copy() -> None:
    none = judge_promotion(question(view(store(1.0, copy=None))), "copy:sqlite")
    assert none.verdict is Verdict.BLOCK
    assert "Scheduled/copy:sqlite" in none.clear
    assert judge_promotion(question(view(store(1.0))), "x").variant == "accepted-force"


# ---- partner, examination ------------------------------------------------------------------------
def test_a_directory_without_tables_is_a_failure_and_a_broken_line_is_none() -> None:
    before = PartnerDatabase(True, "primary")
    gone = report(exit_code=1, stderr="no *.sqlite tables in /etc/xcat")
    assert sqlite.ENGINE.partner(TERMS, gone, before).is_good is False
    for lost in (report(Ending.TIMED_OUT), report(exit_code=255), report(exit_code=127)):
        assert sqlite.ENGINE.partner(TERMS, lost, before) == before


def test_an_answer_that_cannot_be_read_is_no_failure_of_the_primary() -> None:
    """It would count as down after eight seconds, and a takeover be offered (law 2)."""
    before = PartnerDatabase(True, "primary")
    whole = word(1.0)
    for half in ("", whole.stdout.replace("end\n", ""), whole.stdout.replace("now ", "now x")):
        told = sqlite.ENGINE.partner(TERMS, replace(whole, stdout=half), before)
        assert (told.is_good, told.failing_since) == (None, None)
    told = sqlite.ENGINE.partner(TERMS, report(exit_code=2, stderr="sh: Cannot fork"), before)
    assert (told.is_good, told.failing_since) == (None, None)
    for copy in ("copy 5.damaged {}\nend", "copy 5 {half\nend"):
        text = whole.stdout.replace("end", copy)
        told = sqlite.ENGINE.partner(TERMS, replace(whole, stdout=text), before)
        assert (told.is_good, told.role) == (True, "primary")


def test_tables_and_dumps_are_served_by_xcatd_alone_and_a_mounted_disk_is_not() -> None:
    nothing = PartnerDatabase()
    told = sqlite.ENGINE.partner(TERMS, word(1.0), nothing)
    assert (told.is_good, told.needs_xcatd) == (True, True)
    told = dump.ENGINE.partner(DUMPS, databases(1.0), nothing)
    assert (told.is_good, told.needs_xcatd) == (True, True)
    assert shared_disk.ENGINE.partner(DISK, disk("rw"), nothing).needs_xcatd is False


@pytest.mark.parametrize(
    ("files", "starts"),
    [
        ((), "zero: no table there was written"),
        ((("mac.sqlite", WALL + AHEAD + 7),), "at most what was written to mac in the 7 s after"),
    ],
)
def test_the_returned_primarys_file_times_tell_the_actual_loss(
    files: tuple[tuple[str, float], ...], starts: str
) -> None:
    ours = view(store(9.0, role="primary copy 3 taken 1"))
    reports = {sqlite.RETURNED_TOPIC: word(9.0, *files)}
    found = sqlite.ENGINE.examine(TERMS, Examination(None, PartnerDatabase(), ours, reports))
    assert found.actual is not None
    assert found.actual.startswith(starts)
    assert found.rejoin is not None
    assert (found.rejoin.way, found.rejoin.kept_as) == (Way.RESEED, "copy-3")


# ---- dumps ---------------------------------------------------------------------------------------
DUMPS = terms(site(engine="dump"))
COMMENT = f"hamnd copy 3 asked {WALL:.3f} taken {WALL:.0f} tables 71 mark 0/50"


def databases(sent: float, **changes: Any) -> Report:
    told = {
        "dumps": 1,
        "now": WALL,
        "in_recovery": False,
        "has_live": True,
        "live": None,
        "restored": COMMENT,
        "mark": "0/50",
        "lacks": "",
    }
    return report(sent=sent, stdout=json.dumps(told | changes))


@pytest.mark.parametrize(
    ("changes", "verdict", "said"),
    [
        ({}, Verdict.PASS, "copy 3 is restored"),
        ({"lacks": "GRANT xcatadm TO hamnd"}, Verdict.BLOCK, "databases: GRANT xcatadm TO hamnd"),
        ({"lacks": None}, Verdict.UNKNOWN, "unreadable"),
        ({"restored": None}, Verdict.BLOCK, "no restored copy"),
    ],
)
def test_a_role_that_cannot_rename_is_told_by_day(
    changes: dict[str, Any], verdict: Verdict, said: str
) -> None:
    reading = READERS["dump.restored"](databases(1.0, **changes), ())
    assert (reading.verdict, said in reading.sentence) == (verdict, True)


@pytest.mark.parametrize(("mark", "verified"), [("0/50", 40.0), ("0/58", 0.0), (None, 0.0)])
def test_a_dump_is_as_young_as_a_log_that_has_not_grown(mark: str | None, verified: float) -> None:
    reports = {
        dump.TOPIC: databases(41.0),
        dump.PARTNER_TOPIC: databases(40.0, restored=None, mark=mark),
    }
    seen = dump.ENGINE.view(DUMPS, reports)
    assert (seen.role, seen.state) == ("standby", "copied")
    assert seen.verified_at == WALL + verified


def test_only_what_is_restored_counts_and_a_comment_of_others_is_none() -> None:
    for told in (None, "a comment of the DBA", "hamnd copy x"):
        seen = dump.ENGINE.view(DUMPS, {dump.TOPIC: databases(1.0, restored=told)})
        assert seen.state == "none"


def test_a_restored_copy_that_has_the_live_name_was_promoted_by_hand() -> None:
    seen = dump.ENGINE.view(DUMPS, {dump.TOPIC: databases(1.0, live=COMMENT, restored=None)})
    assert seen.role == "primary"
    assert seen.promoted is not None
    assert seen.promoted.number == 3


@pytest.mark.parametrize(
    ("said", "helps"),
    [
        (
            "pg_dump: error: query failed: ERROR:  permission denied for table lab_rows",
            "GRANT pg_read_all_data",
        ),
        ("ERROR:  permission denied to create database", "CREATEDB"),
        ('ERROR:  must be member of role "xcatadm"', "GRANT xcatadm TO that role"),
        ('ERROR:  must be able to SET ROLE "xcatadm"', "GRANT xcatadm TO that role"),
        ('ERROR:  could not extend file "base/5/1": No space left on device', "its disk is full"),
        (
            'psql: error: FATAL:  password authentication failed for user "postgres"',
            "the password of role postgres is refused",
        ),
    ],
)
def test_what_keeps_a_dump_from_coming_is_told_with_what_helps(said: str, helps: str) -> None:
    reading = READERS["dump.pulled"](report(exit_code=1, stderr=f"{said}\n"), ())
    assert reading.verdict is Verdict.BLOCK
    assert reading.sentence.startswith(said)
    assert helps in reading.sentence


def test_the_disk_of_hamnd_itself_is_not_taken_for_the_servers() -> None:
    said = "/var/lib/hamnd/dump/incoming.7/stream.tar: No space left on device"
    reading = READERS["dump.pulled"](report(exit_code=1, stderr=f"{said}\n"), ())
    assert reading.sentence == said


def test_a_standby_without_its_server_has_nothing_to_promote() -> None:
    down = report(
        exit_code=2, stderr="psql: error: connection to server failed: Connection refused"
    )
    seen = dump.ENGINE.view(DUMPS, {dump.TOPIC: down})
    assert (seen.role, seen.is_database_up, seen.is_protecting) == (None, False, False)


def test_how_far_the_old_log_went_on_is_the_bound_of_the_loss() -> None:
    live = COMMENT.replace("hamnd copy", "hamnd primary copy")
    ours = dump.ENGINE.view(DUMPS, {dump.TOPIC: databases(1.0, live=live, restored=None)})
    assert ours.role == "primary"
    for mark, starts in (("0/50", "zero: "), ("0/58", "at most what is in 8 B of its log")):
        reports = {dump.RETURNED_TOPIC: databases(2.0, restored=None, mark=mark)}
        found = dump.ENGINE.examine(DUMPS, Examination(None, PartnerDatabase(), ours, reports))
        assert found.actual is not None
        assert found.actual.startswith(starts)


# ---- shared disk ---------------------------------------------------------------------------------
PLAIN = SharedDiskSite(filesystems=(SharedFilesystem("/dev/sdx", "/etc/xcat"),))
CHECKED = replace(PLAIN, reservation_check=("mine",))
DISK = terms(site(engine="shared_disk", shared_disk=PLAIN))


def disk(*lines: str, sent: float = 1.0) -> Report:
    return report(sent=sent, stdout="\n".join(["hamnd-disk 1", *lines, "end"]) + "\n")


def disk_view(*lines: str, reserved: int | None = None) -> Replication:
    reports = {shared_disk.TOPIC: disk(*lines)}
    if reserved is not None:
        reports[shared_disk.RESERVED_TOPIC] = report(sent=1.0, exit_code=reserved)
    return shared_disk.ENGINE.view(DISK, reports)


@pytest.mark.parametrize(
    ("lines", "role", "state"),
    [
        (("disk no yes /etc/xcat",), "standby", "visible"),
        (("disk no no /etc/xcat",), "standby", "unseen"),
        (("group missing", "disk no yes /etc/xcat"), "standby", "unseen"),
        (("disk rw yes /etc/xcat",), "primary", "mounted"),
        (("disk ro yes /etc/xcat",), None, "partly"),
        (("disk rw yes /a", "disk no yes /b"), None, "partly"),
        ((), None, None),
    ],
)
def test_who_has_the_disk_is_seen_from_its_mounts(
    lines: tuple[str, ...], role: str | None, state: str | None
) -> None:
    seen = disk_view(*lines)
    assert (seen.role, seen.state) == (role, state)
    assert seen.is_protecting is (state == "visible")


@pytest.mark.parametrize(
    ("there", "asked", "is_backed"),
    [
        (("disk no yes /etc/xcat",), 0.0, True),
        (("disk no no /etc/xcat",), 0.0, False),
        (("disk ro yes /etc/xcat",), 0.0, False),
        (("disk rw yes /etc/xcat",), 0.0, False),
        (("disk no yes /etc/xcat", "boot /etc/xcat"), 0.0, False),
        (("disk no yes /etc/xcat",), -60.0, False),
        (None, 0.0, False),
    ],
    ids=["sees it", "unseen", "read only", "two writers", "at boot", "long ago", "never asked"],
)
def test_who_has_the_disk_is_protected_by_a_partner_that_could_mount_it_now(
    there: tuple[str, ...] | None, asked: float, is_backed: bool
) -> None:
    reports = {shared_disk.TOPIC: disk("disk rw yes /etc/xcat")}
    if there is not None:
        reports[shared_disk.PARTNER_TOPIC] = disk(*there, sent=asked)
    seen = shared_disk.ENGINE.view(DISK, reports)
    assert (seen.role, seen.is_protecting) == ("primary", is_backed)
    for is_out, status in ((False, is_backed), (True, False)):
        told = judge_protected(State.ACTIVE, seen, is_out)
        assert told is (Status.TRUE if status else Status.FALSE)


@pytest.mark.parametrize("node", ["aixmn1", "aixmn2"])
def test_a_disk_that_either_node_mounts_at_boot_is_no_protection(node: str) -> None:
    """The one that was taken over from boots some day, and mounts what the other one writes to."""
    lines = ["disk no yes /etc/xcat"]
    here, there = disk(*lines), disk("disk rw yes /etc/xcat")
    report_ = disk(*lines, "boot /etc/xcat")
    if node == "aixmn2":
        here = report_
    else:
        there = report_
    seen = shared_disk.ENGINE.view(
        DISK, {shared_disk.TOPIC: here, shared_disk.PARTNER_TOPIC: there}
    )
    assert (seen.role, seen.state, seen.is_protecting) == ("standby", "visible", False)
    assert seen.problems[0].startswith(f"on {node} /etc/xcat is mounted at boot, whoever has it")
    assert "noauto" in seen.problems[0]
    peer = judge_conditions(fold_replication(Watch(), seen, at(1.0)), at(2.0), DISK)
    told = next(one for one in peer if one.type == "ReplicationPeer")
    assert (told.status, "noauto" in told.message) == (Status.FALSE, True)


@pytest.mark.parametrize(
    ("grade", "reserved", "verdict", "class_"),
    [
        (FenceGrade.POWER_OFF, None, LossVerdict.ZERO_PROVEN, "zero_proven"),
        (FenceGrade.NONE, 0, LossVerdict.ZERO_PROVEN, "zero_proven"),
        (FenceGrade.AGENT_OFF, None, LossVerdict.UNKNOWN, "entire-database"),
        (FenceGrade.OPERATOR, 1, LossVerdict.UNKNOWN, "entire-database"),
    ],
)
def test_the_disk_is_only_safe_where_nobody_else_can_write(
    grade: FenceGrade, reserved: int | None, verdict: LossVerdict, class_: str
) -> None:
    asked = question(disk_view("disk no yes /etc/xcat", reserved=reserved), grade, 1.0)
    loss = shared_disk.ENGINE.loss(DISK, asked)
    assert (loss.verdict, loss.class_) == (verdict, class_)
    promotion = shared_disk.ENGINE.promotion(DISK, asked, loss)
    wanted = "force-after-proof" if verdict is LossVerdict.ZERO_PROVEN else "accepted-force"
    assert promotion.variant == wanted


def test_the_management_node_takes_its_own_disk_again_beside_a_standby_that_says_so_itself() -> (
    None
):
    """After a reboot: nobody was switched off, and nobody has it mounted."""
    asked = replace(question(disk_view("disk no yes /etc/xcat")), is_partner_standby=True)
    assert shared_disk.ENGINE.loss(DISK, asked).class_ == "entire-database"
    loss = shared_disk.ENGINE.loss(DISK, replace(asked, is_owner=True))
    assert loss.verdict is LossVerdict.ZERO_PROVEN
    promotion = shared_disk.ENGINE.promotion(DISK, replace(asked, is_owner=True), loss)
    assert (promotion.variant, promotion.verdict) == ("activate", Verdict.PASS)


def test_a_disk_of_which_only_a_part_could_be_mounted_can_be_mounted_whole() -> None:
    """The second file system needed fsck, and the run was concluded: its plan has a way on."""
    half = disk_view("disk rw yes /a", "disk no yes /b")
    asked = question(half, FenceGrade.POWER_OFF, 1.0)
    loss = shared_disk.ENGINE.loss(DISK, asked)
    assert loss.verdict is LossVerdict.ZERO_PROVEN
    assert shared_disk.ENGINE.promotion(DISK, asked, loss).variant == "force-after-proof"
    assert shared_disk.ENGINE.loss(DISK, question(half)).class_ == "entire-database"
    assert shared_disk.ENGINE.loss(DISK, question(disk_view())).class_ == "entire-database"
    unread = question(disk_view(), FenceGrade.POWER_OFF, 1.0)
    assert shared_disk.ENGINE.promotion(DISK, unread, loss).verdict is Verdict.UNKNOWN


def test_a_disk_that_this_node_does_not_see_cannot_be_taken() -> None:
    asked = question(disk_view("disk no no /etc/xcat"), FenceGrade.POWER_OFF, 1.0)
    loss = shared_disk.ENGINE.loss(DISK, asked)
    assert shared_disk.ENGINE.promotion(DISK, asked, loss).verdict is Verdict.BLOCK


def test_a_partner_that_cannot_tell_what_is_mounted_there_has_not_failed() -> None:
    """lsvg or /proc/mounts did not answer: for eight seconds of that nothing is taken over."""
    before = PartnerDatabase(True, "primary")
    mute = report(exit_code=1, stderr="what is mounted here cannot be told")
    told = shared_disk.ENGINE.partner(DISK, mute, before)
    assert (told.is_good, told.failing_since) == (None, None)
    assert "cannot be told" in told.detail
    assert shared_disk.ENGINE.partner(DISK, report(Ending.TIMED_OUT), before) == before
    free = shared_disk.ENGINE.partner(DISK, disk("disk no yes /etc/xcat"), before)
    assert (free.is_good, free.role) == (False, "standby")


def test_two_nodes_that_have_mounted_it_are_told_as_what_they_are() -> None:
    ours = disk_view("disk rw yes /etc/xcat")
    reports = {shared_disk.RETURNED_TOPIC: disk("disk rw yes /etc/xcat")}
    found = shared_disk.ENGINE.examine(DISK, Examination(None, PartnerDatabase(), ours, reports))
    assert found.rejoin is None
    assert "unmount it at once" in str(found.actual)
