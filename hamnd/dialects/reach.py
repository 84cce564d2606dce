"""Reachability: is there somebody at an address, and how sure are we (design law 2).

Owns the probes of a reach round and the four answers. Must not know since when something is silent
(core.health) nor how a probe is sent (adapters). A silence is only ever told where the caller says
that our own path was proven in the same round; what we could not ask or read is UNKNOWN.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from math import ceil

from hamnd.dialects.addresses import read_address_free
from hamnd.dialects.shell import last_lines, unanswered
from hamnd.model.names import Answer, ManyValued, Probe, Verdict
from hamnd.model.site import Platform, Site
from hamnd.model.work import Ending, Exec, Look, Looked, Reach, Reading, Report

CLAIMED = "reach.claimed"
_CLAIMANT = re.compile(r"reply from \S+ \[([0-9A-Fa-f:]+)\]", re.IGNORECASE)
_SENT = re.compile(r"(\d{1,9}) packets? transmitted")
_NOT_SENT = re.compile(r"send(msg|to):|operation not permitted", re.IGNORECASE)
_XCATD_ERROR = re.compile(r"<error>(.*?)</error>", re.DOTALL)


class XcatdHealth(ManyValued):
    """What a real request to an xcatd said (xcat-hamn.md §4.4)."""

    GOOD = "good"
    """It answered the request."""
    FAILING = "failing"
    """It answered "Permission denied for request": xcatd lives, its database does not."""
    REFUSED = "refused"
    """The host answered that nothing listens: xcatd is down."""
    SILENT = "silent"
    """Sent, and no reply within the limit: xcatd hangs, or the host is gone."""
    UNKNOWN = "unknown"
    """Not sent, cut off, or unreadable."""


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a probe asks: a host's name for people, and where it listens."""

    host: str
    address: str
    port: int | None = None


def ping(
    site: Site, host: str, address: str, timeout_s: float = 2.0, source: str | None = None
) -> Look:
    """Return a look that pings an address once, from `source` where one is given.

    Flags: Linux iputils; AIX has no `-W`, and `-S` for the source (aix.md §3.5).
    """
    seconds = str(max(1, ceil(timeout_s)))
    argv = [site.tool("ping"), "-n", "-c", "1"]
    if site.platform is Platform.AIX:
        argv += ["-w", seconds, *(("-S", source) if source else ())]
    else:
        argv += ["-W", seconds, "-w", seconds, *(("-I", source) if source else ())]
    return Look(
        Exec(site.node, (*argv, address)),
        reads="reach.ping",
        expects=f"{host} ({address}) answers ping" + (f" from {source}" if source else ""),
        arguments=(f"{host} ({address})", f" from {source}") if source else (host,),
        timeout_s=float(seconds) + 1.0,
    )


@dataclass(frozen=True, slots=True)
class OnePing:
    """What one plain `ping` of ours asks: this address, for so long."""

    address: str
    limit_s: float


def as_one_ping(argv: tuple[str, ...]) -> OnePing | None:
    """Return what a command line made by `ping` asks, where a socket can ask the same.

    Only Linux' spelling with the bare program name and no source: a site that names a `ping` in
    [tools] wants that one.
    """
    match argv:
        case ("ping", "-n", "-c", "1", "-W", seconds, "-w", _, address):
            return OnePing(address, float(seconds))
        case _:
            return None


def ping_summary(was_answered: bool) -> str:
    """Return the line in which `ping` sums up its one packet (iputils)."""
    heard, lost = ("1 received", "0%") if was_answered else ("0 received", "100%")
    return f"1 packets transmitted, {heard}, {lost} packet loss\n"


def ping_silent(site: Site, host: str, address: str, timeout_s: float = 2.0) -> Look:
    """Return a look that pings an address once and expects nobody to answer."""
    asked = ping(site, host, address, timeout_s)
    return replace(
        asked, reads="reach.ping_silent", expects=f"nobody answers ping for {host} ({address})"
    )


def tcp(target: Target, timeout_s: float = 2.0) -> Look:
    """Return a look that connects to a port. A frozen host completes this too (lab.md §4)."""
    return _reach(target, Probe.TCP, "accepts a TCP connection", timeout_s)


def ssh_banner(target: Target, timeout_s: float = 2.0) -> Look:
    """Return a look that waits for sshd's greeting, which a frozen host does not send."""
    return _reach(target, Probe.SSH_BANNER, "greets as an ssh server", timeout_s)


def xcatd_request(target: Target, timeout_s: float = 2.0) -> Look:
    """Return a look that sends xcatd a real request."""
    return _reach(target, Probe.XCATD, "xcatd answers a request", timeout_s)


def partner_round(site: Site, timeout_s: float = 2.0) -> tuple[tuple[Probe, Look], ...]:
    """Return one whole reach round: every probe of the partner, and our own path's proof."""
    partner = site.partner
    ssh = Target(partner.name, partner.address, partner.ssh_port)
    xcatd = Target(partner.name, partner.address, partner.xcatd_port)
    return (
        (Probe.PING, ping(site, partner.name, partner.address, timeout_s)),
        (Probe.TCP, tcp(ssh, timeout_s)),
        (Probe.SSH_BANNER, ssh_banner(ssh, timeout_s)),
        (Probe.XCATD, xcatd_request(xcatd, timeout_s)),
        (Probe.GATEWAY, ping(site, "the gateway", site.gateway, timeout_s)),
    )


def address_round(site: Site) -> tuple[tuple[Probe, Look], ...]:
    """Return the round for a partner whose own address this node has taken, or is about to.

    A ping of it would be answered by this node itself. Who else claims it still answers ARP
    (lab.md §5); IPv6 has nothing like it, so there only our own path is asked.
    """
    gateway = ping(site, "the gateway", site.gateway)
    moving = site.moving
    if moving is None or moving.is_ipv6:
        return ((Probe.GATEWAY, gateway),)
    options = ("-D", "-c", "1", "-w", "1", "-I", moving.interface)
    look = Look(
        Exec(site.node, (site.tool("arping"), *options, moving.address)),
        reads=CLAIMED,
        expects=f"whether another host claims {moving.address}",
        timeout_s=4.0,
    )
    return (Probe.PING, look), (Probe.GATEWAY, gateway)


def is_claim(looked: Looked) -> bool:
    """Whether this asked who claims the address, not what listens there."""
    return looked.look.reads == CLAIMED


def told_claim(looked: Looked) -> Report:
    """Return the report of such a look with the hardware address of who claims it as its detail."""
    found = _CLAIMANT.search(looked.report.stdout)
    return replace(looked.report, detail="" if found is None else f" ({found[1].lower()})")


def read_answer(looked: Looked, path_is_proven: bool) -> Answer:
    """Return which of the four answers a probe brought (design law 2).

    Args:
        looked: A look built here, with its report.
        path_is_proven: Whether the gateway or a witness answered in the same round.
    """
    heard = _heard(looked)
    if heard is Answer.SILENT and not path_is_proven:
        return Answer.UNKNOWN
    return heard


def read_xcatd(report: Report) -> XcatdHealth:
    """Return what an xcatd request says about xcatd; never GOOD on a cut or foreign answer."""
    match report.ending:
        case Ending.REFUSED:
            return XcatdHealth.REFUSED
        case Ending.NO_REPLY:
            return XcatdHealth.SILENT
        case Ending.EXITED:
            return _read_response(report)
        case _:
            return XcatdHealth.UNKNOWN


def read_ping_answered(report: Report, arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the address answered ping, BLOCK when the ping went out unanswered."""
    who, whence = (*arguments, "", "")[:2]
    answer = _heard_ping(report)
    if answer is Answer.ANSWERED:
        return Reading(Verdict.PASS, f"{who or 'it'} answers ping{whence}")
    if answer is Answer.SILENT:
        return Reading(Verdict.BLOCK, f"{who or 'it'} does not answer ping{whence}")
    return unanswered(report) or Reading(
        Verdict.UNKNOWN, f"ping failed (exit code {report.exit_code}): {last_lines(report)}"
    )


def read_claimed(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when another host claims the address, BLOCK when nobody does."""
    free = read_address_free(report)
    if free.verdict is Verdict.PASS:
        return Reading(Verdict.BLOCK, "no other host claims the address")
    if free.verdict is Verdict.BLOCK:
        return Reading(Verdict.PASS, f"another host claims the address: {last_lines(report)}")
    return free


def read_ping_silent(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when a ping went out and nobody answered: the address is not in use, as far as seen."""
    reading = read_ping_answered(report)
    if reading.verdict is Verdict.PASS:
        return Reading(Verdict.BLOCK, "somebody answers ping there")
    if reading.verdict is Verdict.BLOCK:
        return Reading(Verdict.PASS, "nobody answers ping there")
    return reading


def read_answered(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when a TCP connect or an ssh greeting was answered, BLOCK when refused or silent."""
    if report.ending is Ending.EXITED and report.exit_code == 0:
        return Reading(Verdict.PASS, report.stdout.strip() or "it answers")
    if report.ending in (Ending.REFUSED, Ending.NO_REPLY):
        return Reading(Verdict.BLOCK, report.detail or "it does not answer")
    return unanswered(report) or Reading(Verdict.UNKNOWN, report.detail or "an unreadable answer")


def read_xcatd_good(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when xcatd answered a real request, BLOCK when it definitely does not work."""
    health = read_xcatd(report)
    match health:
        case XcatdHealth.GOOD:
            return Reading(Verdict.PASS, "xcatd answers requests")
        case XcatdHealth.FAILING:
            return Reading(
                Verdict.BLOCK, "xcatd says Permission denied for request: its database fails"
            )
        case XcatdHealth.REFUSED:
            return Reading(Verdict.BLOCK, f"xcatd is not running: {report.detail}")
        case XcatdHealth.SILENT:
            return Reading(Verdict.BLOCK, f"xcatd does not answer: {report.detail}")
        case XcatdHealth.UNKNOWN:
            return unanswered(report) or Reading(
                Verdict.UNKNOWN, report.detail or "xcatd's answer is unreadable"
            )


def _reach(target: Target, probe: Probe, deed: str, timeout_s: float) -> Look:
    where = target.address if target.port is None else f"{target.address} port {target.port}"
    reads = "reach.xcatd" if probe is Probe.XCATD else "reach.answered"
    return Look(
        Reach(target.host, target.address, probe, target.port),
        reads=reads,
        expects=f"{target.host} ({where}) {deed}",
        timeout_s=timeout_s,
    )


def _heard(looked: Looked) -> Answer:
    """Return the answer as if our path were proven."""
    request, report = looked.look.request, looked.report
    if is_claim(looked):
        claimed = read_claimed(report).verdict
        words = {Verdict.PASS: Answer.ANSWERED, Verdict.BLOCK: Answer.SILENT}
        return words.get(claimed, Answer.UNKNOWN)
    if isinstance(request, Exec):
        return _heard_ping(report)
    match report.ending:
        case Ending.REFUSED:
            return Answer.REFUSED
        case Ending.NO_REPLY:
            return Answer.SILENT
        case Ending.EXITED if isinstance(request, Reach) and request.probe is Probe.XCATD:
            health = read_xcatd(report)
            lives = health is XcatdHealth.GOOD or health is XcatdHealth.FAILING
            return Answer.ANSWERED if lives else Answer.UNKNOWN
        case Ending.EXITED if report.exit_code == 0:
            return Answer.ANSWERED
        case _:
            return Answer.UNKNOWN


def _heard_ping(report: Report) -> Answer:
    """Read ping's exit code: 0 a reply, 1 sent and no reply, anything else an error of our own.

    Exit code 1 also ends a ping that a local filter kept from leaving, which says so.
    """
    if report.ending is not Ending.EXITED:
        return Answer.UNKNOWN
    if report.exit_code == 0:
        return Answer.ANSWERED
    if report.exit_code != 1 or _NOT_SENT.search(report.stderr + report.stdout):
        return Answer.UNKNOWN
    sent = _SENT.search(report.stdout)
    if sent is None:
        # Without a summary only a ping that complains of nothing can be believed.
        return Answer.UNKNOWN if report.stderr.strip() else Answer.SILENT
    return Answer.SILENT if int(sent[1]) > 0 else Answer.UNKNOWN


def _read_response(report: Report) -> XcatdHealth:
    """Read xcatd's XML: whole only when it ends with the element that says `serverdone`."""
    text = report.stdout
    is_whole = text.rstrip().endswith("</xcatresponse>") and "<serverdone" in text
    if report.truncated or not is_whole:
        return XcatdHealth.UNKNOWN
    errors = [error.strip().lower() for error in _XCATD_ERROR.findall(text)]
    if any("permission denied" in error for error in errors):
        return XcatdHealth.FAILING
    return XcatdHealth.UNKNOWN if errors or report.exit_code != 0 else XcatdHealth.GOOD
