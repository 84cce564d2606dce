"""What the returned old primary's data tells: the actual loss, and how it may rejoin (design §4).

Owns when it counts as returned and which readings are newer than the takeover. Must not judge the
data (replication): every engine does that itself.
"""

from __future__ import annotations

import json
from dataclasses import replace

from hamnd.core.commands import WriteReport
from hamnd.core.health.rule import latest_host_answer
from hamnd.core.policy import Terms
from hamnd.core.replication import Examination, Finding, PartnerDatabase
from hamnd.core.replication.registry import engine_of
from hamnd.core.state import NodeState
from hamnd.core.turn import Turn
from hamnd.model.names import Phase, State
from hamnd.model.record import Record


def finding_of(state: NodeState, terms: Terms) -> Finding | None:
    """Return what the old primary's data tells; None while it has not returned since."""
    last, heard = state.last_takeover, latest_host_answer(state.watch)
    since = max((one.finished_at for one in state.finished), default=state.since)
    if last is not None:
        since = last.finished_at
    if state.state is not State.ACTIVE or heard is None or heard.wall_s <= since:
        return None
    partner = state.watch.partner
    if partner.at is None or partner.at.wall_s <= since:
        partner = PartnerDatabase()
    reports = {
        topic: report
        for topic, report in state.watch.reports.items()
        if topic.startswith("returned") and report.started.wall_s > since
    }
    position = None if last is None else last.position
    exam = Examination(position, partner, state.watch.replication, reports)
    return engine_of(terms).examine(terms, exam)


def enter_loss(turn: Turn) -> None:
    """Enter the actual loss once the old primary's own log can be compared."""
    state = turn.state
    last = state.last_takeover
    if last is None or last.actual != "pending":
        return
    finding = finding_of(state, turn.terms)
    if finding is None or finding.actual is None:
        return
    examined = replace(last, actual=finding.actual)
    finished = tuple(examined if one is last else one for one in state.finished)
    turn.state = replace(state, finished=finished)
    evidence = json.dumps({"actual": finding.actual, "predicted": last.predicted})
    turn.record(Record(Phase.DECISION, "loss_examined", digest=last.digest, evidence=evidence))
    turn.because = f"the old primary was examined: {finding.actual}"
    turn.commands.append(WriteReport(last.digest))
