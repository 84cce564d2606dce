"""What the instance owner's login profile says before a program does changes no reading.

`su -` runs it, and on AIX it may well print text (aix.md §6).
"""

from __future__ import annotations

import pytest

from hamnd.demo.db2_model import Db2Pair
from hamnd.demo.db2_node import PairConfig
from hamnd.dialects.readers import READERS
from hamnd.model.names import Verdict
from tests.unit.dialects.reports import exited

TALK = "[YOU HAVE NEW MAIL]\n2 new mails\n*** Authorized users only: aixmn9 ***\n\n"
PAIR = Db2Pair(PairConfig(), 0.0)
PAIR.tick(30.0)
STANDBY = PAIR.config.standby.name


def said(*argv: str) -> tuple[int, str]:
    reply = PAIR.run(STANDBY, argv, 30.0, "shell", "C")
    return reply.exit_code, reply.text


HADR = said("db2pd", "-d", "xcatdb", "-hadr")
CFG = said("db2", "get db cfg for xcatdb")
NOBODY = said("db2", "list applications for db xcatdb")
SPOKEN = [
    ("db2.in_peer", ("standby",), *HADR, Verdict.PASS),
    ("db2.in_peer", ("primary",), *HADR, Verdict.BLOCK),
    ("db2.cannot_serve", (), *CFG, Verdict.PASS),
    ("db2.nobody_connected", (), *NOBODY, Verdict.PASS),
    ("db2.taken_back", (), 0, "it is primary still\n", Verdict.PASS),
    ("db2.alternate_set", (), 0, "no alternate server is set\n", Verdict.PASS),
    ("db2.backed_up", (), 0, "it follows already\n", Verdict.PASS),
    ("db2.hadr_stopped", (), 0, "HADR is stopped already\n", Verdict.PASS),
    ("db2.nodes_file", ("aixmn1",), 0, "0 aixmn1 0\n", Verdict.PASS),
    ("db2.nodes_file", ("aixmn1",), 0, "0 aixmn1.cluster.net\n", Verdict.PASS),
    ("db2.nodes_file", ("aixmn1",), 0, "0 aixmn2 0\n", Verdict.BLOCK),
    ("db2.nodes_file", ("aixmn1",), 0, "missing\n", Verdict.PASS),
]


@pytest.mark.parametrize(("reader", "arguments", "code", "text", "verdict"), SPOKEN)
def test_a_talking_profile_changes_no_reading(
    reader: str, arguments: tuple[str, ...], code: int, text: str, verdict: Verdict
) -> None:
    assert READERS[reader](exited(code, text), arguments).verdict is verdict
    assert READERS[reader](exited(code, TALK + text), arguments).verdict is verdict
