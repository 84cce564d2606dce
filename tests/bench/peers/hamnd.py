"""hamnd, with a site's witnesses and power controller.

Owns how it is set up and ordered for the bench. Must not know the other tools.
"""

from __future__ import annotations

from typing import ClassVar

from hamnd.cli.client import Client, Unreachable
from tests.bench.peers.tool import LIMIT_S, Tool
from tests.lab.site import xcat
from tests.lab.site.hosts import Lab
from tests.lab.site.names import STANDBY
from tests.lab.site.needs import PACKAGES
from tests.lab.site.pg_pair import PostgresPair


class Hamnd(Tool):
    """hamnd on the standby alone, with the lab's settings."""

    name = "hamnd"
    settings = "down_after_s 2, a round every 0.5 s"
    word = "state PrimaryDown"
    order_is = "confirm, of a plan that was read; the old primary is proven off first"
    runs = "hamnd on the standby"
    more_hosts = "none (asks service nodes and a power controller where there are any)"
    programs: ClassVar = {one: PACKAGES[one] for one in ("crontab", *xcat.PROGRAMS)}
    processes = r"-m hamnd --config"

    def __init__(self, lab: Lab) -> None:
        self.site = PostgresPair(lab)
        self.faults, self.servers = self.site.faults, self.site.servers
        self.site.watch()
        self.site.wait_state("Peer", limit_s=LIMIT_S)
        self.site.wait_ready(limit_s=LIMIT_S)
        self._client = Client(str(lab[STANDBY].path("/run/hamnd/hamnd.sock")))
        self._digest = ""

    def times_told(self) -> int:
        try:
            return int(self._client.get("status").document["state"] == "PrimaryDown")
        except Unreachable:
            return 0

    def predicted(self) -> str:
        """Plan, as an operator does, and return what the card says of the loss."""
        plan = self.site.ask("plan", "takeover")
        if (verdict := plan["data_loss"]["verdict"]) != "zero_proven":
            plan = self.site.ask("plan", "takeover", "--accept-loss", verdict)
        self._digest = plan["digest"]
        seconds = plan["data_loss"]["seconds"]
        return verdict if seconds is None else f"{verdict}, {seconds:.1f} s"

    def order(self) -> bool:
        reply = self._client.post("confirm", {"digest": self._digest, "named": STANDBY})
        if reply.status != 200:
            raise RuntimeError(str(reply.document))
        return True
