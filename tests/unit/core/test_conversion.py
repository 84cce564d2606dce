"""Which rows move to the service address, and what refuses the move as a whole."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamnd.core.drafting import draft_of, made
from hamnd.core.plans import Draft
from hamnd.core.plans.conversion import changes_of
from hamnd.core.policy import Terms
from hamnd.core.state import Refusal
from hamnd.core.turn import Turn
from hamnd.dialects import converting, tables
from hamnd.dialects.converting import Change
from hamnd.model.names import PlanKind, Verdict
from hamnd.model.plan import Plan, PlanRequest
from hamnd.model.site import IdentityMode
from tests.unit.core.story import Story
from tests.unit.dialects.reports import exited

TOLD = """\
== site
#key,value,comments,disable
"master","aixmn1",,
"nameservers","9.114.47.103,9.114.47.9",,
"installloc","aixmn1:/install",,
"domain","cluster.test",,
== networks
#netname,net,mask,gateway,tftpserver,nameservers,comments,disable
"cluster","9.114.47.64","255.255.255.192","<xcatmaster>",,"9.114.47.103",,
"far","10.0.0.0","255.0.0.0",,,,,
== policy
#priority,name,rule,comments,disable
"1.3","aixmn1","trusted",,
"1.50","somebody","trusted",,
== noderes
#node,xcatmaster,nfsserver,comments,disable
"compute","aixmn1","9.114.47.103",,
== nodehm
#node,conserver,comments,disable
== end
"""


def before(text: str = TOLD, mode: IdentityMode = IdentityMode.SERVICE_ADDRESS) -> Draft:
    """What a setup with conversion is made from on a site whose primary told this."""
    story = Story().in_peer()
    here = story.terms.site
    terms = Terms(replace(here, identity_mode=mode), story.terms.policy)
    reports = {**story.state.watch.reports, "seen:kept:tables": exited(stdout=text)}
    reports["theirs:links"] = reports["seen:links"]
    watch = replace(story.state.watch, reports=reports)
    turn = Turn(replace(story.state, watch=watch), story.now, terms)
    return draft_of(turn, PlanRequest(PlanKind.SETUP, with_conversion=True))


def changes(text: str = TOLD) -> dict[str, tuple[str, str]]:
    told = tables.parse(exited(stdout=text))
    assert told is not None
    found = changes_of(told, before().question.terms.site)
    return {f"{one.table} {one.key}.{one.attribute}": (one.before, one.after) for one in found}


def test_what_names_the_primary_moves_and_everything_else_stays() -> None:
    assert changes() == {
        "site master.value": ("aixmn1", "xcatmn"),
        "site nameservers.value": ("9.114.47.103,9.114.47.9", "9.114.47.110,9.114.47.9"),
        "site installloc.value": ("aixmn1:/install", "xcatmn:/install"),
        "networks cluster.nameservers": ("9.114.47.103", "9.114.47.110"),
        "networks cluster.tftpserver": ("", "9.114.47.110"),
        "noderes compute.xcatmaster": ("aixmn1", "xcatmn"),
        "noderes compute.nfsserver": ("9.114.47.103", "9.114.47.110"),
        "policy 1.51.name": ("", "aixmn2"),
        "policy 1.51.rule": ("", "trusted"),
        "policy 1.52.name": ("", "xcatmn"),
        "policy 1.52.rule": ("", "trusted"),
    }


def test_a_site_that_moved_has_nothing_to_change() -> None:
    moved = TOLD.replace("aixmn1", "xcatmn").replace("9.114.47.103", "9.114.47.110")
    moved = moved.replace('"<xcatmaster>",,', '"<xcatmaster>","9.114.47.110",')
    moved = moved.replace('"somebody"', '"aixmn1,aixmn2"')
    assert changes(moved) == {}


def test_every_row_is_on_the_card_before_and_after() -> None:
    plan = made(before())
    assert isinstance(plan, Plan)
    titles = {one.id: one.title for one in plan.steps}
    assert titles["move-site"] == (
        "table site: master aixmn1 -> xcatmn; "
        "nameservers 9.114.47.103,9.114.47.9 -> 9.114.47.110,9.114.47.9; "
        "installloc aixmn1:/install -> xcatmn:/install"
    )
    assert "cluster.tftpserver (none) -> 9.114.47.110" in titles["move-networks"]
    ids = [one.id for one in plan.steps]
    assert ids.index("guard") < ids.index("move-names") < ids.index("move-address")
    assert ids[-1] == "move-verify"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not read yet"),
        (TOLD.replace("== policy", "== elsewhere"), "did not tell its table policy whole"),
        (TOLD.replace("== noderes", "== noderes cut"), "did not tell its table noderes whole"),
        (
            TOLD.replace('"domain","cluster.test"', '"dhcpinterfaces","aixmn1|en1"'),
            "lists interfaces for aixmn1 and none for aixmn2",
        ),
    ],
)
def test_what_is_not_proven_refuses_the_plan_as_a_whole(text: str, said: str) -> None:
    refused = made(before(text))
    assert isinstance(refused, Refusal)
    assert said in refused.sentence


def test_a_primary_whose_interfaces_were_not_seen_yet_is_not_given_the_address() -> None:
    """Its hardware address is the proof that the others see it there; without it none comes."""
    draft = before()
    seen = {key: one for key, one in draft.their_seen.items() if key != "links"}
    refused = made(replace(draft, their_seen=seen))
    assert isinstance(refused, Refusal)
    assert "try again soon" in refused.sentence


def test_in_the_guides_way_there_is_nothing_to_convert_to() -> None:
    refused = made(before(mode=IdentityMode.PRIMARY_ADDRESS))
    assert isinstance(refused, Refusal)
    assert "primary_address" in refused.sentence


# ---- what a table tells later ------------------------------------------------------------------
ROW = Change("site", "key", "master", "value", "aixmn1", "xcatmn")


def reading(reads: str, value: str) -> Verdict:
    look = converting.are_known if reads == "known" else converting.are_written
    taken = look(before().question.terms.site, (ROW,))
    reader = converting.READERS[taken.reads]
    text = f'#key,value,comments,disable\n"master","{value}",,\n'
    return reader(exited(stdout=text), taken.arguments).verdict


def test_a_row_that_is_another_by_now_holds_the_plan_and_one_that_is_new_does_not() -> None:
    assert [reading("known", one) for one in ("aixmn1", "xcatmn", "sn1")] == [
        Verdict.PASS, Verdict.PASS, Verdict.BLOCK,
    ]  # fmt: skip
    assert [reading("written", one) for one in ("aixmn1", "xcatmn", "sn1")] == [
        Verdict.BLOCK, Verdict.PASS, Verdict.BLOCK,
    ]  # fmt: skip


def test_the_way_back_of_a_new_row_is_that_there_is_none() -> None:
    new = [
        Change("policy", "priority", "1.51", key, "", value, is_new=True)
        for key, value in (("name", "aixmn2"), ("rule", "trusted"))
    ]
    site = before().question.terms.site
    (back,) = converting.put_rows_back(site, tuple(new))
    argv = getattr(back.request, "argv", ())
    assert argv[-4:] == ("chtab", "-d", "priority=1.51", "policy")
    (there,) = converting.write_rows(site, tuple(new))
    argv = getattr(there.request, "argv", ())
    assert argv[-3:] == ("priority=1.51", "policy.name=aixmn2", "policy.rule=trusted")
