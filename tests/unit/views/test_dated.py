"""What is done otherwise than the guide of 2010 says is said, with the reason, beside its step."""

from __future__ import annotations

import pytest

from hamnd.core.plans.setup import setup_steps
from hamnd.core.policy import Terms
from hamnd.model.names import PlanKind
from hamnd.model.plan import PlanRequest
from hamnd.views.card import plan_document, render_plan
from hamnd.views.dated import differences
from tests.builders import plan, site, terms

WORDS = {
    "db-log": "LOGARCHMETH1",
    "db-backup": "online backup",
    "db-restore": "WITHOUT PROMPTING",
    "db-hadr": "HADR_TIMEOUT 3",
}


def setup_card(where: Terms, verbose: bool = False) -> str:
    made = plan(request=PlanRequest(PlanKind.SETUP), steps=setup_steps(where))
    return "\n".join(render_plan(plan_document(made, made.created_at, where.site), verbose))


@pytest.mark.parametrize(("step", "words"), WORDS.items())
def test_the_card_of_setup_gives_the_reasons_for_db2(step: str, words: str) -> None:
    card = setup_card(terms())
    lines = card.splitlines()
    at = next(n for n, line in enumerate(lines) if line[4:].strip().startswith(f"{step} "))
    after = lines[at + 1 :]
    reasons = []
    for line in after:
        if line[:6].strip().isdigit():
            break
        reasons.append(line.strip())
    assert words in " ".join(reasons)
    assert words in " ".join(
        " ".join(line.split()) for line in setup_card(terms(), True).splitlines()
    )


def test_each_reason_belongs_to_a_step_of_setup() -> None:
    ids = {one.id for one in setup_steps(terms())}
    assert ids >= WORDS.keys() | {"db-standby"}
    assert all(differences(one, PlanKind.SETUP, site()) for one in WORDS)


def test_another_engine_and_another_kind_have_reasons_of_their_own() -> None:
    assert not differences("db-log", PlanKind.SETUP, site(engine="postgresql"))
    assert differences("fence", PlanKind.TAKEOVER, site(engine="postgresql"))
    assert not differences("fence", PlanKind.SETUP, site())


def told(step: str, kind: PlanKind, variant: str = "") -> str:
    return " ".join(differences(step, kind, site(), variant))


def test_what_a_takeover_does_otherwise_is_said_of_a_takeover_alone() -> None:
    """Given a plan in which the primary hands over, then no word of force, and none of order."""
    assert "BY FORCE" in told("promote", PlanKind.TAKEOVER, "force-after-proof")
    assert "BY FORCE" in told("promote", PlanKind.TAKEOVER), "the runbook is for any night"
    assert "password" in told("promote", PlanKind.TAKEOVER, "graceful")
    assert "BY FORCE" not in told("promote", PlanKind.TAKEOVER, "graceful")
    assert not told("fence", PlanKind.TAKEOVER, "graceful")
    for kind in (PlanKind.SWITCHOVER, PlanKind.RESUME, PlanKind.FAILBACK, PlanKind.DRILL):
        assert not told("promote", kind)
        assert not told("fence", kind)
        assert told("dns", kind)
