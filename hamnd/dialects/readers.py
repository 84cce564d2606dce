"""The readers by name: what the report of a look or an action means.

Owns `READERS` and the one difference between reading a look and reading an action. Must not know
any tool: each dialect brings its own readers. Readers are total: any report gives a reading.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from hamnd.dialects import (
    acquaintance,
    addresses,
    cfgloc,
    clock,
    converting,
    cronfiles,
    deployment,
    epoch,
    fence,
    filesets,
    jobs,
    keeping,
    levels,
    linux,
    network,
    processes,
    reach,
    running,
    salvage,
    serving,
    shared_disk,
    shell,
    shielding,
    silence,
    tables,
    witness,
    xcat,
)
from hamnd.dialects.aix import guarding, inittab, interfaces, nim, software, src, tcpip
from hamnd.dialects.copies import readers as copies
from hamnd.dialects.db2 import configuring, held, seeding, switching
from hamnd.dialects.db2 import readers as db2
from hamnd.dialects.dump import readers as dump
from hamnd.dialects.mariadb import readers as mariadb
from hamnd.dialects.postgresql import readers as postgresql
from hamnd.model.names import Verdict
from hamnd.model.work import Action, Ending, Looked, Reading, Report

Reader = Callable[[Report, tuple[str, ...]], Reading]

_HERE: Mapping[str, Reader] = {
    "shell.exit_zero": shell.read_exit_zero,
    "reach.ping": reach.read_ping_answered,
    "reach.claimed": reach.read_claimed,
    "reach.ping_silent": reach.read_ping_silent,
    "reach.answered": reach.read_answered,
    "reach.xcatd": reach.read_xcatd_good,
    "fence.is_off": fence.read_is_off,
    "fence.off_done": fence.read_off_done,
    "fence.monitor_ok": fence.read_monitor_ok,
    "fence.ssh_started": fence.read_ssh_started,
    "witness.reaches": witness.read_reaches,
    "cfgloc.readable": cfgloc.read_readable,
    "keeping.kept": keeping.read_kept,
    "cronfiles.readable": cronfiles.read_readable,
    "processes.readable": processes.read_readable,
    "processes.is_known": processes.read_is_known,
    "shielding.can_filter": shielding.read_can_filter,
    "shielding.rules_up": shielding.read_rules_up,
    "shielding.lowered": shielding.read_lowered,
    "shielding.sshd_refuses": shielding.read_sshd_refuses,
    "linux.guard_there": linux.read_guard_there,
    "serving.can_ask": serving.read_can_ask,
    "serving.http": serving.read_http,
    "serving.tftp": serving.read_tftp,
    "serving.dns": serving.read_dns,
    "serving.ntp": serving.read_ntp,
    "serving.nfs": serving.read_nfs,
    "deployment.nodes_told": deployment.read_nodes_told,
    "deployment.probed": deployment.read_probed,
    "filesets.pulled": filesets.read_pulled,
    "filesets.certificates_valid": filesets.read_certificates_valid,
    "filesets.verified": filesets.read_verified,
    "filesets.compared": filesets.read_compared,
    "salvage.pulled": salvage.read_pulled,
    "salvage.switched": salvage.read_switched,
    "salvage.fresh": salvage.read_fresh,
    "salvage.switched_back": salvage.read_switched_back,
    "linux.addresses": addresses.read_addresses,
    "linux.address_up": addresses.read_address_up,
    "linux.address_gone": addresses.read_address_gone,
    "linux.interface_there": addresses.read_interface_there,
    "linux.address_free": addresses.read_address_free,
    "linux.address_free6": addresses.read_address_free6,
    "linux.address_taken6": addresses.read_address_taken6,
    "linux.links": addresses.read_links,
    "linux.seen_by": addresses.read_seen_by,
    "linux.address_added": addresses.read_address_added,
    "linux.address_removed": addresses.read_address_removed,
    "linux.name_resolves": linux.read_name_resolves,
    "linux.any_active": linux.read_any_active,
    "linux.none_active": linux.read_none_active,
    "linux.unit_waiting": linux.read_unit_waiting,
    "linux.unit_stopped": linux.read_unit_stopped,
    "linux.disabled_each": linux.read_disabled_each,
    "jobs.crontab_readable": jobs.read_crontab_readable,
    "jobs.crontab_is": jobs.read_crontab_is,
    "jobs.crontab_harmless": jobs.read_crontab_harmless,
    "jobs.cron_files_harmless": jobs.read_cron_files_harmless,
    "jobs.timers_readable": jobs.read_timers_readable,
    "jobs.timers_harmless": jobs.read_timers_harmless,
    "jobs.nothing_writes": jobs.read_nothing_writes,
    "xcat.answers": xcat.read_answers,
    "xcat.database": xcat.read_database,
    "xcat.site_table": xcat.read_site_table,
    "xcat.site_master": xcat.read_site_master,
    "xcat.accepted": xcat.read_accepted,
    "xcat.done": xcat.read_done,
    "xcat.dns_made": xcat.read_dns_made,
    "xcat.dhcp_answers": xcat.read_dhcp_answers,
    "xcat.probe_present": xcat.read_probe_present,
    "xcat.probe_absent": xcat.read_probe_absent,
    "xcat.probe_removed": xcat.read_probe_removed,
}

_ELSEWHERE: tuple[Mapping[str, Reader], ...] = (
    clock.READERS,
    epoch.READERS,
    converting.READERS,
    running.READERS,
    silence.READERS,
    levels.READERS,
    acquaintance.READERS,
    tables.READERS,
    network.READERS,
    src.READERS,
    guarding.READERS,
    inittab.READERS,
    interfaces.READERS,
    tcpip.READERS,
    nim.READERS,
    software.READERS,
    db2.READERS,
    switching.READERS,
    held.READERS,
    seeding.READERS,
    configuring.READERS,
    mariadb.READERS,
    postgresql.READERS,
    copies.READERS,
    dump.READERS,
    shared_disk.READERS,
)
READERS: Mapping[str, Reader] = MappingProxyType(
    {**_HERE, **{name: one for readers in _ELSEWHERE for name, one in readers.items()}}
)


def read_look(looked: Looked) -> Reading:
    """Return what a look found: PASS as expected, BLOCK not so, UNKNOWN cannot tell (law 2)."""
    return _read(looked.look.reads, looked.report, looked.look.arguments)


def read_action(action: Action, report: Report) -> Reading:
    """Return whether an action was done: PASS done, BLOCK not done, UNKNOWN look again (law 5).

    Nothing was sent: for a look that says nothing about the world, for an action that it was
    certainly not carried out. The same holds for a refused connection.
    """
    if report.ending in (Ending.COULD_NOT_RUN, Ending.REFUSED):
        return Reading(Verdict.BLOCK, f"not sent: {report.detail or report.ending}")
    return _read(action.reads, report, ())


def _read(name: str, report: Report, arguments: tuple[str, ...]) -> Reading:
    """Read by name; a journal of a newer hamnd may name a reader that this one does not have."""
    reader = READERS.get(name)
    if reader is None:
        return Reading(Verdict.UNKNOWN, f"this hamnd has no reader {name}")
    return reader(report, arguments)
