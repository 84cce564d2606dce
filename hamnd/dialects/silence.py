"""Whether an address is silent, seen from a third host: who let go of it does not answer ARP.

Owns that look. Must not move an address (addresses) nor say when silence is needed (platforms).
Without arping over there, or the right to use it, its own neighbour table tells: an entry that is
only remembered, REACHABLE for most of a minute after the last word, is neither an answer nor
silence (ip-neighbour(8); arp(7), base_reachable_time).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from hamnd.dialects.shell import unanswered
from hamnd.model.names import Verdict
from hamnd.model.site import ServiceAddress, Witness
from hamnd.model.work import Exec, Look, Reading, Report

_ASK = (
    "PATH=$PATH:/usr/sbin:/sbin; "
    "dev=$(ip -o route get \"$1\" 2>/dev/null | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p'); "
    'case $1 in *:*) dev=;; esac; if [ -n "$dev" ] && command -v arping >/dev/null 2>&1; then '
    'arping -D -c 2 -w 3 -I "$dev" "$1" 2>&1; fi; '
    'p=$(ping -n -c 1 -w 2 "$1" 2>&1); c=$?; case $p in *transmitted*) ;; *) c=unsent;; esac; '
    'echo "ping=$c"; if command -v ip >/dev/null 2>&1; then ip neigh show to "$1" || exit 1; '
    'else a=$(arp -an) || exit 1; printf "%s\\n" "$a" | grep -F "($1)"; fi; echo whole'
)


def silent_at(witness: Witness, service: ServiceAddress) -> Look:
    """Return a look through a third host's eyes: nobody answers at the address."""
    return Look(
        Exec(witness.name, ("sh", "-c", _ASK, "hamnd-silent", service.address)),
        reads="silence.silent_at",
        expects=f"{witness.name} hears nobody at {service.address}",
        arguments=(witness.name, service.address),
        timeout_s=12.0,
        one_of=f"third host that hears nobody at {service.address}",
    )


def read_silent_at(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when nobody answers there, BLOCK when somebody does."""
    witness, address = (*arguments, "", "")[:2]
    lost = unanswered(report)
    if lost is not None:
        return Reading(lost.verdict, f"{witness} could not look: {lost.sentence}")
    text = report.stdout
    ping = re.search(r"^ping=(\w+)$", text, re.MULTILINE)
    if ping is None or not text.rstrip().endswith("whole"):
        return Reading(Verdict.UNKNOWN, f"{witness} did not tell whether {address} is silent")
    if ping[1] == "0" or re.search(r"reply from", text, re.IGNORECASE):
        return Reading(Verdict.BLOCK, f"{witness} still hears somebody at {address}")
    is_asked = re.search(r"^Sent [1-9]\d* probe", text, re.MULTILINE) is not None
    is_unheard = re.search(r"^Received 0 response", text, re.MULTILINE) is not None
    is_remembered = (
        re.search(r"\b(REACHABLE|STALE|DELAY|PROBE)\b|\) at [0-9a-f]+:", text) is not None
    )
    if (is_asked and is_unheard) or (ping[1] != "unsent" and not is_remembered):
        return Reading(Verdict.PASS, f"{witness} hears nobody at {address}")
    if not is_remembered:
        return Reading(Verdict.UNKNOWN, f"{witness} could not ask: no ping left it")
    return Reading(Verdict.UNKNOWN, f"{witness} still remembers somebody at {address}")


READERS: Mapping[str, Callable[[Report, tuple[str, ...]], Reading]] = {
    "silence.silent_at": read_silent_at,
}
