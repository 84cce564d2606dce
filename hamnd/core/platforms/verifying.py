"""The step `verify`: the proof from outside, the same on every platform (guide §8.9).

Owns what is asked, and from where. Must not know exact commands or outputs (dialects).
"""

from __future__ import annotations

from hamnd.core.platforms.vicinity import asking_host
from hamnd.core.policy import Policy
from hamnd.dialects import deployment, reach, serving, xcat
from hamnd.model.plan import Step
from hamnd.model.site import Site
from hamnd.model.work import Look


def verify(site: Site, policy: Policy, before: tuple[str, ...]) -> Step:
    """Ask as the nodes will: over the service address, from a service node where there is one."""
    looks: tuple[Look, ...] = ()
    for one in site.identity:
        target = reach.Target(one.name, one.address, site.own.xcatd_port)
        looks += (reach.xcatd_request(target, timeout_s=10.0),)
    asking = asking_host(site)
    names: tuple[Look, ...] = ()
    if site.witnesses and site.services.dns:
        names = tuple(serving.asks_dns(site, asking, one) for one in site.identity)
    first = site.identity[0] if site.identity else None
    where = f"[{first.address}]" if first and first.is_ipv6 else (first and first.address)
    asked = f"{where}:{site.own.xcatd_port}" if where else None
    return Step(
        id="verify",
        title=f"ask as the nodes will, from {asking}; remove the probe",
        guide="8.9",
        host=site.node,
        depends_on=("xcatd",),
        after=before,
        actions=(deployment.probe_site(site), xcat.remove_probe(site)),
        readiness=(serving.can_ask(site, asking, "dns"),) if names else (),
        postconditions=(
            *looks,
            xcat.site_master(site, asking, asked),
            *names,
            xcat.probe_gone(site),
        ),
        timeout_s=policy.step_timeout_s("verify", 120.0),
        wait_s=30.0,
        skip_if_done=False,
    )
