"""The end of a setup, on request: the guide's own test of the new pair (guide §5.1.9).

Owns how it hangs together: a node is defined on the primary, the primary hands over, the node is
found and removed here, this node hands back, and it is gone over there too. Between the two it is
plan `drill`, with its steps and its rules. What was defined is removed on every way out: by the run
itself, by the way back of an aborted one, and where a person left that out the report says so. Must
not know commands.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.plans import Draft
from hamnd.core.plans.homeward import FOLLOWS, drill_steps, require_links
from hamnd.core.plans.switchover import from_partner
from hamnd.core.platforms import platform_of
from hamnd.dialects import xcat
from hamnd.model.plan import HOME, SETUP, Step

GUIDE = "5.1.9"
DEFINE, FIND, REMOVE = "test-node", "test-found", "test-removed"
BY_HAND = f"rmdef -t node -o {xcat.TEST_NODE}"
"""What a person types where a run was ended before it removed the node."""


def with_trial(draft: Draft, setup: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps of a setup, and after them those of its test.

    Raises:
        PermanentError: this site cannot hand over; the message says why.
    """
    require_links(draft)
    first = tuple(_first(one) for one in setup)
    there = from_partner(draft.question.terms).site
    replicates = next(one.postconditions for one in setup if one.id == FOLLOWS)
    define = Step(
        id=DEFINE,
        title=f"define node {xcat.TEST_NODE} on {there.node}: it has to be found here",
        guide=GUIDE,
        host=there.node,
        depends_on=tuple(one.id for one in first),
        actions=(xcat.write_probe(there, xcat.TEST_NODE),),
        preconditions=(*replicates, xcat.probe_gone(there, xcat.TEST_NODE)),
        postconditions=(xcat.probe_present(there, xcat.TEST_NODE),),
        compensation=(xcat.remove_probe(there, xcat.TEST_NODE),),
        undone=(xcat.probe_gone(there, xcat.TEST_NODE),),
        skip_if_done=False,
    )
    drill = drill_steps(_behind_guard(draft), _meanwhile(draft))
    waiting = (one if one.depends_on else replace(one, depends_on=(DEFINE,)) for one in drill)
    gone = Step(
        id=f"{HOME}{REMOVE}",
        title=f"node {xcat.TEST_NODE} is gone on {there.node} too",
        guide=GUIDE,
        host=there.node,
        depends_on=(f"{HOME}verify",),
        postconditions=(xcat.probe_gone(there, xcat.TEST_NODE),),
    )
    return (*first, define, *waiting, gone)


def _first(step: Step) -> Step:
    """Both parts have steps of one name: those of the setup are told by theirs."""
    depends_on = tuple(f"{SETUP}{one}" for one in step.depends_on)
    after = tuple(f"{SETUP}{one}" for one in step.after)
    return replace(step, id=f"{SETUP}{step.id}", depends_on=depends_on, after=after)


def _meanwhile(draft: Draft) -> tuple[Step, ...]:
    """Return what is done while this node is the management node."""
    site = draft.question.terms.site
    found = Step(
        id=FIND,
        title=f"find node {xcat.TEST_NODE} here",
        guide=GUIDE,
        host=site.node,
        depends_on=("verify",),
        postconditions=(xcat.probe_present(site, xcat.TEST_NODE),),
    )
    removed = Step(
        id=REMOVE,
        title=f"remove node {xcat.TEST_NODE} again",
        guide=GUIDE,
        host=site.node,
        depends_on=("verify",),
        after=(FIND,),
        actions=(xcat.remove_probe(site, xcat.TEST_NODE),),
        postconditions=(xcat.probe_gone(site, xcat.TEST_NODE),),
    )
    return found, removed


def _behind_guard(draft: Draft) -> Draft:
    """The guard is not there yet where a setup begins, and it is where its test does."""
    site, policy = draft.question.terms.site, draft.question.terms.policy
    platform = platform_of(site)
    seen = platform.as_guarded(draft.seen)
    return replace(
        draft,
        platform_steps=platform.steps(site, policy, seen),
        seen=seen,
        their_seen=platform.as_guarded(draft.their_seen),
    )
