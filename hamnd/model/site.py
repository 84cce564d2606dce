"""The site as configured: two nodes, their addresses, the tools and devices around them.

Owns `Site` and its parts, plain values without raw TOML. Must not know files or defaults
(hamnd.settings) nor thresholds (hamnd.core.policy).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from hamnd.model.epoch import WhenUnknown
from hamnd.model.filesets import FileSet
from hamnd.model.mariadb import Product
from hamnd.model.names import FenceGrade
from hamnd.model.shared_disk import SharedDiskSite

EMPTY: Mapping[str, str] = MappingProxyType({})


class Platform(StrEnum):
    """Operating system family of both nodes."""

    LINUX = "linux"
    AIX = "aix"


class IdentityMode(StrEnum):
    """What moves at a takeover (design §5)."""

    SERVICE_ADDRESS = "service_address"
    """A movable alias that belongs to no machine; both keep their own address and name."""
    PRIMARY_ADDRESS = "primary_address"
    """The primary's own address and host name, as the guide has it; the standby's own ends."""


class Transport(StrEnum):
    """How hamnd speaks ssh: a library in its own process, or the `ssh` program."""

    ASYNCSSH = "asyncssh"
    OPENSSH = "openssh"


@dataclass(frozen=True, slots=True)
class Node:
    """One management node: its configured name, its own address and where it listens."""

    name: str
    address: str
    ssh_port: int = 22
    xcatd_port: int = 3001


@dataclass(frozen=True, slots=True)
class Witness:
    """A service node that tells what it can reach of the primary."""

    name: str
    address: str
    ssh_port: int = 22
    user: str = "root"


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """One address of the management node's identity, carried by whoever is active."""

    interface: str
    address: str
    prefix: int
    name: str
    gateway: str | None = None

    @property
    def is_ipv6(self) -> bool:
        """Whether this is an address of IPv6, which has no ARP."""
        return ":" in self.address


@dataclass(frozen=True, slots=True)
class Db2Site:
    """The Db2 database of the pair; `timeout` and `window` as configured in HADR, in seconds."""

    database: str = ""
    instance_owner: str = ""
    profile: str | None = None
    hadr_timeout_s: int = 60
    peer_window_s: int = 120
    gap_bytes_max: int = 1_048_576
    work_dir: str = "/var/lib/hamnd-db2"
    """Images on their way, and what a database had that is kept; the same on both nodes."""
    storage_paths: tuple[str, ...] = ()
    """Automatic storage paths other than the database's own directory."""
    primary_service: str = "DB2_HADR_1"
    primary_port: int = 55001
    standby_service: str = "DB2_HADR_2"
    standby_port: int = 55002
    """Where HADR of either node listens; names of /etc/services."""
    sync_mode: str = "nearsync"
    archive_dir: str | None = None
    """Where a database that logs in circles is made to archive its log; None: in `work_dir`."""
    client_port: int | None = None
    """Where remote clients reach the database; None: there are none."""


@dataclass(frozen=True, slots=True)
class PostgresSite:
    """The PostgreSQL cluster of the pair, reached on either node through its own unix socket."""

    database: str = "xcatdb"
    os_user: str = "postgres"
    user: str | None = None
    port: int = 5432
    socket_dir: str | None = None
    passfile: str | None = None
    gap_bytes_max: int = 16_777_216
    sync_hold_s: float = 20.0
    """So long after the last reading nobody at the primary has ended its waiting for us."""
    data_dir: str | None = None
    """The data directory, the same on both nodes; without it nothing is set up or rejoined."""
    program_dir: str | None = None
    """Where pg_ctl, pg_basebackup and pg_rewind are; None: on PATH."""
    config_file: str | None = None
    """postgresql.conf where it lies outside the data directory."""
    hba_file: str | None = None
    unit: str | None = None
    """The unit that starts the server; None: pg_ctl does."""
    replication_user: str = "hamnd_replication"
    replication_passfile: str | None = None
    """Its password on either node; None: pg_hba.conf lets it in without one."""
    slot_keep_mib: int = 1024
    """How much log a slot may keep for an absent standby; 0: no slot."""
    heartbeat_s: int = 0
    """How often a row of hamnd's own is written on the primary; 0: never."""
    synchronous: bool = False
    """Whether set-up and rejoin end with a primary that waits for its standby."""


@dataclass(frozen=True, slots=True)
class CopySite:
    """How copies of the database are pulled by a node that has no replication."""

    schedule: str = "*/5 * * * *"
    jitter_s: float = 0.0
    timeout_s: float = 300.0
    stale_after_s: float = 900.0
    """A copy that is older does not protect any more."""
    keep: int = 24
    shrink_min: float = 0.5
    """A copy smaller than this share of the one before it is not taken."""


@dataclass(frozen=True, slots=True)
class SqliteSite(CopySite):
    """xCAT's own tables, one file each, in one directory on either node."""

    directory: str = "/etc/xcat"


@dataclass(frozen=True, slots=True)
class DumpSite(CopySite):
    """A PostgreSQL database on a server of its own on either node, copied by dumps."""

    schedule: str = "0 * * * *"
    stale_after_s: float = 8100.0
    database: str = "xcatdb"
    os_user: str = "postgres"
    port: int = 5432
    socket_dir: str | None = None


@dataclass(frozen=True, slots=True)
class MariaSite:
    """The MariaDB or MySQL servers of the pair, each reached through its own unix socket."""

    product: Product = Product.MARIADB
    database: str = "xcatdb"
    os_user: str = "root"
    user: str | None = None
    defaults_file: str | None = None
    socket: str | None = None
    port: int = 3306
    unit: str = "mariadb"
    data_dir: str = "/var/lib/mysql"
    data_owner: str = "mysql:mysql"
    replication_file: str = "/etc/hamnd/mariadb-replication.cnf"
    heartbeat_s: float = 1.0
    """How often an idle primary says that it lives; written into the replica at set-up."""
    row_heartbeat_s: int = 0
    """How often a row of hamnd's own is written on the primary; 0: never."""
    gap_bytes_max: int = 16_777_216
    sync_hold_s: float = 20.0
    """So long after the last reading nobody at the primary has ended its waiting for us."""


@dataclass(frozen=True, slots=True)
class FenceSite:
    """How the old primary can be proven off (design §4)."""

    minimum: FenceGrade = FenceGrade.AGENT_OFF
    agent: str | None = None
    options: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    secret_files: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    timeout_s: float = 20.0
    shares_fate_with: str = ""
    ssh: bool = False
    may_off: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SshSite:
    """Credentials and limits for every ssh connection."""

    transport: Transport = Transport.ASYNCSSH
    user: str = "root"
    key_file: str = "/root/.ssh/id_ed25519"
    known_hosts_file: str = "/root/.ssh/known_hosts"
    connect_timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Services:
    """Which services the management node runs, by the names of this platform."""

    xcatd: str = "xcatd"
    dns: bool = True
    dhcp: bool = True
    consoles: str = "conserver"
    http: bool = False
    http_port: int = 80
    tftp: str = "none"
    """none, unit, or xcatd where that starts the server itself (xcat-hamn.md §4.1)."""
    ntp: bool = False
    nfs: bool = False
    dhcp_leases: str | None = None
    """The DHCP server's leases file; without a copy of it dynamic leases are lost."""
    service_nodes: tuple[str, ...] = ()
    """Witnesses with an xcatd of their own, which must find the new management node."""


@dataclass(frozen=True, slots=True)
class Osdeploy:
    """Nodes whose boot files name the management node and are written again (guide §8.8)."""

    nodes: str = ""
    """An xCAT noderange; empty: none."""
    state: str = "osimage"
    program: str = "nodeset"
    """nodeset; on AIX also nimnodeset (standalone) or mkdsklsnode (diskless)."""
    image: str = ""
    """The osimage for nimnodeset and mkdsklsnode."""


@dataclass(frozen=True, slots=True)
class Nim:
    """How AIX's NIM database comes to life on the node that takes over (guide §8.8)."""

    mode: str = "none"
    """none, rebuild (each resource made again), backup (restored), hanim (alternate server)."""
    device: str = "/install/nim/media"
    """Where rebuild finds AIX's own filesets, for nim_master_setup."""
    backup_dir: str = "/install/nim-backup"
    old_object: str = ""
    """hanim: the object by which the alternate server knows the old one."""


@dataclass(frozen=True, slots=True)
class SiteStep:
    """A step that the site declares in its configuration (design §5).

    `check` and `verify` only read: that is the site's word. It runs after or before another step.
    `host` is a witness; None is the node that takes over.
    """

    id: str
    command: tuple[str, ...]
    verify: tuple[str, ...]
    title: str = ""
    before: str | None = None
    after: str | None = None
    host: str | None = None
    user: str | None = None
    check: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Shield:
    """What the old primary is refused after a takeover, until it has rejoined."""

    packets: bool = False
    """Refuse its connections to database, xcatd and rsync (nftables)."""
    sshd_file: str | None = None
    """File that sshd includes; it then refuses its copies over ssh."""
    database_port: int | None = None
    """Where clients reach the database; None: the engine's usual one."""


@dataclass(frozen=True, slots=True)
class GuardSite:
    """What the return guard needs to be told (design §5)."""

    when_unknown: WhenUnknown = WhenUnknown.HOLD


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the site wants to have told: a program per kind of event, bounded in time."""

    state_change: tuple[str, ...] = ()
    timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Paths:
    """Where hamnd keeps its own files."""

    state_dir: str = "/var/lib/hamnd"
    socket: str = "/run/hamnd/hamnd.sock"


@dataclass(frozen=True, slots=True)
class MetricsSite:
    """Where the read-only pages are served over TCP, and who may read them there."""

    listen: str = "127.0.0.1:9745"
    """"" serves none."""
    certificate_file: str | None = None
    """PEM chain; None: plain HTTP."""
    key_file: str | None = None
    users_file: str | None = None
    """Lines NAME:PASSWORD; None: everybody who reaches the address may read."""


@dataclass(frozen=True, slots=True)
class Site:
    """Everything the configuration says about the world; `node` is where this hamnd runs."""

    cluster: str
    node: str
    platform: Platform
    primary: Node
    standby: Node
    identity: tuple[ServiceAddress, ...]
    gateway: str
    db2: Db2Site = field(default_factory=Db2Site)
    """Tables of the other engines than `engine` hold what nobody reads."""
    postgresql: PostgresSite = field(default_factory=PostgresSite)
    sqlite: SqliteSite = field(default_factory=SqliteSite)
    dump: DumpSite = field(default_factory=DumpSite)
    mariadb: MariaSite = field(default_factory=MariaSite)
    shared_disk: SharedDiskSite = field(default_factory=SharedDiskSite)
    engine: str = "db2"
    """Name of the replication engine."""
    cfgloc: str = "/etc/xcat/cfgloc"
    """xCAT's own file of which database it opens; a password is in it."""
    fence: FenceSite = field(default_factory=FenceSite)
    witnesses: tuple[Witness, ...] = ()
    ssh: SshSite = field(default_factory=SshSite)
    services: Services = field(default_factory=Services)
    crontabs: tuple[str, ...] = ("/etc/crontab", "/etc/cron.d")
    """Crontabs with a user in each line: files, and folders of them."""
    credentials: tuple[str, ...] = ()
    """Directories without which nodes do not trust the management node (xcat-hamn.md §8)."""
    file_sets: tuple[FileSet, ...] = ()
    """What is copied here while this node is standby."""
    osdeploy: Osdeploy = field(default_factory=Osdeploy)
    nim: Nim = field(default_factory=Nim)
    shield: Shield = field(default_factory=Shield)
    site_steps: tuple[SiteStep, ...] = ()
    guard: GuardSite = field(default_factory=GuardSite)
    hooks: Hooks = field(default_factory=Hooks)
    rehearsal_schedule: str = "20 4 * * *"
    rehearsal_jitter_s: float = 600.0
    tools: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    tool_path: str = "/opt/xcat/bin:/opt/xcat/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    paths: Paths = field(default_factory=Paths)
    operators: str = "root"
    operators_users: tuple[str, ...] = ()
    metrics: MetricsSite = field(default_factory=MetricsSite)
    identity_mode: IdentityMode = IdentityMode.SERVICE_ADDRESS
    identity_console: str = ""
    """How a person reaches this node while its addresses change."""
    identity_spare: str = ""
    """What the old primary is reached by while two living nodes exchange their addresses."""
    identity_confirm_s: float = 60.0
    """How long a new identity may take to be proven; then the one before comes back by itself."""
    journal_reserve_mib: int = 16
    journal_timeout_s: float = 2.0
    """A journal that is slower than this halts action (design §9)."""
    log_level: str = "info"

    def tool(self, name: str) -> str:
        """Return the program configured for a tool, or its bare name."""
        return self.tools.get(name, name)

    @property
    def database_owner(self) -> str:
        """Unix user on both nodes that owns the database, and whose jobs may write into it."""
        owners = {"sqlite": "root", "shared_disk": "root", "dump": self.dump.os_user}
        owners |= {"postgresql": self.postgresql.os_user, "mariadb": self.mariadb.os_user}
        return owners.get(self.engine, self.db2.instance_owner)

    @property
    def takes_primary_address(self) -> bool:
        """Whether a takeover on this node takes over the partner's own address and name."""
        is_moving = self.identity_mode is IdentityMode.PRIMARY_ADDRESS
        return is_moving and all(one.address != self.own.address for one in self.identity)

    @property
    def moving(self) -> ServiceAddress | None:
        """The address of a node that is the management node's own, in mode primary_address."""
        own = (self.primary.address, self.standby.address)
        return next((one for one in self.identity if one.address in own), None)

    @property
    def moving_name(self) -> str:
        """The host name that moves together with the primary's own address."""
        return self.primary.name if self.moving is None else self.moving.name

    def exchanged(self) -> Site:
        """Return the site once its two nodes have exchanged their addresses; names stay."""
        primary = replace(self.primary, address=self.standby.address)
        standby = replace(self.standby, address=self.primary.address)
        return replace(self, primary=primary, standby=standby)

    @property
    def named(self) -> Site:
        """The site by the addresses that its nodes' names have: a name moves with its address."""
        moving = self.moving
        is_exchanged = moving is not None and moving.address == self.standby.address
        return self.exchanged() if is_exchanged else self

    @property
    def is_on_standby(self) -> bool:
        """Whether this hamnd runs on the node configured as standby."""
        return self.node == self.standby.name

    @property
    def own(self) -> Node:
        """This management node."""
        return self.standby if self.is_on_standby else self.primary

    @property
    def partner(self) -> Node:
        """The other management node."""
        return self.primary if self.is_on_standby else self.standby
