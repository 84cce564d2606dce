"""The primary-down rule of design §3: when silence, on all sides, counts as death.

Owns the rule, its three causes, and what contradicts it later. Must not know conditions, plans or
what the operator does. Silent alone proves nothing: only the conjunction here counts, and whatever
is unknown blocks it.
"""

from __future__ import annotations

from dataclasses import dataclass

from hamnd.core.health.moving import moved_by
from hamnd.core.health.watch import Track, Watch
from hamnd.core.policy import Policy, Terms
from hamnd.model.health import WitnessSight
from hamnd.model.instant import Instant
from hamnd.model.names import Answer, Cause, Probe

HOST_PROBES = (Probe.PING, Probe.TCP, Probe.SSH_BANNER, Probe.XCATD)
SERVICE_PROBES = (Probe.SSH_BANNER, Probe.XCATD)
"""What a frozen host no longer answers although its kernel answers ping and connect (lab.md §4)."""


@dataclass(frozen=True, slots=True)
class DownRule:
    """The primary-down rule as it stands."""

    cause: Cause | None = None
    """Set while the rule is true."""
    since: Instant | None = None
    """When the silence (or failure) began that makes it true."""
    is_held: bool = False
    """True for as long as policy demands."""
    basis: tuple[str, ...] = ()
    blockers: tuple[str, ...] = ()
    """Why it is not true, or not yet."""


def freshness_s(policy: Policy) -> float:
    """How old the newest probe of a kind may be before it says nothing about now."""
    return 2 * policy.reach_interval_s + policy.probe_timeout_s + 1.0


def silence_began(watch: Watch, now: Instant, policy: Policy) -> Instant | None:
    """Return since when ping, ssh banner and xcatd request are all silent, or None."""
    began = [
        silence_of(watch.tracks.get(probe), now, policy) for probe in (Probe.PING, *SERVICE_PROBES)
    ]
    known = [moment for moment in began if moment is not None]
    return max(known) if len(known) == len(began) else None


def is_recent(moment: Instant | None, now: Instant, age_max_s: float) -> bool:
    """Whether that moment is known and not older than `age_max_s`."""
    return moment is not None and now.since(moment) <= age_max_s


def asked_at(sight: WitnessSight) -> Instant:
    """Return the moment after which a witness saw what it tells."""
    return sight.at if sight.asked is None else sight.asked


def silence_of(track: Track | None, now: Instant, policy: Policy) -> Instant | None:
    """Return since when a probe is silent, or None when it is not or the silence is stale."""
    if track is None or track.silent_since is None:
        return None
    return track.silent_since if is_recent(track.silent_last, now, freshness_s(policy)) else None


def does_answer(watch: Watch, probe: Probe, now: Instant, policy: Policy) -> bool:
    """Whether a probe was answered lately, not refused, and has not fallen silent since."""
    track = watch.tracks.get(probe)
    return (
        track is not None
        and track.refused is None
        and silence_of(track, now, policy) is None
        and is_recent(track.answered, now, freshness_s(policy))
    )


def database_health(watch: Watch, now: Instant, policy: Policy) -> bool | None:
    """Return what the partner's own tools said lately of its database; None: not known now."""
    partner = watch.partner
    return partner.is_good if is_recent(partner.at, now, policy.slow_freshness_s) else None


def judge_rule(watch: Watch, now: Instant, terms: Terms) -> DownRule:
    """Return the rule as it stands: proof by the device first, then silence, then failure.

    What holds long enough goes before what does not yet: one way to know must not hide another.
    """
    fenced = _rule_by_fence(watch, now, terms)
    silent = _rule_by_silence(watch, now, terms)
    for rule in (fenced, silent):
        if rule.is_held:
            return rule
    for rule in (fenced, silent):
        if rule.cause is not None:
            return rule
    failed = _rule_by_service(watch, now, terms)
    return failed if failed.cause is not None else silent


def _rule_by_fence(watch: Watch, now: Instant, terms: Terms) -> DownRule:
    """(a) The device says off, twice in a row, and nothing contradicts it."""
    off = watch.off
    if off is None or off.second is None or watch.lie:
        return DownRule()
    if not is_recent(off.last, now, terms.policy.evidence_age_max_s):
        return DownRule()
    if contradiction(watch, Cause.HOST, off.first) is not None:
        return DownRule()
    held = now.since(off.first) >= terms.policy.down_after_s
    basis = ("the power controller says off, read twice, and nothing contradicts it",)
    return DownRule(Cause.HOST, off.first, held, basis)


def _rule_by_silence(watch: Watch, now: Instant, terms: Terms) -> DownRule:
    """(b) Silent on all sides, no sign of life in replication, and we are not the ones cut off."""
    policy = terms.policy
    silences = {probe: silence_of(watch.tracks.get(probe), now, policy) for probe in HOST_PROBES}
    loud = [probe for probe in (Probe.PING, *SERVICE_PROBES) if silences[probe] is None]
    frozen = set(loud) <= {Probe.PING} and _kernel_answers(watch, now, policy)
    if loud and not frozen:
        return DownRule(
            blockers=tuple(_why_not_silent(watch, probe, now, policy) for probe in loud)
        )
    counted = SERVICE_PROBES if frozen else (Probe.PING, *SERVICE_PROBES)
    began = max(since for probe in counted if (since := silences[probe]) is not None)
    if not frozen and silences[Probe.TCP] is not None:
        began = max(began, silences[Probe.TCP] or began)
    # What came late, out of a buffer for example, ends no silence for ever: it begins after it.
    began = began if watch.progress is None else max(began, watch.progress)
    blockers, basis = _corroborate(watch, began, now, terms)
    if blockers:
        return DownRule(blockers=blockers, basis=basis)
    cause = Cause.FROZEN if frozen else Cause.HOST
    what = "ping or connect answers, " if frozen else "ping, "
    basis = (f"{what}ssh banner and xcatd request are silent", *basis)
    return DownRule(cause, began, now.since(began) >= policy.down_after_s, basis)


def _kernel_answers(watch: Watch, now: Instant, policy: Policy) -> bool:
    """Whether ping or a TCP connect is answered, not silent: the kernel lives."""
    return any(
        (track := watch.tracks.get(probe)) is not None
        and silence_of(track, now, policy) is None
        and is_recent(track.answered, now, freshness_s(policy))
        for probe in (Probe.PING, Probe.TCP)
    )


def _why_not_silent(watch: Watch, probe: Probe, now: Instant, policy: Policy) -> str:
    track = watch.tracks.get(probe)
    if track is None:
        return f"{probe}: not asked yet"
    if is_recent(track.answered, now, freshness_s(policy)):
        return f"{probe}: answers"
    return f"{probe}: unknown ({track.detail or 'no fresh answer either way'})"


def _corroborate(
    watch: Watch, began: Instant, now: Instant, terms: Terms
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what blocks the conclusion and what supports it, besides our own probes."""
    blockers: list[str] = []
    basis: list[str] = []
    for verdict in (
        _replication_is_silent(watch, began, now, terms),
        _witnesses_agree(watch, began, now, terms),
        _own_path_is_proven(watch, began, now, terms),
    ):
        (basis if verdict[0] else blockers).append(verdict[1])
    return tuple(blockers), tuple(basis)


def _replication_is_silent(
    watch: Watch, began: Instant, now: Instant, terms: Terms
) -> tuple[bool, str]:
    """Link lost, or nothing received since the silence began: CONNECTED alone may be stale."""
    view = watch.replication
    if view is None or not is_recent(view.observed, now, terms.policy.slow_freshness_s):
        return False, "replication: no fresh reading of the local database"
    if view.observed <= began:
        return False, "replication: not read since the silence began"
    if view.connected is False or not view.has_link:
        return True, "the replication link is lost" if view.has_link else "there is no link to ask"
    if watch.unchanged is not None and watch.unchanged > began:
        return True, "nothing was received by replication since the silence began"
    if watch.progress is not None and watch.progress >= began:
        return False, "replication: something was received after the silence began"
    return False, "replication: one reading is not enough to call it silent"


def _witnesses_agree(watch: Watch, began: Instant, now: Instant, terms: Terms) -> tuple[bool, str]:
    """At least `witnesses_min` answered since the silence began, and none of them reaches it."""
    fresh = [
        sight
        for sight in watch.witnesses.values()
        if is_recent(sight.at, now, terms.policy.slow_freshness_s)
    ]
    reaching = [sight for sight in fresh if sight.sees is Answer.ANSWERED]
    if reaching:
        total = len(terms.site.witnesses)
        return False, f"{len(reaching)} of {total} service nodes still reach it"
    heard = [sight for sight in fresh if sight.sees is Answer.SILENT and asked_at(sight) > began]
    needed = terms.policy.witnesses_min
    if len(heard) < needed:
        return False, f"{len(heard)} of the {needed} service nodes needed have answered since"
    if not terms.site.witnesses:
        return True, "no witness is configured: one vantage point"
    if not heard:
        return True, "no service node has answered, and none is demanded"
    return True, f"none of {len(heard)} service nodes reaches it"


def _own_path_is_proven(
    watch: Watch, began: Instant, now: Instant, terms: Terms
) -> tuple[bool, str]:
    """We are not the ones who are cut off; without witnesses the gateway itself must answer."""
    gateway = watch.gateway.answered
    if (
        gateway is not None
        and gateway > began
        and is_recent(gateway, now, freshness_s(terms.policy))
    ):
        return True, "the gateway answers us"
    if any(
        sight.sees is not Answer.UNKNOWN
        and sight.at > began
        and is_recent(sight.at, now, terms.policy.slow_freshness_s)
        for sight in watch.witnesses.values()
    ):
        return True, "service nodes answer us"
    return False, "our own path is not proven since: the gateway does not answer"


def _rule_by_service(watch: Watch, now: Instant, terms: Terms) -> DownRule:
    """The host answers, but xcatd or the database definitely fail, for `service_down_after_s`."""
    policy = terms.policy
    moving = moved_by(watch, terms.site.partner.name, now, policy.slow_freshness_s)
    if moving or not _host_answers(watch, now, policy):
        return DownRule()
    # Each with its first and its last failing answer: one alone says nothing of the time since.
    failing: list[tuple[Instant, Instant | None, str]] = []
    xcatd, partner = watch.xcatd, watch.partner
    if xcatd.failing_since is not None and is_recent(xcatd.failing_last, now, freshness_s(policy)):
        failing.append((xcatd.failing_since, xcatd.failing_last, f"xcatd: {xcatd.detail}"))
    if partner.failing_since is not None and is_recent(partner.at, now, policy.slow_freshness_s):
        failing.append((partner.failing_since, partner.at, f"database: {partner.detail}"))
    if not failing:
        return DownRule()
    since = min(first for first, _, _ in failing)
    held = any(
        last is not None and last.since(first) >= policy.service_down_after_s
        for first, last, _ in failing
    )
    told = tuple(sentence for _, _, sentence in failing)
    return DownRule(Cause.SERVICE, since, held, ("the host answers", *told))


def _host_answers(watch: Watch, now: Instant, policy: Policy) -> bool:
    return any(
        (track := watch.tracks.get(probe)) is not None
        and is_recent(track.answered, now, freshness_s(policy))
        for probe in HOST_PROBES
    )


def contradiction(watch: Watch, cause: Cause, since: Instant) -> str | None:
    """Return the answer, newer than `since`, of a kind that this cause calls silent or failed."""
    if cause is Cause.SERVICE:
        xcatd_good = watch.xcatd.good is not None and watch.xcatd.good > since
        partner = watch.partner
        database_good = partner.is_good is True and partner.at is not None and partner.at > since
        if xcatd_good and database_good:
            return "its xcatd and its database both answer again"
        return None
    probes = HOST_PROBES if cause is Cause.HOST else SERVICE_PROBES
    for probe in probes:
        track = watch.tracks.get(probe)
        if track is not None and track.answered is not None and track.answered > since:
            return f"{probe} was answered"
    claim = watch.claim.answered
    if cause is Cause.HOST and claim is not None and claim > since:
        return "another host claims the address that it had"
    if watch.progress is not None and watch.progress > since:
        return "replication received something from it"
    for sight in watch.witnesses.values():
        if sight.sees is Answer.ANSWERED and asked_at(sight) > since:
            return f"service node {sight.name} reaches it"
    return None


def latest_host_answer(watch: Watch) -> Instant | None:
    """Return when the partner was last heard by any probe, or claimed the address that it had."""
    tracks = (*(watch.tracks.get(probe, Track()) for probe in HOST_PROBES), watch.claim)
    heard = [track.answered for track in tracks if track.answered is not None]
    return max(heard) if heard else None
