"""The plan `rejoin`: the returned old primary becomes this node's standby (guide §9).

Owns how holding off, preserving, letting in and following hang on each other. What only the old
primary has is kept before anything of it is changed (gate `preserve_diverged`). Must not know
commands, nor what the old data tells (replication).
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.plans import Draft
from hamnd.core.plans.alone import with_alone
from hamnd.core.plans.assembling import assemble
from hamnd.core.plans.ordering import in_order
from hamnd.core.plans.switchover import from_partner
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Terms
from hamnd.core.replication import Rejoin
from hamnd.core.replication.registry import engine_of
from hamnd.errors import PermanentError
from hamnd.model.names import LossVerdict
from hamnd.model.plan import Loss, Plan, Step

PRESERVE = "preserve"
HELD = ("hold", PRESERVE, "demote", "let-go")
"""Engine steps for which the old primary needs not be let in."""


def build_rejoin(draft: Draft) -> Plan:
    """Return the plan that makes the returned old primary a standby.

    Raises:
        PermanentError: its data does not tell how; the message says why.
    """
    question = draft.question
    finding = question.finding
    if finding is None or finding.rejoin is None:
        told = "it has not returned" if finding is None else finding.sentence
        partner = question.terms.site.partner.name
        raise PermanentError(f"how {partner} can rejoin is not known: {told}")
    is_kept = all(one.gate != "preserve_diverged" for one in question.request.overrides)
    steps = rejoin_steps(question.terms, finding.rejoin, is_kept)
    kept = replace(draft, settled_loss=_nothing_here(finding.rejoin))
    return assemble(kept, finding.rejoin.way, with_alone(draft, steps))


def _nothing_here(task: Rejoin) -> Loss:
    """This node loses nothing; what only the other has is kept, or was given up by name."""
    diverged = f"only over there: {task.diverged}" if task.diverged else "nothing diverged"
    return Loss(LossVerdict.ZERO_PROVEN, ("this node's own data stays as it is", diverged))


def rejoin_steps(terms: Terms, task: Rejoin, is_kept: bool = True) -> tuple[Step, ...]:
    """Return the steps, each after what it depends on."""
    there = from_partner(terms)
    held_off = platform_of(there.site).hold_off(there.site, there.policy)
    let_in = platform_of(terms.site).let_in(terms.site, terms.policy)
    gone = () if is_kept else (PRESERVE,)
    engine = [
        _after_holding(step, tuple(one.id for one in let_in), gone)
        for step in engine_of(terms).steps(terms, task)
        if step.id not in gone
    ]
    return in_order((held_off, *engine, *let_in))


def _after_holding(step: Step, let_in: tuple[str, ...], gone: tuple[str, ...]) -> Step:
    depends_on = tuple(one for one in step.depends_on if one not in gone)
    if step.id == "hold":
        depends_on = (*depends_on, "hold-off")
    elif step.id not in HELD:
        depends_on = (*depends_on, *let_in)
    return replace(step, depends_on=tuple(dict.fromkeys(depends_on)))
