"""A step that takes itself back unless it is kept: proof before the last action, begun anew."""

from dataclasses import replace

import pytest

from hamnd.core import recovering, stages
from hamnd.core import run as runs
from hamnd.core.commands import LookAtStep, PerformAction
from hamnd.core.progress import Facts, Move, Run
from hamnd.core.readings import combine
from hamnd.model.names import LookPurpose, Outcome, RunStatus, Verdict
from hamnd.model.plan import Plan, Step
from hamnd.model.work import Action, Ending, Exec, Look, Looked
from tests.builders import pair
from tests.unit.core.builders import at, report, site, terms

HERE = "aixmn2"
HOLDS = Look(Exec(HERE, ("true",)), "shell.exit_zero", "it holds")
FREE = Look(Exec(HERE, ("free",)), "shell.exit_zero", "it is free")


def action(word: str) -> Action:
    return Action(Exec(HERE, (word,)), is_repeatable=word in ("arm", "keep"))


STEP = Step(
    id="identity",
    title="t",
    guide="-",
    host=HERE,
    actions=tuple(map(action, ("arm", "add", "keep"))),
    preconditions=(FREE,),
    postconditions=(HOLDS,),
    keeps_at=2,
    wait_s=10.0,
)


def facts(seconds: float = 0.0) -> Facts:
    return Facts(at(seconds), terms().policy, site(), True, "off")


class Story:
    """One run with that one step, moved by hand."""

    def __init__(self) -> None:
        plan = replace(pair().taking_over("xcatd").state.run.plan, steps=(STEP,))  # type: ignore[union-attr]
        assert isinstance(plan, Plan)
        self.run: Run = runs.begin(plan, "root", 0.0, None)
        self.move = self._take(stages.start(self.run, STEP, facts()))

    def _take(self, move: Move) -> Move:
        self.run, self.move = move.run, move
        return move

    @property
    def does(self) -> str:
        """What the last move commands: the word of an action, or the purpose of looks."""
        match self.move.commands:
            case [PerformAction(action=Action(request=Exec(argv=(word,))))]:
                return word
            case [LookAtStep(purpose=purpose)]:
                return purpose.value
            case _:
                return "nothing"

    @property
    def outcome(self) -> Outcome:
        return self.run.steps["identity"].outcome

    @property
    def sentence(self) -> str:
        return self.run.steps["identity"].sentence

    def looked(self, purpose: LookPurpose, is_so: bool | None, seconds: float = 0.0) -> None:
        looks = STEP.preconditions if purpose is LookPurpose.BEFORE else STEP.postconditions
        ending = Ending.TIMED_OUT if is_so is None else Ending.EXITED
        home = report(ending, sent=seconds, exit_code=0 if is_so else 1)
        answers = tuple(Looked(one, home) for one in looks)
        self._take(stages.on_looked(self.run, STEP, (purpose, answers), facts(seconds)))

    def acted(self, code: int | None = 0, seconds: float = 0.0) -> None:
        ending = Ending.LOST if code is None else Ending.EXITED
        home = report(ending, sent=seconds, exit_code=code)
        self._take(stages.on_action(self.run, STEP, home, facts(seconds)))

    def restart(self) -> None:
        self.run = recovering.recover(self.run, has_rebooted=False).run

    def retry(self) -> None:
        self._take(runs.retry(self.run, "root", facts()))

    def to_proof(self) -> None:
        self.looked(LookPurpose.ALREADY, False)
        self.looked(LookPurpose.BEFORE, True)
        self.acted()
        self.acted()


def test_it_is_kept_only_after_the_proof_and_looked_at_once_more() -> None:
    story = Story()
    story.to_proof()
    assert story.does == "after"
    story.looked(LookPurpose.AFTER, False, 1.0)
    assert story.does == "after"
    story.looked(LookPurpose.AFTER, True, 2.0)
    assert story.does == "keep"
    story.acted()
    assert story.does == "after"
    story.looked(LookPurpose.AFTER, True, 3.0)
    assert story.outcome is Outcome.DONE


@pytest.mark.parametrize("is_so", [False, None])
def test_what_is_not_proven_in_time_is_not_done_and_says_that_it_comes_back(
    is_so: bool | None,
) -> None:
    story = Story()
    story.to_proof()
    story.looked(LookPurpose.AFTER, is_so, 11.0)
    assert (story.outcome, story.run.status) == (Outcome.NOT_DONE, RunStatus.PAUSED)
    assert story.sentence.endswith("not proven, what was before comes back by itself")


@pytest.mark.parametrize("is_so", [False, None])
def test_a_retry_begins_anew_because_all_of_it_came_back(is_so: bool | None) -> None:
    story = Story()
    story.to_proof()
    story.looked(LookPurpose.AFTER, False, 11.0)
    story.retry()
    story.looked(LookPurpose.ALREADY, is_so)
    story.looked(LookPurpose.BEFORE, True)
    assert story.does == "arm"


def test_what_still_holds_after_a_restart_is_kept_without_doing_it_again() -> None:
    story = Story()
    story.to_proof()
    story.restart()
    assert story.outcome is Outcome.UNKNOWN
    story.retry()
    story.looked(LookPurpose.ALREADY, True)
    assert story.does == "after"
    story.looked(LookPurpose.AFTER, True)
    assert story.does == "keep"


@pytest.mark.parametrize("word", ["add", "keep"])
def test_an_action_of_unknown_outcome_never_ends_the_step_without_being_kept(word: str) -> None:
    story = Story()
    story.looked(LookPurpose.ALREADY, False)
    story.looked(LookPurpose.BEFORE, True)
    story.acted()
    if word == "keep":
        story.acted()
        story.looked(LookPurpose.AFTER, True)
    assert story.does == word
    story.restart()
    story.retry()
    story.looked(LookPurpose.ALREADY, True)
    story.looked(LookPurpose.AFTER, True)
    assert story.does == "keep"
    story.acted()
    story.looked(LookPurpose.AFTER, True)
    assert story.outcome is Outcome.DONE


def test_an_action_that_fails_half_way_says_that_it_comes_back() -> None:
    story = Story()
    story.looked(LookPurpose.ALREADY, False)
    story.looked(LookPurpose.BEFORE, True)
    story.acted()
    story.acted(1)
    assert story.outcome is Outcome.NOT_DONE
    assert story.sentence.endswith("what was before comes back by itself")


def test_a_watcher_that_did_not_start_promises_nothing() -> None:
    story = Story()
    story.looked(LookPurpose.ALREADY, False)
    story.looked(LookPurpose.BEFORE, True)
    story.acted(1)
    assert story.outcome is Outcome.NOT_DONE
    assert "comes back" not in story.sentence


def test_kept_too_late_begins_anew() -> None:
    story = Story()
    story.to_proof()
    story.looked(LookPurpose.AFTER, True)
    story.acted(3)
    assert story.outcome is Outcome.NOT_DONE
    story.retry()
    story.looked(LookPurpose.ALREADY, False)
    story.looked(LookPurpose.BEFORE, True)
    assert story.does == "arm"


# One of several vantage points.


def answers(*said: tuple[str, int | None]) -> tuple[Looked, ...]:
    return tuple(
        Looked(
            replace(HOLDS, one_of=group),
            report(Ending.TIMED_OUT if code is None else Ending.EXITED, exit_code=code),
        )
        for group, code in said
    )


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ((("a", 0), ("a", None)), Verdict.PASS),
        ((("a", None), ("a", None)), Verdict.UNKNOWN),
        ((("a", 0), ("a", 1)), Verdict.BLOCK),
        ((("a", 0), ("b", None)), Verdict.UNKNOWN),
        ((("a", 0), ("", None)), Verdict.UNKNOWN),
        ((("", 0), ("", 0)), Verdict.PASS),
    ],
)
def test_one_that_passes_outweighs_what_the_others_cannot_tell(
    said: tuple[tuple[str, int | None], ...], verdict: Verdict
) -> None:
    assert combine(answers(*said))[0] is verdict
