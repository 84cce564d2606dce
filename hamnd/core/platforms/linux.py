"""The takeover steps of a Linux management node with a movable service address.

Owns which commands disarm, take the address and start the services, and what proves each of them.
Must not know exact commands or outputs (dialects) nor the engine's and the fence's steps, which it
only names: fuse -> fence -> promote -> identity -> xcatd -> dns, dhcp, consoles -> verify.
"""

from __future__ import annotations

from collections.abc import Mapping

from hamnd.core.policy import Policy
from hamnd.dialects import jobs, linux, reach, xcat
from hamnd.dialects.cron import Names
from hamnd.model.plan import Step
from hamnd.model.site import ServiceAddress, Site
from hamnd.model.work import Action, Look, Report

DNS_UNITS = ("named", "bind9", "named-chroot")
DHCP_UNITS = ("dhcpd", "isc-dhcp-server", "dhcp3-server", "kea-dhcp4", "kea-dhcp4-server")
"""Units that distributions use for the same service (xcat-hamn.md §9); one of them must run."""

CONSOLE_UNITS = {"conserver": "conserver", "goconserver": "goconserver"}


class Linux:
    """Implements `Platform` for Linux."""

    def looks(self, site: Site) -> Mapping[str, Look]:
        """Return the looks at this node's addresses, crontabs and timers."""
        crontabs = {_crontab_key(user): jobs.crontab(site, user) for user in _cron_users(site)}
        return {"addresses": linux.addresses(site), **crontabs, "timers": jobs.timers(site)}

    def steps(self, site: Site, policy: Policy, seen: Mapping[str, Report]) -> tuple[Step, ...]:
        """Return the steps of this site; services that the site does not run have none."""
        services = site.services
        found = [_fuse(site, policy, seen), _identity(site, policy), _xcatd(site, policy)]
        found += [_dns(site, policy)] if services.dns else []
        found += [_dhcp(site, policy)] if services.dhcp else []
        found += [_consoles(site, policy)] if services.consoles in CONSOLE_UNITS else []
        before = tuple(step.id for step in found if step.id != "fuse")
        return (*found, _verify(site, policy, before))

    def holds_identity(self, site: Site, report: Report) -> bool:
        """Return whether every service address was seen here; False also when not known."""
        return linux.holds_identity(report, site) is True


def _fuse(site: Site, policy: Policy, seen: Mapping[str, Report]) -> Step:
    """End what would overwrite the new active node: crontab lines and timers that were seen.

    Running jobs and the files in /etc/cron.d are not touched: they are looked at, and named.
    """
    disarmed, unchanged, restored = _disarm_crontabs(site, seen)
    stopped, started = _stop_timers(site, seen)
    harmless = tuple(jobs.crontab_harmless(site, user) for user in _cron_users(site))
    readable = tuple(jobs.crontab(site, user) for user in _cron_users(site))
    return Step(
        id="fuse",
        title=f"disarm the jobs that would write onto {site.node}",
        guide="5.2",
        host=site.node,
        actions=disarmed + stopped,
        readiness=(*readable, jobs.cron_files_harmless(site), jobs.timers(site)),
        preconditions=(jobs.cron_files_harmless(site), *unchanged),
        postconditions=(
            *harmless,
            jobs.timers_harmless(site),
            jobs.cron_files_harmless(site),
            jobs.nothing_writes(site),
        ),
        timeout_s=policy.step_timeout_s("fuse", 60.0),
        wait_s=60.0,
        compensation=restored + started,
    )


def _disarm_crontabs(
    site: Site, seen: Mapping[str, Report]
) -> tuple[tuple[Action, ...], tuple[Look, ...], tuple[Action, ...]]:
    """Return the disarming actions, the looks that nobody edited meanwhile, and the way back."""
    disarmed: tuple[Action, ...] = ()
    unchanged: tuple[Look, ...] = ()
    restored: tuple[Action, ...] = ()
    for user in _cron_users(site):
        report = seen.get(_crontab_key(user))
        text = jobs.parse_crontab(report) if report is not None else None
        edit = jobs.disarm_crontab(site, user, text) if text is not None else None
        if edit is None:
            continue
        disarmed += (Action(edit),)
        unchanged += (jobs.crontab_is(site, user, edit),)
        restored += (Action(jobs.rearm_crontab(edit)),)
    return disarmed, unchanged, restored


def _stop_timers(
    site: Site, seen: Mapping[str, Report]
) -> tuple[tuple[Action, ...], tuple[Action, ...]]:
    """Return what stops the dangerous timers and their services, and what starts the timers."""
    report = seen.get("timers")
    services = (jobs.parse_timers(report) if report is not None else None) or ()
    stopped: tuple[Action, ...] = ()
    started: tuple[Action, ...] = ()
    for one in jobs.dangerous_services(services, Names.of(site)):
        stopped += (linux.stop_unit(site, *one.timers, one.service),)
        started += tuple(linux.start_unit(site, timer) for timer in one.timers)
    return stopped, started


def _identity(site: Site, policy: Policy) -> Step:
    """Take the service addresses, last of all that decides who the management node is (law 3)."""
    there = tuple(linux.interface_there(site, one) for one in site.identity)
    actions: tuple[Action, ...] = ()
    for one in site.identity:
        actions += (linux.add_address(site, one),)
        actions += () if _is_ipv6(one) else (linux.announce(site, one),)
    proofs: tuple[Look, ...] = ()
    for one in site.identity:
        proofs += (linux.address_up(site, one),)
        gateway = one.gateway or site.gateway
        proofs += (reach.ping(site, "the gateway", gateway, source=one.address),)
    tools = [site.tool("ip"), site.tool("arping"), site.tool("ping")]
    names = ", ".join(f"{one.address} ({one.name})" for one in site.identity)
    return Step(
        id="identity",
        title=f"take the service address {names}",
        guide="-",
        host=site.node,
        depends_on=("promote",),
        actions=actions,
        readiness=(linux.programs(site, *tools), *there),
        preconditions=(*there, *(_free(site, one) for one in site.identity)),
        postconditions=proofs,
        timeout_s=policy.step_timeout_s("identity", 60.0),
        wait_s=15.0,
        compensation=tuple(linux.remove_address(site, one) for one in site.identity),
        needs_fence=True,
    )


def _xcatd(site: Site, policy: Policy) -> Step:
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


def _dns(site: Site, policy: Policy) -> Step:
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


def _dhcp(site: Site, policy: Policy) -> Step:
    return Step(
        id="dhcp",
        title="write the DHCP configuration and the nodes' reservations",
        guide="8.7",
        host=site.node,
        depends_on=("xcatd",),
        actions=xcat.make_dhcp(site),
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


def _consoles(site: Site, policy: Policy) -> Step:
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


def _verify(site: Site, policy: Policy, before: tuple[str, ...]) -> Step:
    """Ask as the nodes will: over the service address, from a service node where there is one."""
    own = site.standby if site.is_on_standby else site.primary
    looks: tuple[Look, ...] = ()
    for one in site.identity:
        target = reach.Target(one.name, one.address, own.xcatd_port)
        looks += (reach.xcatd_request(target, timeout_s=10.0),)
    asking = site.witnesses[0].name if site.witnesses else site.node
    first = site.identity[0] if site.identity else None
    where = f"[{first.address}]" if first and _is_ipv6(first) else (first and first.address)
    asked = f"{where}:{own.xcatd_port}" if where else None
    return Step(
        id="verify",
        title=f"ask xcatd over the service address from {asking}, remove the probe",
        guide="8.9",
        host=site.node,
        depends_on=("xcatd",),
        after=before,
        actions=(xcat.remove_probe(site),),
        postconditions=(*looks, xcat.site_master(site, asking, asked), xcat.probe_gone(site)),
        timeout_s=policy.step_timeout_s("verify", 120.0),
        wait_s=30.0,
        skip_if_done=False,
    )


def _free(site: Site, service: ServiceAddress) -> Look:
    """Nobody else has the address; IPv6 has no ARP, and the kernel looks for duplicates itself."""
    if not _is_ipv6(service):
        return linux.address_free(site, service)
    return reach.ping_silent(site, service.name, service.address)


def _is_ipv6(service: ServiceAddress) -> bool:
    return ":" in service.address


def _cron_users(site: Site) -> tuple[str | None, ...]:
    """Whose crontabs count: the user hamnd runs as, and Db2's instance owner."""
    return (None, site.db2.instance_owner)


def _crontab_key(user: str | None) -> str:
    return f"crontab:{user}" if user else "crontab"
