"""File sets in the configuration: the guide's defaults, and what is refused."""

from __future__ import annotations

import pytest

from hamnd.core.filesets import copies_of
from hamnd.model.filesets import FileSet, SetKind, SetMode
from hamnd.settings import Loaded, load
from tests.unit.settings.configs import MINIMAL


def loaded(more: str) -> Loaded:
    return load(f"{MINIMAL}\n{more}")


def sets_of(more: str = "") -> dict[str, FileSet]:
    found = loaded(more)
    assert found.site is not None, found.problems
    return {one.name: one for one in found.site.file_sets}


def problems(more: str) -> str:
    return " | ".join(problem.line() for problem in loaded(more).problems)


def test_the_guides_sets_are_there_without_a_word() -> None:
    found = sets_of()
    assert list(found) == ["credentials", "keys", "hosts", "install"]
    assert found["credentials"].kind is SetKind.ATOMIC
    assert found["credentials"].paths[0] == "/etc/xcat/ca/"
    assert found["hosts"].paths == ("/etc/hosts",)
    assert found["keys"].only == ("id", "id_*")
    assert "/root/.ssh/id_ed25519" in found["keys"].exclude
    assert found["install"].is_gentle


def test_leases_are_a_set_where_the_site_has_them() -> None:
    told = '[plan.services]\ndhcp_leases = "/var/lib/dhcpd/dhcpd.leases"\n'
    assert sets_of(told)["leases"].paths == ("/var/lib/dhcpd/dhcpd.leases",)


def test_a_known_set_is_changed_by_its_name_and_keeps_the_rest() -> None:
    told = '[[files.set]]\nname = "install"\nmode = "observe"\ncheck_cron = "5 4 * * *"\n'
    install = sets_of(told)["install"]
    assert (install.mode, install.check_cron) == (SetMode.OBSERVE, "5 4 * * *")
    assert install.paths == ("/install/",)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/etc/xcat/cfgloc", "names this node's own database"),
        ("/root/.ssh/authorized_keys", "who may log in"),
        ("/etc/xcat/", "holds /etc/xcat/cfgloc"),
        ("/etc/ssh/ssh_host_rsa_key", "host keys"),
        ("/etc/named.conf", "makedns -n"),
        ("/etc/", "a directory of the system"),
        ("/data/../etc/", "not a plain path"),
        ("/data/..", "not a plain path"),
        ("/var/lib/hamnd/", "is hamnd's own"),
        ("/etc/xcat/site.sqlite", "which is replicated"),
        ("/home/anna/.ssh/", "holds /home/anna/.ssh/authorized_keys"),
    ],
)
def test_what_must_never_be_copied_is_refused(path: str, why: str) -> None:
    told = f'[[files.set]]\nname = "mine"\npaths = ["{path}"]\n'
    assert why in problems(told)
    assert loaded(told).site is None


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/etc", "a directory of the system"),
        ("/etc/ssh", "host keys"),
        ("/etc/xcat", "holds /etc/xcat/cfgloc"),
        ("/data/../etc/ssh", "not a plain path"),
    ],
)
def test_it_is_refused_as_a_credential_too(path: str, why: str) -> None:
    assert why in problems(f'[files]\ncredentials = ["{path}"]\n')


def test_hamnds_own_folder_is_refused_wherever_it_is() -> None:
    told = '[paths]\nstate_dir = "/srv/ha/state"\n[[files.set]]\nname = "mine"\npaths = ["/srv/"]\n'
    assert "holds /srv/ha/state, which is hamnd's own" in problems(told)


def test_it_is_copied_by_its_name_and_with_a_reason() -> None:
    told = '[[files.set]]\nname = "mine"\npaths = ["/etc/xcat/cfgloc"]\n'
    overridden = f'{told}override = ["/etc/xcat/cfgloc"]\n'
    assert "override needs one" in problems(overridden)
    reasoned = f'{overridden}reason = "the service address is in it"\n'
    assert sets_of(reasoned)["mine"].paths == ("/etc/xcat/cfgloc",)


def test_an_unknown_set_needs_paths_and_two_sets_never_share_one() -> None:
    assert "hamnd knows no set of that name" in problems('[[files.set]]\nname = "mine"\n')
    two = '[[files.set]]\nname = "{}"\npaths = ["{}"]\n'
    told = two.format("one", "/data/") + two.format("other", "/data/images/")
    assert "overlaps" in problems(told)


def test_a_path_of_a_known_set_is_no_other_sets_unless_that_leaves_it_out() -> None:
    own = '[[files.set]]\nname = "mine"\npaths = ["/install/custom/"]\n'
    assert 'overlaps "/install/" of set install' in problems(own)
    apart = '[[files.set]]\nname = "install"\nexclude = ["/install/custom/"]\n'
    assert sets_of(own + apart)["mine"].paths == ("/install/custom/",)
    assert sets_of(own + '[[files.set]]\nname = "install"\nmode = "off"\n')
    twice = '[[files.set]]\nname = "mine"\npaths = ["/data/", "/data/one/"]\n'
    assert 'overlaps "/data/" of set mine' in problems(twice)


def test_an_exclusion_that_would_leave_out_nothing_is_refused() -> None:
    told = '[[files.set]]\nname = "install"\nexclude = ["/install/post/../tmp/"]\n'
    assert "not a plain path" in problems(told)


@pytest.mark.parametrize("key", ["bandwidth_kib = 1000", "gentle = true", "may_delete_percent = 5"])
def test_what_says_nothing_of_a_set_that_is_switched_whole_is_refused(key: str) -> None:
    assert "staged and switched as a whole" in problems(
        f'[[files.set]]\nname = "credentials"\n{key}\n'
    )


def test_a_schedule_that_never_comes_is_refused() -> None:
    for never in ("0 3 31 2 *", "0 3 31 4,6,9,11 *", "0 3 30-31 feb *"):
        told = f'[[files.set]]\nname = "install"\ncron = "{never}"\n'
        assert "it would never come" in problems(told), never
    assert sets_of('[[files.set]]\nname = "install"\ncron = "0 3 29 2 *"\n')


def test_a_schedule_that_is_none_is_refused_with_the_reason() -> None:
    told = '[[files.set]]\nname = "install"\ncron = "61 * * * *"\n'
    assert "61" in problems(told)


def test_a_set_that_the_site_copies_may_be_as_old_as_its_own_crontab_lets_it() -> None:
    watched = '[[files.set]]\nname = "{}"\nmode = "observe"\n'
    nightly = sets_of(watched.format("install") + 'cron = "0 2 * * *"\n')["install"]
    assert (nightly.cron, nightly.check_cron) == ("0 2 * * *", "47 * * * *")
    assert nightly.stale_after_s == (24 + 1 + 1) * 3600
    hosts = sets_of(watched.format("hosts") + 'cron = "0 2 * * sun"\n')["hosts"]
    assert hosts.check_cron == "*/10 * * * *"
    assert hosts.stale_after_s == 7 * 86_400 + 600 + 3600
    own = watched.format("mine") + 'paths = ["/data/"]\ncron = "0 2 * * *"\n'
    assert sets_of(own)["mine"].check_cron == "17 * * * *"
    told = sets_of(watched.format("install") + "stale_after_s = 500\n")["install"]
    assert told.stale_after_s == 500.0


def test_a_schedule_of_the_sites_own_that_says_no_age_is_told() -> None:
    watched = '[[files.set]]\nname = "install"\nmode = "observe"\n'
    assert "how old this site's own copy may be" in problems(watched)
    assert "names days of the month" in problems(f'{watched}cron = "0 4 1 * *"\n')
    assert problems(f'{watched}cron = "0 4 * * *"\n') == problems("")
    assert problems(f"{watched}stale_after_s = 90000\n") == problems("")


def test_jitter_comes_with_every_schedule_of_a_set() -> None:
    told = '[[files.set]]\nname = "install"\njitter_s = 90\n'
    site = loaded(told).site
    assert site is not None
    jitters = {one.name: one.jitter_s for one in copies_of(site)}
    assert (jitters["install"], jitters["hosts"]) == (90.0, 0.0)
