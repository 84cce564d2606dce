"""`hamnd demo`: a whole site on this machine, the real daemon in it, and something to try.

Owns the command line of the demo and the two ways to play it: by hand, or `--auto`, one guided
takeover from beginning to end. Must not know how the site is simulated (world) nor what the story
tells (story).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from hamnd.demo.site import DemoDirectory, lay_out, missing
from hamnd.demo.story import Story, StoryFailed, wait_until
from hamnd.demo.world import World

START_LIMIT_S = 20.0
STOP_LIMIT_S = 15.0

EPILOG = """\
Nothing outside the demo's directory is touched; no root, no Db2 and no network are needed.
example: hamnd demo --auto
"""


def main(argv: Sequence[str]) -> int:
    """Play the demo and return 0 only if everything it shows came true."""
    parser = argparse.ArgumentParser(
        prog="hamnd demo",
        description="Play a simulated pair of management nodes with the real daemon.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--auto", action="store_true", help="play one guided takeover unattended")
    parser.add_argument("--dir", type=Path, help="directory to use and keep (default: a new one)")
    options = parser.parse_args(list(argv))
    if not _tell_missing():
        return 1
    root = options.dir or Path(tempfile.mkdtemp(prefix="hamnd-"))
    try:
        return asyncio.run(_play(root, options.auto))
    except (OSError, StoryFailed) as error:
        print(f"hamnd demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if options.dir is None:
            shutil.rmtree(root, ignore_errors=True)


def _tell_missing() -> bool:
    """Name every missing program with its package before anything starts."""
    lacking = missing()
    for one in lacking:
        mark = "needed" if one.is_required else "not there"
        print(f"{one.program} is {mark}: {one.without}. Install package {one.package}.")
    return not any(one.is_required for one in lacking)


async def _play(root: Path, is_auto: bool) -> int:
    layout = lay_out(root)
    async with World(layout) as world:
        print(f"simulated site: aixmn1 (primary), aixmn2 (standby), sn01, sn02. {world.ssh_note}")
        async with _daemon(layout) as daemon:
            story = Story(layout, world)
            if is_auto:
                return await story.play()
            await _by_hand(layout, story, daemon)
    return 0


@contextlib.asynccontextmanager
async def _daemon(layout: DemoDirectory) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the real hamnd on the simulated standby; its log goes to a file of the demo."""
    log_path = layout.root / "hamnd.log"
    with log_path.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "hamnd",
            "--config",
            str(layout.config),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **layout.environment},
            start_new_session=True,
        )
    try:
        await _until_up(layout, process, log_path)
        yield process
    finally:
        await _stop(process)


async def _until_up(
    layout: DemoDirectory, process: asyncio.subprocess.Process, log_path: Path
) -> None:
    def is_settled() -> bool:
        return process.returncode is not None or _listens(layout.control_socket)

    await wait_until(is_settled, START_LIMIT_S, "hamnd to open its control socket")
    if process.returncode is not None:
        told = _last_lines(log_path)
        raise OSError(f"hamnd ended with exit code {process.returncode} at its start:\n{told}")


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _last_lines(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-15:])


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_LIMIT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _by_hand(layout: DemoDirectory, story: Story, daemon: asyncio.subprocess.Process) -> None:
    """Print what to try, then every change, until the user ends it with ctrl-C."""
    environment = layout.root / "environment"
    environment.write_text(
        f'export PATH="{layout.bin}:{Path(sys.executable).parent}:$PATH" '
        f"HAMND_SOCKET={layout.control_socket} HAMND_STATE_DIR={layout.state}\n"
    )
    print(f"""
In another terminal, first:

  . {environment}

and then:

  hamnctl status            what hamnd sees, and why: hamnctl explain
  fault cut-pair            cut only the link of the two; then fault heal
  fault kill                take aixmn1's power away
  hamnctl plan takeover     what would be done and lost; then hamnctl confirm
  fault power-on            the old primary returns
  fault --help              what else can be broken

hamnd's log is {layout.root / "hamnd.log"}.
ctrl-C ends everything. What happens:
""")
    loop = asyncio.get_running_loop()
    following = loop.create_task(story.follow(), name="demo-follow")
    ended = loop.create_task(_tell_end(daemon, layout), name="demo-daemon")
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    stopping = loop.create_task(stop.wait(), name="demo-stop")
    await asyncio.wait({following, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in (following, ended, stopping):
        task.cancel()
    await asyncio.gather(following, ended, stopping, return_exceptions=True)


async def _tell_end(daemon: asyncio.subprocess.Process, layout: DemoDirectory) -> None:
    """The site goes on without hamnd (design law 8): it can be started again by hand."""
    code = await daemon.wait()
    print(f"hamnd ended ({code}). The site goes on; start it again in the other terminal:")
    print(f"  hamnd --config {layout.config} &")
