"""The whole life of a Db2 pair over the model: set up, handed over, taken back, rejoined.

Owns the stories of the engine's steps, carried out between two hosts. MUST NOT test the daemon,
whose plans put other steps around these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from hamnd.core.replication import (
    Examination,
    Finding,
    PartnerDatabase,
    Rejoin,
    Setup,
    Switchover,
    Task,
    Way,
)
from hamnd.core.replication.db2 import ENGINE
from hamnd.demo.db2_node import PairConfig
from hamnd.model.plan import Step
from tests.lab.site.db2 import OWNER, Db2
from tests.lab.site.faults import Faults
from tests.lab.site.fixtures import faults, lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.pair import CONFIG, DB2, configuration
from tests.lab.site.stepping import StepFailed, carry_out, take_looks, terms_of

__all__ = ["faults", "lab"]
pytestmark = [pytest.mark.lab, needs_lab()]

TIMES = PairConfig(hadr_timeout_s=5, peer_window_s=20, takeover_s=0.5)


def pair(lab: Lab, times: PairConfig = TIMES) -> Db2:
    """The pair in Peer, with hamnd's configuration on both hosts and nobody running it."""
    db2 = Db2(lab, times)
    engine = DB2.format(hadr_timeout_s=times.hadr_timeout_s, peer_window_s=times.peer_window_s)
    for name in db2.pair.nodes:
        lab[name].write(f"/home/{OWNER}/sqllib/db2profile", f"export DB2INSTANCE={OWNER}\n")
        lab[name].write(CONFIG, configuration(name, engine), 0o640)
    return db2


def steps(lab: Lab, task: Task, node: str = "mn2") -> tuple[Step, ...]:
    return ENGINE.steps(terms_of(lab[node]), task)


def undo(done: Sequence[Step]) -> tuple[Step, ...]:
    """What takes these steps back, the latest first, as the plan `undo` has it."""
    return tuple(
        replace(
            one,
            actions=one.compensation,
            preconditions=(),
            postconditions=(),
            skip_if_done=False,
        )
        for one in reversed(done)
        if one.compensation
    )


def test_the_primary_hands_over_and_home_again_and_no_row_is_lost(lab: Lab) -> None:
    """Given a pair in Peer with clients, when it is switched over on mn2 and home on mn1, then
    each becomes primary in turn, the other follows in Peer, and every row is on both."""
    db2 = pair(lab)
    assert db2.write("mn1", "lab_rows", "before")
    ended = carry_out(lab["mn2"], steps(lab, Switchover()))
    assert [(one.id, one.outcome) for one in ended[:2]] == [
        ("quiesce", "done"),
        ("promote", "done"),
    ]
    assert (db2.state("mn1"), db2.state("mn2")) == ("STANDBY PEER", "PRIMARY PEER")
    assert db2.writable() == ("mn2",)
    assert db2.write("mn2", "lab_rows", "between")
    carry_out(lab["mn1"], steps(lab, Switchover(), "mn1"))
    assert (db2.state("mn1"), db2.state("mn2")) == ("PRIMARY PEER", "STANDBY PEER")
    assert set(db2.pair.rows("mn1", "lab_rows")) == {"before", "between"}
    assert db2.lost("mn2", "mn1") == 0


def test_a_client_that_comes_back_keeps_its_primary(lab: Lab) -> None:
    """Given clients that connect again at once, when the pair is switched over, then it ends at
    quiesce with their names, nothing has moved, and the way back leaves all as it was."""
    db2 = pair(lab, replace(TIMES, clients_return_s=0.0))
    planned = steps(lab, Switchover())
    hurried = replace(planned[0], wait_s=2.0)
    with pytest.raises(StepFailed, match=r"quiesce: postcondition: .* connected: xcatd"):
        carry_out(lab["mn2"], (hurried, *planned[1:]))
    carry_out(lab["mn2"], undo(planned[:1]))
    assert (db2.state("mn1"), db2.state("mn2")) == ("PRIMARY PEER", "STANDBY PEER")
    assert db2.writable() == ("mn1",)


def test_what_was_handed_over_is_taken_back(lab: Lab) -> None:
    """Given a switchover that ended after promote, when it is taken back, then mn1 is primary."""
    db2 = pair(lab)
    planned = steps(lab, Switchover())
    carry_out(lab["mn2"], planned[:2])
    assert db2.write("mn2", "lab_rows", "meanwhile")
    carry_out(lab["mn2"], undo(planned[:2]))
    assert (db2.state("mn1"), db2.state("mn2")) == ("PRIMARY PEER", "STANDBY PEER")
    assert "meanwhile" in db2.pair.rows("mn1", "lab_rows")
    carry_out(lab["mn2"], undo(planned[:2]))
    assert db2.state("mn1") == "PRIMARY PEER", "taken back twice is taken back"


def test_a_link_that_breaks_is_no_reason_to_promote(lab: Lab, faults: Faults) -> None:
    """Given a primary without connections, when the link breaks, then promote is not begun."""
    db2 = pair(lab)
    planned = steps(lab, Switchover())
    carry_out(lab["mn2"], planned[:1])
    faults.kill_process("mn1", "db2sysc")
    wait_until(lambda: db2.state("mn2") != "STANDBY PEER", "the standby notices", 30)
    with pytest.raises(StepFailed, match=r"promote: precondition: STANDBY in DISCONNECTED_PEER"):
        carry_out(lab["mn2"], planned[1:])
    assert db2.state("mn2").startswith("STANDBY")


# From two servers of their own to a pair.

ALONE = replace(TIMES, is_paired=False)


def test_two_databases_of_their_own_become_a_pair(lab: Lab) -> None:
    """Given a database that logs in circles and another one on the standby, when the pair is set
    up, then they are in Peer with the primary's rows, what the standby had is kept, and set-up
    done once more finds everything done."""
    db2 = pair(lab, ALONE)
    assert db2.write("mn1", "lab_rows", "the site's own")
    ended = carry_out(lab["mn2"], steps(lab, Setup()))
    assert {one.outcome for one in ended} <= {"done", "already"}
    assert (db2.state("mn1"), db2.state("mn2")) == ("PRIMARY PEER", "STANDBY PEER")
    assert db2.writable() == ("mn1",)
    assert set(db2.pair.rows("mn2", "lab_rows")) == {"the site's own"}
    kept = lab["mn2"].run("sh", "-c", "cat /var/lib/hamnd-db2/kept/setup/1/SQL00001/LOG*/*")
    assert kept == "the log of mn2\n"
    assert "DB2_HADR_2\t55002/tcp" in lab["mn1"].run("cat", "/etc/services")
    again = carry_out(lab["mn1"], steps(lab, Setup(), "mn1"))
    assert [one.id for one in again if one.outcome != "already"] == ["db-backup"]
    assert not lab["mn1"].path("/var/lib/hamnd-db2/image/new").exists()
    assert (db2.state("mn1"), db2.state("mn2")) == ("PRIMARY PEER", "STANDBY PEER")
    carry_out(lab["mn2"], steps(lab, Switchover()))
    assert db2.writable() == ("mn2",), "what was set up can be switched over"


def test_a_primary_that_set_up_left_closed_is_opened_again_and_set_up_goes_on(lab: Lab) -> None:
    """Given a set-up that ended before its first backup, so that Db2 refuses every connection,
    when it is taken back, then the primary serves again; and set-up is finished from there."""
    db2 = pair(lab, ALONE)
    planned = steps(lab, Setup())
    at = next(number for number, one in enumerate(planned) if one.id == "db-log")
    carry_out(lab["mn2"], planned[:at])
    by_hand = (
        "db2 update db cfg for XCATDB using LOGARCHMETH1 DISK:/tmp; db2 force applications all"
    )
    lab["mn1"].run("su", "-", OWNER, "-c", f"{by_hand}; db2 deactivate db XCATDB")
    said = lab["mn1"].ask("su", "-", OWNER, "-c", "db2 activate db XCATDB").text
    assert "SQL1116N" in said
    carry_out(lab["mn2"], undo(planned[at : at + 1]))
    assert "mn1" in db2.writable()
    carry_out(lab["mn2"], planned)
    assert (db2.state("mn1"), db2.state("mn2")) == ("PRIMARY PEER", "STANDBY PEER")


def test_set_up_replaces_no_primary_and_takes_no_port_of_others(lab: Lab) -> None:
    """Given a pair whose roles are the other way round, when it is set up as configured, then the
    database that serves is refused as a standby; and a port that is taken is named."""
    db2 = pair(lab)
    carry_out(lab["mn2"], steps(lab, Switchover()))
    hold = next(one for one in steps(lab, Setup(), "mn1") if one.id == "hold")
    with pytest.raises(StepFailed, match="it is a primary, and set-up replaces none"):
        carry_out(lab["mn1"], (hold,))
    assert db2.writable() == ("mn2",)
    lab["mn1"].run("sh", "-c", "sed -i '/DB2_HADR_2/d' /etc/services")
    lab["mn1"].run("sh", "-c", "echo 'other 55002/tcp' >>/etc/services")
    with pytest.raises(StepFailed, match="55002/tcp is other"):
        carry_out(lab["mn1"], steps(lab, Setup(), "mn1")[:1])


# The way back of the old primary.


def taken_over(lab: Lab, faults: Faults, db2: Db2, is_ahead: bool) -> None:
    """mn1 loses its power, mn2 is primary, mn1 is back with its instance and no database.

    `is_ahead`: mn1 went on alone for a while, so its log has what mn2 never had.
    """
    if is_ahead:
        faults.pair_cut()
        wait_until(lambda: db2.state("mn1") == "PRIMARY DISCONNECTED", "mn1 goes on alone", 60)
        assert db2.write("mn1", "lab_rows", "only there")
    faults.off("mn1")
    wait_until(lambda: db2.state("mn2") != "STANDBY PEER", "the standby notices", 30)
    by_force = "db2 takeover hadr on db XCATDB by force"
    assert "DB20000I" in lab["mn2"].run("su", "-", OWNER, "-c", by_force)
    faults.heal()
    faults.on("mn1")
    wait_until(lambda: lab["mn2"].ask("ssh", "mn1", "true").code == 0, "mn1 is back", 60)


def found(lab: Lab) -> Finding:
    """What the engine makes of the returned old primary, on fresh looks of the new one."""
    here = terms_of(lab["mn2"])
    view = ENGINE.view(here, take_looks(lab["mn2"], ENGINE.looks(here)))
    reports = take_looks(lab["mn2"], ENGINE.return_looks(here, view))
    return ENGINE.examine(here, Examination(None, PartnerDatabase(), view, reports))


def test_an_old_primary_whose_log_ends_where_ours_went_on_joins_as_it_is(
    lab: Lab, faults: Faults
) -> None:
    """Given a primary that lost its power in Peer, and a forced takeover, when it is back and
    rejoins, then it follows with its own data in Peer, and holds what was written since."""
    db2 = pair(lab)
    db2.pair.set_load("mn1", 0.0, db2.now())
    taken_over(lab, faults, db2, is_ahead=False)
    task = found(lab).rejoin
    assert task is not None
    assert task.way is Way.REINTEGRATE
    assert db2.write("mn2", "lab_rows", "since")
    ended = carry_out(lab["mn2"], steps(lab, task))
    assert ended[-1].outcome in ("done", "already")
    assert (db2.state("mn1"), db2.state("mn2")) == ("STANDBY PEER", "PRIMARY PEER")
    assert "since" in db2.pair.rows("mn1", "lab_rows")
    assert {one.outcome for one in carry_out(lab["mn2"], steps(lab, task))} <= {"already", "done"}


def test_a_log_that_diverged_is_refused_kept_and_replaced(lab: Lab, faults: Faults) -> None:
    """Given an old primary that went on alone before it died, when it rejoins with its own data,
    then Db2 shuts it down and nothing is lost of it; examined again it gets a new copy, what it
    had is kept, and hamnd says so instead of zero."""
    db2 = pair(lab)
    taken_over(lab, faults, db2, is_ahead=True)
    task = found(lab).rejoin
    assert task is not None
    first = tuple(replace(one, wait_s=min(one.wait_s, 5.0)) for one in steps(lab, task))
    with pytest.raises(StepFailed, match=r"replicate: .*its log has diverged"):
        carry_out(lab["mn2"], first)
    assert "only there" in db2.pair.rows("mn1", "lab_rows"), "trying takes nothing away"
    finding = found(lab)
    assert finding.rejoin is not None
    assert finding.rejoin.way is Way.RESEED
    ended = carry_out(lab["mn2"], steps(lab, finding.rejoin))
    assert ended[-1].outcome in ("done", "already")
    assert (db2.state("mn1"), db2.state("mn2")) == ("STANDBY PEER", "PRIMARY PEER")
    kept = lab["mn1"].run("sh", "-c", "cat /var/lib/hamnd-db2/kept/diverged/1/SQL00001/LOG*/*")
    assert kept == "the log of mn1\n"
    actual = found(lab).actual
    assert actual is not None
    assert "kept there as diverged" in actual


def test_an_old_primary_that_serves_is_ended_without_a_record(lab: Lab, faults: Faults) -> None:
    """Given a split brain, when the old primary is held, then only this node's database serves."""
    db2 = pair(lab)
    faults.pair_cut()
    wait_until(lambda: db2.state("mn2") == "STANDBY REMOTE_CATCHUP_PENDING", "the window ends", 60)
    lab["mn2"].run("su", "-", OWNER, "-c", "db2 takeover hadr on db XCATDB by force")
    wait_until(lambda: set(db2.writable()) == {"mn1", "mn2"}, "both accept writes", 60)
    faults.heal()
    end = db2.pair.nodes["mn1"].log.records[-1].is_row
    hold, *_ = steps(lab, Rejoin(Way.RESEED, "diverged"))
    carry_out(lab["mn2"], (hold,))
    assert db2.writable() == ("mn2",)
    assert db2.pair.nodes["mn1"].log.records[-1].is_row is end is True
    said = lab["mn1"].ask("su", "-", OWNER, "-c", "db2 activate db XCATDB", timeout_s=30).text
    assert "SQL1768N" in said or "SQL1776N" in said
