"""From read values to the Site and the Policy.

Owns the mapping from configuration paths to the model's fields. Must not validate: it is called
only when every key could be read and every relation holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from hamnd.core.policy import Policy
from hamnd.model.epoch import WhenUnknown
from hamnd.model.mariadb import Product
from hamnd.model.names import FenceGrade
from hamnd.model.shared_disk import SharedDiskSite, SharedFilesystem
from hamnd.model.site import (
    Db2Site,
    DumpSite,
    FenceSite,
    GuardSite,
    Hooks,
    IdentityMode,
    MariaSite,
    MetricsSite,
    Nim,
    Node,
    Osdeploy,
    Paths,
    Platform,
    PostgresSite,
    ServiceAddress,
    Services,
    Shield,
    Site,
    SiteStep,
    SqliteSite,
    SshSite,
    Transport,
    Witness,
)
from hamnd.settings.filesets import build_sets
from hamnd.settings.reader import Values


def build(values: Values) -> tuple[Site, Policy]:
    """Return the site and the policy that the values describe."""
    return _site(values), _policy(values)


def _under(single: Mapping[str, Any], section: str) -> dict[str, Any]:
    """Return the values of one section by their bare names."""
    prefix = f"{section}."
    return {
        path.removeprefix(prefix): value
        for path, value in single.items()
        if path.startswith(prefix) and "." not in path.removeprefix(prefix)
    }


def _set(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is set; what is not has the model's own default."""
    return {name: value for name, value in table.items() if value is not None}


def _spare(single: Mapping[str, Any]) -> str:
    """Return the spare address where it has a use: a service address is given up without one."""
    is_moving = single["identity.mode"] == IdentityMode.PRIMARY_ADDRESS
    return single["identity.spare"] or "" if is_moving else ""


def _site(values: Values) -> Site:
    single = values.single
    tools = _under(single, "tools")
    tool_path = tools.pop("path")
    return Site(
        cluster=single["cluster"],
        node=single["node"],
        platform=Platform(single["platform"]),
        primary=Node(**_under(single, "primary")),
        standby=Node(**_under(single, "standby")),
        identity=tuple(ServiceAddress(**table) for table in values.tables["identity.address"]),
        identity_mode=IdentityMode(single["identity.mode"]),
        identity_console=single["identity.console"] or "",
        identity_spare=_spare(single),
        identity_confirm_s=single["identity.confirm_s"],
        gateway=single["network.gateway"],
        db2=Db2Site(**_under(single, "replication.db2")),
        postgresql=PostgresSite(**_under(single, "replication.postgresql")),
        sqlite=SqliteSite(**_under(single, "replication.sqlite")),
        dump=DumpSite(**_under(single, "replication.dump")),
        mariadb=_mariadb(single),
        shared_disk=_shared_disk(values),
        engine=single["replication.engine"],
        cfgloc=single["replication.cfgloc"],
        fence=_fence(single),
        witnesses=tuple(Witness(**table) for table in values.tables["witness"]),
        ssh=_ssh(single),
        services=Services(**_under(single, "plan.services")),
        osdeploy=Osdeploy(**_set(_under(single, "plan.osdeploy"))),
        nim=Nim(**_set(_under(single, "plan.nim"))),
        shield=Shield(**_under(single, "plan.shield")),
        crontabs=single["files.crontabs"],
        credentials=single["files.credentials"],
        file_sets=build_sets(values),
        site_steps=tuple(SiteStep(**_set(table)) for table in values.tables["plan.takeover.step"]),
        guard=GuardSite(WhenUnknown(single["guard.when_unknown"])),
        hooks=Hooks(**_set(_under(single, "hooks"))),
        rehearsal_schedule=single["rehearsal.schedule"],
        rehearsal_jitter_s=single["rehearsal.jitter_s"],
        tools=MappingProxyType(tools),
        tool_path=tool_path,
        paths=Paths(**_under(single, "paths")),
        operators=single["operators"],
        operators_users=single["operators_users"],
        metrics=MetricsSite(**_under(single, "metrics")),
        journal_reserve_mib=single["journal.reserve_mib"],
        log_level=single["log.level"],
    )


def _mariadb(single: Mapping[str, Any]) -> MariaSite:
    fields = _under(single, "replication.mariadb")
    product = Product(fields.pop("product", Product.MARIADB))
    return MariaSite(product=product, **fields)


def _fence(single: Mapping[str, Any]) -> FenceSite:
    return FenceSite(
        minimum=FenceGrade(single["fence.minimum"]),
        agent=single["fence.agent"],
        options=MappingProxyType(single["fence.options"]),
        secret_files=MappingProxyType(single["fence.secret_files"]),
        timeout_s=single["fence.timeout_s"],
        shares_fate_with=single["fence.shares_fate_with"],
        ssh=single["fence.ssh"],
        may_off=single["fence.may_off"] or (),
    )


def _ssh(single: Mapping[str, Any]) -> SshSite:
    fields = _under(single, "ssh")
    fields["transport"] = Transport(fields["transport"])
    return SshSite(**fields)


def _policy(values: Values) -> Policy:
    single = values.single
    witnesses_min = single["witnesses.min"]
    if witnesses_min is None:
        witnesses_min = min(1, len(values.tables["witness"]))
    return Policy(
        **_under(single, "watch"),
        witnesses_min=witnesses_min,
        fence_minimum=FenceGrade(single["fence.minimum"]),
        evidence_age_max_s=single["fence.evidence_age_max_s"],
        **_gap(single),
        plan_ttl_s=single["plan.ttl_s"],
        acknowledge_window_s=single["plan.acknowledge_window_s"],
        step_timeouts_s=MappingProxyType(single["plan.timeouts"]),
    )


def _gap(single: Mapping[str, Any]) -> dict[str, Any]:
    """Return the engine's limit in bytes; what is copied lags by time and has none."""
    limit = single.get(f"replication.{single['replication.engine']}.gap_bytes_max")
    return {} if limit is None else {"gap_bytes_max": limit}


def _shared_disk(values: Values) -> SharedDiskSite:
    tables = values.tables.get("replication.shared_disk.filesystem", ())
    found = tuple(SharedFilesystem(**_set(table)) for table in tables)
    return SharedDiskSite(
        **_set(_under(values.single, "replication.shared_disk")), filesystems=found
    )
