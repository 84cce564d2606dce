"""Plans that end with the partner as management node: `failback` and `drill` (guide §9, §5.1.9).

Owns how this node hands over: the same switchover as seen from the partner, carried out from here,
its steps named `home-…`. What moves there waits until this node let go of it, read here. A drill is
two halves that are taken back apart: once the first is verified this node is the management node,
and an undo leaves it so. Must not know commands.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.plans import Draft
from hamnd.core.plans.alone import with_alone
from hamnd.core.plans.assembling import assemble
from hamnd.core.plans.rejoin import build_rejoin
from hamnd.core.plans.switchover import (
    HANDED_OVER,
    Sides,
    from_partner,
    sides_of,
    switchover_steps,
)
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Terms, exchanged
from hamnd.core.raising import RAISED
from hamnd.dialects import shell
from hamnd.errors import PermanentError
from hamnd.model.epoch import Claim
from hamnd.model.names import FenceGrade, Status
from hamnd.model.plan import HOME, Plan, Step
from hamnd.model.work import Action, Exec, Look, Pull, Swap

FOLLOWS = "replicate"
"""The last step of every engine's way: the standby follows, read on both nodes."""


def build_failback(draft: Draft) -> Plan:
    """Return the plan that takes the old primary in, where it is no standby yet, and hands over.

    One that goes on after this node began to hand over takes nobody in any more: whoever follows
    whom is in the middle of changing.

    Raises:
        PermanentError: it cannot rejoin, or this site cannot hand over; the message says why.
    """
    question = draft.question
    there: tuple[Step, ...] = ()
    variant, loss = "graceful", draft.settled_loss or HANDED_OVER
    is_on_the_way = any(one.startswith(HOME) for one in question.begun)
    if question.assessment.is_protected is not Status.TRUE and not is_on_the_way:
        rejoin = build_rejoin(draft)
        there, variant = rejoin.steps, rejoin.variant
        loss = replace(HANDED_OVER, basis=(*rejoin.loss.basis, *HANDED_OVER.basis))
    steps = (*there, *_homeward_steps(draft, there, draft.epoch.number))
    if not there:
        steps = with_alone(draft, steps)
    settled = replace(draft, settled_loss=loss)
    return assemble(settled, variant, steps, FenceGrade.RELEASED)


def build_drill(draft: Draft) -> Plan:
    """Return the plan that takes over in order, and hands over again.

    Raises:
        PermanentError: this site cannot hand over; the message says why.
    """
    steps = with_alone(draft, drill_steps(draft))
    handed_over = replace(draft, settled_loss=HANDED_OVER)
    return assemble(handed_over, "graceful", steps, FenceGrade.RELEASED)


def drill_steps(draft: Draft, meanwhile: tuple[Step, ...] = ()) -> tuple[Step, ...]:
    """Return the steps there and back; `meanwhile` is done before the way home begins.

    Raises:
        PermanentError: this site cannot hand over; the message says why.
    """
    terms = draft.question.terms
    there = (*switchover_steps(terms, sides_of(draft), draft.claim), *meanwhile)
    return (*there, *_homeward_steps(_exchanged(draft), there, draft.claim.number))


def _exchanged(draft: Draft) -> Draft:
    """Return what the way home is made from, once the way there has exchanged the addresses."""
    terms = draft.question.terms
    there, platform = from_partner(terms), platform_of(terms.site)
    return replace(
        draft,
        question=replace(draft.question, terms=exchanged(terms)),
        seen=platform.as_exchanged(terms.site, draft.seen, draft.their_seen),
        their_seen=platform.as_exchanged(there.site, draft.their_seen, draft.seen),
    )


def _homeward_sides(draft: Draft) -> Sides:
    """Return both sides of the way home: this node lets go, the partner takes over.

    Raises:
        PermanentError: this identity cannot be handed over; the message says what to do.
    """
    here = draft.question.terms
    there, platform = from_partner(here), platform_of(here.site)
    return Sides(
        platform.from_afar(
            there.site,
            platform.steps(there.site, there.policy, draft.their_seen),
            draft.their_seen,
        ),
        platform.hand_over(here.site, here.policy, draft.seen, draft.their_seen),
    )


def require_links(draft: Draft) -> None:
    """See that the partner's interfaces were read: by them others see that it has the address.

    Raises:
        PermanentError: they were not; a step that takes the address there would never be proven.
    """
    site = from_partner(draft.question.terms).site
    if "links" in platform_of(site).looks(site) and "links" not in draft.their_seen:
        raise PermanentError(f"the interfaces of {site.node} were not read yet: try again soon")


def _homeward_steps(draft: Draft, before: tuple[Step, ...], known: int) -> tuple[Step, ...]:
    """Return the steps by which the partner becomes the management node, after `before`.

    `known` is the number of the newest epoch by then.
    """
    terms = draft.question.terms
    waits = tuple(step.id for step in before)
    number = max(known, draft.epoch.number) + 1
    there = from_partner(terms)
    fresh = Claim(number, there.site.node, terms.site.node)
    kept = draft.claims.get(f"{HOME}{RAISED}")
    # Raised by the forerunner already, or after all that is raised before it: never one number
    # for two owners.
    claim = kept if kept is not None and kept.number <= draft.epoch.number else fresh
    steps = switchover_steps(there, _homeward_sides(draft), claim, terms.site.node)
    return tuple(_homeward(_over_there(step, there), terms, waits) for step in steps)


def _over_there(step: Step, there: Terms) -> Step:
    """Hamnd pulls and switches files on its own host alone; over there the same is a line of sh.

    And what it would look at on its own host at once needs a connection there first.
    """
    return replace(
        step,
        actions=tuple(_as_line(action, there) for action in step.actions),
        compensation=tuple(_as_line(action, there) for action in step.compensation),
        readiness=_connected(step.readiness, there),
        preconditions=_connected(step.preconditions, there),
        postconditions=_connected(step.postconditions, there),
        undone=_connected(step.undone, there),
    )


def _connected(looks: tuple[Look, ...], there: Terms) -> tuple[Look, ...]:
    connect_s, node = there.site.ssh.connect_timeout_s, there.site.node
    return tuple(
        replace(look, timeout_s=look.timeout_s + connect_s)
        if isinstance(look.request, Exec) and look.request.host == node
        else look
        for look in looks
    )


def _as_line(action: Action, there: Terms) -> Action:
    request = action.request
    if not isinstance(request, Pull | Swap):
        return action
    line = shell.preview(request, there.site)
    argv = ("sh", "-c", line, "hamnd-files")
    return Action(Exec(there.site.node, argv), is_repeatable=action.is_repeatable)


def _homeward(step: Step, terms: Terms, waits: tuple[str, ...]) -> Step:
    depends_on = tuple(f"{HOME}{one}" for one in step.depends_on)
    after = tuple(f"{HOME}{one}" for one in step.after)
    if not depends_on:  # nothing of the way home begins before the one over there follows
        depends_on = (FOLLOWS,) if FOLLOWS in waits else ()
        after = (*after, *(one for one in waits if one != FOLLOWS))
    return replace(
        step,
        id=f"{HOME}{step.id}",
        depends_on=depends_on,
        after=after,
        against=terms.site.node if step.needs_fence else "",
    )
