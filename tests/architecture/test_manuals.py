"""Manual pages and completion: current, readable by man, and of use in each shell."""

from __future__ import annotations

import re
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from hamnd.cli.main import COMMANDS, main
from hamnd.daemon.notable import line_of
from hamnd.settings import SCHEMA
from tests.lab.site.fixtures import needs

PAGES = ("man/hamnctl.1", "man/hamnd.8", "man/hamnd.toml.5")
NO_DATE = "missing date"


@pytest.fixture(scope="module")
def built() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "man/build.py"
    spec = spec_from_file_location("manuals", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(*argv: str, stdin: str = "") -> str:
    done = subprocess.run(
        argv, input=stdin, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_committed_is_what_the_code_says(built: ModuleType, checkout: Path) -> None:
    """After a change of options, keys or metrics: make generated."""
    for name, text in built.build().items():
        assert (checkout / name).read_text() == text, f"{name}: make generated"


@needs("mandoc")
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_well_formed(checkout: Path, page: str) -> None:
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", checkout / page],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert [line for line in done.stdout.splitlines() if NO_DATE not in line] == []


def test_every_command_and_every_key_is_in_the_manual(checkout: Path) -> None:
    one = (checkout / "man/hamnctl.1").read_text().replace("\\-", "-")
    for name, (_, does, example) in COMMANDS.items():
        assert f"\n.SS {name}" in one
        assert " ".join(does.split()).replace("'", "\\(aq") in " ".join(one.split())
        assert example.replace("'", "\\(aq") in one
    five = (checkout / "man/hamnd.toml.5").read_text()
    for key in SCHEMA.keys:
        assert f"\n.B {key.name}\n" in five


def test_every_key_of_the_canonical_log_line_is_in_the_manual(built: ModuleType) -> None:
    source = Path(line_of.__code__.co_filename).read_text()
    body = source[source.index("def line_of") : source.index("def _moved")]
    written = set(re.findall(r'^        "(\w+)":', body, re.MULTILINE))
    assert len(written) > 8
    told = {key for keys, _ in built.LOG_KEYS for key in keys.split(", ")}
    assert written <= told


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert capsys.readouterr().out.rstrip().endswith(f"example: {COMMANDS[command][2]}")


@needs("bash")
def test_bash_completes_commands_and_their_options(checkout: Path) -> None:
    script = """
source "$0"
complete_of() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"
  COMP_POINT=${#COMP_LINE}; COMPREPLY=()
  "$(complete -p hamnctl | sed 's/.*-F \\([^ ]*\\).*/\\1/')"; echo "${COMPREPLY[@]}"; }
complete_of hamnctl st
complete_of hamnctl status --w
complete_of hamnctl plan ta
"""
    told = run("bash", "-c", script, str(checkout / "completion/hamnctl.bash")).splitlines()
    assert told == ["status", "--watch", "takeover"]


@needs("fish")
def test_fish_completes_commands_and_their_options(checkout: Path) -> None:
    place = checkout / "completion/hamnctl.fish"
    for typed, expected in (
        ("hamnctl st", "status"),
        ("hamnctl status --w", "--watch"),
        ("hamnctl plan ta", "takeover"),
    ):
        told = run("fish", "--no-config", "-c", f"source {place}; complete -C '{typed}'")
        assert expected in [line.split("\t")[0] for line in told.splitlines()]


@needs("zsh")
def test_zsh_reads_its_completion_and_finds_every_command(checkout: Path) -> None:
    place = checkout / "completion/_hamnctl"
    run("zsh", "-n", str(place))
    assert place.read_text().startswith("#compdef hamnctl\n")
    for name in COMMANDS:
        assert f"\n    {name}:'" in place.read_text()


CONTRACT = """
    state{state} mode{mode} protected{status} takeover_ready{status} run{kind,status}
    run_step_age_seconds old_primary{what} peer_window_seconds confirm_seconds_p95
    log_position_bytes{which} role_observed{role} role_expected{role} condition{type,status}
    step_ready{step} step_proof_age_seconds{step} loss_verdict{verdict} loss_bytes_bound
    loss_seconds_bound peer_window_remaining_seconds log_gap_bytes replay_gap_bytes
    log_gap_average_bytes clock_skew_seconds sync_age_seconds{set} sync_duration_seconds{set}
    witness_sees{witness,answer} fence_evidence{kind} unconfirmed_seconds unprotected_seconds
    hold_expires_timestamp_seconds takeovers_total{kind,outcome} last_rehearsal_timestamp_seconds
    last_drill_timestamp_seconds probe_duration_seconds{probe} probe_gap_seconds epoch
    build_info{version} probe_answer_gap_seconds{probe}
"""
"""Every metric that other people's dashboards and rules rely on, with its labels."""


def test_no_metric_of_the_contract_is_missing_or_labelled_otherwise(checkout: Path) -> None:
    page = (checkout / "man/hamnd.8").read_text().replace("\\-", "-")
    told = set(re.findall(r"^\.B hamnd_(\S+)$", page, re.MULTILINE))
    assert set(CONTRACT.split()) - told == set()
