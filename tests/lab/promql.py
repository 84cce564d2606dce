"""Every PromQL expression that is delivered: of the rules and of the dashboard.

Owns how they are found in the files, which series each of them reads, and which of them an engine
leaves without an answer. Must not know that engine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

CONFIG = Path(__file__).resolve().parents[2] / "config"
VARIABLES = {
    "$__rate_interval": "1m",
    "$__range": "10m",
    "$__interval": "15s",
    "$cluster": ".*",
    "$node": ".*",
}
SELECTOR = re.compile(r"\b(?:cluster(?:_node)?:)?(?:hamnd_\w+(?::\w+)?|up)(?:\{[^}]*\})?")


def rules() -> list[dict[str, Any]]:
    """Return every rule as it stands in the file."""
    document = yaml.safe_load((CONFIG / "prometheus/hamnd.rules.yml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def dashboards() -> list[dict[str, Any]]:
    """Return every dashboard."""
    return [json.loads(path.read_text()) for path in sorted((CONFIG / "grafana").glob("*.json"))]


def panels() -> dict[str, list[str]]:
    """Return the expressions of each panel, its variables replaced, by the panel's title."""
    found: dict[str, list[str]] = {}
    for dashboard in dashboards():
        waiting = list(dashboard["panels"])
        while waiting:
            panel = waiting.pop(0)
            waiting += panel.get("panels") or []
            targets = panel.get("targets") or []
            if targets:
                found[panel["title"]] = [filled(target["expr"]) for target in targets]
    return found


def annotated() -> list[str]:
    """Return the expressions of the dashboard's annotations."""
    return [
        filled(one["expr"])
        for dashboard in dashboards()
        for one in dashboard["annotations"]["list"]
        if one.get("expr")
    ]


async def without_data(ask: Callable[[str], Awaitable[Sequence[object]]]) -> set[str]:
    """Return what gives nothing: selectors of rules, and panels' expressions by their title."""
    read = {one: one for rule in rules() for one in selectors(rule["expr"])}
    drawn = {f"{title}: {one}": one for title, found in panels().items() for one in found}
    asked = {**read, **drawn, **{one: one for one in annotated()}}
    return {name for name, expression in asked.items() if not await ask(expression)}


def unexplained(empty: set[str], reasons: Mapping[str, str]) -> set[str]:
    """Return what gives nothing for no known reason, and the reasons that nothing needs."""
    surprising = {one for one in empty if not any(part in one for part in reasons)}
    return surprising | {
        f"needless: {part}" for part in reasons if not any(part in one for one in empty)
    }


def filled(expression: str) -> str:
    """Return an expression of a dashboard with its variables replaced."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def selectors(expression: str) -> set[str]:
    """Return the series that an expression reads, each as a selector of its own."""
    # A grouping `by (cluster)` and the labels of a vector match are no series.
    return set(SELECTOR.findall(expression))
