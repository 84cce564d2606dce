"""The steps that serve nodes besides xCAT's own daemons: http, tftp, ntp, nfs (guide §8.7).

Owns which of them a site has and what each waits for. Must not know any command
(dialects.serving). None of them needs xcatd but a tftp server that xcatd itself starts
(xcat-hamn.md §4.1): they start beside it, as soon as the address is here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hamnd.core.platforms.vicinity import asking_host
from hamnd.core.policy import Policy
from hamnd.dialects import linux, serving
from hamnd.model.plan import Step
from hamnd.model.site import Site
from hamnd.model.work import Action, Look


@dataclass(frozen=True, slots=True)
class Served:
    """One service: its step, the units that it may be called, and how it is asked."""

    step: str
    title: str
    units: tuple[str, ...]
    asks: Callable[[str, str], Look]


def served(site: Site, policy: Policy) -> tuple[Step, ...]:
    """Return one step for each of the services that the site runs."""
    services = site.services

    def asks_http(host: str, address: str) -> Look:
        return serving.asks_http(host, address, services.http_port)

    tftp_units = serving.TFTP_UNITS if services.tftp == "unit" else ()
    tftp = "start the tftp server" if tftp_units else "ask the tftp server that xcatd starts"
    known = (
        Served("http", "start the web server", serving.HTTP_UNITS, asks_http),
        Served("tftp", tftp, tftp_units, serving.asks_tftp),
        Served("ntp", "start the time server", serving.NTP_UNITS, serving.asks_ntp),
        Served("nfs", "restart NFS, export again", serving.NFS_UNITS, serving.asks_nfs),
    )
    runs = {
        "http": services.http,
        "tftp": services.tftp != "none",
        "ntp": services.ntp,
        "nfs": services.nfs,
    }
    return tuple(_step(site, policy, one) for one in known if runs[one.step])


def _step(site: Site, policy: Policy, one: Served) -> Step:
    is_nfs = one.step == "nfs"
    actions: tuple[Action, ...] = ()
    if one.units:
        start = serving.restart_first if is_nfs else serving.start_first
        actions = (start(site, *one.units),)
    actions += (serving.export_again(site),) if is_nfs else ()
    host = asking_host(site)
    return Step(
        id=one.step,
        title=one.title,
        guide="8.7",
        host=site.node,
        depends_on=("identity",) if one.units else ("xcatd",),
        actions=actions,
        readiness=(serving.can_ask(site, host, one.step),),
        postconditions=(
            *((linux.any_active(site, *one.units),) if one.units else ()),
            *(one.asks(host, address.address) for address in site.identity[:1]),
        ),
        timeout_s=policy.step_timeout_s(one.step, 120.0),
        wait_s=20.0,
        compensation=(linux.stop_unit(site, *one.units),) if one.units else (),
        skip_if_done=False,
        needs_fence=True,
    )
