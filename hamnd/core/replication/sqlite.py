"""xCAT's own SQLite tables as a replication engine: copies pulled on a schedule.

Owns which questions are asked, what counts as changed, and the engine's steps. Must not parse text
(dialects.copies) nor judge age and loss (copies). A node's role is what its role file says, which
is switched in together with the tables; where there is none, what the configuration calls it.
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
from hamnd.core.replication.copies import (
    Picture,
    Word,
    blind,
    is_clock_steady,
    judge_loss,
    judge_promotion,
    seen_primary,
    seen_standby,
    told_failure,
)
from hamnd.core.replication.sqlite_steps import steps_of
from hamnd.dialects.copies import commands as store
from hamnd.dialects.copies.status import parse_store, parse_told
from hamnd.dialects.sqlite import commands
from hamnd.model.copies import Copy, LiveTable, Store
from hamnd.model.health import Replication
from hamnd.model.plan import Loss, Step
from hamnd.model.routine import Routine
from hamnd.model.work import Look, Report

TOPIC = "copies"
PARTNER_TOPIC = "partner_db"
RETURNED_TOPIC = "returned:tables"
ROUTINE = "copy:sqlite"

WRITE_MARGIN_S = 2
"""A table written so shortly before a copy, on the primary's clock, may have been written after
it: file times are whole seconds here, and the kernel's are up to a tick late."""
TAILS = ("-wal", "-journal")


@dataclass(frozen=True, slots=True)
class SqliteEngine:
    """The engine; it has no state."""

    name: str = "sqlite"

    def looks(self, terms: Terms) -> Mapping[str, Look]:
        """Read this node's copies, and its own tables."""
        return {TOPIC: store.status(terms.site, terms.site.sqlite.directory)}

    def partner_looks(self, terms: Terms) -> Mapping[str, Look]:
        """Ask the partner for its tables over ssh: names and times, nothing of their content."""
        return {PARTNER_TOPIC: commands.look(terms.site, terms.site.partner.name)}

    def view(
        self, terms: Terms, reports: Mapping[str, Report], remembered: Replication | None = None
    ) -> Replication:
        """Return the normal form of this node's copies beside what the partner last said."""
        del remembered
        report, site = reports[TOPIC], terms.site
        here = parse_store(report)
        if here is None:
            return blind(self.name, TOPIC, report)
        heard = reports.get(PARTNER_TOPIC)
        word = Word.of(heard, None if heard is None else parse_told(heard))
        role = here.role or ("standby" if site.is_on_standby else "primary")
        if role == "primary":
            theirs = None
            if word is not None and word.told.role == "standby":
                theirs = word.told.copy
            picture = Picture(self.name, TOPIC, report, here, None)
            seen = seen_primary(picture, theirs, site.sqlite)
            return replace(seen, promoted=_promoted(here))
        changed: tuple[str, ...] = ()
        unchanged_at: float | None = None
        if here.copy is not None and word is not None and word.told.role != "standby":
            changed = what_changed(here.copy, word.told.live)
            is_unchanged = len(changed) == 0 and is_clock_steady(here.copy, word)
            unchanged_at = word.asked_s if is_unchanged else None
        picture = Picture(self.name, TOPIC, report, here, unchanged_at, changed)
        return seen_standby(picture, site.sqlite)

    def partner(self, terms: Terms, report: Report, before: PartnerDatabase) -> PartnerDatabase:
        """Read what the partner's tables tell; a directory without tables is a definite failure."""
        told = parse_told(report)
        if told is None:
            return told_failure(report, before, "its tables cannot be read")
        is_configured = terms.site.partner is terms.site.primary
        role = told.role or ("primary" if is_configured else "standby")
        count = sum(one.name.endswith(".sqlite") for one in told.live)
        detail = f"{count} tables, role {role}"
        return PartnerDatabase(
            role == "primary", role, None, report.finished, None, detail, needs_xcatd=True
        )

    def loss(self, terms: Terms, question: LossQuestion) -> Loss:
        """Return what a takeover now would lose."""
        del terms
        return judge_loss(question)

    def promotion(self, terms: Terms, question: LossQuestion, loss: Loss) -> Promotion:
        """Return whether the newest copy can become the live tables."""
        del terms, loss
        return judge_promotion(question, ROUTINE)

    def steps(self, terms: Terms, task: Task) -> tuple[Step, ...]:
        """Return the engine's steps of a plan."""
        return steps_of(terms, task)

    def return_looks(self, terms: Terms, view: Replication | None) -> Mapping[str, Look]:
        """Look at the returned primary's tables."""
        del view
        return {RETURNED_TOPIC: commands.look(terms.site, terms.site.partner.name)}

    def examine(self, terms: Terms, exam: Examination) -> Finding:
        """Tell what was written there after the copy that was promoted here, by file times.

        Both moments lie on the old primary's own clock.
        """
        del terms
        report = exam.reports.get(RETURNED_TOPIC)
        told = None if report is None else parse_told(report)
        if told is None or exam.view is None or exam.view.promoted is None:
            return Finding(sentence="the old primary's tables were not seen since it returned")
        if told.role == "standby":
            return Finding(sentence="it is a standby again")
        promoted = exam.view.promoted
        changed = what_changed(promoted, told.live)
        rejoin = Rejoin(Way.RESEED, f"copy-{promoted.number}", ", ".join(changed))
        since = f"copy {promoted.number}, which was promoted here"
        if not changed:
            return Finding(f"zero: no table there was written after {since}", rejoin)
        last = max(one.changed_at for one in told.live)
        names = ", ".join(one.removesuffix(".sqlite") for one in changed)
        after_s = max(0.0, last - promoted.taken_at)
        told_loss = f"at most what was written to {names} in the {after_s:.0f} s after {since}"
        return Finding(told_loss, rejoin)


def _promoted(here: Store) -> Copy | None:
    """Return the copy that this node's tables were, if it is still the newest one here."""
    words = here.role_words.split(" ")
    is_it = here.copy is not None and words[1:3] == ["copy", str(here.copy.number)]
    return here.copy if is_it else None


def what_changed(copy: Copy, live: tuple[LiveTable, ...]) -> tuple[str, ...]:
    """Return the tables that may have been written since a copy, by the primary's own file times.

    A table that appeared or went away has changed as well.
    """
    changed = {
        _table(one.name)
        for one in live
        if one.changed_at >= copy.taken_at - WRITE_MARGIN_S or one.name.endswith("-journal")
    }
    there = {one.name for one in live if one.name.endswith(".sqlite")}
    return tuple(sorted(changed | (there ^ set(copy.items))))


def _table(name: str) -> str:
    for tail in TAILS:
        name = name.removesuffix(tail)
    return name


def routines(terms: Terms) -> tuple[Routine, ...]:
    """Return the copies of this engine."""
    site, copies = terms.site, terms.site.sqlite
    return (
        Routine(
            ROUTINE,
            f"copy the tables in {copies.directory} from {site.partner.name}",
            copies.schedule,
            (commands.take_copy(site),),
            copies.timeout_s + 30.0,
            copies.jitter_s,
        ),
    )


ENGINE = SqliteEngine()
