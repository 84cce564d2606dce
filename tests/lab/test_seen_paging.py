"""The page arrives: a demo's pair under the real Prometheus and Alertmanager, from kill to return.

Owns that one story, over TLS and with a password, that every delivered expression gives data in it,
and what the sample for Alertmanager holds back. `missing` names what is not installed; nothing
stands in for it.
"""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from hamnd.adapters.clock import SystemClock
from tests.lab import promql
from tests.lab.demo_stage import Stage, agree, stage, until_ready
from tests.lab.monitoring import Monitoring, monitored
from tests.lab.site.fixtures import needs
from tests.unit.adapters.test_http import certificate

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    needs("prometheus", "prometheus-alertmanager", "openssl"),
]

NOT_HERE = {
    "hamnd_last_drill_timestamp_seconds": "no drill in this story",
    "hamnd_sync_age_seconds": "the demo watches no file sets",
    "hamnd_sync_age_limit_seconds": "the demo watches no file sets",
    "hamnd_sync_duration_seconds": "the demo watches no file sets",
    'type=~"FilesFresh.*"': "the demo watches no file sets",
    'type="AddressUnique"': "only AIX logs who else has an address of ours",
    'cluster=""': "every target is labelled",
    'node=""': "every target is labelled",
}
"""What a series that gives nothing must contain, and why that is right here."""


async def test_a_killed_primary_pages_and_so_does_its_return(tmp_path: Path) -> None:
    """Given a ready pair that Prometheus scrapes over TLS with a password, when the primary loses
    its power while somebody holds the pages, the page arrives with the end of the hold; when the
    takeover is confirmed it resolves; when the old primary has power again, its page arrives; and
    every expression gave data meanwhile."""
    made, key = certificate(tmp_path, "first")
    users = tmp_path / "users"
    users.write_text("prometheus:se:cret\n")
    for secret in (key, users):
        secret.chmod(0o600)
    guards = f'certificate_file = "{made}"\nkey_file = "{key}"\nusers_file = "{users}"\n'
    scrape = (
        f"    scheme: https\n    tls_config: {{ca_file: {made}}}\n"
        "    basic_auth: {username: prometheus, password: 'se:cret'}\n"
    )
    async with stage(more=guards) as one:
        labels = {"cluster": "demo", "node": "aixmn2"}
        target = {"targets": [f"127.0.0.1:{one.layout.metrics_port}"], "labels": labels}
        await until_ready(one)
        began = SystemClock().now().wall_s
        async with monitored(tmp_path, [target], scrape) as watched:
            await tell(one, watched)
            await every_expression_gave_data(watched, began)


async def tell(one: Stage, watched: Monitoring) -> None:
    prometheus, receiver = watched.prometheus, watched.receiver
    await prometheus.until('hamnd_takeover_ready{status="True"} == 1')
    assert receiver.pages == []
    await one.must("rehearse", {})
    await prometheus.until("hamnd_last_rehearsal_timestamp_seconds")
    await hold_back(one, watched)
    await receiver.until("pager", "PrimaryDownUnconfirmed", "firing")
    page = receiver.bodies[0]["alerts"][0]
    assert page["labels"]["cluster"] == "demo"
    assert "hamnctl plan takeover" in page["annotations"]["description"]
    await agree(one)
    await prometheus.until('ALERTS{alertname="TakingOver"}')
    await receiver.until("pager", "PrimaryDownUnconfirmed", "resolved")
    await one.until_status(lambda status: status["state"] == "Active", "Active")
    await prometheus.until('hamnd_state{state="Active"} == 1')
    one.world.fault("power-on")
    await receiver.until("pager", "OldPrimaryReturned", "firing")
    fired = {alert for _, alert, _ in receiver.pages}
    assert fired <= {"PrimaryDownUnconfirmed", "OldPrimaryReturned", "TwoActives"}, fired
    assert await prometheus.query("hamnd_confirm_seconds_p95")


async def hold_back(one: Stage, watched: Monitoring) -> None:
    """While somebody holds the pages the primary dies: nobody is woken until the hold ends."""
    until = int(SystemClock().now().wall_s) + 3600
    await one.must("hold", {"until": until, "reason": "new kernel on aixmn1"})
    await watched.prometheus.until('ALERTS{alertname="OnHold", alertstate="firing"}')
    one.world.fault("kill")
    down = 'ALERTS{alertname="PrimaryDownUnconfirmed", alertstate="firing"}'
    await watched.prometheus.until(f"count_over_time({down}[5m]) >= 4")
    assert watched.receiver.pages == [], "a hold silences the page"
    await one.must("unhold", {})


CONSEQUENCES = (
    *("NotReady", "Unprotected", "ProofStale", "HamndAbsent", "HadrGap"),
    *("ReplicationNotAdvancing", "FilesStale", "ClockSkew"),
)
"""What a takeover brings with it; each of them is a ticket on any other day."""


async def test_what_a_takeover_brings_with_it_wakes_nobody(tmp_path: Path) -> None:
    """Given two pairs with the same alerts, when one of them is taking over, then Alertmanager
    holds back its consequences alone, and never that the run is stuck or that two are active."""
    alerts = [("red", name) for name in CONSEQUENCES]
    alerts += [("blue", name) for name in (*CONSEQUENCES, "TakeoverStuck", "TwoActives")]
    severities = {
        rule["alert"]: rule["labels"]["severity"] for rule in promql.rules() if "alert" in rule
    }
    body = [
        {"labels": {"alertname": name, "cluster": cluster, "severity": severities[name]}}
        for cluster, name in [*alerts, ("blue", "TakingOver")]
    ]
    async with monitored(tmp_path, []) as watched, aiohttp.ClientSession() as client:
        async with client.post(f"{watched.alertmanager}/alerts", json=body) as answer:
            assert answer.status == 200, await answer.text()
        for page in ("TwoActives", "TakeoverStuck"):
            await watched.receiver.until("pager", page, "firing")
        await watched.receiver.until("tickets", "NotReady", "firing")
        async with client.get(f"{watched.alertmanager}/alerts") as answer:
            told = await answer.json()
    held = {
        (one["labels"]["cluster"], one["labels"]["alertname"])
        for one in told
        if one["status"]["inhibitedBy"]
    }
    assert held == {("blue", name) for name in CONSEQUENCES}
    told_to_people = {
        (one["labels"]["cluster"], one["labels"]["alertname"])
        for sent in watched.receiver.bodies
        for one in sent["alerts"]
    }
    assert told_to_people == set(alerts) - held


async def every_expression_gave_data(watched: Monitoring, began: float) -> None:
    """Every selector of a rule, every expression of the dashboard, over the whole story."""
    empty = await promql.without_data(watched.since(began))
    assert promql.unexplained(empty, NOT_HERE) == set()
    read = {one for rule in promql.rules() for one in promql.selectors(rule["expr"])}
    assert "hamnd_unconfirmed_seconds" in read - empty, "the test itself reads something"
    await watched.every_rule_is_healthy()
