"""The site's own steps in a takeover: where they hang, what they need, what the digest covers."""

from __future__ import annotations

import pytest

from hamnd.core.plans.takeover import takeover_steps
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Terms
from hamnd.core.replication import Promotion
from hamnd.dialects import shell
from hamnd.model.names import Verdict
from hamnd.model.plan import Step
from hamnd.model.site import SiteStep
from tests.builders import terms


def declared(**changes: object) -> SiteStep:
    given: dict[str, object] = {"id": "licences", "command": ("licd", "-s"), "verify": ("lics",)}
    return SiteStep(**{**given, **changes})  # type: ignore[arg-type]


def planned(*own: SiteStep, variant: str = "accepted-force") -> dict[str, Step]:
    here: Terms = terms(site_steps=own)
    platform = platform_of(here.site).steps(here.site, here.policy, {})
    found = takeover_steps(here, Promotion(variant, Verdict.PASS, ""), platform)
    placed: set[str] = set()
    for step in found:
        assert {*step.depends_on, *step.after} <= placed
        placed.add(step.id)
    return {step.id: step for step in found}


def test_a_step_before_another_waits_for_the_same_and_is_waited_for() -> None:
    found = planned(declared(before="xcatd"))
    assert found["licences"].depends_on == ("promote", "identity")
    assert "licences" in found["xcatd"].after
    assert "licences" not in found["xcatd"].depends_on


def test_a_step_after_another_holds_nobody_but_the_last_one() -> None:
    found = planned(declared(after="identity"))
    assert found["licences"].depends_on == ("identity",)
    assert [one.id for one in found.values() if "licences" in (*one.depends_on, *one.after)] == [
        "verify"
    ]


def test_a_step_after_the_last_one_is_the_last_one() -> None:
    assert list(planned(declared(after="verify")))[-1] == "licences"


def test_steps_may_hang_on_each_other_in_any_order() -> None:
    found = planned(declared(id="b", after="a"), declared(id="a", after="promote"))
    assert found["b"].depends_on == ("a",)


@pytest.mark.parametrize(
    ("anchor", "needs"),
    [
        ({"before": "fence"}, False),
        ({"after": "fuse"}, False),
        ({"after": "fence"}, True),
        ({"after": "promote"}, True),
        ({"before": "identity"}, True),
        ({"after": "fuse", "before": "xcatd"}, True),
    ],
)
def test_past_the_fence_a_step_needs_its_evidence(anchor: dict[str, str], needs: bool) -> None:
    assert planned(declared(**anchor))["licences"].needs_fence is needs


def test_the_card_says_that_looks_are_the_sites_word() -> None:
    here = terms()
    step = planned(
        declared(after="xcatd", host="sn02", user="lic", check=("test", "-e", "/x"), undo=("u",))
    )["licences"]
    assert step.title == "licd -s (declared by the site)"
    assert step.readiness == step.preconditions != ()
    assert step.preconditions[0].expects == "licences may run (declared by the site to read only)"
    line = shell.preview(step.actions[0].request, here.site)
    assert "root@10.1.0.22" in line
    assert "su - lic -c" in line
    assert [shell.preview(one.request, here.site)[-5:] for one in step.compensation]


def test_a_step_of_the_site_that_hangs_on_nothing_known_is_an_error() -> None:
    with pytest.raises(ValueError, match="licences hang on"):
        planned(declared(after="salvage"))
