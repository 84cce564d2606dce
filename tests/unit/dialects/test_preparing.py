"""What setup does to names and keys: what is there already stays, nothing is taken on trust."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hamnd.dialects import preparing
from hamnd.model.work import Exec, Look
from tests.builders import site

GETENT = '#!/bin/sh\ngrep "[[:space:]]$2$" "$HOSTS" || exit 2\n'


def run(request: object, folder: Path, hosts: str = "") -> tuple[int, str, str]:
    """Run a script with a resolver that reads a file of its own; return code, output, file."""
    assert isinstance(request, Exec)
    (folder / "getent").write_text(GETENT)
    (folder / "getent").chmod(0o755)
    file = folder / "hosts"
    if not file.exists():
        file.write_text(hosts)
    argv = [word.replace("/etc/hosts", str(file)) for word in request.argv]
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "HOSTS": str(file), "HOME": str(folder)}
    done = subprocess.run(argv, env=environment, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout, file.read_text()


def test_a_name_that_is_not_known_is_added_and_then_known(tmp_path: Path) -> None:
    look: Look = preparing.knows_names(site(), "aixmn2")
    there = "9.114.47.103 aixmn1\n"
    assert run(look.request, tmp_path, there)[0] == 1
    code, _, text = run(preparing.teach_names(site(), "aixmn2").request, tmp_path)
    assert (code, text) == (0, f"{there}9.114.47.104 aixmn2\n")
    assert run(look.request, tmp_path)[0] == 0
    assert run(preparing.teach_names(site(), "aixmn2").request, tmp_path)[2] == text


def test_a_name_that_has_another_address_is_left_to_a_person(tmp_path: Path) -> None:
    wrong = "9.114.47.99 aixmn1\n"
    code, said, text = run(preparing.teach_names(site(), "aixmn2").request, tmp_path, wrong)
    assert (code, text) == (1, wrong)
    assert "aixmn1 has another address here" in said


@pytest.mark.parametrize("one", ["ssh-ed25519 AAAA root@aixmn1\n"])
def test_a_key_is_taken_once(one: str, tmp_path: Path) -> None:
    script = preparing._TAKE_KEY
    for _ in range(2):
        subprocess.run(
            ["sh", "-c", script], env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
            input=one, text=True, check=True,
        )  # fmt: skip
    assert (tmp_path / ".ssh/authorized_keys").read_text() == one
