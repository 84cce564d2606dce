"""What the return guard answers here, from what is known: may this node serve?

Owns the one judgement that `hamn-guard` makes without hamnd and the engine makes at any time; the
two give the same answer on the same facts (tests). Must not change what is known (epochs) nor
decide what follows (table).
"""

from __future__ import annotations

from dataclasses import dataclass

from hamnd.core.health.rule import is_recent
from hamnd.core.policy import Terms
from hamnd.core.state import NodeState
from hamnd.core.whereabouts import is_partner_displaced
from hamnd.model.epoch import NO_BOOT, Epoch, EpochSight
from hamnd.model.instant import Instant
from hamnd.model.names import ManyValued


class MayServe(ManyValued):
    """Whether this node may serve as the management node."""

    YES = "may_serve"
    NO = "superseded"
    UNKNOWN = "cannot_know"


EXIT_CODE = {MayServe.YES: 0, MayServe.NO: 3, MayServe.UNKNOWN: 5}
"""How hamn-guard ends."""


@dataclass(frozen=True, slots=True)
class GuardAnswer:
    """The answer, and why in one clause."""

    may_serve: MayServe
    because: str
    is_disputed: bool = False
    """Whether two hosts say otherwise: then guard.when_unknown lets nothing start."""


def newest_epoch(state: NodeState, terms: Terms) -> Epoch:
    """Return the newest epoch that is known; before any is raised the configured primary serves."""
    return state.epoch or Epoch(0, terms.site.primary.name)


def is_current(state: NodeState, terms: Terms) -> bool:
    """Whether the newest epoch names this node in this boot: then nobody is asked."""
    epoch = state.epoch
    return (
        epoch is not None
        and epoch.owner == terms.site.node
        and epoch.boot_id == state.boot_id != ""
    )


def guard_answer(state: NodeState, terms: Terms) -> GuardAnswer:
    """Return what hamn-guard answers on what is known now."""
    node, epoch = terms.site.node, newest_epoch(state, terms)
    named = f"epoch {epoch.number} names {epoch.owner}"
    if is_current(state, terms):
        return GuardAnswer(MayServe.YES, f"{named}, in this boot")
    sights = _asked(state, terms)
    if is_partner_displaced(state, terms):
        # Who answers at its address is this node itself.
        sights = tuple(one for one in sights if one.host != terms.site.partner.name)
    for sight in sights:
        told = _told(sight, terms)
        if told and told.number == epoch.number and told.owner != epoch.owner:
            why = f"{sight.host} names {told.owner} for the same epoch {epoch.number}"
            return GuardAnswer(MayServe.UNKNOWN, why, is_disputed=True)
    if epoch.owner != node:
        return GuardAnswer(MayServe.NO, f"{named}, not {node}")
    for sight in sights:
        if does_claim(sight, terms):
            assert sight.epoch is not None
            why = f"{named}, but {sight.host} itself serves, by epoch {sight.epoch.number}"
            return GuardAnswer(MayServe.UNKNOWN, why, is_disputed=True)
    witness = next((sight for sight in sights if _confirms(sight, epoch, terms)), None)
    if witness is not None:
        return GuardAnswer(MayServe.YES, f"{named}, confirmed by {witness.host}")
    missing = [name for name in _hosts(terms) if name not in state.watch.epochs]
    silent = f": {', '.join(missing)} did not tell" if missing else ""
    return GuardAnswer(MayServe.UNKNOWN, f"{named} before this boot, nobody confirms it{silent}")


def has_asked_everyone(state: NodeState, terms: Terms) -> bool:
    """Whether all who could confirm the epoch were asked since hamnd began; none is late."""
    sent, waiting = state.timing.last_sent, state.timing.in_flight
    return all(topic in sent and topic not in waiting for topic in asked_topics(state, terms))


def asked_topics(state: NodeState, terms: Terms) -> tuple[str, ...]:
    """Return the topics of the looks that tell what the others keep."""
    names = [one.name for one in terms.site.witnesses]
    if is_partner_displaced(state, terms):
        return tuple(f"epoch:{name}" for name in names)
    return ("partner_clock", *(f"witness:{name}" for name in names))


def is_epoch_known(state: NodeState, now: Instant, terms: Terms) -> bool:
    """Whether somebody told lately what he keeps, or the epoch is this node's own in this boot."""
    age_max_s = terms.policy.slow_freshness_s
    return is_current(state, terms) or any(
        is_recent(sight.at, now, age_max_s) for sight in _asked(state, terms)
    )


def _hosts(terms: Terms) -> tuple[str, ...]:
    return (terms.site.partner.name, *(one.name for one in terms.site.witnesses))


def _asked(state: NodeState, terms: Terms) -> tuple[EpochSight, ...]:
    epochs = state.watch.epochs
    return tuple(epochs[name] for name in _hosts(terms) if name in epochs)


def _told(sight: EpochSight, terms: Terms) -> Epoch | None:
    """What a host tells: a partner that took over keeps its own, a witness may have lost it."""
    if sight.epoch is None and sight.host == terms.site.partner.name:
        return Epoch(0, terms.site.primary.name)
    return sight.epoch


def does_claim(sight: EpochSight, terms: Terms) -> bool:
    """Whether the partner, in its present boot, goes by an epoch of its own."""
    epoch = sight.epoch
    is_own = epoch is not None and epoch.owner == sight.host == terms.site.partner.name
    return epoch is not None and is_own and epoch.boot_id == sight.boot_id != NO_BOOT


def _confirms(sight: EpochSight, epoch: Epoch, terms: Terms) -> bool:
    """A witness confirms what was raised and it keeps; the partner would have kept its own first.

    Before any epoch was raised only the partner knows that it did not take over.
    """
    told, is_partner = _told(sight, terms), sight.host == terms.site.partner.name
    if told is None or (told.number == 0 and not is_partner):
        return False
    if (told.number, told.owner) == (epoch.number, epoch.owner):
        return True
    return is_partner and told.number > 0
