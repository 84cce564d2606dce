"""The steps by which a MariaDB server becomes the standby of another: set-up, rejoin, switchover.

Owns what each step does, needs and proves, and their order. Must not build commands
(dialects.mariadb) nor judge what was lost (mariadb_return).

There is no rewind: a server with transactions of its own gets a new copy, and keeps what it had.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hamnd.core.policy import Terms
from hamnd.core.replication import Rejoin
from hamnd.core.replication.pairing import HAND_OVER_S, Pairing
from hamnd.dialects.mariadb import commands, pairing
from hamnd.errors import PermanentError
from hamnd.model.mariadb import Product
from hamnd.model.plan import Step
from hamnd.model.site import Node

COPY_S = 6 * 3600.0
KEPT_AT_SETUP = "setup"


@dataclass(frozen=True, slots=True)
class Had:
    """What the one that will follow has now."""

    kept_as: str
    diverged: str = ""
    """What only it has, as a range of GTIDs."""
    may_lack: bool = False
    """There may be nothing."""


def set_up(terms: Terms) -> tuple[Step, ...]:
    """Return how a pair is made of two servers (guide §5)."""
    pair = _pairing(terms, terms.site.primary, terms.site.standby)
    had = Had(KEPT_AT_SETUP, may_lack=True)
    return (_access(pair), _hold(pair, had), _keep(pair, had), *_anew(pair))


def rejoin(terms: Terms, task: Rejoin) -> tuple[Step, ...]:
    """Return how the returned old primary becomes the standby of this node (guide §9)."""
    pair = _pairing(terms, terms.site.own, terms.site.partner)
    had = Had(task.kept_as, task.diverged)
    return (_access(pair), _hold(pair, had), _keep(pair, had), *_anew(pair))


def switch_over(terms: Terms) -> tuple[Step, ...]:
    """Return how this node's server takes over in order, the partner following (guide §7)."""
    site = terms.site
    here = site.own
    pair = _pairing(terms, here, site.partner)
    quiesce = _quiesce(pair)
    promote = Step(
        id="promote",
        title="promote MariaDB (graceful)",
        guide="7",
        host=here.name,
        depends_on=("quiesce",),
        actions=(*commands.stop_following(site), *commands.take_writes(site)),
        preconditions=(commands.is_standby(site),),
        postconditions=(commands.is_writable(site),),
        timeout_s=pair.limit_s("promote", 60.0),
        reversible=False,
    )
    access = _access(pair, after=("promote",))
    return quiesce, promote, access, _follow(pair, ("promote", "db-access")), _replicate(pair)


def hand_over(terms: Terms) -> tuple[Step, ...]:
    """Return the same `quiesce` before a takeover, for as long as that may wait (guide §8)."""
    site = terms.site
    if site.mariadb.product is not Product.MARIADB:
        return ()
    pair = Pairing(terms, site.own, site.partner)
    limit_s = pair.limit_s("quiesce", HAND_OVER_S)
    return (replace(_quiesce(pair), timeout_s=limit_s, wait_s=limit_s, is_optional=True),)


def _quiesce(pair: Pairing) -> Step:
    """The old primary takes no writes any more; what it wrote is applied here."""
    site, here, there = pair.site, pair.source.name, pair.standby.name
    return Step(
        id="quiesce",
        title=f"MariaDB on {there} takes no writes any more, and hands over all",
        guide="7",
        host=there,
        actions=(commands.refuse_writes(site, there),),
        preconditions=(commands.is_replicating(site, here),),
        postconditions=(
            commands.is_read_only(site, there),
            pairing.has_handed_over(site, there, here),
        ),
        timeout_s=pair.limit_s("quiesce", 120.0),
        wait_s=60.0,
        compensation=commands.take_writes(site, there),
    )


def _pairing(terms: Terms, source: Node, standby: Node) -> Pairing:
    if terms.site.mariadb.product is not Product.MARIADB:
        raise PermanentError(
            "mariadb: hamnd copies only MariaDB servers (mariadb-backup); set a pair of MySQL up "
            "by its own CLONE plugin, then hamnd watches it and takes over"
        )
    return Pairing(terms, source, standby)


def _access(pair: Pairing, after: tuple[str, ...] = ()) -> Step:
    site, host = pair.site, pair.source.name
    return Step(
        id="db-access",
        title=f"let {pair.standby.name} replicate from {host}",
        guide="5.3",
        host=host,
        depends_on=after,
        actions=(pairing.grant(site, host),),
        preconditions=(commands.can_send(site, host),),
        postconditions=(pairing.lets_in(site, pair.standby, pair.source),),
        timeout_s=pair.limit_s("db-access", 60.0),
    )


def _hold(pair: Pairing, had: Had) -> Step:
    """Stop the server of the one that will follow, and keep everybody from starting it."""
    site, host = pair.site, pair.standby.name
    return Step(
        id="hold",
        title=f"stop MariaDB on {host}, and let nobody start it",
        guide="9",
        host=host,
        actions=(pairing.stop(site, host), pairing.hold(site, host)),
        preconditions=(pairing.is_in_place(site, host, may_lack=had.may_lack),),
        # Where nothing has to be there, nothing would be found held in the wrong place too.
        postconditions=(
            pairing.is_held(site, host, pair.source, had.kept_as, may_lack=had.may_lack),
            pairing.is_in_place(site, host, may_lack=True),
        ),
        timeout_s=pair.limit_s("hold", 120.0),
        compensation=(pairing.give_back(site, host),),
    )


def _keep(pair: Pairing, had: Had) -> Step:
    site, host = pair.site, pair.standby.name
    only = f", of it only there {had.diverged}" if had.diverged else ""
    return Step(
        id="preserve",
        title=f"keep what {host} had as {pairing.kept_of(site, had.kept_as)}{only}",
        guide="9",
        host=host,
        depends_on=("hold",),
        actions=(pairing.keep(site, host, had.kept_as),),
        postconditions=(
            pairing.is_kept(site, host, pair.source, had.kept_as, may_lack=had.may_lack),
        ),
        timeout_s=pair.limit_s("preserve", 120.0),
    )


def _anew(pair: Pairing) -> tuple[Step, ...]:
    """A whole new copy, started read-only, that follows."""
    site, host, source = pair.site, pair.standby.name, pair.source.name
    copying = Step(
        id="db-copy",
        title=f"copy the running database of {source} to {host}",
        guide="5.3",
        host=host,
        depends_on=("preserve", "db-access"),
        actions=pairing.copy(site, source, host),
        preconditions=(pairing.starts_read_only(site, host),),
        postconditions=(pairing.is_copied(site, host, pair.source),),
        timeout_s=pair.limit_s("db-copy", COPY_S),
    )
    starting = Step(
        id="db-start",
        title=f"start MariaDB on {host}, read-only",
        guide="9",
        host=host,
        depends_on=("db-copy",),
        actions=(pairing.start(site, host),),
        preconditions=(pairing.starts_read_only(site, host),),
        postconditions=(commands.is_read_only(site, host),),
        timeout_s=pair.limit_s("db-start", 300.0),
        wait_s=60.0,
    )
    return copying, starting, _follow(pair, ("db-start",)), _replicate(pair)


def _follow(pair: Pairing, after: tuple[str, ...]) -> Step:
    site, standby = pair.site, pair.standby
    return Step(
        id="db-follow",
        title=f"have {standby.name} follow {pair.source.name} by GTID",
        guide="5.3",
        host=standby.name,
        depends_on=after,
        actions=(pairing.follow(site, standby.name, pair.source),),
        preconditions=(commands.is_read_only(site, standby.name),),
        postconditions=(commands.is_replicating(site, standby.name),),
        timeout_s=pair.limit_s("db-follow", 60.0),
        wait_s=30.0,
    )


def _replicate(pair: Pairing) -> Step:
    """The last step of every way: both ends say that it flows."""
    site, source, standby = pair.site, pair.source.name, pair.standby.name
    return Step(
        id="replicate",
        title=f"{standby} receives and applies what {source} writes",
        guide="9",
        host=source,
        depends_on=("db-follow",),
        postconditions=(
            commands.sends(site, source),
            commands.is_replicating(site, standby),
        ),
        timeout_s=pair.limit_s("replicate", 60.0),
        wait_s=60.0,
    )
