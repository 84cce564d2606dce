"""Every adapter fits its port; mypy proves it, this module makes it look."""

from __future__ import annotations

from pathlib import Path

from hamnd.adapters.clock import SystemClock
from hamnd.adapters.fence import AgentFence
from hamnd.adapters.files import LocalFiles
from hamnd.adapters.journal import JournalSettings, SqliteJournal, StateLock
from hamnd.adapters.peer import PeerIdentity
from hamnd.adapters.process import LocalRunner
from hamnd.adapters.reach import SocketReacher
from hamnd.adapters.supervisor import NoSupervisor, SystemdSupervisor
from hamnd.adapters.world import Adapters, RoutingWorld
from hamnd.model.site import FenceSite
from hamnd.ports import (
    Clock,
    CommandRunner,
    FenceDevice,
    Files,
    Journal,
    Reacher,
    Supervisor,
    World,
)


def test_adapters_fit_their_ports(tmp_path: Path) -> None:
    clock: Clock = SystemClock()
    runner: CommandRunner = LocalRunner(clock, "/usr/bin", "root")
    reacher: Reacher = SocketReacher(clock)
    files: Files = LocalFiles(clock)
    fence: FenceDevice = AgentFence(FenceSite(), "aixmn2", runner, clock)
    world: World = RoutingWorld(
        "aixmn2", Adapters({"aixmn2": runner}, reacher, files, fence), clock
    )
    supervisors: tuple[Supervisor, ...] = (NoSupervisor(), SystemdSupervisor("@x", clock))
    settings = JournalSettings(tmp_path, "boot-1", reserve_bytes=0)
    lock = StateLock(settings)
    journal: Journal = SqliteJournal(settings, lock)
    journal.close()
    lock.release()
    assert (world, supervisors, PeerIdentity("root")) is not None
