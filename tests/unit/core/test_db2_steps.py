"""The steps of a Db2 pair's life: which, in which order, on which node, and what none may have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamnd.core.plans.ordering import in_order
from hamnd.core.policy import Terms, exchanged
from hamnd.core.replication import Rejoin, Setup, Switchover, Task, Way
from hamnd.core.replication.db2 import ENGINE
from hamnd.dialects.readers import READERS
from hamnd.dialects.shell import preview
from hamnd.model.plan import Step
from hamnd.model.site import IdentityMode, ServiceAddress
from tests.unit.core.builders import site, terms

ALIAS = terms()
MOVING = (ServiceAddress("en1", site().primary.address, 26, "aixmn1"),)
GUIDES_WAY = terms(site(identity_mode=IdentityMode.PRIMARY_ADDRESS, identity=MOVING))
HOME = terms(site(identity_mode=IdentityMode.PRIMARY_ADDRESS, identity=MOVING, node="aixmn1"))
AS_IT_IS = Rejoin(Way.REINTEGRATE, "diverged-after-5000")
ANEW = Rejoin(Way.RESEED, "diverged-after-5000", "log from 5000 to 7000")
TASKS = (Switchover(), AS_IT_IS, ANEW, Setup())
EVERY = [(where, task) for where in (ALIAS, GUIDES_WAY, HOME) for task in TASKS]


def lines(step: Step, where: Terms = ALIAS) -> list[str]:
    return [preview(action.request, where.site) for action in step.actions]


def by_id(where: Terms, task: Task) -> dict[str, Step]:
    return {one.id: one for one in ENGINE.steps(where, task)}


@pytest.mark.parametrize(("where", "task"), EVERY)
def test_steps_are_pure_readable_and_run_in_the_order_given(where: Terms, task: Task) -> None:
    """The same question has the same answer, and every step comes after what it waits for."""
    steps = ENGINE.steps(where, task)
    assert steps == ENGINE.steps(where, task)
    outside = {one for step in steps for one in step.depends_on} - {step.id for step in steps}
    assert outside <= {"identity"}
    inside = [
        replace(one, depends_on=tuple(name for name in one.depends_on if name not in outside))
        for one in steps
    ]
    assert [one.id for one in in_order(tuple(inside))] == [one.id for one in steps]
    for step in steps:
        works = [*step.actions, *step.compensation]
        looks = [*step.readiness, *step.preconditions, *step.postconditions]
        assert {one.reads for one in works} | {one.reads for one in looks} <= set(READERS)
        assert not [one for one in works if " user " in preview(one.request, where.site).lower()]


@pytest.mark.parametrize("where", [ALIAS, GUIDES_WAY, HOME])
def test_a_switchover_never_forces_and_all_of_it_can_be_taken_back(where: Terms) -> None:
    for step in ENGINE.steps(where, Switchover()):
        works = [*step.actions, *step.compensation]
        assert not [one for one in works if "by force" in preview(one.request, where.site)]
        assert step.reversible
        assert not step.needs_fence


def test_an_alias_address_leaves_hadr_alone() -> None:
    steps = by_id(ALIAS, Switchover())
    assert list(steps) == ["quiesce", "promote", "replicate"]
    assert (steps["quiesce"].host, steps["promote"].host) == ("aixmn1", "aixmn2")
    assert "takeover hadr on db XCATDB'" in (lines(steps["promote"])[0] + "'")


@pytest.mark.parametrize(("where", "new", "old"), [(exchanged(GUIDES_WAY), 2, 1), (HOME, 1, 2)])
def test_an_exchange_of_addresses_restarts_hadr_on_both(where: Terms, new: int, old: int) -> None:
    """Whoever becomes the management node gets its address, the other one the standby's."""
    steps = by_id(where, Switchover())
    assert list(steps)[2:-1] == ["db-stop", "db-stop-partner", "db-rehome", "db-rehome-partner"]
    hosts = {one.id: one.host for one in steps.values()}
    assert hosts["db-stop"] == hosts["db-rehome"] == f"aixmn{new}"
    assert hosts["db-stop-partner"] == hosts["db-rehome-partner"] == f"aixmn{old}"
    said = {name: "\n".join(lines(one, where)) for name, one in steps.items()}
    assert "9.114.47.103 9.114.47.104" in said["db-rehome"]
    assert "9.114.47.104 9.114.47.103" in said["db-rehome-partner"]
    assert "stop hadr" in said["db-stop"]
    assert "stop hadr" not in said["db-stop-partner"], "it would end the standby (§11)"
    assert "as primary" in said["replicate"]
    for name in ("db-rehome", "db-rehome-partner"):
        assert "identity" in steps[name].depends_on


def test_a_log_that_has_not_diverged_needs_no_copy() -> None:
    steps = by_id(ALIAS, AS_IT_IS)
    start = ["db-mirror", "db-standby", "db-primary", "replicate"]
    assert list(steps) == ["hold", "preserve", *start]
    assert not steps["preserve"].actions, "nothing of it is replaced"


def test_what_gives_way_is_kept_first_and_named() -> None:
    steps = by_id(ALIAS, ANEW)
    assert list(steps)[1:5] == ["preserve", "db-backup", "db-copy", "db-restore"]
    assert "log from 5000 to 7000 is only there" in steps["preserve"].title
    assert "kept/diverged-after-5000" in lines(steps["preserve"])[-1]
    assert not steps["db-restore"].reversible
    assert steps["db-backup"].host == "aixmn2", "the image is this node's"


@pytest.mark.parametrize("task", [AS_IT_IS, ANEW])
def test_an_old_primary_is_never_shut_down_in_order(task: Task) -> None:
    """DEACTIVATE or db2stop would write a record that diverges its log (§10)."""
    hold = by_id(ALIAS, task)["hold"]
    assert lines(hold)[0].endswith(" kill'") or " kill" in lines(hold)[0]
    for step in ENGINE.steps(ALIAS, task):
        assert not [one for one in lines(step) if "db2stop" in one]
        assert not [one for one in lines(step) if "by force" in one]


def test_the_standby_starts_before_the_primary_that_waits_for_it() -> None:
    steps = by_id(ALIAS, ANEW)
    assert steps["db-primary"].depends_on == ("db-standby",)
    assert [steps[one].host for one in ("db-standby", "db-primary")] == ["aixmn1", "aixmn2"]


@pytest.mark.parametrize("where", [ALIAS, terms(site(node="aixmn1"))])
def test_set_up_is_the_same_whoever_runs_it(where: Terms) -> None:
    """Primary and standby as configured, whichever node hamnd is on; the standby's data is kept."""
    steps = by_id(where, Setup())
    before = ["db-services", "db-instance", "db-log", "db-hadr", "hold", "preserve"]
    seed = ["db-backup", "db-copy", "db-restore", "db-mirror"]
    assert list(steps) == [*before, *seed, "db-standby", "db-primary", "replicate"]
    hosts = {name: steps[name].host for name in ("db-log", "hold", "db-restore", "db-primary")}
    assert hosts == dict(zip(hosts, ["aixmn1", "aixmn2", "aixmn2", "aixmn1"], strict=True))
    assert "db-hadr" in steps["db-backup"].depends_on, "the image carries the configuration"


def test_only_clients_elsewhere_need_an_alternate_server() -> None:
    here = site()
    with_clients = terms(replace(here, db2=replace(here.db2, client_port=60000)))
    assert "db-alternate" in by_id(with_clients, Setup())
    assert "db-alternate" not in by_id(ALIAS, Setup())
