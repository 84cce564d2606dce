"""The runbook of the guide's own example: its commands value for value, and where it errs, why."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hamnd.cli.main import main
from hamnd.core.plans.by_hand import takeover_by_hand
from hamnd.core.policy import Terms
from hamnd.dialects.aix.nim import TYPES
from hamnd.settings import load
from hamnd.views.runbook import render_runbook, render_runbook_markdown, runbook_document
from tests.unit.settings.configs import MINIMAL

DB2 = "su - xcatdb -c 'LC_ALL=C LANG=C {}'"
MKTCPIP = (
    "/usr/sbin/mktcpip -h aixmn1 -a 9.114.47.103 -m 255.255.255.192 -i en1 -g 9.114.47.126 "
    "-A no -t N/A -s"
)
NIM = "/usr/sbin/nim -Fo define -t {kind} -a server=master -a location={place} IMG_{kind}"
SPOT = "/usr/lpp/bos.sysmgt/nim/methods/m_mkspot -o -a server=master"
GUIDE = {
    "promote": [DB2.format("db2 takeover hadr on db XCATDB by force peer window only")],
    "db-stop": [
        DB2.format(one)
        for one in (
            "db2 stop hadr on db XCATDB", "db2 connect reset", "db2 force applications all",
            "db2 terminate", "db2stop",
        )
    ],
    "identity": [MKTCPIP],
    "db-rehome": [DB2.format("db2gcf -u -p 0 -i xcatdb")],
    "xcatd": ["/usr/bin/startsrc -s xcatd"],
    "dns": ["makedns -n"],
    "consoles": ["makeconservercf"],
    "osdeploy": [
        "nim_master_setup -a mk_resource=no -a device=/install/nim/media",
        NIM.format(kind="lpp_source", place="/install/nim/lpp_source/IMG_lpp_source"),
        f"{SPOT} -a location=/install/nim/spot/ -a source=no IMG",
        *(NIM.format(kind=kind, place="LOC") for kind in TYPES),
        "nimnodeset -i 61image compute",
    ],
}  # fmt: skip
"""The guide's §8, step by step, as it has to be today."""

REASONS = {
    "fence": "The guide takes the database over first and shuts the primary down second",
    "promote": "a command line is read by everybody",
    "db-stop": "STOP HADR on a standby ends the standby",
    "identity": "-s takes no value: nothing empty is passed",
    "db-rehome": "Never do that: it makes the database independent of its partner",
}


def text_of(checkout: Path) -> str:
    return (checkout / "config/hamnd.aix-guide.toml").read_text(encoding="utf-8")


def steps_of(checkout: Path) -> dict[str, list[str]]:
    """Return each step's lines, as an operator reads them."""
    loaded = load(text_of(checkout))
    assert loaded.site is not None
    assert loaded.policy is not None
    terms = Terms(loaded.site, loaded.policy)
    lines = render_runbook(runbook_document(takeover_by_hand(terms), loaded.site))
    found: dict[str, list[str]] = {}
    for line in lines:
        head = re.match(r"\d+\. ([a-z-]+): ", line)
        if head is not None:
            found[head[1]] = []
        elif found:
            found[list(found)[-1]].append(line)
    return found


def test_the_guides_example_is_a_good_configuration(checkout: Path) -> None:
    assert [problem.line() for problem in load(text_of(checkout)).problems] == []


def test_the_guides_steps_come_in_an_order_that_loses_nothing(checkout: Path) -> None:
    wanted = ["fuse", "fence", *GUIDE, "verify"]
    assert [one for one in steps_of(checkout) if one in wanted] == wanted


@pytest.mark.parametrize("step", GUIDE)
def test_the_guides_commands_are_there_value_for_value(checkout: Path, step: str) -> None:
    commands = [line.strip()[2:] for line in steps_of(checkout)[step] if line.startswith("   $ ")]
    positions = [
        next((n for n, line in enumerate(commands) if line.startswith(wanted)), None)
        for wanted in GUIDE[step]
    ]
    assert None not in positions, (commands, GUIDE[step])
    assert positions == sorted(positions, key=lambda one: one or 0)


@pytest.mark.parametrize("step", REASONS)
def test_where_the_guide_errs_the_reason_stands_on_a_line_of_its_own(
    checkout: Path, step: str
) -> None:
    lines = steps_of(checkout)[step]
    notes = " ".join(" ".join(lines).split())
    assert REASONS[step] in notes
    assert any(line.startswith("   ! ") for line in lines)


def test_nothing_of_what_the_guide_should_not_say_is_run(checkout: Path) -> None:
    commands = [
        line for lines in steps_of(checkout).values() for line in lines if line[3:4] in ("$", "?")
    ]
    for line in commands:
        assert not re.search(r"rollforward|complete\b", line, re.IGNORECASE)
        assert not re.search(r"\buser \w+ using\b", line, re.IGNORECASE)
        assert "''" not in line.replace("'\\''", "")
        assert "hamnd-" not in line.split("ssh")[0], "hamnd's own watching is not for people"


def test_every_look_says_what_it_has_to_find(checkout: Path) -> None:
    """No sentence ends where a value should be that nobody knows in peace."""
    looks = [line for lines in steps_of(checkout).values() for line in lines if "->" in line]
    assert len(looks) > 20
    assert [line for line in looks if re.search(r"\b(at|is|in|from|for)$", line.strip())] == []
    assert any("at the hardware address of en1 here" in line for line in looks)


def test_without_hamnd_it_says_what_only_hamnd_would_do(checkout: Path) -> None:
    loaded = load(text_of(checkout))
    assert loaded.site is not None
    assert loaded.policy is not None
    steps = takeover_by_hand(Terms(loaded.site, loaded.policy))
    text = "\n".join(render_runbook(runbook_document(steps, loaded.site)))
    assert "hmc1: vtmenu, partition aixmn2" in text
    assert "when only the link between the two management nodes is cut, do not take over" in (
        " ".join(text.split())
    )
    assert "hamn-guard assert" in text


def test_any_site_has_a_runbook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "hamnd.toml"
    path.write_text(MINIMAL)
    assert main(["runbook", "--config", str(path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "hamnd.runbook/1"
    assert [one["id"] for one in document["steps"]][:2] == ["fuse", "fence"]


def test_what_the_daemon_left_on_the_disk_is_read_without_it(
    tmp_path: Path, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = checkout / "config/hamnd.aix-guide.toml"
    main(["runbook", "--config", str(guide), "--json"])
    (tmp_path / "runbook.json").write_text(capsys.readouterr().out)
    assert main(["runbook", "--state-dir", str(tmp_path)]) == 0
    assert MKTCPIP in capsys.readouterr().out


def test_a_refused_configuration_and_an_empty_disk_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "hamnd.toml"
    path.write_text("node = 1\n")
    assert main(["runbook", "--config", str(path)]) == 2
    assert "is refused" in capsys.readouterr().err
    assert main(["runbook", "--state-dir", str(tmp_path)]) == 6
    assert "hamnctl runbook --config" in capsys.readouterr().err


def test_as_markdown_it_runs_the_same_commands_and_looks_at_the_same(checkout: Path) -> None:
    loaded = load(text_of(checkout))
    assert loaded.site is not None
    assert loaded.policy is not None
    terms = Terms(loaded.site, loaded.policy)
    document = runbook_document(takeover_by_hand(terms), terms.site)
    plain, marked = render_runbook(document), render_runbook_markdown(document)
    assert marked.count("```") == marked.count("```sh") > 10
    inside, runs = False, []
    for line in marked:
        if line.startswith("```"):
            inside = line != "```"
        elif inside:
            runs.append(line)
    assert runs == [line[5:] for line in plain if line.startswith("   $ ")]
    looks = [line[5:] for line in plain if line.startswith("   ? ")]
    assert [line[11:-3] for line in marked if line.startswith("- look: ")] == looks
    heads = [line[3:] for line in marked if line.startswith("## ")]
    assert heads == [line for line in plain if re.match(r"\d+\. ", line)]
