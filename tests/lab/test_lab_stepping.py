"""The lab's own executor of steps: what it calls done, already done and failed.

Owns the proof that it can fail, and does so with the step's own sentence. MUST NOT know an engine.
"""

from __future__ import annotations

import pytest

from hamnd.dialects.shell import declared
from hamnd.model.plan import Step
from hamnd.model.work import Action, Exec
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab
from tests.lab.site.pair import CONFIG, DB2, configuration
from tests.lab.site.stepping import StepFailed, carry_out, terms_of

__all__ = ["lab"]
pytestmark = [pytest.mark.lab, needs_lab()]


def mark(step_id: str, host: str, path: str, *command: str) -> Step:
    """A step that makes a file on a host, proven by the file."""
    there = declared(host, ("test", "-e", path), None, f"{path} is there")
    action = Action(Exec(host, command or ("touch", path)))
    return Step(step_id, "mark", "", host, (), (action,), postconditions=(there,), wait_s=0.5)


def test_steps_are_carried_out_here_and_over_ssh_and_a_failure_speaks(lab: Lab) -> None:
    """Given two steps on two hosts and a third whose action fails, then the first two are done, a
    repetition finds them done already, and the third fails with what its program said."""
    engine = DB2.format(hadr_timeout_s=5, peer_window_s=20)
    lab["mn2"].write(CONFIG, configuration("mn2", engine), 0o640)
    assert terms_of(lab["mn2"]).site.node == "mn2"
    steps = mark("here", "mn2", "/run/a"), mark("there", "mn1", "/run/b")
    assert [one.outcome for one in carry_out(lab["mn2"], steps)] == ["done", "done"]
    lab["mn1"].run("test", "-e", "/run/b")
    broken = mark("broken", "mn1", "/run/c", "ls", "/nowhere")
    with pytest.raises(StepFailed, match=r"broken: action: .*/nowhere") as failed:
        carry_out(lab["mn2"], (*steps, broken))
    assert [one.outcome for one in failed.value.done] == ["already", "already"]
    idle = mark("idle", "mn1", "/run/d", "true")
    with pytest.raises(StepFailed, match="idle: postcondition"):
        carry_out(lab["mn2"], (idle,))
