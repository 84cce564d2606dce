"""No secret appears anywhere (design law 7), told with a real daemon through a whole takeover.

Every secret lies where a site keeps it: the fence password in its file, passwords in the crontab
and in the command lines of running programs, the ssh key. The takeover is disturbed where a secret
could slip out: the agent echoes its password, a restore job is named, hamnd is killed and resumes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hamnd.cli.client import Unreachable
from hamnd.demo.machines import FENCE_PASSWORD, STANDBY
from hamnd.journal import open_journal
from tests.lab.daemon_process import daemon_in
from tests.lab.demo_kills import retry_to_the_end
from tests.lab.demo_stage import (
    Stage,
    confirm,
    lose_primary,
    plan,
    stage,
    until_ready,
)

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(300)]

SECRETS = {
    "the fence password": FENCE_PASSWORD,
    "an assignment in the crontab": "Sw0rdf1sh77",
    "an assignment before a command": "tr0ub4dor77",
    "a db2 password in the crontab": "c0rrecthorse77",
    "a password in an address": "b4tterystaple77",
    "a password of a harmless job": "s3same0pen77",
    "a db2 password of a process": "hunter2hunter77",
    "a password of a running restore": "moonraker977",
}
CRONTAB = f"""\
MAILTO=root
PGPASSWORD={SECRETS["an assignment in the crontab"]}
*/30 * * * * RSYNC_PASSWORD={SECRETS["an assignment before a command"]} /usr/bin/rsync -a \
root@aixmn1:/etc/xcat/ /etc/xcat/
15 2 * * * db2 connect to XCATDB user xcatadm using \
{SECRETS["a db2 password in the crontab"]} && db2 restore db XCATDB
40 2 * * * lftp sftp://anna:{SECRETS["a password in an address"]}@aixmn1/install
45 2 * * * /opt/xcat/sbin/dumpxCATdb -u root -p {SECRETS["a password of a harmless job"]}
"""
RESTORE = f"pg_restore --password {SECRETS['a password of a running restore']} -c -d xcatdb /t.tar"
RUNNING = (
    "    1 /usr/lib/systemd/systemd\n"
    f"  812 db2 connect to XCATDB user xcatadm using {SECRETS['a db2 password of a process']}\n"
    f"  901 {RESTORE}\n"
)
LOOKS = ("status", "ready", "explain", "witnesses", "plans", "run")
KEEPS_SECRETS = ("fence.password", "ssh", "bin", "lib", "world.sock")
"""What lies beside hamnd's own files: the places that the secrets come from, and the demo's own."""


class Canary:
    """Everything that left the daemon so far, by where it was found."""

    def __init__(self, one: Stage) -> None:
        self._one = one
        self.found: dict[str, bytes] = {}
        key = one.layout.user_key.read_text().splitlines()
        self.secrets = {**SECRETS, "the ssh key": key[len(key) // 2]}

    def leaks(self) -> list[str]:
        """Name each secret with the place in which it was found."""
        return [
            f"{name} in {place}"
            for place, text in self.found.items()
            for name, secret in self.secrets.items()
            if secret.encode() in text
        ]

    def add(self, place: str, text: str | bytes) -> None:
        self.found[place] = self.found.get(place, b"") + (
            text if isinstance(text, bytes) else text.encode()
        )

    def look_at_files(self) -> None:
        """Read whatever hamnd wrote, raw, and the journal once more as its readers see it."""
        root = self._one.layout.root
        for path in sorted(root.rglob("*")):
            where = path.relative_to(root)
            if path.is_file() and where.parts[0] not in KEEPS_SECRETS:
                self.add(str(where), path.read_bytes())
        # A long text lies in pieces on the pages of the database.
        with open_journal(self._one.layout.state) as journal:
            self.add("journal entries", repr(journal.entries()))
            self.add("journal state", repr(journal.state()))
            self.add("journal memory", repr(journal.memory()))

    def look_at_command_lines(self) -> None:
        """Read the command lines of everything that the daemon has started and still runs."""
        if self._one.daemon is None:
            return
        for pid in descendants(self._one.daemon.pid):
            with contextlib.suppress(OSError):
                self.add("command lines", Path(f"/proc/{pid}/cmdline").read_bytes() + b"\n")

    async def look_at_answers(self) -> None:
        """Ask for everything that can be asked for without changing anything."""
        for verb in LOOKS:
            with contextlib.suppress(Unreachable):
                self.add(f"answer {verb}", json.dumps((await self._one.ask(verb)).document))
        for page in ("metrics", ""):
            url = f"http://127.0.0.1:{self._one.layout.metrics_port}/{page}"
            with contextlib.suppress(OSError):
                self.add(f"page /{page}", await asyncio.to_thread(fetched, url))

    async def keep_looking(self) -> None:
        while True:
            self.look_at_command_lines()
            await asyncio.sleep(0.2)


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return bytes(answer.read())


def descendants(pid: int) -> Iterator[int]:
    """Yield the number of every process below this one."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(), []):
            yield child
            waiting.append(child)


@contextlib.asynccontextmanager
async def watched(one: Stage) -> AsyncIterator[Canary]:
    canary = Canary(one)
    looking = asyncio.get_running_loop().create_task(canary.keep_looking())
    try:
        yield canary
    finally:
        looking.cancel()


async def has_seen(one: Stage, tool: str) -> bool:
    return any(entry.ended for entry in one.world.calls_of(lambda call: call.tool == tool))


CORES = "core*"


async def test_no_core_dump_of_hamnd_lies_on_a_disk(tmp_path: Path) -> None:
    """Given a host whose programs leave core dumps, when hamnd is aborted, as systemd's watchdog
    does it, then it leaves none: whatever was in its memory was there alone."""
    allowed = ("prlimit", "--core=unlimited")
    plain = tmp_path / "plain"
    plain.mkdir()
    argv = (*allowed, sys.executable, "-c", "import os; os.abort()")
    aborted = await asyncio.create_subprocess_exec(*argv, cwd=plain)
    await aborted.wait()
    if os.geteuid() != 0 or not list(plain.glob(CORES)):
        pytest.skip("programs leave no core dumps in their folder here, or this is not root")
    folder = tmp_path / "d"
    folder.mkdir()
    async with daemon_in(folder, "root") as daemon:
        daemon.wrapper = allowed
        await daemon.start()
        assert await daemon.end(signal.SIGABRT) == -signal.SIGABRT
        assert not list(folder.rglob(CORES))


async def test_no_secret_appears_anywhere_in_a_takeover() -> None:
    async with stage() as one, watched(one) as canary:
        one.world.site.machines[STANDBY].crontab = CRONTAB
        text = one.layout.config.read_text()
        one.layout.config.write_text(f'{text}[log]\nlevel = "debug"\n')
        assert await one.end() == 0
        await one.start()
        await until_ready(one)

        one.world.fault("fail", "fence_demo", "1", f"Failed: login hamnd:{FENCE_PASSWORD}")
        await one.until_status(lambda status: not status["ready"], "the agent's failure to be seen")
        await canary.look_at_answers()
        one.world.fault("heal")
        await until_ready(one)
        await lose_primary(one)
        shown = await plan(one)
        canary.add("plan", json.dumps(shown))

        one.world.fault("fail", "ps", "0", RUNNING)
        await confirm(one, shown)
        await one.until(lambda: has_seen(one, "ps"), "the restore job to be seen")
        await canary.look_at_answers()
        await one.kill()
        assert (one.layout.state / "journal.db-wal").stat().st_size > 0
        canary.look_at_files()
        del one.world.watched.spoils[STANDBY, "ps"]
        await one.start()
        await canary.look_at_answers()
        assert await retry_to_the_end(one)
        assert (await one.status())["state"] == "Active"
        await canary.look_at_answers()
        canary.look_at_files()
        canary.add("stand-ins called", repr([entry.call.argv for entry in one.world.watched.log]))

        # What stands beside a secret is told everywhere: these are the places where it would show.
        beside = b"rsync -a root@aixmn1:/etc/xcat/"
        places = [place for place, text in canary.found.items() if beside in text]
        assert {"plan", "journal state", "state/journal.db", "state/journal.db-wal"} <= {*places}
        assert any(place.startswith("state/reports/") for place in canary.found)
        assert b"hamnd:********" in canary.found["answer status"]
        assert b"'-hadr'" in canary.found["stand-ins called"]
        assert canary.found["command lines"]
        assert b"hamnd_state" in canary.found["page /metrics"]
        assert canary.leaks() == []
        disarmed = one.world.site.machines[STANDBY].crontab or ""
        assert SECRETS["a db2 password in the crontab"] in disarmed
