"""What hamn-guard needs of the configuration, in a form that sh can read without hamnd.

Owns `guard.conf`: one ``key=value`` a line, read and never executed; and how the guard gets onto a
Linux node (on AIX: aix.guarding). Must not know how the guard
decides (hamnd/guard/hamn-guard) nor where the file lies (daemon). Nothing in it is a secret: keys
are named by their files.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from hamnd.dialects import shell
from hamnd.dialects.network import FILES
from hamnd.model.site import IdentityMode, Site
from hamnd.model.work import Action, Exec, Look

NAME = "guard.conf"
PROGRAM = "/usr/sbin/hamn-guard"
_ASSERT = '[ ! -x "$0" ] || "$0" assert --reason "takeover by hand"'
FOLDER = f"{__file__.rpartition('/dialects/')[0]}/guard"
"""Where the guard, its units and its drop-ins lie in this installation."""

_SEND = 'tar -cf - -C "$1" . | sh -c "$2"'
_UNPACK = """\
umask 022; d=$(mktemp -d) || exit 1; trap 'rm -rf "$d"' EXIT
cd "$d" && tar -xf - && install -m 755 hamn-guard /usr/sbin/hamn-guard || exit 1
for unit in hamn-guard hamn-address; do
install -D -m 644 $unit.service /etc/systemd/system/$unit.service || exit 1; done
is_loaded() {
case $("$systemctl" show --property=LoadState "$1" 2>/dev/null) in *LoadState=loaded*) ;;
*LoadState=*) return 1;; *) echo "$systemctl does not tell of $1" >&2; exit 1;; esac; }
systemctl=$1 postgres=$2 maria=$3; shift 3; old=
version=$("$systemctl" --version 2>/dev/null | sed -n '1s/^systemd \\([0-9]*\\).*/\\1/p')
[ "${version:-243}" -ge 243 ] || old=-before-243
for unit; do [ "$unit" != -- ] || { old=-network$old; continue; }
is_loaded "$unit" || continue
at=$unit.service.d/hamn-guard.conf
install -D -m 644 "hamn-guard$old.conf" "/etc/systemd/system/$at" || exit 1; done
old=${old#-network}
at=postgresql@.service
if [ -z "$postgres" ]; then rm -f "/etc/systemd/system/$at.d/hamn-guard.conf"
elif [ -e "/lib/systemd/system/$at" ] || [ -e "/etc/systemd/system/$at" ]; then
from=hamn-guard-postgresql@$old.conf
install -D -m 644 "$from" "/etc/systemd/system/$at.d/hamn-guard.conf" || exit 1
fi
if [ -n "$maria" ] && is_loaded "$maria"; then
from=hamn-guard-mariadb$old.conf
install -D -m 644 "$from" "/etc/systemd/system/$maria.service.d/hamn-guard.conf" || exit 1
fi
"$systemctl" daemon-reload
"""
"""Each drop-in only beside a unit that this host has; below systemd 243 in its older form. The
names behind -- are of what may configure the network, and each of them asks before it does. A
PostgreSQL server that is not the pair's own by streaming is no standby's while it serves nobody:
held, one that takes dumps would be missing on the standby."""
_CONF = 'umask 027; mkdir -p "$1" && cat >"$1/$2.new" && mv "$1/$2.new" "$1/$2"'
_SUM = (
    'cksum </usr/sbin/hamn-guard && [ -s "$1/$2" ] && [ -e /etc/systemd/system/hamn-guard.service ]'
)
_IS_SAME = (
    'one=$(cksum <"$1/hamn-guard") && two=$(sh -c "$2") && [ "$one" = "$two" ] && '
    'echo "it is installed" || { echo "it is not installed, or another version is"; exit 1; }'
)


def conf(site: Site) -> str:
    """Return the file for this node."""
    names = (site.partner.name, *(one.name for one in site.witnesses))
    partner, *witnesses = (_where(site, name) for name in names)
    lines = [
        "# Written by hamnd at every start and reload; read by hamn-guard.",
        f"node={site.node}",
        f"primary={site.primary.name}",
        f"mode={site.identity_mode.value}",
        f"when_unknown={site.guard.when_unknown.value}",
        f"state_dir={site.paths.state_dir}",
        f"ssh={site.tool('ssh')}",
        f"ssh_key={site.ssh.key_file}",
        f"ssh_known_hosts={site.ssh.known_hosts_file}",
        f"ssh_timeout={max(1, ceil(site.ssh.connect_timeout_s))}",
        f"ip={site.tool('ip')}",
        f"arping={site.tool('arping')}",
        f"partner={partner}",
        *(f"witness={one}" for one in witnesses),
        *(f"address={one.interface} {one.address} {one.prefix}" for one in site.identity),
    ]
    if site.identity_mode is IdentityMode.PRIMARY_ADDRESS:
        lines.append(f"network_files={FILES}")
        lines += [f"other_address={one}" for one in _not_the_clusters(site)]
    return "".join(f"{line}\n" for line in lines)


def assert_here(site: Site) -> Action:
    """Return the operator's own way to raise the epoch, where the guard is installed."""
    argv = ("sh", "-c", _ASSERT, PROGRAM)
    return Action(Exec(site.node, argv))


def install(
    site: Site, host: str, units: tuple[str, ...], network: tuple[str, ...] = ()
) -> tuple[Action, ...]:
    """Return what installs the guard on a node, before these units of its where it has them.

    Args:
        site: The pair.
        host: The node.
        units: What serves there.
        network: What may bring an address up there that it must not have.
    """
    maria = site.mariadb.unit if site.engine == "mariadb" else ""
    streams = "yes" if site.engine == "postgresql" else ""
    engine = (streams, maria.removesuffix(".service"))
    words = ("hamnd-unpack", site.tool("systemctl"), *engine, *units)
    words += ("--", *network) if network else ()
    unpack = shell.preview(Exec(host, ("sh", "-c", _UNPACK, *words)), site)
    send = Exec(site.node, ("sh", "-c", _SEND, "hamnd-send", FOLDER, unpack))
    return (Action(send, is_repeatable=True), write_conf(site, host))


def write_conf(site: Site, host: str) -> Action:
    """Return what writes the file of a node into its hamnd's state directory."""
    text = conf(replace(site, node=host))
    argv = ("sh", "-c", _CONF, "hamnd-conf", site.paths.state_dir, NAME)
    return Action(Exec(host, argv, stdin=text), is_repeatable=True)


def is_installed(site: Site, host: str) -> Look:
    """Return a look that expects this installation's guard on a node, and its configuration."""
    told = Exec(host, ("sh", "-c", _SUM, "hamnd-sum", site.paths.state_dir, NAME))
    words = ("hamnd-same", FOLDER, shell.preview(told, site))
    return Look(
        Exec(site.node, ("sh", "-c", _IS_SAME, *words)),
        reads="shell.exit_zero",
        expects=f"the return guard is installed on {host}",
        timeout_s=15.0,
    )


def _not_the_clusters(site: Site) -> tuple[str, ...]:
    """Return what a node may have for its own while the other one has the cluster's address."""
    moving = {one.address for one in site.identity}
    theirs = (site.primary.address, site.standby.address, site.identity_spare)
    return tuple(one for one in theirs if one and one not in moving)


def _where(site: Site, host: str) -> str:
    where = shell.endpoint(site, host)
    return f"{host} {where.user} {where.address} {where.port}"
