"""The keys by which a site adds to a takeover: steps of its own, and who is told.

Owns their documentation, defaults and kinds. Must not know how a file is read, nor what holds
between these keys (hamnd.settings.declared).
"""

from __future__ import annotations

from hamnd.settings import kinds
from hamnd.settings.schema import Key, Section

SITE_STEPS = (
    Key(
        "plan.takeover.step.id",
        kinds.matching(r"[a-z][a-z0-9-]{0,30}", "a-z, 0-9 and -, at most 31, a letter first"),
        "Name of the step on the card, in the journal and for `hamnctl skip`.",
        "Never while a run is paused.",
        example="licences",
    ),
    Key(
        "plan.takeover.step.title",
        kinds.text,
        "What the step does, in the words that the operator reads at night.",
        "Whenever the command's own name does not say it.",
        default="",
    ),
    Key(
        "plan.takeover.step.after",
        kinds.text,
        "The step that must be done before this one; `after`, `before` or both are required.",
        "With what the command needs.",
        default=None,
        example="identity",
    ),
    Key(
        "plan.takeover.step.before",
        kinds.text,
        "The step that waits until this one has ended, done or skipped.",
        "Only where that step really needs this one: everything else runs side by side.",
        default=None,
        example="xcatd",
    ),
    Key(
        "plan.takeover.step.host",
        kinds.node_name,
        "Witness on which the commands run. Default: the node that takes over.",
        "For commands on a service node.",
        default=None,
        example="sn01",
    ),
    Key(
        "plan.takeover.step.user",
        kinds.unix_name,
        "User to run the commands as. Default: the user hamnd runs or logs in as.",
        "Where root is too much.",
        default=None,
        example="licadm",
    ),
    Key(
        "plan.takeover.step.command",
        kinds.command,
        "The command that changes something, word by word; never a secret in it. It is run again "
        "only when `verify` says that it is not done.",
        "When the site's procedure changes; the digest of every plan changes with it.",
        example=("/usr/local/sbin/start-licences", "--all"),
    ),
    Key(
        "plan.takeover.step.check",
        kinds.command,
        "A command that only reads and ends with 0 when `command` may run. It is also run every "
        "readiness_interval_s, in peace: what it would change, it would change every minute.",
        "Whenever the step can be known to fail beforehand.",
        default=None,
        example=("test", "-x", "/usr/local/sbin/start-licences"),
    ),
    Key(
        "plan.takeover.step.verify",
        kinds.command,
        "A command that only reads and ends with 0 when the step is done.",
        "Together with `command`.",
        example=("/usr/local/sbin/licences", "--status"),
    ),
    Key(
        "plan.takeover.step.undo",
        kinds.command,
        "The command that takes it back when the run is aborted before its point of no return.",
        "Where there is a way back.",
        default=None,
        example=("/usr/local/sbin/stop-licences",),
    ),
    Key(
        "plan.takeover.step.timeout_s",
        kinds.seconds(1, 86_400),
        "Limit for the command; `check` and `verify` have 15 seconds each.",
        "When it takes longer.",
        default=60.0,
        unit="seconds",
    ),
)

SERVICES = (
    Key(
        "plan.services.http",
        kinds.flag,
        "Whether this management node serves http to the nodes (apache2 or httpd).",
        "true wherever nodes are installed or booted from here.",
        default=False,
    ),
    Key(
        "plan.services.http_port",
        kinds.port,
        "TCP port of the web server.",
        "When site.httpport is not 80.",
        default=80,
    ),
    Key(
        "plan.services.tftp",
        kinds.choice("none", "xcatd", "unit"),
        "Who serves tftp: nobody here, xcatd by itself (in.tftpd is its child), or a unit.",
        "xcatd or unit wherever nodes boot over the network from here.",
        default="none",
    ),
    Key(
        "plan.services.ntp",
        kinds.flag,
        "Whether the nodes take their time from this management node (chronyd or ntpd).",
        "true where site.ntpservers names it.",
        default=False,
    ),
    Key(
        "plan.services.nfs",
        kinds.flag,
        "Whether this management node exports file systems; NFS is restarted after the move.",
        "true where nodes mount /install or /tftpboot.",
        default=False,
    ),
    Key(
        "plan.services.dhcp_leases",
        kinds.absolute_path,
        "The DHCP server's leases file. Its copy (STATE_DIR/files/dhcp.leases; taken by a takeover "
        "while the old primary answers ssh) is put in place before DHCP is made.",
        "Set it where nodes have addresses from a dynamic range.",
        default=None,
        example="/var/lib/dhcpd/dhcpd.leases",
    ),
    Key(
        "plan.services.service_nodes",
        kinds.list_of(kinds.node_name),
        "Witnesses that are xCAT service nodes: a takeover restarts their xcatd where it does not "
        "find the new management node by itself.",
        "With every service node that runs xcatd and is a witness.",
        default=(),
    ),
)

OSDEPLOY = (
    Key(
        "plan.osdeploy.nodes",
        kinds.matching(r"[A-Za-z0-9_@%+=:.,/\[\]^~!-]{1,512}", "an xCAT noderange"),
        "Nodes whose boot files are written again, because they name the management node.",
        "With nodes that boot or install over the network at any time.",
        default=None,
        example="compute",
    ),
    Key(
        "plan.osdeploy.state",
        kinds.matching(r"[a-z]+(=[A-Za-z0-9_.-]+)?", "a state of nodeset, like osimage or boot"),
        "What nodeset is asked for; osimage keeps each node's own image.",
        "boot where the nodes run from their disks.",
        default="osimage",
    ),
    Key(
        "plan.osdeploy.program",
        kinds.choice("nodeset", "nimnodeset", "mkdsklsnode"),
        "What has NIM serve the listed nodes again: nimnodeset for standalone ones, mkdsklsnode "
        "for diskless ones. Both need `image`.",
        "With the kind of nodes.",
        default="nodeset",
        platform="aix",
    ),
    Key(
        "plan.osdeploy.image",
        kinds.matching(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,38}", "the name of an osimage"),
        "The osimage that nimnodeset and mkdsklsnode give to the nodes.",
        "With the nodes' image.",
        default=None,
        example="61image",
        platform="aix",
    ),
)

NIM = (
    Key(
        "plan.nim.mode",
        kinds.choice("none", "rebuild", "backup", "hanim"),
        "How the NIM database comes to life on the node that takes over: made again from what the "
        "primary's lsnim and osimages told while it was healthy, restored from the newest backup "
        "in backup_dir, or taken over by this node as NIM's alternate server.",
        "rebuild needs nothing beforehand; backup needs m_backup_db by cron on the primary and its "
        "copy here; hanim needs niminit on the standby and nim -Fo sync on the primary.",
        default="none",
        platform="aix",
    ),
    Key(
        "plan.nim.device",
        kinds.absolute_path,
        "rebuild: where AIX's filesets for nim_master_setup are.",
        "When they lie elsewhere.",
        default="/install/nim/media",
        platform="aix",
    ),
    Key(
        "plan.nim.backup_dir",
        kinds.absolute_path,
        "backup: folder with backups of the NIM database; the newest counts.",
        "When they lie elsewhere.",
        default="/install/nim-backup",
        platform="aix",
    ),
    Key(
        "plan.nim.old_object",
        kinds.matching(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,38}", "the name of a NIM object"),
        "hanim: the object by which this node's NIM knows the old server.",
        "With the name that niminit gave it.",
        default=None,
        example="aixmn1_nim",
        platform="aix",
    ),
)

SHIELD = (
    Key(
        "plan.shield.packets",
        kinds.flag,
        "Whether a takeover has nftables refuse the old primary's connections to database, xcatd "
        "and rsync until it has rejoined. Without nft the step is left out, and says so.",
        "false where another tool owns the packet filter.",
        default=True,
        aix=False,
    ),
    Key(
        "plan.shield.sshd_file",
        kinds.absolute_path,
        "File in a folder that sshd_config includes: a takeover has sshd refuse rsync, scp and "
        "sftp from the old primary's address by a forced command; no key is touched.",
        "Set it where the other node copies files onto this one by cron.",
        default=None,
        example="/etc/ssh/sshd_config.d/00-hamnd.conf",
    ),
    Key(
        "plan.shield.database_port",
        kinds.port,
        "Port on which clients reach the database. Default: the engine's usual one (Db2 60000).",
        "When the instance listens elsewhere.",
        default=None,
        example=60_000,
    ),
)

HOOKS = (
    Key(
        "hooks.state_change",
        kinds.command,
        "Program that is told every change of state: a JSON object on its standard input (event, "
        "cluster, node, from, to, because, at, and hold: null, or owner and until of a hold, while "
        "which nobody is to be paged). It can neither hold nor fail a run; its outcome is in the "
        "journal.",
        "To page somebody or to open a ticket. Secrets belong into a file that the program reads.",
        default=None,
        example=("/usr/local/sbin/tell-the-night-shift",),
    ),
    Key(
        "hooks.timeout_s",
        kinds.seconds(1, 3600),
        "Limit after which a hook is ended with everything it started.",
        "When it takes longer.",
        default=30.0,
        unit="seconds",
    ),
)

REHEARSAL = (
    Key(
        "rehearsal.schedule",
        kinds.schedule_or_never,
        "When a takeover is rehearsed by itself: every look of every step is taken with the real "
        "users, programs, keys and fence device; nothing is changed. A hold suspends it.",
        'Another hour where this one is busy; "" where only hamnctl rehearse is to do it.',
        default="20 4 * * *",
    ),
    Key(
        "rehearsal.jitter_s",
        kinds.seconds(0, 3600),
        "So much later, at random, it begins.",
        "Raise it where many pairs share one name server or controller.",
        default=600.0,
        unit="seconds",
    ),
)

KEYS = (*SERVICES, *OSDEPLOY, *NIM, *SITE_STEPS, *SHIELD, *REHEARSAL, *HOOKS)

SECTIONS = (
    Section("plan.takeover", "What the site adds to a takeover."),
    Section(
        "plan.takeover.step",
        "One table for each step of the site's own. What it reads and what it changes is the "
        'site\'s word: the card shows it as "declared by the site".',
        many=True,
    ),
    Section("plan.osdeploy", "Which nodes' boot files are written again."),
    Section("plan.nim", "How NIM's database moves (guide §8.8).", platform="aix"),
    Section("plan.shield", "What the old primary is refused after a takeover."),
    Section("rehearsal", "The harmless daily proof that a takeover would work."),
    Section("hooks", "Who is told when the state changes."),
)
