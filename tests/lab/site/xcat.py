"""xCAT on lab hosts: an xcatd over the site's real database, which drives the real servers.

Owns the installation: certificates, commands in /opt/xcat/bin, units, the first definitions. What
the commands do is in `xcat_commands`, how xcatd answers in `xcatd`; both run inside hosts. MUST NOT
know hamnd.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.lab.site import services
from tests.lab.site.db2 import Db2
from tests.lab.site.hosts import Host
from tests.lab.site.maria import Maria
from tests.lab.site.names import CLUSTER, DOMAIN, GATEWAY, MANAGERS, SERVICE_NAME
from tests.lab.site.postgres import OWNER, Postgres

HERE = Path(__file__).parent
SERVER_FILES = ("xcatd.py", "xcat_commands.py")
COMMANDS = (
    *("lsxcatd", "mkdef", "chdef", "lsdef", "rmdef", "tabdump", "chtab"),
    *("makedns", "makedhcp", "makeconservercf", "nodeset"),
)
FOLDER = "/opt/xcat/lab"
PROGRAMS = ("named", "dig", "nsupdate", "dhcpd", "conserver", "console")
"""What has to be installed for `install` to make sense."""

NODES = {
    "sn1": {"groups": "service,all", "ip": CLUSTER.address("sn1"), "mac": CLUSTER.hardware("sn1")},
    "sn2": {"groups": "service,all", "ip": CLUSTER.address("sn2"), "mac": CLUSTER.hardware("sn2")},
    "cn1": {
        "groups": "compute,all",
        "ip": f"{CLUSTER.prefix}.101",
        "mac": "02:00:0a:63:00:65",
        "cons": "ipmi",
    },
    "cn2": {
        "groups": "compute,all",
        "ip": f"{CLUSTER.prefix}.102",
        "mac": "02:00:0a:63:00:66",
        "cons": "ipmi",
    },
}
SITE = {
    "master": SERVICE_NAME,
    "domain": DOMAIN,
    "nameservers": CLUSTER.address(SERVICE_NAME),
    "forwarders": CLUSTER.address(GATEWAY),
    "xcatdport": "3001",
}


def in_postgres(primary: Postgres) -> None:
    """Keep the definitions in the primary's xcatdb; its standby gets them by replication."""
    primary.sql(f"CREATE SCHEMA xcat AUTHORIZATION {OWNER}")
    for kind in ("node", "site"):
        primary.sql(f"CREATE TABLE xcat.{kind} (name text PRIMARY KEY, value text)")
        primary.sql(f"ALTER TABLE xcat.{kind} OWNER TO {OWNER}")

    def write(kind: str, name: str, value: str) -> None:
        primary.sql(f"INSERT INTO xcat.{kind} VALUES ('{name}', '{value}')")

    _define(write)


def in_sqlite(host: Host) -> None:
    """Keep the definitions in a node's own tables, one file each, as xCAT does by default."""
    host.run("mkdir", "-p", "/etc/xcat")

    def run(kind: str, statement: str) -> None:
        host.run("sqlite3", f"/etc/xcat/{kind}.sqlite", statement)

    for kind in ("node", "site"):
        run(kind, f"CREATE TABLE {kind} (name text PRIMARY KEY, value text)")

    def write(kind: str, name: str, value: str) -> None:
        run(kind, f"INSERT INTO {kind} VALUES ('{name}', '{value}')")

    _define(write)


def in_mariadb(primary: Maria) -> None:
    """Keep the definitions in a database of the primary; its replica gets them by replication."""
    primary.sql(f"CREATE DATABASE xcat; GRANT ALL ON xcat.* TO {OWNER}@'%'")
    for kind in ("node", "site"):
        primary.sql(f"CREATE TABLE xcat.{kind} (name VARCHAR(64) PRIMARY KEY, value TEXT)")

    def write(kind: str, name: str, value: str) -> None:
        primary.sql(f"INSERT INTO xcat.{kind} VALUES ('{name}', '{value}')")

    _define(write)


def in_db2(db2: Db2) -> None:
    """Keep the definitions in the model's database, on whichever node is its primary."""

    def write(kind: str, name: str, value: str) -> None:
        if not db2.write(db2.writable()[0], f"xcat.{kind}", name, value):
            raise RuntimeError(f"the database did not take {kind} {name}")

    _define(write)


CFGLOC_PASSWORD = "in-cfgloc-alone"
_AT = f"dbname=xcatdb;host={CLUSTER.address(SERVICE_NAME)}|xcatadm|{CFGLOC_PASSWORD}\n"
CFGLOC = {
    "pg": f"Pg:{_AT}",
    "mysql": f"mysql:{_AT}",
    "db2": f"DB2:XCATDB|xcatdb|{CFGLOC_PASSWORD}\n",
    "sqlite": "SQLite:/etc/xcat\n",
}
"""What xCAT's own set-up writes, in clear."""


def _define(write: Callable[[str, str, str], None]) -> None:
    for name, attributes in NODES.items():
        write("node", name, "|".join(f"{key}={one}" for key, one in sorted(attributes.items())))
    for key, value in SITE.items():
        write("site", key, f"value={value}")


def install(hosts: Iterable[Host], engine: str) -> None:
    """Put xCAT on hosts: the server on management nodes, the client everywhere.

    `engine` is pg, mysql, db2 or sqlite; each node's xcatd asks the database of its own host
    (cfgloc names it, and the movable name leads there too). Nothing is started or enabled.
    """
    authority = Authority()
    for host in hosts:
        _install_client(host, authority)
        if host.name in MANAGERS:
            _install_server(host, authority, engine)


def _install_client(host: Host, authority: Authority) -> None:
    client = (HERE / "xcat_client.py").read_text()
    for command in COMMANDS:
        host.write(f"/opt/xcat/bin/{command}", f"#!{sys.executable} -ISE\n{client}", 0o755)
    host.write("/root/.xcat/ca.pem", authority.certificate)
    host.write("/root/.xcat/client-cred.pem", authority.client, 0o600)


def _install_server(host: Host, authority: Authority, engine: str) -> None:
    for name in SERVER_FILES:
        host.write(f"{FOLDER}/{name}", (HERE / name).read_text())
    host.write("/etc/xcat/ca/ca-cert.pem", authority.certificate)
    host.write("/etc/xcat/ca/private/ca-key.pem", authority.key, 0o600)
    host.write("/etc/xcat/cert/ca.pem", authority.certificate)
    host.write("/etc/xcat/cert/server-cred.pem", authority.server, 0o600)
    host.write("/etc/xcat/hostkeys/ssh_host_ed25519_key.pub", authority.certificate)
    host.write("/etc/xcat/cfgloc", CFGLOC[engine], 0o600)
    command = shlex.join([sys.executable, "-sE", f"{FOLDER}/xcatd.py", engine, "127.0.0.1"])
    xcatd = services.Unit("xcatd", command, services.listening(3001), 600)
    services.install(host, *services.ALL, xcatd)
    services.configure(host)


class Authority:
    """xCAT's certificate authority with the credentials it gave out: the same on both nodes."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "xCAT CA")])
        own = _certificate(name, key.public_key(), name, key, is_authority=True)
        self.key = _pem(key)
        self.certificate = own.public_bytes(serialization.Encoding.PEM).decode()
        self.server = self._credential(SERVICE_NAME, name, key)
        self.client = self._credential("root", name, key)

    def _credential(self, common: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> str:
        own = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
        made = _certificate(name, own.public_key(), issuer, key, is_authority=False)
        return _pem(own) + made.public_bytes(serialization.Encoding.PEM).decode()


def _certificate(
    subject: x509.Name,
    public: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> x509.Certificate:
    now = datetime.fromtimestamp(Path("/proc/self").stat().st_mtime, UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
