"""Real users of a real host before hamnd's socket and files: who reads, who confirms, who neither.

Owns the people: two operators by their group, one who is named alone, and one who is neither. What
each verb answers an operator is told elsewhere.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest

from tests.lab.daemon_process import CONFIGURATION, TOOLS
from tests.lab.site.fixtures import needs_lab
from tests.lab.site.hosts import Done, Host, Lab, wait_until
from tests.lab.site.names import STANDBY, Plan

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120), needs_lab()]

PLACE = "/srv/hamnd"
OPERATORS = "hamnops"
ANNA, DORA, CARL, BERT = "anna", "dora", "carl", "bert"
"""Two by their group, one by name alone, and nobody."""

PEOPLE = f"""\
groupadd {OPERATORS}
useradd -G {OPERATORS} {ANNA}
useradd -G games,{OPERATORS} {DORA}
useradd {CARL}
useradd -G games {BERT}
"""
CONNECT = """
import socket, sys
with socket.socket(socket.AF_UNIX) as it:
    it.connect(sys.argv[1])
    it.sendall(sys.argv[2].encode().decode("unicode_escape").encode())
    print(it.recv(100000).decode())
"""


class People:
    """The host, and what each of them tries."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def hamnctl(self, user: str, *words: str, **environment: str) -> Done:
        places = ("--socket", f"{PLACE}/hamnd.sock", "--state-dir", f"{PLACE}/state")
        argv = (sys.executable, "-m", "hamnd.cli.main", *places, *words)
        return self.host.ask(*argv, user=user, environment=environment)

    def sends(self, user: str, request: str) -> Done:
        """Connect by hand, past hamnctl."""
        argv = (sys.executable, "-c", CONNECT, f"{PLACE}/hamnd.sock", request)
        return self.host.ask(*argv, user=user)

    def reads(self, user: str, path: str) -> Done:
        return self.host.ask("cat", path, user=user)

    def actors(self, what: str) -> list[str]:
        done = self.hamnctl("root", "history", "--all", "--json")
        entries = json.loads(done.out)["entries"]
        return [one["actor"] for one in entries if one["what"] == what]


@pytest.fixture(scope="module")
def people() -> Iterator[People]:
    with Lab(Plan(hosts=(STANDBY,))) as lab:
        host = lab[STANDBY]
        host.run("sh", "-ec", PEOPLE)
        text = CONFIGURATION.format(folder=PLACE, user=json.dumps(CARL))
        text = text.replace('operators = "root"', f'operators = "{OPERATORS}"')
        host.write(f"{PLACE}/hamnd.toml", text, 0o640)
        for tool in TOOLS:
            host.write(f"{PLACE}/bin/{tool}", "#!/bin/sh\nexit 1\n", 0o755)
        for name in ("key", "known_hosts"):
            host.write(f"{PLACE}/{name}", "", 0o600)
        daemon = host.start(sys.executable, "-m", "hamnd", "--config", f"{PLACE}/hamnd.toml")
        one = People(host)
        wait_until(lambda: one.hamnctl("root", "status").code == 0, "hamnd answers", 60)
        yield one
        assert daemon.is_running, daemon.text()


HOLD = ("hold", "--reason", "new switches", "--for", "1h")


@pytest.mark.parametrize("user", [ANNA, DORA, CARL])
def test_an_operator_looks_changes_and_stands_in_the_journal_by_name(
    people: People, user: str
) -> None:
    assert people.hamnctl(user, "status").code == 0
    done = people.hamnctl(user, *HOLD)
    assert done.code == 0, done.text
    assert people.actors("hold_began")[-1] == user
    assert people.hamnctl(user, "unhold").code == 0
    asked = people.hamnctl(user, "plan", "takeover")
    assert asked.code == 3, "refused by its gates, not by who asks"
    assert "may not change" not in asked.text


def test_who_is_no_operator_is_kept_out_by_the_kernel(people: People) -> None:
    """Given somebody with a login and no more, then neither socket nor journal opens to him."""
    done = people.hamnctl(BERT, "status")
    assert done.code == 6, done.text
    for words in (HOLD, ("confirm", "5f1c-0001"), ("clear", "--reason", "x")):
        refused = people.hamnctl(BERT, *words)
        assert refused.code in (3, 6), refused.text
    direct = people.sends(BERT, r"GET /v1/status HTTP/1.1\r\nHost: h\r\n\r\n")
    assert direct.code != 0
    assert "PermissionError" in direct.err
    for name in ("state", "state/journal.db", "state/reports", "hamnd.toml"):
        assert people.host.ask("ls", f"{PLACE}/{name}/", user=BERT).code != 0
        assert people.reads(BERT, f"{PLACE}/{name}").code != 0
    assert "permission" in done.text.lower() or "may not" in done.text


def test_a_name_that_was_only_claimed_makes_nobody_an_operator(people: People) -> None:
    """What a process says of itself counts for nothing: the kernel says who it is."""
    claims = {"SUDO_USER": ANNA, "USER": "root", "LOGNAME": ANNA, "SUDO_UID": "0"}
    assert people.hamnctl(BERT, *HOLD, **claims).code in (3, 6)
    done = people.hamnctl(DORA, *HOLD, **claims)
    assert done.code == 0, done.text
    assert people.actors("hold_began")[-1] == DORA
    assert people.hamnctl(DORA, "unhold").code == 0


def test_root_is_called_by_the_login_behind_it(people: People) -> None:
    done = people.hamnctl("root", *HOLD, SUDO_USER=ANNA)
    assert done.code == 0, done.text
    assert people.actors("hold_began")[-1].startswith("root")
    assert people.hamnctl("root", "unhold").code == 0


def test_an_operator_reads_the_journal_and_cannot_write_it(people: People) -> None:
    assert people.hamnctl(ANNA, "history").code == 0
    for path in ("state/journal.db", "state/lock", "state/new"):
        done = people.host.ask("sh", "-c", f"echo x >> {PLACE}/{path}", user=ANNA)
        assert done.code != 0, path
    assert people.hamnctl(ANNA, "history", "--verify").code == 0
    # Who is named alone may confirm; the journal is the group's.
    assert people.reads(CARL, f"{PLACE}/state/journal.db").code != 0


def test_nothing_of_hamnds_is_open_to_everybody(people: People) -> None:
    found = people.host.run("find", f"{PLACE}/state", f"{PLACE}/hamnd.sock", "-perm", "/o+rwx")
    assert found == ""
    mode = people.host.run("stat", "-c", "%a %U %G", f"{PLACE}/hamnd.sock").split()
    assert mode == ["660", "root", OPERATORS]
