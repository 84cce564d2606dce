"""The part of a setup, on request, that moves a site to its service address (xcat-hamn.md §1, §6).

Owns which rows of xCAT's tables change and to what, and how names, address, rows, database file,
DNS and DHCP hang on each other. Every row is shown before and after; one that is no longer as it
was shown holds the plan before anything of its table is written. Nothing is guessed: what the
tables did not tell, or tell in a way that a person has to sort out, refuses the whole plan. Must
not know commands (dialects.converting).

The certificates stay: xCAT's clients verify the CA and not the name (§4.4).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from hamnd.core import tables
from hamnd.core.plans import Draft
from hamnd.core.plans.homeward import require_links
from hamnd.core.plans.switchover import from_partner
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Policy
from hamnd.dialects import converting, linux, preparing, serving, xcat
from hamnd.dialects import tables as dialect
from hamnd.dialects.converting import Change
from hamnd.dialects.tables import Row, short
from hamnd.errors import PermanentError
from hamnd.model.names import Status
from hamnd.model.plan import Step
from hamnd.model.site import IdentityMode, Platform, ServiceAddress, Site
from hamnd.model.work import Action, Look

GUIDE = "-"
TOLD = tables.TOPIC.removeprefix("seen:")
"""Under which key the tables of the serving node are among what was seen."""
MOVE = "move-"  # so the ids of these steps begin
NAMES, ADDRESS, BOOT = f"{MOVE}names", f"{MOVE}address", f"{MOVE}boot"
DATABASE = f"{MOVE}database"
NEEDED = (*tables.NAMING, "policy")
SHOWN_MAX = 6
POLICY_FROM = 50  # new rows of policy are 1.50 and on: what people add begins lower
SERVES = ("dns", "dhcp", "consoles")
"""Steps of a takeover that write what has the address in it."""
_PARTS = re.compile(r"([\s,;|]+|:(?=/))")

Rows = Mapping[str, tuple[Row, ...]]


def conversion_steps(draft: Draft, last: str) -> tuple[Step, ...]:
    """Return the steps that come after `last`.

    Raises:
        PermanentError: this site cannot be converted as it is; the message says what is not proven.
    """
    site, policy = draft.question.terms.site, draft.question.terms.policy
    if site.identity_mode is not IdentityMode.SERVICE_ADDRESS:
        raise PermanentError("identity.mode is primary_address: there is nothing to convert to")
    if site.platform is not Platform.LINUX:
        raise PermanentError("this hamnd converts no AIX site: chdef, and ifconfig alias, by hand")
    require_links(draft)
    there, platform = from_partner(draft.question.terms).site, platform_of(site)
    changes = changes_of(_told(draft), site)
    serving_steps = platform.steps(there, policy, platform.as_guarded(draft.their_seen))
    known = {one.id: one for one in serving_steps}
    names = replace(_names(site, policy), depends_on=(last,))
    address, boot = _address(known["identity"]), _boot(known["boot"])
    moved = (*_rows(there, policy, changes), *_database(site, there, policy))
    moved = _remaking_back(moved, [known[one] for one in SERVES if one in known], there)
    moved = _one_by_one((address, boot, *moved))[2:]
    before = (ADDRESS, *(one.id for one in moved))
    remade = [_remade(known[one], there, before) for one in SERVES if one in known]
    proof = _proof(known["verify"], (*before, *(one.id for one in remade)))
    return (names, address, boot, *moved, *remade, proof)


def changes_of(told: Rows, site: Site) -> tuple[Change, ...]:
    """Return every value that names the primary itself where nodes look for their server."""
    found = [
        Change(table, tables.KEY[table], row.get(tables.KEY[table], ""), attribute, value, after)
        for table in tables.NAMING
        for row in told.get(table, ())
        for attribute, value in _naming(table, row)
        if (after := _moved(value, site)) != value
    ]
    changed = {(one.table, one.key, one.attribute) for one in found}
    for row in told.get("networks", ()):
        name, value = row.get("netname", ""), row.get("tftpserver", "")
        service = tables.service_in(row, site)
        is_changed = ("networks", name, "tftpserver") in changed
        if service is not None and value.strip() in tables.FACING and not is_changed:
            found.append(Change("networks", "netname", name, "tftpserver", value, service))
    return (*found, *_trusted(told, site))


def _naming(table: str, row: Row) -> list[tuple[str, str]]:
    if table == "site":
        is_one = row.get("key", "") in tables.NAMING["site"]
        return [("value", row.get("value", ""))] if is_one else []
    return [(one, row.get(one, "")) for one in tables.NAMING[table]]


def _moved(value: str, site: Site) -> str:
    """Return a list of addresses and names with the primary's own replaced."""
    own, service = site.primary, _near(site.primary.address, site)
    moved = {tables.spelled(own.address): service.address, short(own.name): service.name}
    parts = _PARTS.split(value)
    parts[::2] = [moved.get(tables.spelled(one), one) if one else one for one in parts[::2]]
    return "".join(parts)


def _near(address: str, site: Site) -> ServiceAddress:
    """Return the service address on the network of an own one; the first where none is."""
    return next((one for one in site.identity if tables.is_beside(address, one)), site.identity[0])


def _trusted(told: Rows, site: Site) -> list[Change]:
    taken = {one.get("priority", "") for one in told.get("policy", ())}
    free = (f"1.{number}" for number in range(POLICY_FROM, 100) if f"1.{number}" not in taken)
    return [
        Change("policy", "priority", priority, attribute, "", value, is_new=True)
        for name, priority in zip(tables.untrusted(told, site), free, strict=False)
        for attribute, value in (("name", name), ("rule", "trusted"))
    ]


def _told(draft: Draft) -> Rows:
    """Return the tables as the primary told them, all that are needed.

    Raises:
        PermanentError: it did not, or what they tell is for a person to sort out.
    """
    terms = draft.question.terms
    partner, report = terms.site.partner.name, draft.seen.get(TOLD)
    told = None if report is None else dialect.parse(report)
    if report is None or told is None:
        raise PermanentError(f"the tables of {partner} were not read yet: try again soon")
    missing = [one for one in NEEDED if one not in told]
    if missing:
        raise PermanentError(
            f"{partner} did not tell its table {missing[0]} whole: what is not seen is not changed"
        )
    status, _, message = dict(tables.judged(report, terms))["TableInterfaces"]
    if status is not Status.TRUE:
        raise PermanentError(message)
    return told


def _names(site: Site, policy: Policy) -> Step:
    hosts = (site.primary.name, site.standby.name)
    return Step(
        id=NAMES,
        title=f"both nodes know {', '.join(one.name for one in site.identity)} by name",
        guide=GUIDE,
        host=site.node,
        actions=tuple(preparing.teach_services(site, one) for one in hosts),
        postconditions=tuple(preparing.knows_services(site, one) for one in hosts),
        timeout_s=policy.step_timeout_s(NAMES, 30.0),
    )


def _address(step: Step) -> Step:
    """The primary takes the service address besides its own, as a takeover takes it."""
    return replace(
        step,
        id=ADDRESS,
        title=f"{step.host} takes the service address besides its own",
        guide=GUIDE,
        depends_on=(NAMES,),
        after=(),
        needs_fence=False,
    )


def _boot(step: Step) -> Step:
    """From now on the address comes up with the guard, or the cluster's server has none."""
    return replace(
        step, id=BOOT, depends_on=(ADDRESS,), after=(), compensation=(), needs_fence=False
    )


def _rows(there: Site, policy: Policy, changes: tuple[Change, ...]) -> tuple[Step, ...]:
    """Return one step for each table that has rows to change."""
    groups: dict[str, list[Change]] = {}
    for one in changes:
        groups.setdefault(one.table, []).append(one)
    steps: list[Step] = []
    for table, rows in ((one, tuple(found)) for one, found in groups.items()):
        told = "; ".join(one.told for one in rows[:SHOWN_MAX])
        more = f"; and {len(rows) - SHOWN_MAX} more (--verbose)" if len(rows) > SHOWN_MAX else ""
        steps.append(
            Step(
                id=f"{MOVE}{table}",
                title=f"table {table}: {told}{more}",
                guide=GUIDE,
                host=there.node,
                depends_on=(ADDRESS,),
                actions=converting.write_rows(there, rows),
                preconditions=(converting.are_known(there, rows),),
                postconditions=(converting.are_written(there, rows),),
                timeout_s=policy.step_timeout_s(f"{MOVE}{table}", 300.0),
                compensation=converting.put_rows_back(there, rows),
            )
        )
    return tuple(steps)


def _database(site: Site, there: Site, policy: Policy) -> tuple[Step, ...]:
    """Return how xcatd opens its database where the address is; it has one only over the network.

    It is opened there before anything changes: an xcatd whose database refuses it never comes up.
    """
    if site.engine not in converting.WITH_HOST:
        return ()
    address, unit = _near(site.primary.address, site).address, site.services.xcatd
    hosts = (site.primary.name, site.standby.name)
    return (
        Step(
            id=DATABASE,
            title=f"{site.cfgloc} names {address} on both nodes; restart xcatd on {there.node}",
            guide=GUIDE,
            host=there.node,
            depends_on=(ADDRESS,),
            actions=(
                *(converting.rehost(site, one, address) for one in hosts),
                serving.restart_first(there, unit),
            ),
            preconditions=(converting.opens(site, there.node, address),),
            postconditions=(
                *(converting.is_hosted(site, one, address) for one in hosts),
                *_xcatd(there, unit),
            ),
            timeout_s=policy.step_timeout_s(DATABASE, 120.0),
            wait_s=60.0,
            compensation=(
                *(converting.rehost_back(site, one, address) for one in hosts),
                serving.restart_first(there, unit),
            ),
            undone=_xcatd(there, unit),
        ),
    )


def _xcatd(there: Site, unit: str) -> tuple[Look, ...]:
    return linux.any_active(there, unit), xcat.version(there), xcat.site_table(there)


def _made(step: Step, there: Site) -> tuple[Action, ...]:
    """A primary that serves has its own leases: nothing is restored over them."""
    return xcat.make_dhcp(there) if step.id == "dhcp" else step.actions


def _remaking_back(
    moved: tuple[Step, ...], serving_steps: list[Step], there: Site
) -> tuple[Step, ...]:
    """The first that moved is the last that is taken back: then all is written as it was before."""
    if not moved:
        return ()
    made = tuple(action for one in serving_steps for action in _made(one, there))
    first = replace(moved[0], compensation=(*moved[0].compensation, *made))
    return (first, *moved[1:])


def _one_by_one(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """A step of its own line on the card: what is side by side is told by its name alone there."""
    waiting = zip(steps[1:], steps, strict=False)
    return (steps[0], *(replace(one, depends_on=(before.id,)) for one, before in waiting))


def _remade(step: Step, there: Site, before: tuple[str, ...]) -> Step:
    """What has the address in it is written anew; an undo leaves that to the rows' way back.

    DHCP is asked for the probe node, which in a takeover step xcatd defines.
    """
    probe = (xcat.remove_probe(there), xcat.write_probe(there)) if step.id == "dhcp" else ()
    return replace(
        step,
        id=f"{MOVE}{step.id}",
        guide=GUIDE,
        depends_on=before,
        after=(),
        actions=(*probe, *_made(step, there)),
        readiness=(),
        compensation=probe[:1],
        needs_fence=False,
    )


def _proof(step: Step, before: tuple[str, ...]) -> Step:
    return replace(
        step,
        id=f"{MOVE}{step.id}",
        title=f"ask over the service address as the nodes will, for {step.host}",
        guide=GUIDE,
        depends_on=before,
        after=(),
        actions=tuple(one for one in step.actions if one.reads == "xcat.probe_removed"),
        readiness=(),
        needs_fence=False,
    )
