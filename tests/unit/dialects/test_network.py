"""The distributions' own network files: one address in the place of another, and back."""

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from hamnd.dialects import network
from hamnd.dialects.editing import edited, put
from hamnd.dialects.readers import read_look
from hamnd.dialects.shell import preview
from hamnd.model.names import Verdict
from hamnd.model.work import Edit, Look, Looked, Report
from tests.builders import site
from tests.unit.dialects.reports import MUTE, exited

OWN, MOVED = "10.99.0.12", "10.99.0.11"

IFUPDOWN = f"""\
auto eth0
iface eth0 inet static
    # this machine: {OWN}
    address {OWN}/24
    gateway 10.99.0.1
    up ip route add 10.5.0.0/16 via 10.99.0.120
"""
NETPLAN = f"""\
network:
  version: 2
  ethernets:
    eth0:
      addresses: [{OWN}/24, "fd00::12/64"]
      routes: [{{to: default, via: 10.99.0.1}}]
"""
NETWORKD = f"[Match]\nName=eth0\n\n[Network]\nAddress={OWN}/24\nGateway=10.99.0.1\n"
KEYFILE = f"""\
[connection]
id=cluster
type=ethernet
interface-name=eth0

[ipv4]
address1={OWN}/24,10.99.0.1
method=manual

[wifi-security]
psk=not for anybody
"""
IFCFG = f"DEVICE=eth0\nBOOTPROTO=none\nIPADDR={OWN}\nPREFIX=24\nONBOOT=yes\n"
WICKED = f"BOOTPROTO='static'\nIPADDR='{OWN}/24'\nSTARTMODE='auto'\n"

EVERY = pytest.mark.parametrize(
    "text",
    [IFUPDOWN, NETPLAN, NETWORKD, KEYFILE, IFCFG, WICKED],
    ids=["ifupdown", "netplan", "networkd", "keyfile", "ifcfg", "wicked"],
)


def swap(text: str, words: tuple[str, str] = (OWN, MOVED)) -> Edit:
    edit = network.swap("mn2", "/etc/x", text, words)
    assert edit is not None
    return edit


@EVERY
def test_the_address_moves_and_comes_back_to_the_letter(text: str) -> None:
    edit = swap(text)
    result = edited(text, edit)
    assert result is not None
    assert [line for line in result.splitlines() if MOVED in line]
    assert len(result.splitlines()) == len(text.splitlines())
    assert edited(result, edit) == result  # done already
    assert edited(result, network.swap_back(edit)) == text


@EVERY
def test_the_line_for_the_runbook_does_the_same(text: str, tmp_path: Path) -> None:
    """What an operator runs by hand when there is no hamnd: tells, checks, changes, takes."""
    path = tmp_path / "it's a file"
    path.write_text(text)
    path.chmod(0o600)
    edit = network.swap(site().node, str(path), text, (OWN, MOVED))
    assert edit is not None
    line = preview(edit, site())
    assert "not for anybody" not in line
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert path.read_text() == edited(text, edit)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_comments_and_longer_addresses_are_left_alone() -> None:
    result = edited(IFUPDOWN, swap(IFUPDOWN))
    assert result == IFUPDOWN.replace(f"address {OWN}/24", f"address {MOVED}/24")
    text = "a=10.99.0.123 b=110.99.0.12 c=10.99.0.12.4 d=10.99.0.12 e=10.99.0.12\n"
    assert edited(text, swap(text)) == text.replace(
        "d=10.99.0.12 e=10.99.0.12", f"d={MOVED} e={MOVED}"
    )


def test_a_file_that_somebody_changed_meanwhile_is_not_touched() -> None:
    assert edited(IFCFG + "MTU=9000\n", swap(IFCFG)) is None


@pytest.mark.parametrize("text", ["", "# 10.99.0.12\n", "IPADDR=10.99.0.13\n"])
def test_a_file_without_the_address_has_no_edit(text: str) -> None:
    assert network.swap("mn2", "/etc/x", text, (OWN, MOVED)) is None


def test_a_file_is_replaced_as_a_whole_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old\n")
    path.chmod(0o640)
    subprocess.run(put(str(path)), input="new\n", text=True, check=True)
    assert path.read_text() == "new\n"
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_before_the_step_is_done(
    tmp_path: Path,
) -> None:
    """A file system may write the name down first: after a power cut an empty file would boot."""
    folder, path, log = tmp_path / "etc", tmp_path / "etc/f", tmp_path / "log"
    folder.mkdir()
    path.write_text("old\n")
    sync = tmp_path / "sync"
    sync.write_text(f'#!/bin/sh\ncat "{path}" >>"{log}"; echo "$1" >>"{log}"\n')
    sync.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(put(str(path)), input="new\n", text=True, check=True, env=environment)
    before, synced, after, then = log.read_text().splitlines()
    assert (before, after, then) == ("old", "new", str(folder))
    assert synced.startswith(f"{path}.")


# What was read of the host.


def listed(**files: str) -> Report:
    lines = [
        f"/etc/{name} {base64.b64encode(text.encode()).decode()}" for name, text in files.items()
    ]
    return exited(0, "\n".join([*lines, "done"]) + "\n")


def test_files_come_home_as_they_are() -> None:
    assert network.parse_files(listed(a=KEYFILE, b="")) == {"/etc/a": KEYFILE, "/etc/b": ""}


@pytest.mark.parametrize(
    "report", [*MUTE, exited(0, ""), exited(0, "/etc/a aGk=\n"), exited(0, "/etc/a ???\ndone\n")]
)
def test_half_of_the_files_are_none(report: Report) -> None:
    assert network.parse_files(report) is None
    look = network.are_named_in_files(site(), OWN)
    assert read_look(Looked(look, report)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("look", "report", "verdict"),
    [
        (network.are_named_in_files(site(), OWN), listed(a=IFCFG), Verdict.PASS),
        (network.are_named_in_files(site(), MOVED), listed(a=IFCFG), Verdict.BLOCK),
        (network.are_named_in_files(site(), OWN), listed(a=f"# {OWN}\n"), Verdict.BLOCK),
        (network.are_not_named_in_files(site(), OWN), listed(a=IFCFG), Verdict.BLOCK),
        (network.are_not_named_in_files(site(), MOVED), listed(a=IFCFG), Verdict.PASS),
        (network.are_not_named_in_files(site(), OWN), MUTE[0], Verdict.UNKNOWN),
        (network.is_named(site(), "mn1"), exited(0, "mn1\n"), Verdict.PASS),
        (network.is_named(site(), "mn1"), exited(0, "mn1.cluster.test\n"), Verdict.PASS),
        (network.is_named(site(), "mn1"), exited(0, "mn12\n"), Verdict.BLOCK),
        (network.is_named(site(), "mn1"), exited(0, "\n"), Verdict.UNKNOWN),
        (network.is_named(site(), "mn1"), exited(1, "", "hostname: no"), Verdict.UNKNOWN),
        (network.files(site()), listed(), Verdict.PASS),
    ],
)
def test_what_a_look_at_name_and_files_finds(look: Look, report: Report, verdict: Verdict) -> None:
    assert read_look(Looked(look, report)).verdict is verdict


@pytest.mark.skipif(shutil.which("ifquery") is None, reason="no ifupdown here")
def test_ifupdown_reads_the_new_address(tmp_path: Path) -> None:
    result = edited(IFUPDOWN, swap(IFUPDOWN))
    assert result is not None
    path = tmp_path / "interfaces"
    path.write_text(result)
    done = subprocess.run(
        ["ifquery", "-i", path, "eth0"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"address: {MOVED}/24" in done.stdout or f"address: {MOVED}" in done.stdout


@pytest.mark.skipif(shutil.which("netplan") is None, reason="no netplan here")
def test_netplan_generates_the_new_address(tmp_path: Path) -> None:
    result = edited(NETPLAN, swap(NETPLAN))
    assert result is not None
    folder = tmp_path / "etc/netplan"
    folder.mkdir(parents=True)
    (folder / "01.yaml").write_text(result)
    (folder / "01.yaml").chmod(0o600)
    done = subprocess.run(
        ["netplan", "generate", "--root-dir", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    made = (tmp_path / "run/systemd/network/10-netplan-eth0.network").read_text()
    assert f"Address={MOVED}/24" in made
