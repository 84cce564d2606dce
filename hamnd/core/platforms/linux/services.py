"""The services of the management node: xcatd, names, DHCP and consoles.

Owns in which order they come up and what proves each of them. Must not know exact commands or
outputs (dialects).
"""

from __future__ import annotations

from hamnd.core.policy import Policy
from hamnd.dialects import deployment, filesets, linux, xcat
from hamnd.model.plan import Step
from hamnd.model.site import Site

DNS_UNITS = ("named", "bind9", "named-chroot")
DHCP_UNITS = ("dhcpd", "isc-dhcp-server", "dhcp3-server", "kea-dhcp4", "kea-dhcp4-server")
"""Units that distributions use for the same service (xcat-hamn.md §9); one of them must run."""

CONSOLE_UNITS = {"conserver": "conserver", "goconserver": "goconserver"}


def xcatd(site: Site, policy: Policy) -> Step:
    """Start xcatd and prove that it writes: an exit code never does (xcat-hamn.md §4.4)."""
    unit = site.services.xcatd
    tools = [site.tool(name) for name in ("systemctl", "lsxcatd", "mkdef", "lsdef", "rmdef")]
    return Step(
        id="xcatd",
        title="start xcatd, write a key and read it back",
        guide="8.6",
        host=site.node,
        depends_on=("promote", "identity"),
        actions=(
            linux.start_unit(site, unit),
            xcat.remove_probe(site),
            xcat.check_probe_gone(site),
            xcat.write_probe(site),
        ),
        readiness=(
            linux.programs(site, *tools),
            linux.none_active(site, unit),
            linux.unit_waiting(site, unit),
            *filesets.certificates_valid(site),
        ),
        postconditions=(
            linux.any_active(site, unit),
            xcat.version(site),
            xcat.probe_present(site),
        ),
        # Started on an unreachable database xcatd never comes up; its unit waits 600 s (§4.4).
        timeout_s=policy.step_timeout_s("xcatd", 120.0),
        wait_s=30.0,
        compensation=(linux.stop_unit(site, unit),),
        # What an earlier probe left behind proves nothing of today's database.
        skip_if_done=False,
        needs_fence=True,
    )


def dns(site: Site, policy: Policy) -> Step:
    """Let xCAT write the zones, and ask the name server as the nodes will."""
    return Step(
        id="dns",
        title="write the name server's zones and restart it",
        guide="8.7",
        host=site.node,
        depends_on=("xcatd",),
        actions=(xcat.make_dns(site),),
        readiness=(linux.programs(site, site.tool("makedns"), "dig"),),
        postconditions=(
            linux.any_active(site, *DNS_UNITS),
            *(linux.name_resolves(site, one) for one in site.identity),
        ),
        # makedns grows with the node count, "several minutes for a large cluster" (§9).
        timeout_s=policy.step_timeout_s("dns", 900.0),
        wait_s=30.0,
        compensation=(linux.stop_unit(site, *DNS_UNITS),),
        skip_if_done=False,
        needs_fence=True,
    )


def dhcp(site: Site, policy: Policy) -> Step:
    """Let xCAT write the DHCP configuration and the reservations, and ask the server."""
    live = site.services.dhcp_leases
    leases = (deployment.restore_leases(site, live),) if live else ()
    return Step(
        id="dhcp",
        title="write the DHCP configuration and the nodes' reservations",
        guide="8.7",
        host=site.node,
        depends_on=("xcatd",),
        actions=(*leases, *xcat.make_dhcp(site)),
        readiness=(
            linux.programs(site, site.tool("makedhcp")),
            linux.none_active(site, *DHCP_UNITS),
        ),
        postconditions=(linux.any_active(site, *DHCP_UNITS), xcat.dhcp_answers(site)),
        timeout_s=policy.step_timeout_s("dhcp", 900.0),
        wait_s=30.0,
        compensation=(linux.stop_unit(site, *DHCP_UNITS),),
        skip_if_done=False,
        needs_fence=True,
    )


def consoles(site: Site, policy: Policy) -> Step:
    """Let xCAT write the consoles; whether they came up is seen, not told."""
    unit = CONSOLE_UNITS[site.services.consoles]
    program = "makegocons" if unit == "goconserver" else "makeconservercf"
    make, start = xcat.make_consoles(site), linux.start_unit(site, unit)
    # goconserver takes its consoles over its own port, so it has to run before (§9).
    actions = (start, make) if unit == "goconserver" else (make, start)
    return Step(
        id="consoles",
        title=f"configure and start {unit}",
        guide="8.7",
        host=site.node,
        depends_on=("xcatd",),
        actions=actions,
        readiness=(
            linux.programs(site, site.tool(program)),
            linux.none_active(site, unit),
            linux.unit_waiting(site, unit),
        ),
        # makeconservercf ends with 0 even when conserver cannot start: look at the process (§9).
        postconditions=(linux.any_active(site, unit),),
        timeout_s=policy.step_timeout_s("consoles", 300.0),
        wait_s=20.0,
        compensation=(linux.stop_unit(site, unit),),
        skip_if_done=False,
        needs_fence=True,
    )
