"""Makes the Grafana dashboard: `python config/grafana/build.py` writes hamnd.json beside it.

Owns which panels there are and what each asks Prometheus. Needs grafana-foundation-sdk (of the
extra `dev`); the result is committed, and a test holds the two together. One dashboard is for any
number of pairs: the variables `cluster` and `node` choose, and All is a choice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models

PLACE = Path(__file__).with_name("hamnd.json")
SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
CHOSEN = 'cluster=~"$cluster", node=~"$node"'
EACH = "{{cluster}} {{node}}"

GREEN, YELLOW, RED, BLUE, PURPLE, GREY = (
    *("dark-green", "dark-yellow", "dark-red"),
    *("dark-blue", "dark-purple", "text"),
)
STATES = {
    "Peer": GREEN,
    "Degraded": YELLOW,
    "PrimaryDown": RED,
    "TakingOver": BLUE,
    "Active": PURPLE,
}
STATUSES = {"False": RED, "Unknown": YELLOW, "True": GREEN}
LOSSES = {"unknown": RED, "bounded": YELLOW, "zero_likely": GREEN, "zero_proven": GREEN}
SIGHTS = {"unknown": YELLOW, "silent": RED, "reached": GREEN}
GRADES = {
    "none": GREY,
    "operator": YELLOW,
    "witnesses": YELLOW,
    "orderly": YELLOW,
    "agent_off": GREEN,
    "power_off": GREEN,
    "released": GREEN,
}

Panel = TypeVar("Panel", stat.Panel, statetimeline.Panel, timeseries.Panel)


def chosen(metric: str, more: str = "") -> str:
    """Return a metric of the chosen pairs and nodes."""
    return f"{metric}{{{CHOSEN}{', ' if more else ''}{more}}}"


def one_of(metric: str, label: str, words: Mapping[str, str], by: str = "cluster, node") -> str:
    """Return which of several values a one-hot metric has, as the number of its word."""
    arms = [
        f"{number} * {chosen(metric, f'{label}={json.dumps(word)}')}"
        for number, word in enumerate(words, 1)
    ]
    return f"max by ({by}) ({' or '.join(arms)})"


def standing_by(expression: str) -> str:
    """Return an expression where its node is a standby: an active node is never ready."""
    recorded = chosen("cluster_node:hamnd_standby:max")
    return f"{expression} and on (cluster, node) {recorded} == 1"


def named(words: Mapping[str, str]) -> list[models.ValueMapping]:
    """Return how those numbers are shown: the word, in its colour."""
    options = {
        str(number): models.ValueMappingResult(text=word, color=colour, index=number)
        for number, (word, colour) in enumerate(words.items(), 1)
    }
    return [models.ValueMap(options=options)]


def asking(panel: Panel, *questions: tuple[str, str], instant: bool = False) -> Panel:
    """Give a panel its questions, each with the legend of its answers."""
    for number, (expression, legend) in enumerate(questions):
        query = prometheus.Dataquery().expr(expression).legend_format(legend)
        query = query.ref_id(chr(ord("A") + number)).datasource(SOURCE)
        panel.with_target(query.instant() if instant else query.range())
    panel.datasource(SOURCE)
    return panel


def now(title: str, says: str, expression: str, words: Mapping[str, str]) -> stat.Panel:
    """Return a panel with one word for each pair: what it is at this moment."""
    panel = asking(stat.Panel(), (expression, EACH), instant=True)
    panel.title(title).description(says).mappings(named(words)).span(6).height(5)
    panel.color_mode(common.BigValueColorMode.BACKGROUND)
    panel.graph_mode(common.BigValueGraphMode.NONE)
    return panel.text_mode(common.BigValueTextMode.VALUE_AND_NAME)


def lasting(title: str, says: str, expression: str) -> stat.Panel:
    """Return a panel with how long something bad has lasted; 0 is green."""
    panel = asking(stat.Panel(), (expression, EACH), instant=True)
    steps = [models.Threshold(value=None, color=GREEN), models.Threshold(value=1, color=RED)]
    limits = boards.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)
    panel.title(title).description(says).unit("s").thresholds(limits).span(6).height(4)
    panel.color_mode(common.BigValueColorMode.BACKGROUND)
    return panel.graph_mode(common.BigValueGraphMode.NONE)


def curve(title: str, says: str, unit: str, *questions: tuple[str, str]) -> timeseries.Panel:
    """Return a panel with curves over time; what was not known is a gap in them."""
    panel = asking(timeseries.Panel(), *questions)
    panel.title(title).description(says).unit(unit).span(12).height(8)
    return panel.line_width(2).fill_opacity(0).min(0) if unit != "none" else panel


def bands(
    title: str, says: str, question: tuple[str, str], words: Mapping[str, str]
) -> statetimeline.Panel:
    """Return a panel with one band over time for each series: a matrix of words."""
    panel = asking(statetimeline.Panel(), question)
    panel.title(title).description(says).mappings(named(words)).span(12).height(8)
    return panel.show_value(common.VisibilityMode.NEVER).row_height(0.85)


def verdict() -> Sequence[stat.Panel | statetimeline.Panel]:
    """Return the first row: whether anybody has to get up."""
    return (
        now("State", "What each node is.", one_of("hamnd_state", "state", STATES), STATES),
        now(
            "Protected",
            "Whether a death of the primary now would lose only what the verdict says.",
            one_of("hamnd_protected", "status", STATUSES),
            STATUSES,
        ),
        now(
            "Takeover ready",
            "Whether a takeover would work now, on the nodes that stand by.",
            standing_by(one_of("hamnd_takeover_ready", "status", STATUSES)),
            STATUSES,
        ),
        now(
            "What would be lost",
            "The data-loss verdict of a takeover now; its basis tells hamnctl status.",
            one_of("hamnd_loss_verdict", "verdict", LOSSES),
            LOSSES,
        ),
        lasting(
            "Down and unconfirmed", "hamnctl plan takeover", chosen("hamnd_unconfirmed_seconds")
        ),
        lasting("Unprotected", "hamnctl explain", chosen("hamnd_unprotected_seconds")),
        bands(
            "States over time",
            "Every move has its reason in hamnctl history.",
            (one_of("hamnd_state", "state", STATES), EACH),
            STATES,
        ),
    )


def replication() -> Sequence[timeseries.Panel]:
    """Return the row of replication, the peer window and the clocks."""
    return (
        curve(
            "Replication gap",
            "From positions. The database's own running average lags behind.",
            "bytes",
            (chosen("hamnd_log_gap_bytes"), f"{EACH} log gap"),
            (chosen("hamnd_replay_gap_bytes"), f"{EACH} replay gap"),
            (chosen("hamnd_log_gap_average_bytes"), f"{EACH} average"),
        ),
        curve(
            "Peer window",
            "What is left of it, its length, and how long your people take to confirm (p95).",
            "s",
            (chosen("hamnd_peer_window_remaining_seconds"), f"{EACH} left"),
            (chosen("hamnd_peer_window_seconds"), f"{EACH} length"),
            (chosen("hamnd_confirm_seconds_p95"), f"{EACH} people"),
        ),
        curve(
            "Log written",
            "How fast each position moves.",
            "Bps",
            (
                f"rate({chosen('hamnd_log_position_bytes')}[$__rate_interval])",
                f"{EACH} {{{{which}}}}",
            ),
        ),
        curve(
            "Clock skew",
            "The primary's clock minus the standby's.",
            "none",
            (chosen("hamnd_clock_skew_seconds"), EACH),
        ).unit("s"),
    )


def files() -> Sequence[timeseries.Panel]:
    """Return the row of the copies."""
    return (
        curve(
            "Age of the copies",
            "Since the last complete, verified copy; dashed by eye: the site's limit.",
            "s",
            (chosen("hamnd_sync_age_seconds"), f"{EACH} {{{{set}}}}"),
            (chosen("hamnd_sync_age_limit_seconds"), f"{EACH} {{{{set}}}} limit"),
        ),
        curve(
            "Time of a pull",
            "How long the latest pull of each set took.",
            "s",
            (chosen("hamnd_sync_duration_seconds"), f"{EACH} {{{{set}}}}"),
        ),
    )


def readiness() -> Sequence[timeseries.Panel | statetimeline.Panel]:
    """Return the row that says whether a takeover would work, and since when that is known."""
    ready = {"not proven": RED, "proven": GREEN}
    return (
        bands(
            "Steps of a takeover",
            "Red: it would fail, or it is not known. Which and why: hamnctl ready.",
            (f"1 + {chosen('hamnd_step_ready')}", f"{EACH} {{{{step}}}}"),
            ready,
        ),
        curve(
            "Age of the proofs",
            "Since each step was last looked at.",
            "s",
            (chosen("hamnd_step_proof_age_seconds"), f"{EACH} {{{{step}}}}"),
        ),
        curve(
            "Since the last drill and the last rehearsal",
            "No curve: there was none yet. hamnctl plan drill.",
            "s",
            (f"time() - {chosen('hamnd_last_drill_timestamp_seconds')}", f"{EACH} drill"),
            (f"time() - {chosen('hamnd_last_rehearsal_timestamp_seconds')}", f"{EACH} rehearsal"),
        ),
    )


def evidence() -> Sequence[statetimeline.Panel]:
    """Return the row of who sees the primary, and of what proves it off."""
    return (
        bands(
            "What the service nodes see",
            "Unknown: the service node did not answer us.",
            (
                one_of("hamnd_witness_sees", "answer", SIGHTS, "cluster, node, witness"),
                f"{EACH} {{{{witness}}}}",
            ),
            SIGHTS,
        ),
        bands(
            "Proof that the old primary is off",
            "The best evidence that holds at that moment.",
            (one_of("hamnd_fence_evidence", "kind", GRADES), EACH),
            GRADES,
        ),
    )


def itself() -> Sequence[timeseries.Panel]:
    """Return the row of hamnd itself."""
    return (
        curve(
            "Probes",
            "How long each probe of the latest round took.",
            "s",
            (chosen("hamnd_probe_duration_seconds"), f"{EACH} {{{{probe}}}}"),
        ),
        curve(
            "Since the last round, and the scrape itself",
            "A round that does not come home is a hamnd that does not watch.",
            "s",
            (chosen("hamnd_probe_gap_seconds"), f"{EACH} since the last round"),
            (chosen("scrape_duration_seconds", 'job="hamnd"'), f"{EACH} scrape"),
        ),
        curve(
            "Runs that ended",
            "Takeovers, drills and the rest, by how they ended.",
            "short",
            (
                f"sum by (cluster, kind, outcome) ({chosen('hamnd_takeovers_total')}) > 0",
                "{{cluster}} {{kind}} {{outcome}}",
            ),
        ),
    )


def _variable(name: str, label: str, query: str) -> boards.QueryVariable:
    variable = boards.QueryVariable(name).label(label).query(query).datasource(SOURCE)
    variable.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
    variable.sort(models.VariableSort.ALPHABETICAL_ASC)
    return variable.multi(True).include_all(True).all_value(".*")


def _annotation(name: str, colour: str, expression: str) -> boards.AnnotationQuery:
    note = boards.AnnotationQuery().name(name).datasource(SOURCE).enable(True)
    return note.icon_color(colour).expr(expression)


def build() -> str:
    """Return the dashboard as Grafana reads it."""
    board = (
        boards.Dashboard("hamnd: pairs of management nodes").uid("hamnd").tags(["hamnd", "xcat"])
    )
    board.description("Who protects whom, would a takeover work, and what would be lost.")
    board.refresh("10s").time("now-3h", "now").timezone("utc").readonly()
    board.tooltip(models.DashboardCursorSync.CROSSHAIR)
    board.with_variable(boards.DatasourceVariable("datasource").label("Data").type("prometheus"))
    board.with_variable(_variable("cluster", "Cluster", "label_values(hamnd_build_info, cluster)"))
    nodes = 'label_values(hamnd_build_info{cluster=~"$cluster"}, node)'
    board.with_variable(_variable("node", "Node", nodes))
    running = chosen("hamnd_run", 'status="running"')
    running = f"max by (cluster, node, kind) ({running}) == 1"
    board.annotation(_annotation("Runs", "blue", running))
    down = chosen("hamnd_state", 'state="PrimaryDown"')
    board.annotation(_annotation("Primary down", "red", f"{down} == 1"))
    for title, panels in (
        ("The verdict now", verdict()),
        ("Replication gap and peer window", replication()),
        ("Copies of files", files()),
        ("Readiness and age of the proofs", readiness()),
        ("Who sees the primary", evidence()),
        ("hamnd itself", itself()),
    ):
        board.with_row(boards.Row(title))
        for panel in panels:
            board.with_panel(panel)
    text = json.dumps(board.build(), cls=JSONEncoder, sort_keys=True, indent=1)
    return f"{text}\n"


if __name__ == "__main__":
    PLACE.write_text(build(), encoding="utf-8")
