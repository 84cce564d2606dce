"""A living AIX node goes to another address and name, and proves by itself that it arrived.

Owns the scripts around mktcpip by which one of two living nodes changes its own address (aix.md
§3.1), and how the other one sees that it did. Must not know which address it goes to, nor when
(core.platforms.aix).

A session over the address ends with it, so nothing waits in one: what is asked for begins once the
session that asked is over. It is commit-confirmed: the node keeps what it became only when it got
into the other node by ssh from there; until then it goes back by itself, after a reboot too, by an
entry of the inittab. mktcpip would have /etc/hosts name the node's new address by its new name:
both nodes stand there already, so the file is put back as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hamnd.dialects import keeping, reach
from hamnd.dialects.aix import inittab, one_line, program, tcpip
from hamnd.dialects.shell import preview, quote, ssh_argv
from hamnd.model.site import Site
from hamnd.model.work import Action, Exec, Look

WAY_BACK = "hamnback"
AFTER = "rctcpip"
"""The entry that brings TCP/IP up; what takes an identity back comes right behind it."""
SETTLE_S = 60.0
"""What a move and its way back take, besides the time within which it is confirmed."""

_IS_AT = """\
now=$("$1" -El "$3" -a netaddr -F value); [ "$now" = "$4" ] || { echo "it is $now"; exit 1; };
for n in "$("$6")" "$("$2" -n)" "$("$1" -El inet0 -a hostname -F value)"; do
[ "${n%%.*}" = "${5%%.*}" ] || { echo "it is called $n"; exit 1; }; done;
"""
_IS_THERE = (
    _IS_AT
    + """\
cd "${HAMND_STATE_DIR:-$7}/identity" 2>/dev/null && for a in armed.* fired; do
[ ! -e "$a" ] || { echo "it did not get in from there yet"; exit 1; }; done; echo "it is $5, $4"
"""
)
_WATCH = """\
t=$1; a=armed.$$; : >"$a" || exit 1; sleep 2; [ -e "$a" ] || exit 0; sh way-there; n=0;
while [ "$n" -lt "$t" ]; do if sh proof; then mv "$a" kept && sh way-off; exit; fi;
sleep 3; [ -e "$a" ] || exit 0; n=$((n+1)); done;
mv "$a" fired || [ -e "$a" ] || exit 0; sh way-back; mv fired back; sh way-off
"""
"""Who asked has two seconds to hang up. Each try to get in may take as long as ssh connects."""
TRY_S = 3.0
_GO = f"""\
d=${{HAMND_STATE_DIR:-$1}}/identity; t=$2; w=$3; at_boot=$4; shift 4; umask 077;
mkdir -p "$d" && cd "$d" && rm -f armed.* kept fired back way-* went-back proof || exit 1;
cp -p {tcpip.HOSTS} hosts.before || exit 1;
for f in way-there way-back way-off proof; do printf 'cd %s; %s\\n' "$d" "$1" >"$f" || exit 1;
shift; done; sh -c "$at_boot" >&2 || exit 1;
perl -MPOSIX=setsid -e 'setsid(); exec @ARGV' sh -c "$w" hamnd-watch "$t" </dev/null >said 2>&1 &
n=0; until ls armed.* >/dev/null 2>&1; do n=$((n+1));
if [ "$n" -gt 5 ]; then echo "the watcher did not start" >&2; exit 1; fi; sleep 1; done;
echo "it goes, and comes back by itself unless it gets in from there"
"""
_SAME_HOSTS = f"cmp -s hosts.before {tcpip.HOSTS} || cat hosts.before >{tcpip.HOSTS}"
_ASK = """\
said=$(sh -c "$1" 2>/dev/null) && { echo "$said already"; exit 0; };
case $(sh -c "$3" 2>&1) in *sendto:*|*sendmsg*|*ermitted*) ;;
*", 100% packet loss"*) exec sh -c "$2";; esac;
echo "somebody may answer for $4: it is not asked to go there" >&2; exit 1
"""
"""Whichever way it goes, home too: nobody gets an address that answers elsewhere (law 3)."""


@dataclass(frozen=True, slots=True)
class Move:
    """From which settings a node goes to which; `partner` is the other one's address meanwhile.

    With a `gateway` that has to answer it there, too.
    """

    start: tcpip.Settings
    target: tcpip.Settings
    partner: str
    gateway: str = ""


def ask_to_go(site: Site, move: Move) -> Action:
    """Return what has this site's node go, asked for by the other one; there already, it stays.

    `site` is seen from the node that goes. Whether it arrived, `is_there` tells.
    """
    go = preview(_go(site, move), _seen_by_partner(site, move, move.start))
    address = move.target.address
    ping = reach.ping(replace(site, node=site.partner.name), move.target.host, address).request
    answers = quote(ping.argv) if isinstance(ping, Exec) else "false"
    words = (_is_there(site, move), go, answers, address)
    argv = ("sh", "-c", one_line(_ASK), "hamnd-ask-to-go", *words)
    request = Exec(site.partner.name, argv)
    by_hand = tuple(Exec(site.node, one) for one in _words(site, move.target))
    return Action(request, is_repeatable=True, by_hand=by_hand)


def is_there(site: Site, move: Move) -> Look:
    """Return a look by which the other node sees this site's node at its target, confirmed."""
    target = move.target
    return Look(
        Exec(site.partner.name, ("sh", "-c", _is_there(site, move))),
        reads="shell.exit_zero",
        expects=f"{site.node} is reached at {target.address}, is called {target.host}, and gets in",
        timeout_s=site.ssh.connect_timeout_s + 15.0,
    )


def _is_there(site: Site, move: Move) -> str:
    words = ("sh", "-c", one_line(_IS_THERE), "hamnd-is-there", *_at(site, move.target))
    request = Exec(site.node, (*words, site.paths.state_dir))
    return preview(request, _seen_by_partner(site, move, move.target))


def _go(site: Site, move: Move) -> Exec:
    """Return the script on the node that goes: it arms what it needs, and begins a moment later."""
    there = _seen_from(site, move, move.target)
    gets_in = (*ssh_argv(there, site.partner.name), "true")
    is_at = ("sh", "-c", one_line(_IS_AT), "hamnd-is-at", *_at(site, move.target))
    entry = inittab.Entry(WAY_BACK, "2", "wait", keeping.at_boot(site))
    lsitab, mkitab, rmitab = (program(site, one) for one in ("lsitab", "mkitab", "rmitab"))
    is_written = f"{quote((lsitab, WAY_BACK))} >/dev/null 2>&1"
    at_boot = f"{is_written} || {quote((mkitab, '-i', AFTER, entry.text()))}"
    lines = (
        f"{_there(site, move.target)}; {_SAME_HOSTS}",
        f"{_back(site, move.start)}; {_SAME_HOSTS}; exit ${{r-0}}",
        f"{is_written} && {quote((rmitab, WAY_BACK))}",
        f"{quote(is_at)} && {_sees_gateway(site, move)}{quote(gets_in)} </dev/null",
    )
    tries = max(2, round(site.identity_confirm_s / (site.ssh.connect_timeout_s + TRY_S)))
    words = (site.paths.state_dir, str(tries), one_line(_WATCH))
    argv = ("sh", "-c", one_line(_GO), "hamnd-go", *words, at_boot, *lines)
    return Exec(site.node, argv)


def _sees_gateway(site: Site, move: Move) -> str:
    if not move.gateway:
        return ""
    look = reach.ping(site, "the gateway", move.gateway, source=move.target.address)
    return f"{quote(look.request.argv)} >/dev/null && " if isinstance(look.request, Exec) else ""


def _there(site: Site, settings: tcpip.Settings) -> str:
    return " && ".join(quote(one) for one in _words(site, settings))


def _back(site: Site, settings: tcpip.Settings) -> str:
    """All of it is tried, whatever fails."""
    return "; ".join(f"{quote(one)} || r=1" for one in _words(site, settings))


def _words(site: Site, settings: tcpip.Settings) -> tuple[tuple[str, ...], ...]:
    actions = (tcpip.set_tcpip(site, settings), *tcpip.rename_node(site, settings.host))
    return tuple(one.request.argv for one in actions if isinstance(one.request, Exec))


def _at(site: Site, settings: tcpip.Settings) -> tuple[str, ...]:
    lsattr, uname, hostname = (program(site, one) for one in ("lsattr", "uname", "hostname"))
    return lsattr, uname, settings.interface, settings.address, settings.host, hostname


def _seen_by_partner(site: Site, move: Move, own: tcpip.Settings) -> Site:
    """Return the site as the other node sees it while this one has these settings."""
    return replace(_seen_from(site, move, own), node=site.partner.name)


def _seen_from(site: Site, move: Move, own: tcpip.Settings) -> Site:
    """Return the site while its node has these settings, and its partner that address."""
    here = replace(site.own, address=own.address)
    there = replace(site.partner, address=move.partner)
    pair = (there, here) if site.is_on_standby else (here, there)
    return replace(site, primary=pair[0], standby=pair[1])
