"""The self-signed certificate of a stand-in xcatd.

Owns how it is made: by the library cryptography where that is installed (asyncssh brings it), else
by the program openssl. Must not know who shows it.
"""

from __future__ import annotations

import importlib.util
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

OPENSSL_S = 30.0


def write_certificate(path: Path, common_name: str, now: datetime) -> None:
    """Write a self-signed certificate and its key into one PEM file, valid for a year."""
    path.touch(0o600)
    if importlib.util.find_spec("cryptography") is None:
        _write_by_program(path, common_name)
    else:
        _write_by_library(path, common_name, now)


def _write_by_program(path: Path, common_name: str) -> None:
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    done = subprocess.run(
        ("openssl", "req", "-x509", *key, "-days", "365", "-subj", f"/CN={common_name}",
         "-keyout", "-", "-out", "-"),
        capture_output=True, timeout=OPENSSL_S, check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    path.write_bytes(done.stdout)


def _write_by_library(path: Path, common_name: str, now: datetime) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
