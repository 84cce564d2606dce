"""Certificates that end tonight: what openssl says of real ones, and what is made of it."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.dialects.filesets import certificates_valid
from hamnd.dialects.readers import read_look
from hamnd.model.names import Verdict
from hamnd.model.work import Exec, Looked, Reading, Report
from tests.builders import site
from tests.unit.dialects.reports import MUTE, exited


def told(folder: Path) -> Reading:
    """Run the look's own command on this machine."""
    (look,) = certificates_valid(replace(site(), credentials=(str(folder),)))
    assert isinstance(look.request, Exec)
    done = subprocess.run(look.request.argv, capture_output=True, text=True, check=False)
    return read_look(Looked(look, exited(done.returncode, done.stdout, done.stderr)))


def certify(folder: Path, name: str, days: int) -> None:
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"]
    argv += ["-days", str(days), "-keyout", str(folder / f"{name}.key")]
    argv += ["-out", str(folder / f"{name}.pem")]
    subprocess.run(argv, capture_output=True, check=True)


def test_a_certificate_that_ends_tonight_is_named_with_its_end(tmp_path: Path) -> None:
    certify(tmp_path, "ca-cert", 3650)
    certify(tmp_path, "server-cert", 1)
    reading = told(tmp_path)
    assert reading.verdict is Verdict.BLOCK
    assert f"{tmp_path}/server-cert.pem expires" in reading.sentence
    assert "hamnctl sync credentials" in reading.sentence


def test_certificates_of_next_year_are_counted_and_keys_are_none(tmp_path: Path) -> None:
    certify(tmp_path, "ca-cert", 3650)
    certify(tmp_path, "server-cert", 365)
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    assert told(tmp_path) == Reading(Verdict.PASS, "2 certificates are valid tomorrow")


def test_a_damaged_certificate_is_no_valid_one(tmp_path: Path) -> None:
    (tmp_path / "server-cert.pem").write_text("-----BEGIN CERTIFICATE-----\nnone\n")
    reading = told(tmp_path)
    assert reading.verdict is Verdict.BLOCK
    assert "unreadable" in reading.sentence


def test_a_site_that_keeps_none_is_asked_nothing() -> None:
    assert certificates_valid(replace(site(), credentials=())) == ()


@pytest.mark.parametrize("report", MUTE, ids=lambda one: one.ending)
def test_what_did_not_come_back_proves_nothing(report: Report) -> None:
    (look,) = certificates_valid(replace(site(), credentials=("/etc/xcat/cert",)))
    assert read_look(Looked(look, report)).verdict is Verdict.UNKNOWN
