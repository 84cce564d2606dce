"""What must hold between keys where the platform is AIX.

Owns `RULES`, each with the keys whose values it takes. Must not know raw TOML.
"""

from __future__ import annotations

from collections.abc import Iterator

from hamnd.settings.problem import Problem, error, warning
from hamnd.settings.relations import Check


def _library_on_aix(platform: str, transport: str) -> Iterator[Problem]:
    if platform == "aix" and transport == "asyncssh":
        yield warning(
            "ssh.transport",
            "asyncssh needs the cryptography package, which has no wheel for AIX and builds only "
            "with Rust",
            value='"asyncssh"',
            hint='"openssh" needs nothing but the ssh program',
        )


def _units_are_systemds(platform: str, unit: str | None) -> Iterator[Problem]:
    if platform == "aix" and unit is not None:
        yield error(
            "replication.shared_disk.unit",
            "is a unit of systemd, which AIX has not",
            value=f'"{unit}"',
            hint='leave it out; [[plan.takeover.step]] after = "promote" with startsrc starts it',
        )


def _takeover_names_the_old_one(mode: str, old_object: str | None) -> Iterator[Problem]:
    if mode == "hanim" and old_object is None:
        yield error(
            "plan.nim.old_object",
            "is missing: the takeover of an alternate NIM server names the old one",
            hint="lsnim on the standby shows it",
        )


def _backup_names_its_server(mode: str, identity: str) -> Iterator[Problem]:
    if mode == "backup" and identity == "service_address":
        yield warning(
            "plan.nim.mode",
            "a restored NIM database names the server by the primary's own host name, which does "
            "not move in identity.mode service_address",
            value='"backup"',
            hint='"rebuild", or run nim_master_recover -r FILE -i INTERFACE on the standby '
            "afterwards",
        )


def _nodes_get_an_image(program: str, image: str | None, nodes: str | None) -> Iterator[Problem]:
    if nodes is not None and image is None and program != "nodeset":
        yield error(
            "plan.osdeploy.image",
            f"is missing: {program} gives the nodes an image",
            hint="lsdef -t osimage",
        )


def _serves_what_aix_has(platform: str, consoles: str, http: bool) -> Iterator[Problem]:
    if platform != "aix":
        return
    if consoles == "goconserver":
        yield error(
            "plan.services.consoles",
            "is a program for Linux",
            value='"goconserver"',
            allowed='"conserver" | "none"',
        )
    if http:
        yield error(
            "plan.services.http",
            "there is no web server in base AIX, and so no step for one",
            value="true",
            hint="declare a [[plan.takeover.step]] that starts yours",
        )


def _has_no_shield(platform: str, packets: bool, sshd_file: str | None) -> Iterator[Problem]:
    if platform != "aix":
        return
    told = {
        "packets": "true" if packets else "",
        "sshd_file": f'"{sshd_file}"' if sshd_file else "",
    }
    for name, value in told.items():
        if value:
            yield error(
                f"plan.shield.{name}",
                "there is no shield on AIX: fence and return guard keep the old primary away",
                value=value,
                hint="leave it out; a [[plan.takeover.step]] can raise a filter of the site's own",
            )


RULES: tuple[tuple[tuple[str, ...], Check], ...] = (
    (("platform", "ssh.transport"), _library_on_aix),
    (("platform", "replication.shared_disk.unit"), _units_are_systemds),
    (("plan.nim.mode", "plan.nim.old_object"), _takeover_names_the_old_one),
    (("plan.nim.mode", "identity.mode"), _backup_names_its_server),
    (("plan.osdeploy.program", "plan.osdeploy.image", "plan.osdeploy.nodes"), _nodes_get_an_image),
    (("platform", "plan.services.consoles", "plan.services.http"), _serves_what_aix_has),
    (("platform", "plan.shield.packets", "plan.shield.sshd_file"), _has_no_shield),
)
