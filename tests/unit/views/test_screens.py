"""The screens, held as files that people read: `screens/NAME.txt`.

Rewrite them with HAMND_REWRITE_SCREENS=1 and read the diff: commit it only if you want the change.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.core.policy import Terms
from hamnd.model.names import LossVerdict, Outcome, PlanKind, Verdict
from hamnd.model.plan import GateResult, PlanRequest, Step
from hamnd.views.card import plan_document, render_card, render_plan
from hamnd.views.explain import explain_document, render_explain
from hamnd.views.files import render_files
from hamnd.views.offline import journal_status
from hamnd.views.ready import ready_document, ready_of, render_ready
from hamnd.views.rehearsal import rehearsal_of, render_rehearsal
from hamnd.views.replication import render_replication
from hamnd.views.run import render_refusal, render_run, run_document
from hamnd.views.status import render_status, status_document
from hamnd.views.text import HEIGHT, WIDTH
from hamnd.views.witnesses import render_witnesses, witnesses_document
from tests.builders import (
    NIGHT,
    Pair,
    gates,
    overridden_plan,
    pair,
    plan,
    site,
    situations,
    steps,
)

SCREENS = Path(__file__).parent / "screens"
SITUATIONS = situations()
ETA = {"p50_s": 90, "p95_s": 130, "n": 9}


def _status(name: str) -> Callable[[], list[str]]:
    one = SITUATIONS[name]
    return lambda: render_status(status_document(one.state, one.now, one.terms))


def _ready(one: Pair) -> list[str]:
    return render_ready(ready_document(one.state, one.now, one.terms))


def _rehearsal(one: Pair) -> list[str]:
    return render_rehearsal(rehearsal_of(status_document(one.state, one.now, one.terms)))


def _explain(one: Pair, name: str | None = None) -> list[str]:
    return render_explain(explain_document(one.state, one.now, one.terms), name)


def _replication(one: Pair) -> list[str]:
    return render_replication(explain_document(one.state, one.now, one.terms))


def _witnesses(one: Pair) -> list[str]:
    return render_witnesses(witnesses_document(one.state, one.now, one.terms))


def _run(one: Pair) -> list[str]:
    return render_run(run_document(one.state.run, one.now, one.terms.site))


def _blocked() -> list[str]:
    gate = replace(
        gates()[0], verdict=Verdict.BLOCK, evidence="ssh_banner: answers", clear="hamnctl explain"
    )
    blocked = plan(gates=(gate, *gates()[1:]), expires_at=NIGHT.wall_s - 1)
    return render_plan(plan_document(blocked, NIGHT.wall_s, site()))


def _not_accepted() -> list[str]:
    """Override given, loss not accepted yet: what was given stays given."""
    given = overridden_plan()
    loss = replace(given.loss, verdict=LossVerdict.ZERO_LIKELY)
    clear = "hamnctl plan takeover --accept-loss zero_likely"
    gate = GateResult("loss", Verdict.BLOCK, "zero_likely: the standby was restarted since", clear)
    request = replace(given.request, accept_loss=None)
    asked = replace(given, request=request, loss=loss, gates=(given.gates[0], gate))
    return render_plan(plan_document(asked, NIGHT.wall_s, site()))


def _card_with_files() -> list[str]:
    """The card of a night on which one set is old, and another one's CA is not the primary's."""
    now = int(NIGHT.wall_s)
    install = {"set": "install", "fresh_as_of": now - 7300, "stale_after_s": 10_800}
    credentials = {"set": "credentials", "fresh_as_of": now - 200, "stale_after_s": 3600}
    parts = [
        {**credentials, "identical": False},
        {**install, "drift": {"differ": 1, "missing": 1, "extra": 4, "examples": ["a", "b"]}},
        {"set": "images", "fresh_as_of": None, "stale_after_s": 93_600},
    ]
    return render_card({**plan_document(plan(), now, site(), ETA), "files": parts})


def _files(**changes: object) -> list[str]:
    """A set that is fresh and copied anew, one that is old and differs, one that asks, one that
    the site copies itself, and one that was never here."""
    now = int(NIGHT.wall_s)
    end = {"kind": "copy", "outcome": "done", "ended_at": now - 7200, "duration_s": 2.25}
    going = {"phase": "copying", "files": 120, "files_total": 480, "bytes": 2_500_000}
    parts = [
        {
            "set": "credentials",
            "mode": "pull",
            "identical": False,
            "fresh_as_of": now - 200,
            "stale_after_s": 3600,
            "run": {**going, "bytes_total": 10_000_000, "elapsed_s": 10.0},
        },
        {
            "set": "install",
            "mode": "pull",
            "fresh_as_of": now - 14_400,
            "stale_after_s": 10_800,
            "next_at": now + 600,
            "run": None,
            "last_run": {**end, "outcome": "not_done", "sentence": "mn1: no answer to ssh"},
            "drift": {
                "at": now - 7210,
                "differ": 1,
                "missing": 5,
                "extra": 2,
                "whole": True,
                "examples": ["post/one", "two\nlines", "c", "d", "e", "f"],
            },
        },
        {
            "set": "images",
            "mode": "observe",
            "fresh_as_of": now - 60,
            "stale_after_s": 93_600,
            "run": None,
            "last_run": {**end, "kind": "check", "sentence": "nothing differs"},
        },
        {
            "set": "tools",
            "mode": "pull",
            "fresh_as_of": None,
            "run": None,
            "question": "aixmn1 no longer has 812 of 900 entries of /tools/ (90 %, limit 25 %)",
        },
    ]
    document = {"partner": "aixmn1", "generated_at": now, "files": parts}
    return render_files({**document, **changes})


def _undo() -> list[str]:
    back = Step("undo-fuse", "take back fuse", "§5.2", "aixmn2", actions=steps()[0].actions)
    request = PlanRequest(PlanKind.UNDO)
    undo = plan(request=request, steps=(back,), gates=(), variant="aixmn1 is back")
    return render_plan(plan_document(undo, NIGHT.wall_s, site()))


def _unknown() -> Pair:
    one = pair().paused_at("xcatd")
    assert one.state.run is not None
    told = "outcome unknown: the key did not read back"
    steps = dict(one.state.run.steps)
    steps["xcatd"] = replace(steps["xcatd"], outcome=Outcome.UNKNOWN, sentence=told)
    run = replace(one.state.run, steps=steps, reason=told)
    return replace(one, state=replace(one.state, run=run))


def _refusal() -> list[str]:
    return render_refusal(
        {
            "error": "the picture became worse since plan 7f3a-91c2",
            "gate": "plan",
            "difference": [
                "fence: power_off (03:10:04) -> unknown: the controller times out",
                "witnesses: 0 of 4 reach aixmn1 -> 1 of 4 reaches it (sn03, 4 s ago)",
            ],
            "hint": "hamnctl explain · hamnctl plan takeover",
        }
    )


SHOWN: dict[str, Callable[[], list[str]]] = {
    **{f"status_{name}": _status(name) for name in SITUATIONS},
    "status_journal_only": lambda: render_status(journal_status(None, (), NIGHT.wall_s)),
    "ready": lambda: _ready(pair().in_peer()),
    "rehearsal": lambda: _rehearsal(pair().in_peer().rehearsed()),
    "rehearsal_failed": lambda: _rehearsal(pair().in_peer().rehearsed("fence")),
    "rehearsal_under_way": lambda: _rehearsal(pair().in_peer().rehearsed(is_over=False)),
    "rehearsal_none": lambda: _rehearsal(pair().in_peer()),
    "ready_on_hold": lambda: _ready(pair().in_peer().on_hold()),
    "ready_hold_forgotten": lambda: _ready(pair().not_ready().on_hold(since_s=90_000)),
    "ready_not": lambda: _ready(pair().not_ready()),
    "ready_starting": lambda: _ready(pair().starting()),
    "ready_observe_only": lambda: _ready(pair().in_peer().observe_only()),
    "ready_journal_only": lambda: render_ready(ready_of(journal_status(None, (), NIGHT.wall_s))),
    "explain_link_cut": lambda: _explain(pair().link_cut()),
    "explain_down": lambda: _explain(pair().primary_down()),
    "explain_active": lambda: _explain(pair().active(returned=True)),
    "explain_replication": lambda: _replication(pair().in_peer()),
    "explain_replication_cut": lambda: _replication(pair().link_cut()),
    "explain_one_step": lambda: _explain(pair().not_ready(), "consoles"),
    "explain_unknown_name": lambda: _explain(pair().in_peer(), "ReplicationPear"),
    "witnesses": lambda: _witnesses(pair().link_cut()),
    "witnesses_none": lambda: _witnesses(replace(pair(), terms=_without_witnesses())),
    "run": lambda: _run(pair().taking_over()),
    "run_before_no_return": lambda: _run(pair().taking_over("fence")),
    "run_paused": lambda: _run(pair().paused_at()),
    "run_paused_before_no_return": lambda: _run(pair().paused_at("fence")),
    "run_contradicted": lambda: _run(pair().contradicted()),
    "run_contradicted_late": lambda: _run(pair().contradicted(3)),
    "run_unknown_outcome": lambda: _run(_unknown()),
    "run_none": lambda: _run(pair().in_peer()),
    "card": lambda: render_card(plan_document(plan(), NIGHT.wall_s, site(), ETA)),
    "card_with_files": _card_with_files,
    "files": _files,
    "files_from_journal": lambda: _files(source="journal", unreachable="hamnd is not running"),
    "files_none": lambda: _files(files=[]),
    "card_overridden": lambda: render_card(plan_document(overridden_plan(), NIGHT.wall_s, site())),
    "plan_blocked": _blocked,
    "plan_loss_not_accepted": _not_accepted,
    "plan_undo": _undo,
    "refusal": _refusal,
}


def _without_witnesses() -> Terms:
    return replace(pair().terms, site=site(witnesses=()))


@pytest.mark.parametrize("name", SHOWN)
def test_screen_is_as_agreed(name: str) -> None:
    shown = "\n".join(SHOWN[name]()) + "\n"
    path = SCREENS / f"{name}.txt"
    if os.environ.get("HAMND_REWRITE_SCREENS"):
        path.write_text(shown, encoding="utf-8")
    assert path.exists(), f"{path.name} is missing: HAMND_REWRITE_SCREENS=1, then read it"
    assert shown == path.read_text(encoding="utf-8")


def test_no_screen_is_left_over() -> None:
    assert {path.stem for path in SCREENS.glob("*.txt")} == set(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_no_screen_is_wider_than_80_columns(name: str) -> None:
    wide = [line for line in SHOWN[name]() if len(line) > WIDTH]
    assert wide == []


@pytest.mark.parametrize("name", [name for name in SHOWN if name.startswith("status_")])
def test_status_fits_24_lines_and_ends_with_the_next_command(name: str) -> None:
    lines = SHOWN[name]()
    assert len(lines) <= HEIGHT
    assert any(line.startswith("NEXT ") for line in lines[-3:])


@pytest.mark.parametrize("name", SITUATIONS)
def test_status_in_full_fits_whatever_is_wrong_at_once(name: str) -> None:
    """Every condition false, with long messages: the screen still fits, the verdict stays first."""
    one = SITUATIONS[name]
    document = status_document(one.state, one.now, one.terms)
    document["conditions"] = [
        {"type": f"Trouble{n}", "status": "False", "reason": "r", "message": "words " * 40}
        for n in range(12)
    ]
    document["advice"] = "long advice " * 30
    document["data_loss"]["basis"] = ["a long basis of the verdict"] * 20
    lines = render_status(document)
    assert len(lines) <= HEIGHT
    assert lines[0].split()[0] == document["headline"][0].split()[0]
