"""The single steps of which a PostgreSQL standby is made, each with its proof.

Owns what a step does, needs and proves. Must not know in which plan it is (postgresql_steps) nor
build commands (dialects.postgresql).
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.replication.pairing import HAND_OVER_S, Pairing
from hamnd.dialects.postgresql import commands, held, pairing
from hamnd.model.plan import Step

KEPT_BY_SETUP = "setup"
"""What a standby had before it was set up is kept under this label; it may have had nothing."""
COPY_S = 6 * 3600.0


def open_source(pair: Pairing, after: tuple[str, ...]) -> tuple[Step, ...]:
    """Role, access and slot on the primary; where role and access are the site's, they are seen."""
    site, host = pair.site, pair.source.name
    has_role = site.postgresql.replication_passfile is not None
    access = Step(
        id="db-access",
        title=f"let {pair.standby.name} replicate from {host}",
        guide="5.2",
        host=host,
        depends_on=after,
        actions=(pairing.make_role(site, host), *pairing.let_in(site, host)) if has_role else (),
        preconditions=(pairing.can_send(site, host),),
        postconditions=(pairing.lets_in(site, pair.standby, pair.source),),
        timeout_s=pair.limit_s("db-access", 60.0),
    )
    if not site.postgresql.slot_keep_mib:
        return (access,)
    slot = Step(
        id="db-slot",
        title=f"keep the log on {host} for {pair.standby.name}",
        guide="5.2",
        host=host,
        depends_on=("db-access",),
        actions=(pairing.make_slot(site, host, pair.standby),),
        postconditions=(pairing.has_slot(site, host, pair.standby),),
        timeout_s=pair.limit_s("db-slot", 60.0),
    )
    return access, slot


def hold(pair: Pairing, is_setup: bool = False) -> Step:
    """Stop the server of the one that will follow, and keep everybody from starting it."""
    site, host = pair.site, pair.standby.name
    return Step(
        id="hold",
        title=f"stop PostgreSQL on {host}, and let nobody start it",
        guide="9",
        host=host,
        actions=(*held.stop(site, host), held.hold(site, host)),
        preconditions=(held.is_its_place(site, host, is_setup),),
        postconditions=(held.is_held(site, host, pair.source, is_setup),),
        timeout_s=pair.limit_s("hold", 2.0 * held.STOP_S),
        compensation=(held.give_back(site, host),),
    )


def keep(pair: Pairing, label: str, is_moved: bool, what: str = "") -> Step:
    """Keep what it had; `what` of it is nowhere else."""
    site, host = pair.site, pair.standby.name
    told = f"keep what {host} had" + (f", {what} of it only there" if what else "")
    return Step(
        id="preserve",
        title=told,
        guide="9",
        host=host,
        depends_on=("hold",),
        actions=(held.keep(site, host, label, is_moved),),
        preconditions=() if is_moved else (held.has_room(site, host),),
        postconditions=(held.is_kept(site, host, label, is_moved, label == KEPT_BY_SETUP),),
        timeout_s=pair.limit_s("preserve", COPY_S),
    )


def copy(pair: Pairing) -> Step:
    """A whole new copy of the primary."""
    site, standby, source = pair.site, pair.standby, pair.source
    after = "db-slot" if site.postgresql.slot_keep_mib else "db-access"
    return Step(
        id="db-copy",
        title=f"copy the database of {source.name} to {standby.name}",
        guide="5.2",
        host=standby.name,
        depends_on=("preserve", after),
        actions=(
            *held.copy(site, standby, source),
            held.follow(site, standby, source, is_new=True),
        ),
        postconditions=(held.follows(site, standby, source, is_new=True),),
        timeout_s=pair.limit_s("db-copy", COPY_S),
        progress=pairing.progress(site, source.name),
    )


def recover(pair: Pairing) -> Step:
    """A crashed server replays its own log to the end, served to nobody; pg_rewind needs that."""
    site, host = pair.site, pair.standby.name
    return Step(
        id="db-recover",
        title=f"bring the data of {host} to an orderly end, without serving it",
        guide="9",
        host=host,
        depends_on=("preserve",),
        actions=(held.recover(site, host),),
        postconditions=(held.is_shut_down(site, host),),
        timeout_s=pair.limit_s("db-recover", 2.0 * held.RECOVER_S),
    )


def checkpoint(pair: Pairing) -> Step:
    """Without it pg_rewind goes by the old timeline, and two of its failures are silent."""
    site, host = pair.site, pair.source.name
    return Step(
        id="db-checkpoint",
        title=f"checkpoint on {host}: its control file has to name the new timeline",
        guide="9",
        host=host,
        actions=(pairing.checkpoint(site, host),),
        postconditions=(pairing.is_checkpointed(site, host),),
        timeout_s=pair.limit_s("db-checkpoint", 300.0),
    )


def rewind(pair: Pairing) -> Step:
    """Take back what diverged, and follow."""
    site, standby, source = pair.site, pair.standby, pair.source
    return Step(
        id="db-rewind",
        title=f"take {standby.name} back to where {source.name} went on (pg_rewind)",
        guide="9",
        host=standby.name,
        depends_on=("db-recover", "db-checkpoint", "db-access"),
        actions=(
            held.rewind(site, standby, source),
            held.follow(site, standby, source, is_new=False),
        ),
        postconditions=(held.follows(site, standby, source, is_new=False),),
        timeout_s=pair.limit_s("db-rewind", COPY_S),
        reversible=False,
    )


def follow(pair: Pairing) -> Step:
    """After an orderly stop nothing diverged: the old primary just goes on behind the new one."""
    site, standby, source = pair.site, pair.standby, pair.source
    return Step(
        id="db-follow",
        title=f"have {standby.name} follow {source.name}",
        guide="9",
        host=standby.name,
        depends_on=("promote", "db-access"),
        actions=(held.follow(site, standby, source, is_new=False),),
        postconditions=(held.follows(site, standby, source, is_new=False),),
    )


def start(pair: Pairing, after: str, is_new: bool) -> Step:
    """Start it; only as a standby."""
    site, standby = pair.site, pair.standby
    slot = ("db-slot",) if site.postgresql.slot_keep_mib else ()
    return Step(
        id="db-start",
        title=f"start PostgreSQL on {standby.name} as a standby",
        guide="9",
        host=standby.name,
        depends_on=(after, *slot),
        actions=held.start(site, standby.name, is_new),
        preconditions=(held.follows(site, standby, pair.source, is_new),),
        postconditions=(commands.is_in_recovery(site, standby.name),),
        timeout_s=pair.limit_s("db-start", 300.0),
        wait_s=60.0,
    )


def replicate(pair: Pairing) -> tuple[Step, ...]:
    """The last step of every way: both ends say that the log flows, as it is to flow.

    Where the primary is to wait for the standby it is told so only once the standby streams:
    before, every commit of the cluster's own database would hang.
    """
    if not pair.site.postgresql.synchronous:
        return (_flows(pair, "replicate", "db-start"),)
    site, standby, source = pair.site, pair.standby, pair.source
    is_sent = pairing.sends(site, source.name, standby, is_waiting=False)
    waits = Step(
        id="replicate",
        title=f"every commit on {source.name} waits for the disk of {standby.name}",
        guide="9",
        host=source.name,
        depends_on=("db-flow",),
        actions=(pairing.wait_for(site, source.name, standby),),
        preconditions=(is_sent, pairing.receives(site, standby.name)),
        postconditions=(
            pairing.sends(site, source.name, standby, is_waiting=True),
            pairing.receives(site, standby.name),
        ),
        timeout_s=pair.limit_s("replicate", 60.0),
        wait_s=30.0,
        compensation=(commands.wait_for_nobody(site, source.name),),
    )
    return _flows(pair, "db-flow", "db-start"), waits


def _flows(pair: Pairing, name: str, after: str) -> Step:
    """Nothing is done any more: what was started is seen to receive."""
    site, standby, source = pair.site, pair.standby, pair.source
    return Step(
        id=name,
        title=f"{standby.name} receives what {source.name} writes",
        guide="9",
        host=source.name,
        depends_on=(after,),
        postconditions=(
            pairing.sends(site, source.name, standby, is_waiting=False),
            pairing.receives(site, standby.name),
        ),
        timeout_s=pair.limit_s(name, 60.0),
        wait_s=60.0,
    )


def quiesce(pair: Pairing) -> Step:
    """A server that is stopped in order sends all it has first; that is looked at, not believed."""
    site, host = pair.site, pair.standby.name
    stop = held.stop(site, host)
    return Step(
        id="quiesce",
        title=f"stop PostgreSQL on {host} in order: it hands over what it has",
        guide="7",
        host=host,
        actions=(*stop, held.hold(site, host)),
        preconditions=(
            held.is_its_place(site, host),
            pairing.sends(site, host, pair.source, site.postgresql.synchronous),
            pairing.receives(site, pair.source.name),
        ),
        postconditions=(held.is_held(site, host, pair.source), held.has_handed_over(site, host)),
        timeout_s=pair.limit_s("quiesce", 2.0 * held.STOP_S),
        wait_s=30.0,
        compensation=(held.give_back(site, host), held.start_again(site, host)),
    )


def hand_over(pair: Pairing) -> Step:
    """The same before a takeover, for as long as that may wait; it is switched off soon after.

    Its data keeps its name: whoever boots it again finds it as after any takeover.
    """
    site, host = pair.site, pair.standby.name
    limit_s = pair.limit_s("quiesce", HAND_OVER_S)
    return replace(
        quiesce(pair),
        actions=held.stop(site, host),
        postconditions=(held.has_handed_over(site, host, is_held=False),),
        timeout_s=limit_s,
        wait_s=limit_s,
        compensation=(held.start_again(site, host),),
        is_optional=True,
    )
