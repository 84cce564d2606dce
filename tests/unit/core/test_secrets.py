"""Secrets of crontabs and process lists appear nowhere that is kept or told (design law 7)."""

from __future__ import annotations

import json

import pytest

from hamnd.core.snapshot import dump, restore
from hamnd.views.card import plan_document, render_plan
from hamnd.views.run import run_document
from hamnd.views.status import status_document
from tests.unit.core.story import Story

SECRETS = (
    "Sw0rdf1sh", "tr0ub4dor", "c0rrecthorse", "b4tterystaple", "s3same-open", "hunter2hunter2",
    "moonraker9", "g0ldfinger",
)  # fmt: skip
CRONTAB = f"""\
MAILTO=root
PGPASSWORD={SECRETS[0]}
*/30 * * * * RSYNC_PASSWORD={SECRETS[1]} /usr/bin/rsync -a root@aixmn1:/etc/xcat/ /etc/xcat/
0 5 * * * pg_restore -c -p{SECRETS[2]} --password={SECRETS[3]} -d xcatdb /tmp/x.tar
5 5 * * * lftp sftp://anna:{SECRETS[4]}@aixmn1/install -u anna,{SECRETS[5]}
7 5 * * * /usr/bin/true {SECRETS[6]}
"""
RESTORE = f"pg_restore --password {SECRETS[7]} -c -d xcatdb /tmp/x.tar"


def everything_told(story: Story) -> str:
    """All that leaves the core: journal, state document, report and the answers of the API."""
    site, now = story.terms.site, story.now
    parts = [story.disk, dump(story.state), *map(repr, story.records), *story.reports]
    parts += [json.dumps(status_document(story.state, now, story.terms))]
    run = story.state.run
    parts.append(json.dumps(run_document(run, now, site)))
    for plan in (*story.state.plans, *(() if run is None else (run.plan,))):
        document = plan_document(plan, now.wall_s, site)
        parts += [repr(plan), json.dumps(document), *render_plan(document, verbose=True)]
    return "\n".join(parts)


def with_secrets() -> Story:
    story = Story()
    story.world.crontabs[None] = CRONTAB
    return story.primary_down()


def test_no_secret_of_a_crontab_is_kept_or_told_from_the_plan_to_the_end() -> None:
    story = with_secrets()
    story.plan()
    told = everything_told(story)
    story.confirm()
    for _ in range(600):
        story.step_once()
        told += everything_told(story) if story.now_s % 5 < 1 else ""
        if story.state.run is None and story.state.finished:
            break
    told += everything_told(story)
    restore(story.disk, {})

    assert story.world.crontabs[None] == CRONTAB.replace("*/30", "#hamnd-fuse# */30").replace(
        "0 5 * * * pg", "#hamnd-fuse# 0 5 * * * pg"
    ).replace("5 5 * * * lftp", "#hamnd-fuse# 5 5 * * * lftp")
    assert [secret for secret in SECRETS if secret in told] == []
    assert "*/30 * * * * RSYNC_PASSWORD=*** /usr/bin/rsync -a root@aixmn1:/etc/xcat/" in told


def test_the_crontab_comes_back_byte_by_byte_after_an_abort() -> None:
    story = with_secrets()
    story.world.actions["fence"] = "fails"
    story.plan()
    story.confirm()
    story.until(lambda: story.outcome("fence") == "not_done", 400.0)
    assert story.world.crontabs[None] != CRONTAB
    story.abort()
    story.confirm()
    story.live(10.0)

    assert story.world.crontabs[None] == CRONTAB
    assert [secret for secret in SECRETS if secret in everything_told(story)] == []


@pytest.mark.parametrize("what", ["crontab", "process"])
def test_what_still_writes_is_named_without_its_secrets(what: str) -> None:
    story = with_secrets()
    story.plan()
    if what == "crontab":
        story.world.crontabs[None] = CRONTAB + f"1 1 * * * scp x:{SECRETS[7]} aixmn1:/ /install\n"
    else:
        story.world.processes = f"  901 {RESTORE}\n"
    story.confirm()
    story.live(400.0)

    told = everything_told(story)
    assert story.outcome("fuse") in ("not_done", "unknown")
    assert "changed" in told if what == "crontab" else "process 901 (pg_restore" in told
    assert [secret for secret in SECRETS if secret in told] == []
