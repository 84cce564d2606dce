"""Real requests to what a management node serves: what counts as an answer."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from hamnd.dialects import deployment, serving
from hamnd.dialects.readers import READERS, read_look
from hamnd.model.names import Verdict
from hamnd.model.work import Ending, Exec, Look, Looked, Reading, Report
from tests.builders import site
from tests.unit.dialects.reports import ended, exited

PASS, BLOCK, UNKNOWN = Verdict.PASS, Verdict.BLOCK, Verdict.UNKNOWN
DIG = ";; ->>HEADER<<- status: NOERROR\nxcatmn.cluster.\t3600\tIN\tA\t10.1.0.2\n;; SERVER: 10.1.0.2"
NOTHING = ";; status: NXDOMAIN\n;; SERVER: 10.1.0.2#53(10.1.0.2)\n"
NSLOOKUP = "Server:\t\t10.1.0.2\nAddress:\t10.1.0.2#53\n\nName:\txcatmn\nAddress: 10.1.0.2\n"


@pytest.mark.parametrize(
    ("reader", "report", "verdict"),
    [
        ("http", exited(0, "code=200\n"), PASS),
        ("http", exited(0, "code=404\n"), PASS),
        ("http", exited(0, "code=503\n"), BLOCK),
        ("http", exited(0, "code=000\n"), BLOCK),
        ("http", exited(127), UNKNOWN),
        ("http", ended(Ending.TIMED_OUT), UNKNOWN),
        ("tftp", exited(0, "curl=68\n"), PASS),
        ("tftp", exited(0, "curl=28\n"), BLOCK),
        ("tftp", exited(0, "Error code 1: File not found\n"), PASS),
        ("tftp", exited(0, "tftp> Transfer timed out.\n"), BLOCK),
        ("tftp", exited(0, "tftp: something else\n"), UNKNOWN),
        ("ntp", exited(0, "server 10.1.0.2, stratum 3\n"), PASS),
        ("ntp", exited(1, "no server suitable for synchronization found\n"), BLOCK),
        ("nfs", exited(0, "/install *\n"), PASS),
        ("nfs", exited(0, "\n"), BLOCK),
        ("nfs", exited(1, "", "clnt_create: RPC: Program not registered"), BLOCK),
        ("dns", exited(0, DIG), PASS),
        ("dns", exited(0, NOTHING), BLOCK),
        ("dns", exited(0, NSLOOKUP), PASS),
        ("dns", exited(1, NSLOOKUP.partition("Name")[0] + "** server can't find x"), BLOCK),
        ("dns", exited(127), UNKNOWN),
    ],
)
def test_what_is_an_answer(reader: str, report: Report, verdict: Verdict) -> None:
    reading = READERS[f"serving.{reader}"](report, ("xcatmn", "10.1.0.2"))
    assert reading.verdict is verdict, reading.sentence


def test_a_host_without_a_client_is_told_by_day() -> None:
    look = serving.can_ask(site(), "sn01", "http")
    reading = read_look(Looked(look, exited(1)))
    assert reading == Reading(BLOCK, "sn01 has no curl or wget to ask with")
    assert read_look(Looked(look, exited(0, "/usr/bin/curl\n"))).verdict is PASS


class Busy(BaseHTTPRequestHandler):
    """Answers 404 to everything, quietly."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def web() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def run(look: Look, path: str = "/usr/bin:/bin") -> Reading:
    assert isinstance(look.request, Exec)
    done = subprocess.run(
        look.request.argv, capture_output=True, text=True, env={"PATH": path}, check=False
    )
    report = exited(done.returncode, done.stdout, done.stderr)
    return READERS[look.reads](report, look.arguments)


def test_a_web_server_is_really_asked(web: int) -> None:
    assert run(serving.asks_http("sn01", "127.0.0.1", web)).sentence == (
        "the web server answers 404"
    )
    assert run(serving.asks_http("sn01", "127.0.0.1", 1)).verdict is BLOCK


def test_nobody_listens_for_tftp_here() -> None:
    assert run(serving.asks_tftp("sn01", "127.0.0.1")).verdict in (BLOCK, UNKNOWN)


@pytest.mark.parametrize("start", [serving.start_first, serving.restart_first])
def test_the_first_unit_that_is_there_is_taken(
    start: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bin")
    systemctl = folder / "systemctl"
    systemctl.write_text(
        "#!/bin/sh\ncase $1 in show) [ $3 = httpd ] && echo LoadState=loaded || "
        'echo LoadState=not-found ;; *) echo "did $*" ;; esac\n'
    )
    systemctl.chmod(0o755)
    request = start(site(tools={"systemctl": str(systemctl)}), *serving.HTTP_UNITS).request
    done = subprocess.run(request.argv, capture_output=True, text=True, check=True)
    verb = "start" if start is serving.start_first else "restart"
    assert done.stdout == f"httpd\ndid {verb} httpd\n"
    none = start(site(tools={"systemctl": str(systemctl)}), "a", "b").request
    missing = subprocess.run(none.argv, capture_output=True, text=True, check=False)
    assert (missing.returncode, missing.stderr) == (5, "no such unit here: a b\n")


def test_nodeset_tells_what_to_reboot_and_xcatprobe_what_it_finds() -> None:
    told = deployment.read_nodes_told(exited(0, "cn1: osimage\ncn2: osimage\n"), ("compute",))
    assert told == Reading(PASS, "2 nodes set; to reboot them: rpower compute boot")
    assert deployment.read_nodes_told(exited(0, ""), ("compute",)).verdict is UNKNOWN
    assert deployment.read_nodes_told(exited(111), ("compute",)).verdict is BLOCK
    probed = deployment.read_probed(exited(0, "[ok]     : a\n[failed] : no tftp\n[info] : b\n"))
    assert probed == Reading(PASS, "xcatprobe finds 1 failures: no tftp")


def test_leases_are_put_back_once(tmp_path: Any) -> None:
    live, copy = tmp_path / "dhcpd.leases", tmp_path / "state/files/dhcp.leases"
    here = site(paths=type(site().paths)(state_dir=str(tmp_path / "state")))
    request = deployment.restore_leases(here, str(live)).request
    assert isinstance(request, Exec)

    def restore() -> str:
        return subprocess.run(request.argv, capture_output=True, text=True, check=True).stdout

    live.write_text("the standby's own")
    live.chmod(0o640)
    assert "no copy of the leases" in restore()
    copy.parent.mkdir(parents=True)
    copy.write_text("the primary's")
    assert restore() == "leases restored\n"
    assert (live.read_text(), live.stat().st_mode & 0o777) == ("the primary's", 0o640)
    assert (tmp_path / "dhcpd.leases.before-takeover").read_text() == "the standby's own"
    live.write_text("written since")
    assert restore() == "restored before\n"
    assert live.read_text() == "written since"
