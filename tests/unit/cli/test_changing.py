"""Changing: plan, confirm and what follows, against a daemon with a script."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from hamnd.model.names import Outcome, Verdict
from hamnd.views.card import plan_document
from hamnd.views.run import run_document
from hamnd.views.status import status_document
from tests.builders import DIGEST, NIGHT, Pair, gates, pair, plan, site
from tests.unit.cli.conftest import INTERRUPT, Hamnctl, in_terminal
from tests.unit.cli.fake_daemon import FakeDaemon

CARD = plan_document(plan(), NIGHT.wall_s, site())
REFUSAL = {
    "schema": "hamnd.error/1",
    "error": "the picture became worse since plan 7f3a-91c2",
    "gate": "plan",
    "difference": ["fence: power_off -> unknown"],
    "hint": "hamnctl explain",
}


def status_of(one: Pair) -> dict[str, Any]:
    return status_document(one.state, one.now, one.terms)


def run_of(one: Pair) -> dict[str, Any]:
    return run_document(one.state.run, one.now, one.terms.site)


def blocked() -> dict[str, Any]:
    gate = replace(gates()[0], verdict=Verdict.BLOCK)
    return plan_document(plan(gates=(gate,)), NIGHT.wall_s, site())


def ready_to_confirm(daemon: FakeDaemon) -> None:
    """PrimaryDown, one plan shown; a confirmation runs through to Active."""
    daemon.shows(pair().planned())
    daemon.looks["plans"] = (200, {"plans": [CARD]})
    daemon.changes["confirm"] = (200, run_of(pair().taking_over("fuse")))
    steps = [status_of(pair().taking_over(step)) for step in ("fuse", "promote", "xcatd", "verify")]
    daemon.watch = [*steps, status_of(pair().active())]


class TestPlan:
    """A plan is shown; nothing is done."""

    def test_the_card_with_the_next_command(self, hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
        daemon.changes["plan"] = (200, CARD)
        ended = hamnctl("plan", "takeover")
        assert ended.code == 0
        assert ended.out.startswith("TAKE OVER from aixmn1 to aixmn2")
        assert f"hamnctl confirm {DIGEST}" in ended.out
        assert daemon.asked == [("plan", {"kind": "takeover"})]

    def test_everything_that_can_be_asked(self, hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
        daemon.changes["plan"] = (200, CARD)
        hamnctl(
            "plan", "takeover", "--continue", "--accept-loss", "unknown",
            "--override", "fence", "--reason", "cables pulled",
            "--override", "disk", "--reason", "freed",
        )  # fmt: skip
        assert daemon.asked == [
            (
                "plan",
                {
                    "kind": "takeover",
                    "continue": True,
                    "accept_loss": "unknown",
                    "overrides": [
                        {"gate": "fence", "reason": "cables pulled"},
                        {"gate": "disk", "reason": "freed"},
                    ],
                },
            )
        ]

    def test_verbose_shows_every_command(self, hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
        daemon.changes["plan"] = (200, CARD)
        assert "$ systemctl start xcatd" in hamnctl("plan", "takeover", "--verbose").out

    def test_a_blocked_plan_is_shown_and_exits_3(
        self, hamnctl: Hamnctl, daemon: FakeDaemon
    ) -> None:
        daemon.changes["plan"] = (200, blocked())
        ended = hamnctl("plan", "takeover")
        assert ended.code == 3
        assert "BLOCK" in ended.out

    def test_an_override_without_reason_asks_nothing(
        self, hamnctl: Hamnctl, daemon: FakeDaemon
    ) -> None:
        ended = hamnctl("plan", "takeover", "--override", "fence")
        assert ended.code == 2
        assert "--reason" in ended.err
        assert daemon.asked == []

    @pytest.mark.parametrize(
        ("status", "code"), [(409, 3), (403, 3), (400, 2), (500, 1), (503, 1), (504, 5), (404, 1)]
    )
    def test_errors_have_their_exit_codes(
        self, hamnctl: Hamnctl, daemon: FakeDaemon, status: int, code: int
    ) -> None:
        daemon.changes["plan"] = (status, REFUSAL)
        ended = hamnctl("plan", "takeover")
        assert ended.code == code
        assert "became worse" in ended.out + ended.err
        as_json = hamnctl("plan", "takeover", "--json")
        assert as_json.code == code
        assert json.loads(as_json.out) == REFUSAL

    def test_taken_and_never_answered_is_unknown_and_not_repeated(
        self, hamnctl: Hamnctl, daemon: FakeDaemon
    ) -> None:
        daemon.changes["plan"] = (0, None)
        ended = hamnctl("plan", "takeover")
        assert ended.code == 5
        assert "OUTCOME UNKNOWN" in ended.err
        assert len(daemon.asked) == 1


class TestConfirm:
    """The operator's word, and the run as it goes."""

    def test_without_a_terminal_digest_and_name_are_needed(
        self, hamnctl: Hamnctl, daemon: FakeDaemon
    ) -> None:
        ready_to_confirm(daemon)
        for arguments in ([], [DIGEST], ["--name", "aixmn2"]):
            ended = hamnctl("confirm", *arguments)
            assert ended.code == 2
            assert f"hamnctl confirm {DIGEST} --name NODE" in ended.err
        assert daemon.asked == []

    def test_the_steps_are_told_as_they_end(self, hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
        ready_to_confirm(daemon)
        ended = hamnctl("confirm", "7f3a91c2", "--name", "aixmn2")
        assert ended.code == 0
        assert daemon.asked == [("confirm", {"digest": DIGEST, "named": "aixmn2"})]
        told = [line for line in ended.out.splitlines() if " * " in line]
        assert [line.split()[2] for line in told] == [
            "fuse", "fence", "promote", "identity", "xcatd", "dns", "dhcp", "consoles", "verify",
        ]  # fmt: skip
        assert "Point of no return passed at promote." in ended.out
        assert ended.out.rstrip().splitlines()[-1].startswith("DONE.")

    def test_as_json_it_is_one_document(self, hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
        ready_to_confirm(daemon)
        ended = hamnctl("confirm", DIGEST, "--name", "aixmn2", "--json")
        assert ended.code == 0
        document = json.loads(ended.out)
        assert document["run"]["status"] == "done"
        assert {step["outcome"] for step in document["run"]["steps"]} == {"done"}

    def test_a_refusal_shows_the_difference(self, hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
        ready_to_confirm(daemon)
        daemon.changes["confirm"] = (409, REFUSAL)
        ended = hamnctl("confirm", DIGEST, "--name", "aixmn2")
        assert ended.code == 3
        assert ended.out.startswith("REFUSED: the picture became worse")
        assert "fence: power_off -> unknown" in ended.out
        assert "Nothing was done." in ended.out

    def test_a_step_that_failed_is_exit_4(self, hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
        ready_to_confirm(daemon)
        daemon.watch = [status_of(pair().taking_over("xcatd")), status_of(pair().paused_at())]
        ended = hamnctl("confirm", DIGEST, "--name", "aixmn2")
        assert ended.code == 4
        assert "PAUSED at dhcp: outcome NOT DONE" in ended.out
        assert "hamnctl retry" in ended.out

    def test_an_unknown_outcome_is_exit_5(self, hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
        ready_to_confirm(daemon)
        one = pair().paused_at()
        assert one.state.run is not None
        steps = dict(one.state.run.steps)
        steps["dhcp"] = replace(steps["dhcp"], outcome=Outcome.UNKNOWN)
        run = replace(one.state.run, steps=steps)
        daemon.watch = [status_of(replace(one, state=replace(one.state, run=run)))]
        ended = hamnctl("confirm", DIGEST, "--name", "aixmn2")
        assert ended.code == 5
        assert "OUTCOME UNKNOWN" in ended.out

    def test_what_runs_beside_a_failed_step_is_awaited(
        self, hamnctl: Hamnctl, daemon: FakeDaemon
    ) -> None:
        ready_to_confirm(daemon)
        one = pair().paused_at("dhcp")
        assert one.state.run is not None
        steps = dict(one.state.run.steps)
        steps["dns"] = replace(steps["dns"], outcome=Outcome.RUNNING)
        beside = replace(one.state.run, steps=steps)
        daemon.watch = [
            status_of(replace(one, state=replace(one.state, run=beside))),
            status_of(one),
        ]
        ended = hamnctl("confirm", DIGEST, "--name", "aixmn2")
        assert ended.code == 4
        assert " * dns " in ended.out

    def test_what_was_left_open_is_said_in_the_end(
        self, hamnctl: Hamnctl, daemon: FakeDaemon
    ) -> None:
        ready_to_confirm(daemon)
        daemon.watch[-1]["finished"][-1]["open_steps"] = ["dhcp"]
        ended = hamnctl("confirm", DIGEST, "--name", "aixmn2")
        assert "DONE, but left open: dhcp." in ended.out

    def test_a_broken_stream_is_taken_up_again(self, hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
        """The daemon restarts: hamnctl looks again instead of leaving the operator alone."""
        ready_to_confirm(daemon)
        whole = daemon.watch
        daemon.watches = [whole[:2], [], whole[2:]]
        ended = hamnctl("confirm", DIGEST, "--name", "aixmn2")
        assert ended.code == 0
        assert ended.out.count("promote") >= 1

    def test_a_second_hamnctl_joins_the_run(self, hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
        daemon.shows(pair().taking_over("fuse"))
        daemon.watch = [status_of(pair().taking_over("xcatd")), status_of(pair().active())]
        ended = hamnctl("confirm")
        assert ended.code == 0
        assert "Joining takeover 7f3a-91c2, confirmed by root (login anna)." in ended.out
        assert daemon.asked == []

    def test_who_comes_second_joins_instead_of_being_refused(
        self, hamnctl: Hamnctl, daemon: FakeDaemon
    ) -> None:
        ready_to_confirm(daemon)
        daemon.changes["confirm"] = (409, REFUSAL)
        daemon.after_change["status"] = (200, status_of(pair().taking_over("fuse")))
        ended = hamnctl("confirm", DIGEST, "--name", "aixmn2")
        assert ended.code == 0
        assert "DONE." in ended.out

    def test_nothing_to_confirm(self, hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
        daemon.shows(pair().primary_down())
        ended = hamnctl("confirm")
        assert ended.code == 3
        assert "hamnctl plan takeover" in ended.err
        daemon.shows(pair().paused_at())
        assert hamnctl("confirm").code == 4

    def test_detach_leaves_the_run_alone(self, hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
        ready_to_confirm(daemon)
        ended = hamnctl("confirm", DIGEST, "--name", "aixmn2", "--detach")
        assert ended.code == 0
        assert "the run goes on" in ended.out

    @pytest.mark.parametrize("colour", ["", "1"])
    def test_on_a_terminal_the_card_is_shown_and_the_name_asked(
        self, hamnctl: Hamnctl, daemon: FakeDaemon, colour: str
    ) -> None:
        ready_to_confirm(daemon)
        hamnctl.environment["NO_COLOR"] = colour
        code, drawn = in_terminal(hamnctl, "confirm", typed="aixmn2\n")
        assert code == 0, drawn
        for words in ("What is lost", "no way back", "Type the name of the new primary", "DONE."):
            assert words in drawn
        assert ("╭" in drawn) == (colour == "")
        assert daemon.asked == [("confirm", {"digest": DIGEST, "named": "aixmn2"})]

    @pytest.mark.parametrize("typed", ["\n", "\x04"])
    def test_no_name_does_nothing(self, hamnctl: Hamnctl, daemon: FakeDaemon, typed: str) -> None:
        ready_to_confirm(daemon)
        code, drawn = in_terminal(hamnctl, "confirm", typed=typed)
        assert code == 3
        assert "Nothing was done." in drawn
        assert daemon.asked == []

    def test_an_undo_is_not_asked_for_a_new_primary(
        self, hamnctl: Hamnctl, daemon: FakeDaemon
    ) -> None:
        ready_to_confirm(daemon)
        daemon.looks["plans"] = (200, {"plans": [{**CARD, "kind": "undo"}]})
        _, drawn = in_terminal(hamnctl, "confirm", typed="\n")
        assert "Type the name of this node, which stays what it was" in drawn
        assert "new primary" not in drawn

    def test_interrupted_at_the_question_nothing_is_done(
        self, hamnctl: Hamnctl, daemon: FakeDaemon
    ) -> None:
        ready_to_confirm(daemon)
        code, drawn = in_terminal(hamnctl, "confirm", typed=INTERRUPT, after="to go on: ")
        assert code == 130
        assert "Traceback" not in drawn
        assert daemon.asked == []

    def test_a_blocked_plan_is_not_even_asked_for(
        self, hamnctl: Hamnctl, daemon: FakeDaemon
    ) -> None:
        ready_to_confirm(daemon)
        daemon.looks["plans"] = (200, {"plans": [blocked()]})
        code, drawn = in_terminal(hamnctl, "confirm", typed="aixmn2\n")
        assert code == 3
        assert "a gate blocks it" in drawn
        assert daemon.asked == []


class TestPausedRun:
    """retry, skip, abort, conclude."""

    def test_retry_follows_the_run(self, hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
        daemon.shows(pair().paused_at())
        daemon.changes["retry"] = (200, run_of(pair().taking_over("dhcp")))
        daemon.watch = [status_of(pair().taking_over("verify")), status_of(pair().active())]
        ended = hamnctl("retry")
        assert ended.code == 0
        assert "DONE." in ended.out
        assert daemon.asked == [("retry", {})]
        assert " * fuse " not in ended.out, "it was told before the pause"
        assert re.search(r"\* verify +\d\S* verified", ended.out), "it ended with its run"

    def test_skip_shows_what_is_left(self, hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
        daemon.changes["skip"] = (200, run_of(pair().paused_at()))
        ended = hamnctl("skip", "dhcp", "--reason", "no nodes boot today")
        assert ended.code == 0
        assert "hamnctl retry" in ended.out
        assert daemon.asked == [("skip", {"step": "dhcp", "reason": "no nodes boot today"})]

    def test_abort_shows_the_plan_that_undoes(self, hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
        daemon.changes["abort"] = (200, {**CARD, "kind": "undo", "variant": "aixmn1 is back"})
        ended = hamnctl("abort", "--reason", "aixmn1 is back")
        assert ended.code == 0
        assert ended.out.startswith("UNDO the paused run")
        assert "hamnctl confirm" in ended.out

    def test_conclude_ends_it(self, hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
        daemon.changes["conclude"] = (200, run_of(pair().active()))
        ended = hamnctl("conclude", "--reason", "consoles on Monday")
        assert ended.code == 0
        assert "hamnctl report" in ended.out

    @pytest.mark.parametrize("command", ["abort", "conclude", "clear"])
    def test_a_reason_is_always_needed(
        self, hamnctl: Hamnctl, daemon: FakeDaemon, command: str
    ) -> None:
        assert hamnctl(command).code == 2
        assert daemon.asked == []


@pytest.mark.parametrize(
    ("arguments", "verb", "body"),
    [
        (
            ["attest", "primary-off", "--how", "seen", "--reason", "dark"],
            "attest",
            {"how": "seen", "reason": "dark"},
        ),
        (["clear", "--reason", "freed"], "clear", {"reason": "freed"}),
        (["unhold"], "unhold", {}),
        (["ack", "7f3a"], "ack", {"digest": "7f3a"}),
        (["journal", "restart", "--reason", "repaired"], "journal-restart", {"reason": "repaired"}),
    ],
)
def test_single_words_of_the_operator(
    hamnctl: Hamnctl, daemon: FakeDaemon, arguments: list[str], verb: str, body: dict[str, str]
) -> None:
    daemon.changes[verb] = (200, {"schema": "hamnd.done/1", "done": "it was journalled"})
    ended = hamnctl(*arguments)
    assert ended.code == 0
    assert ended.out.startswith("it was journalled.")
    assert daemon.asked == [(verb, body)]
