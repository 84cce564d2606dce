"""The step `epoch`: right before `promote`, one node becomes the one that may serve (design §5).

Owns what is written where, and the way back. Must not know the file (dialects.epoch). It is a step
of its own and not an action of `promote`, so that what is irreversible begins with the promotion
itself: a run that is aborted after the epoch was raised raises it once more, for whoever owned it
when the run began, as its plan shows.

The witnesses are told first: whatever happens to this node afterwards, they no longer confirm the
old primary. One that cannot be reached holds nobody up, is named in the outcome and told again by
the last step. A disk that takes nothing here pauses the run: whoever goes on without it says so by
skipping the step. The partner's own copy is no part of it. That is hamnd's state directory on a
node (law 1), written whenever the partner answers (core.epochs).
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.policy import Policy
from hamnd.dialects import epoch, guard
from hamnd.model.epoch import Claim
from hamnd.model.plan import Step
from hamnd.model.site import Site
from hamnd.model.work import Action

RAISED = "epoch"


def raise_epoch(site: Site, policy: Policy, claim: Claim, *before: str) -> Step:
    """Return the step that raises the epoch; `site` is seen from the node that may serve then.

    It waits for what `promote` waits for, and needs the proof that it needs. `before` are nodes
    that are told first: they may serve no longer.
    """
    return Step(
        id=RAISED,
        title=f"epoch {claim.number}: {claim.owner} may serve, {site.partner.name} no longer",
        guide="-",
        host=site.node,
        actions=(
            *epoch.tell(site, claim.number, claim.owner),
            *_keeping(site, claim.number, claim.owner, (*before, site.node)),
        ),
        postconditions=(epoch.is_kept(site, claim.number, claim.owner),),
        timeout_s=policy.step_timeout_s("epoch", 15.0),
        wait_s=2.0,
        skip_if_done=False,
        claims=claim,
    )


def telling_again(step: Step, site: Site, claim: Claim) -> Step:
    """Return the last step as it also tells witnesses that could not be reached before."""
    if step.id != "verify":
        return step
    return replace(step, actions=(*step.actions, *epoch.tell(site, claim.number, claim.owner)))


def claiming(step: Step, claim: Claim) -> Step:
    """Return the promotion as what claims the epoch at the latest, should its own step not."""
    return replace(step, claims=claim) if step.id == "promote" else step


def give_back(site: Site, claim: Claim, number: int) -> tuple[Action, ...]:
    """Return what takes a claim back: first where its owner believes in it, then here."""
    hosts = tuple(dict.fromkeys((claim.owner, site.node)))
    kept = _keeping(site, number, claim.former, hosts)
    return (*kept, *epoch.tell(site, number, claim.former))


def _keeping(site: Site, number: int, owner: str, hosts: tuple[str, ...]) -> tuple[Action, ...]:
    return tuple(epoch.raise_on(site, host, number, owner) for host in hosts)


def asserted(step: Step, site: Site) -> Step:
    """Return the step as a person does it who has no plan: hamn-guard finds the number."""
    title = f"{site.node} may serve from now on, {site.partner.name} no longer"
    return replace(step, title=title, actions=(guard.assert_here(site),), postconditions=())
