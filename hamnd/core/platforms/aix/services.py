"""The services of an AIX management node, as subsystems: xcatd, names, time, files, consoles.

Owns in which order they come up and what proves each of them. Must not know exact commands or
outputs (dialects). Names as in aix.md §8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hamnd.core.platforms.vicinity import asking_host
from hamnd.core.policy import Policy
from hamnd.dialects import filesets, linux, serving, xcat
from hamnd.dialects.aix import inittab, src
from hamnd.model.plan import Step
from hamnd.model.site import Site
from hamnd.model.work import Action, Look

NAMED, DHCPSD, CONSERVER = "named", "dhcpsd", "conserver"
INETD, XNTPD, NFSD = "inetd", "xntpd", "nfsd"
NIMESIS = "nimesis"
XCATD_S = 100
"""xcatd's own restart waits up to 75 s for its database (aix.md §8)."""
START_S = 30


def started_here(site: Site) -> tuple[str, ...]:
    """Return the subsystems that only the management node may run."""
    services = site.services
    wanted = {
        services.xcatd: True,
        NAMED: services.dns,
        DHCPSD: services.dhcp,
        CONSERVER: services.consoles == CONSERVER,
    }
    return tuple(name for name, is_run in wanted.items() if is_run)


def served_here(site: Site) -> tuple[str, ...]:
    """Return those and NIM's server: all that a node gives up, and starts behind the guard.

    An alternate NIM server runs beside the primary's (xcat-hamn.md §10): there it stays.
    """
    nim = (NIMESIS,) if site.nim.mode in ("rebuild", "backup") else ()
    return (*started_here(site), *nim)


def start_xcatd(site: Site) -> Action:
    """Start xcatd as xCAT itself does: SRC keeps no environment, every start brings it (§1.5)."""
    environment = f"XCATROOT=/opt/xcat PATH={site.tool_path}"
    return src.start(site, site.services.xcatd, XCATD_S, environment)


def xcatd(site: Site, policy: Policy) -> Step:
    """Start xcatd and prove that it writes: an exit code never does (xcat-hamn.md §4.4)."""
    name = site.services.xcatd
    tools = [site.tool(one) for one in ("lsxcatd", "mkdef", "lsdef", "rmdef")]
    return Step(
        id="xcatd",
        title="start xcatd, write a key and read it back",
        guide="8.6",
        host=site.node,
        depends_on=("promote", "identity"),
        actions=(
            start_xcatd(site),
            xcat.remove_probe(site),
            xcat.check_probe_gone(site),
            xcat.write_probe(site),
        ),
        readiness=(
            linux.programs(site, *tools),
            src.is_defined(site, name),
            src.is_quiet(site, name),
            inittab.starts_none(site, started_here(site)),
            *filesets.certificates_valid(site),
        ),
        postconditions=(src.is_running(site, name), xcat.version(site), xcat.probe_present(site)),
        timeout_s=policy.step_timeout_s("xcatd", 120.0),
        wait_s=75.0,
        compensation=(src.stop(site, name),),
        # What an earlier probe left behind proves nothing of today's database.
        skip_if_done=False,
        needs_fence=True,
    )


def dns(site: Site, policy: Policy) -> Step:
    """Let xCAT write the zones, start named, and ask it as the nodes will."""
    asking = asking_host(site)
    return Step(
        id="dns",
        title="write the name server's zones and start it",
        guide="8.7",
        host=site.node,
        depends_on=("xcatd",),
        actions=(xcat.make_dns(site), src.start(site, NAMED, START_S)),
        readiness=(
            linux.programs(site, site.tool("makedns")),
            src.is_defined(site, NAMED),
            serving.can_ask(site, asking, "dns"),
        ),
        postconditions=(
            src.is_running(site, NAMED),
            *(serving.asks_dns(site, asking, one) for one in site.identity),
        ),
        # makedns grows with the node count (xcat-hamn.md §9).
        timeout_s=policy.step_timeout_s("dns", 900.0),
        wait_s=30.0,
        compensation=(src.stop(site, NAMED),),
        skip_if_done=False,
        needs_fence=True,
    )


def consoles(site: Site, policy: Policy) -> Step:
    """Let xCAT write the consoles, then start conserver: whether it came up is seen, not told."""
    return Step(
        id="consoles",
        title=f"configure and start {CONSERVER}",
        guide="8.7",
        host=site.node,
        depends_on=("xcatd",),
        actions=(xcat.make_consoles(site), src.start(site, CONSERVER, START_S)),
        readiness=(
            linux.programs(site, site.tool("makeconservercf")),
            src.is_defined(site, CONSERVER),
            src.is_quiet(site, CONSERVER),
        ),
        postconditions=(src.is_running(site, CONSERVER),),
        timeout_s=policy.step_timeout_s("consoles", 300.0),
        wait_s=20.0,
        compensation=(src.stop(site, CONSERVER),),
        skip_if_done=False,
        needs_fence=True,
    )


def dhcp(site: Site, policy: Policy) -> Step:
    """Start dhcpsd: what it serves is kept by NIM, makedhcp is for Linux (xcat-hamn.md §10)."""
    return Step(
        id="dhcp",
        title=f"start {DHCPSD}",
        guide="8.7",
        host=site.node,
        depends_on=("xcatd",),
        actions=(src.start(site, DHCPSD, START_S),),
        readiness=(src.is_defined(site, DHCPSD), src.is_quiet(site, DHCPSD)),
        postconditions=(src.is_running(site, DHCPSD),),
        timeout_s=policy.step_timeout_s("dhcp", 120.0),
        wait_s=20.0,
        compensation=(src.stop(site, DHCPSD),),
        skip_if_done=False,
        needs_fence=True,
    )


@dataclass(frozen=True, slots=True)
class Served:
    """One service that a node also runs for itself: step, subsystem, and how it is asked."""

    step: str
    title: str
    subsystem: str
    asks: Callable[[str, str], Look]


def served(site: Site, policy: Policy) -> list[Step]:
    """Return one step for each of the services that the site runs; bootp comes with tftp (inetd).

    A web server is none of base AIX and none of SRC: a site that has one declares its own step.
    """
    services = site.services
    known = {
        Served("tftp", "start tftp and bootp", INETD, serving.asks_tftp): services.tftp != "none",
        Served("ntp", "start the time server", XNTPD, serving.asks_ntp): services.ntp,
        Served("nfs", "serve files, export again", NFSD, serving.asks_nfs): services.nfs,
    }
    return [_served(site, policy, one) for one, is_run in known.items() if is_run]


def _served(site: Site, policy: Policy, one: Served) -> Step:
    """It needs the address only, and stays as it is on the way back: the standby needs it too."""
    host = asking_host(site)
    exports = (serving.export_all(site),) if one.step == "nfs" else ()
    return Step(
        id=one.step,
        title=one.title,
        guide="8.7",
        host=site.node,
        depends_on=("identity",),
        actions=(src.start(site, one.subsystem, START_S), *exports),
        readiness=(src.is_defined(site, one.subsystem), serving.can_ask(site, host, one.step)),
        postconditions=(
            src.is_running(site, one.subsystem),
            *(one.asks(host, address.address) for address in site.identity[:1]),
        ),
        timeout_s=policy.step_timeout_s(one.step, 120.0),
        wait_s=20.0,
        skip_if_done=False,
        needs_fence=True,
    )
