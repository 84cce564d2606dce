"""A whole xCAT site in the lab: two management nodes, xCAT over a replicated database, hamnd.

Owns the assembly: who holds the service address, which servers run on the primary, hamnd's
configuration and process on the standby. MUST NOT judge: what hamnd says is compared with the
lab's own truth by the stories.

    with Lab() as lab:
        site = Db2Pair(lab)
        site.watch()                     # hamnd runs on mn2
        site.faults.off("mn1")
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hamnd.demo.db2_node import PairConfig
from tests.lab.site import services, xcat
from tests.lab.site.db2 import OWNER, Db2
from tests.lab.site.faults import Faults
from tests.lab.site.hosts import CHECKOUT, Done, Host, Lab, Process, wait_until
from tests.lab.site.names import (
    CLUSTER,
    CONTROLLER,
    GATEWAY,
    MANAGERS,
    PRIMARY,
    SERVICE_NAME,
    STANDBY,
    WITNESSES,
)
from tests.lab.site.power import PASSWORD, USER, Power

CONFIG = "/etc/hamnd/hamnd.toml"
UNIT = CHECKOUT / "systemd/hamnd.service"
SERVICE_ADDRESS = CLUSTER.address(SERVICE_NAME)

TIMES = PairConfig(hadr_timeout_s=5, peer_window_s=20, takeover_s=0.5)
READ_S = 120.0
"""What changes seldom and could not be told is read again once a minute."""

TEXT = f"""\
cluster = "lab"
node = "{{node}}"
platform = "linux"
operators = "root"
operators_users = ["root"]

[primary]
name = "{PRIMARY}"
address = "{CLUSTER.address(PRIMARY)}"

[standby]
name = "{STANDBY}"
address = "{CLUSTER.address(STANDBY)}"

[identity]
mode = "service_address"
[[identity.address]]
interface = "eth0"
address = "{SERVICE_ADDRESS}"
prefix = 24
gateway = "{CLUSTER.address(GATEWAY)}"
name = "{SERVICE_NAME}"

[guard]
when_unknown = "hold"

[network]
gateway = "{CLUSTER.address(GATEWAY)}"

{{replication}}
[fence]
minimum = "agent_off"
agent = "/usr/sbin/{{agent}}"
timeout_s = 5
[fence.options]
ip = "{CLUSTER.address(CONTROLLER)}"
username = "{USER}"
plug = "{PRIMARY}"
[fence.secret_files]
password = "/etc/hamnd/fence.password"

[witnesses]
min = 1
{{witnesses}}
[ssh]
transport = "{{transport}}"
user = "root"
key_file = "/root/.ssh/id_ed25519"
known_hosts_file = "/root/.ssh/known_hosts"
connect_timeout_s = 2

{{files}}
[journal]
timeout_s = 20

[watch]
reach_interval_s = 0.5
reach_suspicion_interval_s = 0.2
probe_timeout_s = 1.0
replication_interval_s = 1.0
readiness_interval_s = 5.0
down_after_s = 2.0
service_down_after_s = 8.0
recover_after_s = 2.0
flap_window_s = 60.0
"""


NO_FILES = """\
[files]
sets = []
"""
"""Nothing is copied, but for the stories of the file sets."""

DB2 = f"""\
[replication]
engine = "db2"
[replication.db2]
database = "XCATDB"
instance_owner = "{OWNER}"
profile = "/home/{OWNER}/sqllib/db2profile"
hadr_timeout_s = {{hadr_timeout_s}}
peer_window_s = {{peer_window_s}}
"""


def configuration(
    node: str,
    replication: str,
    agent: str = "fence_lab",
    transport: str = "asyncssh",
    files: str = NO_FILES,
) -> str:
    """Return the hamnd.toml of one node."""
    witnesses = "\n".join(
        f'[[witness]]\nname = "{name}"\naddress = "{CLUSTER.address(name)}"\n' for name in WITNESSES
    )
    return TEXT.format(
        node=node,
        agent=agent,
        transport=transport,
        witnesses=witnesses,
        replication=replication,
        files=files,
    )


def over_db2(times: PairConfig) -> str:
    """Return the tables of hamnd's configuration for a Db2 pair with these times."""
    return DB2.format(hadr_timeout_s=times.hadr_timeout_s, peer_window_s=times.peer_window_s)


def _install_delivered(host: Host) -> None:
    """Install hamnd as a package does: its program, and the delivered unit word by word."""
    program = shlex.join([sys.executable, "-m", "hamnd"])
    host.write("/usr/bin/hamnd", f'#!/bin/sh\nPYTHONPATH={CHECKOUT} exec {program} "$@"\n', 0o755)
    host.write("/etc/systemd/system/hamnd.service", UNIT.read_text())
    host.run("systemctl", "daemon-reload")


class Pair:
    """mn1 the management node, everything running there and nothing on mn2; the engine's part is
    its subclass's."""

    replication = ""
    """The tables of hamnd's configuration that name the engine."""

    def __init__(
        self,
        lab: Lab,
        change: Callable[[str], str] = str,
        service_address: str = SERVICE_ADDRESS,
    ) -> None:
        """Set the site up; `change` is applied to hamnd's configuration of every node.

        `service_address` is what the management node holds; it may be the primary's own.
        """
        self.lab = lab
        self.service_address = service_address
        self._change = change
        self.faults = Faults(lab)
        self.power = Power(lab, self.faults)
        self.power.install(*MANAGERS)
        self.replicate()
        self._serve()

    def replicate(self) -> None:
        """Make the database on both nodes, and put xCAT on top of it."""
        raise NotImplementedError

    def _serve(self) -> None:
        primary = self.lab[PRIMARY]
        if self.service_address != primary.address:
            primary.run("ip", "addr", "add", f"{self.service_address}/24", "dev", "eth0")
        announcing = ("arping", "-q", "-U", "-c", "1", "-I", "eth0", self.service_address)
        # Each drives a server of its own: side by side, as nobody would by hand.
        side_by_side = ("makedns -n", "makedhcp -n && makedhcp -a", "makeconservercf")
        with ThreadPoolExecutor() as pool:
            announced = pool.submit(primary.run, *announcing)
            primary.run("systemctl", "start", "xcatd", timeout_s=60)
            commands = [
                pool.submit(primary.run, "sh", "-c", one, timeout_s=120) for one in side_by_side
            ]
            for one in (announced, *commands):
                one.result()

    # hamnd.

    def configure(self, node: str = STANDBY, agent: str = "fence_lab", more: str = "") -> None:
        """Write hamnd's configuration on a node, with the secret of its fence agent."""
        host = self.lab[node]
        text = self._change(configuration(node, self.replication, agent)) + more
        host.write(CONFIG, text, 0o640)
        host.write("/etc/hamnd/fence.password", f"{PASSWORD}\n", 0o600)
        if host.has_systemd:
            _install_delivered(host)
        else:
            command = shlex.join([sys.executable, "-m", "hamnd", "--config", CONFIG])
            prepare = "rm -rf /run/hamnd; mkdir -p -m 0750 /var/lib/hamnd; mkdir /run/hamnd"
            run = f"sh -c {shlex.quote(f'{prepare}; PYTHONPATH={CHECKOUT} exec {command}')}"
            services.install(
                host, services.Unit("hamnd", run, services.accepting("/run/hamnd/hamnd.sock"), 30)
            )

    def watch(self, node: str = STANDBY, agent: str = "fence_lab", more: str = "") -> None:
        """Start hamnd on a node and wait until it answers. Raises RuntimeError with its log."""
        self.configure(node, agent, more)
        started = self.lab[node].ask("systemctl", "start", "hamnd", timeout_s=60)
        if started.code != 0:
            raise RuntimeError(f"{started.text}\n{self.log(node)}")

    def log(self, node: str = STANDBY) -> str:
        """Return what hamnd on a node logged."""
        if self.lab[node].has_systemd:
            return self.lab[node].ask("journalctl", "-u", "hamnd", "-o", "cat", "--no-pager").out
        return self.lab[node].path("/var/lab/hamnd.log").read_text(errors="replace")

    def command(self, *words: str) -> tuple[tuple[str, ...], dict[str, str]]:
        """Return hamnctl's command line inside a host, and its environment."""
        environment = {"PYTHONPATH": str(CHECKOUT), "COLUMNS": "200"}
        return (sys.executable, "-m", "hamnd.cli.main", *words), environment

    def hamnctl(self, *words: str, node: str = STANDBY, timeout_s: float = 60.0) -> Done:
        """Run hamnctl on a node."""
        argv, environment = self.command(*words)
        return self.lab[node].ask(*argv, environment=environment, timeout_s=timeout_s)

    def explained(self, name: str = "replication") -> str:
        """Return what `hamnctl explain` says of it, in one line."""
        return " ".join(self.hamnctl("explain", name).text.split())

    def start_hamnctl(self, *words: str, node: str = STANDBY) -> Process:
        """Start hamnctl on a node, and leave it to itself."""
        argv, environment = self.command(*words)
        return self.lab[node].start(*argv, environment=environment)

    def retry(self, node: str = STANDBY, limit_s: float = 60.0) -> None:
        """Let the paused run go on, again and again while what it needs was not seen yet."""

        said: list[str] = []

        def goes_on() -> bool:
            said.append(self.hamnctl("retry", node=node, timeout_s=120).text)
            return self.ask("status", node=node)["run"] is None

        try:
            wait_until(goes_on, "the run ends", limit_s)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{said[-1]}") from None

    def kill_hamnd(self, node: str = STANDBY) -> None:
        """Kill hamnd at once, as the kernel does when memory ends; what it started lives on."""
        self.faults.kill_process(node, f"hamnd --config {CONFIG}")

    def ask(self, *words: str, node: str = STANDBY) -> dict[str, Any]:
        """Run `hamnctl --json` and return its document. Raises RuntimeError when it fails."""
        done = self.hamnctl("--json", *words, node=node)
        try:
            document: dict[str, Any] = json.loads(done.out)
        except ValueError:
            raise RuntimeError(f"hamnctl {' '.join(words)}: {done.code}\n{done.text}") from None
        return document

    def wait_state(self, *states: str, limit_s: float = 60.0, node: str = STANDBY) -> str:
        """Wait until hamnd's state is one of these. Raises TimeoutError with what it says."""
        try:
            wait_until(lambda: self.ask("status", node=node)["state"] in states, "", limit_s)
        except TimeoutError:
            status = self.hamnctl("status", node=node).text
            raise TimeoutError(f"not {states} within {limit_s:g} s:\n{status}") from None
        return str(self.ask("status", node=node)["state"])

    def wait_ready(self, limit_s: float = 60.0) -> None:
        """Wait until a takeover would work now."""
        try:
            wait_until(lambda: self.hamnctl("ready").code == 0, "", limit_s)
        except TimeoutError:
            raise TimeoutError(self.hamnctl("ready").text) from None

    def take_over(self) -> dict[str, Any]:
        """Plan, accept the loss that is shown, confirm; return the plan that was confirmed."""
        plan = self.ask("plan", "takeover")
        verdict = plan["data_loss"]["verdict"]
        if verdict != "zero_proven":
            plan = self.ask("plan", "takeover", "--accept-loss", verdict)
            assert plan["data_loss"]["verdict"] == verdict
        confirmed = self.hamnctl("confirm", plan["digest"], "--name", STANDBY, timeout_s=120)
        assert confirmed.code == 0, f"{confirmed.text}\n{self.hamnctl('status').text}"
        assert self.wait_state("Active") == "Active"
        return plan

    def planned(self, kind: str, *words: str, node: str = STANDBY) -> dict[str, Any]:
        """Plan as an operator does; what hamnd wants to read first is waited for."""

        def shown() -> dict[str, Any]:
            return self.ask("plan", kind, *words, node=node)

        wait_until(lambda: "try again soon" not in str(shown().get("error")), kind, READ_S)
        plan = shown()
        assert "digest" in plan, plan
        return plan

    def carry_out(
        self, kind: str, named: str, *words: str, node: str = STANDBY, limit_s: float = 600.0
    ) -> dict[str, Any]:
        """Plan and confirm as an operator does; return the plan that was carried out.

        What is seen only between the two is in the digest: then it is planned anew, a few times.
        """

        def confirm() -> tuple[dict[str, Any], Done]:
            plan = self.planned(kind, *words, node=node)
            word = ("confirm", plan["digest"], "--name", named)
            return plan, self.hamnctl(*word, node=node, timeout_s=limit_s)

        plan, done = confirm()
        for _ in range(3):
            if "the picture became worse" in done.text:
                plan, done = confirm()
        status = self.hamnctl("status", node=node).text
        assert done.code == 0, f"{kind}: {done.text}\n{status}\n{self.log(node)[-3000:]}"
        return plan

    # The lab's own truth.

    def owners(self) -> list[str]:
        """Return which hosts hold the service address; two of them are a disaster."""
        return [
            name
            for name in MANAGERS
            if self.lab[name].is_up
            and f" {self.service_address}/" in self.lab[name].run("ip", "-o", "addr", "show")
        ]


class Db2Pair(Pair):
    """xCAT over the Db2 model; `times` are those of the databases and of hamnd's configuration."""

    def __init__(
        self,
        lab: Lab,
        times: PairConfig = TIMES,
        change: Callable[[str], str] = str,
        service_address: str = SERVICE_ADDRESS,
    ) -> None:
        self.times = times
        self.replication = over_db2(times)
        super().__init__(lab, change, service_address)

    def replicate(self) -> None:
        """Make the model's pair."""
        self.db2 = Db2(self.lab, self.times)
        for name in MANAGERS:
            profile = f"export DB2INSTANCE={OWNER}\n"
            self.lab[name].write(f"/home/{OWNER}/sqllib/db2profile", profile)
            # The instance comes up with its host (db2iauto -on), its database does not.
            self.lab[name].enable("db2", f"exec su - {OWNER} -c db2start\n", start=False)
        xcat.in_db2(self.db2)
        xcat.install(self.lab, "db2")
