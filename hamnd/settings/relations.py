"""What must hold between keys, with the arithmetic spelled out.

Owns relations over scalar keys: rhythms, Db2's limits, fence, outputs. Must not know raw TOML; a
relation over a key that is missing or refused says nothing, because that key has its own problem.
The relations between nodes, addresses and witnesses are in hamnd.settings.addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from hamnd.dialects.schedule import longest_pause_s, parse_schedule
from hamnd.settings.problem import Problem, error, warning
from hamnd.settings.reader import Values

Check = Callable[..., Iterator[Problem]]

RULES: list[tuple[tuple[str, ...], Check]] = []
"""Each rule with the keys whose values it takes as arguments."""

HADR_TIMEOUT_ADVISED_S = 60
"""IBM's advice for HADR_TIMEOUT (db2-hadr.md §6.4)."""
PEER_WINDOW_ADVISED_S = 120
"""IBM's advice for HADR_PEER_WINDOW (db2-hadr.md §6.3)."""
WINDOW_MARGIN_S = 5.0
"""TAKEOVER … PEER WINDOW ONLY needs this much of the window left (db2-hadr.md §6.3)."""
_SECRETIVE = ("passw", "secret", "token", "community", "priv")


def rule(*paths: str) -> Callable[[Check], Check]:
    """Register a relation over these keys; it runs only when all of them could be read."""

    def register(check: Check) -> Check:
        RULES.append((paths, check))
        return check

    return register


def check(values: Values, more: tuple[tuple[tuple[str, ...], Check], ...] = ()) -> list[Problem]:
    """Return every broken relation, in the order of the rules, and of more of them."""
    found: list[Problem] = []
    for paths, relation in (*RULES, *more):
        if all(path in values.single for path in paths):
            found.extend(relation(*(values.single[path] for path in paths)))
    return [*found, *_disk_has_file_systems(values)]


def _disk_has_file_systems(values: Values) -> Iterator[Problem]:
    """A shared disk without a file system would be taken over by doing nothing at all."""
    path = "replication.shared_disk.filesystem"
    if values.single.get("replication.engine") == "shared_disk" and not values.tables.get(path):
        yield error(
            path,
            "is missing: nothing would be mounted",
            allowed="at least one table",
            hint=f"[[{path}]] with device and mountpoint",
        )


@rule("watch.down_after_s", "watch.reach_interval_s")
def _three_rounds(down_after: float, interval: float) -> Iterator[Problem]:
    if down_after < 3 * interval:
        yield error(
            "watch.down_after_s",
            f"is below three reach rounds (3 × {interval:g} s = {3 * interval:g} s): one lost "
            "packet could look like a death",
            value=f"{down_after:g}",
            allowed=f"at least {3 * interval:g} seconds",
            hint=f"raise it, or lower watch.reach_interval_s to {down_after / 3:.2g}",
        )


@rule("watch.probe_timeout_s", "watch.down_after_s")
def _probe_ends_before_verdict(timeout: float, down_after: float) -> Iterator[Problem]:
    if timeout >= down_after:
        yield error(
            "watch.probe_timeout_s",
            f"is not below down_after_s ({down_after:g} s): no question would be answered in time",
            value=f"{timeout:g}",
            allowed=f"below {down_after:g} seconds",
            hint="lower it, or raise watch.down_after_s",
        )


@rule("watch.reach_suspicion_interval_s", "watch.reach_interval_s")
def _suspicion_is_faster(suspicion: float, interval: float) -> Iterator[Problem]:
    if suspicion > interval:
        yield error(
            "watch.reach_suspicion_interval_s",
            f"is longer than reach_interval_s ({interval:g} s): suspicion would slow hamnd down",
            value=f"{suspicion:g}",
            allowed=f"at most {interval:g} seconds",
        )


@rule("watch.service_down_after_s", "watch.down_after_s")
def _service_is_slower(service: float, down_after: float) -> Iterator[Problem]:
    if service < down_after:
        yield error(
            "watch.service_down_after_s",
            f"is below down_after_s ({down_after:g} s): a restarting xcatd would count as down "
            "before a dead host does",
            value=f"{service:g}",
            allowed=f"at least {down_after:g} seconds",
        )


@rule("watch.recover_after_s", "watch.flap_window_s")
def _window_sees_flaps(recover: float, window: float) -> Iterator[Problem]:
    if window <= recover:
        yield error(
            "watch.flap_window_s",
            f"is not longer than recover_after_s ({recover:g} s): flapping could never be counted",
            value=f"{window:g}",
            allowed=f"more than {recover:g} seconds",
        )


@rule("replication.db2.hadr_timeout_s", "replication.db2.peer_window_s")
def _timeout_is_not_nervous(timeout: int, window: int) -> Iterator[Problem]:
    if timeout >= HADR_TIMEOUT_ADVISED_S:
        return
    cost = "is far below the advised value: false disconnects"
    if window:
        cost = (
            f"HADR_TIMEOUT {timeout} with a {window} s peer window: each false disconnect freezes "
            f"commits for up to {timeout + window} s ({timeout} s until the loss is noticed "
            f"+ {window} s of peer window)"
        )
    yield warning(
        "replication.db2.hadr_timeout_s",
        cost,
        value=str(timeout),
        allowed=f"IBM advises {HADR_TIMEOUT_ADVISED_S} to 120 seconds",
        hint="change HADR_TIMEOUT on both nodes, then here",
    )


@rule("replication.db2.peer_window_s", "watch.down_after_s")
def _window_is_usable(window: int, down_after: float) -> Iterator[Problem]:
    path = "replication.db2.peer_window_s"
    usable = window - down_after - WINDOW_MARGIN_S
    if window == 0:
        yield warning(
            path,
            "without a peer window no takeover can be proven to lose nothing",
            value="0",
            allowed=f"IBM advises at least {PEER_WINDOW_ADVISED_S} seconds",
        )
    elif usable <= 0:
        yield warning(
            path,
            f"the window closes before a takeover can use it: {window} s - {down_after:g} s until "
            f"PrimaryDown - {WINDOW_MARGIN_S:g} s margin = {usable:g} s",
            value=str(window),
            allowed=f"IBM advises at least {PEER_WINDOW_ADVISED_S} seconds",
        )
    elif window < PEER_WINDOW_ADVISED_S:
        yield warning(
            path,
            f"leaves the operator {usable:g} s to confirm without loss: {window} s - "
            f"{down_after:g} s until PrimaryDown - {WINDOW_MARGIN_S:g} s margin",
            value=str(window),
            allowed=f"IBM advises at least {PEER_WINDOW_ADVISED_S} seconds",
        )


@rule(
    "watch.replication_interval_s",
    "replication.db2.hadr_timeout_s",
    "replication.db2.peer_window_s",
)
def _polls_within_heartbeats(interval: float, timeout: int, window: int) -> Iterator[Problem]:
    heartbeat = min(timeout // 4, window // 4 if window else 30, 30)  # db2-hadr.md §6.4
    if heartbeat >= 1 and interval > heartbeat / 2:
        yield warning(
            "watch.replication_interval_s",
            f"is more than half of Db2's heartbeat interval (min({timeout} / 4, {window} / 4, 30) "
            f"= {heartbeat} s): the last sample before a death may be old",
            value=f"{interval:g}",
            allowed=f"at most {heartbeat / 2:g} seconds",
        )


def _hold_is_usable(path: str) -> None:
    @rule("watch.replication_interval_s", "watch.down_after_s", path)
    def _(interval: float, down_after: float, hold: float) -> Iterator[Problem]:
        least = interval + down_after
        if hold and hold < least:
            yield warning(
                path,
                f"is over before a death can be proven: {interval:g} s since the last reading + "
                f"{down_after:g} s until PrimaryDown = {least:g} s",
                value=f"{hold:g}",
                allowed=f"0, or at least {least:g} seconds",
                hint="lower watch.replication_interval_s",
            )


_hold_is_usable("replication.postgresql.sync_hold_s")
_hold_is_usable("replication.mariadb.sync_hold_s")


@rule("replication.postgresql.user", "replication.postgresql.passfile")
def _password_needs_a_role(user: str | None, passfile: str | None) -> Iterator[Problem]:
    if passfile is not None and user is None:
        yield warning(
            "replication.postgresql.passfile",
            "has no effect without replication.postgresql.user: the owner of the servers logs in "
            "by peer authentication",
            value=f'"{passfile}"',
        )


@rule("replication.postgresql.data_dir", "replication.postgresql.unit", "platform")
def _server_needs_a_unit(
    data_dir: str | None, unit: str | None, platform: str
) -> Iterator[Problem]:
    if data_dir is not None and unit is None and platform == "linux":
        yield warning(
            "replication.postgresql.data_dir",
            "no replication.postgresql.unit is named: a server that set-up or rejoin starts on "
            "this node would end together with hamnd's own unit",
            value=f'"{data_dir}"',
            hint="name the unit that starts the server, such as postgresql@15-main",
        )


@rule("files.credentials", "replication.cfgloc", "identity.mode")
def _cfgloc_stays(credentials: tuple[str, ...], cfgloc: str, mode: str) -> Iterator[Problem]:
    """It names the database's host as this node reaches it, which is each node's own there."""
    around = [one for one in credentials if f"{cfgloc}/".startswith(f"{one.rstrip('/')}/")]
    if around and mode == "primary_address":
        yield error(
            "files.credentials",
            f"would copy {cfgloc}; in mode primary_address each node keeps its own",
            value=f'"{around[0]}"',
            hint="name the folders in it one by one: /etc/xcat/ca, /etc/xcat/cert, ...",
        )


@rule("replication.mariadb.user", "replication.mariadb.defaults_file")
def _user_needs_a_password(user: str | None, defaults_file: str | None) -> Iterator[Problem]:
    if user is not None and defaults_file is None:
        yield warning(
            "replication.mariadb.user",
            "logs in without a password, unless an option file of os_user has it",
            value=f'"{user}"',
            hint="name an option file in replication.mariadb.defaults_file",
        )


@rule("replication.mariadb.product", "tools.mariadb")
def _client_fits_product(product: str, client: str) -> Iterator[Problem]:
    if product == "mysql" and client == "mariadb":
        yield warning(
            "tools.mariadb",
            "is MariaDB's client, and the servers are MySQL's",
            value=f'"{client}"',
            hint='"mysql" is the client that MySQL brings',
        )


@rule("fence.minimum", "fence.agent")
def _minimum_needs_agent(minimum: str, agent: str | None) -> Iterator[Problem]:
    if agent is None and minimum in {"agent_off", "power_off"}:
        yield warning(
            "fence.minimum",
            "no fence.agent is configured, so no takeover passes the fence gate unless the "
            "operator overrides it by name",
            value=f'"{minimum}"',
            hint="set fence.agent, or lower fence.minimum to what this site can prove",
        )


@rule("fence.minimum", "fence.agent", "fence.ssh")
def _orderly_needs_a_way(minimum: str, agent: str | None, ssh: bool) -> Iterator[Problem]:
    if minimum == "orderly" and agent is None and not ssh:
        yield warning(
            "fence.minimum",
            "neither fence.agent nor fence.ssh is configured, so nothing can shut the primary down",
            value='"orderly"',
            hint="set fence.ssh = true, or fence.agent",
        )


@rule("fence.evidence_age_max_s", "fence.timeout_s")
def _evidence_outlives_call(age: float, timeout: float) -> Iterator[Problem]:
    if age < timeout:
        yield warning(
            "fence.evidence_age_max_s",
            f"is below fence.timeout_s ({timeout:g} s): a reading may be too old when it arrives",
            value=f"{age:g}",
            allowed=f"at least {timeout:g} seconds",
        )


@rule("fence.agent", "fence.options", "fence.secret_files")
def _options_fit_agent(
    agent: str | None, options: dict[str, str], files: dict[str, str]
) -> Iterator[Problem]:
    for name in options:
        if name in {"action", "option"}:
            yield error(
                f"fence.options.{name}", "is given by hamnd for each call", hint="remove it"
            )
        elif any(part in name.lower() for part in _SECRETIVE):
            yield error(
                f"fence.options.{name}",
                "looks like a secret, and secrets are paths to files",
                value="(not shown)",
                hint=f"write the value into a file (mode 0600) and name it in fence.secret_files."
                f"{name}",
            )
        if name in files:
            yield error(f"fence.options.{name}", "is also set in fence.secret_files")
    if agent is None and (options or files):
        where = "fence.options" if options else "fence.secret_files"
        yield warning(where, "has no effect without fence.agent")


@rule("plan.timeouts", "fence.timeout_s")
def _fence_step_outlasts_call(timeouts: dict[str, float], timeout: float) -> Iterator[Problem]:
    limit = timeouts.get("fence")
    if limit is not None and limit < 3 * timeout:
        yield error(
            "plan.timeouts.fence",
            f"is below three calls of the agent (off and two readings: 3 × {timeout:g} s = "
            f"{3 * timeout:g} s)",
            value=f"{limit:g}",
            allowed=f"at least {3 * timeout:g} seconds",
        )


@rule("metrics.certificate_file", "metrics.key_file")
def _certificate_has_a_key(certificate: str | None, key: str | None) -> Iterator[Problem]:
    if (certificate is None) != (key is None):
        missing = "key_file" if key is None else "certificate_file"
        yield error(
            f"metrics.{missing}",
            "is missing: a certificate and its key are set together, or neither",
            hint="the pages are plain HTTP without both",
        )


@rule("metrics.listen", "metrics.certificate_file", "metrics.users_file")
def _passwords_travel_encrypted(
    listen: str, certificate: str | None, users: str | None
) -> Iterator[Problem]:
    is_loopback = listen.startswith(("127.", "[::1]"))
    if users is not None and certificate is None and listen and not is_loopback:
        yield warning(
            "metrics.users_file",
            "these passwords travel in the clear",
            hint="set metrics.certificate_file and metrics.key_file",
        )


@rule("paths.state_dir", "paths.socket")
def _state_dir_is_our_own(state_dir: Any, socket: Any) -> Iterator[Problem]:
    if state_dir.rstrip("/") in {"", "/var", "/var/lib", "/etc", "/tmp", "/usr", "/home", "/root"}:
        yield error(
            "paths.state_dir",
            "is a directory of the system, not one of hamnd's own",
            value=f'"{state_dir}"',
            hint='for example "/var/lib/hamnd"',
        )
    if socket.rstrip("/") == state_dir.rstrip("/"):
        yield error("paths.socket", "is the same path as paths.state_dir", value=f'"{socket}"')


@rule("replication.engine", "fence.minimum", "replication.shared_disk.reservation_check")
def _disk_needs_power_off(engine: str, minimum: str, check: Any) -> Iterator[Problem]:
    if engine == "shared_disk" and minimum != "power_off" and not check:
        yield warning(
            "fence.minimum",
            "a shared disk is mounted only on power_off, or on a reservation that is proven: a "
            "weaker minimum lets a plan begin that then needs --accept-loss entire-database",
            value=f'"{minimum}"',
            hint='set fence.minimum = "power_off", or replication.shared_disk.reservation_check',
        )


@rule("replication.shared_disk.reserve", "replication.shared_disk.reservation_check")
def _reserving_is_proven(reserve: Any, check: Any) -> Iterator[Problem]:
    if reserve and not check:
        yield error(
            "replication.shared_disk.reserve",
            "has no reservation_check beside it: nobody would know whether it was granted",
            hint="set replication.shared_disk.reservation_check",
        )


def _pause_is_shorter_than_staleness(
    engine: str, schedule: str, stale_after: float
) -> Iterator[Problem]:
    pause_s = longest_pause_s(parse_schedule(schedule))
    if pause_s is not None and stale_after <= pause_s:
        yield warning(
            f"replication.{engine}.stale_after_s",
            f"is not above the longest pause of the schedule ({pause_s:g} s): between two copies "
            "the standby would not protect",
            value=f"{stale_after:g}",
            allowed=f"more than {pause_s:g} seconds",
            hint=f"raise it, or copy more often than {schedule}",
        )


for _engine in ("sqlite", "dump"):
    rule(f"replication.{_engine}.schedule", f"replication.{_engine}.stale_after_s")(
        partial(_pause_is_shorter_than_staleness, _engine)
    )
