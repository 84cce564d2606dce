"""The shield: what exactly is refused, and by whose word it is known to be up."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.dialects import shielding
from hamnd.model.names import Verdict
from hamnd.model.site import IdentityMode, ServiceAddress, Shield, Site
from hamnd.model.work import Ending, Exec
from tests.builders import site
from tests.unit.dialects.reports import ended, exited

UP = """\
table inet hamnd_shield {
	chain input {
		type filter hook input priority -10; policy accept;
		ip saddr 9.114.47.103 tcp dport { 873, 3001, 3002, 60000 } reject with tcp reset
	}
}
"""
HERE = replace(site(), shield=Shield(True, "/etc/ssh/sshd_config.d/00-hamnd.conf"))


def test_the_old_primarys_own_address_is_refused_and_no_other() -> None:
    rules = shielding.rules(HERE)
    assert re.findall(r"saddr (\S+)", rules) == ["9.114.47.103"]
    assert "{ 873, 3001, 3002, 60000 }" in rules
    v6 = replace(HERE, primary=replace(HERE.primary, address="fd00::3", xcatd_port=4001))
    v6 = replace(v6, shield=Shield(True, None, 50_000))
    assert "ip6 saddr fd00::3 tcp dport { 873, 3001, 3002, 50000 }" in shielding.rules(v6)


def guides_way() -> Site:
    """This node takes the primary's own address."""
    moved = ServiceAddress("en1", HERE.primary.address, 26, "aixmn1")
    return replace(HERE, identity_mode=IdentityMode.PRIMARY_ADDRESS, identity=(moved,))


def test_where_addresses_move_it_is_refused_at_the_one_that_is_free_then_too() -> None:
    """A person gives it that one at its console: its own is this node's by then."""
    there = guides_way()
    both = ["9.114.47.103", "9.114.47.104"]
    assert re.findall(r"saddr (\S+)", shielding.rules(there)) == both
    assert f"Match Address {','.join(both)}\n" in shielding.sshd_lines(there)


KNOCK = """\
import socket
one, two = socket.socket(), socket.socket()
one.bind(("9.114.47.103", 3001))
one.listen()
two.connect(("9.114.47.103", 3001))
"""


@pytest.mark.skipif(
    shutil.which("nft") is None or os.geteuid() != 0, reason="needs nft, and root for a network"
)
def test_what_this_node_says_to_itself_over_the_address_it_took_is_not_refused() -> None:
    """xcatd opens the database by the name that moved, from the address that moved."""
    script = (
        "ip link set lo up && ip addr add 9.114.47.103/32 dev lo && "
        f'{HERE.tool("nft")} -f - && exec "$0" -c "$1"'
    )
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script, sys.executable, KNOCK],
        input=shielding.rules(guides_way()),
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr or "Operation not permitted" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr


def test_the_table_is_replaced_as_a_whole() -> None:
    """Adding, deleting and defining it in one file works whether it was there or not (nft(8))."""
    lines = shielding.rules(HERE).splitlines()
    assert lines[:2] == ["table inet hamnd_shield", "delete table inet hamnd_shield"]


@pytest.mark.parametrize(
    ("reading", "verdict"),
    [
        (shielding.read_rules_up(exited(0, UP), ("9.114.47.103",)), Verdict.PASS),
        (shielding.read_rules_up(exited(0, UP), ("9.114.47.10",)), Verdict.BLOCK),
        (shielding.read_rules_up(exited(1, "", "No such file"), ("a",)), Verdict.BLOCK),
        (shielding.read_rules_up(ended(Ending.TIMED_OUT), ("a",)), Verdict.UNKNOWN),
        (shielding.read_lowered(exited(1, "", "Error: No such file or directory")), Verdict.PASS),
        (shielding.read_lowered(exited(1, "", "Operation not permitted")), Verdict.BLOCK),
        (shielding.read_can_filter(exited(127, "", "nft: not found")), Verdict.BLOCK),
        (shielding.read_sshd_refuses(exited(0, "port 22\n")), Verdict.BLOCK),
        (shielding.read_sshd_refuses(exited(255, "", "no hostkeys")), Verdict.UNKNOWN),
    ],
)
def test_what_is_up_is_told_by_the_tools(reading: object, verdict: Verdict) -> None:
    assert getattr(reading, "verdict") is verdict  # noqa: B009 - one parameter for many readers


def forced(home: Path, command: str | None, key: str = "AAAAplain") -> tuple[int, str]:
    """Run what sshd would run for a login from the old primary."""
    (line,) = [one for one in shielding.sshd_lines(HERE).splitlines() if "ForceCommand" in one]
    info = home / "info"
    info.write_text(f"publickey ssh-ed25519 {key}\n")
    environment = {"SHELL": "/bin/sh", "SSH_USER_AUTH": str(info), "PATH": "/usr/bin:/bin"}
    environment |= {"SSH_ORIGINAL_COMMAND": command} if command is not None else {}
    argv = ["sh", "-c", line.partition("ForceCommand ")[2]]
    done = subprocess.run(
        argv, capture_output=True, text=True, cwd=home, env=environment, check=False, input=""
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("command", "is_let"),
    [
        ("echo hello", True),
        ("rsync --server -logDtpre.iLsfxCIvu . /install", False),
        ("/usr/bin/rsync --server --delete . /etc/xcat", False),
        ("rsync --server --sender -logDtpre.iLsfxCIvu . /install; echo hello", True),
        ("scp -r -t /install", False),
        ("internal-sftp", False),
        ("/usr/lib/openssh/sftp-server", False),
        ("echo 'hello' \"$HOME\"", True),
    ],
)
def test_copies_are_refused_and_everything_else_runs(
    tmp_path: Path, command: str, is_let: bool
) -> None:
    code, said = forced(tmp_path, command)
    assert ("takes no files from the old one" not in said) is is_let
    if is_let:
        assert "hello" in said
    else:
        assert code == 1


def test_a_key_that_is_bound_to_a_command_is_not_let_loose(tmp_path: Path) -> None:
    """ForceCommand goes before the key's own command: it must not become a way around it."""
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/authorized_keys").write_text(
        'command="backup-only" ssh-ed25519 AAAAbound a\nssh-ed25519 AAAAplain b\n'
    )
    assert forced(tmp_path, "echo hello", "AAAAbound")[0] == 1
    assert forced(tmp_path, "echo hello", "AAAAplain") == (0, "hello\n")


@pytest.mark.skipif(shutil.which("sshd") is None, reason="needs sshd")
def test_sshd_takes_the_lines_and_tells_of_them(tmp_path: Path) -> None:
    """Of this address alone; sshd's own account is what the look reads."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    config = tmp_path / "sshd_config"
    (tmp_path / "hamnd.conf").write_text(shielding.sshd_lines(HERE))
    config.write_text(f"HostKey {key}\nInclude {tmp_path}/hamnd.conf\nUsePAM no\n")
    sshd = shutil.which("sshd") or ""
    for address, verdict in (("9.114.47.103", Verdict.PASS), ("9.114.47.1", Verdict.BLOCK)):
        who = f"user=root,host=aixmn1,addr={address}"
        done = subprocess.run(
            [sshd, "-f", config, "-T", "-C", who], capture_output=True, text=True, check=False
        )
        if "privilege separation" in done.stderr:
            pytest.skip(done.stderr.strip())
        report = exited(done.returncode, done.stdout, done.stderr)
        assert shielding.read_sshd_refuses(report).verdict is verdict


def test_the_way_back_removes_only_our_own() -> None:
    request = shielding.lower_rules(HERE).request
    assert isinstance(request, Exec)
    assert request.argv == ("nft", "delete", "table", "inet", "hamnd_shield")
    back = shielding.lower_sshd(HERE).request
    assert isinstance(back, Exec)
    assert back.argv[-2] == "/etc/ssh/sshd_config.d/00-hamnd.conf"
