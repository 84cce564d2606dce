"""What the returned old primary of a Db2 pair lost, and how it becomes a standby again.

Owns that judgement (db2-hadr.md §10). Must not read texts (dialects.db2) nor build steps
(db2_rejoin).

The end of a log is told by an active database only, and a returned one is not started for it. So a
way is chosen by its persistent role: an old primary is tried as a standby, which takes nothing from
it; one that was tried before and is gone again, or that somebody made an independent database, gets
a new copy.
"""

from __future__ import annotations

from hamnd.core.replication import Examination, Finding, Rejoin, Way
from hamnd.dialects.db2.clp import message_ids
from hamnd.dialects.db2.config import parse_db_cfg
from hamnd.dialects.shell import unanswered
from hamnd.model.hadr import DbConfig, HadrRole, ParseVerdict
from hamnd.model.work import Report

TRIED = "it is tried as a standby, which takes nothing from it"
CFG, KEPT = "returned_cfg", "returned_kept"
"""Topics of what is read of the old primary."""


def examine_returned(exam: Examination) -> Finding:
    """Return the actual loss and the way back, by the old primary's role and end of log."""
    kept = _kept(exam.reports.get(KEPT))
    actual = _lost(exam, kept)
    view = exam.view
    if view is not None and view.role == "primary" and view.is_protecting:
        return Finding(actual, None, "it follows this node already")
    way, sentence = _way(exam)
    if way is None:
        return Finding(actual, None, sentence)
    return Finding(actual, _rejoin(exam, way), sentence)


def _way(exam: Examination) -> tuple[Way | None, str]:
    report = exam.reports.get(CFG)
    if report is None or unanswered(report) is not None:
        return None, "the configuration of the old primary's database was not read"
    if "SQL1013N" in message_ids(report.stdout):
        return Way.RESEED, "a new copy: there is no database of this name any more"
    config = parse_db_cfg(report.stdout)
    if config.verdict is ParseVerdict.INSTANCE_DOWN:
        return Way.REINTEGRATE, f"its instance is not started; started, {TRIED}"
    if config.role is None:
        return None, f"the role of the old primary's database is not known: {_why(config)}"
    ahead = _ahead(exam)
    if ahead is not None and ahead > 0:
        return Way.RESEED, f"a new copy: its log has {ahead} B that ours never had"
    match config.role:
        case HadrRole.PRIMARY:
            return Way.REINTEGRATE, f"an old primary: {TRIED}"
        case HadrRole.STANDBY if exam.partner.role == "standby":
            return Way.REINTEGRATE, "it is an active standby that has not caught up"
        case HadrRole.STANDBY:
            said = (
                "a new copy: it was started as a standby and did not stay, so its log has diverged "
                "(if somebody only stopped it, db2 activate db over there brings it back)"
            )
            return Way.RESEED, said
        case HadrRole.STANDARD if config.rollforward_pending is True:
            said = "HADR was stopped on it, and nobody has completed the rollforward: it can go on"
            return Way.REINTEGRATE, said
        case _:
            return Way.RESEED, "a new copy: HADR was stopped on it, it is independent (STANDARD)"


def _why(config: DbConfig) -> str:
    return config.problems[0] if config.problems else config.verdict.value.replace("_", " ")


def _ahead(exam: Examination) -> int | None:
    """How far its log ends beyond where ours went on; None: nobody told."""
    if exam.partner.role != "primary" or exam.partner.position is None or exam.ours is None:
        return None
    return exam.partner.position - exam.ours


def _rejoin(exam: Examination, way: Way) -> Rejoin:
    """Name what is kept by where ours went on, which no later examination tells otherwise."""
    label = "diverged" if exam.ours is None else f"diverged-after-{exam.ours}"
    ahead = _ahead(exam)
    if way is Way.REINTEGRATE:
        return Rejoin(way, label)
    if ahead is not None and ahead > 0:
        return Rejoin(way, label, f"log from {exam.ours} to {exam.partner.position}")
    begin = "" if exam.ours is None else f" after {exam.ours}"
    return Rejoin(way, label, f"its log{begin}, to an end that nobody knows")


def _kept(report: Report | None) -> tuple[str, ...]:
    if report is None or unanswered(report) is not None:
        return ()
    return tuple(line for line in report.stdout.split() if not line.endswith(".part"))


def _lost(exam: Examination, kept: tuple[str, ...]) -> str | None:
    """Tell the actual loss: by joining with its own log, or by its own end of log."""
    view, ahead = exam.view, _ahead(exam)
    if view is not None and view.role == "primary" and view.is_protecting:
        if kept:
            return (
                "not known in bytes: the old primary got a new copy; what it had and ours lacks "
                f"is kept there as {', '.join(kept)}"
            )
        return (
            "zero: the old primary joined as standby, so its log holds nothing that ours "
            "lacks (unless it was re-seeded by hand)"
        )
    if ahead is None:
        return None
    if ahead <= 0:
        told = f"zero: the old primary's log ends at {exam.partner.position}"
        return f"{told}, ours went on from there"
    return f"{ahead} B: its log ends at {exam.partner.position}, ours went on from {exam.ours}"
