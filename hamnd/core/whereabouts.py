"""Where the partner is: in mode primary_address two nodes exchange their addresses.

Owns by which address the partner is reached at this moment, and when probes of it would be answered
by this node. Must not ask (asking) nor fold what came home (observing).

The configuration says where both began; whether they have exchanged since is read off this node's
own addresses, while no run moves them. During a run it follows from the run's own steps.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from hamnd.core.events import Event, LookCompleted, RoundCompleted
from hamnd.core.kept import KEPT
from hamnd.core.outliving import ENDED, is_begun
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Terms, exchanged
from hamnd.core.progress import Run
from hamnd.core.state import NodeState
from hamnd.dialects import reach
from hamnd.model.names import Outcome, PlanKind, Probe, RunStatus
from hamnd.model.plan import HOME
from hamnd.model.site import IdentityMode, Site

ABOUT_PARTNER = ("partner_db", "partner_clock", "witness", "returned", "theirs")
"""Topics (up to the colon) whose looks ask at the partner's own address."""
OWN = "seen:addresses"
"""Topic of the look at this node's addresses."""
TERMS_KEPT = 16


def present(terms: Terms, state: NodeState) -> Terms:
    """Return the terms with the addresses that both nodes have, a run that moves them apart."""
    return exchanged(terms) if state.is_exchanged else terms


def placed(terms: Terms, state: NodeState) -> Terms:
    """Return the present terms with the partner where it is reached at this very moment."""
    return _at(terms, _partner_address(terms.site, state))


def placed_site(site: Site, state: NodeState) -> Site:
    """Return a configured site with the partner where it is reached at this very moment."""
    if site.identity_mode is not IdentityMode.PRIMARY_ADDRESS:
        return site
    here = site.exchanged() if state.is_exchanged else site
    return _with_partner(here, _partner_address(here, state))


@lru_cache(maxsize=TERMS_KEPT)
def _at(terms: Terms, address: str) -> Terms:
    if address == terms.site.partner.address:
        return terms
    return Terms(_with_partner(terms.site, address), terms.policy)


def _with_partner(site: Site, address: str) -> Site:
    partner = replace(site.partner, address=address)
    if site.is_on_standby:
        return replace(site, primary=partner)
    return replace(site, standby=partner)


def _partner_address(site: Site, state: NodeState) -> str:
    run = state.run
    if run is None or site.identity_mode is not IdentityMode.PRIMARY_ADDRESS:
        return site.partner.address
    if run.plan.kind is PlanKind.UNDO:
        return _taken_back(site, run)
    ways = {site.partner.address: site.own.address, site.own.address: site.partner.address}
    address = site.partner.address
    if _is_done(run, "spare"):
        address = site.identity_spare
    if _is_done(run, "exchange"):
        address = site.own.address
    if _is_done(run, f"{HOME}identity"):
        address = ways.get(address, address)
    return address


def _taken_back(site: Site, run: Run) -> str:
    """Return where the partner is while it is taken back what a run did, the latest step first."""

    def stands(step_id: str) -> bool:
        one = run.steps.get(f"undo-{step_id}")
        return one is not None and one.outcome is not Outcome.DONE

    has_exchanged = "undo-exchange" in run.steps
    if stands(f"{HOME}settle"):
        return site.partner.address if has_exchanged else site.own.address
    if stands("unspare"):
        return site.own.address
    return site.identity_spare if stands("release") else site.partner.address


def parked_until(run: Run) -> str | None:
    """Return the step before which the node that lets go has only the spare address, or may have.

    No file of either node tells where it is then: this run alone knows.
    """
    halves = ("", HOME)
    ways = [(_parking(run, half), f"{half}exchange") for half in halves]
    ways += [(f"undo-{half}exchange", f"undo-{half}release") for half in halves]
    return next(
        (
            ends
            for begins, ends in ways
            if ends in run.steps
            and (begins not in run.steps or is_begun(run.steps[begins]))
            and run.steps[ends].outcome not in ENDED
        ),
        None,
    )


def _parking(run: Run, half: str) -> str:
    """Return the step from which on a node has only the spare address, or may have.

    Where addresses lie side by side that is `release`; where one replaces the other, `spare`.
    """
    parked = f"{half}spare"
    parks = any(one.parks for one in run.plan.steps if one.id == parked)
    return parked if parks else f"{half}release"


def _is_done(run: Run, step_id: str) -> bool:
    one = run.steps.get(step_id)
    return one is not None and one.outcome is Outcome.DONE


def note_own(state: NodeState, terms: Terms) -> NodeState:
    """Return the state with what this node's addresses say; a run that may move them says more.

    `terms` are as configured.
    """
    site = terms.site
    if site.identity_mode is not IdentityMode.PRIMARY_ADDRESS or _is_moving(state):
        return state
    here = _addresses_here(state, terms)
    if here is None:
        return state
    has_own, has_theirs = site.own.address in here, site.partner.address in here
    if has_theirs in (has_own, state.is_exchanged):
        return state
    return replace(state, is_exchanged=has_theirs)


def forget_own(before: NodeState, after: NodeState, terms: Terms) -> NodeState:
    """Return the state after a run ended: what both nodes were seen to have is outdated."""
    is_over = _is_moving(before) and not _is_moving(after)
    if terms.site.identity_mode is not IdentityMode.PRIMARY_ADDRESS or not is_over:
        return after
    reports = {
        topic: one
        for topic, one in after.watch.reports.items()
        if topic != OWN and not topic.startswith("theirs:")
    }
    return replace(after, watch=replace(after.watch, reports=reports))


def _is_moving(state: NodeState) -> bool:
    run = state.run
    return run is not None and run.status in (RunStatus.RUNNING, RunStatus.PAUSED)


def is_partner_displaced(state: NodeState, terms: Terms) -> bool:
    """Whether the address of the partner is held here, or may be at any moment.

    From the first action of `identity` on it may be, whatever was seen last; so it may while this
    node's own addresses were not read.
    """
    site = placed(terms, state).site
    if site.identity_mode is not IdentityMode.PRIMARY_ADDRESS:
        return False
    run = state.run
    is_undone = run is not None and run.plan.kind is PlanKind.UNDO
    identity = None if run is None or is_undone else run.steps.get("identity")
    is_taken_from_it = run is not None and "spare" not in run.steps
    if is_taken_from_it and identity is not None and identity.has_acted:
        return True
    here = _addresses_here(state, terms)
    return here is None or site.partner.address in here


def _addresses_here(state: NodeState, terms: Terms) -> frozenset[str] | None:
    report = state.watch.reports.get(OWN)
    return None if report is None else platform_of(terms.site).addresses(report)


def is_about_partner(topic: str) -> bool:
    """Whether the look of this topic asks at the partner's own address."""
    return topic.partition(":")[0] in ABOUT_PARTNER or topic.startswith(KEPT)


def credible(state: NodeState, event: Event, terms: Terms) -> Event | None:
    """Return the event without what this node itself may have answered; None: nothing is left.

    What was on its way when the address moved may have been answered by either machine.
    """
    if not is_partner_displaced(state, terms):
        return event
    match event:
        case RoundCompleted():
            kept = tuple(
                (probe, looked)
                for probe, looked in event.looked
                if probe is Probe.GATEWAY or reach.is_claim(looked)
            )
            return replace(event, looked=kept)
        case LookCompleted() if is_about_partner(event.topic):
            return None
        case _:
            return event
