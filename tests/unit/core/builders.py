"""Builds the values that tests of the core begin with: instants, reports, rounds, readings.

Owns nothing but values. A moment is given in seconds after `at(0)`, so that a test reads as a
story: "sent at 0, answered at 0.1". Texts of whole programs are in `texts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hamnd.core.events import RoundCompleted
from hamnd.core.health.watch import FenceReading, Watch
from hamnd.core.observing import fold_round
from hamnd.core.policy import Policy, Terms
from hamnd.core.replication import Sample
from hamnd.dialects import reach
from hamnd.model.health import FenceEvidence, Positions, Replication, WitnessSight
from hamnd.model.instant import Instant
from hamnd.model.names import Answer, FenceGrade, Probe
from hamnd.model.site import Db2Site, FenceSite, Node, Platform, ServiceAddress, Site, Witness
from hamnd.model.work import Ending, Exec, Look, Looked, Report

MONOTONIC, WALL = 1_000.0, 1_795_310_000.0
"""The two clocks at `at(0)`: Sunday 2026-11-22, in the small hours."""

XCATD_GOOD = "<xcatresponse><data>Version 2.17</data><serverdone></serverdone></xcatresponse>"
XCATD_DENIED = (
    "<xcatresponse><error>Permission denied for request</error>"
    "<serverdone></serverdone></xcatresponse>"
)

ALIVE: Mapping[Probe, str] = dict.fromkeys(Probe, "answers")
DEAD: Mapping[Probe, str] = {
    **dict.fromkeys(Probe, "silent"),
    Probe.GATEWAY: "answers",
}


def at(seconds: float) -> Instant:
    """The moment so many seconds after the beginning."""
    return Instant(MONOTONIC + seconds, WALL + seconds)


def site(**changes: object) -> Site:
    """The guide's pair with a power controller and without witnesses."""
    base = Site(
        cluster="xcat",
        node="aixmn2",
        platform=Platform.LINUX,
        primary=Node("aixmn1", "9.114.47.103"),
        standby=Node("aixmn2", "9.114.47.104"),
        identity=(ServiceAddress("en1", "9.114.47.110", 26, "xcatmn", "9.114.47.126"),),
        gateway="9.114.47.126",
        db2=Db2Site("XCATDB", "xcatdb"),
        fence=FenceSite(agent="fence_ipmilan"),
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # fields by name, checked by replace


def service_nodes(count: int) -> tuple[Witness, ...]:
    """So many witnesses: sn01, sn02…"""
    return tuple(Witness(f"sn{n:02d}", f"10.1.0.{20 + n}") for n in range(1, count + 1))


def terms(here: Site | None = None, **policy: object) -> Terms:
    """Terms with the sample configuration's numbers but for `policy`."""
    base = Policy()
    changed = replace(base, **policy)  # type: ignore[arg-type]  # fields by name
    return Terms(here or site(), changed)


def report(
    ending: Ending = Ending.EXITED,
    sent: float = 0.0,
    home: float | None = None,
    exit_code: int | None = 0,
    stdout: str = "",
    stderr: str = "",
) -> Report:
    """One report; `sent` and `home` in seconds after the beginning."""
    code = exit_code if ending is Ending.EXITED else None
    finished = at(sent + 0.1 if home is None else home)
    return Report(ending, at(sent), finished, code, stdout, stderr)


def probed(probe: Probe, word: str, sent: float, timeout_s: float = 2.0) -> Report:
    """What a probe brings home: answers, refused, silent, failing, cut, not-run."""
    took = timeout_s if word in ("silent", "cut") else 0.01
    home = sent + took
    is_ping = probe in (Probe.PING, Probe.GATEWAY)
    match word:
        case "answers":
            text = XCATD_GOOD if probe is Probe.XCATD else ""
            return report(Ending.EXITED, sent, home, 0, text)
        case "failing":
            return report(Ending.EXITED, sent, home, 0, XCATD_DENIED)
        case "refused":
            return report(Ending.REFUSED, sent, home)
        case "silent" if is_ping:
            return report(Ending.EXITED, sent, home, 1, "1 packets transmitted, 0 received")
        case "silent":
            return report(Ending.NO_REPLY, sent, home)
        case "cut":
            return report(Ending.TIMED_OUT, sent, home)
        case "not-run":
            return report(Ending.COULD_NOT_RUN, sent, home)
        case _:
            raise AssertionError(f"no such word: {word}")


def round_of(
    words: Mapping[Probe, str], sent: float, here: Terms | None = None, number: int = 1
) -> RoundCompleted:
    """A reach round in which every probe was sent at `sent`."""
    on = here or terms()
    looks = reach.partner_round(on.site, on.policy.probe_timeout_s)
    return RoundCompleted(
        number,
        tuple(
            (probe, Looked(look, probed(probe, words[probe], sent, on.policy.probe_timeout_s)))
            for probe, look in looks
            if probe in words
        ),
    )


def heard(words: Mapping[Probe, str], *sent: float, watch: Watch | None = None) -> Watch:
    """The watch after rounds that were sent at these moments, all with the same answers."""
    folded = watch or Watch()
    for moment in sent:
        folded = fold_round(folded, round_of(words, moment), terms().policy)
    return folded


def replication(observed: float, **changes: object) -> Replication:
    """A standby in Peer, NEARSYNC, as read at `observed`."""
    base = Replication(
        engine="db2",
        role="standby",
        state="peer",
        connected=True,
        sync_mode="nearsync",
        positions=Positions(5_000, 5_000, 5_000),
        gap_bytes=0,
        replay_gap_bytes=0,
        since=int(WALL) - 90_000,
        observed=at(observed),
        source="db2pd",
        is_protecting=True,
        is_database_up=True,
        uptime_s=100_000 + int(observed),
        peer_window_s=120,
        peer_window_end=int(WALL) + 120,
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # fields by name, checked by replace


def blind(observed: float) -> Replication:
    """A reading of a database that could not be read."""
    base = replication(observed)
    problem = "db2pd: ran into our time limit"
    return Replication.blind(base.engine, base.source, base.observed, problem)


def lost_link(observed: float, **changes: object) -> Replication:
    """A standby that noticed the loss of its link while in Peer."""
    base = replication(
        observed,
        state="disconnected_peer",
        connected=False,
        is_protecting=False,
        since=int(WALL) + int(observed),
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # fields by name, checked by replace


def sample(wall: float = 0.0, **changes: object) -> Sample:
    """The last reading in Peer, `wall` seconds after the beginning."""
    base = Sample(
        wall_s=WALL + wall,
        sync_mode="nearsync",
        state="peer",
        received=5_000,
        replayed=5_000,
        primary=5_000,
        peer_window_end=int(WALL) + 120,
        started_at=WALL - 100_000,
        skew_s=0.0,
        skew_uncertainty_s=0.1,
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # fields by name, checked by replace


def sight(name: str, sees: Answer, moment: float) -> WitnessSight:
    """What a service node said at that moment."""
    return WitnessSight(name, sees, "as told", at(moment))


def power(is_off: bool | None, moment: float) -> FenceReading:
    """One reading of the power controller."""
    word = {True: "off", False: "on", None: "unknown"}[is_off]
    return FenceReading(is_off, at(moment), f"the power controller says {word}")


def act(grade: FenceGrade, moment: float) -> FenceEvidence:
    """A dated act."""
    return FenceEvidence(grade, WALL + moment, "test", "as told")


def plain_look(name: str, reads: str = "shell.exit_zero") -> Look:
    """A look of a made-up step."""
    return Look(Exec("aixmn2", ("look", name)), reads, f"{name} is so")
