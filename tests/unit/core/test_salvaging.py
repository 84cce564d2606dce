"""Step salvage: only while ssh answers, before the fuse, and never a reason to stop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hamnd.core.gates import Question
from hamnd.core.health.assessment import Assessment
from hamnd.core.plans import Draft
from hamnd.core.plans.takeover import build_takeover
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Policy, Terms
from hamnd.core.replication import Promotion
from hamnd.dialects import salvage, shell
from hamnd.model.epoch import Epoch
from hamnd.model.health import Condition
from hamnd.model.names import Cause, Mode, Outcome, PlanKind, Probe, State, Status, Verdict
from hamnd.model.plan import Plan, PlanRequest
from hamnd.model.site import PostgresSite
from hamnd.model.work import Exec, Place, Swap
from tests.unit.core.builders import WALL, site, terms
from tests.unit.core.story import Story

SSH = (
    "ssh -p 22 -i /root/.ssh/id_ed25519 -o BatchMode=yes -o StrictHostKeyChecking=yes "
    "-o UserKnownHostsFile=/root/.ssh/known_hosts -o ConnectTimeout=5 -o LogLevel=ERROR"
)
CREDENTIALS = ("/etc/xcat/ca", "/root/.xcat")


def failed_service() -> Story:
    """The primary's xcatd is gone for good, its sshd is not."""
    here = site(credentials=CREDENTIALS)
    story = Story(terms=Terms(here, terms(here, service_down_after_s=10.0).policy)).in_peer()
    story.world.probes[Probe.XCATD] = "refused"
    story.live(15.0)
    assert story.state.state is State.PRIMARY_DOWN
    return story


def shown(story: Story) -> Plan:
    plan = story.plan().answer
    assert plan is not None
    return plan


def test_what_answers_ssh_is_salvaged_before_anything_is_disarmed() -> None:
    plan = shown(failed_service())
    step = plan.step("salvage")
    assert step.depends_on == step.after == ()
    assert plan.step("fuse").after == ("salvage",)
    pull, verify, switch = (action.request for action in step.actions)
    assert isinstance(pull, Exec)
    assert pull.argv[4:] == (
        "rsync",
        SSH,
        "root@9.114.47.103",
        *("/etc/xcat/ca/", "/etc/xcat/ca", "/root/.xcat/", "/root/.xcat"),
    )
    assert isinstance(verify, Exec)
    assert verify.argv[4:] == ("openssl", *CREDENTIALS)
    assert switch == Swap(
        "aixmn2",
        (
            Place("/etc/xcat/.hamnd/new/ca", "/etc/xcat/ca", "/etc/xcat/.hamnd/old/ca"),
            Place("/root/.hamnd/new/.xcat", "/root/.xcat", "/root/.hamnd/old/.xcat"),
        ),
    )


def test_a_silent_host_has_nothing_to_salvage_and_fuse_waits_for_nothing() -> None:
    story = Story(terms=Terms(site(credentials=CREDENTIALS), terms().policy)).primary_down()
    plan = shown(story)
    assert "salvage" not in [step.id for step in plan.steps]
    assert plan.step("fuse").after == ()


@pytest.mark.parametrize("word", ["fails", "lost"])
def test_a_salvage_that_comes_to_nothing_holds_nobody(word: str) -> None:
    story = failed_service()
    story.world.actions["salvage"] = word
    story.world.looks["salvage.fresh"] = "bad"
    shown(story)
    assert story.confirm().refusal is None
    story.until(lambda: story.state.state is State.ACTIVE, 300.0)
    finished = [one for one in story.records if one.what == "step_finished"]
    (salvaged,) = [one for one in finished if one.step == "salvage"]
    assert salvaged.outcome == Outcome.SKIPPED.value
    assert "left out: " in salvaged.evidence
    assert story.state.finished[-1].open_steps == ()
    assert story.state.finished[-1].status == "done"


def test_a_primary_that_fell_silent_since_the_card_only_has_less_to_salvage() -> None:
    story = failed_service()
    plan = shown(story)
    story.world.probes[Probe.SSH_BANNER] = "refused"
    story.live(10.0)
    assert "salvage" not in [step.id for step in shown(story).steps]
    assert story.confirm(plan.digest).refusal is None
    assert story.state.run is not None
    assert story.state.run.plan.steps == plan.steps, "what was shown is what runs"


def test_one_that_answers_again_has_more_to_do_than_was_agreed() -> None:
    story = failed_service()
    story.world.probes[Probe.SSH_BANNER] = "refused"
    story.live(10.0)
    plan = shown(story)
    story.world.probes[Probe.SSH_BANNER] = "answers"
    story.live(5.0)
    refusal = story.confirm(plan.digest).refusal
    assert refusal is not None
    assert any("salvage" in line for line in refusal.difference)


def test_the_loss_is_judged_again_after_it_and_written_down() -> None:
    story = failed_service()
    shown(story)
    story.confirm()
    story.until(lambda: story.state.state is State.ACTIVE, 300.0)
    judged = [one for one in story.records if one.what == "loss_judged_again"]
    assert len(judged) == 1
    order = [(one.what, one.step) for one in story.records]
    assert order.index(("step_finished", "salvage")) < order.index(("loss_judged_again", ""))
    assert order.index(("loss_judged_again", "")) < order.index(("action_started", "promote"))


def test_every_line_can_be_run_by_hand() -> None:
    here = site(credentials=CREDENTIALS)
    (one, _) = salvage.sets(here)
    assert shell.preview(salvage.switch(here, one).request, here) == (
        "if test -e /etc/xcat/.hamnd/new/ca; then rm -rf /etc/xcat/.hamnd/old/ca && "
        "{ ! test -e /etc/xcat/ca || mv /etc/xcat/ca /etc/xcat/.hamnd/old/ca; } && "
        "mv /etc/xcat/.hamnd/new/ca /etc/xcat/ca; fi"
    )
    v6 = replace(here, primary=replace(here.primary, address="fd00::3"))
    request = salvage.pull(v6, one).request
    assert isinstance(request, Exec)
    assert "root@[fd00::3]" in request.argv


# ---- what ended by itself between card and confirm -----------------------------------------------
def test_a_restore_that_ended_since_the_card_is_no_reason_to_refuse() -> None:
    story = Story().in_peer()
    story.world.processes = "4711 pg_restore -c -d xcatdb /backup/xcatdb.tar\n"
    story.world.die()
    story.live(4.0)
    story.world.lose_link(story.now_s)
    story.until(lambda: story.state.state is State.PRIMARY_DOWN)
    story.live(6.0)
    plan = shown(story)
    assert len(plan.step("fuse").actions) == 2, "the crontab's line, and the process"
    story.world.processes = ""
    story.live(6.0)
    assert len(shown(story).step("fuse").actions) == 1
    assert story.confirm(plan.digest).refusal is None


def test_a_restore_that_began_since_the_card_is() -> None:
    story = Story().primary_down()
    story.live(6.0)
    plan = shown(story)
    story.world.processes = "4711 pg_restore -c -d xcatdb /backup/xcatdb.tar\n"
    story.live(6.0)
    refusal = story.confirm(plan.digest).refusal
    assert refusal is not None
    assert any("fuse" in line for line in refusal.difference)


# ---- a database that still answers ---------------------------------------------------------------
ENGINES = {
    "postgresql": site(
        engine="postgresql", postgresql=PostgresSite(data_dir="/data"), credentials=CREDENTIALS
    ),
    "mariadb": site(engine="mariadb", credentials=CREDENTIALS),
}


def planned(engine: str, **changes: Any) -> Plan:
    """A takeover whose primary's xcatd failed, its database and the replication being well."""
    here = Terms(ENGINES[engine], Policy())
    linked = Condition("ReplicationPeer", Status.TRUE, "InPeer", "", WALL, WALL, "test")
    promotion = Promotion("accepted-force", Verdict.PASS, "")
    question = Question(
        state=State.PRIMARY_DOWN,
        mode=Mode.NORMAL,
        mode_reason="",
        assessment=Assessment(conditions=(linked,), promotion=promotion),
        request=PlanRequest(PlanKind.TAKEOVER),
        has_run=False,
        terms=here,
        cause=Cause.SERVICE,
        does_ssh_answer=True,
        does_database_answer=True,
    )
    question = replace(question, **changes)
    platform = platform_of(here.site).steps(here.site, here.policy, {})
    return build_takeover(Draft(question, platform, question.cause, "", WALL, Epoch(0, "aixmn1")))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_database_that_still_answers_hands_over_before_it_is_switched_off(engine: str) -> None:
    plan = planned(engine)
    last = plan.step("quiesce")
    assert last.host == "aixmn1"
    assert last.after == ("salvage",), "its files come while it can still be asked for them"
    assert "quiesce" in plan.step("fence").after
    assert last.is_optional, "a takeover depends on no machine that it is made against"
    assert last.compensation, "who steps back has it write again"
    assert not last.needs_fence
    assert not any("hamnd-held" in shell.preview(one.request, ENGINES[engine])
                   for one in last.actions), "its data keeps its name"  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"does_database_answer": False},
        {"does_ssh_answer": False},
        {"cause": Cause.HOST},
        {"assessment": Assessment(promotion=Promotion("accepted-force", Verdict.PASS, ""))},
    ],
    ids=["database", "ssh", "cause", "link"],
)
def test_what_cannot_hand_over_is_not_asked_to(changes: dict[str, Any]) -> None:
    plan = planned("postgresql", **changes)
    assert "quiesce" not in [one.id for one in plan.steps]
    assert "quiesce" not in plan.step("fence").after


def test_a_run_that_goes_on_keeps_the_way_back_of_what_handed_over() -> None:
    begun = frozenset({"quiesce"})
    plan = planned("postgresql", does_database_answer=False, begun=begun)
    assert plan.step("quiesce").compensation
