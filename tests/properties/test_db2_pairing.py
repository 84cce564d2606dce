"""Whatever is done to a simulated Db2 pair in whatever order, its own rules hold.

Owns a machine that gives commands at random, as a tired administrator would, and the two laws that
the steps of set-up, rejoin and switchover rest on: without BY FORCE and without ending HADR no two
databases serve, and a standby in Peer holds every row of its primary.
"""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from hamnd.demo.db2_model import Db2Pair
from hamnd.demo.db2_node import HadrState, PairConfig, Role

T0 = 1_773_479_780.0
NODES = ("aixmn1", "aixmn2")
PEACEFUL = (
    "db2 takeover hadr on db XCATDB",
    "db2 start hadr on db XCATDB as standby",
    "db2 start hadr on db XCATDB as primary",
    "db2 activate db XCATDB",
    "db2 deactivate db XCATDB",
    "db2 force applications all",
    "db2 backup db XCATDB online to /image",
    "db2 restore db XCATDB from /image taken at {stamp} without prompting",
    "db2 update db cfg for XCATDB using HADR_LOCAL_HOST 9.114.47.103 HADR_REMOTE_HOST 9.114.47.104",
    "db2 update db cfg for XCATDB using HADR_LOCAL_HOST 9.114.47.104 HADR_REMOTE_HOST 9.114.47.103",
    "cut the wire",
    "heal the wire",
    "db2start",
    "db2_kill",
)
ENDING = ("db2 stop hadr on db XCATDB", "db2rfpen on XCATDB")
"""They end HADR: what an independent database does then is another matter."""

QUICK = PairConfig(hadr_timeout_s=5, peer_window_s=20)
bounded = settings(max_examples=80, deadline=None, derandomize=True, database=None)


def orders(*commands: str) -> st.SearchStrategy[list[tuple[str, str, float]]]:
    one = st.tuples(st.sampled_from(NODES), st.sampled_from(commands), st.sampled_from([0.5, 40.0]))
    return st.lists(one, min_size=12, max_size=25)


def carried_out(given_orders: list[tuple[str, str, float]]) -> tuple[Db2Pair, float, list[str]]:
    """Give the commands one after the other; an image is on both machines at once."""
    pair, now, stamp, split = Db2Pair(QUICK, now=T0), T0, "0", []
    images = pair.programs.commands.images
    for node, command, pause_s in given_orders:
        now += pause_s
        if command.endswith("the wire"):
            wire = pair.cut_both if command.startswith("cut") else pair.heal
            wire(now)
            continue
        told = pair.run(node, (*command.format(stamp=stamp).split(),), now)
        found = re.search(r"image is : (\d{14})", told.text)
        if found is not None:
            stamp = found[1]
            text = images.files.read(node, images.path("/image", stamp))
            for other in NODES:
                images.files.write(other, images.path("/image", stamp), text or "")
        if len(pair.writable_nodes()) > 1:
            split.append(command)
    return pair, now, split


@bounded
@given(orders(*PEACEFUL))
def test_no_peaceful_command_makes_two_databases_serve(
    given_orders: list[tuple[str, str, float]],
) -> None:
    _, _, split = carried_out(given_orders)
    assert split == []


@bounded
@given(orders(*PEACEFUL, *ENDING))
def test_a_standby_in_peer_has_every_row_of_its_primary(
    given_orders: list[tuple[str, str, float]],
) -> None:
    pair, now, _ = carried_out(given_orders)
    pair.heal(now)
    pair.tick(now + 120.0)
    one, two = pair.nodes.values()
    if {one.role, two.role} != {Role.PRIMARY, Role.STANDBY}:
        return
    if one.state is two.state is HadrState.PEER:
        primary, standby = (one, two) if one.role is Role.PRIMARY else (two, one)
        assert pair.loss(primary.name, standby.name).rows == 0
        assert pair.loss(standby.name, primary.name).rows == 0


def test_a_forced_takeover_across_a_cut_wire_is_seen_by_this_machine() -> None:
    """What the first law excludes is what these orders do, so the law can fail."""
    by_force = "db2 takeover hadr on db XCATDB by force"
    orders_of_a_bad_night = [
        ("aixmn1", "cut the wire", 0.5),
        ("aixmn2", by_force, 40.0),
        ("aixmn1", "db2start", 40.0),
    ]
    assert carried_out(orders_of_a_bad_night)[2] == ["db2start"]
