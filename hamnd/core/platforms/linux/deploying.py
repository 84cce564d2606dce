"""The steps after xcatd serves again: boot files of nodes, service nodes (guide §8.8).

Owns when a site has them and what proves them. Must not know xCAT's commands
(dialects.deployment). No node is restarted: the operator is told what to run.
"""

from __future__ import annotations

from hamnd.core.policy import Policy
from hamnd.dialects import deployment, linux, xcat
from hamnd.model.plan import Step
from hamnd.model.site import Site


def osdeploy(site: Site, policy: Policy) -> Step:
    """Write the boot files of the listed nodes again: they hold the management node's address."""
    return Step(
        id="osdeploy",
        title=f"nodeset {site.osdeploy.nodes} {site.osdeploy.state}",
        guide="8.8",
        host=site.node,
        depends_on=("xcatd",),
        actions=(deployment.set_nodes(site),),
        readiness=(linux.programs(site, site.tool("nodeset")),),
        postconditions=(deployment.nodes_told(site),),
        # nodeset grows with the node count, as makedns does (xcat-hamn.md §9).
        timeout_s=policy.step_timeout_s("osdeploy", 900.0),
        wait_s=30.0,
        skip_if_done=False,
        needs_fence=True,
    )


def service_nodes(site: Site, policy: Policy) -> Step:
    """See that every service node's xcatd finds the new management node."""
    names = site.services.service_nodes
    return Step(
        id="service-nodes",
        title=f"reconnect xcatd on {', '.join(names)}",
        guide="-",
        host=site.node,
        depends_on=("xcatd",),
        actions=tuple(deployment.reconnect(site, name) for name in names),
        postconditions=tuple(xcat.site_master(site, name, None) for name in names),
        timeout_s=policy.step_timeout_s("service-nodes", 120.0),
        wait_s=60.0,
        needs_fence=True,
    )
