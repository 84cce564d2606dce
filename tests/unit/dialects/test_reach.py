"""Unknown is never down (design law 2)."""

import pytest

from hamnd.dialects import reach
from hamnd.dialects.reach import Target, XcatdHealth
from hamnd.dialects.readers import read_look
from hamnd.model.names import Answer, Probe, Verdict
from hamnd.model.site import Platform
from hamnd.model.work import Ending, Exec, Looked, Reach, Report
from tests.builders import site
from tests.unit.dialects.reports import ended, exited

AIXMN1 = Target("aixmn1", "9.114.47.103", 22)
XCATD = reach.xcatd_request(Target("aixmn1", "9.114.47.103", 3001))
PING = reach.ping(site(), "aixmn1", "9.114.47.103")

# iputils 20221126, as printed.
ANSWERED = (
    "PING 9.114.47.103 (9.114.47.103) 56(84) bytes of data.\n"
    "64 bytes from 9.114.47.103: icmp_seq=1 ttl=64 time=0.041 ms\n\n"
    "--- 9.114.47.103 ping statistics ---\n"
    "1 packets transmitted, 1 received, 0% packet loss, time 0ms\n"
)
SILENT = (
    "PING 9.114.47.103 (9.114.47.103) 56(84) bytes of data.\n\n"
    "--- 9.114.47.103 ping statistics ---\n"
    "1 packets transmitted, 0 received, 100% packet loss, time 0ms\n\n"
)
UNREACHABLE = (
    "PING 10.99.0.11 (10.99.0.11) 56(84) bytes of data.\n"
    "From 10.99.0.12 icmp_seq=1 Destination Host Unreachable\n\n"
    "--- 10.99.0.11 ping statistics ---\n"
    "1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms\n\n"
)
AIX_SILENT = (
    "PING 9.114.47.103: (9.114.47.103): 56 data bytes\n\n"
    "--- 9.114.47.103 ping statistics ---\n"
    "1 packets transmitted, 0 packets received, 100% packet loss\n"
)

# XMLout writes an empty hash as an open and a close tag.
DONE = "<xcatresponse>\n  <serverdone></serverdone>\n</xcatresponse>\n"
GOOD = "<xcatresponse>\n  <data>Version 2.19.0 (git commit 7733d16f8de0)</data>\n</xcatresponse>\n"
DENIED = (
    "<xcatresponse>\n  <error>Permission denied for request</error>\n"
    "  <errorcode>1</errorcode>\n</xcatresponse>\n"
)


def answer(report: Report, look: object = PING, proven: bool = True) -> Answer:
    return reach.read_answer(Looked(look, report), proven)  # type: ignore[arg-type]


def test_a_reply_to_ping_is_an_answer() -> None:
    assert answer(exited(0, ANSWERED)) is Answer.ANSWERED


@pytest.mark.parametrize("text", [SILENT, UNREACHABLE, AIX_SILENT, ""])
def test_a_ping_without_reply_is_silence_only_when_our_path_is_proven(text: str) -> None:
    assert answer(exited(1, text), proven=True) is Answer.SILENT
    assert answer(exited(1, text), proven=False) is Answer.UNKNOWN


@pytest.mark.parametrize(
    "report",
    [
        exited(2, stderr="ping: connect: Network is unreachable\n"),
        exited(1, stderr="ping: 9.114.47.103: bad address\n"),
        exited(1, SILENT, "ping: sendmsg: Operation not permitted\n"),
        exited(1, SILENT.replace("1 packets transmitted", "0 packets transmitted")),
        exited(127, stderr="sh: ping: not found\n"),
        exited(-9),
        ended(Ending.TIMED_OUT),
        ended(Ending.COULD_NOT_RUN, "there is no program ping"),
        ended(Ending.LOST),
    ],
)
def test_what_ping_could_not_ask_is_unknown_even_with_a_proven_path(report: Report) -> None:
    assert answer(report, proven=True) is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (exited(0, "SSH-2.0-OpenSSH_9.2p1"), Answer.ANSWERED),
        (ended(Ending.REFUSED), Answer.REFUSED),
        (ended(Ending.NO_REPLY), Answer.SILENT),
        (ended(Ending.TIMED_OUT), Answer.UNKNOWN),
        (ended(Ending.COULD_NOT_RUN), Answer.UNKNOWN),
        (ended(Ending.LOST), Answer.UNKNOWN),
        (exited(1, "HTTP/1.1 400 Bad Request"), Answer.UNKNOWN),
    ],
)
def test_the_four_answers_of_a_greeting(report: Report, expected: Answer) -> None:
    assert answer(report, reach.ssh_banner(AIXMN1)) is expected


def test_a_silent_greeting_over_an_unproven_path_is_unknown_but_a_refusal_stands() -> None:
    banner = reach.ssh_banner(AIXMN1)

    assert answer(ended(Ending.NO_REPLY), banner, proven=False) is Answer.UNKNOWN
    assert answer(ended(Ending.REFUSED), banner, proven=False) is Answer.REFUSED


@pytest.mark.parametrize(
    ("report", "health", "heard"),
    [
        (exited(0, GOOD + DONE), XcatdHealth.GOOD, Answer.ANSWERED),
        (
            exited(0, GOOD + "<xcatresponse><serverdone/></xcatresponse>"),
            XcatdHealth.GOOD,
            Answer.ANSWERED,
        ),
        (exited(0, DENIED + DONE), XcatdHealth.FAILING, Answer.ANSWERED),
        (ended(Ending.REFUSED), XcatdHealth.REFUSED, Answer.REFUSED),
        (ended(Ending.NO_REPLY), XcatdHealth.SILENT, Answer.SILENT),
        (ended(Ending.TIMED_OUT), XcatdHealth.UNKNOWN, Answer.UNKNOWN),
        (ended(Ending.COULD_NOT_RUN), XcatdHealth.UNKNOWN, Answer.UNKNOWN),
        (exited(1, GOOD), XcatdHealth.UNKNOWN, Answer.UNKNOWN),
        (exited(0, (GOOD + DONE)[:-5]), XcatdHealth.UNKNOWN, Answer.UNKNOWN),
        (exited(0, GOOD + DONE, truncated=True), XcatdHealth.UNKNOWN, Answer.UNKNOWN),
        (exited(1, "SSH-2.0-OpenSSH_9.2p1"), XcatdHealth.UNKNOWN, Answer.UNKNOWN),
        (exited(0, ""), XcatdHealth.UNKNOWN, Answer.UNKNOWN),
        (
            exited(0, "<xcatresponse><error>no such command</error></xcatresponse>" + DONE),
            XcatdHealth.UNKNOWN,
            Answer.UNKNOWN,
        ),
    ],
)
def test_an_xcatd_that_fails_is_told_from_one_that_is_gone(
    report: Report, health: XcatdHealth, heard: Answer
) -> None:
    assert reach.read_xcatd(report) is health
    assert answer(report, XCATD) is heard


@pytest.mark.parametrize("end", range(len(GOOD + DONE) - 1))
def test_a_cut_answer_of_xcatd_is_never_good(end: int) -> None:
    assert reach.read_xcatd(exited(0, (GOOD + DONE)[:end])) is XcatdHealth.UNKNOWN


def test_the_reader_says_which_service_fails_in_words() -> None:
    failing = read_look(Looked(XCATD, exited(0, DENIED + DONE)))

    assert failing.verdict is Verdict.BLOCK
    assert "database" in failing.sentence


def test_a_ping_says_whom_it_asked() -> None:
    """A bare "it" left open whether the gateway is silent or the address itself."""
    look = reach.ping(site(), "the gateway", "9.114.47.254")
    said = read_look(Looked(look, exited(1, SILENT))).sentence
    assert said == "the gateway does not answer ping"


def test_a_ping_that_must_stay_silent_blocks_when_somebody_answers() -> None:
    look = reach.ping_silent(site(), "xcatmn", "fd00::10")

    assert read_look(Looked(look, exited(0, ANSWERED))).verdict is Verdict.BLOCK
    assert read_look(Looked(look, exited(1, SILENT))).verdict is Verdict.PASS
    assert read_look(Looked(look, exited(2))).verdict is Verdict.UNKNOWN


def test_the_flags_are_those_of_the_platform() -> None:
    aix = site(platform=Platform.AIX, tools={"ping": "/usr/sbin/ping"})

    assert reach.ping(site(), "gw", "9.1.1.1", 1.5, source="9.1.1.2").request == Exec(
        "aixmn2", ("ping", "-n", "-c", "1", "-W", "2", "-w", "2", "-I", "9.1.1.2", "9.1.1.1")
    )
    assert reach.ping(aix, "gw", "9.1.1.1", 2.0, source="9.1.1.2").request == Exec(
        "aixmn2", ("/usr/sbin/ping", "-n", "-c", "1", "-w", "2", "-S", "9.1.1.2", "9.1.1.1")
    )


def test_ping_always_ends_before_we_end_it() -> None:
    look = reach.ping(site(), "gw", "9.1.1.1", 1.5)

    assert look.timeout_s > 2.0


def test_a_round_asks_the_partner_four_ways_and_proves_our_own_path() -> None:
    looks = dict(reach.partner_round(site(), 2.0))

    assert list(looks) == [
        Probe.PING, Probe.TCP, Probe.SSH_BANNER, Probe.XCATD, Probe.GATEWAY,
    ]  # fmt: skip
    assert looks[Probe.XCATD].request == Reach("aixmn1", "9.114.47.103", Probe.XCATD, 3001)
    gateway = looks[Probe.GATEWAY].request
    assert isinstance(gateway, Exec)
    assert gateway.argv[-1] == "9.114.47.126"
    assert all(look.expects for look in looks.values())
