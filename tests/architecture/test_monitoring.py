"""What is delivered for monitoring: rules and their tests, samples, dashboard, the book of alerts.

Judged by the tools that read them on a site: promtool, amtool, Grafana's own types.
"""

from __future__ import annotations

import json
import re
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from hamnd.adapters.http import MetricsText
from hamnd.cli.main import COMMANDS
from hamnd.views.samples import Measures, samples
from hamnd.views.status import status_document
from tests.builders import Pair, situations
from tests.lab import promql
from tests.lab.site.fixtures import needs

ALERTS = (
    *("PrimaryDownUnconfirmed", "NotReady", "Unprotected", "ProofStale", "DrillOverdue"),
    *("TwoActives", "OldPrimaryReturned", "PeerWindowShorterThanConfirm", "ClockSkew"),
    *("FilesStale", "ReplicationNotAdvancing", "HadrGap", "HoldForgotten", "TakeoverStuck"),
    *("FuseViolation", "FenceLies", "HamndAbsent"),
)
ELSEWHERE = frozenset(
    (
        *("up", "hamnd_scrape_error", "hamnd_last_drill_timestamp_seconds"),
        "hamnd_confirm_seconds_p95",
        *("hamnd_sync_age_seconds", "hamnd_sync_age_limit_seconds", "hamnd_sync_duration_seconds"),
        "hamnd_log_gap_average_bytes",
    )
)
"""Metrics that Prometheus, the daemon, or a pair with more to tell has."""
SITUATIONS = situations()


def run(*argv: str, cwd: Path | None = None, stdin: bytes = b"") -> str:
    """Run a tool that must find nothing wrong; return what it said."""
    done = subprocess.run(argv, cwd=cwd, input=stdin, capture_output=True, timeout=100, check=False)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in promql.rules() if "alert" in rule]


@needs("promtool")
def test_promtool_finds_nothing_in_rules_and_sample(checkout: Path) -> None:
    place = checkout / "config/prometheus"
    assert "SUCCESS" in run("promtool", "check", "rules", "hamnd.rules.yml", cwd=place)
    run("promtool", "check", "config", "prometheus.yml", cwd=place)


@needs("promtool")
@pytest.mark.parametrize("name", ["hamnd.rules.test.yml", "hamnd.rules.days.test.yml"])
def test_the_rules_fire_stay_quiet_and_resolve_as_their_tests_say(
    checkout: Path, name: str
) -> None:
    run("promtool", "test", "rules", name, cwd=checkout / "config/prometheus")


def test_every_alert_of_the_issue_is_there_and_seen_quiet_firing_and_resolved(
    checkout: Path,
) -> None:
    names = {rule["alert"] for rule in alerts()}
    assert set(ALERTS) <= names
    seen: dict[str, set[str]] = {}
    for path in (checkout / "config/prometheus").glob("*.test.yml"):
        for case in yaml.safe_load(path.read_text())["tests"]:
            for name, phases in phases_of(case).items():
                seen.setdefault(name, set()).update(phases)
    assert {name for name in names if seen.get(name) != {"quiet", "fires", "resolved"}} == set()


def phases_of(case: dict[str, Any]) -> dict[str, set[str]]:
    """Return what one case of promtool sees of each alert, by the same expression."""
    told: dict[str, list[tuple[int, set[str]]]] = {}
    for check in case["promql_expr_test"]:
        firing = set(re.findall(r'alertname="(\w+)"', str(check["exp_samples"])))
        told.setdefault(check["expr"], []).append((seconds(check["eval_time"]), firing))
    found: dict[str, set[str]] = {}
    for looks in told.values():
        for name in set().union(*(firing for _, firing in looks)):
            at = min(moment for moment, firing in looks if name in firing)
            phases = found.setdefault(name, {"fires"})
            silent = [moment for moment, firing in looks if name not in firing]
            phases |= {"quiet" if moment < at else "resolved" for moment in silent}
    return found


def seconds(duration: object) -> int:
    """Return Prometheus' duration (``1d2h``, ``90s``) in seconds."""
    units = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
    parts = re.findall(r"(\d+)([dhms])", str(duration))
    return sum(int(count) * units[unit] for count, unit in parts)


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_what_and_what_to_type(checkout: Path, rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    told = rule["annotations"]
    assert len(told["summary"]) <= 100
    commands = re.findall(r"hamnctl ([a-z-]+)", told["description"])
    assert commands
    assert set(commands) <= set(COMMANDS)
    anchor = rule["alert"].lower()
    assert told["runbook_url"].endswith(f"alerts.md#{anchor}")
    book = (checkout / "docs/alerts.md").read_text()
    assert f"\n## {rule['alert']}\n" in book


def test_severities_page_as_they_should(checkout: Path) -> None:
    critical = {rule["alert"] for rule in alerts() if rule["labels"]["severity"] == "critical"}
    assert critical == {
        *("PrimaryDownUnconfirmed", "TwoActives", "OldPrimaryReturned", "FenceLies"),
        *("TakeoverStuck", "FuseViolation", "AddressDoubled", "HamndLostWhileDown", "NotServing"),
    }


@needs("amtool")
def test_alertmanager_takes_the_sample_and_routes_by_severity(checkout: Path) -> None:
    sample = str(checkout / "config/alertmanager/alertmanager.yml")
    run("amtool", "check-config", sample)
    for severity, receiver in (("critical", "pager"), ("warning", "tickets"), ("info", "nobody")):
        said = run("amtool", "config", "routes", "test", f"--config.file={sample}",
                   f"severity={severity}", "cluster=blue")  # fmt: skip
        assert said.split()[0] == receiver


def test_what_is_inhibited_exists(checkout: Path) -> None:
    sample = yaml.safe_load((checkout / "config/alertmanager/alertmanager.yml").read_text())
    names = {rule["alert"] for rule in alerts()}
    for rule in sample["inhibit_rules"]:
        told = json.dumps(rule["source_matchers"] + rule["target_matchers"])
        meant = set(re.findall(r"[A-Z][A-Za-z]+", told))
        assert meant
        assert meant <= names
        assert rule["equal"] == ["cluster"]


@needs("promtool")
def test_what_is_written_of_a_fleet_is_a_configuration(checkout: Path, tmp_path: Path) -> None:
    """Given the page's block on federation, then Prometheus takes it, and all it names exists."""
    text = (checkout / "docs/monitoring.md").read_text()
    block = re.search(r"^( *)```yaml\n(.*?/federate.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    assert block
    jobs = yaml.safe_load(block[2])
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": jobs}))
    run("promtool", "check", "config", "prometheus.yml", cwd=tmp_path)
    recorded = {rule["record"] for rule in promql.rules() if "record" in rule}
    (names,) = re.findall(r'__name__=~"([^"]+)"', str(jobs))
    assert recorded
    assert all(re.fullmatch(names, one) for one in recorded)


# The dashboard


def builder(checkout: Path) -> ModuleType:
    spec = spec_from_file_location("build", checkout / "config/grafana/build.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_dashboard_is_what_its_source_says(checkout: Path) -> None:
    """After a change: python config/grafana/build.py."""
    assert (checkout / "config/grafana/hamnd.json").read_text() == builder(checkout).build()


def test_grafanas_own_types_read_the_dashboard_without_loss(checkout: Path) -> None:
    document = json.loads((checkout / "config/grafana/hamnd.json").read_text())
    again = json.loads(json.dumps(Dashboard.from_json(document), cls=JSONEncoder))
    assert again["title"] == document["title"]
    assert [panel["title"] for panel in again["panels"]] == [
        panel["title"] for panel in document["panels"]
    ]
    assert again["templating"] == document["templating"]
    assert again["annotations"] == document["annotations"]


def test_no_panel_covers_another(checkout: Path) -> None:
    document = json.loads((checkout / "config/grafana/hamnd.json").read_text())
    places = [(panel["title"], panel["gridPos"]) for panel in document["panels"]]
    for (name, one), (other_name, other) in combinations(places, 2):
        is_beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        is_above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert is_beside or is_above, f"{name} and {other_name}"


def test_every_expression_is_of_the_chosen_pairs() -> None:
    document = promql.dashboards()[0]
    asked = [t["expr"] for panel in document["panels"] for t in panel.get("targets") or []]
    asked += [one["expr"] for one in document["annotations"]["list"] if one.get("expr")]
    assert len(asked) > 20
    for expression in asked:
        for selector in promql.selectors(expression):
            assert 'cluster=~"$cluster", node=~"$node"' in selector, selector


@needs("promtool")
def test_promtool_reads_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    asked = [one for found in promql.panels().values() for one in found] + promql.annotated()
    rules = [{"record": f"panel:{n}", "expr": one} for n, one in enumerate(asked)]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "g", "rules": rules}]}))
    run("promtool", "check", "rules", str(tmp_path / "rules.yml"))


# The metrics


@needs("promtool")
@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_promtool_finds_nothing_in_the_metrics(situation: Pair) -> None:
    document = status_document(situation.state, situation.now, situation.terms)
    measures = Measures("1", {"ping": 0.1}, 0.5)
    text = MetricsText(lambda: samples(document, situation.state, measures))
    assert run("promtool", "check", "metrics", stdin=text("")[1]) == ""


def test_every_metric_that_rules_and_dashboard_read_is_one_that_hamnd_has() -> None:
    """By name: a metric that was renamed must not leave a panel empty."""
    measures = Measures("1", {"ping": 0.1}, 0.5)
    told = [
        samples(status_document(one.state, one.now, one.terms), one.state, measures)
        for one in SITUATIONS.values()
    ]
    known = {metric.name for metrics in told for metric in metrics} | ELSEWHERE
    known |= {rule["record"] for rule in promql.rules() if "record" in rule}
    asked = [rule["expr"] for rule in promql.rules()] + promql.annotated()
    asked += [one for found in promql.panels().values() for one in found]
    read = {selector.partition("{")[0] for one in asked for selector in promql.selectors(one)}
    assert len(read) > 20
    assert read <= known
