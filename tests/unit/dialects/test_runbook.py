"""The takeover by hand gets onto the partner's disk, whole or not at all."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hamnd.core.papers import paper_routines
from hamnd.core.policy import Policy, Terms
from hamnd.dialects import runbook
from hamnd.model.site import Paths, Site
from hamnd.model.work import Exec
from tests.builders import site as any_site


def site(folder: Path) -> Site:
    """A site whose ssh carries the line out in the folder of the partner."""
    ssh = folder / "ssh"
    told = f"export HAMND_STATE_DIR={folder}/there; for line; do :; done"
    ssh.write_text(f'#!/bin/sh\n{told}\nexec sh -c "$line"\n')
    ssh.chmod(0o755)
    here = folder / "here"
    here.mkdir(exist_ok=True)
    return any_site(tools={"ssh": str(ssh)}, paths=Paths(state_dir=str(here)))


def leave(where: Site, file: str = runbook.FILE) -> subprocess.CompletedProcess[str]:
    request = runbook.leave(where, file).request
    assert isinstance(request, Exec)
    assert request.host == where.node
    return subprocess.run(request.argv, capture_output=True, text=True, timeout=30, check=False)


def test_it_lies_on_the_partner_under_the_name_of_the_node_that_takes_over(tmp_path: Path) -> None:
    where = site(tmp_path)
    for file in (runbook.FILE, runbook.MARKDOWN):
        (tmp_path / "here" / file).write_text(f"1. fence\n2. promote ({file})\n")
        for _ in range(2):
            assert leave(where, file).returncode == 0
    copies = {one.name: one.read_text() for one in (tmp_path / "there").iterdir()}
    assert copies == {
        f"runbook-{where.node}.txt": "1. fence\n2. promote (runbook.txt)\n",
        f"runbook-{where.node}.md": "1. fence\n2. promote (runbook.md)\n",
    }


@pytest.mark.parametrize("text", [None, ""])
def test_nothing_whole_is_replaced_by_nothing(tmp_path: Path, text: str | None) -> None:
    where = site(tmp_path)
    there = tmp_path / "there"
    there.mkdir()
    older = there / runbook.copy_name(where)
    older.write_text("the older one\n")
    if text is not None:
        (tmp_path / "here" / "runbook.txt").write_text(text)
    assert leave(where).returncode != 0
    assert older.read_text() == "the older one\n"


def test_it_is_copied_every_hour(tmp_path: Path) -> None:
    (routine,) = paper_routines(Terms(site(tmp_path), Policy()))
    assert (routine.name, routine.schedule) == ("runbook", "23 * * * *")
    here = site(tmp_path)
    assert routine.actions == (runbook.leave(here), runbook.leave(here, runbook.MARKDOWN))
