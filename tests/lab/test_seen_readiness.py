"""If it would fail at 3 am, it says so at 3 pm: what is broken by day is named by `ready`.

One site, the real daemon on it, and one thing broken after the other: each has to be named with
what is wrong within a few readiness intervals, and readiness has to come back with the repair.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hamnd.demo.machines import FenceMood
from tests.lab.demo_stage import Stage, stage, until_ready

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
]

DISK_MIB = 256


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[Stage]:
    """A pair in Peer, every step proven, certificates and all."""
    async with stage() as one:
        folder = one.layout.root / "cert"
        folder.mkdir()
        certify(folder, timedelta(days=90))
        config = one.layout.config
        text = config.read_text().replace("credentials = []", f'credentials = ["{folder}"]')
        config.write_text(text)
        await one.signal(signal.SIGHUP)
        await until_ready(one)
        yield one


def certify(folder: Path, left: timedelta) -> None:
    """Write a certificate that is valid for so long."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "xcatmn")])
    now = datetime.now(tz=UTC)  # noqa: TID251  (openssl asks this machine's clock)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + left)
        .sign(key, hashes.SHA256())
    )
    from cryptography.hazmat.primitives.serialization import Encoding

    (folder / "server-cert.pem").write_bytes(made.public_bytes(Encoding.PEM))


@contextlib.contextmanager
def wrong_password(one: Stage) -> Iterator[None]:
    """Somebody changes the controller's password and tells nobody."""
    file = one.layout.fence_password
    right = file.read_text()
    file.write_text("changed by somebody")
    yield
    file.write_text(right)


@contextlib.contextmanager
def reader_account(one: Stage) -> Iterator[None]:
    """The account at the controller may log in and look, and no more."""
    one.world.site.fence_mood = FenceMood.READS_ONLY
    yield
    one.world.site.fence_mood = FenceMood.OBEYS


@contextlib.contextmanager
def lost_program(one: Stage) -> Iterator[None]:
    """An update takes makedns away."""
    program = one.layout.bin / "makedns"
    program.rename(program.with_suffix(".gone"))
    yield
    program.with_suffix(".gone").rename(program)


@contextlib.contextmanager
def expired_certificate(one: Stage) -> Iterator[None]:
    """xCAT's server certificate ends tonight."""
    folder = one.layout.root / "cert"
    certify(folder, timedelta(hours=9))
    yield
    certify(folder, timedelta(days=90))


BROKEN = {
    "password": (wrong_password, "fence", "Unable to connect/login to fencing device"),
    "account": (reader_account, "fence", "off needs role operator"),
    "program": (lost_program, "dns", "makedns"),
    "certificate": (expired_certificate, "xcatd", "server-cert.pem expires"),
}


@pytest.mark.parametrize("what", BROKEN)
async def test_what_would_fail_at_night_is_named_by_day(site: Stage, what: str) -> None:
    breaking, step, words = BROKEN[what]
    await until_ready(site)
    with breaking(site):

        def is_named(status: dict[str, Any]) -> bool:
            missing = {one["name"]: one["message"] for one in status["readiness"]["missing"]}
            return not status["ready"] and words in missing.get(step, "")

        status = await site.until_status(is_named, f"{step} to name {words!r}")
        assert status["state"] == "Peer", "nothing but readiness is touched"
        answer = await site.must("ready")
        assert answer["ready"] is False
    await until_ready(site)


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system of one's own needs root")
async def test_a_full_disk_is_named_by_day(site: Stage) -> None:
    await until_ready(site)
    await site.end()
    state = site.layout.state
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=0750", "none", str(state)],
        check=True,
    )
    try:
        await site.start()
        await until_ready(site)
        filler = state / "core.4711"
        left = shutil.disk_usage(state).free
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, left - (1 << 20))

        def is_named(status: dict[str, Any]) -> bool:
            missing = {one["name"]: one["message"] for one in status["readiness"]["missing"]}
            return not status["ready"] and "disk full" in missing.get("DiskSpace", "")

        await site.until_status(is_named, "DiskSpace to name the full disk")
        filler.unlink()
        await until_ready(site)
        await site.end()
    finally:
        await site.close()
        subprocess.run(["umount", "-l", str(state)], check=True)
    await site.start()


async def test_a_rehearsal_tells_the_same_and_changes_nothing(site: Stage) -> None:
    await until_ready(site)
    with reader_account(site):
        await site.must("rehearse", {})
        status = await site.until_status(
            lambda told: told["rehearsal"] is not None and told["rehearsal"]["outcome"],
            "the rehearsal to end",
        )
        assert status["rehearsal"]["outcome"] == "not_done"
        assert "fence: " in status["rehearsal"]["sentence"]
        assert status["last_rehearsal_at"] is None
    await until_ready(site)
    number = status["rehearsal"]["number"]
    await site.must("rehearse", {})
    status = await site.until_status(
        lambda told: told["rehearsal"]["number"] > number and told["rehearsal"]["outcome"],
        "the second rehearsal to end",
    )
    assert status["rehearsal"]["outcome"] == "done", status["rehearsal"]["sentence"]
    assert status["last_rehearsal_at"] is not None
    acting = ("action_started", "routine_started")
    assert not [one for one in site.entries() if one.record.what in acting]
