"""Whether the two nodes are alike, as far as that is known: ParityOs, ParityXcat, ParityDatabase.

Owns what is compared. Must not read a tool's output (dialects) nor ask (asking). What the primary
told while it was healthy counts after its death too: a takeover has to be ready at 3 am. What was
not told is unknown, and never a difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from hamnd.core.health.watch import REPORTS_KEPT, Watch
from hamnd.core.kept import KEPT
from hamnd.core.policy import Terms
from hamnd.dialects import levels
from hamnd.dialects.levels import Software
from hamnd.model.health import Condition
from hamnd.model.instant import Instant
from hamnd.model.names import Status
from hamnd.model.wording import first_of
from hamnd.model.work import Look, Report

SOFTWARE, DATABASE = "software", "database_level"
"""Topics, behind `seen:` for this node and behind `KEPT` for the partner."""
DIFFERS = "Differs"
NAMED_MAX = 3

Judged = tuple[Status, str, str]
Verdicts = tuple[tuple[str, Judged, str], ...]
"""Each with the condition's name and its source."""


def parity_looks(terms: Terms) -> Mapping[str, Look]:
    """Return what both nodes are asked, by topic."""
    site = terms.site
    looks = {
        f"seen:{SOFTWARE}": levels.software(site, site.node),
        f"{KEPT}{SOFTWARE}": levels.software(site, site.partner.name),
    }
    ours, theirs = levels.database(site, site.node), levels.database(site, site.partner.name)
    if ours is not None and theirs is not None:
        looks.update({f"seen:{DATABASE}": ours, f"{KEPT}{DATABASE}": theirs})
    return looks


def judge_parity(watch: Watch, now: Instant, terms: Terms) -> tuple[Condition, ...]:
    """Return one condition for each kind of program whose version both nodes have to share."""
    found = []
    for key, judge in ((SOFTWARE, _software_judged), (DATABASE, _database_judged)):
        ours, theirs = watch.reports.get(f"seen:{key}"), watch.reports.get(f"{KEPT}{key}")
        at = None if theirs is None else theirs.finished.wall_s
        found += [
            Condition(name, *verdict, now.wall_s, at, source)
            for name, verdict, source in judge(ours, theirs, terms)
        ]
    return tuple(found)


@lru_cache(maxsize=REPORTS_KEPT)
def _software_judged(ours: Report | None, theirs: Report | None, terms: Terms) -> Verdicts:
    here, there = _software(ours), _software(theirs)
    return (
        ("ParityOs", _system(here, there, terms), "os-release, oslevel"),
        ("ParityXcat", _xcat(here, there, terms), "packages of xCAT"),
    )


@lru_cache(maxsize=REPORTS_KEPT)
def _database_judged(ours: Report | None, theirs: Report | None, terms: Terms) -> Verdicts:
    if levels.database(terms.site, terms.site.node) is None:
        return ()
    judged = _database(ours, theirs, terms)
    return (("ParityDatabase", judged, "the database programs"),)


def _software(report: Report | None) -> Software | None:
    return None if report is None else levels.parse_software(report)


def _system(here: Software | None, there: Software | None, terms: Terms) -> Judged:
    ours = "" if here is None else here.system
    theirs = "" if there is None else there.system
    return _compared(ours, theirs, terms, "the operating system")


def _database(ours: Report | None, theirs: Report | None, terms: Terms) -> Judged:
    here = "" if ours is None else levels.parse_database(ours) or ""
    there = "" if theirs is None else levels.parse_database(theirs) or ""
    return _compared(here, there, terms, "the database program")


def _compared(ours: str, theirs: str, terms: Terms, what: str) -> Judged:
    own, partner = terms.site.node, terms.site.partner.name
    if not ours or not theirs:
        missing = own if not ours else partner
        return Status.UNKNOWN, "NotRead", f"{what} of {missing} was not read yet"
    if ours == theirs:
        return Status.TRUE, "Same", f"{ours} on both"
    told = f"{own} has {ours}, {partner} has {theirs} -> bring {own} to the same level"
    return Status.FALSE, DIFFERS, told


def _xcat(here: Software | None, there: Software | None, terms: Terms) -> Judged:
    own, partner = terms.site.node, terms.site.partner.name
    for one, name in ((here, own), (there, partner)):
        if one is None:
            return Status.UNKNOWN, "NotRead", f"the software of {name} was not read yet"
        if not one.packages:
            told = f"no package of xCAT is installed on {name}: its version is not known"
            return Status.UNKNOWN, "NoPackages", told
    assert here is not None
    assert there is not None
    names = sorted({*here.packages, *there.packages})
    differ = [
        f"{name} {here.packages.get(name, 'missing')} here, "
        f"{there.packages.get(name, 'missing')} there"
        for name in names
        if here.packages.get(name) != there.packages.get(name)
    ]
    if differ:
        most = first_of(differ, NAMED_MAX, "; ")
        told = f"{most} -> install the same packages on {own} as on {partner}"
        return Status.FALSE, DIFFERS, told
    odd = sorted(here.changed ^ there.changed)
    if odd:
        most = first_of(odd, NAMED_MAX, "; ")
        told = f"changed on one node only, or gone: {most} -> bring it to the other one too"
        return Status.FALSE, "FilesDiffer", told
    of_server = next((one for one in names if "server" in one.lower()), names[0])
    return Status.TRUE, "Same", f"{of_server} {here.packages[of_server]} on both"
