"""Witnesses: what a service node can reach of the primary, asked over ssh.

Owns the one fixed script a witness runs and the reading of its three lines; what it keeps of the
epoch is told along (dialects.epoch). Must not know how many
witnesses policy wants nor how fresh they must be (core.health).

The script tests the primary's own address: ping, the ssh greeting and an xcatd request, at the same
time. A frozen host still answers ping (lab.md §4), so ping is told apart and decides nothing. A
test that could not run says `error`, and one of those keeps a silence from being told.
"""

from __future__ import annotations

import re
from math import ceil

from hamnd.dialects import epoch
from hamnd.dialects.shell import last_lines, unanswered
from hamnd.model.health import WitnessSight
from hamnd.model.names import Answer, Verdict
from hamnd.model.site import Site, Witness
from hamnd.model.work import Exec, Look, Looked, Reading, Report

_LINE = re.compile(r"^(ping|banner|xcatd|done)=([a-z]+)$", re.MULTILINE)
_TESTS = ("ping", "banner", "xcatd")
_REACHED = frozenset({"ok", "refused", "failing"})
_WORDS = _REACHED | {"no", "error"}

_PING = """\
if ! command -v ping >/dev/null 2>&1; then echo ping=error; else
case $(uname) in AIX) ping -n -c 1 -w "$w" "$a";; *) ping -n -c 1 -W "$w" -w "$w" "$a";; esac
>/dev/null 2>&1; case $? in 0) echo ping=ok;; 1) echo ping=no;; *) echo ping=error;; esac; fi"""

# ssh trusts no key here, so it ends at the host key: that far it comes only when it was greeted.
# (ssh-keyscan would not tell a refused connection from a silent one: tried with OpenSSH 9.2.)
_BANNER = """\
if ! command -v ssh >/dev/null 2>&1; then echo banner=error; else
o=$($t ssh -F /dev/null -o BatchMode=yes -o ConnectTimeout="$w" -o StrictHostKeyChecking=yes
-o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null -o LogLevel=ERROR
-p "$p" "hamnd@$a" true </dev/null 2>&1); r=$?;
case $r,$o in *ost\\ key*|*ermission\\ denied*|*o\\ matching*) echo banner=ok;;
*efused*|*onnection\\ closed*|*onnection\\ reset*) echo banner=refused;;
*imed\\ out*|*o\\ route\\ to\\ host*|124,*) echo banner=no;;
*) echo banner=error;; esac; fi"""

# Killed by the limit, lsxcatd proves a silence only if it works at all: against a port where
# nothing listens it must end at once with 111 (xcat-hamn.md 4.4).
_XCATD = """\
if ! command -v lsxcatd >/dev/null 2>&1; then echo xcatd=error; else
o=$(XCATHOST=$a:$x $t lsxcatd -v 2>&1); r=$?;
case $r,$o in *ermission\\ denied\\ for\\ request*) echo xcatd=failing;;
0,*Version*) echo xcatd=ok;; *onnection\\ refused*) echo xcatd=refused;;
*o\\ route\\ to\\ host*|*imed\\ out*|*imeout*) echo xcatd=no;;
124,*) XCATHOST=127.0.0.1:1 $t lsxcatd -v >/dev/null 2>&1;
if [ $? -eq 111 ]; then echo xcatd=no; else echo xcatd=error; fi;;
*) echo xcatd=error;; esac; fi"""

_SCRIPT = (
    "a=$1; p=$2; x=$3; w=$4; e=$5; t=; PATH=$PATH:/opt/xcat/bin:/usr/sbin:/sbin; "
    'command -v timeout >/dev/null 2>&1 && t="timeout $((w+1))"; '
    f"{{ {_PING}; }} & {{ {_BANNER}; }} & {{ {_XCATD}; }} & wait; echo done=ok; {epoch.TELLING}"
).replace("\n", " ")


def look(site: Site, witness: Witness, timeout_s: float = 2.0) -> Look:
    """Return a look that asks one witness what it reaches of the partner's own address.

    The limit allows for the tests, lsxcatd's control test and a fresh ssh connection.
    """
    partner = site.partner
    seconds = max(1, ceil(timeout_s))
    numbers = (str(partner.ssh_port), str(partner.xcatd_port), str(seconds))
    words = (partner.address, *numbers, site.paths.state_dir)
    argv = ("sh", "-c", _SCRIPT, "hamnd-witness", *words)
    return Look(
        Exec(witness.name, argv),
        reads="witness.reaches",
        expects=f"{witness.name} says what it reaches of {partner.name} ({partner.address})",
        arguments=(witness.name,),
        timeout_s=2.0 * (seconds + 1) + site.ssh.connect_timeout_s,
    )


def read_sight(looked: Looked) -> WitnessSight:
    """Return what the witness sees; UNKNOWN when it did not answer us or could not test."""
    name = looked.look.arguments[0] if looked.look.arguments else "witness"
    sees, detail = _judge(looked.report)
    return WitnessSight(name, sees, detail, looked.report.finished)


def read_reaches(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the witness reaches the partner, BLOCK when it does not."""
    sees, detail = _judge(report)
    verdicts = {Answer.ANSWERED: Verdict.PASS, Answer.SILENT: Verdict.BLOCK}
    return Reading(verdicts.get(sees, Verdict.UNKNOWN), detail)


def _judge(report: Report) -> tuple[Answer, str]:
    silence = unanswered(report)
    if silence is not None:
        return Answer.UNKNOWN, silence.sentence
    said: dict[str, str] = {}
    for key, word in _LINE.findall(report.stdout):
        said[key] = word if said.get(key, word) == word else "error"  # told twice, differently
    detail = ", ".join(f"{test} {said[test]}" for test in _TESTS if test in said)
    if any(said.get(test) in _REACHED for test in ("banner", "xcatd")):
        return Answer.ANSWERED, detail
    is_whole = said.get("done") == "ok" and all(said.get(test) in _WORDS for test in _TESTS)
    if report.truncated or not is_whole:
        return Answer.UNKNOWN, detail or f"unreadable: {last_lines(report)}"
    if "error" in (said[test] for test in _TESTS):
        return Answer.UNKNOWN, f"{detail} (error: the test could not run there)"
    return Answer.SILENT, detail
