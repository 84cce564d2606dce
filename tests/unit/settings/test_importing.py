"""The way from the guide's crontab to file sets."""

from __future__ import annotations

import tomllib

from hamnd.model.filesets import SetMode
from hamnd.settings import load
from hamnd.settings.importing import propose
from tests.unit.settings.configs import MINIMAL

GUIDE = """\
# copies for the standby
MAILTO=root
0 1 * * * /usr/bin/rsync -az /etc/xcat/ca /etc/xcat/cert /etc/xcat/hostkeys mn2:/etc/xcat
0 1 * * * /usr/bin/rsync -az $HOME/.xcat mn2:$HOME/
0 2 * * * /usr/bin/rsync -az /install mn2:/
0 2 * * * /usr/bin/rsync -az /etc/hosts /etc/resolv.conf mn2:/etc/
0 3 * * * pg_dump -F t xcatdb >/backup/xcatdb.tar
0 4 * * * scp /backup/xcatdb.tar mn2:/backup
0 5 * * * ssh mn2 pg_restore -c -d xcatdb /backup/xcatdb.tar
0 4 * * 1-5 scp -r /data/images/ root@mn2:/data/images
5 4 * * * rsync -az /etc/xcat/cfgloc mn2:/etc/xcat/ >/dev/null 2>&1
0 5 * * * /usr/local/sbin/rotate
"""


def test_the_guides_lines_become_the_known_sets_and_a_good_configuration() -> None:
    told = propose(GUIDE)
    names = [one["name"] for one in tomllib.loads(told)["files"]["set"]]
    assert names == ["credentials", "install", "hosts", "data-images"]
    loaded = load(f"{MINIMAL}\n{told}")
    assert loaded.errors == ()
    assert loaded.site is not None
    sets = {one.name: one for one in loaded.site.file_sets}
    assert sets["data-images"].paths == ("/data/images/",)
    assert sets["data-images"].cron == "0 4 * * 1-5"


def test_until_the_lines_go_hamnd_compares_and_expects_what_they_copy() -> None:
    observed = "\n".join(
        line.removeprefix("# ") if line.startswith(("# mode =", "# cron =")) else line
        for line in propose(GUIDE).split("\n")
    )
    site = load(f"{MINIMAL}\n{observed}").site
    assert site is not None
    sets = {one.name: one for one in site.file_sets}
    assert sets["install"].mode is SetMode.OBSERVE
    assert (sets["install"].cron, sets["install"].stale_after_s) == ("0 2 * * *", 26 * 3600)
    assert sets["credentials"].cron == "0 1 * * *"


def test_what_is_not_taken_over_is_named_with_the_reason() -> None:
    told = propose(GUIDE)
    assert "/etc/xcat/cfgloc: names this node's own database" in told
    assert "/etc/resolv.conf: each node's own" in told
    assert "pg_dump" in told
    assert "#   /backup/xcatdb.tar: the database is hamnd's" in told
    assert "rotate" not in told


def test_what_a_line_leaves_out_and_what_it_never_deletes_is_said() -> None:
    told = propose("0 2 * * * rsync -az --exclude=/install/tmp --exclude iso /install mn2:/\n")
    assert told.count("# it has --exclude: name what it leaves out in exclude = [...]") == 1
    assert "# it deletes nothing; hamnd deletes here what the primary no longer has" in told
    assert "deletes" not in propose("0 2 * * * rsync -az --delete /install mn2:/\n")


SECRETS = """\
0 0 * * * PGPASSWORD=s3cret pg_dump -F c xcatdb > /install/db/x.dump
0 1 * * * RSYNC_PASSWORD=hunter2 rsync -a /data/one backup@mn2:/data/
0 2 * * * sshpass -p topsec scp /etc/hosts mn2:/etc/
@daily pg_restore -d postgresql://xcat:pw9@h/xcatdb
"""


def test_a_crontabs_secrets_are_in_no_proposal() -> None:
    told = propose(SECRETS)
    assert not [one for one in ("s3cret", "hunter2", "topsec", "pw9") if one in told]
    assert "rsync -a /data/one" in told


def test_what_no_configuration_may_hold_is_in_no_proposal() -> None:
    crontab = "0 1 * * * rsync -a /data/\x07ring mn2:/data\n0 2 * * * scp \x1b[31mred mn2:/d\n"
    tomllib.loads(propose(crontab))


def test_a_pull_is_told_from_a_push_and_an_empty_crontab_says_so() -> None:
    assert "it pulls already" in propose("@daily rsync -a mn1:/srv/repo/ /srv/repo/\n")
    assert "No line of this crontab copies files" in propose("0 1 * * * true\n")
    assert propose("0 1 * * * root rsync -a /install mn2:/\n", True).count("[[files.set]]") == 1
