"""The shield: what the old primary may not reach on the new active node until it has rejoined.

Owns the nftables table and the lines for sshd, and what proves them. Must not decide when they are
put up (core.platforms). nft reads a file as one transaction: all of it or nothing (nft(8)). Both
are this node's own and touch no rule, key or file of the site's.
"""

from __future__ import annotations

import re

from hamnd.dialects.shell import last_lines, read_exit_zero, unanswered
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Exec, Look, Reading, Report

TABLE = "hamnd_shield"
RSYNC_PORT = 873
INSTALL_PORT = 3002
"""Install status from nodes (site.xcatiport, xcat-hamn.md §4.2)."""
DB2_PORT = 60_000
"""Where Db2's clients connect (xcat-hamn.md §4.2)."""

_REFUSAL = "hamnd: this node is the management node now and takes no files from the old one"
_FORCED = (
    'k=$(sed -n "s/^publickey [^ ]* \\([^ ]*\\).*/\\1/p" "$SSH_USER_AUTH" 2>/dev/null); '
    'if [ -n "$k" ] && grep -F "$k" .ssh/authorized_keys 2>/dev/null | grep -q "command="; '
    'then c="rsync --server"; else c=$SSH_ORIGINAL_COMMAND; fi; '
    'case "$c" in *rsync*--server*--sender*) ;; *rsync*--server*|*scp*-t*|*sftp*) '
    f'echo "{_REFUSAL}" >&2; exit 1 ;; esac; '
    'if [ -n "$SSH_ORIGINAL_COMMAND" ]; then exec "$SHELL" -c "$SSH_ORIGINAL_COMMAND"; '
    'else exec "$SHELL" -l; fi'
)
"""What every login from the old primary runs instead of what it asked for: the same, unless that
writes files here. A key that is bound to a command of its own is refused, for sshd would no longer
bind it (sshd_config(5): ForceCommand goes before the key's own)."""

_WRITE = """\
set -eu; umask 022; file=$1 sshd=$2
cat >"$file.hamnd"; mv "$file.hamnd" "$file"
"$sshd" -t || { rm -f "$file"; echo "sshd does not take it" >&2; exit 1; }
"""
_RELOAD = (
    'pid=$("$sshd" -T 2>/dev/null | sed -n "s/^pidfile //p"); [ ! -s "$pid" ] || '
    'kill -s HUP "$(cat "$pid")"\n'
)
"""Started for each connection by a socket unit, sshd has no such file and reads it anyway."""
_REMOVE = 'set -eu; file=$1 sshd=$2; rm -f "$file"\n'


def rules(site: Site) -> str:
    """Return the whole table; a table of that name from an earlier takeover is replaced.

    What this node says to itself over loopback passes: such an address may be its own by then.
    """
    usual = {
        "db2": DB2_PORT,
        "postgresql": site.postgresql.port,
        "mariadb": site.mariadb.port,
        "dump": site.dump.port,
    }
    database = site.shield.database_port or usual.get(site.engine)
    served = {site.own.xcatd_port, INSTALL_PORT, RSYNC_PORT}
    wanted = sorted(served if database is None else {database, *served})
    refused = ", ".join(str(port) for port in wanted)
    lines = "".join(
        f'    iifname != "lo" {"ip6" if ":" in one else "ip"} saddr {one} '
        f"tcp dport {{ {refused} }} reject with tcp reset\n"
        for one in _theirs(site)
    )
    return (
        f"table inet {TABLE}\n"
        f"delete table inet {TABLE}\n"
        f"table inet {TABLE} {{\n"
        "  chain input {\n"
        "    type filter hook input priority -10; policy accept;\n"
        f"{lines}"
        "  }\n"
        "}\n"
    )


def sshd_lines(site: Site) -> str:
    """Return what sshd reads: a Match block in a file of its own ends with the file."""
    return (
        f"# Put here by hamnd: {site.partner.name} is no longer the management node, and copies\n"
        "# no files onto this one until it has rejoined.\n"
        f"Match Address {','.join(_theirs(site))}\n"
        "    ExposeAuthInfo yes\n"
        f"    ForceCommand exec /bin/sh -c '{_FORCED}'\n"
    )


def _theirs(site: Site) -> tuple[str, ...]:
    """Return where the old primary may come from: its own address, or what this node gives up."""
    given_up = (site.own.address,) if site.takes_primary_address else ()
    return (site.partner.address, *given_up)


def raise_rules(site: Site) -> Action:
    """Return the action that puts the table up, in one transaction."""
    return Action(Exec(site.node, (site.tool("nft"), "-f", "-"), stdin=rules(site)))


def lower_rules(site: Site) -> Action:
    """Return the action that takes the table down; done as well when there is none."""
    argv = (site.tool("nft"), "delete", "table", "inet", TABLE)
    return Action(Exec(site.node, argv), reads="shielding.lowered")


def raise_sshd(site: Site) -> Action:
    """Return the action that has sshd refuse inbound copies; no key is touched."""
    argv = ("sh", "-c", _WRITE + _RELOAD, "hamnd-shield", *_sshd(site))
    return Action(Exec(site.node, argv, stdin=sshd_lines(site)))


def lower_sshd(site: Site) -> Action:
    """Return the way back from `raise_sshd`."""
    return Action(Exec(site.node, ("sh", "-c", _REMOVE + _RELOAD, "hamnd-shield", *_sshd(site))))


def can_filter(site: Site) -> Look:
    """Return a look that expects nft here and allowed to read its tables."""
    return Look(
        Exec(site.node, (site.tool("nft"), "list", "tables")),
        reads="shielding.can_filter",
        expects="nft is there and may be used",
    )


def rules_up(site: Site) -> Look:
    """Return a look that expects the table to refuse the old primary."""
    return Look(
        Exec(site.node, (site.tool("nft"), "list", "table", "inet", TABLE)),
        reads="shielding.rules_up",
        expects=f"{site.partner.address} is refused",
        arguments=(site.partner.address,),
    )


def sshd_refuses(site: Site) -> Look:
    """Return a look that expects sshd to force the refusal on logins from the old primary."""
    partner = site.partner
    who = f"user={site.ssh.user},host={partner.name},addr={partner.address}"
    return Look(
        Exec(site.node, (site.tool("sshd"), "-T", "-C", who)),
        reads="shielding.sshd_refuses",
        expects=f"sshd lets {partner.name} copy no files onto {site.node}",
    )


def read_can_filter(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when nft lists its tables."""
    reading = read_exit_zero(report)
    if reading.verdict is Verdict.PASS:
        return Reading(Verdict.PASS, "nft may be used")
    return reading


def read_rules_up(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the table refuses that address."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    address = (*arguments, "")[0]
    if report.exit_code != 0:
        return Reading(Verdict.BLOCK, f"no shield is up: {last_lines(report)}")
    if re.search(rf"saddr {re.escape(address)} .*reject", report.stdout):
        return Reading(Verdict.PASS, f"{address} is refused")
    return Reading(Verdict.BLOCK, f"the shield does not name {address}")


def read_lowered(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the table is gone, or was not there."""
    reading = read_exit_zero(report)
    if reading.verdict is Verdict.BLOCK and "No such file or directory" in report.stderr:
        return Reading(Verdict.PASS, "there was no shield")
    return reading


def read_sshd_refuses(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when sshd's own account of its configuration has our command for that address."""
    reading = read_exit_zero(report)
    if reading.verdict is not Verdict.PASS:
        return Reading(Verdict.UNKNOWN, reading.sentence)
    if re.search(rf"^forcecommand .*{re.escape(_REFUSAL)}", report.stdout, re.MULTILINE):
        return Reading(Verdict.PASS, "sshd refuses copies from it")
    told = "sshd does not read our file: is there an Include for its folder in sshd_config?"
    return Reading(Verdict.BLOCK, told)


def _sshd(site: Site) -> tuple[str, str]:
    return site.shield.sshd_file or "", site.tool("sshd")
