"""AIX's tools: their odd outputs read, their words built; nothing decided on what is not known."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hamnd.dialects.aix import inittab, interfaces, nim, software, src, tcpip
from hamnd.dialects.readers import READERS, read_action
from hamnd.model.names import Verdict
from hamnd.model.site import Osdeploy, Paths, Platform, ServiceAddress, Site
from hamnd.model.work import Action, Exec, Report
from tests.builders import site as any_site
from tests.unit.dialects.aix import specimens
from tests.unit.dialects.reports import MUTE, exited

AIX_READERS = {
    **src.READERS, **inittab.READERS, **interfaces.READERS, **tcpip.READERS, **nim.READERS,
    **software.READERS,
}  # fmt: skip


def site(**changes: object) -> Site:
    return any_site(platform=Platform.AIX, **changes)


def verdict(reader: str, report: Report, *arguments: str) -> Verdict:
    return READERS[reader](report, arguments).verdict


def words(action: Action) -> tuple[str, ...]:
    assert isinstance(action.request, Exec)
    return action.request.argv


# --- every reader ---------------------------------------------------------------------------


@given(st.sampled_from(sorted(AIX_READERS)), st.text(), st.text(), st.integers(-1, 255))
def test_every_reader_is_total(name: str, out: str, err: str, code: int) -> None:
    for arguments in ((), ("xcatd",), ("9.114.47.110", "en1")):
        reading = READERS[name](exited(code, out, err), arguments)
        assert isinstance(reading.verdict, Verdict)
        assert reading.sentence


@pytest.mark.parametrize("name", sorted(AIX_READERS))
def test_what_did_not_answer_is_unknown(name: str) -> None:
    for report in MUTE:
        assert READERS[name](report, ("xcatd", "en1")).verdict is Verdict.UNKNOWN


@given(st.text(), st.sampled_from(["en1", "", "lo0"]))
def test_every_parser_is_total(text: str, name: str) -> None:
    src.parse_rows(text)
    inittab.parse_entries(text)
    interfaces.parse_interfaces(text)
    interfaces.parse_links(text)
    tcpip.parse_settings(text, name)
    nim.parse_objects(text)
    nim.parse_images(text)
    software.parse_level(text)
    software.parse_filesets(text)


# --- SRC ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "group", "pid"),
    [
        (" xcatd            xcat             10551496     active", "xcat", 10551496),
        (" xcatd            xcat                          active", "xcat", None),
        (" xcatd                             10551496     active", "", 10551496),
        (" xcatd                                          active", "", None),
    ],
)
def test_rows_have_four_shapes(row: str, group: str, pid: int | None) -> None:
    assert src.parse_rows(f"{specimens.LSSRC.splitlines()[0]}\n{row}\n") == (
        src.Subsystem("xcatd", group, pid, "active"),
    )


NOT_ON_FILE = "0513-085 The xcatd Subsystem is not on file.\n"
TWO = " xcatd            xcat                          inoperative\n xcatd   xcat   4711   active\n"


@pytest.mark.parametrize(
    ("report", "active", "quiet"),
    [
        (exited(0, " xcatd  xcat  4711  active\n"), Verdict.PASS, Verdict.BLOCK),
        (exited(0, " xcatd  xcat  inoperative\n"), Verdict.BLOCK, Verdict.PASS),
        (exited(0, TWO), Verdict.PASS, Verdict.BLOCK),  # an instance from before: it runs
        (exited(0, " xcatd  xcat  4711  stopping\n"), Verdict.BLOCK, Verdict.BLOCK),
        (exited(0, " xcatd  xcat  4711  warned\n"), Verdict.BLOCK, Verdict.BLOCK),
        (exited(1, NOT_ON_FILE), Verdict.BLOCK, Verdict.PASS),
        (exited(1, "", NOT_ON_FILE), Verdict.BLOCK, Verdict.PASS),
        (exited(1, "", "0513-056 Timeout waiting for command response.\n"),
         Verdict.UNKNOWN, Verdict.UNKNOWN),
        (exited(0, " xcatd  xcat  4711  active\n", truncated=True),
         Verdict.UNKNOWN, Verdict.UNKNOWN),
        (exited(0, ""), Verdict.UNKNOWN, Verdict.UNKNOWN),
    ],
)  # fmt: skip
def test_only_active_runs_and_only_stopped_is_quiet(
    report: Report, active: Verdict, quiet: Verdict
) -> None:
    assert verdict("src.active", report, "xcatd") is active
    assert verdict("src.quiet", report, "xcatd") is quiet


START = "startsrc -s xcatd -e A=1"


class Src:
    """lssrc, startsrc and stopsrc as programs: the answers of lssrc come one after another."""

    def __init__(self, folder: Path, *states: str) -> None:
        self.folder = folder
        rows = [f" xcatd   xcat   {one}" if one != "absent" else NOT_ON_FILE for one in states]
        (folder / "answers").write_text("\n".join(row.strip("\n") for row in rows) + "\n")
        self._program(
            "lssrc",
            'cd "${0%/*}"; head -n 1 answers; sed -n "2,\\$p" answers >rest\n'
            "[ ! -s rest ] || mv rest answers",
        )
        for name in ("startsrc", "stopsrc", "sleep"):
            self._program(name, f'echo "{name} $*" >>"${{0%/*}}/called"')

    def _program(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def run(self, action: Action) -> tuple[int, str, list[str]]:
        argv = [
            str(self.folder / Path(word).name) if word.startswith("/usr/bin/") else word
            for word in words(action)
        ]
        path = f"{self.folder}:{os.environ['PATH']}"
        done = subprocess.run(
            argv, env={"PATH": path}, capture_output=True, text=True, timeout=30, check=False
        )
        called = self.folder / "called"
        lines = called.read_text().splitlines() if called.exists() else []
        return done.returncode, done.stdout + done.stderr, lines


@pytest.mark.parametrize(
    ("states", "code", "called"),
    [
        (("active",), 0, []),
        (("inoperative", "4711 starting", "4711 active"), 0, [START, "sleep 1"]),
        (("4711 stopping", "inoperative", "4711 active"), 0, ["sleep 1", START]),
        (("inoperative", "inoperative"), 1, [START, *["sleep 1"] * 3]),
    ],
)  # fmt: skip
def test_a_start_is_over_when_lssrc_says_so(
    tmp_path: Path, states: tuple[str, ...], code: int, called: list[str]
) -> None:
    machine = Src(tmp_path, *states)
    assert machine.run(src.start(site(), "xcatd", 3, "A=1"))[::2] == (code, called)


def test_a_stop_is_over_when_lssrc_says_so(tmp_path: Path) -> None:
    machine = Src(tmp_path, "4711 active", "4711 stopping", "inoperative")
    code, _, called = machine.run(src.stop(site(), "xcatd", 5))
    assert (code, called) == (0, ["stopsrc -c -s xcatd", "sleep 1"])


def test_a_start_that_did_not_come_is_not_done_and_a_hung_src_is_unknown() -> None:
    action = src.start(site(), "xcatd", 3)
    assert read_action(action, exited(1)).verdict is Verdict.BLOCK
    assert read_action(action, exited(2)).verdict is Verdict.UNKNOWN


# --- inittab --------------------------------------------------------------------------------


def test_the_standbys_inittab_starts_nothing_and_a_comment_is_none() -> None:
    names = ("xcatd", "named")
    assert verdict("inittab.starts_none", exited(0, specimens.INITTAB), *names) is Verdict.PASS
    assert [one.identifier for one in inittab.parse_entries(specimens.INITTAB)] == [
        "init", "brc", "srcmstr", "cron",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (specimens.XCATD_LINE, "a reboot would start xcatd: rmitab xcatd"),
        ("x:2:once:/usr/bin/startsrc -s xcatd\n", "a reboot would start x: rmitab x"),
        (specimens.FMC_LINE, "a reboot would start fmc: db2fmcu -d"),
    ],
)
def test_what_would_start_at_boot_is_named(line: str, told: str) -> None:
    report = exited(0, specimens.INITTAB + line)
    reading = READERS["inittab.starts_none"](report, ("xcatd",))
    assert (reading.verdict, reading.sentence) == (Verdict.BLOCK, told)


@pytest.mark.parametrize("line", ["xcatd:2:off:/opt/xcat/sbin/restartxcatd\n", "y:3:once:xcatd\n"])
def test_what_is_off_or_of_another_run_level_does_not_start(line: str) -> None:
    report = exited(0, specimens.INITTAB + line)
    assert verdict("inittab.starts_none", report, "xcatd") is Verdict.PASS


def test_what_the_guard_lets_start_hinders_no_takeover_and_is_no_released_node() -> None:
    """Given the entry that install.sh --guard makes on both nodes."""
    line = "hamnboot:2:once:/opt/hamnd/libexec/hamn-boot xcatd named >/dev/console 2>&1\n"
    report = exited(0, specimens.INITTAB + line)
    assert verdict("inittab.starts_none", report, "xcatd", "named") is Verdict.PASS
    assert verdict("inittab.is_disarmed", report, "xcatd", "named") is Verdict.BLOCK


def test_an_entry_is_there_only_word_by_word() -> None:
    entry = inittab.Entry("hamnboot", "2", "once", "/opt/hamnd/libexec/hamn-boot xcatd")
    report = exited(0, f"{specimens.INITTAB}{entry.text()} named\n")
    assert verdict("inittab.has", report, entry.text()) is Verdict.BLOCK
    report = exited(0, f"{specimens.INITTAB}{entry.text()}\n")
    assert verdict("inittab.has", report, entry.text()) is Verdict.PASS


SHELLS = tuple(one for one in ("dash", "ksh", "mksh") if shutil.which(one))


class Inittab:
    """An inittab behind stand-ins of its commands, in a folder."""

    def __init__(self, folder: Path, text: str, shell: str = "sh") -> None:
        self.file = folder / "inittab"
        self.file.write_text(text)
        tools = {
            "lsitab": 'if [ "$1" = -a ]; then grep -v "^:" F; else grep "^$1:" F; fi',
            "mkitab": 'grep -q "^${1%%:*}:" F && exit 1; printf "%s\\n" "$1" >>F',
            "chitab": 'grep -v "^${1%%:*}:" F >F.new; printf "%s\\n" "$1" >>F.new; mv F.new F',
            "rmitab": '[ ! -e F.broken ] || exit 1; grep -v "^$1:" F >F.new; mv F.new F',
            "telinit": 'echo "$1" >>F.telinit',
        }
        for name, script in tools.items():
            tool = folder / name
            tool.write_text(f"#!/bin/sh\n{script}\n".replace("F", str(self.file)))
            tool.chmod(stat.S_IRWXU)
        if not (folder / "sh").exists():
            (folder / "sh").symlink_to(str(shutil.which(shell)))
        self.path = f"{folder}:{os.environ['PATH']}"
        paths = Paths(state_dir=str(folder / "state"))
        self.site = site(tools={name: str(folder / name) for name in tools}, paths=paths)
        self.held = folder / "state" / "inittab.held"

    def run(self, action: Action) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words(action),
            env={"PATH": self.path},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    @property
    def lines(self) -> list[str]:
        return self.file.read_text().splitlines()


NAMES = ("xcatd", "named", "nimesis", "-g nim")
STARTING = [
    "xcatd:2:once:/opt/xcat/sbin/restartxcatd > /dev/console 2>&1",
    "names:23456789:wait:/usr/bin/startsrc -s named",
    "nim:2:wait:/usr/bin/startsrc -g nim > /dev/console 2>&1",
    "hamnboot:2:once:/opt/hamnd/libexec/hamn-boot xcatd named",
    "fmc:2345:respawn:/opt/IBM/db2/V9.7/bin/db2fmcd #DB2 Fault Monitor Coordinator",
]
OTHERS = [
    "init:2:initdefault:",
    "srcmstr:23456789:respawn:/usr/sbin/srcmstr # System Resource Controller",
    "named:2:off:/usr/sbin/named",
    "nimclient:2:once:/usr/bin/startsrc -g nimclient",
    "x:2:once:/usr/local/bin/xcatd-report",
]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_line_that_starts_something_is_taken_out_kept_and_put_back(
    tmp_path: Path, shell: str
) -> None:
    one = Inittab(tmp_path, "\n".join([*OTHERS, *STARTING, ""]), shell)
    assert one.run(inittab.disarm(one.site, NAMES)).returncode == 0
    assert one.lines == OTHERS
    assert one.held.read_text().splitlines() == STARTING
    assert (tmp_path / "inittab.telinit").read_text() == "q\n", "init ends what it respawned"
    done = one.run(inittab.disarm(one.site, NAMES))
    assert (done.returncode, done.stdout) == (0, "nothing in the inittab starts them\n")
    assert one.held.read_text().splitlines() == STARTING, "asked again, nothing is forgotten"
    assert one.run(inittab.rearm(one.site)).returncode == 0
    assert sorted(one.lines) == sorted([*OTHERS, *STARTING])
    assert not one.held.exists()


def test_a_disarming_that_broke_off_goes_on_without_forgetting(tmp_path: Path) -> None:
    one = Inittab(tmp_path, "\n".join([*OTHERS, *STARTING, ""]))
    broken = tmp_path / "inittab.broken"
    broken.touch()
    assert one.run(inittab.disarm(one.site, NAMES)).returncode == 1
    broken.unlink()
    one.file.write_text("\n".join([*OTHERS, *STARTING[2:], ""]))
    assert one.run(inittab.disarm(one.site, NAMES)).returncode == 0
    assert one.held.read_text().splitlines() == STARTING


def test_a_new_handing_over_does_not_put_back_what_an_earlier_one_took_out(tmp_path: Path) -> None:
    one = Inittab(tmp_path, "\n".join([*OTHERS, *STARTING, ""]))
    one.run(inittab.disarm(one.site, NAMES))
    guarded = "hamnboot:2:once:/opt/hamnd/libexec/hamn-boot xcatd named nimesis"
    one.file.write_text("\n".join([*OTHERS, guarded, ""]))
    one.run(inittab.disarm(one.site, NAMES))
    one.run(inittab.rearm(one.site))
    assert one.lines == [*OTHERS, guarded]


def test_an_inittab_that_cannot_be_read_is_not_disarmed(tmp_path: Path) -> None:
    one = Inittab(tmp_path, "")
    (tmp_path / "lsitab").write_text("#!/bin/sh\necho broken\nexit 1\n")
    action = inittab.disarm(one.site, NAMES)
    done = one.run(action)
    report = exited(done.returncode, done.stdout, done.stderr)
    assert read_action(action, report).verdict is Verdict.UNKNOWN


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "xcatd", "b.c"]),
            st.sampled_from(["", "2", "23456789", "3"]),
            st.sampled_from(["once", "off", "respawn"]),
            st.lists(
                st.sampled_from(
                    [*NAMES, "startsrc -s", "restartxcatd", "db2fmcd", "/", "-", "x", ":"]
                )
            ).map(" ".join),
        ),
        max_size=4,
        unique_by=lambda one: one[0],
    )
)
def test_what_is_taken_out_is_what_the_look_finds(
    tmp_path: Path, rows: list[tuple[str, str, str, str]]
) -> None:
    """One pattern, read by awk and by Python."""
    one = Inittab(
        tmp_path, "".join(f"{':'.join(row)}\n" for row in [*rows, ("z", "2", "once", "y")])
    )
    found = inittab.parse_entries("\n".join(one.lines))
    kept = [entry.identifier for entry in found if entry not in inittab.starters(found, NAMES)]
    assert one.run(inittab.disarm(one.site, NAMES)).returncode == 0
    assert [line.split(":")[0] for line in one.lines] == kept


@pytest.mark.parametrize("before", ["", "hamnboot:2:once:old", "hamnboot:2:once:new"])
def test_an_entry_is_made_or_changed_to_what_it_has_to_be(tmp_path: Path, before: str) -> None:
    one = Inittab(tmp_path, f"init:2:initdefault:\n{before}\n")
    entry = inittab.Entry("hamnboot", "2", "once", "new")
    assert one.run(inittab.make(one.site, entry)).returncode == 0
    assert [line for line in one.lines if line] == ["init:2:initdefault:", "hamnboot:2:once:new"]


# --- interfaces -----------------------------------------------------------------------------


def test_interfaces_with_hex_masks_aliases_without_one_and_zones() -> None:
    one, two, loop = interfaces.parse_interfaces(specimens.IFCONFIG)
    address = interfaces.Address
    assert (one.name, one.is_up, two.is_up) == ("en1", True, False)
    assert one.addresses == (address("9.114.47.104", 26), address("9.114.47.110", 32))
    assert two.addresses == (address("10.0.0.4", None),)
    assert loop.addresses == (address("127.0.0.1", 8), address("::1", 0))


def test_hardware_addresses_get_their_zeros_back() -> None:
    assert interfaces.parse_links(specimens.NETSTAT) == {
        "en1": "4e:8e:70:00:90:cf", "en2": "62:c5:1c:3a:5d:03",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("address", "interface", "expected"),
    [
        ("9.114.47.110", "en1", Verdict.PASS),
        ("9.114.47.110", "en2", Verdict.BLOCK),
        ("10.0.0.4", "en2", Verdict.BLOCK),  # it is down
        ("9.114.47.11", "en1", Verdict.BLOCK),
    ],
)
def test_an_address_is_up_only_on_an_interface_that_runs(
    address: str, interface: str, expected: Verdict
) -> None:
    report = exited(0, specimens.IFCONFIG)
    assert verdict("aix.address_up", report, address, interface) is expected


@pytest.mark.parametrize(
    ("stored", "address", "expected"),
    [
        ("\n", "9.114.47.111", Verdict.PASS),
        ("\n", "9.114.47.110", Verdict.BLOCK),
        ("9.114.47.111,255.255.255.192\n", "9.114.47.111", Verdict.BLOCK),
        ("9.114.47.1,255.0.0.0 9.114.47.111,255.0.0.0\n", "9.114.47.111", Verdict.BLOCK),
        ("9.114.47.1,255.0.0.0\n", "9.114.47.11", Verdict.PASS),
    ],
)
def test_an_alias_is_gone_only_when_no_boot_brings_it_back(
    stored: str, address: str, expected: Verdict
) -> None:
    report = exited(0, f"{specimens.IFCONFIG}==\n{stored}")
    assert verdict("aix.alias_gone", report, address) is expected
    assert verdict("aix.alias_gone", exited(0, specimens.IFCONFIG), address) is Verdict.UNKNOWN


@given(st.integers(0, 32))
def test_masks_and_prefixes_are_one(prefix: int) -> None:
    parts = [int(part) for part in interfaces.mask_of(prefix).split(".")]
    number = sum(part << shift for part, shift in zip(parts, (24, 16, 8, 0), strict=True))
    assert interfaces.prefix_of(number) == prefix


def test_only_a_new_duplicate_is_an_alarm() -> None:
    old = specimens.ERRPT
    new = old.replace("1130081926", "1130082026")
    assert verdict("aix.no_duplicate", exited(0, f"{old}==\n{old}")) is Verdict.PASS
    assert verdict("aix.no_duplicate", exited(0, f"{old}==\n{new}{old}")) is Verdict.BLOCK
    assert verdict("aix.no_duplicate", exited(0, old)) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("noted", "clock", "expected"),
    [
        ("", "1130082026", Verdict.BLOCK),
        ("", "1201081826", Verdict.BLOCK),
        ("", "1201082026", Verdict.PASS),  # a day later nobody logs it any more
        ("", "1130072026", Verdict.BLOCK),  # the clock was set back
        (specimens.ERRPT, "1130082026", Verdict.PASS),
        ("", "1331082026", Verdict.UNKNOWN),
        ("", "", Verdict.UNKNOWN),
    ],
)
def test_a_duplicate_alarms_for_a_day_unless_it_was_there_before(
    noted: str, clock: str, expected: Verdict
) -> None:
    report = exited(0, f"{noted}==\n{specimens.ERRPT}==\n{clock}\n")
    assert verdict("aix.no_duplicate_lately", report) is expected
    assert verdict("aix.no_duplicate_lately", exited(2)) is Verdict.UNKNOWN


# --- mktcpip --------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [specimens.SETTINGS, specimens.SETTINGS_7])
def test_settings_are_read_by_the_names_of_their_columns(text: str) -> None:
    assert tcpip.parse_settings(text, "en1") == tcpip.Settings(
        "en1", "aixmn2", "9.114.47.104", "255.255.255.192", "9.114.47.126"
    )


def test_the_guides_command_word_by_word_and_without_an_empty_one() -> None:
    wanted = tcpip.Settings("en1", "aixmn1", "9.114.47.103", "255.255.255.192", "9.114.47.126")
    assert words(tcpip.set_tcpip(site(), wanted)) == (
        "/usr/sbin/mktcpip", "-h", "aixmn1", "-a", "9.114.47.103", "-m", "255.255.255.192",
        "-i", "en1", "-g", "9.114.47.126", "-A", "no", "-t", "N/A", "-s",
    )  # fmt: skip


@given(st.text(), st.text())
def test_no_argument_of_mktcpip_is_ever_empty(host: str, gateway: str) -> None:
    found = tcpip.parse_settings(
        specimens.SETTINGS.replace("aixmn2", host).replace("9.114.47.126", gateway), "en1"
    )
    if found is not None:
        assert all(words(tcpip.set_tcpip(site(), found)))


def test_a_failed_mktcpip_says_that_it_may_be_half_done() -> None:
    failed = exited(1, "en1\n", "/usr/sbin/mktcpip: Problem with command: hostent, return code = 1")
    reading = READERS["tcpip.changed"](failed, ())
    assert reading.verdict is Verdict.BLOCK
    assert "half done" in reading.sentence


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("aixmn1", "aixmn1", "aixmn1.cluster.net"), Verdict.PASS),
        (("aixmn1", "aixmn2", "aixmn1"), Verdict.BLOCK),
        (("aixmn1", "aixmn1", ""), Verdict.BLOCK),
    ],
)
def test_the_three_names_of_a_host_have_to_agree(
    names: tuple[str, str, str], expected: Verdict
) -> None:
    text = "hostname={}\nuname={}\nodm={}\n".format(*names)
    assert verdict("tcpip.names_agree", exited(0, text), "aixmn1") is expected


def test_a_host_that_boots_the_bsd_way_is_told_what_to_change() -> None:
    assert verdict("tcpip.boots_from_odm", exited(0, "no\n")) is Verdict.PASS
    assert verdict("tcpip.boots_from_odm", exited(0, "yes\n")) is Verdict.BLOCK
    assert verdict("tcpip.boots_from_odm", exited(0, "\n")) is Verdict.UNKNOWN


def test_an_alias_that_is_gone_is_given_back_whatever_ifconfig_says(tmp_path: Path) -> None:
    ifconfig = tmp_path / "ifconfig"
    service = ServiceAddress("en1", "9.114.47.110", 26, "xcatmn")
    for shown, code in (("inet 9.114.47.104 netmask", 0), ("inet 9.114.47.110 netmask", 1)):
        text = f'[ $# -eq 1 ] || {{ echo "ioctl failed" >&2; exit 1; }}; echo "{shown}"'
        ifconfig.write_text(f"#!/bin/sh\n{text}\n")
        ifconfig.chmod(0o755)
        where = site(tools={"ifconfig": str(ifconfig)})
        done = subprocess.run(
            words(interfaces.delete_alias(where, service)), capture_output=True, check=False
        )
        assert done.returncode == code


# --- NIM ------------------------------------------------------------------------------------


def test_objects_keep_their_attributes_and_a_master_its_interfaces() -> None:
    found = nim.parse_objects(specimens.LSNIM)
    assert list(found) == ["master", "61image_lpp_source", "61image", "61dskls_root"]
    assert found["61image_lpp_source"]["Rstate"] == "ready for use"
    assert found["master"]["if2"] == "net_10 aixmn1-b 0"


def test_only_aix_images_are_read() -> None:
    assert set(nim.parse_images(specimens.OSIMAGES)) == {"61dskls", "61image"}


def test_resources_are_made_in_the_guides_order_in_their_places() -> None:
    images, known = nim.parse_images(specimens.OSIMAGES), nim.parse_objects(specimens.LSNIM)
    found = nim.resources_of(images, known)
    assert [(one.kind, one.name, one.location) for one in found] == [
        ("spot", "61dskls", "/install/nim/spot/"),
        ("root", "61dskls_root", "/install/nim/root/61dskls_root"),
        ("paging", "61dskls_paging", None),  # nobody told its place: it is never guessed
        ("lpp_source", "61image_lpp_source", "/install/nim/lpp_source/61image_lpp_source"),
        ("spot", "61image", "/export/spots/"),
        ("installp_bundle", "xCATaixSSL", None),
        ("installp_bundle", "xCATaixSSH", None),
    ]


def test_the_guides_nim_commands_word_by_word() -> None:
    lpp = nim.Resource("61_lpp_source", "lpp_source", "/install/nim/lpp_source/61_lpp_source")
    assert words(nim.define(site(), lpp))[6:] == (
        "/usr/sbin/nim", "-Fo", "define", "-t", "lpp_source", "-a", "server=master",
        "-a", "location=/install/nim/lpp_source/61_lpp_source", "61_lpp_source",
    )  # fmt: skip
    spot = nim.Resource("61", "spot", "/install/nim/spot/")
    assert words(nim.define(site(), spot))[6:] == (
        "/usr/lpp/bos.sysmgt/nim/methods/m_mkspot", "-o", "-a", "server=master",
        "-a", "location=/install/nim/spot/", "-a", "source=no", "61",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("deploy", "expected"),
    [
        (Osdeploy("all"), ("nodeset", "all", "osimage")),
        (Osdeploy("all", program="nimnodeset", image="61"), ("nimnodeset", "-i", "61", "all")),
        (Osdeploy("all", program="mkdsklsnode", image="61"), ("mkdsklsnode", "-i", "61", "all")),
    ],
)
def test_nodes_are_served_again_by_the_program_of_their_kind(
    deploy: Osdeploy, expected: tuple[str, ...]
) -> None:
    assert words(nim.set_nodes(site(osdeploy=deploy))) == expected


def test_nim_is_proven_by_what_lsnim_shows_ready() -> None:
    report = exited(0, specimens.LSNIM)
    assert verdict("nim.are_there", report, "61image", "61dskls_root") is Verdict.PASS
    assert verdict("nim.are_there", report, "61dskls") is Verdict.BLOCK
    unready = exited(0, specimens.LSNIM.replace("ready for use", "unavailable for use"))
    assert verdict("nim.are_there", unready, "61image") is Verdict.BLOCK
    missing = exited(1, "", '0042-053 lsnim: there is no NIM object named "x"\n')
    assert verdict("nim.are_there", missing, "x") is Verdict.BLOCK


# --- levels ---------------------------------------------------------------------------------


def test_levels_and_filesets() -> None:
    assert software.parse_level("6100-06-03-1048\n") == "6100-06-03-1048"
    assert software.parse_level("6.1.0.0\n") is None
    found = software.parse_filesets(specimens.LSLPP)
    assert [(one.name, one.state) for one in found] == [
        ("bos.rte", "COMMITTED"), ("bos.net", "BROKEN"),
    ]  # fmt: skip
    assert verdict("software.filesets", exited(0, specimens.LSLPP), "bos.*") is Verdict.BLOCK
    absent = exited(1, "", "lslpp: 0504-132  Fileset x not installed.\n")
    assert verdict("software.filesets", absent, "x") is Verdict.BLOCK
