"""The primary-down rule against a dumb twin that remembers everything and computes nothing ahead.

Owns the twin: it keeps every observation ever made in a list and goes through all of them each
time it is asked. The core keeps a few instants. Both must say the same, and neither may call a
primary down that was heard after the silence it claims.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from hamnd.core.health.evidence import void_contradicted
from hamnd.core.health.rule import DownRule, judge_rule
from hamnd.core.health.watch import Watch, fold_fence, fold_replication
from hamnd.core.observing import fold_round
from hamnd.core.policy import Terms
from hamnd.model.health import Positions, WitnessSight
from hamnd.model.names import Answer, Cause, Probe
from tests.unit.core.builders import (
    at,
    lost_link,
    power,
    replication,
    round_of,
    service_nodes,
    site,
    terms,
)

FRESH, SLOW, TIMEOUT, DEVICE_FRESH = 5.0, 13.0, 2.0, 30.0
DOWN, SERVICE = 4.0, 8.0
HOST = (Probe.PING, Probe.TCP, Probe.SSH_BANNER, Probe.XCATD)
TERMS: Terms = terms(
    site(witnesses=service_nodes(2)), witnesses_min=1, service_down_after_s=SERVICE
)


@dataclass
class Twin:
    """Everything that was ever seen, in seconds of the monotonic clock."""

    answers: list[tuple[Probe, float]] = field(default_factory=list)
    silences: list[tuple[Probe, float]] = field(default_factory=list)
    gateway: list[float] = field(default_factory=list)
    failures: list[tuple[float, bool]] = field(default_factory=list)
    """xcatd: (when, whether it failed), good and failing only."""
    sights: dict[str, tuple[Answer, float, float]] = field(default_factory=dict)
    reached: list[float] = field(default_factory=list)
    """When witnesses were asked that reached it."""
    readings: list[tuple[float, float, int, bool]] = field(default_factory=list)
    """(began, ended, position, connected)."""
    device: list[tuple[float, bool | None]] = field(default_factory=list)
    start: int = 0
    """From which reading of the device on they count."""

    def silent(self, probe: Probe, now: float) -> float | None:
        """Since when a probe is silent, if it is."""
        heard = max((when for one, when in self.answers if one is probe), default=-1e9)
        sent = sorted(when for one, when in self.silences if one is probe and when > heard)
        if not sent or now - sent[-1] > FRESH:
            return None
        since = sent[-1]
        for when in reversed(sent):
            if since - when > FRESH:
                break
            since = when
        return since

    def heard(self, probe: Probe, now: float) -> bool:
        """Whether a probe was answered lately."""
        return any(one is probe and now - when <= FRESH for one, when in self.answers)

    def progress(self) -> float:
        """The earliest moment at which the latest progress can have happened."""
        pairs = zip(self.readings, self.readings[1:], strict=False)
        seen = [one[1] for one, two in pairs if two[2] > one[2] or (two[3] and not one[3])]
        return max(seen, default=-1e9)

    def contradicts(self, probes: tuple[Probe, ...], since: float) -> bool:
        """Whether anybody was heard after that moment."""
        if any(one in probes and when > since for one, when in self.answers):
            return True
        if self.progress() > since:
            return True
        return any(asked > since for asked in self.reached)

    # ---- the rule --------------------------------------------------------------------------
    def judge(self, now: float) -> tuple[Cause | None, bool]:
        """The cause, and whether it is held."""
        found = [self.by_device(now), self.by_silence(now)]
        held = [cause for cause, since, limit in found if cause and now - since >= limit]
        if held:
            return held[0], True
        if any(cause for cause, _, _ in found):
            return next(cause for cause, _, _ in found if cause), False
        cause, since, limit = self.by_service(now)
        return cause, cause is not None and now - since >= limit

    def off_readings(self, start: int) -> list[float]:
        """When the device said off, from that reading on, without having said on since."""
        found: list[float] = []
        for when, is_off in self.device[start:]:
            if is_off is False:
                found = []
            elif is_off:
                found.append(when)
        return found

    def forget(self) -> None:
        """An answer came home: the readings before it do not count."""
        counted = self.off_readings(self.start)
        if counted and self.contradicts(HOST, counted[0]):
            self.start = len(self.device)

    def by_device(self, now: float) -> tuple[Cause | None, float, float]:
        """Off twice in a row since the last answer, and no lie since it last said on."""
        nothing = (None, 0.0, DOWN)
        said = self.off_readings(0)
        if not said or self.contradicts(HOST, said[0] + TIMEOUT):
            return nothing
        counted = self.off_readings(self.start)
        if len(counted) < 2 or now - counted[-1] > DEVICE_FRESH:
            return nothing
        return Cause.HOST, counted[0], DOWN

    def by_silence(self, now: float) -> tuple[Cause | None, float, float]:
        """Silent on all sides."""
        nothing = (None, 0.0, DOWN)
        silent = {probe: self.silent(probe, now) for probe in HOST}
        if silent[Probe.SSH_BANNER] is None or silent[Probe.XCATD] is None:
            return nothing
        kernel = any(
            silent[probe] is None and self.heard(probe, now) for probe in (Probe.PING, Probe.TCP)
        )
        if silent[Probe.PING] is None and not kernel:
            return nothing
        counted = [Probe.SSH_BANNER, Probe.XCATD]
        if not kernel:
            counted += [one for one in (Probe.PING, Probe.TCP) if silent[one] is not None]
        began = max(when for one in counted if (when := silent[one]) is not None)
        began = max(began, self.progress())
        if not (self.replication_is_silent(began, now) and self.witnesses_agree(began, now)):
            return nothing
        if not self.path_is_proven(began, now):
            return nothing
        return (Cause.FROZEN if kernel else Cause.HOST), began, DOWN

    def replication_is_silent(self, began: float, now: float) -> bool:
        """Nothing was received since."""
        if not self.readings:
            return False
        _, ended, _, connected = self.readings[-1]
        if now - ended > SLOW or ended <= began:
            return False
        if not connected:
            return True
        unchanged = [
            two[0]
            for one, two in zip(self.readings, self.readings[1:], strict=False)
            if two[2] == one[2] and not (two[3] and not one[3])
        ]
        return any(when > began for when in unchanged[-1:])

    def witnesses_agree(self, began: float, now: float) -> bool:
        """One fresh witness at least was asked since and none reaches it."""
        fresh = [one for one in self.sights.values() if now - one[2] <= SLOW]
        if any(sees is Answer.ANSWERED for sees, _, _ in fresh):
            return False
        return any(sees is Answer.SILENT and asked > began for sees, asked, _ in fresh)

    def path_is_proven(self, began: float, now: float) -> bool:
        """The gateway or a witness answered us since."""
        if any(when > began and now - when <= FRESH for when in self.gateway[-1:]):
            return True
        return any(
            sees is not Answer.UNKNOWN and home > began and now - home <= SLOW
            for sees, _, home in self.sights.values()
        )

    def by_service(self, now: float) -> tuple[Cause | None, float, float]:
        """The host answers, its xcatd definitely does not."""
        nothing = (None, 0.0, SERVICE)
        if not any(self.heard(probe, now) for probe in HOST):
            return nothing
        failing: list[float] = []
        for when, has_failed in self.failures:
            if not has_failed:
                failing = []
            elif failing and when - failing[-1] > FRESH:
                failing = [when]
            else:
                failing.append(when)
        if not failing or now - failing[-1] > FRESH:
            return nothing
        return Cause.SERVICE, failing[0], SERVICE


@dataclass
class Both:
    """The core and its twin, fed with the same."""

    twin: Twin = field(default_factory=Twin)
    watch: Watch = field(default_factory=Watch)
    now: float = 0.0
    position: int = 5_000
    connected: bool = True

    def settle(self) -> None:
        self.watch = void_contradicted(self.watch, at(self.now), TERMS)
        self.twin.forget()

    def round(self, words: dict[Probe, str]) -> None:
        """A round that was sent so long ago that it comes home now."""
        took = TIMEOUT if {"silent", "cut"} & set(words.values()) else 0.01
        sent = self.now - took
        made = round_of(words, sent, TERMS)
        self.watch = fold_round(self.watch, made, TERMS.policy)
        home = {probe: one.report.finished.monotonic_s for probe, one in made.looked}
        is_proven = words[Probe.GATEWAY] == "answers" or any(
            sees is not Answer.UNKNOWN and came >= at(sent).monotonic_s
            for sees, _, came in self.twin.sights.values()
        )
        if words[Probe.GATEWAY] == "answers":
            self.twin.gateway.append(home[Probe.GATEWAY])
        for probe in HOST:
            word = words[probe]
            is_refused = word == "refused" and probe is not Probe.PING
            if word in ("answers", "failing") or is_refused:
                self.twin.answers.append((probe, home[probe]))
            elif word == "silent" and is_proven:
                self.twin.silences.append((probe, at(sent).monotonic_s))
        if words[Probe.XCATD] in ("answers", "refused", "failing"):
            self.twin.failures.append((home[Probe.XCATD], words[Probe.XCATD] != "answers"))
        self.settle()

    def witness(self, name: str, sees: Answer, took: float) -> None:
        asked = self.now - took
        seen = WitnessSight(name, sees, "as told", at(self.now), at(asked))
        self.watch = fold_witness(self.watch, seen)
        began = at(asked).monotonic_s
        self.twin.sights[name] = (sees, began, at(self.now).monotonic_s)
        if sees is Answer.ANSWERED:
            self.twin.reached.append(began)
        self.settle()

    def read(self, moves: int, connected: bool) -> None:
        self.position += moves if connected else 0
        self.connected = connected
        positions = Positions(self.position, self.position, self.position)
        made = replication if connected else lost_link
        reading = made(self.now, positions=positions, since=None)
        self.watch = fold_replication(self.watch, reading, at(self.now - 0.1))
        began, ended = at(self.now - 0.1).monotonic_s, at(self.now).monotonic_s
        self.twin.readings.append((began, ended, self.position, connected))
        self.settle()

    def device(self, is_off: bool | None) -> None:
        self.watch = fold_fence(self.watch, power(is_off, self.now))
        self.twin.device.append((at(self.now).monotonic_s, is_off))
        self.settle()

    def agree(self) -> DownRule:
        rule = judge_rule(self.watch, at(self.now), TERMS)
        told = (rule.cause, rule.is_held)
        assert told == self.twin.judge(at(self.now).monotonic_s), (rule, self.twin)
        if rule.is_held and rule.since is not None and rule.cause is not Cause.SERVICE:
            since = rule.since.monotonic_s
            probes = HOST if rule.cause is Cause.HOST else (Probe.SSH_BANNER, Probe.XCATD)
            late = [one for one in self.twin.answers if one[0] in probes and one[1] > since]
            assert not late, (rule, late)
        return rule


def fold_witness(watch: Watch, seen: WitnessSight) -> Watch:
    return replace(watch, witnesses={**watch.witnesses, seen.name: seen})


WORDS = ("answers", "silent", "silent", "silent", "cut", "refused", "not-run")
MOODS = st.sampled_from(("dead", "dead", "dead", "frozen", "alive", "failing", "outage", "any"))
STEPS = st.one_of(
    st.tuples(st.just("round"), MOODS, st.lists(st.sampled_from(WORDS), min_size=5, max_size=5)),
    st.tuples(
        st.just("witness"),
        st.sampled_from(("sn01", "sn02")),
        st.sampled_from((Answer.SILENT, Answer.SILENT, Answer.ANSWERED, Answer.UNKNOWN)),
    ),
    st.tuples(st.just("read"), st.sampled_from((0, 0, 0, 0, 7)), st.sampled_from((True, False))),
    st.tuples(
        st.just("device"), st.sampled_from((True, False, None, "skip", "skip")), st.just(None)
    ),
)


def words_of(mood: str, given_words: list[str]) -> dict[Probe, str]:
    """A round as one situation makes it; `any` mixes everything."""
    if mood == "any":
        return dict(zip(Probe, given_words, strict=True))
    silent = dict.fromkeys(Probe, "silent") | {Probe.GATEWAY: "answers"}
    answers: dict[Probe, str] = dict.fromkeys(Probe, "answers")
    kernel = {Probe.PING: "answers", Probe.TCP: "answers"}
    return {
        "dead": silent,
        "frozen": silent | kernel,
        "alive": answers,
        "failing": answers | {Probe.XCATD: "failing"},
        "outage": dict.fromkeys(Probe, "silent"),
    }[mood]


@given(
    st.lists(
        st.tuples(
            st.sampled_from((0.2, 0.5, 1.0, 1.0, 2.3, 6.0)),
            st.sampled_from((1, 1, 1, 2, 4, 9)),
            STEPS,
        ),
        min_size=5,
        max_size=30,
    )
)
@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_the_rule_says_what_its_twin_says(story: list[tuple[float, int, tuple]]) -> None:  # type: ignore[type-arg]  # drawn
    both = Both()
    held: set[str] = set()
    for seconds, times, (what, one, two) in story:
        for _ in range(times):
            both.now += seconds
            match what:
                case "round":
                    both.round(words_of(one, two))
                case "witness":
                    both.witness(one, two, 0.5)
                case "read":
                    both.read(one, two)
                case _ if one != "skip":
                    both.device(one)
            rule = both.agree()
            if rule.is_held and rule.cause is not None:
                held.add(rule.cause.value)
    for cause in held:
        event(f"held: {cause}")
    event("held" if held else "never held")
