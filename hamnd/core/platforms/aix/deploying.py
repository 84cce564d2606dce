"""The steps after xcatd serves again on AIX: NIM's database, the nodes, the service nodes (§8.8).

Owns the three ways in which NIM comes to life here and what proves them. Must not know NIM's
commands (dialects.aix.nim). No node is restarted: the operator is told what to run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hamnd.core.platforms.aix.services import NIMESIS
from hamnd.core.platforms.vicinity import told
from hamnd.core.policy import Policy
from hamnd.dialects import deployment, linux, xcat
from hamnd.dialects.aix import nim, program, software, src
from hamnd.model.plan import Step
from hamnd.model.site import Site
from hamnd.model.work import Action, Look, Report

KEPT_OBJECTS, KEPT_IMAGES = "kept:nim", "kept:images"
"""What the primary tells of its NIM while it is well (core.health.watch.KEPT)."""
NIM_FILESET = "bos.sysmgt.nim.master"
NIM_S = 3600.0
"""A SPOT or an lpp_source takes minutes to an hour (aix.md §5)."""


def assumed_nim(site: Site) -> Mapping[str, Report]:
    """Return an osimage IMG with every resource that the guide names, each at LOC."""
    if site.nim.mode != "rebuild":
        return {}
    kinds = {kind: f"IMG_{kind}" for kind in nim.TYPES}
    names = {"lpp_source": "IMG_lpp_source", "spot": "IMG", **kinds}
    image = "".join(f"    {kind}={name}\n" for kind, name in names.items())
    places = "".join(f"{name}:\n   location = LOC\n" for name in kinds.values())
    return {KEPT_IMAGES: told(f"Object name: IMG\n{image}"), KEPT_OBJECTS: told(places)}


@dataclass(frozen=True, slots=True)
class Parts:
    """What one way of NIM contributes to the step."""

    title: str = ""
    actions: tuple[Action, ...] = ()
    readiness: tuple[Look, ...] = ()
    proofs: tuple[Look, ...] = ()


def osdeploy(site: Site, policy: Policy, seen: Mapping[str, Report]) -> list[Step]:
    """Return the step, where the site has NIM or nodes whose boot files name this node."""
    parts = [one for one in (_nim(site, seen), _nodes(site)) if one.actions]
    if not parts:
        return []
    return [
        Step(
            id="osdeploy",
            title=", ".join(one.title for one in parts),
            guide="8.8",
            host=site.node,
            depends_on=("xcatd",),
            actions=tuple(action for one in parts for action in one.actions),
            readiness=tuple(look for one in parts for look in one.readiness),
            postconditions=tuple(look for one in parts for look in one.proofs),
            timeout_s=policy.step_timeout_s("osdeploy", NIM_S),
            wait_s=60.0,
            skip_if_done=False,
            needs_fence=True,
        )
    ]


def service_nodes(site: Site, policy: Policy) -> Step:
    """See that every service node's xcatd finds the new management node."""
    names = site.services.service_nodes
    return Step(
        id="service-nodes",
        title=f"reconnect xcatd on {', '.join(names)}",
        guide="-",
        host=site.node,
        depends_on=("xcatd",),
        actions=tuple(deployment.reconnect_by_xcat(site, name) for name in names),
        postconditions=tuple(xcat.site_master(site, name, None) for name in names),
        timeout_s=policy.step_timeout_s("service-nodes", 180.0),
        wait_s=60.0,
        needs_fence=True,
    )


def _nodes(site: Site) -> Parts:
    """Have the listed nodes served again; only nodeset can be asked what it did."""
    if not site.osdeploy.nodes:
        return Parts()
    tool, nodes = site.osdeploy.program, site.osdeploy.nodes
    is_nodeset = tool == "nodeset"
    started = site.tool(tool) if is_nodeset else program(site, tool)
    return Parts(
        f"{tool} {site.osdeploy.image or site.osdeploy.state} for {nodes}",
        (nim.set_nodes(site),),
        (linux.programs(site, started),),
        (deployment.nodes_told(site),) if is_nodeset else (),
    )


def _nim(site: Site, seen: Mapping[str, Report]) -> Parts:
    """Return the way that the site has chosen; what the primary had proves that it came whole."""
    known = _known(seen)
    match site.nim.mode:
        case "rebuild":
            return _rebuilt(site, seen)
        case "backup":
            folder = site.nim.backup_dir
            return Parts(
                "restore NIM's database",
                (nim.restore(site, folder), src.start(site, NIMESIS, 60)),
                (nim.has_backup(site, folder), src.is_defined(site, NIMESIS)),
                _whole(site, nim.names_of(known, "resources", "machines")),
            )
        case "hanim":
            old = site.nim.old_object
            return Parts(
                "take NIM over as its alternate server",
                (nim.take_over(site, old),),
                (nim.are_there(site, (old,)),),
                _whole(site, nim.names_of(known, "resources")),
            )
        case _:
            return Parts()


def _known(seen: Mapping[str, Report]) -> Mapping[str, Mapping[str, str]]:
    """Return the primary's NIM objects, as it told them while it was healthy."""
    report = seen.get(KEPT_OBJECTS)
    return nim.parse_objects(report.stdout) if report is not None else {}


def _whole(site: Site, names: tuple[str, ...]) -> tuple[Look, ...]:
    return src.is_running(site, NIMESIS), nim.are_there(site, names)


def _rebuilt(site: Site, seen: Mapping[str, Report]) -> Parts:
    """Make each resource again, from what the primary told while it was healthy."""
    known, images = _known(seen), seen.get(KEPT_IMAGES)
    found = nim.parse_images(images.stdout) if images is not None else {}
    wanted = nim.resources_of(found, known)
    unknown = tuple(one.name for one in wanted if one.location is None)
    ready: tuple[Look, ...] = (
        linux.programs(site, program(site, "nim_master_setup")),
        software.filesets(site, NIM_FILESET),
    )
    # What was never told can only be told by the primary, while it lives.
    ready += () if found else (nim.images(site, site.partner.name),)
    ready += (nim.places_known(site, unknown),) if unknown else ()
    made = tuple(nim.define(site, one) for one in wanted if one.location is not None)
    return Parts(
        "make NIM's resources again",
        (nim.set_up(site, site.nim.device), src.start(site, NIMESIS, 60), *made),
        ready,
        _whole(site, tuple(one.name for one in wanted)),
    )
