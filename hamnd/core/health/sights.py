"""What each host keeps of the epoch, from the looks that tell it along.

Owns which topics tell it. Must not weigh one host's word against another's (guarding).
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.health.watch import Watch
from hamnd.dialects import epoch
from hamnd.model.site import Site
from hamnd.model.work import Report


def fold_epoch(watch: Watch, topic: str, report: Report, site: Site) -> Watch:
    """Note what a host keeps of the epoch; what it told once holds until it tells otherwise."""
    kind, _, host = topic.partition(":")
    if topic == "epoch":
        sight = epoch.read_here(site, report)
    elif kind in ("witness", "epoch"):
        sight = epoch.read_there(host, report)
    elif topic == "partner_clock":
        sight = epoch.read_there(site.partner.name, report)
    else:
        return watch
    return watch if sight is None else replace(watch, epochs={**watch.epochs, sight.host: sight})
