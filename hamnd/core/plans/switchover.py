"""The plan `switchover`: the primary hands over in order, and follows from then on (guide §7).

Owns which steps it has and how they hang on each other: the files come while the primary still
serves, nothing is promoted before it took its last write, and no address moves before it let go,
read on itself (law 3). Nothing is lost. Until a step that cannot be taken back it steps back, to
the old primary. Must not know commands.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from hamnd.core.declared import anchors, with_declared
from hamnd.core.plans import Draft
from hamnd.core.plans.alone import with_alone
from hamnd.core.plans.assembling import assemble
from hamnd.core.plans.ordering import in_order
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Terms, exchanged
from hamnd.core.raising import claiming, raise_epoch, telling_again
from hamnd.core.replication import Switchover
from hamnd.core.replication.registry import engine_of
from hamnd.core.salvaging import with_salvage
from hamnd.core.syncing import with_sync
from hamnd.model.epoch import Claim
from hamnd.model.names import FenceGrade, LossVerdict
from hamnd.model.plan import Loss, Plan, Step
from hamnd.model.site import Site

WITHOUT = ("shield", "fence")
"""Steps of a takeover that are against a machine which may come back as primary."""

LAST_THERE = ("db-stop-partner", "hand-over")
"""What is done to the old primary's database before its host lets go of its address: what is read
of it from then on must not say that it is still the primary (core.invariants.released_by)."""
BEFORE_MOVING = ("quiesce", "promote", "db-stop", *LAST_THERE)
"""Steps of engines that come before any address moves."""
SERVES_AGAIN = "db-rehome"
"""The step with which this node's own database serves under its new address."""

HANDED_OVER = Loss(
    LossVerdict.ZERO_PROVEN,
    ("the primary hands over all that it has before this node is promoted",),
)


def build_switchover(draft: Draft) -> Plan:
    """Return the plan by which this node becomes the management node and the partner follows.

    Raises:
        PermanentError: engine or platform cannot hand over.
    """
    steps = switchover_steps(draft.question.terms, sides_of(draft), draft.claim)
    handed_over = replace(draft, settled_loss=HANDED_OVER)
    alone = with_alone(draft, steps)
    return assemble(handed_over, "graceful", alone, FenceGrade.RELEASED)


@dataclass(frozen=True, slots=True)
class Sides:
    """What the two platforms contribute: of the node that takes over, of the one that lets go."""

    taking: tuple[Step, ...]
    letting_go: tuple[Step, ...]


def sides_of(draft: Draft) -> Sides:
    """Return both sides of a switchover to this node.

    Who overrode that the old primary's xcatd does not serve wants what still runs there stopped.

    Raises:
        PermanentError: this identity cannot be handed over; the message says what to do.
    """
    there = from_partner(draft.question.terms)
    platform = platform_of(there.site)
    letting_go = platform.hand_over(there.site, there.policy, draft.their_seen, draft.seen)
    if any(one.gate == "partner" for one in draft.question.request.overrides):
        letting_go = tuple(
            replace(one, preconditions=()) if one.id == "stop" else one for one in letting_go
        )
    return Sides(draft.platform_steps, letting_go)


def switchover_steps(terms: Terms, sides: Sides, claim: Claim, *told: str) -> tuple[Step, ...]:
    """Return the steps, each after what it depends on; the epoch is raised before the promotion.

    `told` are nodes that are told of the new epoch first, besides the one that serves by it.
    """
    stop = next(one for one in sides.letting_go if one.id == "stop")
    own = [_serving(one) for one in sides.taking if one.id not in WITHOUT]
    engine = [claiming(_handing_over(one), claim) for one in _engine_steps(terms)]
    going = [_resting(one, engine) for one in sides.letting_go if one is not stop]
    if any(one.id == "unspare" for one in going):
        engine = _moving(engine)
        own = [_around_database(one, {step.id for step in engine}) for one in own]
    else:
        last = tuple(one.id for one in engine if one.id == "replicate")
        own = [
            replace(one, after=(*one.after, *last)) if one.id == "verify" else one for one in own
        ]
    own = [telling_again(one, terms.site, claim) for one in own]
    promote = next(one for one in engine if one.id == "promote")
    raised = raise_epoch(terms.site, terms.policy, claim, *told)
    raised = replace(raised, depends_on=promote.depends_on)
    known = with_salvage((stop, *own, raised, *engine, *going), terms, does_ssh_answer=True)
    # What was written until the last service stopped; and never beside what `sync` stages.
    known = tuple(
        replace(one, after=(*one.after, stop.id)) if one.id == "salvage" else one for one in known
    )
    known = with_sync(known, terms, first=stop.id)
    return in_order(with_declared(list(known), _declared(terms.site, known), terms.policy))


def _engine_steps(terms: Terms) -> tuple[Step, ...]:
    """Return the engine's steps, each with the addresses that both nodes have by then."""
    engine, after = engine_of(terms), exchanged(terms)
    before = {one.id: one for one in engine.steps(terms, Switchover())}
    return tuple(
        before[one.id] if one.id in BEFORE_MOVING else one
        for one in engine.steps(after, Switchover())
    )


def _resting(step: Step, engine: list[Step]) -> Step:
    """The old primary's host lets go once its database rests, or is the standby's."""
    if step.id != "release" and not step.parks:
        return step
    return replace(step, after=(*step.after, *(one.id for one in engine if one.id in LAST_THERE)))


def _moving(engine: list[Step]) -> list[Step]:
    """The old primary's database follows from its new address."""
    return [
        one
        if one.id in (*BEFORE_MOVING, SERVES_AGAIN)
        else replace(one, after=(*one.after, "unspare"))
        for one in engine
    ]


def _around_database(step: Step, engine: set[str]) -> Step:
    """A database that has to be stopped for it stands still while this node's address changes."""
    needed = {"identity": "db-stop", "xcatd": SERVES_AGAIN}.get(step.id)
    if needed is None or needed not in engine:
        return step
    return replace(step, depends_on=(*step.depends_on, needed))


def _declared(site: Site, known: tuple[Step, ...]) -> Site:
    """Return the site with those of its own steps that hang on steps of this plan.

    What hangs on the fence or the shield belongs to a takeover alone.
    """
    names = {step.id for step in known} | {one.id for one in site.site_steps}
    hung = tuple(one for one in site.site_steps if anchors(one) <= names)
    return replace(site, site_steps=hung)


def _handing_over(step: Step) -> Step:
    """The database stops writing after xcatd stopped, and after nothing writes onto this node."""
    if step.id == "promote":
        return replace(step, after=(*step.after, "epoch"))
    if step.id != "quiesce":
        return step
    return replace(step, depends_on=tuple(dict.fromkeys((*step.depends_on, "stop", "fuse"))))


def _serving(step: Step) -> Step:
    """Identity and services start only once the old primary let go."""
    if step.id in ("salvage", "fuse"):
        return replace(step, after=(*step.after, "stop"))
    kept = tuple(one for one in step.depends_on if one not in WITHOUT)
    after = tuple(one for one in step.after if one not in WITHOUT)
    depends_on = (*kept, "release") if step.id == "identity" else kept
    return replace(step, depends_on=depends_on, after=after, needs_fence=True)


@lru_cache(maxsize=8)
def from_partner(terms: Terms) -> Terms:
    """Return the same site as the partner sees it: what is done over there is built from it."""
    return Terms(replace(terms.site, node=terms.site.partner.name), terms.policy)
