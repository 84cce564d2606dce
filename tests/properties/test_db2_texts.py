"""Db2 texts that were cut, folded, reordered or decorated are read right or not called complete.

Owns the manglings of copied terminal output and the oracle: a value is the specimen's own or it is
missing, and a verdict of `ok` means that nothing is missing but what was taken away on purpose.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hamnd.dialects.db2.clp import parse_clp
from hamnd.dialects.db2.config import parse_db_cfg
from hamnd.dialects.db2.db2pd import parse_db2pd
from hamnd.dialects.db2.snapshot import parse_snapshot
from hamnd.model.hadr import ParseVerdict
from hamnd.views.parsed import db_config_document, exit_code, hadr_document

SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "db2"
bounded = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
Parser = Callable[[str], dict[str, Any]]


def db2pd(text: str) -> dict[str, Any]:
    return hadr_document(parse_db2pd(text))


def snapshot(text: str) -> dict[str, Any]:
    return hadr_document(parse_snapshot(text))


def dbcfg(text: str) -> dict[str, Any]:
    return db_config_document(parse_db_cfg(text))


def clp(text: str) -> dict[str, Any]:
    return {"ids": parse_clp(text, 0).ids}


PARSERS: dict[str, Parser] = {"db2pd": db2pd, "snapshot": snapshot, "dbcfg": dbcfg}


def specimens(*kinds: str) -> list[tuple[str, str]]:
    """Kind and text of every sample that is one complete status."""
    found = []
    for kind in kinds or PARSERS:
        for path in sorted((SAMPLES / kind).glob("*.txt")):
            text = path.read_bytes().decode()
            if PARSERS[kind](text)["verdict"] == "ok":
                found.append((kind, text))
    return found


ALL = specimens()
DB2PD = specimens("db2pd")
NEW = [text for _, text in DB2PD if "HADR_ROLE" in text]
OLD = [text for _, text in DB2PD if "ConnectTime" in text]
SINGLE = [text for text in NEW if text.count("HADR_ROLE") == 1]
COMPLETE_PLAIN = [(kind, text) for kind, text in ALL if text.count("HADR_ROLE") < 2]


def lies(found: Any, truth: Any, at: str = "") -> list[str]:
    """Return the places where `found` says something else than `truth`; silence is no lie."""
    if found in (None, [], {}, "") or at.endswith(("/problems", "/verdict")):
        return []
    if isinstance(found, dict) and isinstance(truth, dict):
        return [
            lie
            for key, value in found.items()
            for lie in lies(value, truth.get(key), f"{at}/{key}")
        ]
    if at.endswith("/channels"):
        if len(found) > len(truth):
            return [f"{at}: {len(found)} of {len(truth)}"]
        tries = [[lies(one, other, f"{at}/channel") for other in truth] for one in found]
        return [lie for attempt in tries if [] not in attempt for lie in attempt[0]]
    return [] if found == truth else [f"{at}: {found!r} is not {truth!r}"]


def without_verdict(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in ("verdict", "problems")}


def check_honest(kind: str, text: str, mangled: str) -> dict[str, Any]:
    """Check that a mangled copy is read without a lie, whatever the verdict."""
    truth = PARSERS[kind](text)
    found = PARSERS[kind](mangled)
    for channel in found.get("channels", []):
        if found["verdict"] != "ok" or kind == "snapshot":
            channel["unknown_fields"] = {}
    assert not lies(found, truth), found["problems"]
    assert (found["verdict"] == "ok") == (exit_code(ParseVerdict(found["verdict"])) == 0)
    assert not (found["verdict"] == "ok" and found["problems"])
    return found


# --- same values -------------------------------------------------------------------------------


@bounded
@given(
    st.sampled_from(ALL),
    st.sampled_from(["", " ", "   ", "\t"]),
    st.sampled_from(["", "\r", "\r\r"]),
)
def test_trailing_blanks_and_cr_lf_change_nothing(
    specimen: tuple[str, str], blanks: str, carriage: str
) -> None:
    kind, text = specimen
    mangled = "".join(f"{line}{blanks}{carriage}\n" for line in text.split("\n")[:-1])
    assert PARSERS[kind](mangled) == PARSERS[kind](text)


@bounded
@given(st.sampled_from(SINGLE), st.randoms(use_true_random=False))
def test_fields_may_stand_in_any_order(text: str, random: Any) -> None:
    head, body = text.split("HADR_ROLE", 1)[0].rsplit("\n", 1)[0], text
    fields = [line for line in body.split("\n") if " = " in line or line.rstrip().endswith("=")]
    random.shuffle(fields)
    mangled = head + "\n" + "\n".join(fields) + "\n"
    assert without_verdict(db2pd(mangled)) == without_verdict(db2pd(text))
    assert db2pd(mangled)["verdict"] == "ok"


@bounded
@given(st.sampled_from(OLD), st.randoms(use_true_random=False))
def test_blocks_of_columns_may_stand_in_any_order(text: str, random: Any) -> None:
    head, rest = text.split("HADR Information:\n")
    blocks = rest.rstrip("\n").split("\n\n")
    random.shuffle(blocks)
    mangled = f"{head}HADR Information:\n" + "\n\n".join(blocks) + "\n"
    assert db2pd(mangled) == db2pd(text)


KEY = st.from_regex(r"[A-Z][A-Z_]{3,20}(\([a-z]{3,7}\))?", fullmatch=True).map(
    lambda key: f"ZZ_{key}"
)
VALUE = st.from_regex(r"[A-Za-z0-9_.,:/ -]{0,30}", fullmatch=True).map(str.strip)


@bounded
@given(st.sampled_from(SINGLE), st.dictionaries(KEY, VALUE, min_size=1, max_size=4), st.data())
def test_unknown_keys_are_kept_and_change_nothing_else(
    text: str, extra: dict[str, str], data: st.DataObject
) -> None:
    lines = text.split("\n")
    first = next(number for number, line in enumerate(lines) if "HADR_ROLE" in line)
    for key, value in extra.items():
        lines.insert(data.draw(st.integers(first, len(lines) - 1)), f"{key:>37} = {value}")
    truth, found = db2pd(text), db2pd("\n".join(lines))
    truth["channels"][0]["unknown_fields"] |= extra
    assert found == truth


@bounded
@given(st.sampled_from(OLD), st.sampled_from(["between", "column", "field"]))
def test_unknown_columns_are_kept_and_change_nothing_else(text: str, way: str) -> None:
    mangled = {
        "between": text.replace("LocalHost ", "NewThing  OtherThing\n17        x\n\nLocalHost ", 1),
        "column": re.sub(r"(RemoteInstance)\n(.*)\n", r"\1 NewThing OtherThing\n\2 17 x\n", text),
        "field": text.replace("\nRemoteHost", "\nNEW_THING = 17\n\nRemoteHost", 1),
    }[way]
    unknown = {"NEW_THING": "17"} if way == "field" else {"NewThing": "17", "OtherThing": "x"}
    truth, found = db2pd(text), db2pd(mangled)
    truth["channels"][0]["unknown_fields"] = unknown
    assert found == truth


@bounded
@given(st.sampled_from(DB2PD))
def test_collapsed_blanks_change_nothing(specimen: tuple[str, str]) -> None:
    text = specimen[1]
    assert db2pd(re.sub(r"[ \t]+", " ", text)) == db2pd(text)


# --- right or not called complete ----------------------------------------------------------------


@bounded
@given(st.sampled_from(COMPLETE_PLAIN), st.data())
def test_dropped_lines_are_never_made_up(specimen: tuple[str, str], data: st.DataObject) -> None:
    kind, text = specimen
    lines = text.split("\n")[:-1]
    kept = data.draw(st.lists(st.booleans(), min_size=len(lines), max_size=len(lines)))
    few = data.draw(st.booleans())
    if few:
        dropped = data.draw(st.sets(st.integers(0, len(lines) - 1), max_size=4))
        kept = [number not in dropped for number in range(len(lines))]
    mangled = "".join(f"{line}\n" for line, keep in zip(lines, kept, strict=True) if keep)
    found = check_honest(kind, text, mangled)
    if kind == "db2pd" and found["verdict"] == "ok":
        (channel,) = found["channels"]
        truth = db2pd(text)["channels"][0]
        for needed in ("role", "state", "connect_status", "primary_log", "standby_log"):
            assert channel[needed] == truth[needed]


@bounded
@given(st.sampled_from(NEW), st.data())
def test_a_block_that_lost_its_first_line_is_not_mixed_with_the_one_above(
    text: str, data: st.DataObject
) -> None:
    lines = text.split("\n")
    roles = [number for number, line in enumerate(lines) if "HADR_ROLE" in line]
    del lines[data.draw(st.sampled_from(roles))]
    found = db2pd("\n".join(lines))
    assert found["verdict"] == "incomplete"
    assert len(found["channels"]) <= len(roles)


@bounded
@given(st.sampled_from(ALL), st.data())
def test_cut_anywhere_is_never_complete(specimen: tuple[str, str], data: st.DataObject) -> None:
    kind, text = specimen
    end = data.draw(st.integers(0, len(text) - 1))
    found = check_honest(kind, text, text[:end])
    if text[:end].rpartition("\n")[2].strip():
        assert found["verdict"] != "ok"


@pytest.mark.parametrize("number", range(len(OLD)))
def test_every_cut_of_a_columns_text(number: int) -> None:
    text = OLD[number]
    for end in range(len(text)):
        assert check_honest("db2pd", text, text[:end])["verdict"] != "ok"


def test_every_cut_of_a_fields_text() -> None:
    text = SINGLE[-1]
    for end in range(len(text)):
        found = check_honest("db2pd", text, text[:end])
        whole = text[:end].endswith("\n") and "READS_ON_STANDBY_ENABLED" in text[:end]
        assert (found["verdict"] == "ok") == whole


def hard_fold(text: str, width: int) -> str:
    pieces = (
        line[start : start + width]
        for line in text.split("\n")
        for start in range(0, max(len(line), 1), width)
    )
    return "\n".join(pieces)


def soft_fold(text: str, width: int) -> str:
    return "\n".join(
        textwrap.fill(line, width, break_long_words=False) for line in text.split("\n")
    )


@bounded
@given(st.sampled_from(ALL), st.integers(3, 120), st.sampled_from([hard_fold, soft_fold]))
def test_folded_copies_are_read_right_or_refused(
    specimen: tuple[str, str], width: int, fold: Callable[[str, int], str]
) -> None:
    kind, text = specimen
    check_honest(kind, text, fold(text, width))


DECORATIONS: list[Callable[[str], str]] = [
    lambda text: re.sub(r"(?m)^", "# ", text) + "\n",
    lambda text: re.sub(r"(?m)^(?=.)", "> ", text),
    lambda text: re.sub(r"(?m)^(?=.)", "    ", text),
    lambda text: re.sub(r"(?m)^(?=.)", "1 ", text),
    lambda text: re.sub(r"(?m)$", "<br>", text) + "\n",
    lambda text: re.sub(r"(?m)(?<=\S)$", "<br/>", text),
    lambda text: f"<pre>\n{text}</pre>\n",
    lambda text: f"<pre>{text}</pre>\n",
    lambda text: re.sub(r"([A-Z_]{5,})", r"<b>\1</b>", text),
    lambda text: re.sub(r"= (\S+)$", r"= <b>\1</b>", text, flags=re.MULTILINE),
    lambda text: re.sub(r"(?m)^ *(.+?) *=(.*)$", r"<td>\1</td><td>=</td><td>\2</td>", text),
    lambda text: text.replace(" ", "&nbsp;"),
    lambda text: text.replace(" ", "\u00a0"),
    lambda text: text.replace("=", ":"),
    lambda text: text.replace("=", " "),
    lambda text: text.replace(" = ", "="),
    lambda text: text.replace("\n", "\n\n"),
    lambda text: text.replace("\n\n", "\n"),
    lambda text: " ".join(text.split()) + "\n",
    lambda text: text.replace("\n", " ", 12) + "\n",
    lambda text: text.replace("\n", "\r"),
    lambda text: "\ufeff" + text.lstrip("\n"),
    lambda text: text.replace("O", "\ufffd"),
    lambda text: text + text,
    lambda text: text + "[xcatdb@aixmn2 ~]$ exit\nlogout\n",
]


@bounded
@given(st.sampled_from(ALL), st.lists(st.sampled_from(DECORATIONS), min_size=1, max_size=2))
def test_decorated_copies_are_read_right_or_refused(
    specimen: tuple[str, str], decorations: list[Callable[[str], str]]
) -> None:
    kind, text = specimen
    mangled = text
    for decorate in decorations:
        mangled = decorate(mangled)
    check_honest(kind, text, mangled)


@pytest.mark.parametrize("number", range(len(DECORATIONS)))
def test_each_decoration_of_each_specimen(number: int) -> None:
    for kind, text in ALL:
        check_honest(kind, text, DECORATIONS[number](text))


@bounded
@given(st.sampled_from(DB2PD), st.data())
def test_a_lost_line_end_never_makes_a_complete_status(
    specimen: tuple[str, str], data: st.DataObject
) -> None:
    text = specimen[1]
    ends = [found.span() for found in re.finditer(r"(?<=\S)[ \r]*\n(?=[^\n])", text)]
    start, end = data.draw(st.sampled_from(ends))
    glue = data.draw(st.sampled_from(["", " "]))
    mangled = text[:start] + glue + text[end:].lstrip(" ")
    found = check_honest("db2pd", text, mangled)
    assert found["verdict"] != "ok" or without_verdict(found) == without_verdict(db2pd(text))


@bounded
@given(st.sampled_from(DB2PD), st.data())
def test_a_line_that_is_there_twice_is_never_complete(
    specimen: tuple[str, str], data: st.DataObject
) -> None:
    text = specimen[1]
    lines = text.split("\n")
    numbers = [number for number, line in enumerate(lines) if line.strip(" -\r")]
    number = data.draw(st.sampled_from(numbers))
    lines.insert(number, lines[number])
    mangled = "\n".join(lines)
    if lines[number].strip() == "HADR Information:":
        assert db2pd(mangled) == db2pd(text)
    else:
        assert db2pd(mangled)["verdict"] != "ok"


@bounded
@given(st.sampled_from(SINGLE), st.data())
def test_two_values_for_one_key_are_no_value(text: str, data: st.DataObject) -> None:
    lines = text.split("\n")
    known = [number for number, line in enumerate(lines) if re.search(r"= \d+\s*$", line)]
    number = data.draw(st.sampled_from(known))
    other = re.sub(r"= (\d+)", lambda found: f"= {int(found[1]) + 1}", lines[number])
    lines.insert(data.draw(st.integers(number + 1, len(lines) - 1)), other)
    found = check_honest("db2pd", text, "\n".join(lines))
    assert found["verdict"] == "incomplete"


@bounded
@given(st.sampled_from(DB2PD), st.sampled_from(DB2PD))
def test_two_outputs_are_never_one_status(one: tuple[str, str], other: tuple[str, str]) -> None:
    found = check_honest("db2pd", one[1], one[1] + other[1])
    assert found["verdict"] == "incomplete"


# --- any text -----------------------------------------------------------------------------------

FRAGMENTS = sorted({piece for _, text in ALL for piece in re.findall(r"\S+|\s+", text)})
SOUP = st.lists(st.sampled_from(FRAGMENTS), max_size=80).map("".join)
LINES = sorted({line for _, text in ALL for line in text.split("\n")})
LINE_SOUP = st.lists(st.sampled_from(LINES), max_size=40).map("\n".join)
BYTES = st.binary(max_size=400).map(lambda raw: raw.decode(errors="replace"))


@settings(bounded, max_examples=400)
@given(st.one_of(st.text(max_size=400), BYTES, SOUP, LINE_SOUP))
def test_any_text_gives_a_value(text: str) -> None:
    for parse in PARSERS.values():
        found = parse(text)
        json.dumps(found)
        for channel in found.get("channels", []):
            if found["verdict"] == "ok":
                assert None not in (channel["role"], channel["state"], channel["connect_status"])
    reply = parse_clp(text, 4)
    assert len(reply.ids) == len(reply.messages)


SAID_BY_THE_TOOLS = ("activ", "attach", "structure", "HADR", "Database", "=", "SQL", "DB2")
"""Words by which even a fragment of a real text may be known (db2-hadr.md §5)."""


@settings(bounded, max_examples=100)
@given(st.text(max_size=300))
def test_free_text_is_unparseable(text: str) -> None:
    assume(not any(word.lower() in text.lower() for word in SAID_BY_THE_TOOLS))
    assert db2pd(text)["verdict"] == "unparseable"
    assert snapshot(text)["verdict"] == "unparseable"
    assert dbcfg(text)["verdict"] == "unparseable"


MIB = 1_048_576
WIDE = [
    "=",
    "(",
    "\n",
    " ",
    "a\n",
    "a=b\n",
    "A = B = ",
    "A B\n1 2\n\n",
    "HADR_ROLE = PRIMARY\n",
    "HADR_STATE = PEER\n",
    "HADR_FLAGS = A=HADR_STATE\n",
    "Role State SyncMode HeartBeatsMissed LogGapRunAvg (bytes)\n",
    "LocalHost LocalService X X X X X X X X X\n",
    "Database Member 0 -- ",
    "Database Member 0 -- Database X -- Active -- Up 0 days 00:00:00\n",
    "HADR Status\n",
    "HADR Status\nRole = Standby\nx\n",
    " (A_PARAMETER)      ",
    " (HADR_TIMEOUT) = 60 (HADR_TIMEOUT)\n",
    'SQL1770N  Reason code = "1" ',
    "-- ",
    "9",
]


@pytest.mark.parametrize("piece", WIDE)
def test_time_grows_with_the_length_only(piece: str) -> None:
    """Twenty times the text may take some twenty times the time, not four hundred."""
    small = piece * (MIB // 20 // len(piece))
    large = piece * (MIB // len(piece))
    for parse in (*PARSERS.values(), clp):
        before = perf_counter()
        parse(small)
        between = perf_counter()
        parse(large)
        after = perf_counter()
        assert after - between < 100 * (between - before) + 1.0


@pytest.mark.parametrize("piece", WIDE)
def test_texts_beyond_the_limit_are_not_read(piece: str) -> None:
    text = piece * (MIB // len(piece) + 1)
    for parse in PARSERS.values():
        assert parse(text)["verdict"] == "unparseable"
