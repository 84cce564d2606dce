"""The keys of the lab's hosts: host keys that everybody has pinned, and root's own.

Owns the files below `given/keys`. MUST NOT know where they are used.
"""

from __future__ import annotations

from pathlib import Path

import asyncssh

from tests.lab.site.names import SERVICE_NAME, Plan


def write(folder: Path, plan: Plan) -> None:
    """Write root's key and the host key of each host, authorized_keys and known_hosts.

    The service name is pinned to both management nodes' keys: whoever holds it shows its own.
    """
    folder.mkdir(mode=0o700)
    authorized, known = [], []
    for host in plan.hosts:
        own = pair(folder / host, f"root@{host}")
        authorized.append(own)
        shown = pair(folder / f"host-{host}", host)
        names = [host, *(network.address(host) for network in plan.networks)]
        if host.startswith("mn"):
            names += [SERVICE_NAME, *(one.address(SERVICE_NAME) for one in plan.networks)]
        names += [f"{host}-{network.name}" for network in plan.networks if network.number]
        known.append(f"{','.join(names)} {shown}")
    (folder / "authorized_keys").write_text("\n".join(authorized) + "\n")
    (folder / "known_hosts").write_text("\n".join(known) + "\n")


def pair(path: Path, comment: str) -> str:
    """Write a new ed25519 key and its public half beside it; return the public line."""
    key = asyncssh.generate_private_key("ssh-ed25519", comment=comment)
    path.touch(mode=0o600)
    path.write_bytes(key.export_private_key())
    public = key.export_public_key().decode().strip()
    path.with_name(f"{path.name}.pub").write_text(public + "\n")
    return public
