"""Step sync: the files come before anything stops; where they do not come, nothing stops."""

from __future__ import annotations

from hamnd.core.policy import Terms
from hamnd.model.filesets import FileSet, SetMode
from hamnd.model.names import Outcome, PlanKind, State
from hamnd.model.work import Exec, Pull, Swap
from tests.unit.core.builders import site, terms
from tests.unit.core.story import Story
from tests.unit.core.test_copying import CREDENTIALS, INSTALL, come_home, copied

IMAGES = FileSet("images", ("/data/images/",), mode=SetMode.OBSERVE, cron="0 * * * *")


def protected(*sets: FileSet) -> Story:
    """A pair in Peer whose sets were copied once."""
    story = Story(terms=Terms(site(file_sets=sets), terms().policy)).begin()
    story.live(5.0)
    for _ in range(3 * len(sets)):
        if story.routines:
            come_home(story, copied(story))
            story.live(2.0)
    return story.live(20.0)


def test_every_set_is_brought_up_to_date_while_the_primary_still_serves() -> None:
    story = protected(INSTALL, CREDENTIALS, IMAGES)
    plan = story.plan(kind=PlanKind.SWITCHOVER).answer
    assert plan is not None
    sync = plan.step("sync")
    assert [one.id for one in plan.steps[:2]] == ["alone", "sync"]
    assert "sync" in plan.step("stop").depends_on
    kinds = [type(action.request) for action in sync.actions]
    assert kinds == [Pull, Exec, Exec, Swap]
    assert [look.arguments for look in sync.postconditions] == [("/etc/xcat/ca",)]
    assert "install, credentials" in sync.title
    assert "images" not in sync.title, "the site copies it by other means"


def test_on_the_way_home_the_files_are_brought_over_there_by_its_own_programs() -> None:
    """hamnd pulls onto its own host alone: what a drill hands back is brought by a line of sh."""
    story = protected(INSTALL, CREDENTIALS)
    plan = story.plan(kind=PlanKind.DRILL).answer
    assert plan is not None
    sync = plan.step("home-sync")
    assert sync.depends_on == ("replicate",)
    assert "home-sync" in plan.step("home-stop").depends_on
    home = [one for one in plan.steps if one.id.startswith("home-")]
    requests = [action.request for one in home for action in (*one.actions, *one.compensation)]
    assert not [one for one in requests if isinstance(one, Pull | Swap)]
    pull = sync.actions[0].request
    assert isinstance(pull, Exec)
    assert pull.host == "aixmn1"
    assert "rsync" in pull.argv[2]
    assert "root@9.114.47.104:/install/ /install/" in pull.argv[2]


def test_a_site_without_sets_has_no_such_step_and_a_takeover_never() -> None:
    plan = Story().in_peer().plan(kind=PlanKind.SWITCHOVER).answer
    assert plan is not None
    assert "sync" not in [step.id for step in plan.steps]
    down = Story(terms=Terms(site(file_sets=(INSTALL,)), terms().policy)).primary_down()
    taken = down.plan().answer
    assert taken is not None
    assert "sync" not in [step.id for step in taken.steps]


def test_files_that_cannot_be_brought_stop_nothing() -> None:
    story = protected(INSTALL)
    story.world.actions["sync"] = "fails"
    assert story.plan(kind=PlanKind.SWITCHOVER).answer is not None
    assert story.confirm().refusal is None
    story.until(lambda: story.state.run is not None and story.state.run.status == "paused")
    assert story.outcome("sync") == Outcome.NOT_DONE
    assert story.outcome("stop") == Outcome.PENDING
    story.world.actions.clear()
    assert story.retry().refusal is None
    story.until(lambda: story.state.state is State.ACTIVE, 300.0)
    order = [one.step for one in story.records if one.what == "step_finished"]
    assert order.index("sync") < order.index("stop")
