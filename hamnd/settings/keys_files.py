"""The keys of the file sets: what is copied from the node that is primary, when and how.

Owns their documentation, defaults and kinds. Must not know how a file is read, the sets that the
guide asks for nor what must never be copied (hamnd.settings.filesets).
"""

from __future__ import annotations

from hamnd.settings import kinds
from hamnd.settings.schema import Key, Section

SETS = ("credentials", "keys", "hosts", "install", "leases")
"""The sets that hamnd knows by name (xcat-hamn.md §3)."""

FILES = (
    Key(
        "files.sets",
        kinds.list_of(kinds.choice(*SETS)),
        "The sets that hamnd knows by name. credentials: files.credentials. keys: root's ssh keys "
        "(~/.ssh/id*, never authorized_keys). hosts: /etc/hosts, in identity.mode primary_address "
        "also /etc/resolv.conf. leases: plan.services.dhcp_leases where it is set. All of these "
        "every 10 minutes; install: /install, every hour.",
        "Leave out what this site copies in no way, or has on a shared file system.",
        default=SETS,
    ),
    Key(
        "files.credentials",
        kinds.list_of(kinds.absolute_path),
        "Directories without which nodes do not trust the management node. They are copied whole "
        "or not at all, and only when their keys and certificates are right. A takeover takes a "
        "last copy of them while the old primary still answers ssh; an empty list takes none.",
        "When xCAT keeps them elsewhere, or for more users' ~/.xcat.",
        default=("/etc/xcat/ca", "/etc/xcat/cert", "/etc/xcat/hostkeys", "/root/.xcat"),
        aix=("/etc/xcat/ca", "/etc/xcat/cert", "/etc/xcat/hostkeys", "/.xcat"),
    ),
    Key(
        "files.crontabs",
        kinds.list_of(kinds.absolute_path),
        "The system's own crontabs, those with a user in each line: files, and folders of them. A "
        "takeover disarms the lines that would write onto the new active node. On AIX: the folder "
        "of the users' crontabs, where a user without a file has none.",
        "When jobs are kept elsewhere too.",
        default=("/etc/crontab", "/etc/cron.d"),
        aix=("/var/spool/cron/crontabs",),
    ),
)

SET = (
    Key(
        "files.set.name",
        kinds.matching(r"[a-z][a-z0-9-]{0,30}", "a-z, 0-9 and -, at most 31, a letter first"),
        "Name of the set on screens and in metrics. One of the known names changes that set.",
        "Never without need: what is known of a set is known by its name.",
        example="images",
    ),
    Key(
        "files.set.paths",
        kinds.list_of(kinds.absolute_path),
        "What is copied, the same on both nodes: directories with a slash at the end, or files.",
        "With what a takeover on this node would miss.",
        default=None,
        example=("/data/images/",),
    ),
    Key(
        "files.set.mode",
        kinds.choice("pull", "observe", "off"),
        "pull: copied here. observe: this site copies it by other means (its own cron), hamnd "
        "compares and tells how fresh it is. off: not looked at.",
        "observe while hamnd is tried beside the crontab of the guide.",
        default=None,
        example="observe",
    ),
    Key(
        "files.set.kind",
        kinds.choice("tree", "atomic"),
        "tree: brought up to date file by file. atomic: staged beside its place, verified and "
        "switched, all its paths or none, the previous ones kept in .hamnd/old. Default: tree.",
        "atomic for small directories that must never be half old and half new.",
        default=None,
        example="tree",
    ),
    Key(
        "files.set.cron",
        kinds.schedule,
        "When it is copied: a cron expression in this node's local time. In mode observe: when "
        "this site's own crontab copies it.",
        "More often where much changes; one run at a time is all that ever runs.",
        default=None,
        example="*/30 * * * *",
    ),
    Key(
        "files.set.jitter_s",
        kinds.seconds(0, 3600),
        "It begins up to so much later, at random. Default: 0.",
        "Where many sites share storage or a line.",
        default=None,
        unit="seconds",
        example=60.0,
    ),
    Key(
        "files.set.check_cron",
        kinds.schedule,
        "When it is only compared, between two copies. Default for install: 47 * * * *; in mode "
        "observe as often as hamnd would copy it, or every hour.",
        "Where drift between two copies matters.",
        default=None,
        example="47 * * * *",
    ),
    Key(
        "files.set.check_timeout_s",
        kinds.seconds(1, 86_400),
        "Budget of a comparison; what takes longer is told as not known. Default: 300.",
        "For trees that take longer to list.",
        default=None,
        unit="seconds",
        example=300.0,
    ),
    Key(
        "files.set.stale_after_s",
        kinds.seconds(60, 2_678_400),
        "A whole copy older than this is not fresh: the node leaves Peer. Default: 3600 for the "
        "small sets, 10800 for install, 93600 (26 hours) for others; in mode observe the longest "
        "pauses of cron and check_cron, and an hour.",
        "Above the interval of cron, with room for one failed run.",
        default=None,
        unit="seconds",
        example=93_600.0,
    ),
    Key(
        "files.set.timeout_s",
        kinds.seconds(10, 604_800),
        "Limit for one run; the next one goes on where it ended. Default: 14400.",
        "For the first copy of a very large tree.",
        default=None,
        unit="seconds",
        example=14_400.0,
    ),
    Key(
        "files.set.exclude",
        kinds.list_of(kinds.absolute_path),
        "Paths below the set's own that are left alone on both nodes.",
        "For caches, and what each node makes itself.",
        default=None,
        example=("/data/images/tmp/",),
    ),
    Key(
        "files.set.bandwidth_kib",
        kinds.count(0, 100_000_000, "KiB a second"),
        "Most that is sent, per second; 0 for no limit. Default: 0.",
        "Where nodes are installed over the same line.",
        default=None,
        example=20_000,
    ),
    Key(
        "files.set.gentle",
        kinds.flag,
        "Whether it runs in the idle I/O class and with the lowest priority, on both nodes. "
        "Default: true for install, else false.",
        "true for large trees on busy disks.",
        default=None,
        example=True,
    ),
    Key(
        "files.set.may_delete_percent",
        kinds.count(0, 100, "percent"),
        "A run that would delete more of what is here stops before it did anything, and asks. "
        "Default: 25.",
        "Lower for trees that only grow.",
        default=None,
        example=25,
    ),
    Key(
        "files.set.whole_after_s",
        kinds.seconds(3600, 31_536_000),
        "In between only what changed is compared; after so long everything is. Default: 604800 "
        "(a week).",
        "Lower on file systems whose inodes' times are not to be trusted.",
        default=None,
        unit="seconds",
        example=604_800.0,
    ),
    Key(
        "files.set.override",
        kinds.list_of(kinds.absolute_path),
        "Paths in this set that hamnd otherwise refuses to copy, because each node has its own or "
        "a takeover writes them anew. Needs a reason.",
        "Only when you know better; the reason is for whoever comes after you.",
        default=None,
        example=("/etc/xcat/cfgloc",),
    ),
    Key(
        "files.set.reason",
        kinds.text,
        "Why override is right on this site.",
        "Together with override.",
        default=None,
        example="the service address is in it, no own one",
    ),
)

KEYS = (*FILES, *SET)

SECTIONS = (
    Section("files", "What is copied from the node that is primary."),
    Section(
        "files.set",
        "One table for each set of the site's own, or for what is to be different about a known "
        "one; what is not set keeps its default.",
        many=True,
    ),
)
