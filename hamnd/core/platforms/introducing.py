"""What makes two hosts acquainted before they can be a pair: names and ssh both ways (guide §4).

Owns the first two steps of setup, the same on every platform. Must not know the scripts (dialects).
"""

from __future__ import annotations

from hamnd.core.policy import Policy
from hamnd.dialects import preparing
from hamnd.model.plan import Step
from hamnd.model.site import Site


def introduce(site: Site, policy: Policy) -> tuple[Step, Step]:
    """Return the steps `names` and `keys`, the second after the first."""
    hosts = (site.primary, site.standby)
    ways = ((site.primary, site.standby), (site.standby, site.primary))
    names = Step(
        id="names",
        title="each node knows the other by name",
        guide="4",
        host=site.node,
        actions=tuple(preparing.teach_names(site, one.name) for one in hosts),
        postconditions=tuple(preparing.knows_names(site, one.name) for one in hosts),
        timeout_s=policy.step_timeout_s("names", 30.0),
    )
    keys = Step(
        id="keys",
        title="each node reaches the other by ssh",
        guide="4",
        host=site.node,
        depends_on=("names",),
        actions=tuple(act for way in ways for act in preparing.let_log_in(site, *way)),
        postconditions=tuple(preparing.can_log_in(site, *way) for way in ways),
        timeout_s=policy.step_timeout_s("keys", 60.0),
    )
    return names, keys
