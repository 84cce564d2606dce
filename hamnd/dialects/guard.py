"""What hamn-guard needs of the configuration, in a form that sh can read without hamnd.

Owns `guard.conf`: one ``key=value`` a line, read and never executed. Must not know how the guard
decides (hamnd/guard/hamn-guard) nor where the file lies (daemon). Nothing in it is a secret: keys
are named by their files.
"""

from __future__ import annotations

from math import ceil

from hamnd.dialects import network, shell
from hamnd.model.site import IdentityMode, Site
from hamnd.model.work import Action, Exec

NAME = "guard.conf"
PROGRAM = "/usr/sbin/hamn-guard"


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
        lines.append(f"network_files={network.FILES}")
    return "".join(f"{line}\n" for line in lines)


def assert_here(site: Site) -> Action:
    """Return the operator's own way to raise the epoch: at the console, without hamnd."""
    argv = (PROGRAM, "assert", "--reason", "takeover by hand")
    return Action(Exec(site.node, argv))


def _where(site: Site, host: str) -> str:
    where = shell.endpoint(site, host)
    return f"{host} {where.user} {where.address} {where.port}"
