"""The plan `setup`: from two hosts to a pair, asked for on the standby (guide §2-§6).

Owns how requirements, database, file sets and guard hang on each other. Every step looks first
whether it is so already: a half-configured pair is finished, a working one left alone. Must not
know commands, nor how a database is copied (replication).
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.filesets import copies_of
from hamnd.core.plans import Draft
from hamnd.core.plans.alone import with_alone
from hamnd.core.plans.assembling import assemble
from hamnd.core.plans.conversion import conversion_steps
from hamnd.core.plans.ordering import in_order
from hamnd.core.plans.switchover import HANDED_OVER
from hamnd.core.plans.trial import with_trial
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Terms
from hamnd.core.replication import Setup
from hamnd.core.replication.registry import engine_of
from hamnd.model.copying import CopyKind
from hamnd.model.names import FenceGrade, LossVerdict
from hamnd.model.plan import Loss, Plan, Step

COPIED_ONLY = Loss(
    LossVerdict.ZERO_PROVEN,
    ("the primary's data is only copied; what the standby had is kept",),
)
TRIED = replace(COPIED_ONLY, basis=(*COPIED_ONLY.basis, *HANDED_OVER.basis))


def build_setup(draft: Draft) -> Plan:
    """Return the plan that makes this node the standby of a primary that serves.

    Raises:
        PermanentError: platform or engine is set up by hand; the message says how.
    """
    steps = setup_steps(draft.question.terms)
    if draft.question.request.with_conversion:
        steps = (*steps, *conversion_steps(draft, steps[-1].id))
    copied = replace(draft, settled_loss=COPIED_ONLY)
    if not draft.question.request.with_drill:
        return assemble(copied, "from here to Peer", with_alone(draft, steps))
    steps = with_trial(draft, steps)
    copied = replace(draft, settled_loss=TRIED)
    told = "from here to Peer, then over and back"
    return assemble(copied, told, with_alone(draft, steps), FenceGrade.RELEASED)


def setup_steps(terms: Terms) -> tuple[Step, ...]:
    """Return the steps, each after what it depends on."""
    before, last = platform_of(terms.site).set_up(terms.site, terms.policy)
    ready = (before[-1].id,)
    engine = [
        one if one.depends_on else replace(one, depends_on=ready)
        for one in engine_of(terms).steps(terms, Setup())
    ]
    return in_order((*before, *engine, *_file_sets(terms, ready), *last))


def _file_sets(terms: Terms, ready: tuple[str, ...]) -> tuple[Step, ...]:
    """Each set is brought here once; its schedule goes on from there."""
    site = terms.site
    return tuple(
        Step(
            id=f"files-{one.name}",
            title=one.title,
            guide="6",
            host=site.node,
            depends_on=ready,
            actions=one.work[CopyKind.COPY],
            timeout_s=one.timeouts_s[CopyKind.COPY],
            skip_if_done=False,
        )
        for one in copies_of(site)
        if not one.is_watched_only
    )
