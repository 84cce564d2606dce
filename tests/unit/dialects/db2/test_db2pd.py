"""What makes a db2pd text incomplete although every line of it looks plausible."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hamnd.dialects.db2.config import parse_db_cfg
from hamnd.dialects.db2.db2pd import parse_db2pd
from hamnd.dialects.db2.snapshot import parse_snapshot
from hamnd.model.hadr import HadrChannel, HadrReport, HadrRole, LogPosition, ParseVerdict
from hamnd.views.parsed import hadr_document

SAMPLES = Path(__file__).resolve().parents[3] / "samples" / "db2"


def sample(name: str, kind: str = "db2pd") -> str:
    return (SAMPLES / kind / f"{name}.txt").read_bytes().decode()


FIELDS = sample("11.5-primary-peer")
THREE = sample("11.1-primary-three-standbys")
COLUMNS = sample("9.7-standby-disconnected-peer")


def incomplete(text: str) -> HadrReport:
    report = parse_db2pd(text)
    assert report.verdict is ParseVerdict.INCOMPLETE
    assert report.problems
    return report


def only(report: HadrReport) -> HadrChannel:
    (channel,) = report.channels
    return channel


def test_the_contract_is_kept_to_the_letter() -> None:
    """The example of the contract (design §12), key order included."""
    log = {"file": "S0000002.LOG", "page": 66, "position": 262440605}
    channel: dict[str, object] = {
        "role": "primary",
        "state": "peer",
        "connect_status": "connected",
        "sync_mode": "nearsync",
        "standby_id": None,
        "log_stream_id": None,
        "flags": [],
        "connect_status_since": 1281011580,
        "timeout_s": 3,
        "heartbeat_interval_s": None,
        "heartbeats_missed": 0,
        "since_last_recv_s": None,
        "peer_window_s": 120,
        "peer_window_end": 1281016327,
        "local": {"host": "9.114.47.103", "service": "DB2_HADR_1"},
        "remote": {"host": "9.114.47.104", "service": "DB2_HADR_2", "instance": "xcatdb"},
        "primary_host": None,
        "standby_host": None,
        "reads_on_standby": None,
        "spool_percent": None,
        "primary_log": log,
        "standby_log": log,
        "standby_replay_log": None,
        "log_gap_bytes": 0,
        "log_gap_avg_bytes": 0,
        "replay_gap_bytes": None,
        "replay_gap_avg_bytes": None,
        "unknown_fields": {},
    }
    expected = {
        "schema": "hamnd.parse/1",
        "kind": "db2pd",
        "layout": "9.x",
        "verdict": "ok",
        "database": "XCATDB",
        "database_status": "Active",
        "uptime_s": 4631,
        "problems": [],
        "channels": [channel],
    }
    document = hadr_document(parse_db2pd(sample("9.x-contract-example")))
    assert json.dumps(document) == json.dumps(expected)


# --- fields ---------------------------------------------------------------------------------------


def test_a_field_outside_its_block_is_not_given_to_a_neighbour_in_silence() -> None:
    """Without its own role in front, a window end could be that of the block above."""
    assert parse_db2pd(THREE).verdict is ParseVerdict.OK
    first, second = THREE.split("\n\n", 3)[1:3]
    line = next(line for line in first.split("\n") if "PEER_WINDOW_END" in line)
    moved = THREE.replace(line + "\n", "", 1).replace("\n\n" + second, f"\n\n{line}\n{second}")
    report = incomplete(moved)
    assert report.channels[1].peer_window_end is None


@pytest.mark.parametrize(
    "damaged", ["hadr_flags", "HADR FLAGS", "HADR_FLAGS:", "HADR-FLAGS", "#HADR_FLAGS"]
)
def test_a_damaged_known_key_is_no_unknown_key(damaged: str) -> None:
    """A bad flag behind a mangled key must not read as "no flags"."""
    text = FIELDS.replace("HADR_FLAGS = TCP_PROTOCOL", f"{damaged} = STANDBY_LOG_DEVICE_FULL")
    assert only(incomplete(text)).flags == ()


def test_roles_that_differ_are_no_role() -> None:
    report = incomplete(THREE.replace("HADR_ROLE = PRIMARY", "HADR_ROLE = STANDBY", 1))
    assert {channel.role for channel in report.channels} == {None}


def test_a_channel_that_lost_its_role_is_not_blended_with_the_one_above() -> None:
    parts = THREE.split("                            HADR_ROLE = PRIMARY\n")
    report = incomplete(
        "                            HADR_ROLE = PRIMARY\n".join(parts[:3]) + parts[3]
    )
    assert report.channels[1] == HadrChannel(role=HadrRole.PRIMARY)


@pytest.mark.parametrize(
    "value",
    ["9" * 21, "9" * 5000, "-1", "1.5", "0x10", "1 2", "\u0663", "12\u00b3", "1,000", "1e3"],
)
def test_a_number_is_plain_or_nothing(value: str) -> None:
    text = FIELDS.replace("HADR_TIMEOUT(seconds) = 60", f"HADR_TIMEOUT(seconds) = {value}")
    assert only(incomplete(text)).timeout_s is None


@pytest.mark.parametrize(
    ("text", "epoch"),
    [
        ("03/14/2026 11:22:08.000000 (1773487328)", 1773487328),
        ("03-14-2026 11:22:08 (1773487328)", 1773487328),
        ("Null (0)", None),
        ("NULL", None),
        ("", None),
        ("03/14/2026 11:22:08.000000", None),
        ("03/14/2026 11:22:08.000000 (0)", None),
    ],
)
def test_only_epochs_are_times(text: str, epoch: int | None) -> None:
    line = f"PEER_WINDOW_END = {text}"
    report = parse_db2pd(re.sub("PEER_WINDOW_END = .*", line, FIELDS))
    assert report.verdict is ParseVerdict.OK
    assert only(report).peer_window_end == epoch


@pytest.mark.parametrize(
    "text", ["03/14/2026 11:22:08.000000 (17734", "soon (1773487328)", "1773487328", "(1773487328)"]
)
def test_a_damaged_time_is_no_time(text: str) -> None:
    report = incomplete(re.sub("PEER_WINDOW_END = .*", f"PEER_WINDOW_END = {text}", FIELDS))
    assert only(report).peer_window_end is None


@pytest.mark.parametrize("key", ["HADR_STATE", "HADR_ROLE", "HADR_CONNECT_STATUS"])
@pytest.mark.parametrize("value", ["", "NULL", "PEERING", "PEER2", "STANDARD"])
def test_an_unknown_word_is_null_and_incomplete(key: str, value: str) -> None:
    report = incomplete(re.sub(rf"(?m)^( *{key} =) .*$", rf"\1 {value}", FIELDS))
    attribute = {"HADR_STATE": "state", "HADR_ROLE": "role"}.get(key, "connect_status")
    assert getattr(only(report), attribute) is None


@pytest.mark.parametrize(
    "key",
    [
        "HADR_ROLE",
        "HADR_STATE",
        "HADR_CONNECT_STATUS",
        "PRIMARY_LOG_FILE,PAGE,POS",
        "STANDBY_LOG_FILE,PAGE,POS",
        "READS_ON_STANDBY_ENABLED",
    ],
)
def test_each_required_field_is_missed(key: str) -> None:
    report = incomplete(re.sub(rf"(?m)^ *{re.escape(key)} = .*\n", "", FIELDS))
    assert any(key in problem for problem in report.problems)


def test_a_value_may_look_like_a_key() -> None:
    text = FIELDS.replace("PRIMARY_MEMBER_HOST = aixmn1", "PRIMARY_MEMBER_HOST = HADR_ROLE")
    report = parse_db2pd(text)
    assert report.verdict is ParseVerdict.OK
    assert only(report).primary_host == "HADR_ROLE"


# --- columns --------------------------------------------------------------------------------------


def test_a_line_right_below_a_value_line_takes_the_block_with_it() -> None:
    """A fold inside the last number leaves a smaller number and a rest."""
    text = COLUMNS.replace("(1773487351) 120", "(1773487351) 12\n0")
    report = incomplete(text)
    assert only(report).peer_window_s is None
    assert only(report).peer_window_end is None


def test_a_value_line_further_down_belongs_to_a_header_that_got_lost() -> None:
    lines = COLUMNS.split("\n")
    first = next(number for number, line in enumerate(lines) if line.startswith("PrimaryFile"))
    del lines[first + 1]  # the primary's values
    del lines[first + 2]  # the standby's header
    assert only(incomplete("\n".join(lines))).primary_log is None


def test_the_standbys_values_are_not_read_as_the_primarys() -> None:
    lines = [line for line in sample("9.7-primary-peer").split("\n") if line]
    first = next(number for number, line in enumerate(lines) if line.startswith("PrimaryFile"))
    del lines[first + 1 : first + 3]
    assert only(incomplete("\n".join([*lines, ""]))).primary_log is None


def test_a_block_that_is_there_twice_has_no_values() -> None:
    block = COLUMNS[COLUMNS.index("PeerWindowEnd") : COLUMNS.index("LocalHost")]
    report = incomplete(COLUMNS.replace(block, block + block.replace("120", "300")))
    assert only(report).peer_window_s is None
    assert incomplete(COLUMNS.replace(block, block + block)).problems


@pytest.mark.parametrize(
    "number", ["0x00000000132AFC9", "0x132AFC90", "00000000132AFC90", "0x", "321584272"]
)
def test_a_log_sequence_number_has_all_its_digits(number: str) -> None:
    report = incomplete(COLUMNS.replace("0x00000000132AFC90 0%", f"{number} 0%"))
    assert only(report).standby_log is None


def test_double_spaced_copies_of_columns_read_the_same() -> None:
    assert hadr_document(parse_db2pd(COLUMNS.replace("\n", "\n\n"))) == hadr_document(
        parse_db2pd(COLUMNS)
    )


# --- around ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [FIELDS, COLUMNS])
def test_without_its_header_an_output_is_of_no_known_database(text: str) -> None:
    report = incomplete(text.split("\n\n", 1)[1])
    assert report.database is None
    assert report.channels


def test_fields_above_the_header_are_of_another_run() -> None:
    head, body = FIELDS.split("\n\n", 1)
    incomplete(body + head + "\n\n" + body)
    columns = COLUMNS.split("\n\n", 1)[1]
    incomplete(columns + COLUMNS)


def test_what_a_login_profile_prints_in_front_does_no_harm() -> None:
    noise = "You have mail in /var/spool/mail/xcatdb\nTZ = UTC\n"
    for text in (FIELDS, COLUMNS, sample("text-hadr-inactive")):
        assert parse_db2pd(noise + text) == parse_db2pd(text)


@pytest.mark.parametrize("text", [sample("text-database-down"), sample("text-instance-down")])
def test_an_output_beside_a_refusal_is_of_two_tries(text: str) -> None:
    incomplete(text + FIELDS)
    incomplete(FIELDS + text)


def test_contradicting_refusals_say_nothing() -> None:
    text = sample("text-database-down") + sample("text-instance-down")
    assert parse_db2pd(text).verdict is ParseVerdict.UNPARSEABLE


def test_inactive_without_a_header_is_of_no_known_database() -> None:
    assert parse_db2pd("HADR is not active.\n").verdict is ParseVerdict.UNPARSEABLE


@pytest.mark.parametrize(
    "name", ["text-database-down", "text-instance-down", "text-transient", "text-hadr-inactive"]
)
def test_a_sentence_is_understood_without_its_line_end_or_folded(name: str) -> None:
    text = sample(name)
    verdict = parse_db2pd(text).verdict
    assert parse_db2pd(text.rstrip("\n")).verdict is verdict
    if name != "text-hadr-inactive":
        assert parse_db2pd(text.replace(" ", "\n")).verdict is verdict


def test_positions_that_were_never_heard_of_make_no_gap() -> None:
    log, never = LogPosition("S0000017.LOG", 52, 321584272), LogPosition("S0000000.LOG", 0, 0)
    assert HadrChannel(primary_log=never, standby_log=log).log_gap_bytes is None
    assert HadrChannel(primary_log=log, standby_log=None).log_gap_bytes is None
    behind = LogPosition("S0000017.LOG", 51, 321584200)
    assert HadrChannel(primary_log=log, standby_log=behind).log_gap_bytes == 72
    assert HadrChannel(primary_log=behind, standby_log=log).log_gap_bytes == 0


def test_a_verdict_has_no_truth() -> None:
    with pytest.raises(TypeError):
        bool(parse_db2pd("").verdict)


# --- snapshot and configuration -------------------------------------------------------------------


def test_two_values_for_one_label_of_the_snapshot_are_no_value() -> None:
    text = sample("standby-peer", "snapshot").replace(
        "  State                  = Peer\n",
        "  State                  = Peer\n  State                  = Remote catchup\n",
    )
    report = parse_snapshot(text)
    assert report.verdict is ParseVerdict.INCOMPLETE
    assert report.channels[0].state is None


def test_a_folded_database_name_of_the_snapshot_is_no_name() -> None:
    text = sample("standby-peer-whole", "snapshot").replace("= XCATDB", "= XCA\nTDB")
    report = parse_snapshot(text)
    assert report.verdict is ParseVerdict.INCOMPLETE
    assert report.database is None


def test_two_roles_in_the_configuration_are_no_role() -> None:
    text = sample("11.5-standby", "dbcfg")
    role = next(line for line in text.split("\n") if "database role" in line)
    config = parse_db_cfg(text.replace(role, f"{role}\n{role.replace('STANDBY', 'PRIMARY')}"))
    assert config.verdict is ParseVerdict.INCOMPLETE
    assert config.role is None


def test_a_role_that_is_cut_is_no_role() -> None:
    text = sample("11.5-standby", "dbcfg")
    end = text.index("= STANDBY") + len("= STANDBY")
    for cut in range(end - 8, end + 1):
        assert parse_db_cfg(text[:cut]).role is None
