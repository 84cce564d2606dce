"""The keys that describe hamnd's own work: ssh, tools, rhythms, plans, paths, outputs.

Owns their documentation, defaults and kinds. Must not know how a file is read.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.dialects import aix
from hamnd.settings import kinds
from hamnd.settings.schema import Key, Section

SSH = (
    Key(
        "ssh.transport",
        kinds.choice("asyncssh", "openssh"),
        "How hamnd speaks ssh: a library in its own process, or the ssh program. The default on "
        "AIX is openssh.",
        "openssh where the library cannot be built, or to save memory.",
        default="asyncssh",
        aix="openssh",
    ),
    Key(
        "ssh.user",
        kinds.unix_name,
        "User to log in as on the other management node.",
        "Where root may not log in; that user then needs the rights of the plan's actions.",
        default="root",
    ),
    Key(
        "ssh.key_file",
        kinds.absolute_path,
        "File with the private key. It must have no passphrase: nobody types at 3 am.",
        "When hamnd has a key of its own.",
        default="/root/.ssh/id_ed25519",
        aix="/.ssh/id_rsa",
    ),
    Key(
        "ssh.known_hosts_file",
        kinds.absolute_path,
        "File with the host keys of the other node and the witnesses; they are always verified.",
        "Where host keys are kept in /etc/ssh/ssh_known_hosts.",
        default="/root/.ssh/known_hosts",
        aix="/.ssh/known_hosts",
    ),
    Key(
        "ssh.connect_timeout_s",
        kinds.seconds(0.1, 60),
        "Limit for connecting and logging in.",
        "Raise it where logins are slow (LDAP).",
        default=5.0,
        unit="seconds",
    ),
)

_PROGRAMS = {
    "ping": "Sends ICMP echo requests.",
    "ssh": "Carries file sets, and every command when ssh.transport is openssh.",
    "rsync": "Copies file sets.",
    "openssl": "Verifies keys and certificates before a file set is switched.",
    "ip": "Shows and moves addresses on Linux.",
    "arping": "Finds duplicate addresses and announces the moved one.",
    "systemctl": "Starts and stops services on Linux.",
    "crontab": "Lists and disarms cron jobs.",
    "lsxcatd": "Asks xcatd for its version and database.",
    "mkdef": "Writes the key that proves xcatd works.",
    "lsdef": "Reads the key that proves xcatd works.",
    "rmdef": "Removes that key again.",
    "makedns": "Writes the name server's zones.",
    "makedhcp": "Writes the DHCP server's configuration.",
    "makeconservercf": "Writes the console server's configuration.",
    "makegocons": "Registers consoles with goconserver.",
    "nodeset": "Writes the boot files of nodes.",
    "exportfs": "Exports file systems again.",
    "nft": "Puts up the shield against the old primary.",
    "sshd": "Tells its configuration; asked and reloaded by the shield.",
}
_ENGINE_PROGRAMS = {
    "db2": ("db2", "Db2's command line, run as the instance owner."),
    "db2pd": ("db2", "Db2's monitor, run as the instance owner."),
    "python3": ("sqlite dump", "Verifies and keeps copies; on the primary it makes them."),
    "sqlite3": ("sqlite", "SQLite's program, used on a primary that has no python3."),
    "pg_dump": ("dump", "Dumps the database on the primary."),
    "pg_restore": ("dump", "Reads dumps through and restores them."),
    "mariadb": ("mariadb", "MariaDB's client; with MySQL 8 it is mysql."),
    "mariadb_backup": ("mariadb", "Copies a running server, at set-up and rejoin."),
    "mbstream": ("mariadb", "Unpacks that copy on the other node."),
    "vgs": ("shared_disk", "Sees volume groups on Linux."),
    "vgchange": ("shared_disk", "Activates a volume group on Linux."),
    "psql": (
        "postgresql dump",
        "PostgreSQL's client; Debian's own is a slow wrapper of /usr/lib/postgresql/15/bin/psql.",
    ),
}


_AIX_PROGRAMS = {
    "lssrc": "Tells which subsystems run.",
    "startsrc": "Starts a subsystem.",
    "stopsrc": "Stops a subsystem.",
    "lsitab": "Lists what starts at boot.",
    "mkitab": "Makes an entry of the inittab.",
    "chitab": "Changes an entry of the inittab.",
    "rmitab": "Removes an entry of the inittab.",
    "telinit": "Has init read its table again.",
    "ifconfig": "Shows addresses, takes and gives back an alias.",
    "netstat": "Shows hardware addresses.",
    "arp": "Shows who answered for an address.",
    "mktcpip": "Replaces address and host name, for good.",
    "chdev": "Changes a further interface's own address.",
    "lsattr": "Reads the ODM.",
    "hostname": "Tells the host name.",
    "uname": "Tells and sets the node name.",
    "setuname": "Sets the node name for good.",
    "errpt": "Tells AIX's alarms of duplicate addresses.",
    "errlogger": "Writes a line into AIX's error log.",
    "oslevel": "Tells the level of AIX.",
    "lslpp": "Lists filesets.",
    "lsnim": "Lists NIM objects.",
    "nim": "Makes NIM resources, takes a NIM server over.",
    "nim_master_setup": "Makes this node a NIM server.",
    "m_mkspot": "Makes a SPOT from what is on the disk.",
    "m_restore_db": "Restores the NIM database.",
    "nimnodeset": "Has NIM serve standalone nodes.",
    "mkdsklsnode": "Has NIM serve diskless nodes.",
}


def _tool(name: str, doc: str, engine: str = "") -> Key:
    """Return the key of one program."""
    return Key(
        f"tools.{name}",
        kinds.program,
        f"{doc} A bare name is looked up in tools.path.",
        "When it lies elsewhere or is to be replaced by a wrapper.",
        default=name.replace("_", "-"),
        engine=engine,
    )


TOOLS = (
    Key(
        "tools.path",
        kinds.search_path,
        "PATH of every program that hamnd starts, here and on the other node.",
        "When xCAT or Db2's tools lie in other directories.",
        default="/opt/xcat/bin:/opt/xcat/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
        aix=(
            "/usr/bin:/usr/sbin:/etc:/opt/freeware/bin:/opt/xcat/bin:/opt/xcat/sbin:"
            "/opt/hamnd/libexec"
        ),
    ),
    *(_tool(name, doc) for name, doc in _PROGRAMS.items()),
    *(_tool(name, doc, engine) for name, (engine, doc) in _ENGINE_PROGRAMS.items()),
    *(
        replace(_tool(name, doc), default=aix.PROGRAMS[name], platform="aix")
        for name, doc in _AIX_PROGRAMS.items()
    ),
)

WATCH = (
    Key(
        "watch.reach_interval_s",
        kinds.seconds(0.05, 60),
        "How often the primary is asked whether it lives (ping, ssh banner, xcatd request).",
        "Raise it to save packets; the primary is then declared down later.",
        default=1.0,
        unit="seconds",
    ),
    Key(
        "watch.reach_suspicion_interval_s",
        kinds.seconds(0.05, 60),
        "The same while something is suspicious.",
        "Raise it on networks that drop bursts.",
        default=0.2,
        unit="seconds",
    ),
    Key(
        "watch.probe_timeout_s",
        kinds.seconds(0.05, 60),
        "How long one question waits for its answer before it counts as silent.",
        "Raise it on slow lines; it must stay below down_after_s.",
        default=2.0,
        unit="seconds",
    ),
    Key(
        "watch.replication_interval_s",
        kinds.seconds(0.2, 300),
        "How often the database is asked about replication.",
        "Half of Db2's heartbeat interval at most: min(HADR_TIMEOUT / 4, peer window / 4, 30) / 2.",
        default=5.0,
        unit="seconds",
    ),
    Key(
        "watch.readiness_interval_s",
        kinds.seconds(1, 86_400),
        "How often the proofs that a takeover would work are taken again.",
        "Raise it on busy nodes; `ready` then shows older proofs.",
        default=60.0,
        unit="seconds",
    ),
    Key(
        "watch.down_after_s",
        kinds.seconds(0.1, 3600),
        "How long the evidence against the primary must hold before it is declared down.",
        "Raise it on restless networks, lower it when seconds count; at least three rounds.",
        default=4.0,
        unit="seconds",
    ),
    Key(
        "watch.service_down_after_s",
        kinds.seconds(1, 86_400),
        "The same when the host answers and only xcatd or the database fails.",
        "Longer than a restart of xcatd takes on your site.",
        default=60.0,
        unit="seconds",
    ),
    Key(
        "watch.recover_after_s",
        kinds.seconds(0, 86_400),
        "How long all must be well before a Degraded node is in Peer again.",
        "Raise it when the state comes and goes.",
        default=10.0,
        unit="seconds",
    ),
    Key(
        "watch.flap_window_s",
        kinds.seconds(1, 86_400),
        "Time in which changes between Peer and Degraded are counted.",
        "Together with flap_max.",
        default=300.0,
        unit="seconds",
    ),
    Key(
        "watch.flap_max",
        kinds.count(2, 200, "changes"),
        "More changes than this inside the window: Degraded is held until it calms down.",
        "Lower it to be told about restless links earlier.",
        default=6,
        unit="changes",
    ),
)

STEPS = (
    "salvage", "quiesce", "fuse", "fence", "drain", "epoch", "promote", "shield", "db-stop",
    "identity", "db-rehome", "xcatd", "dns", "dhcp", "http", "tftp", "ntp", "nfs", "consoles",
    "osdeploy", "service-nodes", "boot", "verify", "report",
)  # fmt: skip
"""The steps of a takeover by id (design §5): names that [plan.timeouts] may use."""

PLAN = (
    Key(
        "plan.ttl_s",
        kinds.seconds(10, 86_400),
        "How long a plan may be confirmed after it was shown.",
        "Raise it where two people must agree first.",
        default=600.0,
        unit="seconds",
    ),
    Key(
        "plan.acknowledge_window_s",
        kinds.seconds(0, 604_800),
        "How long after a takeover a second one on this node is refused until somebody looked at "
        "the first and said so (hamnctl ack). 0 never asks.",
        "Raise it where nights are quiet for long; gate acknowledged can be overridden by name.",
        default=86_400.0,
        unit="seconds",
    ),
    Key(
        "plan.services.xcatd",
        kinds.unit,
        "Name of xcatd's service (unit on Linux, subsystem on AIX).",
        "When it was renamed.",
        default="xcatd",
    ),
    Key(
        "plan.services.dns",
        kinds.flag,
        "Whether this management node serves DNS to the cluster.",
        "false where DNS comes from elsewhere.",
        default=True,
    ),
    Key(
        "plan.services.dhcp",
        kinds.flag,
        "Whether this management node serves DHCP to the cluster. The default on AIX is false.",
        "false where DHCP comes from elsewhere.",
        default=True,
        aix=False,
    ),
    Key(
        "plan.services.consoles",
        kinds.choice("conserver", "goconserver", "none"),
        "Which console server runs here.",
        "goconserver since xCAT 2.13.9 where it was chosen; none without consoles.",
        default="conserver",
    ),
)

OUTPUTS = (
    Key(
        "paths.state_dir",
        kinds.absolute_path,
        "Journal with its reserve, reports, runbook and epoch; the other node's holds the epoch "
        "and a copy of the runbook, which hamnd leaves there unasked. The default on AIX is "
        "/var/hamnd.",
        "To a disk of its own; never onto the replicated or shared one.",
        default="/var/lib/hamnd",
        aix="/var/hamnd",
    ),
    Key(
        "paths.socket",
        kinds.socket_path,
        "Control socket of hamnctl. The default on AIX is /var/run/hamnd/hamnd.sock.",
        "hamnctl then needs --socket or HAMND_SOCKET.",
        default="/run/hamnd/hamnd.sock",
        aix="/var/run/hamnd/hamnd.sock",
    ),
    Key(
        "journal.reserve_mib",
        kinds.count(1, 4096, "MiB"),
        "Disk space kept back so that one whole takeover can be journalled on a full disk.",
        "Raise it for plans with many site steps.",
        default=16,
        unit="MiB",
    ),
    Key(
        "journal.timeout_s",
        kinds.seconds(0.1, 60),
        "A journal write slower than this stops all action (mode observe_only).",
        "Raise it on slow disks after asking why they are slow.",
        default=2.0,
        unit="seconds",
    ),
    Key(
        "metrics.listen",
        kinds.listen_address,
        'Address and port of the metrics and the read-only status page; "" turns them off.',
        "To the address that your Prometheus reaches.",
        default="127.0.0.1:9745",
    ),
    Key(
        "metrics.certificate_file",
        kinds.absolute_path,
        "File with the certificate (and its chain) of these pages, PEM. With it they are HTTPS "
        "alone. A renewed file is taken up by itself.",
        "Set it where metrics.listen is no loopback address.",
        default=None,
        example="/etc/hamnd/metrics.crt",
    ),
    Key(
        "metrics.key_file",
        kinds.absolute_path,
        "File with the private key of that certificate, mode 0600.",
        "Together with metrics.certificate_file.",
        default=None,
        example="/etc/hamnd/metrics.key",
    ),
    Key(
        "metrics.users_file",
        kinds.absolute_path,
        "File with one NAME:PASSWORD in each line, mode 0600: who may read these pages (basic "
        "authentication). A changed file is taken up by itself.",
        "Set it where others than your Prometheus reach metrics.listen.",
        default=None,
        example="/etc/hamnd/metrics.users",
    ),
    Key(
        "log.level",
        kinds.choice("debug", "info", "warning", "error"),
        "How much is logged.",
        "debug while looking for a fault.",
        default="info",
    ),
)

KEYS = (*SSH, *TOOLS, *WATCH, *PLAN, *OUTPUTS)

SECTIONS = (
    Section("ssh", "How hamnd logs in to the other node and the witnesses."),
    Section("tools", "The programs hamnd starts."),
    Section("watch", "How often hamnd looks and how long it waits before it believes."),
    Section("plan", "Plans and their steps."),
    Section(
        "plan.timeouts",
        f"Limits for single steps instead of the plan's own: {', '.join(STEPS)}.",
        free=kinds.seconds(1, 86_400),
        free_name=kinds.choice(*STEPS),
        example={"promote": 300.0},
    ),
    Section("plan.services", "What the management node runs; each is a step of a takeover."),
    Section("paths", "Where hamnd keeps its own files."),
    Section("journal", "The record of every intent and outcome."),
    Section("metrics", "What monitoring sees."),
    Section("log", "What hamnd writes to standard error, hence to the system's log."),
)
