"""What a takeover loses where this node's own database is primary already.

Owns that verdict, the same for every engine that has two copies. Must not know an engine.
"""

from __future__ import annotations

from hamnd.core.replication import LossQuestion
from hamnd.model.names import LossVerdict
from hamnd.model.plan import Loss


def loss_of_own(question: LossQuestion) -> Loss:
    """Return what is lost: nothing more, where this node was made primary by a plan.

    Promoted behind hamnd's back, its database may lack what was acknowledged until then.
    """
    if question.is_owner:
        return Loss(LossVerdict.ZERO_LIKELY, ("this node's database is already primary",))
    told = "this node's database was made primary by somebody: what that lost was not measured"
    return Loss(LossVerdict.UNKNOWN, (told,))
