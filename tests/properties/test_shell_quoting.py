"""Whatever is to be run, the line that hamnd shows runs exactly that, in a real sh."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hamnd.dialects import shell
from hamnd.model.site import Db2Site, FenceSite, Node, Platform, ServiceAddress, Site
from hamnd.model.work import Exec, Fence, FenceStatus

PRINTER = """\
#!{python} -IS
import sys, os
os.write(1, b"".join(b"%d:%s" % (len(a), a) for a in map(os.fsencode, sys.argv[1:])))
if os.environ.get("READ_STDIN"):
    os.write(1, b"<" + sys.stdin.buffer.read() + b">")
"""

WORDS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
    st.text(st.sampled_from(" '\"\\$`\n\r\t\x1b*?~#!&;|<>(){}[]%=-éx\u2028"), max_size=12),
    st.binary(max_size=8)
    .map(lambda raw: raw.replace(b"\0", b""))
    .map(lambda raw: raw.decode(errors="surrogateescape")),
)
ARGVS = st.lists(WORDS, max_size=5).map(tuple)
few = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

Run = Callable[..., bytes]


@pytest.fixture(scope="module")
def printer(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("it's a folder") / "print argv"
    path.write_text(PRINTER.format(python=os.path.realpath(sys.executable)))
    path.chmod(0o755)
    return str(path)


def ran(line: str, stdin_wanted: bool = False, program: str = "sh") -> bytes:
    done = subprocess.run(
        [program, "-c", line],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=False,
        env={"PATH": os.environ["PATH"]} | ({"READ_STDIN": "1"} if stdin_wanted else {}),
    )
    assert done.returncode == 0, (line, done.stderr)
    assert done.stderr == b""
    return done.stdout


def told(argv: tuple[str, ...]) -> bytes:
    return b"".join(b"%d:%s" % (len(raw), raw) for raw in map(os.fsencode, argv))


def site(tool_ssh: str = "ssh", **fence: object) -> Site:
    return Site(
        cluster="xcat",
        node="aixmn2",
        platform=Platform.LINUX,
        primary=Node("aixmn1", "10.0.0.1"),
        standby=Node("aixmn2", "10.0.0.2"),
        identity=(ServiceAddress("eth0", "10.0.0.10", 24, "xcatmn"),),
        gateway="10.0.0.254",
        db2=Db2Site("XCATDB", "xcatdb"),
        fence=FenceSite(**fence),  # type: ignore[arg-type]
        tools={"ssh": tool_ssh},
    )


@few
@given(ARGVS)
@example(("-e", "\n"))
@example(("a\n", "\n", ""))
@example(("\x81\x88", "100%\n%s\\n"))
def test_the_preview_delivers_exactly_the_argv_in_one_printable_line(
    printer: str, argv: tuple[str, ...]
) -> None:
    line = shell.preview(Exec("aixmn2", (printer, *argv)), site())

    assert line.isprintable()
    assert ran(line) == told(argv)


@few
@given(ARGVS)
def test_the_argv_survives_bash_as_well(printer: str, argv: tuple[str, ...]) -> None:
    assert ran(shell.quote((printer, *argv)), program="bash") == told(argv)


@few
@given(ARGVS)
def test_the_argv_survives_the_second_shell_that_su_starts(
    printer: str, argv: tuple[str, ...]
) -> None:
    su = shell.local_argv(Exec("aixmn2", (printer, *argv), user="xcatdb"), "root")

    assert su[:4] == ("su", "-", "xcatdb", "-c")
    assert ran(su[4]) == told(argv)
    as_shown = shell.quote(("sh", "-c", su[4]))
    assert as_shown.isprintable()
    assert ran(as_shown) == told(argv)


@few
@given(ARGVS)
def test_the_argv_survives_ssh_and_su_on_the_other_side(
    printer: str, tmp_path_factory: pytest.TempPathFactory, argv: tuple[str, ...]
) -> None:
    folder = Path(printer).parent
    fake_ssh, fake_su = folder / "ssh", folder / "su"
    # ssh joins what follows the destination and gives it to the login shell; su -c likewise.
    fake_ssh.write_text(
        '#!/bin/sh\nfor last; do :; done\nPATH="${0%/*}:$PATH" exec sh -c "$last"\n'
    )
    fake_su.write_text('#!/bin/sh\n[ "$1 $2 $3" = "- xcatdb -c" ] && exec sh -c "$4"\n')
    fake_ssh.chmod(0o755)
    fake_su.chmod(0o755)

    line = shell.preview(Exec("aixmn1", (printer, *argv), user="xcatdb"), site(str(fake_ssh)))

    assert line.isprintable()
    assert ran(line) == told(argv)


@few
@given(ARGVS, st.one_of(WORDS, st.lists(WORDS, max_size=4).map("\n".join)))
@example((), "")
@example((), "\n")
@example((), "%d\\n\n-e\n")
def test_standard_input_arrives_byte_by_byte(
    printer: str, argv: tuple[str, ...], stdin: str
) -> None:
    line = shell.preview(Exec("aixmn2", (printer, *argv), stdin=stdin), site())

    assert line.isprintable()
    assert ran(line, stdin_wanted=True) == told(argv) + b"<" + os.fsencode(stdin) + b">"


@pytest.mark.parametrize("name", ["a=b", "if", "it's", "while", "new\nline", "-e"])
def test_a_program_is_run_even_when_its_name_looks_like_shell(tmp_path: Path, name: str) -> None:
    program = tmp_path / name
    program.write_text("#!/bin/sh\necho ran\n")
    program.chmod(0o755)

    line = f"PATH={shell.quote((str(tmp_path),))}:$PATH; {shell.quote((name, chr(10)))}"

    assert ran(line) == b"ran\n"


def test_a_fence_preview_feeds_the_agent_options_and_secrets_without_showing_them(
    tmp_path: Path,
) -> None:
    secret = tmp_path / "pass word"
    secret.write_text("geheim")
    agent = tmp_path / "agent"
    agent.write_text("#!/bin/sh\ngrep -v '^$'\n")
    agent.chmod(0o755)
    aixmn1 = site(
        agent=str(agent), options={"ip": "10.0.0.9"}, secret_files={"password": str(secret)}
    )

    off = shell.preview(Fence("aixmn1", "off"), aixmn1)
    status = shell.preview(FenceStatus("aixmn1"), aixmn1)

    assert "geheim" not in off
    assert ran(off) == b"ip=10.0.0.9\npassword=geheim\naction=off\n"
    assert ran(status) == b"ip=10.0.0.9\npassword=geheim\naction=status\n"
    assert "action=off" in ran(shell.preview(Fence("aixmn1", "off"), site(agent="cat"))).decode()
