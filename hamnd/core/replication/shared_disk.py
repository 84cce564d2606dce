"""A disk that both nodes can reach as a replication engine: one copy of the data (guide §2).

Owns when this node may mount it, and the engine's steps. Must not parse text (dialects). There is
nothing to replicate and so nothing to lose, as long as one node writes: two that mount one file
system destroy all of it. So the disk is taken only while the old primary's power is proven off by
its controller, or while the site's own check says that this node alone holds its reservation.
Anything weaker is accepted by class, ``entire-database``, never by a gate's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hamnd.core.policy import Terms
from hamnd.core.replication import (
    Examination,
    Finding,
    LossQuestion,
    PartnerDatabase,
    Promotion,
    Rejoin,
    Task,
    Way,
)
from hamnd.core.replication.copies import told_failure
from hamnd.core.replication.shared_disk_steps import steps_of
from hamnd.dialects import shared_disk
from hamnd.dialects.shared_disk import Disk, parse_disk
from hamnd.model.health import Replication
from hamnd.model.names import GRADE_ORDER, FenceGrade, LossVerdict, Verdict
from hamnd.model.plan import Loss, Step
from hamnd.model.work import Look, Report

TOPIC = "disk"
RESERVED_TOPIC = "reservation"
PARTNER_TOPIC = "partner_db"
RETURNED_TOPIC = "returned:disk"
RESERVED = "reserved"
PARTLY = "partly"


@dataclass(frozen=True, slots=True)
class SharedDiskEngine:
    """The engine; it has no state."""

    name: str = "shared_disk"

    def looks(self, terms: Terms) -> Mapping[str, Look]:
        """Read what this node sees of the disk, and whether it holds the reservation."""
        site = terms.site
        looks = {TOPIC: shared_disk.see(site, site.node)}
        checks = shared_disk.is_reserved(site, site.node)
        return {**looks, RESERVED_TOPIC: checks[0]} if checks else looks

    def partner_looks(self, terms: Terms) -> Mapping[str, Look]:
        """Ask the partner what it has mounted."""
        return {PARTNER_TOPIC: shared_disk.see(terms.site, terms.site.partner.name)}

    def view(
        self, terms: Terms, reports: Mapping[str, Report], remembered: Replication | None = None
    ) -> Replication:
        """Return the normal form: who has the disk. One copy has no gap."""
        del remembered
        report = reports.get(TOPIC)
        if report is None:
            report = next(iter(reports.values()))
            return _blind(report, "it was not looked at yet")
        disk = parse_disk(report)
        if disk is None:
            return _blind(report, shared_disk.why(report))
        seen = replace(_blind(report, ""), problems=(), gap_bytes=0, is_database_up=True)
        seen = replace(seen, problems=_at_boot(terms, disk, reports.get(PARTNER_TOPIC)))
        if disk.is_held:
            is_backed = _could_mount(terms, report, reports.get(PARTNER_TOPIC), seen)
            told = f"mounted here: the one copy, {terms.site.partner.name} "
            told += "could mount it" if is_backed else "is not known to be able to mount it"
            mounted = replace(seen, role="primary", is_role_lasting=False, state="mounted")
            return replace(mounted, is_protecting=is_backed, summary=told)
        if disk.mounted or disk.read_only:
            half = ", ".join((*disk.mounted, *disk.read_only))
            return replace(seen, state=PARTLY, problems=(f"only partly mounted here: {half}",))
        away = replace(seen, role="standby", is_role_lasting=False)
        return _standby(terms, away, disk, reports)

    def partner(self, terms: Terms, report: Report, before: PartnerDatabase) -> PartnerDatabase:
        """Read what the partner has mounted; a disk that nobody has there is a definite failure."""
        del terms
        disk = parse_disk(report)
        if disk is None:
            failed = told_failure(report, before, "its disk cannot be read")
            # What could not tell what is mounted says nothing of the disk.
            return before if failed is before else replace(failed, is_good=None, failing_since=None)
        if disk.is_held:
            return PartnerDatabase(True, "primary", None, report.finished, None, "mounted there")
        since = before.failing_since or report.finished
        detail = "the shared disk is not mounted there"
        return PartnerDatabase(False, "standby", None, report.finished, since, detail)

    def loss(self, terms: Terms, question: LossQuestion) -> Loss:
        """Return the verdict: nothing, once nobody else can write; else it may be everything."""
        return judge_loss(terms, question)

    def promotion(self, terms: Terms, question: LossQuestion, loss: Loss) -> Promotion:
        """Return whether this node may take the disk now."""
        del terms
        return judge_promotion(question, loss)

    def steps(self, terms: Terms, task: Task) -> tuple[Step, ...]:
        """Return the engine's steps of a plan."""
        return steps_of(terms, task)

    def return_looks(self, terms: Terms, view: Replication | None) -> Mapping[str, Look]:
        """Look whether the returned primary has mounted the disk: that would be a disaster."""
        del view
        return {RETURNED_TOPIC: shared_disk.see(terms.site, terms.site.partner.name)}

    def examine(self, terms: Terms, exam: Examination) -> Finding:
        """One copy: what was written to it is there, unless both nodes have mounted it."""
        report = exam.reports.get(RETURNED_TOPIC)
        disk = None if report is None else parse_disk(report)
        if disk is None or exam.view is None or exam.view.role != "primary":
            return Finding(sentence="the old primary's mounts were not seen since it returned")
        if disk.mounted:
            both = ", ".join(disk.mounted)
            told = f"unknown: {terms.site.partner.name} has {both} mounted too: unmount it at once"
            return Finding(told, None, "both nodes have the disk mounted: check its file systems")
        return Finding("zero: there is one copy, and this node has it", Rejoin(Way.REINTEGRATE, ""))


ENGINE = SharedDiskEngine()


def _standby(
    terms: Terms, seen: Replication, disk: Disk, reports: Mapping[str, Report]
) -> Replication:
    """A node that could mount the disk protects its partner."""
    reservation = reports.get(RESERVED_TOPIC)
    is_ours = reservation is not None and shared_disk.read_reserved(reservation) is True
    if not disk.is_visible:
        told = "the shared disk is not visible here: cabling, zoning, or a stale volume group"
        return replace(seen, state="unseen", problems=(told,), summary="not visible here")
    state = RESERVED if is_ours else "visible"
    group = terms.site.shared_disk.volume_group
    what = f"volume group {group}" if group else "the shared disk"
    summary = f"one copy, {what} is {'reserved for' if is_ours else 'visible on'} this node"
    return replace(seen, state=state, is_protecting=not seen.problems, summary=summary)


def _could_mount(terms: Terms, here: Report, heard: Report | None, seen: Replication) -> bool:
    """Whether the partner said lately that it sees the disk, and has nothing of it: a standby."""
    there = None if heard is None else parse_disk(heard)
    if heard is None or there is None or seen.problems:
        return False
    is_lately = here.finished.since(heard.started) <= terms.policy.slow_freshness_s
    return is_lately and there.is_visible and not there.mounted and not there.read_only


def _at_boot(terms: Terms, here: Disk, heard: Report | None) -> tuple[str, ...]:
    """Return which of the two would mount the disk when it boots, whoever has it then."""
    there = None if heard is None else parse_disk(heard)
    both = ((terms.site.node, here), (terms.site.partner.name, there))
    return tuple(
        f"on {name} {shared_disk.mounts_at_boot(disk)}"
        for name, disk in both
        if disk is not None and disk.at_boot
    )


def _blind(report: Report, problem: str) -> Replication:
    said = f"the shared disk cannot be read: {problem}"
    told = Replication.blind("shared_disk", TOPIC, report.finished, said)
    return replace(told, sync_mode="one copy", has_link=False)


def _is_told(view: Replication) -> bool:
    """Whether it was read; one that is half mounted has no role, and can be mounted whole."""
    return view.role is not None or view.state == PARTLY


def judge_loss(terms: Terms, question: LossQuestion) -> Loss:
    """Return the verdict of design §4: one copy loses nothing, two writers can lose all of it."""
    view = question.view
    if view is None or not _is_told(view):
        return Loss(LossVerdict.UNKNOWN, ("the shared disk could not be read",), is_entire=True)
    if view.role == "primary":
        return Loss(LossVerdict.ZERO_LIKELY, ("the disk is mounted here already",))
    one = "one copy on a shared disk"
    if view.state == RESERVED:
        told = "this node alone holds its reservation"
        return Loss(LossVerdict.ZERO_PROVEN, (one, told))
    if GRADE_ORDER.get(question.death.grade, 0) >= GRADE_ORDER[FenceGrade.POWER_OFF]:
        told = "its controller says that the old primary is off"
        return Loss(LossVerdict.ZERO_PROVEN, (one, told))
    if question.is_owner and question.is_partner_standby:
        told = "it is this node's, and the partner says itself that nothing is mounted there"
        return Loss(LossVerdict.ZERO_PROVEN, (one, told))
    if question.is_partner_serving:
        told = "what is written is there; a takeover needs its power off, or a reservation"
        return Loss(LossVerdict.ZERO_LIKELY, (one, told))
    if terms.site.shared_disk.reserve:
        told = "promote reserves it for this node and checks that, before it is mounted"
        return Loss(LossVerdict.ZERO_LIKELY, (one, told))
    told = "the old primary may still write: two nodes that mount it destroy all of it"
    return Loss(LossVerdict.UNKNOWN, (one, told), is_entire=True)


def judge_promotion(question: LossQuestion, loss: Loss) -> Promotion:
    """Return whether this node may take the disk."""
    view = question.view
    if view is None or not _is_told(view):
        return Promotion("none", Verdict.UNKNOWN, "the shared disk could not be read")
    if view.role == "primary":
        return Promotion("none", Verdict.PASS, "the disk is mounted here already")
    if view.state == "unseen":
        clear = "see what lsblk and vgs say; hamnctl explain ReplicationPeer"
        return Promotion("none", Verdict.BLOCK, "the shared disk is not visible here", clear)
    if question.is_owner:
        return Promotion("activate", Verdict.PASS, "mount it again: it is this node's own")
    if loss.verdict is LossVerdict.ZERO_PROVEN:
        return Promotion("force-after-proof", Verdict.PASS, "mount it: nobody else can write")
    sentence = "mount it, only with the entire database at risk"
    return Promotion("accepted-force", Verdict.PASS, sentence)
