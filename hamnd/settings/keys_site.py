"""The keys that describe the world: nodes, identity, network, replication, fence, witnesses.

Owns their documentation, defaults and kinds. Must not know how a file is read.
The sample file, the validation and the defaults all come from here.
"""

from __future__ import annotations

from hamnd.settings import keys_copies, kinds
from hamnd.settings.keys_db2 import DB2
from hamnd.settings.keys_mariadb import MARIADB
from hamnd.settings.keys_postgresql import POSTGRESQL
from hamnd.settings.schema import Key, Section


def _node_keys(role: str, name: str, address: str) -> tuple[Key, ...]:
    """Return the keys of one of the two nodes."""
    return (
        Key(
            f"{role}.name",
            kinds.node_name,
            f"Configured name of the node that is {role} today.",
            "Never while hamnd runs: records and reports speak of nodes by this name.",
            example=name,
        ),
        Key(
            f"{role}.address",
            kinds.address,
            "Its own physical address, the one that stays with the machine at a takeover.",
            "When the machine gets another address. Never the service address: hamnd would then "
            "probe itself after a takeover.",
            example=address,
        ),
        Key(
            f"{role}.ssh_port",
            kinds.port,
            "TCP port of its ssh server.",
            "When sshd listens elsewhere.",
            default=22,
        ),
        Key(
            f"{role}.xcatd_port",
            kinds.port,
            "TCP port of its xcatd.",
            "When site.xcatdport is not 3001.",
            default=3001,
        ),
    )


TOP = (
    Key(
        "cluster",
        kinds.label,
        "Name of the cluster, the label in metrics and reports.",
        "When one monitoring system watches several clusters.",
        default="xcat",
    ),
    Key(
        "node",
        kinds.node_name,
        "Name of the node this hamnd runs on: primary.name or standby.name.",
        "This line is the only one that differs between the files of the two nodes.",
        example="xcatmn2",
    ),
    Key(
        "platform",
        kinds.choice("linux", "aix"),
        "Operating system of both nodes.",
        "Never: a pair has one platform.",
        example="linux",
    ),
    Key(
        "operators",
        kinds.unix_name,
        "Unix group whose members may confirm plans and read the journal.",
        "When administrators do not work as root: name their group.",
        default="root",
        aix="system",
    ),
    Key(
        "operators_users",
        kinds.list_of(kinds.unix_name),
        "Additional users who may confirm plans.",
        "For single people outside the operators group.",
        default=(),
    ),
)

IDENTITY = (
    Key(
        "identity.mode",
        kinds.choice("service_address", "primary_address"),
        "What moves at a takeover. service_address: an alias that belongs to no machine and that "
        "cfgloc, site.master and the networks table name. primary_address: the primary's own "
        "address and host name, the way of the guide of 2010; the standby's own address ends.",
        "Decided once, when the pair is set up.",
        example="service_address",
    ),
    Key(
        "identity.console",
        kinds.text,
        "How an operator reaches the standby while its addresses change: shown on the card. "
        "Sessions over its own address end in mode primary_address.",
        "Name the serial console or the service processor of the standby.",
        default=None,
        example="bmc-xcatmn2, serial over LAN",
    ),
    Key(
        "identity.spare",
        kinds.address,
        "Mode primary_address: a free address of the cluster network, by which the old primary is "
        "reached while two living nodes exchange their addresses. Without one nothing is handed "
        "over.",
        "Name one that nobody has and DHCP gives to nobody.",
        default=None,
        example="10.1.0.250",
    ),
    Key(
        "identity.confirm_s",
        kinds.seconds(10, 600),
        "How long the new identity may take until the gateway, and a witness of its network, see "
        "it. Otherwise the previous one comes back by itself, whether hamnd lives or not.",
        "Raise it where switches learn slowly; the addresses are announced within it.",
        default=60.0,
        unit="seconds",
    ),
    Key(
        "identity.address.interface",
        kinds.interface,
        "Interface that carries the address.",
        "When the cluster network is on another interface.",
        example="eth1",
    ),
    Key(
        "identity.address.address",
        kinds.address,
        "The service address itself, as the nodes of the cluster know it.",
        "Only together with cfgloc, site.master and the networks table.",
        example="10.1.0.2",
    ),
    Key(
        "identity.address.prefix",
        kinds.count(1, 128, "bits"),
        "Length of the network's prefix.",
        "When the network's mask changes.",
        unit="bits",
        example=16,
    ),
    Key(
        "identity.address.name",
        kinds.node_name,
        "Host name of the service address.",
        "When /etc/hosts or DNS call it otherwise.",
        example="xcatmn",
    ),
    Key(
        "identity.address.gateway",
        kinds.address,
        "Router of this network. The new address must reach it, or the old identity comes back.",
        "Set it wherever the network has a router that answers ping.",
        default=None,
        example="10.1.0.1",
    ),
)

NETWORK = (
    Key(
        "network.gateway",
        kinds.address,
        "Address that is pinged each round to prove our own path. A silence of the primary counts "
        "only while this one answers.",
        "Choose a router or switch that answers ping; never a management node.",
        example="10.1.0.1",
    ),
)

REPLICATION = (
    Key(
        "replication.engine",
        kinds.choice("db2", "postgresql", "mariadb", "sqlite", "dump", "shared_disk"),
        "What replicates the xCAT database.",
        "Decided when the pair is set up.",
        example="db2",
    ),
    Key(
        "replication.cfgloc",
        kinds.absolute_path,
        "xCAT's file that names its database. hamnd compares engine, database and host with this "
        "configuration (condition CfglocMatches); the password in it is cut off as it is read.",
        "When xCAT is told another file (XCATCFG).",
        default="/etc/xcat/cfgloc",
    ),
    *DB2,
    *POSTGRESQL,
    *MARIADB,
)

FENCE = (
    Key(
        "fence.minimum",
        kinds.choice("operator", "witnesses", "orderly", "agent_off", "power_off"),
        "Weakest proof that the old primary is off which a takeover accepts, weakest first: the "
        "operator's word, silent witnesses, an acknowledged shutdown, the agent's off, off read "
        "twice from the controller.",
        "Lower it only where nothing better can be had, and say so in your runbook.",
        default="agent_off",
    ),
    Key(
        "fence.agent",
        kinds.absolute_path,
        "Fence agent of the primary's power controller. Without one, ssh and the operator's word "
        "are left.",
        "Name the agent that fits the controller (fence_ipmilan, fence_hmc, ...).",
        default=None,
        example="/usr/sbin/fence_ipmilan",
    ),
    Key(
        "fence.timeout_s",
        kinds.seconds(1, 600),
        "Limit for one call of the agent.",
        "Raise it for controllers that answer slowly (HMC: 60).",
        default=20.0,
        unit="seconds",
    ),
    Key(
        "fence.evidence_age_max_s",
        kinds.seconds(1, 3600),
        "Age at which a reading of the controller or a silence is too old to act on.",
        "Raise it only for slow controllers.",
        default=30.0,
        unit="seconds",
    ),
    Key(
        "fence.shares_fate_with",
        kinds.text,
        "What the controller shares with the primary (power feed, switch). It is shown when both "
        "fall silent together.",
        "Write it down while it is light outside; nobody remembers it at night.",
        default="",
    ),
    Key(
        "fence.ssh",
        kinds.flag,
        "Whether the primary may also be fenced over ssh: kill its database, then power off.",
        "Where the primary has no power controller. It works only while its sshd does.",
        default=False,
    ),
)

_MAY_OFF = Key(
    "fence.may_off",
    kinds.command,
    "Command on this node that only reads, and ends with 0 when hamnd's account at the controller "
    "may power the primary off; else it says on its last line what lacks. It is run with every "
    "proof of readiness. fence_ipmilan needs none: its privlvl is asked for at every login.",
    "Where the controller lets an account log in and look that may not switch off.",
    default=None,
    example=("/usr/local/sbin/pdu-role", "--needs", "operator"),
)

WITNESSES = (
    Key(
        "witnesses.min",
        kinds.count(0, 64),
        "How many witnesses must have answered freshly before a silent primary counts as down. "
        "The default is 1 where witnesses are configured, else 0.",
        "Raise it where several service nodes share one switch.",
        default=None,
        example=1,
    ),
    Key(
        "witness.name",
        kinds.node_name,
        "Name of a service node that tells whether it reaches the primary.",
        "Choose service nodes behind different switches.",
        example="sn01",
    ),
    Key(
        "witness.address",
        kinds.address,
        "Its address as this node reaches it.",
        "When it moves.",
        example="10.1.0.21",
    ),
    Key(
        "witness.ssh_port",
        kinds.port,
        "TCP port of its ssh server.",
        "When sshd listens elsewhere.",
        default=22,
    ),
    Key(
        "witness.user",
        kinds.unix_name,
        "User to log in as.",
        "Where root may not log in; no privilege is needed there.",
        default="root",
    ),
)

KEYS = (
    *TOP,
    *_node_keys("primary", "xcatmn1", "10.1.0.3"),
    *_node_keys("standby", "xcatmn2", "10.1.0.4"),
    *IDENTITY,
    *NETWORK,
    *REPLICATION,
    *keys_copies.KEYS,
    *FENCE,
    _MAY_OFF,
    *WITNESSES,
)

SECTIONS = (
    Section("", "hamnd: a pair of xCAT management nodes, its database replicated by {engine}."),
    Section("primary", "The node that is primary today."),
    Section("standby", "The other one, where hamnd watches and from where it takes over."),
    Section("identity", "What makes a machine the management node."),
    Section("identity.address", "One table for each address that moves.", many=True, shown=True),
    Section("network", "How this node proves that it is not itself cut off."),
    Section("replication", "How the database gets to the standby."),
    Section("replication.db2", "The Db2 database of the pair.", engine="db2"),
    Section(
        "replication.postgresql",
        "The PostgreSQL servers of the pair (12 to 17, physical streaming). Set wal_sender_timeout "
        "on the primary and wal_receiver_timeout on the standby to about 10 s: with their default, "
        "60 s, a standby notices only then that nothing comes any more.",
        engine="postgresql",
    ),
    *keys_copies.SECTIONS,
    Section(
        "replication.mariadb",
        "The MariaDB (10.5 or newer) or MySQL 8 servers of the pair, replicating with GTIDs. On "
        "both: log_bin, log_slave_updates, binlog_format=ROW, gtid_strict_mode, a server_id of its "
        "own and, on the standby, read_only. For a loss that is proven zero: semi-sync on both, "
        "rpl_semi_sync_master_wait_point=AFTER_SYNC, its timeout (10 s) raised to 30 s or more.",
        engine="mariadb",
    ),
    Section("fence", "How the old primary is proven off before anything forced happens."),
    Section(
        "fence.options",
        "Options for the agent, written to its standard input as key=value; which ones there are "
        "says the agent's manual page. hamnd adds the action itself.",
        free=kinds.agent_option,
        free_name=kinds.matching(r"[A-Za-z][A-Za-z0-9_-]*", "an option of the fence agent"),
        secret=True,
        example={"ip": "10.1.0.103", "username": "hamnd"},
    ),
    Section(
        "fence.secret_files",
        "Secret options for the agent: each names a file that holds the value, never the value.",
        free=kinds.absolute_path,
        free_name=kinds.matching(r"[A-Za-z][A-Za-z0-9_-]*", "an option of the fence agent"),
        secret=True,
        example={"password": "/etc/hamnd/fence.password"},
    ),
    Section("witnesses", "Third parties' view of the primary."),
    Section("witness", "One table for each witness.", many=True),
)
