"""Runs the script of a look for real, where only the given programs and a few tools are found."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from hamnd.model.work import Action, Exec, Look, Report
from tests.unit.dialects.reports import exited

TOOLS = ("awk", "cat", "cut", "grep", "head", "mkdir", "rm", "sed", "sort", "tail", "uname")


def told(look: Look | Action, folder: Path, programs: dict[str, str]) -> Report:
    """Run a script where only these programs and the usual tools are found."""
    assert isinstance(look.request, Exec)
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}")
        (folder / name).chmod(0o755)
    sh, *words = look.request.argv
    argv = [f"/bin/{sh}", *words]
    done = subprocess.run(
        argv, env={"PATH": str(folder)}, check=False, capture_output=True, text=True
    )
    return exited(done.returncode, done.stdout, done.stderr)
