"""The Db2 steps by which a returned old primary becomes this node's standby (guide §9).

Owns their order. Must not choose the way (db2_return). Whether its log has diverged is Db2's own
judgement: START HADR AS STANDBY takes nothing from a database, and one whose log has diverged shuts
itself down again (db2-hadr.md §10). Only a new copy replaces what it had, and then that is kept.
"""

from __future__ import annotations

from hamnd.core.policy import Terms
from hamnd.core.replication import Rejoin, Way
from hamnd.core.replication import db2_pairing as pairs
from hamnd.core.replication.pairing import Pairing
from hamnd.model.plan import Step


def rejoin_steps(terms: Terms, task: Rejoin) -> tuple[Step, ...]:
    """Return the steps of one way; nothing of them shuts the old primary down in order."""
    site = terms.site
    pair = Pairing(terms, site.own, site.partner)
    hold = pairs.hold(pair, is_killed=True)
    if task.way is Way.REINTEGRATE:
        return (hold, _left_alone(pair), *pairs.join(pair, "preserve"), pairs.replicate(pair))
    return (
        hold,
        pairs.keep(pair, task.kept_as, task.diverged),
        *pairs.seed(pair),
        *pairs.join(pair, "db-restore"),
        pairs.replicate(pair),
    )


def _left_alone(pair: Pairing) -> Step:
    """Nothing is to be kept: no step of this way takes anything from it."""
    host = pair.standby.name
    return Step(
        id="preserve",
        title=f"nothing of {host} is replaced: Db2 refuses a log that has diverged",
        guide="9",
        host=host,
        depends_on=("hold",),
    )
