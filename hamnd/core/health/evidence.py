"""What proves that the old primary is off, graded, and for how long it holds (design §4).

Owns the grading. Must not ask the device (adapters) nor read its words (dialects). power_off,
witnesses and silence are seen now and age within `evidence_age_max_s`; agent_off, orderly and the
operator's word are dated acts that hold until something contradicts them.
"""

from __future__ import annotations

from hamnd.core.health.rule import contradiction, is_recent, judge_rule
from hamnd.core.health.watch import Watch
from hamnd.core.policy import Terms
from hamnd.core.replication import Death
from hamnd.model.health import FenceEvidence
from hamnd.model.instant import Instant
from hamnd.model.names import GRADE_ORDER, Answer, Cause, FenceGrade


def judge_evidence(watch: Watch, now: Instant, terms: Terms) -> tuple[FenceEvidence, ...]:
    """Return all evidence that holds now, best first."""
    found = [*_power_off(watch, now, terms), *_acts(watch, now), *_witnesses(watch, now, terms)]
    return tuple(sorted(found, key=lambda one: GRADE_ORDER[one.grade], reverse=True))


def best_grade(evidence: tuple[FenceEvidence, ...]) -> FenceGrade:
    """Return the best grade among evidence that holds."""
    return evidence[0].grade if evidence else FenceGrade.NONE


def is_enough(evidence: tuple[FenceEvidence, ...], terms: Terms) -> bool:
    """Whether the evidence reaches what the policy demands."""
    return GRADE_ORDER[best_grade(evidence)] >= GRADE_ORDER[terms.policy.fence_minimum]


def last_two_off(watch: Watch) -> bool:
    """Whether the device said off in its two latest definite readings."""
    definite = [reading for reading in watch.fence if reading.is_off is not None][-2:]
    return len(definite) == 2 and all(reading.is_off is True for reading in definite)


def lie_of(watch: Watch) -> str | None:
    """Return what contradicts a device that says off twice (condition FenceLies)."""
    if not last_two_off(watch):
        return None
    definite = [reading for reading in watch.fence if reading.is_off is not None]
    return contradiction(watch, Cause.HOST, definite[-2].at)


def _power_off(watch: Watch, now: Instant, terms: Terms) -> list[FenceEvidence]:
    definite = [reading for reading in watch.fence if reading.is_off is not None]
    if not last_two_off(watch) or lie_of(watch) is not None:
        return []
    first, last = definite[-2], definite[-1]
    latest = watch.fence[-1]
    if latest.is_off is None or not is_recent(last.at, now, terms.policy.evidence_age_max_s):
        return []
    detail = f"{terms.site.fence.agent or 'fence device'} says off, read twice"
    return [FenceEvidence(FenceGrade.POWER_OFF, last.at.wall_s, "fence", detail, first.at.wall_s)]


def _acts(watch: Watch, now: Instant) -> list[FenceEvidence]:
    """Dated acts hold while every probe stays silent since; an answer voids them."""
    return [act for act in watch.acts if _answer_after(watch, act.at, now) is None]


def _answer_after(watch: Watch, wall_s: float, now: Instant) -> str | None:
    return contradiction(watch, Cause.HOST, now.ago(now.wall_s - wall_s))


def _witnesses(watch: Watch, now: Instant, terms: Terms) -> list[FenceEvidence]:
    """All witnesses configured, each fresh, each silent about the primary, and so are we."""
    sights = [watch.witnesses.get(witness.name) for witness in terms.site.witnesses]
    if not sights or not all(
        sight is not None
        and sight.sees is Answer.SILENT
        and is_recent(sight.at, now, terms.policy.evidence_age_max_s)
        for sight in sights
    ):
        return []
    if judge_rule(watch, now, terms).cause is not Cause.HOST:
        return []
    at = min(sight.at.wall_s for sight in sights if sight is not None)
    detail = f"none of {len(sights)} service nodes reaches it"
    return [FenceEvidence(FenceGrade.WITNESSES, at, "witnesses", detail)]


def death_of(watch: Watch, evidence: tuple[FenceEvidence, ...], silent: float | None) -> Death:
    """Return what is known about the end of the primary: no later than the first device proof."""
    proofs = [act.at for act in evidence if act.grade in (FenceGrade.AGENT_OFF, FenceGrade.ORDERLY)]
    grade = best_grade(evidence)
    if grade is FenceGrade.POWER_OFF and watch.first_off is not None:
        proofs.append(watch.first_off)
    return Death(min(proofs) if proofs else None, grade, silent)
