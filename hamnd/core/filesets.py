"""From a site's file sets to copies: which actions bring a set here, and which only compare it.

Owns that order: pull, verify, switch. Must not know rsync (dialects.filesets, dialects.salvage) nor
when a copy may run (copying).
"""

from __future__ import annotations

from hamnd.dialects import filesets, salvage
from hamnd.model.copying import Copy, CopyKind
from hamnd.model.filesets import FileSet, SetKind, SetMode
from hamnd.model.site import Site
from hamnd.model.work import Action

Work = dict[CopyKind, tuple[Action, ...]]


def copies_of(site: Site) -> tuple[Copy, ...]:
    """Return the copies of a site's sets, those that are off left out."""
    return tuple(_copy(site, one) for one in site.file_sets if one.mode is not SetMode.OFF)


def _copy(site: Site, one: FileSet) -> Copy:
    is_watched = one.mode is SetMode.OBSERVE
    work = _atomic(site, one) if one.kind is SetKind.ATOMIC else _tree(site, one)
    if is_watched:
        work = {CopyKind.CHECK: work[CopyKind.CHECK]}
    paths = ", ".join(path.rstrip("/") or "/" for path in one.paths)
    verb = "compare" if is_watched else "copy"
    return Copy(
        name=one.name,
        title=f"{verb} {paths} from {site.partner.name}",
        work=work,
        schedules={
            CopyKind.COPY: "" if is_watched else one.cron,
            CopyKind.CHECK: one.check_cron,
        },
        jitter_s=one.jitter_s,
        timeouts_s={
            CopyKind.COPY: one.timeout_s,
            CopyKind.VERIFY: one.timeout_s,
            CopyKind.CHECK: one.timeout_s if is_watched else one.check_timeout_s,
        },
        stale_after_s=one.stale_after_s,
        is_watched_only=is_watched,
        holds_identity=one.holds_identity,
    )


def _atomic(site: Site, one: FileSet) -> Work:
    """A set that is never half of each: staged, verified, then switched."""
    members = salvage.members(site, one)
    brought = (
        salvage.pull(site, *members, keeps_previous=True),
        *((filesets.verify_credentials(site, members),) if one.holds_identity else ()),
        salvage.switch(site, *members),
    )
    return {
        CopyKind.COPY: brought,
        CopyKind.VERIFY: brought,
        CopyKind.CHECK: (filesets.compare(site, members),),
    }


def _tree(site: Site, one: FileSet) -> Work:
    return {
        CopyKind.COPY: (filesets.pull(site, one),),
        CopyKind.VERIFY: (filesets.pull_contents(site, one),),
        CopyKind.CHECK: (filesets.look(site, one),),
    }
