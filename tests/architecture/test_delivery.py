"""What is delivered beside the package: units, shell files, samples, the way in.

The SRC scripts are run against stand-ins that obey the AIX reference (aix.md §1.6).
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.site.fixtures import MUST_RUN

SHELL_FILES = (
    "hamnd/guard/hamn-guard",
    "aix-src/hamnd-src",
    "aix-src/hamn-boot",
    "aix-src/hamn-rotate",
    "aix-src/hamn-tell",
    "aix-src/fence_hamnd_hmc",
    "aix-src/install.sh",
    "aix-src/uninstall.sh",
    "aix-src/verify.sh",
    "aix-src/bundle",
    "aix-src/src-register",
    "aix-src/src-unregister",
    ".ci/venv",
    ".ci/install",
    "packaging/wheels",
    "packaging/stage",
    "packaging/build",
    "packaging/files/package",
    "packaging/files/compile",
)
DROP_INS = (
    "hamn-guard.conf",
    "hamn-guard-before-243.conf",
    "hamn-guard-postgresql@.conf",
    "hamn-guard-mariadb.conf",
    "hamn-guard-mariadb-before-243.conf",
    "hamn-guard-network.conf",
    "hamn-guard-network-before-243.conf",
    "hamn-guard-postgresql@-before-243.conf",
)
NOT_ON_FILE = "0513-085 The hamnd Subsystem is not on file."
HEADER = "Subsystem         Group            PID          Status"
INACTIVE = f"{HEADER}\n hamnd            hamn                          inoperative"
ACTIVE = f"{HEADER}\n hamnd            hamn             10551496     active"


@pytest.mark.parametrize("name", SHELL_FILES)
def test_shell_files_parse(checkout: Path, name: str) -> None:
    path = checkout / name
    assert os.access(path, os.X_OK)
    for shell in ("sh", "ksh", "bash"):
        if program := shutil.which(shell):
            done = subprocess.run(
                [program, "-n", path], capture_output=True, text=True, check=False
            )
            # ksh93 warns of arithmetic that it could do faster, in words that sh lacks.
            wrong = [line for line in done.stderr.splitlines() if "warning:" not in line]
            assert (done.returncode, wrong) == (0, []), shell


@pytest.mark.parametrize("name", SHELL_FILES)
def test_shell_files_use_nothing_that_ksh88_or_sh_lacks(checkout: Path, name: str) -> None:
    text = (checkout / name).read_text()
    assert not re.search(r"\[\[|\blocal\b|\bfunction\b|\+=|<<<|&>|\bsource\b|\bpipefail\b", text)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_the_unit_file_is_valid(checkout: Path, tmp_path: Path) -> None:
    """Verified as a copy whose program exists: systemd-analyze looks for it."""
    program = tmp_path / "hamnd"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = (checkout / "systemd/hamnd.service").read_text()
    assert "ExecStart=/usr/bin/hamnd --config /etc/hamnd/hamnd.toml\n" in text
    copy = tmp_path / "hamnd.service"
    copy.write_text(text.replace("/usr/bin/hamnd", str(program)))
    done = subprocess.run(
        ["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False
    )
    about_us = [line for line in done.stderr.splitlines() if "hamnd" in line]
    assert (done.returncode, about_us) == (0, [])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_the_units_exposure_is_what_security_md_says(checkout: Path) -> None:
    unit = checkout / "systemd/hamnd.service"
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", unit],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = re.search(r"Overall exposure level for hamnd.service: (\d+\.\d)", done.stdout)
    assert found is not None, done.stderr
    text = " ".join((checkout / "SECURITY.md").read_text().split())
    assert f"`systemd-analyze security` says {found[1]} of 10" in text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
@pytest.mark.parametrize("drop_in", [None, *DROP_INS])
def test_the_guards_units_and_drop_ins_are_valid(
    checkout: Path, tmp_path: Path, drop_in: str | None
) -> None:
    """Verified as copies whose program exists, each drop-in on a unit of its own."""
    program = tmp_path / "hamn-guard"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    units = []
    if drop_in is None:
        for name in ("hamn-guard.service", "hamn-address.service"):
            text = (checkout / "hamnd/guard" / name).read_text()
            units.append(tmp_path / name)
            units[-1].write_text(text.replace("/usr/sbin/hamn-guard", str(program)))
    else:
        unit = "served@.service" if "@" in drop_in else "served.service"
        units.append(tmp_path / unit)
        units[-1].write_text("[Service]\nExecStart=/bin/true\n")
        folder = tmp_path / f"{unit}.d"
        folder.mkdir()
        text = (checkout / "hamnd/guard" / drop_in).read_text()
        (folder / "hamn-guard.conf").write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False
    )
    about_us = [line for line in done.stderr.splitlines() if str(tmp_path) in line]
    assert (done.returncode, about_us) == (0, [])


@pytest.mark.parametrize("name", [one for one in DROP_INS if "before-243" not in one])
def test_each_drop_in_has_a_form_for_a_systemd_that_obeys_no_condition(
    checkout: Path, name: str
) -> None:
    """The same question, word for word, asked before the program instead of as a condition."""
    folder = checkout / "hamnd/guard"
    old = (folder / name.replace(".conf", "-before-243.conf")).read_text()
    (asked,) = re.findall(r"^ExecCondition=(.*)$", (folder / name).read_text(), re.MULTILINE)
    assert f"\nExecStartPre={asked}\n" in old
    assert "\nExecCondition=" not in old


LAB_STORY = """\
from tests.lab.site import fixtures, needs

needs.PACKAGES["no-such-program"] = "no-such-package"
pytestmark = fixtures.needs("no-such-program")


def test_a_story() -> None:
    raise AssertionError
"""


@pytest.mark.parametrize("is_ci", [True, False])
def test_ci_fails_where_the_lab_was_skipped(checkout: Path, tmp_path: Path, is_ci: bool) -> None:
    """Given a story that cannot be played here, when it is run in the environment that .ci/run
    makes, then the run fails and says what is missing; elsewhere the story is skipped."""
    story = tmp_path / "test_story.py"
    story.write_text(LAB_STORY)
    before, _, rest = (checkout / ".ci/run").read_text().partition("make test")
    assert rest.strip() == "", "the tests come last: their failure is the run's"
    exports = [line for line in before.splitlines() if line.startswith("export ")]
    runs = 'exec "$0" -m pytest -q -p no:cacheprovider --rootdir="$1" -c "$1/pyproject.toml" "$2"'
    script = "\n".join([*(exports if is_ci else []), runs])
    environment = {name: word for name, word in os.environ.items() if name != MUST_RUN}
    done = subprocess.run(
        ["bash", "-ec", script, sys.executable, str(checkout), str(story)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) is is_ci, done.stdout
    assert ("1 skipped" in done.stdout) is not is_ci, done.stdout
    assert "needs package no-such-package" in done.stdout
    assert ("the lab must run here" in done.stdout) is is_ci


def test_ci_runs_what_the_readme_says(checkout: Path) -> None:
    blocks = re.findall(
        r"^```sh\n(.*?)^```", (checkout / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    commands = {line for block in blocks for line in block.splitlines()}
    last = (checkout / ".ci/run").read_text().splitlines()[-1]
    assert last == "make test"
    assert last in commands


def _stand_ins(folder: Path, lssrc: str, status: str = "", code: int = 0) -> dict[str, str]:
    """Make AIX's commands: each notes its arguments; lssrc answers as told, then as stopped."""
    folder.mkdir()
    note = f'echo "$(basename "$0") $*" >> {folder}/called\n'
    for name in ("mkssys", "chssys", "rmssys", "mkitab", "chitab", "rmitab", "stopsrc", "hamnctl"):
        (folder / name).write_text(f"#!/bin/sh\n{note}")
    (folder / "answer").write_text(lssrc + "\n")
    (folder / "lssrc").write_text(
        f"#!/bin/sh\ncat {folder}/answer\ngrep -q 'Status' {folder}/answer || exit 1\n"
    )
    (folder / "stopsrc").write_text(
        f"#!/bin/sh\n{note}printf '%s\\n' '{INACTIVE}' > {folder}/answer\n"
    )
    (folder / "lsitab").write_text(f'#!/bin/sh\n[ "$1" = hamnd ] && test -e {folder}/in_inittab\n')
    (folder / "hamnctl").write_text(f"#!/bin/sh\nprintf '%s' '{status}'\nexit {code}\n")
    for path in folder.iterdir():
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {
        "PATH": os.environ["PATH"],
        "HAMND_BIN_DIR": str(folder),
        "HAMND_SBIN_DIR": str(folder),
        "HAMND_ROOT": str(folder / "root"),
        "HAMND_WRAPPER": str(folder / "lssrc"),
        "HAMNCTL": str(folder / "hamnctl"),
        "HAMND_POLL_SECONDS": "0",
    }


def _run(script: Path, environment: dict[str, str], *arguments: str) -> tuple[int, list[str], str]:
    done = subprocess.run(
        ["sh", script, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    called = Path(environment["HAMND_BIN_DIR"], "called")
    lines = called.read_text().splitlines() if called.exists() else []
    return done.returncode, [line.split()[0] for line in lines], done.stderr


@pytest.mark.parametrize(
    ("answer", "in_inittab", "expected"),
    [
        (NOT_ON_FILE, False, ["mkssys", "mkitab"]),
        (INACTIVE, True, ["chssys", "chitab"]),
        (ACTIVE, False, ["chssys", "mkitab"]),
    ],
)
def test_registering_is_idempotent(
    checkout: Path, tmp_path: Path, answer: str, in_inittab: bool, expected: list[str]
) -> None:
    environment = _stand_ins(tmp_path / "aix", answer)
    if in_inittab:
        (tmp_path / "aix/in_inittab").touch()
    code, called, _ = _run(checkout / "aix-src/src-register", environment)
    assert (code, called) == (0, expected)


def test_a_hung_srcmstr_registers_nothing(checkout: Path, tmp_path: Path) -> None:
    environment = _stand_ins(tmp_path / "aix", "0513-056 Timeout waiting for command response.")
    code, called, said = _run(checkout / "aix-src/src-register", environment)
    assert (code, called) == (1, [])
    assert "could not tell" in said


def test_unregistering_stops_then_removes(checkout: Path, tmp_path: Path) -> None:
    environment = _stand_ins(tmp_path / "aix", ACTIVE, '{"state": "Peer"}')
    (tmp_path / "aix/in_inittab").touch()
    code, called, _ = _run(checkout / "aix-src/src-unregister", environment)
    assert (code, called) == (0, ["stopsrc", "rmitab", "rmssys"])


def test_unregistering_twice_does_nothing(checkout: Path, tmp_path: Path) -> None:
    environment = _stand_ins(tmp_path / "aix", NOT_ON_FILE, "", 6)
    assert _run(checkout / "aix-src/src-unregister", environment)[:2] == (0, [])


def test_unregistering_is_refused_during_a_takeover(checkout: Path, tmp_path: Path) -> None:
    environment = _stand_ins(tmp_path / "aix", ACTIVE, '{"state": "TakingOver"}')
    code, called, said = _run(checkout / "aix-src/src-unregister", environment, "--anyway")
    assert (code, called) == (1, [])
    assert "takeover is running or paused" in said


def test_unregistering_needs_a_word_when_nobody_knows(checkout: Path, tmp_path: Path) -> None:
    environment = _stand_ins(tmp_path / "aix", INACTIVE, "", 1)
    assert _run(checkout / "aix-src/src-unregister", environment)[:2] == (1, [])
    assert _run(checkout / "aix-src/src-unregister", environment, "--anyway")[:2] == (0, ["rmssys"])


def _tools_only(folder: Path) -> Path:
    """Make a search path on which nothing but what .ci/venv itself needs can be found."""
    folder.mkdir()
    for name in ("sh", "dirname"):
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    return folder


@pytest.mark.parametrize(
    ("python3", "said"),
    [
        (None, "hamnd needs Python 3.11 or newer, and none was found"),
        ("exit 1", "hamnd needs Python 3.11 or newer, and none was found"),  # too old
        ('case "$2" in *ensurepip*) exit 1;; esac', "apt-get install python3-venv"),
    ],
)
def test_a_missing_python_is_answered_with_what_to_install(
    checkout: Path, tmp_path: Path, python3: str | None, said: str
) -> None:
    path = _tools_only(tmp_path / "bin")
    if python3 is not None:
        (path / "python3").write_text(f"#!/bin/sh\n{python3}\n")
        (path / "python3").chmod(0o755)
    done = subprocess.run(
        ["sh", checkout / ".ci/venv", tmp_path / "venv", "."],
        cwd=checkout,
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "venv").exists()
