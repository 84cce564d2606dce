"""What is delivered for AIX: SRC and inittab, the guard at boot, the HMC's fence agent, the bundle.

The scripts are run by ksh where there is one. SRC and inittab are those of the demo's world, which
obey aix.md §1; the rest are stand-ins of a line or two.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hamnd.demo.aix_host import AixHost, Status
from hamnd.demo.machines import STANDBY
from hamnd.demo.site import lay_out
from hamnd.demo.world import World
from tests.lab.demo_stage import QUICK

KSH = shutil.which("ksh") or "sh"
NAMES = (
    "hamnd-src", "hamn-boot", "hamn-tell", "hamn-rotate", "fence_hamnd_hmc", "install.sh",
    "uninstall.sh", "src-register", "src-unregister", "verify.sh",
)  # fmt: skip


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def run(
    script: Path, *arguments: str, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [KSH, script, *arguments],
        input=stdin,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def shell_files(checkout: Path) -> Iterator[Path]:
    """Return every file of ours that a shell reads."""
    for path in sorted(checkout.rglob("*")):
        parts = path.relative_to(checkout).parts
        if parts[0] in (".venv", ".git", "dist", "build") or not path.is_file():
            continue
        with path.open("rb") as file:
            first = file.readline(60)
        if first.startswith(b"#!") and first.strip().endswith((b"sh", b"ksh", b"bash")):
            yield path


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck here (.ci/packages)")
def test_shellcheck_is_content_with_every_shell_file(checkout: Path) -> None:
    files = list(shell_files(checkout))
    assert {checkout / "aix-src" / name for name in NAMES} <= set(files)
    done = subprocess.run(
        ["shellcheck", "--severity=style", *files],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


# --- SRC and inittab ------------------------------------------------------------------------


@dataclass
class Host:
    """An AIX host of the demo's world, and the scripts run on it."""

    world: World
    checkout: Path
    root: Path

    @property
    def aix(self) -> AixHost:
        found = self.world.site.machines[STANDBY].aix
        assert found is not None
        return found

    async def run(self, name: str, *arguments: str, **more: str) -> tuple[int, str]:
        layout = self.world.layout
        environment = {
            "PATH": f"{layout.bin}:{os.environ['PATH']}",
            "HAMND_DEMO_NODE": STANDBY,
            "HAMND_BIN_DIR": str(layout.bin),
            "HAMND_SBIN_DIR": str(layout.bin),
            "HAMND_ROOT": str(self.root),
            "HAMND_WRAPPER": str(self.checkout / "aix-src/hamnd-src"),
            "HAMND_POLL_SECONDS": "0.2",
            "HAMNCTL": str(self.root / "hamnctl"),
            **more,
        }
        process = await asyncio.create_subprocess_exec(
            KSH, str(self.checkout / "aix-src" / name), *arguments,
            env=environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(60):
            out, _ = await process.communicate()
        return process.returncode or 0, out.decode()


@contextlib.asynccontextmanager
async def host(checkout: Path) -> AsyncIterator[Host]:
    root = Path(tempfile.mkdtemp(prefix="ha-"))
    try:
        async with World(lay_out(root / "w", QUICK, "aix"), openssh=False) as world:
            program(root / "hamnctl", "exit 6")
            yield Host(world, checkout, root)
    finally:
        shutil.rmtree(root)


async def test_registered_twice_stopped_and_removed_twice(checkout: Path) -> None:
    async with host(checkout) as one:
        for _ in range(2):
            code, said = await one.run("src-register")
            assert code == 0, said
        fields = one.aix.subsystems["hamnd"].fields
        kept = {key: fields[key] for key in ("contact", "signorm", "sigforce", "action", "multi")}
        assert kept == {
            "contact": "-S", "signorm": "15", "sigforce": "9", "action": "-R", "multi": "-Q",
        }  # fmt: skip
        assert fields["waittime"] == "60"
        lines = [line for line in one.aix.inittab if line.startswith("hamnd:")]
        assert lines == ["hamnd:2:once:/usr/bin/startsrc -s hamnd >/dev/console 2>&1"]
        one.aix.turn(one.world.site, "hamnd", Status.ACTIVE, one.world.now())
        for _ in range(2):
            code, said = await one.run("src-unregister")
            assert code == 0, said
        assert "hamnd" not in one.aix.subsystems
        assert not any(line.startswith("hamnd:") for line in one.aix.inittab)


async def test_a_dry_run_tells_everything_and_changes_nothing(checkout: Path) -> None:
    async with host(checkout) as one:
        before = (dict(one.aix.subsystems), list(one.aix.inittab), sorted(one.root.rglob("*")))
        code, said = await one.run("src-register", "--dry-run", "--guard", "cron")
        assert code == 0, said
        assert "mkssys -s hamnd" in said
        assert "hamnboot:2:once:/opt/hamnd/libexec/hamn-boot cron" in said
        assert "nothing was changed" in said
        after = (dict(one.aix.subsystems), list(one.aix.inittab), sorted(one.root.rglob("*")))
        assert after == before


async def test_the_guard_takes_the_place_of_xcats_own_line_and_gives_it_back(
    checkout: Path,
) -> None:
    async with host(checkout) as one:
        lines = [
            "xcatd:2:once:/opt/xcat/sbin/restartxcatd > /dev/console 2>&1",
            "names:2:once:/usr/bin/startsrc -s named",
            "nim:2:wait:/usr/bin/startsrc -g nim > /dev/console 2>&1",
        ]
        others = ["nimclient:2:once:/usr/bin/startsrc -g nimclient", "x:2:off:startsrc -s named"]
        one.aix.inittab += [*lines, *others]
        for _ in range(2):
            code, said = await one.run("src-register", "--guard", "xcatd", "named", "nimesis")
            assert code == 0, said
            assert not set(lines) & set(one.aix.inittab)
            assert set(others) <= set(one.aix.inittab)
        names = "xcatd named nimesis"
        wanted = f"hamnboot:2:once:/opt/hamnd/libexec/hamn-boot {names} >/dev/console 2>&1"
        assert wanted in one.aix.inittab
        code, said = await one.run("src-unregister")
        assert code == 0, said
        assert set(lines) <= set(one.aix.inittab)
        assert wanted not in one.aix.inittab


async def test_a_node_that_let_go_starts_nothing_again_when_hamnd_is_removed(
    checkout: Path,
) -> None:
    async with host(checkout) as one:
        line = "xcatd:2:once:/opt/xcat/sbin/restartxcatd > /dev/console 2>&1"
        one.aix.inittab.append(line)
        assert (await one.run("src-register", "--guard", "xcatd"))[0] == 0
        (one.root / "var/hamnd/inittab.held").write_text("hamnboot:2:once:x\n")
        code, said = await one.run("src-unregister")
        assert (code, "another node serves" in said) == (0, True)
        assert line not in one.aix.inittab
        assert (one.root / "var/hamnd/inittab.before").read_text() == f"{line}\n"


CLUSTER = "address=en1 127.0.47.99 26\naddress=en1 127.0.47.104 26\n"
"""An alias, and this node's own address, which the ODM has brought up."""


async def boot(one: Host, guard: str, conf: str = CLUSTER) -> tuple[int, str]:
    """Run hamn-boot with a guard that answers as this script does."""
    tools = one.root / "tools"
    tools.mkdir(exist_ok=True)
    program(tools / "date", "echo 26")
    for name in ("ifconfig", "ping", "who"):
        there = one.world.layout.bin / name
        program(tools / name, f'echo "$*" >>{one.root}/{name}; exec {there} "$@"')
    (one.root / "guard.conf").write_text(f"node=aixmn2\n{conf}")
    return await one.run(
        "hamn-boot", "xcatd", "conserver", "nimesis",
        HAMN_GUARD=str(program(one.root / "guard", guard)), HAMN_GUARD_PAUSE="0.2",
        HAMND_STATE_DIR=str(one.root), HAMND_SBIN_DIR=str(tools),
        PATH=f"{tools}:{os.environ['PATH']}",
    )  # fmt: skip


@pytest.mark.parametrize("answer", [0, 3])
async def test_nothing_starts_at_boot_that_the_guard_does_not_let(
    checkout: Path, answer: int
) -> None:
    async with host(checkout) as one:
        once_unknown = (
            f'[ "$1" = check ] || exit 2; [ -e {one.root}/asked ] || '
            f"{{ : >{one.root}/asked; exit 5; }}; exit {answer}"
        )
        code, said = await boot(one, once_unknown)
        assert code == answer, said
        for name in ("xcatd", "conserver", "nimesis"):
            assert (one.aix.subsystems[name].status is Status.ACTIVE) is (answer == 0)
        assert ("127.0.47.99" in one.aix.machine.addresses) is (answer == 0)
        assert ("127.0.47.104" in one.aix.machine.addresses) is (answer == 0), "given up, or kept"
        if answer == 0:
            assert one.aix.subsystems["xcatd"].environment.startswith("XCATROOT=/opt/xcat PATH=")


@pytest.mark.parametrize(("owner", "code"), [("aixmn2", 0), ("aixmn1", 3)])
async def test_the_guard_itself_decides_at_boot(checkout: Path, owner: str, code: int) -> None:
    """Given an epoch of this boot, or of the other node, and nobody who answers."""
    async with host(checkout) as one:
        this_boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        (one.root / "epoch").write_text(f"2 {owner} {this_boot}\n")
        partner = "primary=aixmn1\npartner=aixmn1 root 127.0.47.103 22\nssh=/bin/false\n"
        ask = f'exec {checkout}/hamnd/guard/hamn-guard "$@"'
        ended, said = await boot(one, ask, f"{partner}when_unknown=hold\n{CLUSTER}")
        assert ended == code, said
        assert (one.aix.subsystems["xcatd"].status is Status.ACTIVE) is (code == 0)


async def test_an_alias_comes_up_with_its_netmask(checkout: Path) -> None:
    async with host(checkout) as one:
        assert (await boot(one, "exit 0"))[0] == 0
        called = (one.root / "ifconfig").read_text().splitlines()
        assert "en1 alias 127.0.47.99 netmask 255.255.255.192 up" in called


@pytest.mark.parametrize(("logged", "code"), [("1130104926", 3), ("1130104626", 0)])
async def test_an_address_that_two_hosts_have_is_given_up_before_anybody_is_asked(
    checkout: Path, logged: str, code: int
) -> None:
    """Only what was logged since this boot counts."""
    async with host(checkout) as one:
        one.aix.log(f"A63BEB70   {logged} T S en1            DUPLICATE #AIXIF_ARP_DUP_ADDR")
        ended, said = await boot(one, "exit 0", "address=en1 127.0.47.104 26\n")
        assert ended == code, said
        assert ("127.0.47.104" in one.aix.machine.addresses) is (code == 0)
        assert (one.aix.subsystems["xcatd"].status is Status.ACTIVE) is (code == 0)
        assert any("hamn-guard assert" in line for line in one.aix.syslog) is (code == 3)


async def test_an_address_that_somebody_answers_for_is_not_taken_at_boot(checkout: Path) -> None:
    async with host(checkout) as one:
        code, said = await boot(one, "exit 0", "address=en1 127.0.47.103 26\n")
        assert (code, "somebody answers for 127.0.47.103" in said) == (5, True)
        assert one.aix.subsystems["xcatd"].status is Status.INOPERATIVE


async def test_what_is_verified_on_a_real_host_holds_for_the_stand_ins(checkout: Path) -> None:
    """So the stand-ins keep to what is asked of a real AIX, and the script can be run at all."""
    async with host(checkout) as one:
        _, said = await one.run("verify.sh", "en1", PYTHON="/nowhere")
        held = [line for line in said.splitlines() if line.startswith("holds")]
        failed = [line for line in said.splitlines() if line.startswith("DOES NOT")]
        assert failed == [], said
        assert len(held) >= 26


# --- the HMC --------------------------------------------------------------------------------

HMC = """\
echo "$*" >>{folder}/asked
case "$*" in
*lssyscfg*) [ ! -e {folder}/broken ] || exit 255; cat {folder}/state ;;
*chsysstate*) printf 'aixmn1,%s\\n' "$(cat {folder}/then)" >{folder}/state ;;
esac
"""
OPTIONS = "ip=hmc1\nusername=hscroot\nmanaged=SYS\nplug=aixmn1\nidentity_file=/.ssh/hmc\n"


class Hmc:
    """An HMC behind a stand-in of ssh."""

    def __init__(self, folder: Path, checkout: Path, state: str) -> None:
        self.folder = folder
        self.agent = checkout / "aix-src/fence_hamnd_hmc"
        self.ssh = program(folder / "ssh", HMC.format(folder=folder))
        (folder / "state").write_text(f"aixmn1,{state}\n")
        (folder / "then").write_text("Not Activated")

    def call(self, verb: str, options: str = OPTIONS) -> tuple[int, str]:
        done = run(
            self.agent, stdin=f"{options}action={verb}\n", HAMND_SSH=str(self.ssh),
            HAMND_POLL_SECONDS="0",
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    @property
    def asked(self) -> str:
        path = self.folder / "asked"
        return path.read_text() if path.exists() else ""


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("Not Activated", 2), ("Running", 0), ("Starting", 0), ("Shutting Down", 0),
        ("Open Firmware", 0), ("Error", 0), ("Not Available", 1), ("Hibernated", 1), ("", 1),
    ],
)  # fmt: skip
def test_only_not_activated_is_off(tmp_path: Path, checkout: Path, state: str, code: int) -> None:
    assert Hmc(tmp_path, checkout, state).call("status")[0] == code


def test_off_is_done_when_the_hmc_says_not_activated(tmp_path: Path, checkout: Path) -> None:
    hmc = Hmc(tmp_path, checkout, "Running")
    assert hmc.call("off") == (0, "Success: Powered OFF\n")
    assert "chsysstate -m SYS -r lpar -o shutdown --immed -n aixmn1" in hmc.asked
    assert "--restart" not in hmc.asked
    assert "-i /.ssh/hmc" in hmc.asked


@pytest.mark.parametrize("then", ["Running", "Shutting Down", "Not Available"])
def test_a_partition_that_does_not_go_off_is_a_failure(
    tmp_path: Path, checkout: Path, then: str
) -> None:
    hmc = Hmc(tmp_path, checkout, "Running")
    (tmp_path / "then").write_text(then)
    code, said = hmc.call("off")
    assert (code, "Timed out waiting to power OFF" in said) == (1, True)


def test_an_hmc_that_is_silent_or_says_two_lines_proves_nothing(
    tmp_path: Path, checkout: Path
) -> None:
    hmc = Hmc(tmp_path, checkout, "Not Activated\naixmn1,Running")
    assert hmc.call("status")[0] == 1
    (tmp_path / "broken").touch()
    assert hmc.call("status")[0] == hmc.call("monitor")[0] == hmc.call("off")[0] == 1


@pytest.mark.parametrize("plug", ["a; reboot", "$(id)", "-x", "", "a b"])
def test_nothing_but_names_gets_into_the_hmcs_shell(
    tmp_path: Path, checkout: Path, plug: str
) -> None:
    hmc = Hmc(tmp_path, checkout, "Running")
    code, said = hmc.call("off", OPTIONS.replace("plug=aixmn1", f"plug={plug}"))
    assert (code, hmc.asked) == (1, "")
    assert "have to be names" in said


def test_the_sum_of_a_file_is_what_every_other_system_says(tmp_path: Path, checkout: Path) -> None:
    (tmp_path / "a b").write_bytes(bytes(range(256)))
    (tmp_path / "empty").touch()
    ours = checkout / "aix-src/sha256sum"
    theirs = shutil.which("sha256sum")
    assert theirs

    def told(program: Path | str, *words: str, stdin: bytes = b"") -> tuple[int, bytes]:
        done = subprocess.run(
            [program, *words], cwd=tmp_path, input=stdin, capture_output=True, check=False
        )
        return done.returncode, done.stdout

    for words in (("a b", "empty"), ()):
        assert told(ours, *words, stdin=b"x") == told(theirs, *words, stdin=b"x")
    (tmp_path / "sums").write_bytes(told(theirs, "a b", "empty")[1])
    assert told(ours, "--quiet", "-c", "sums") == (0, b"")
    (tmp_path / "empty").write_text("changed")
    assert told(ours, "--quiet", "-c", "sums")[0] == 1
    assert told(ours, "missing")[0] == 1


# --- telling, and the bundle ----------------------------------------------------------------


def test_a_change_of_state_gets_into_syslog_and_the_error_log(
    tmp_path: Path, checkout: Path
) -> None:
    for name in ("logger", "errlogger"):
        program(tmp_path / name, f'echo "{name} $*" >>{tmp_path}/told')
    text = '{"event": "state_changed", "to": "PrimaryDown", "because": "' + "x" * 2000 + '"}'
    done = run(checkout / "aix-src/hamn-tell", stdin=text, HAMND_BIN_DIR=str(tmp_path))
    assert done.returncode == 0
    syslog, errlog = (tmp_path / "told").read_text().splitlines()
    assert syslog.startswith("logger -t hamnd -p local6.crit -- {")
    assert errlog.startswith("errlogger hamnd: {")
    assert len(errlog) < 1024


def test_a_log_that_grew_is_turned_over_while_it_is_written(tmp_path: Path, checkout: Path) -> None:
    folder = tmp_path / "var/log/hamnd"
    folder.mkdir(parents=True)
    log, small = folder / "hamnd.log", folder / "syslog"
    small.write_text("a few\n")

    def rotate() -> int:
        script = checkout / "aix-src/hamn-rotate"
        return run(script, HAMND_ROOT=str(tmp_path), HAMND_LOG_BYTES="20").returncode

    with log.open("a") as writer:
        for number in range(10):
            writer.write(f"line {number} of many and long ones\n")
            writer.flush()
            assert rotate() == 0
        writer.write("after\n")
    assert log.read_text() == "after\n"
    kept = [(folder / f"hamnd.log.{number}").read_text().split()[1] for number in range(1, 9)]
    assert kept == ["9", "8", "7", "6", "5", "4", "3", "2"]
    assert not (folder / "hamnd.log.9").exists()
    assert rotate() == 0
    assert small.read_text() == "a few\n"


def test_the_wrapper_appends_to_the_log_and_becomes_the_daemon(
    tmp_path: Path, checkout: Path
) -> None:
    """SRC sends its signals to the very process that it started."""
    daemon = program(tmp_path / "hamnd", 'echo "$$ $* $LIBPATH"; echo wrong >&2; ulimit -n')
    log = tmp_path / "log"
    log.write_text("before\n")
    started = subprocess.Popen(
        [KSH, checkout / "aix-src/hamnd-src"],
        env={
            "PATH": os.environ["PATH"], "LIBPATH": "/stale", "HAMND_BIN": str(daemon),
            "HAMND_LOG": str(log),
        },
    )  # fmt: skip
    assert started.wait(30) == 0
    told = f"{started.pid} --config /etc/hamnd/hamnd.toml "
    assert log.read_text().splitlines() == ["before", told, "wrong", "4096"]


@pytest.fixture(scope="module")
def bundle(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the bundle once and unpack it."""
    folder = tmp_path_factory.mktemp("bundle")
    done = subprocess.run(
        [checkout / "aix-src/bundle", sys.executable, folder],
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    with tarfile.open(done.stdout.strip()) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return unpacked


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_bundle_installs_without_a_network_and_is_removed_again(
    bundle: Path, tmp_path: Path
) -> None:
    wheels = sorted(path.name for path in (bundle / "wheels").iterdir())
    assert all(name.endswith("-none-any.whl") for name in wheels)
    assert not any(name.startswith(("cryptography", "asyncssh", "cffi")) for name in wheels)
    here = aix_host(tmp_path)
    done = run(bundle / "install.sh", **here)
    assert done.returncode == 0, done.stdout + done.stderr
    hamnctl = tmp_path / "root/opt/hamnd/bin/hamnctl"
    told = subprocess.run(
        [hamnctl, "check-config", bundle / "hamnd.aix-guide.toml"],
        env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (told.returncode, told.stdout.split(".")[-2:]) == (0, told.stdout.split(".")[-2:])
    assert "good" in told.stdout
    conf = (tmp_path / "root/etc/syslog.conf").read_text()
    assert f"local6.info\t{tmp_path}/root/var/log/hamnd/syslog\n" in conf
    table = tmp_path / "bin/table"
    cron = "5 4 * * * /usr/local/bin/backup\n7 * * * * /opt/hamnd/libexec/hamn-rotate\n"
    assert table.read_text() == cron
    again = run(bundle / "install.sh", **here)
    assert table.read_text() == cron
    assert again.returncode == 0, again.stdout + again.stderr
    assert (tmp_path / "root/etc/syslog.conf").read_text() == conf
    removed = run(tmp_path / "root/opt/hamnd/libexec/uninstall.sh", "--anyway", **here)
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert not (tmp_path / "root/opt/hamnd").exists()
    assert "local6" not in (tmp_path / "root/etc/syslog.conf").read_text()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_everything_that_has_to_come_from_the_toolbox_is_told_at_once(
    bundle: Path, tmp_path: Path
) -> None:
    here = {**aix_host(tmp_path), "PYTHON": "/nowhere/python3.12", "SYSTEM": "Linux"}
    for name in ("ssh", "rsync"):
        (tmp_path / "bin" / name).unlink()
    done = run(bundle / "install.sh", **here)
    assert done.returncode == 1
    for told in (
        "this is Linux, not AIX", "dnf install python3.12", "openssh.base", "dnf install rsync",
        "nothing was installed",
    ):  # fmt: skip
        assert told in done.stderr
    assert not (tmp_path / "root/opt").exists()


def aix_host(folder: Path) -> dict[str, str]:
    """Return the environment of a host whose programs are there and whose SRC takes everything."""
    for name in ("bin", "root/etc"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in ("ssh", "perl", "rsync", "mkssys", "chssys", "rmssys", "mkitab", "refresh"):
        program(folder / "bin" / name, "exit 0")
    program(folder / "bin/lsitab", "exit 1")
    (folder / "bin/table").write_text("5 4 * * * /usr/local/bin/backup\n")
    table = f"{folder}/bin/table"
    program(folder / "bin/crontab", f'[ "$1" = -l ] && exec cat {table}; exec cp "$1" {table}')
    program(folder / "bin/lssrc", 'echo "0513-085 The hamnd Subsystem is not on file."; exit 1')
    (folder / "root/etc/syslog.conf").write_text("*.debug\t/dev/null\n")
    return {
        "HAMND_ROOT": str(folder / "root"),
        "HAMND_BIN_DIR": str(folder / "bin"),
        "HAMND_SBIN_DIR": str(folder / "bin"),
        "HAMNCTL": str(folder / "bin/ssh"),
        "PYTHON": sys.executable,
        "SYSTEM": "AIX",
    }
