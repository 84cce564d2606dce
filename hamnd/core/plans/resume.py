"""The plan `resume`: after its reboot the management node serves again what it served (design §5).

Owns which of a takeover's steps it has. Nothing is promoted: the database is primary already and
is only started. Alone it is started by force, and that needs fresh proof that the old primary is
off, as everything after it does; beside a standby that says so itself that word takes its place.
Must not know how a database is started (replication).
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.plans import Draft
from hamnd.core.plans.assembling import assemble
from hamnd.core.plans.takeover import takeover_steps
from hamnd.core.policy import Terms
from hamnd.model.names import FenceGrade
from hamnd.model.plan import Plan, Step

REHOMING = ("db-stop", "db-rehome")
"""What moved the database under its new address did so before the reboot."""
SHIELD = "shield"
"""It is against a node that was taken over from: a standby in order would be cut off by it."""


def build_resume(draft: Draft) -> Plan:
    """Return the plan that brings the management node up again."""
    question = draft.question
    terms, picture = question.terms, question.assessment
    released = _released(terms) if picture.released is not None else None
    steps = takeover_steps(terms, picture.promotion, draft.platform_steps, released, draft.claim)
    is_against = question.is_old_one_out and released is None
    gone = REHOMING if is_against else (*REHOMING, SHIELD)
    kept = tuple(_looking_first(step, gone) for step in steps if step.id not in gone)
    grade = None if released is None else FenceGrade.RELEASED
    return assemble(draft, picture.promotion.variant, kept, grade)


def _looking_first(step: Step, gone: tuple[str, ...]) -> Step:
    """What was done before the reboot and still is so is not done again."""
    depends_on = tuple(one for one in step.depends_on if one not in gone)
    after = tuple(one for one in step.after if one not in gone)
    return replace(step, depends_on=depends_on, after=after, skip_if_done=True)


def _released(terms: Terms) -> Step:
    """The partner is a standby that serves nothing: nobody has to be switched off."""
    partner = terms.site.partner
    return Step(
        id="release",
        title=f"make sure {partner.name} is a standby that serves nothing",
        guide="-",
        host=terms.site.node,
        proves_fence=True,
    )
