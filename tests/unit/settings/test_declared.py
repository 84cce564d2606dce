"""Steps that a site declares: what a file may say about them, everything wrong at once."""

from __future__ import annotations

import pytest

from hamnd.model.site import Hooks, SiteStep
from hamnd.settings import load
from tests.unit.settings.configs import QUIET

STEP = """
[[plan.takeover.step]]
id = "licences"
title = "start the licence server"
after = "identity"
before = "xcatd"
command = ["/usr/local/sbin/licences", "start"]
verify = ["/usr/local/sbin/licences", "status"]
"""


def step(**changes: str) -> str:
    """The table with lines replaced, added, or (with nothing) left out."""
    lines = dict(line.split(" = ", 1) for line in STEP.strip().splitlines()[1:])
    lines |= changes
    body = "".join(f"{key} = {value}\n" for key, value in lines.items() if value)
    return f"\n[[plan.takeover.step]]\n{body}"


def found(text: str) -> list[str]:
    return [problem.line() for problem in load(QUIET + text).problems]


def test_a_step_of_the_site_reaches_the_model() -> None:
    loaded = load(QUIET + step(timeout_s="5", host='"sn01"', check='["true"]') + "[hooks]\n"
                  'state_change = ["/usr/local/sbin/tell"]\ntimeout_s = 3\n')  # fmt: skip
    assert loaded.problems == ()
    assert loaded.site is not None
    assert loaded.site.hooks == Hooks(("/usr/local/sbin/tell",), 3.0)
    assert loaded.site.site_steps == (
        SiteStep(
            id="licences",
            command=("/usr/local/sbin/licences", "start"),
            verify=("/usr/local/sbin/licences", "status"),
            title="start the licence server",
            before="xcatd",
            after="identity",
            host="sn01",
            check=("true",),
            timeout_s=5.0,
        ),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (step(id='"dns"'), "step[0].id = \"dns\": is a step of hamnd's own"),
        (step() + step(), "step[1].id = \"licences\": is the name of an earlier step too"),
        (step(after="", before=""), "step[0]: has neither after nor before"),
        (step(after='"identty"'), 'step[0].after = "identty": is no step of this site'),
        (step(after='"salvage"'), 'step[0].after = "salvage": is not in every takeover'),
        (step(before='"licences"'), 'step[0].before = "licences": is the step itself'),
        (step(host='"mn1"'), 'step[0].host = "mn1": is no witness'),
        (step(verify=""), "step[0].verify: is required and missing"),
        (step(command="[]"), "step[0].command = []: is empty"),
        (step(command='"rm -rf /"'), 'step[0].command = "rm -rf /": is a text, not a list'),
        (step(command='["bin/x"]'), 'step[0].command = ["bin/x"]: is a relative path'),
        (step(undo='["x", "--password=hunter2"]'), "step[0].undo = (not shown): holds what looks"),
        (step(undo='["x", "--password", "a"]'), "step[0].undo = (not shown): holds what looks"),
        ('[hooks]\nstate_change = ["x", "token=a"]', "hooks.state_change = (not shown): holds"),
        ("[plan.services]\ndns = false\n" + step(after='"dns"'), "is no step of this site"),
    ],
)  # fmt: skip
def test_what_no_plan_could_hold_is_refused(text: str, expected: str) -> None:
    (line,) = found(text)
    assert expected in line


def test_a_secret_that_is_read_from_a_file_is_fine() -> None:
    assert found(step(undo='["x", "--password-file", "/etc/x"]')) == []
    assert found(step(undo='["x", "--password-file=/etc/x", "--quiet"]')) == []


def test_everything_wrong_is_told_at_once() -> None:
    bad = step(id='"fence"', after='"nowhere"', host='"mn1"') + step(verify="", user='"-x"')
    assert len(found(bad)) == 5


@pytest.mark.parametrize(
    "text",
    [
        step(after='"xcatd"', before='"identity"'),
        step(after='"fence"', before='"promote"'),
        step(after='"b"', before="") + step(id='"b"', after='"licences"', before=""),
    ],
)
def test_steps_that_wait_for_each_other_are_refused(text: str) -> None:
    """In a graceful takeover the promote precedes the fence: what fits one need not fit both."""
    (line,) = found(text)
    assert line.startswith("error: plan.takeover.step: in a takeover with a graceful promotion")
