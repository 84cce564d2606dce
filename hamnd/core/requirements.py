"""What two nodes need before one can stand in for the other (guide §2-§4), and keep needing.

Owns the conditions NamesResolve, SshBothWays, SameSubnet, StandbyQuiet, RestartsAlone and Shielded,
and how often everything is asked that changes seldom. Must not read a tool's output (dialects) nor
compare versions (parity). All of it only reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address, ip_interface

from hamnd.core.gates import plan_command
from hamnd.core.health.watch import REPORTS_KEPT, Watch
from hamnd.core.kept import KEPT
from hamnd.core.parity import judge_parity, parity_looks
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Terms
from hamnd.core.readiness import proof_age_max_s
from hamnd.core.tables import TOPIC as TABLES
from hamnd.core.tables import judge_tables
from hamnd.dialects import acquaintance, tables
from hamnd.dialects.acquaintance import Acquaintance
from hamnd.model.health import Condition
from hamnd.model.instant import Instant
from hamnd.model.names import PlanKind, Status, Verdict
from hamnd.model.plan import Step
from hamnd.model.work import Look, Reading, Report

KNOWS = "acquaintance"
QUIET, ALONE, SHIELDED = "StandbyQuiet", "RestartsAlone", "Shielded"
HOLDS = "holds"
"""What the topics begin with of looks that a condition is made of."""
CLEAR = {
    QUIET: "stop it here, and keep it from starting at boot",
    ALONE: plan_command(PlanKind.RESUME),
    SHIELDED: f"{plan_command(PlanKind.RESUME)} while the old primary is off, "
    f"{plan_command(PlanKind.REJOIN)} once it is back",
}
"""The shield is in memory: a reboot or a flush takes it down. hamnd tells, and puts it up again in
a plan that is confirmed: a rule against a host is nothing that it may do unasked (law 1)."""
GOOD = {
    QUIET: "nothing of the management node runs here or starts at boot",
    ALONE: "every service starts again at boot",
    SHIELDED: "the old primary is refused until it has rejoined",
}
STEPS = {ALONE: "boot", SHIELDED: "shield"}
"""Whose step of a takeover says what has to hold of an active node."""
TERMS_KEPT = 4
LEVELS_S, WAYS_S = 3600.0, 900.0
"""Versions change with an update only, and asking for them is dear."""

Judged = tuple[Status, str, str]
Looked = tuple[tuple[Reading, Instant] | None, ...]
"""What each of some looks told and when; None: it told nothing yet."""


@lru_cache(maxsize=TERMS_KEPT)
def seldom_looks(terms: Terms) -> Mapping[str, tuple[Look, float]]:
    """Return what changes seldom, by topic, each with how often it is asked in seconds."""
    site = terms.site
    ways = {
        f"seen:{KNOWS}": acquaintance.look(site, site.node),
        f"{KEPT}{KNOWS}": acquaintance.look(site, site.partner.name),
    }
    ways[TABLES] = tables.look(site, site.partner.name)
    return {
        **{topic: (look, LEVELS_S) for topic, look in parity_looks(terms).items()},
        **{topic: (look, WAYS_S) for topic, look in ways.items()},
    }


def quiet_looks(terms: Terms) -> Mapping[str, Look]:
    """Return what StandbyQuiet is made of."""
    return _numbered(QUIET, platform_of(terms.site).quiet(terms.site))


def holding_looks(steps: tuple[Step, ...], is_old_one_out: bool) -> Mapping[str, Look]:
    """Return what RestartsAlone and Shielded are made of.

    Args:
        steps: A takeover's on this node.
        is_old_one_out: Whether the node that was taken over from has not rejoined.
    """
    found: dict[str, Look] = {}
    for name in (ALONE, SHIELDED) if is_old_one_out else (ALONE,):
        for step in (one for one in steps if one.id == STEPS[name]):
            found |= _numbered(name, (*step.preconditions, *step.postconditions))
    return found


def _numbered(name: str, looks: tuple[Look, ...]) -> dict[str, Look]:
    return {f"{HOLDS}:{name}:{number}": look for number, look in enumerate(looks)}


def judge_requirements(
    watch: Watch, holding: tuple[str, ...], is_active: bool, now: Instant, terms: Terms
) -> tuple[Condition, ...]:
    """Return the conditions; what a standby needs of its primary is nothing to an active node.

    `holding` are the topics of what has to hold: what was looked at under others is past.
    """
    if is_active:
        shielded = _looked(watch, holding, SHIELDED)
        alone = _held(ALONE, _looked(watch, holding, ALONE), now, terms)
        return (alone, _held(SHIELDED, shielded, now, terms)) if shielded else (alone,)
    held = _held(QUIET, _looked(watch, holding, QUIET), now, terms)
    ours, theirs = watch.reports.get(f"seen:{KNOWS}"), watch.reports.get(f"{KEPT}{KNOWS}")
    at = None if theirs is None else theirs.finished.wall_s
    resolve, ssh = _acquainted(ours, theirs, terms)
    return (
        *judge_parity(watch, now, terms),
        Condition("NamesResolve", *resolve, now.wall_s, at, "looks at both nodes"),
        Condition("SshBothWays", *ssh, now.wall_s, at, "ssh"),
        _same_subnet(watch, now, terms),
        held,
        *judge_tables(watch, now, terms),
    )


@lru_cache(maxsize=REPORTS_KEPT)
def _acquainted(ours: Report | None, theirs: Report | None, terms: Terms) -> tuple[Judged, Judged]:
    """Return whether names resolve and whether ssh goes both ways."""
    here = None if ours is None else acquaintance.parse(ours)
    there = None if theirs is None else acquaintance.parse(theirs)
    return _names(here, there, terms), _ssh(there, terms)


def _names(here: Acquaintance | None, there: Acquaintance | None, terms: Terms) -> Judged:
    """Each node has to know both names, its own too: databases resolve their own host's."""
    site = terms.site.named
    wrong, unsaid = [], []
    for told, host in ((here, site.node), (there, site.partner.name)):
        for node in (site.primary, site.standby):
            found = None if told is None else told.names.get(node.name)
            if found is None:
                unsaid.append(f"{host} could not say what {node.name} is")
            if found is None or node.address in found:
                continue
            is_what = f"is {', '.join(sorted(found))}" if found else "is not known"
            wrong.append(f"on {host} {node.name} {is_what}, and not {node.address}")
    if wrong:
        told_wrong = f"{'; '.join(wrong)} -> mend /etc/hosts there"
        return Status.FALSE, "Wrong", told_wrong
    if here is None or there is None:
        missing = site.node if here is None else site.partner.name
        return Status.UNKNOWN, "NotRead", f"what {missing} knows was not read yet"
    if unsaid:
        return Status.UNKNOWN, "NotTold", "; ".join(unsaid)
    return Status.TRUE, "Resolve", "each node knows both names"


def _ssh(there: Acquaintance | None, terms: Terms) -> Judged:
    """That the partner told proves the way there; what it told, the way back."""
    own, partner = terms.site.node, terms.site.partner.name
    if there is not None and there.gets_in is None and there.refusal:
        told = f"whether {partner} gets into {own} by ssh is not known: {there.refusal}"
        return Status.UNKNOWN, "NotTold", told
    if there is None or there.gets_in is None:
        return Status.UNKNOWN, "NotRead", f"{partner} was not asked over ssh yet"
    if not there.gets_in:
        told = f"{partner} does not get into {own} by ssh: {there.refusal or 'it does not say why'}"
        clear = f"bring {partner}'s public key here, and this host's key there"
        return Status.FALSE, "Refused", f"{told} -> {clear}"
    return Status.TRUE, "BothWays", f"{own} and {partner} reach each other by ssh"


def _same_subnet(watch: Watch, now: Instant, terms: Terms) -> Condition:
    report = watch.reports.get("seen:addresses")
    at = None if report is None else report.finished.wall_s
    return Condition("SameSubnet", *_on_link(report, terms), now.wall_s, at, "addresses")


@lru_cache(maxsize=REPORTS_KEPT)
def _on_link(report: Report | None, terms: Terms) -> Judged:
    """Whether the partner is in a network of this node's own: DHCP is broadcast (§2)."""
    site = terms.site
    networks = None if report is None else platform_of(site).networks(report)
    partner = f"{site.partner.name} ({site.partner.address})"
    if networks is None:
        return Status.UNKNOWN, "NotRead", "this node's addresses were not read yet"
    if any(ip_address(site.partner.address) in ip_interface(one).network for one in networks):
        return Status.TRUE, "OnLink", f"{partner} is on a network of this node's own"
    told = f"{partner} is on none of this node's networks: its DHCP clients would not be heard"
    return Status.FALSE, "Elsewhere", told


def _looked(watch: Watch, holding: tuple[str, ...], name: str) -> Looked:
    return tuple(watch.ready.get(one) for one in holding if one.startswith(f"{HOLDS}:{name}:"))


def _held(name: str, looked: Looked, now: Instant, terms: Terms) -> Condition:
    """Return the worst of the looks that the condition is made of, as long as they are fresh."""
    age_max_s = proof_age_max_s(terms.policy)
    fresh = [one for one in looked if one is not None and now.since(one[1]) <= age_max_s]
    at = min((moment.wall_s for _, moment in fresh), default=None)
    source = "looks at this node"
    for wanted, status, reason in (
        (Verdict.BLOCK, Status.FALSE, "NotSo"),
        (Verdict.UNKNOWN, Status.UNKNOWN, "CannotTell"),
    ):
        for reading, moment in fresh:
            if reading.verdict is wanted:
                told = f"{reading.sentence} -> {CLEAR[name]}"
                return Condition(name, status, reason, told, now.wall_s, moment.wall_s, source)
    if not looked or len(fresh) < len(looked):
        told = "not looked at lately"
        return Condition(name, Status.UNKNOWN, "NotReadLately", told, now.wall_s, at, source)
    return Condition(name, Status.TRUE, "Holds", GOOD[name], now.wall_s, at, source)
