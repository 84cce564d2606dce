"""Two living nodes exchange their addresses: which step comes when, over which address, and back.

Owns the plan's side of it. Who is reached where while it runs is test_whereabouts'; that it works
between hosts is tests/lab/test_life_whole.
"""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from hamnd.core.plans.switchover import Sides, from_partner, switchover_steps
from hamnd.core.platforms import platform_of
from hamnd.core.platforms.linux import lasting
from hamnd.core.policy import Policy, Terms, exchanged
from hamnd.dialects import network, shell
from hamnd.dialects.editing import edited
from hamnd.errors import PermanentError
from hamnd.model.epoch import Claim
from hamnd.model.plan import Step
from hamnd.model.site import Db2Site, IdentityMode, ServiceAddress, Site
from hamnd.model.work import Edit, Report
from tests.builders import site as any_site
from tests.unit.dialects.reports import exited

FIRST, SECOND = any_site().primary.address, any_site().standby.address
SPARE = "9.114.47.105"


def site(node: str = "aixmn2", **changes: object) -> Site:
    told: dict[str, object] = {
        "node": node,
        "identity_mode": IdentityMode.PRIMARY_ADDRESS,
        "identity": (ServiceAddress("en1", FIRST, 26, "aixmn1"),),
        "identity_spare": SPARE,
        "db2": Db2Site(database="XCATDB", instance_owner="xcatdb"),
    }
    return any_site(**{**told, **changes})


def seen(name: str, address: str) -> dict[str, Report]:
    texts = {
        "/etc/hostname": f"{name}\n",
        "/etc/network/interfaces": f"# {address}\n  address {address}/26\n",
    }
    coded = {path: base64.b64encode(one.encode()).decode() for path, one in texts.items()}
    files = "".join(f"{path} {one}\n" for path, one in coded.items())
    return {
        "addresses": exited(
            0, f"2: en1    inet {address}/26 brd 9.114.47.127 scope global en1\\ x\n"
        ),
        "name": exited(0, f"{name}\n"),
        "files": exited(0, f"{files}done\n"),
    }


HERE, THERE = seen("aixmn2", SECOND), seen("aixmn1", FIRST)


def switchover(where: Site | None = None) -> tuple[Step, ...]:
    terms = Terms(site() if where is None else where, Policy())
    there = from_partner(terms).site
    platform = platform_of(terms.site)
    sides = Sides(
        platform.steps(terms.site, terms.policy, HERE),
        platform.hand_over(there, terms.policy, THERE, HERE),
    )
    return switchover_steps(terms, sides, Claim(2, "aixmn2", "aixmn1"))


def ran(step: Step, where: Site) -> list[str]:
    return [shell.preview(one.request, where) for one in step.actions]


def test_nobody_gets_an_address_before_the_other_gave_it_up() -> None:
    order = [step.id for step in switchover()]
    wanted = [
        "promote",
        "spare",
        "release",
        "identity",
        "settle",
        "exchange",
        "unspare",
        "replicate",
    ]
    assert [one for one in order if one in wanted] == wanted
    needs = {step.id: {*step.depends_on, *step.after} for step in switchover()}
    assert "release" in needs["identity"]
    assert "settle" in needs["exchange"]


def test_the_database_rests_while_its_host_has_no_lasting_address() -> None:
    needs = {step.id: {*step.depends_on, *step.after} for step in switchover()}
    assert "db-stop-partner" in needs["release"]
    assert "db-stop" in needs["identity"]
    assert "db-rehome" in needs["xcatd"]
    assert "unspare" in needs["db-rehome-partner"]


def test_tables_that_are_copied_are_a_standbys_before_their_host_lets_go() -> None:
    """Else the old primary's own word would be that it is the primary, and the identity waits."""
    steps = {step.id: step for step in switchover(site(engine="sqlite"))}
    needs = {key: {*one.depends_on, *one.after} for key, one in steps.items()}
    assert "hand-over" in needs["release"]
    assert "unspare" not in needs["hand-over"]
    assert "unspare" in needs["replicate"]


def test_its_own_address_is_given_up_only_once_it_is_read_over_the_spare_one() -> None:
    there = site("aixmn1")
    release = next(step for step in switchover() if step.id == "release")
    assert release.host == "aixmn1"
    said = ran(release, there)
    assert release.keeps_at == len(said) - 1
    arms = next(one for one in said if "hamnd-arm" in one)
    assert f"ip addr add {FIRST}/26 dev en1" in arms
    assert said.index(arms) < next(n for n, one in enumerate(said) if f"{FIRST}/26 en1" in one)
    assert "hostname aixmn2" in said


def test_what_it_gets_is_what_the_standby_had_now_and_at_its_next_boot() -> None:
    exchange = next(step for step in switchover() if step.id == "exchange")
    said = " ".join(ran(exchange, site("aixmn1")))
    assert f"ip addr add {SECOND}/26 dev en1" in said
    proofs = " ".join(one.expects for one in exchange.postconditions)
    assert f"names {SECOND}" in proofs
    assert "names aixmn2" in proofs


def written(step: Step, texts: dict[str, str]) -> dict[str, str]:
    """What the files of its host are after a step; each edit has to find what it expects."""
    after = dict(texts)
    for action in step.actions:
        if isinstance(action.request, Edit):
            path = action.request.tells[-1]
            text = edited(after[path], action.request)
            assert text is not None, f"{path} is not what {step.id} expects"
            after[path] = text
    return after


def test_a_reboot_in_the_middle_brings_neither_address_nor_name_back() -> None:
    steps = {step.id: step for step in switchover()}
    files = network.parse_files(THERE["files"])
    assert files is not None
    between = written(steps["release"], dict(files))
    assert between["/etc/network/interfaces"] == f"# {FIRST}\n  address {SPARE}/26\n"
    assert between["/etc/hostname"] == "aixmn2\n"
    assert written(steps["exchange"], between) == network.parse_files(
        lasting.as_exchanged(site("aixmn1"), THERE, HERE)["files"]
    )
    proofs = " ".join(one.expects for one in steps["release"].postconditions)
    assert f"no network file of aixmn1 names {FIRST}" in proofs


def test_the_files_are_read_anew_over_the_address_that_they_name() -> None:
    """Networkd drops at once what they do not name: the way that a step goes would end in it."""
    reads = {
        step.id: [n for n, one in enumerate(ran(step, site("aixmn1"))) if "networkctl" in one]
        for step in switchover()
        if step.host == "aixmn1"
    }
    release = next(step for step in switchover() if step.id == "release")
    assert reads["release"] == [len(release.actions) - 2], "over the spare one, not yet kept"
    assert (reads["spare"], reads["exchange"], reads["unspare"]) == ([], [], [0])


def test_a_run_that_goes_on_knows_what_the_standby_had() -> None:
    """It has given its own address up already; nothing of it is seen there any more."""
    there = site("aixmn1")
    steps = platform_of(there).hand_over(there, Policy(), THERE, seen("aixmn1", FIRST))
    exchange = next(step for step in steps if step.id == "exchange")
    assert f"ip addr add {SECOND}/26 dev en1" in " ".join(ran(exchange, there))


def test_without_a_spare_address_nothing_is_handed_over() -> None:
    with pytest.raises(PermanentError, match=r"identity\.spare is not set"):
        switchover(site(identity_spare=""))


def test_what_a_node_will_show_is_what_the_other_one_shows() -> None:
    """The way home is made from it before the way there begins."""
    there = lasting.as_exchanged(site("aixmn1"), THERE, HERE)
    here = lasting.as_exchanged(site(), HERE, THERE)
    assert f"inet {SECOND}/26" in there["addresses"].stdout
    assert f"inet {FIRST}/26" in here["addresses"].stdout
    assert (there["name"].stdout, here["name"].stdout) == ("aixmn2\n", "aixmn1\n")
    files = network.parse_files(there["files"])
    assert files is not None
    assert files["/etc/network/interfaces"] == f"# {FIRST}\n  address {SECOND}/26\n"
    assert files["/etc/hostname"] == "aixmn2\n"


def test_exchanged_twice_is_as_configured() -> None:
    terms = Terms(site(), Policy())
    there = exchanged(terms).site
    assert (there.own.address, there.partner.address) == (FIRST, SECOND)
    assert not there.takes_primary_address
    assert replace(there, node="aixmn1").takes_primary_address
    assert there.exchanged() == terms.site
    assert there.named == terms.site.named == terms.site, "a name moves with its address"


@pytest.mark.parametrize("missing", ["addresses", "name", "files"])
def test_what_was_not_read_of_a_node_is_not_guessed(missing: str) -> None:
    there = site("aixmn1")
    half = {key: one for key, one in THERE.items() if key != missing}
    for seen_, theirs in ((half, HERE), (THERE, {})):
        with pytest.raises(PermanentError, match="was not read yet"):
            platform_of(there).hand_over(there, Policy(), seen_, theirs)
