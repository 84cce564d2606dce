"""Builds the world from the configuration, and replaces it whole on a reload.

Owns which adapter stands behind which port. Must not know what any of them is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from hamnd.adapters.fence import AgentFence
from hamnd.adapters.files import LocalFiles
from hamnd.adapters.ping import PingRunner
from hamnd.adapters.process import LocalRunner
from hamnd.adapters.reach import SocketReacher
from hamnd.adapters.rsync import WorkerPuller
from hamnd.adapters.ssh import AsyncsshRunner
from hamnd.adapters.ssh_program import OpensshRunner
from hamnd.adapters.world import Adapters, RoutingWorld
from hamnd.daemon.executor import Executor
from hamnd.model.copying import Progress
from hamnd.model.site import Site, Transport
from hamnd.ports import Clock, CommandRunner, Placed, World, as_configured

log = structlog.get_logger(__name__)

CLIENT_CREDENTIAL = ".xcat/client-cred.pem"
"""Below root's home: what xCAT's own client shows to xcatd (xcat-hamn.md)."""
RETIRE_AFTER_S = 300.0
"""How long a replaced world is kept for what is still under way on it."""
RETIRE_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Wired:
    """A world with what must be closed after it."""

    world: World
    runners: tuple[CommandRunner, ...]

    async def close(self) -> None:
        """Close every connection; one that cannot be closed does not keep the others open."""
        outcomes = await asyncio.gather(
            *(runner.close() for runner in self.runners), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                log.warning("runner_not_closed", error=repr(outcome))


@dataclass(frozen=True, slots=True)
class Wiring:
    """What every world is built with."""

    clock: Clock
    user: str
    on_lost: Callable[[str], None]
    """Called with the host when its persistent connection breaks: a hint, not evidence."""
    on_progress: Callable[[str, Progress], None] = lambda _name, _progress: None
    """Called with how far the pull of a set is."""
    placed: Placed = as_configured
    """Where the hosts of a site are at this moment."""

    def local(self, site: Site) -> LocalRunner:
        """Return a runner for this node."""
        return LocalRunner(self.clock, site.tool_path, self.user)

    def build(self, site: Site) -> Wired:
        """Return the world of a site. Connections are opened when they are first used."""
        local = self.local(site)
        runners: dict[str, CommandRunner] = {site.node: PingRunner(self.clock, local)}
        for host in (site.partner.name, *(witness.name for witness in site.witnesses)):
            runners[host] = self._remote(site, host, local)
        fence = None
        if site.fence.agent is not None:
            fence = AgentFence(site.fence, site.node, local, self.clock)
        reacher = SocketReacher(self.clock, Path.home() / CLIENT_CREDENTIAL)
        puller = WorkerPuller(site, local, self.on_progress, self.placed)
        adapters = Adapters(runners, reacher, LocalFiles(self.clock), fence, puller)
        world = RoutingWorld(site.node, adapters, self.clock)
        return Wired(world, tuple(reversed(runners.values())))

    def _remote(self, site: Site, host: str, local: CommandRunner) -> CommandRunner:
        match site.ssh.transport:
            case Transport.ASYNCSSH:
                return AsyncsshRunner(site, host, self.clock, self.on_lost, self.placed)
            case Transport.OPENSSH:
                return OpensshRunner(site, host, local, self.clock, self.placed)


async def retire(old: Wired, executor: Executor) -> None:
    """Close a replaced world once nothing runs on it any more, or after `RETIRE_AFTER_S`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + RETIRE_AFTER_S
    while executor.is_using(old.world) and loop.time() < deadline:  # noqa: ASYNC110 - rare, bounded
        await asyncio.sleep(RETIRE_POLL_S)
    await old.close()
