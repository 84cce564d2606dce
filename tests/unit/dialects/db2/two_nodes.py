"""Two nodes that are folders of this machine: their programs are stubs, `ssh` and `su` stay here.

Owns how an action or a look is run there by a real shell. MUST NOT know what it should do.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

from hamnd.dialects.readers import read_action, read_look
from hamnd.model.site import Site
from hamnd.model.work import Action, Exec, Look, Looked, Reading, Report
from tests.builders import site
from tests.unit.dialects.reports import exited

HERE, THERE = site().node, site().partner.name
SSH = 'for line; do :; done; cd "{there}" && exec env PATH="$PWD:$PATH" sh -c "$line"\n'
SU = 'while [ "$1" != -c ]; do shift; done; exec sh -c "$2"\n'


def nodes(folder: Path) -> Site:
    """Return a site whose own node is this folder, and whose partner is `there` in it."""
    (folder / "there").mkdir()
    for name, text in (("ssh", SSH.format(there=folder / "there")), ("su", SU)):
        (folder / name).write_text(f"#!/bin/sh\n{text}")
        (folder / name).chmod(0o755)
    return replace(site(), db2=replace(site().db2, profile=None, work_dir="work"), tools={})


def call(work: Action | Look, folder: Path) -> Report:
    """Run what root on this node would run."""
    assert isinstance(work.request, Exec)
    done = subprocess.run(
        work.request.argv,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=folder,
        env={"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder)},
    )
    return exited(done.returncode, done.stdout, done.stderr)


def looked(look: Look, folder: Path) -> Reading:
    return read_look(Looked(look, call(look, folder)))


def acted(action: Action, folder: Path) -> Reading:
    return read_action(action, call(action, folder))


def calls(folder: Path) -> list[str]:
    """Return what the stubs of a node were called with."""
    path = folder / "calls"
    return path.read_text().splitlines() if path.exists() else []
