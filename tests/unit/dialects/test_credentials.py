"""Staged credentials as openssl and find see them: what is refused before it is switched."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from hamnd.dialects.filesets import verify_credentials
from hamnd.dialects.readers import read_action
from hamnd.dialects.salvage import Salvaged
from hamnd.model.names import Verdict
from hamnd.model.work import Exec, Reading
from tests.builders import site
from tests.unit.dialects.reports import exited

FOLDERS = ("ca", "cert")


def made(*words: str) -> None:
    subprocess.run(["openssl", *words], capture_output=True, check=True)


def authority(folder: Path, name: str) -> tuple[Path, Path]:
    key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
    made("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
         "-days", "30", "-keyout", str(key), "-out", str(certificate))  # fmt: skip
    return key, certificate


def server(folder: Path, signed_by: tuple[Path, Path]) -> str:
    """A key and the certificate that goes with it, in one text as xCAT keeps them."""
    key, request, certificate = (folder / f"server.{end}" for end in ("key", "csr", "crt"))
    made("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=mn1", "-keyout", str(key),
         "-out", str(request))  # fmt: skip
    ca = ("-CA", str(signed_by[1]), "-CAkey", str(signed_by[0]), "-set_serial", "7")
    made("x509", "-req", "-in", str(request), *ca, "-days", "30", "-out", str(certificate))
    return key.read_text() + certificate.read_text()


@pytest.fixture
def xcat(tmp_path: Path) -> Path:
    """Credentials in force, and the same again staged beside them."""
    ours = authority(tmp_path, "ours")
    credential = server(tmp_path, ours)
    for place in (tmp_path / "xcat", tmp_path / "xcat/.hamnd/new"):
        for folder in FOLDERS:
            (place / folder).mkdir(parents=True)
        shutil.copy(ours[1], place / "ca/ca-cert.pem")
        shutil.copy(ours[1], place / "cert/ca.pem")
        (place / "cert/server-cred.pem").write_text(credential)
        (place / "cert/server-cred.pem").chmod(0o600)
    return tmp_path / "xcat"


def verified(xcat: Path) -> Reading:
    members = tuple(Salvaged(f"/etc/xcat/{one}/", str(xcat / one)) for one in FOLDERS)
    action = verify_credentials(site(), members)
    assert isinstance(action.request, Exec)
    done = subprocess.run(action.request.argv, capture_output=True, text=True, check=False)
    return read_action(action, exited(done.returncode, done.stdout, done.stderr))


def test_what_belongs_together_is_right(xcat: Path) -> None:
    assert verified(xcat) == Reading(Verdict.PASS, "keys and certificates are right")


@pytest.mark.parametrize("are_certificates_staged", [True, False])
def test_a_ca_that_did_not_sign_the_certificates_is_refused(
    xcat: Path, tmp_path: Path, are_certificates_staged: bool
) -> None:
    """Given a primary whose administrator is renewing its CA, when the certificates are not yet
    signed by it, then neither is switched, though each folder agrees with itself."""
    shutil.copy(authority(tmp_path, "theirs")[1], xcat / ".hamnd/new/ca/ca-cert.pem")
    if not are_certificates_staged:
        shutil.rmtree(xcat / ".hamnd/new/cert")
    reading = verified(xcat)
    assert reading.verdict is Verdict.BLOCK
    assert "server-cred.pem was not signed by" in reading.sentence


@pytest.mark.parametrize("name", ["ca/ca-cert.pem", "cert/server-cred.pem"])
def test_what_is_gone_from_the_primary_takes_none_away_here(xcat: Path, name: str) -> None:
    (xcat / ".hamnd/new" / name).unlink()
    assert verified(xcat).sentence.endswith(f"{xcat}/{name} is gone from the primary")


def test_a_key_of_another_certificate_is_refused(xcat: Path, tmp_path: Path) -> None:
    path = xcat / ".hamnd/new/cert/server-cred.pem"
    key = (tmp_path / "ours.key").read_text()
    path.write_text(key + (tmp_path / "server.crt").read_text())
    assert "server-cred.pem is not its certificate's" in verified(xcat).sentence


@pytest.mark.skipif(os.geteuid() != 0, reason="skipped: needs root, to give files away")
def test_what_belongs_to_somebody_else_is_refused(xcat: Path) -> None:
    path = xcat / ".hamnd/new/cert/server-cred.pem"
    os.chown(path, 65534, 65534)
    assert verified(xcat).sentence.endswith(
        f"{path} belongs neither to root nor to the owner of {xcat}"
    )


def test_what_everybody_may_write_is_refused(xcat: Path) -> None:
    (xcat / ".hamnd/new/ca/ca-cert.pem").chmod(0o666)
    assert verified(xcat).sentence.endswith("ca-cert.pem may be written by everybody")
