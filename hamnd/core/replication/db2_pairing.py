"""The single steps of which a Db2 standby is made, each with its proof.

Owns what a step does, needs and proves. Must not know in which plan it is (db2_setup, db2_rejoin)
nor build commands (dialects.db2).
"""

from __future__ import annotations

from hamnd.core.replication.pairing import Pairing
from hamnd.dialects.db2 import commands, held, scripts, seeding, switching
from hamnd.model.plan import Step

COPY_S = 6 * 3600.0
"""What backup, copy, restore and the keeping of a database may take each."""
JOIN_S = 300.0
"""How long a standby may catch up until it is in Peer."""


def hold(pair: Pairing, is_killed: bool) -> Step:
    """The database of the one that will follow serves nobody, whoever starts its machine."""
    site, host = pair.site, pair.standby.name
    return Step(
        id="hold",
        title=f"{site.db2.database} on {host} serves nobody, whoever starts it",
        guide="9",
        host=host,
        actions=(held.hold(site, host, is_killed),),
        postconditions=held.is_held(site, host),
        timeout_s=pair.limit_s("hold", 180.0),
        wait_s=30.0,
    )


def keep(pair: Pairing, label: str, what: str = "") -> Step:
    """Keep what it had; `what` of it is nowhere else."""
    site, host = pair.site, pair.standby.name
    told = f"keep {site.db2.database} of {host} in {held.folder(site)}/{label}"
    return Step(
        id="preserve",
        title=told + (f": {what} is only there" if what else ""),
        guide="9",
        host=host,
        depends_on=("hold",),
        actions=(scripts.make_folder(site, host), held.keep(site, host, label)),
        preconditions=(held.is_held(site, host)[0], held.has_room(site, host, label)),
        postconditions=(held.is_kept(site, host, label),),
        timeout_s=pair.limit_s("preserve", COPY_S),
    )


def seed(pair: Pairing) -> tuple[Step, ...]:
    """A whole new copy of the primary, which goes on serving (guide §5.1.3, §5.1.4)."""
    site, source, standby = pair.site, pair.source.name, pair.standby.name
    database = site.db2.database
    backup = Step(
        id="db-backup",
        title=f"back up {database} on {source}, online",
        guide="5.1.3",
        host=source,
        depends_on=("preserve",),
        actions=(scripts.make_folder(site, source), seeding.backup(site, source, standby)),
        preconditions=(seeding.same_level(site),),
        postconditions=(seeding.is_backed_up(site, source, standby),),
        progress=seeding.progress(site, source),
        timeout_s=pair.limit_s("db-backup", COPY_S),
        skip_if_done=False,
    )
    copy = Step(
        id="db-copy",
        title=f"copy the image to {standby}",
        guide="5.1.4",
        host=site.node,
        depends_on=("db-backup",),
        actions=(scripts.make_folder(site, standby), seeding.copy(site, source, standby)),
        postconditions=(seeding.is_copied(site, source, standby),),
        timeout_s=pair.limit_s("db-copy", COPY_S),
    )
    restore = Step(
        id="db-restore",
        title=f"restore {database} on {standby}; what is there gives way",
        guide="5.1.4",
        host=standby,
        depends_on=("db-copy",),
        actions=(seeding.restore(site, standby),),
        preconditions=held.is_held(site, standby),
        postconditions=(seeding.is_restored(site, standby),),
        progress=seeding.progress(site, standby),
        timeout_s=pair.limit_s("db-restore", COPY_S),
        reversible=False,
    )
    return backup, copy, restore


def join(pair: Pairing, after: str) -> tuple[Step, ...]:
    """HADR as the mirror of the primary's; the standby first, since a primary waits for it."""
    site, source, standby = pair.site, pair.source.name, pair.standby.name
    mirror = Step(
        id="db-mirror",
        title=f"configure HADR on {standby} as the mirror of {source}'s",
        guide="5.1.6",
        host=site.node,
        depends_on=(after,),
        actions=(seeding.mirror(site, source, standby),),
        postconditions=(seeding.is_mirror(site, source, standby),),
        timeout_s=pair.limit_s("db-mirror", 60.0),
    )
    start = Step(
        id="db-standby",
        title=f"start HADR on {standby} as standby",
        guide="5.1.7",
        host=standby,
        depends_on=("db-mirror",),
        actions=(commands.start_hadr_as_standby(site, standby),),
        preconditions=(seeding.same_level(site),),
        postconditions=(seeding.is_active_standby(site, standby),),
        timeout_s=pair.limit_s("db-standby", 120.0),
        wait_s=30.0,
    )
    primary = Step(
        id="db-primary",
        title=f"HADR on {source} is on, as primary",
        guide="5.1.7",
        host=source,
        depends_on=("db-standby",),
        actions=(commands.start_hadr_as_primary(site, source, by_force=False),),
        postconditions=(seeding.is_active_primary(site, source),),
        timeout_s=pair.limit_s("db-primary", site.db2.hadr_timeout_s + 120.0),
        wait_s=30.0,
    )
    return mirror, start, primary


def replicate(pair: Pairing) -> Step:
    """Role, state and connection, read on both nodes (guide §5.1.8)."""
    site, source, standby = pair.site, pair.source.name, pair.standby.name
    return Step(
        id="replicate",
        title=f"{site.db2.database} on {standby} follows {source}, in Peer",
        guide="5.1.8",
        host=standby,
        depends_on=("db-primary",),
        postconditions=(
            seeding.joined(site, standby),
            switching.in_peer(site, source, "primary"),
        ),
        timeout_s=pair.limit_s("replicate", JOIN_S),
        wait_s=JOIN_S,
    )
