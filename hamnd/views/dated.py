"""Where and why a step is not done as the guide of 2010 says.

Owns the reasons, by step; a runbook and a card show them. Must not know what a step does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hamnd.model.names import PlanKind
from hamnd.model.plan import SETUP

if TYPE_CHECKING:
    from hamnd.model.site import Site

GRACEFUL = "graceful"

NOTES_TAKEOVER = """\
fence: The guide takes the database over first and shuts the primary down second. A primary that
 still lives would go on writing, and there would be two: it is off before the takeover is forced.
"""
NOTES_TAKEOVER_DB2 = """\
promote: The guide goes to BY FORCE at once. BY FORCE PEER WINDOW ONLY comes first: while the window
 is open nothing is lost. Plain BY FORCE may lose what the primary wrote last: that is a decision,
 not a step.
"""
"""Of a takeover that is forced alone: in a graceful one the primary hands over first."""

NOTES_PROMOTE_DB2 = """\
promote: The guide writes USER xcatdb USING and the password: a command line is read by everybody.
 Run as the instance owner, Db2 asks for none.
"""
"""Of a takeover, forced or not."""

NOTES_DB2 = """\
db-stop: The guide stops HADR without looking. Only a database whose role is PRIMARY by now may be
 stopped: STOP HADR on a standby ends the standby.
db-rehome: The guide leaves HADR_LOCAL_HOST and HADR_REMOTE_HOST as they were: after the move they
 name the wrong machines.
db-rehome: After SQL1117N the guide ends with a rollforward to completion. Never do that: it makes
 the database independent of its partner, for good. START HADR AS STANDBY resumes a standby.
xcatd: The guide starts xcatd as soon as Db2 runs. Activate the database and SELECT from it first:
 started on one that does not open, xcatd never comes up.
"""
"""Where the steps of any plan but setup differ because of the engine (db2-hadr.md §10, §11)."""

NOTES_AIX = """\
identity: The guide ends mktcpip with -s and an empty word. -s takes no value: nothing empty is
 passed.
identity: mktcpip ends every session over this node's own address at once, and edits /etc/hosts.
 Work at the console, and keep a copy of that file.
osdeploy: The guide takes places from lsdef -t osimage -l, which has only names: they come from
 lsnim -l on the primary, while it lives. For each osimage IMG; leave out what it does not have.
 lpp_source is for standalone nodes only.
"""
"""The same because of the platform (aix.md §3.1, §5)."""

NOTES = """\
dns: The guide says makedns; after an address has moved it has to be makedns -n.
"""
"""The same on every site: the step, a colon, the reason; a line that begins blank goes on."""

NOTES_SETUP_DB2 = """\
db-log: The guide sets LOGRETAIN ON, which later versions of Db2 do not have: LOGARCHMETH1 archives
 the log. TRACKMOD has nothing to do with HADR, and stays as it is.
db-backup: The guide takes an offline backup, for which everybody has to leave. With the log
 archived an online backup that includes its logs is as good.
db-restore: The guide restores with REPLACE HISTORY FILE, which asks a question: WITHOUT PROMPTING.
 Nothing is rolled forward afterwards: that would make it a database of its own.
db-hadr: The guide sets HADR_TIMEOUT 3: each hiccup counts as a lost link, and with a peer window
 each one stops xCAT's commits. 60 to 120 s are advised. Its next UPDATE DB CFG is empty: left out.
db-hadr: The guide has no HADR_TARGET_LIST: from 10.1 on it is set on both.
db-standby: The guide writes passwords on command lines. The instance owner needs none.
"""
"""The same of setup (db2-hadr.md §11)."""
NOTES_CONVERSION = """\
move-verify: xCAT's certificates carry the machine's name and stay: its clients verify the CA, not
 the name. Afterwards, by hand: mknb ARCH (the boot image has the address in it), nodeset for nodes
 that boot by network, updatenode SN -P servicenode for service nodes that open the database.
"""


def differences(step_id: str, kind: PlanKind, site: Site, variant: str = "") -> list[str]:
    """Return why a step of a plan is not as in the guide; empty where it is, or has no section.

    Args:
        step_id: The step.
        kind: What the plan does: the guide's setup and takeover have differences of their own.
        site: Its engine and platform.
        variant: How the database is promoted; empty where that is not known before the night.
    """
    pairs = [line.partition(": ") for line in _notes(kind, site, variant).splitlines()]
    name = step_id.removeprefix(SETUP)
    return [reason for step, _, reason in pairs if step == name]


def _notes(kind: PlanKind, site: Site, variant: str) -> str:
    """Return all reasons for such a plan, one to a line."""
    is_db2 = site.engine == "db2"
    if kind is PlanKind.SETUP:
        text = (NOTES_SETUP_DB2 if is_db2 else "") + NOTES_CONVERSION
    else:
        is_takeover = kind is PlanKind.TAKEOVER
        is_forced = is_takeover and variant != GRACEFUL
        text = NOTES
        text += NOTES_TAKEOVER if is_forced else ""
        text += NOTES_PROMOTE_DB2 if is_takeover and is_db2 else ""
        text += NOTES_TAKEOVER_DB2 if is_forced and is_db2 else ""
        text += NOTES_DB2 if is_db2 else ""
        text += NOTES_AIX if site.platform.value == "aix" else ""
    return text.replace("\n ", " ")
