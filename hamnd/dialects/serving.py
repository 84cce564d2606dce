"""What a management node serves besides xCAT's own daemon: web, tftp, time, network files.

Owns the real request for each and what its answer means, and the units by whatever name the
distribution gives them (xcat-hamn.md §9). Must not know the order of steps (core.platforms).
A request goes out from a third host where there is one, as the nodes' will; which client it has
(curl or wget, …) differs, so each script takes the first that it finds and says so when there is
none, which is no answer at all.
"""

from __future__ import annotations

import re

from hamnd.dialects.shell import last_lines, read_exit_zero, unanswered, unreadable
from hamnd.model.names import Verdict
from hamnd.model.site import ServiceAddress, Site
from hamnd.model.work import Action, Exec, Look, Reading, Report

NO_CLIENT = 127
HTTP_UNITS = ("apache2", "httpd")
TFTP_UNITS = ("tftpd-hpa", "tftp", "atftpd")
NTP_UNITS = ("chronyd", "chrony", "ntpd", "ntp", "ntpsec")
NFS_UNITS = ("nfs-server", "nfs-kernel-server", "nfsserver", "nfs")

CLIENTS = {
    "http": ("curl", "wget"),
    "tftp": ("curl", "tftp"),
    "ntp": ("ntpdate", "chronyd", "sntp"),
    "nfs": ("showmount",),
    "dns": ("dig", "host", "nslookup"),
}
"""Programs of the asking host, any of which will do."""

_FIRST = """\
systemctl=$1 verb=$2; shift 2
for u; do
case $("$systemctl" show --property=LoadState "$u" 2>/dev/null) in *LoadState=loaded*) ;;
*LoadState=*) continue;; *) echo "$systemctl does not tell of $u" >&2; exit 1;; esac
echo "$u"; exec "$systemctl" "$verb" "$u"
done
echo "no such unit here: $*" >&2; exit 5
"""
_ANY_CLIENT = 'for p; do command -v "$p" >/dev/null 2>&1 && { echo "$p"; exit 0; }; done; exit 1'
_HTTP = """\
if command -v curl >/dev/null 2>&1; then
curl -s -o /dev/null --max-time 8 -w 'code=%{http_code}\\n' "$1"
elif command -v wget >/dev/null 2>&1; then
wget -S -T 8 -t 1 -O /dev/null "$1" 2>&1 |
sed -n 's,^ *HTTP/[0-9.]* \\([0-9]*\\).*,code=\\1,p' | tail -n 1
else exit 127; fi; :
"""
_TFTP = """\
if curl --version 2>/dev/null | grep -qw tftp; then
case $1 in *:*) host="[$1]" ;; *) host=$1 ;; esac
curl -s -o /dev/null --max-time 8 "tftp://$host/$2"; echo "curl=$?"
elif command -v tftp >/dev/null 2>&1; then printf 'get %s /dev/null\\nquit\\n' "$2" | tftp "$1" 2>&1
else exit 127; fi; :
"""
_NTP = """\
if command -v ntpdate >/dev/null 2>&1; then exec ntpdate -q -t 4 "$1"; fi
if command -v chronyd >/dev/null 2>&1; then
exec chronyd -Q -t 8 "server $1 iburst maxsamples 1"; fi
if command -v sntp >/dev/null 2>&1; then exec sntp "$1"; fi; exit 127
"""
_DNS = """\
if command -v dig >/dev/null 2>&1; then exec dig +search +time=2 +tries=2 "@$1" "$2" "$3"; fi
if command -v host >/dev/null 2>&1; then exec host -W 3 -t "$3" "$2" "$1"; fi
if command -v nslookup >/dev/null 2>&1; then exec nslookup -type="$3" "$2" "$1"; fi; exit 127
"""
_TFTP_ANSWERED = frozenset({"0", "68", "69", "70", "71", "72", "73", "74"})
"""curl's own codes for TFTP: an error packet is an answer (libcurl-errors(3))."""
BOOT_FILE = "pxelinux.0"
WEB_FILE = "/install/postscripts/xcatdsklspost"
"""What every node fetches when it boots."""


def start_first(site: Site, *units: str) -> Action:
    """Return the action that starts the first of these units that this host has."""
    return _first(site, "start", units)


def restart_first(site: Site, *units: str) -> Action:
    """Return the action that restarts it: NFS must be, after the address has moved (§9)."""
    return _first(site, "restart", units)


def export_again(site: Site) -> Action:
    """Return the action that exports everything in /etc/exports anew."""
    return Action(Exec(site.node, (site.tool("exportfs"), "-ra")), is_repeatable=True)


def export_all(site: Site) -> Action:
    """Return the same for an exportfs that has no -r (AIX)."""
    return Action(Exec(site.node, (site.tool("exportfs"), "-a")), is_repeatable=True)


def can_ask(site: Site, host: str, what: str) -> Look:
    """Return a look that expects a client for this service on the asking host."""
    clients = CLIENTS[what]
    argv = ("env", f"PATH={site.tool_path}", "sh", "-c", _ANY_CLIENT, "hamnd-clients", *clients)
    return Look(
        Exec(host, argv),
        reads="serving.can_ask",
        expects=f"{host} has {' or '.join(clients)} to ask with",
        arguments=(host, *clients),
    )


def asks_http(host: str, address: str, port: int) -> Look:
    """Return a look that fetches from the web server at the service address."""
    where = f"[{address}]" if ":" in address else address
    url = f"http://{where}:{port}{WEB_FILE}"
    return _asked(host, ("sh", "-c", _HTTP, "hamnd-http", url), "http", f"{url} is answered")


def asks_tftp(host: str, address: str) -> Look:
    """Return a look that asks the tftp server at the service address for a boot file."""
    argv = ("sh", "-c", _TFTP, "hamnd-tftp", address, BOOT_FILE)
    return _asked(host, argv, "tftp", f"the tftp server at {address} answers")


def asks_ntp(host: str, address: str) -> Look:
    """Return a look that asks the time server at the service address; no clock is set."""
    argv = ("sh", "-c", _NTP, "hamnd-ntp", address)
    return _asked(host, argv, "ntp", f"the time server at {address} answers")


def asks_nfs(host: str, address: str) -> Look:
    """Return a look that asks what is exported at the service address."""
    argv = ("showmount", "-e", "--no-headers", address)
    return _asked(host, argv, "nfs", f"{address} exports file systems")


def asks_dns(site: Site, host: str, service: ServiceAddress) -> Look:
    """Return a look that asks the name server at the service address for its own name."""
    kind = "AAAA" if service.is_ipv6 else "A"
    where = ("env", f"PATH={site.tool_path}", "sh", "-c", _DNS, "hamnd-dns")
    return Look(
        Exec(host, (*where, service.address, service.name, kind)),
        reads="serving.dns",
        expects=f"the name server at {service.address} knows {service.name} (asked from {host})",
        arguments=(service.name, service.address),
    )


def read_can_ask(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when one of the clients is there."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    if report.exit_code == 0:
        return Reading(Verdict.PASS, f"{report.stdout.strip()} is there")
    host, *clients = (*arguments, "")
    wanted = " or ".join(one for one in clients if one)
    return Reading(Verdict.BLOCK, f"{host} has no {wanted} to ask with")


def read_http(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS for every answer of a web server but its own failure; a page may be missing."""
    trouble = _trouble(report)
    if trouble is not None:
        return trouble
    found = re.search(r"^code=(\d+)$", report.stdout, re.MULTILINE)
    if found is None or found[1] == "000":
        return Reading(Verdict.BLOCK, "the web server does not answer")
    verdict = Verdict.PASS if int(found[1]) < 500 else Verdict.BLOCK
    return Reading(verdict, f"the web server answers {found[1]}")


def read_tftp(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the server sent the file or an error of its own."""
    trouble = _trouble(report)
    if trouble is not None:
        return trouble
    code = re.search(r"^curl=(\d+)$", report.stdout, re.MULTILINE)
    if code is not None and code[1] in _TFTP_ANSWERED:
        return Reading(Verdict.PASS, f"the tftp server answers about {BOOT_FILE}")
    if code is None and re.search(r"Received \d+ bytes|Error code \d", report.stdout):
        return Reading(Verdict.PASS, f"the tftp server answers about {BOOT_FILE}")
    if code is None and "timed out" not in report.stdout:
        return unreadable(report)
    return Reading(Verdict.BLOCK, "the tftp server does not answer")


def read_dns(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the address is in the answer, whichever client printed it."""
    trouble = _trouble(report)
    if trouble is not None:
        return trouble
    name, address = (*arguments, "", "")[:2]
    # What was asked, and of whom, is repeated by each client: only the answer counts.
    lines = [
        line
        for line in report.stdout.splitlines()
        if not line.startswith((";", "Server", "Using", "Name:", "Aliases")) and "#53" not in line
    ]
    if any(address in line.split() for line in lines):
        return Reading(Verdict.PASS, f"{name} resolves to {address}")
    return Reading(Verdict.BLOCK, f"the name server does not know {name}: {last_lines(report)}")


def read_ntp(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the time server told its time."""
    trouble = _trouble(report)
    if trouble is not None:
        return trouble
    if report.exit_code == 0:
        return Reading(Verdict.PASS, "the time server answers")
    return Reading(Verdict.BLOCK, f"the time server does not answer: {last_lines(report)}")


def read_nfs(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when at least one file system is exported."""
    trouble = _trouble(report)
    if trouble is not None:
        return trouble
    reading = read_exit_zero(report)
    exports = [line for line in report.stdout.splitlines() if line.startswith("/")]
    if reading.verdict is Verdict.PASS and not exports:
        return Reading(Verdict.BLOCK, "nothing is exported")
    if reading.verdict is Verdict.PASS:
        return Reading(Verdict.PASS, f"{len(exports)} exports")
    return reading


def _first(site: Site, verb: str, units: tuple[str, ...]) -> Action:
    argv = ("sh", "-c", _FIRST, "hamnd-unit", site.tool("systemctl"), verb, *units)
    return Action(Exec(site.node, argv))


def _asked(host: str, argv: tuple[str, ...], what: str, expects: str) -> Look:
    return Look(Exec(host, argv), reads=f"serving.{what}", expects=f"{expects} (asked from {host})")


def _trouble(report: Report) -> Reading | None:
    """Return why there is no answer to judge."""
    silence = unanswered(report)
    if silence is None and report.exit_code == NO_CLIENT:
        return Reading(Verdict.UNKNOWN, "there is no program to ask with")
    return silence
