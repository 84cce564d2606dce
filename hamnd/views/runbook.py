"""The break-glass runbook: the whole takeover by hand, with this site's real values (design §8).

Owns how the steps are written down for somebody who has nothing but a console. Must not build a
step (core.plans) nor know where the guide is dated (dated).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hamnd.model.names import PlanKind
from hamnd.views.dated import differences
from hamnd.views.text import Document, fold, listed

if TYPE_CHECKING:
    from hamnd.model.plan import Step
    from hamnd.model.site import Site
    from hamnd.model.work import Action, Look

SCHEMA = "hamnd.runbook/1"
WIDTH = 98

WHY = "say where and why this is not what the guide of 2010 says, or what cannot be taken back."
HOW = (
    "Lines with $ are run, lines with ? only look and say what they have to find, lines with ! "
    f"{WHY}"
)
HOW_MARKDOWN = f"Blocks are run, lists only look and say what they have to find, lines with ! {WHY}"


def runbook_document(steps: Iterable[Step], site: Site) -> dict[str, Any]:
    """Return the runbook of a takeover on this node as a document."""
    return {
        "schema": SCHEMA,
        "cluster": site.cluster,
        "node": site.node,
        "partner": site.partner.name,
        "engine": site.engine,
        "platform": site.platform.value,
        "database": site.db2.database if site.engine == "db2" else site.postgresql.database,
        "addresses": [f"{one.address} ({one.name}) on {one.interface}" for one in site.identity],
        "console": site.identity_console or None,
        "own_address_ends": site.takes_primary_address,
        "own_address": next(
            one.address for one in (site.primary, site.standby) if one.name == site.node
        ),
        "gateway": site.gateway,
        "witnesses": [one.name for one in site.witnesses],
        "has_fence_agent": site.fence.agent is not None,
        "steps": [_step(one, site) for one in steps],
    }


def _step(step: Step, site: Site) -> dict[str, Any]:
    commands = [line for action in step.actions for line in _by_hand(action, site)]
    return {
        "id": step.id,
        "title": step.title,
        "guide": step.guide,
        "host": step.host,
        "reversible": step.reversible,
        "differs": differences(step.id, PlanKind.TAKEOVER, site),
        "before": [_look(one, site) for one in step.preconditions],
        "commands": commands,
        "after": [_look(one, site) for one in step.postconditions],
    }


def _look(look: Look, site: Site) -> dict[str, Any]:
    return {"commands": _by_hand(look, site), "expects": look.expects}


def _by_hand(one: Action | Look, site: Site) -> list[str]:
    from hamnd.dialects import shell

    if one.by_hand is None:
        return [shell.preview(one.request, site)]
    return [shell.preview(request, site) for request in one.by_hand]


def render_runbook(document: Document) -> list[str]:
    """Return the runbook as lines: `!` why it is not as in the guide, `$` run, `?` look."""
    lines = _head(document)
    for number, step in enumerate(listed(document, "steps"), 1):
        lines += ["", *_step_lines(step, number, document)]
    return [*lines, "", *_tail(document)]


def render_runbook_markdown(document: Document) -> list[str]:
    """Return the same as Markdown: what is run in blocks of sh, what is looked at in lists."""
    title, *told = _head(document, HOW_MARKDOWN)
    lines = [f"# {title}", "", *told]
    for number, step in enumerate(listed(document, "steps"), 1):
        head, *rest = _step_lines(step, number, document)
        lines += ["", f"## {head}", ""]
        is_open = False
        for line in rest:
            text, is_run = line.strip(), line.startswith("   $ ")
            if is_run is not is_open:
                lines.append("```sh" if is_run else "```")
                is_open = is_run
            lines += _in_markdown(line, text, is_run)
        lines += ["```"] if is_open else []
    return [*lines, "", *_tail(document)]


def _in_markdown(line: str, text: str, is_run: bool) -> list[str]:
    """Return one line of a step; a long remark goes on where the line before it ended."""
    if is_run:
        return [text.removeprefix("$ ")]
    if text.startswith("! "):
        return ["", f"**!** {text[2:]}"]
    if text.startswith("? "):
        return ["", f"- look: `` {text[2:]} ``"]
    if text.startswith("-> "):
        return [f"  finds: {text[3:]}"]
    return [f"  {text}" if line.startswith("     ") else text]


def _head(document: Document, how: str = HOW) -> list[str]:
    node, partner = document.get("node"), document.get("partner")
    addresses = ", ".join(str(one) for one in document.get("addresses") or [])
    lines = [
        f"RUNBOOK: take over from {partner} to {node} by hand, without hamnd",
        f"cluster {document.get('cluster')}: {addresses}; gateway {document.get('gateway')}",
        "",
    ]
    lines += _told(
        f"Everything is run as root on {node}. {how} Go on only when every look of a step finds "
        "what it should."
    )
    if document.get("own_address_ends"):
        way_in = document.get("console") or f"the console of {node}"
        lines += _told(
            f"Work at the console ({way_in}): every session over {document.get('own_address')} "
            "ends in step identity, and nothing takes that step back by itself."
        )
    witnesses = ", ".join(str(one) for one in document.get("witnesses") or [])
    where = f" Ask it from {witnesses} too:" if witnesses else ""
    lines += _told(
        f"First: is {partner} really down?{where} when only the link between the two management "
        "nodes is cut, do not take over."
    )
    return lines


def _step_lines(step: Document, number: int, document: Document) -> list[str]:
    guide = str(step.get("guide") or "-")
    where = f"guide {guide}" if guide != "-" else "not in the guide"
    lines = [f"{number}. {step.get('id')}: {step.get('title')}  ({where})"]
    for note in step.get("differs") or []:
        lines += fold(f"! {note}", WIDTH, indent=5, first=3)
    if not step.get("reversible", True):
        lines.append("   ! from here there is no way back")
    lines += _looks(listed(step, "before"))
    commands = [str(one) for one in step.get("commands") or []]
    if step.get("id") == "fuse" and not commands:
        lines += _told(
            "In these crontabs (crontab -e) put # before every line that copies or restores onto "
            "this node; end what runs of it.", 3,
        )  # fmt: skip
    if step.get("id") == "fence" and not document.get("has_fence_agent"):
        lines += _told("Switch it off at its power, and see that it is dark.", 3)
    lines += [f"   $ {one}" for one in commands]
    if step.get("id") == "promote" and document.get("engine") == "db2":
        database = document.get("database")
        lines += _told(
            "Refused because the window is over, and what may be lost is accepted: the same with "
            f"db2 takeover hadr on db {database} by force", 3,
        )  # fmt: skip
    return [*lines, *_looks(listed(step, "after"))]


def _looks(looks: Iterable[Document]) -> list[str]:
    lines: list[str] = []
    for one in looks:
        lines += [f"   ? {command}" for command in one.get("commands") or []]
        lines += fold(f"-> {one.get('expects')}", WIDTH, indent=8, first=5)
    return lines


def _tail(document: Document) -> list[str]:
    node, partner = document.get("node"), document.get("partner")
    return [
        f"Afterwards: keep {partner} off until it has been rejoined as a standby. Where the return",
        f'guard is installed, tell it who serves: hamn-guard assert --reason "..." on {node}.',
        "Where hamnd runs again, it sees by itself that this node serves (state Active, adopted).",
    ]


def _told(text: str, first: int = 0) -> list[str]:
    return fold(text, WIDTH, indent=first, first=first)
