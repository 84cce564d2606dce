"""Messages of the command line processor are found in folded text, and exit codes mean bits."""

from __future__ import annotations

import pytest

from hamnd.dialects.db2.clp import parse_clp, severity
from hamnd.model.hadr import ClpSeverity

WIDTH = 78


def fold(text: str) -> str:
    """Fold as the CLP does: at 78 characters, and the break leaves a trailing blank (§8)."""
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + len(word) > WIDTH:
            lines.append(line)
            line = ""
        line += word + " "
    return "\n".join([*lines, line.rstrip()]) + "\n"


NOT_IN_WINDOW = fold(
    'SQL1770N  Takeover HADR cannot complete. The takeover was by force. Reason code = "9".'
)


def test_the_fold_falls_inside_the_reason_code() -> None:
    assert 'Reason \ncode = "9"' in NOT_IN_WINDOW or 'code \n= "9"' in NOT_IN_WINDOW


def test_a_reason_code_is_read_across_the_fold() -> None:
    reply = parse_clp(NOT_IN_WINDOW, 4)

    assert reply.ids == ("SQL1770N",)
    assert reply.messages[0].reason_code == 9
    assert reply.severity is ClpSeverity.ERROR
    assert "\n" not in reply.messages[0].text


@pytest.mark.parametrize("width", range(20, 90))
def test_any_fold_between_words_reads_the_same(width: int) -> None:
    words, line, text = NOT_IN_WINDOW.split(), "", ""
    for word in words:
        if len(line) + len(word) > width:
            text, line = text + line + "\n", ""
        line += word + " "
    assert parse_clp(text + line, 4) == parse_clp(NOT_IN_WINDOW, 4)


def test_db2start_says_a_message_twice_and_its_error_id_is_success() -> None:
    text = (
        "03/14/2026 11:40:02     0   0   SQL1063N  DB2START processing was successful.\n"
        "SQL1063N  DB2START processing was successful.\n"
    )
    assert parse_clp(text, 0).ids == ("SQL1063N", "SQL1063N")


def test_several_messages_keep_their_own_texts() -> None:
    text = (
        "DB20000I  The FORCE APPLICATION command completed successfully.\n"
        "DB21024I  This command is asynchronous and may not be effective immediately.\n\n"
    )
    reply = parse_clp(text, 0)

    assert reply.ids == ("DB20000I", "DB21024I")
    assert reply.messages[0].text.endswith("completed successfully.")


def test_reason_without_equals_sign_and_sqlstate() -> None:
    nodes = 'SQL6031N  Error in the db2nodes.cfg file at line number "1".  Reason code "10".'
    pending = (
        "SQL1117N  A connection cannot be made because of ROLL-FORWARD PENDING.  SQLSTATE=57019"
    )

    assert parse_clp(nodes, 4).messages[0].reason_code == 10
    assert parse_clp(pending, 4).messages[0].sqlstate == "57019"


def test_a_reason_code_that_was_cut_is_none() -> None:
    text = 'SQL1768N  Unable to start HADR. Reason code = "10".'
    for end in range(len(text)):
        message = parse_clp(text[:end], 4).find("SQL1768N")
        assert message is None or message.reason_code in (None, 10)


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (0, ClpSeverity.SUCCESS),
        (1, ClpSeverity.NO_ROW),
        (2, ClpSeverity.WARNING),
        (3, ClpSeverity.WARNING),
        (4, ClpSeverity.ERROR),
        (6, ClpSeverity.ERROR),
        (8, ClpSeverity.SYSTEM_ERROR),
        (12, ClpSeverity.SYSTEM_ERROR),
        (None, ClpSeverity.UNKNOWN),
        (127, ClpSeverity.UNKNOWN),
        (-9, ClpSeverity.UNKNOWN),
    ],
)
def test_exit_codes_are_bits(code: int | None, word: ClpSeverity) -> None:
    assert severity(code) is word
