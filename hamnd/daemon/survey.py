"""`hamnd init`: looks at this host and writes the configuration that it proposes.

Owns the arguments of that command, what it asks of the host and how, and that no file is ever
overwritten. Every question only reads and has a limit. Must not know what an answer means for the
configuration (hamnd.settings.proposing).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import grp
import os
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hamnd.adapters.clock import SystemClock
from hamnd.adapters.process import LocalRunner
from hamnd.daemon.host import effective_user
from hamnd.dialects import cfgloc, surveying, xcat
from hamnd.dialects.addresses import Address, parse_addresses
from hamnd.dialects.aix.interfaces import parse_interfaces
from hamnd.dialects.jobs import parse_crontab
from hamnd.dialects.shell import last_lines, unanswered
from hamnd.model.work import Exec, Report
from hamnd.settings.here import has_library
from hamnd.settings.proposing import GROUP, Found, render

LIMIT_S = 20.0
RESOLVE_S = 5.0
"""So long a resolver may take that asks dead name servers; more would be told as a hang."""
TOOL_PATH = "/opt/xcat/bin:/opt/xcat/sbin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/bin"
KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")


def main(argv: Sequence[str]) -> int:
    """Print the proposal or write it into a new file; 2 where that is refused."""
    args = parser().parse_args(argv)
    if args.output is not None and os.path.lexists(args.output):
        return _refuse(f"{args.output} is there already, and is left as it is. Name another file")
    found = asyncio.run(_Survey(LocalRunner(SystemClock(), _tool_path(), effective_user())).look())
    found = replace(found, primary=args.primary, standby=args.standby)
    text, missing = render(replace(found, names=_names(found)))
    if args.output is None:
        sys.stdout.write(text)
        return 0
    try:
        with open(args.output, "x", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o640)
            file.write(text)
    except OSError as error:
        return _refuse(f"{args.output}: {error.strerror}")
    sys.stderr.write(f"{args.output} is written. What could not be known on this host:\n")
    sys.stderr.write("".join(f"  - {one}\n" for one in missing))
    sys.stderr.write(f"next: hamnctl check-config {args.output} --here\n")
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments; the manual is made from it."""
    made = argparse.ArgumentParser(
        prog="hamnd init",
        description="Propose a configuration from what is found on this host; nothing is changed.",
        epilog="example: hamnd init --primary xcatmn1 --output /etc/hamnd/hamnd.toml",
    )
    made.add_argument("--output", metavar="FILE", help="a new file; by default it is printed")
    made.add_argument("--primary", metavar="NAME", help="name of the primary management node")
    made.add_argument("--standby", metavar="NAME", help="name of the standby management node")
    return made


def _refuse(why: str) -> int:
    sys.stderr.write(f"hamnd init: {why}\n")
    return 2


def _tool_path() -> str:
    return f"{os.environ.get('PATH', '')}:{TOOL_PATH}".lstrip(":")


@dataclass(frozen=True, slots=True)
class _Survey:
    """The questions to this host; `silent` collects what gave no answer."""

    runner: LocalRunner

    async def look(self) -> Found:
        platform = "aix" if sys.platform.startswith("aix") else "linux"
        asked = surveying.questions(platform)
        reports = dict(
            zip(asked, await asyncio.gather(*map(self._ask, asked.values())), strict=True)
        )
        silent = tuple(
            f"{what}: {_why(report)}"
            for what, report in reports.items()
            if _why(report) and parse_crontab(report) is None
        )
        told = {what: report.stdout for what, report in reports.items() if not _why(report)}
        table = xcat.parse_table(told.get(surveying.SITE_TABLE, ""))
        return Found(
            socket.gethostname().partition(".")[0],
            platform,
            _addresses(told.get(surveying.ADDRESSES, ""), platform),
            surveying.parse_gateway(told.get(surveying.ROUTES, "")),
            cfgloc.parse_cfgloc(reports[surveying.CFGLOC]) if _has_xcat() else None,
            None if table is None else {row.get("key", ""): row.get("value", "") for row in table},
            parse_crontab(reports[surveying.CRONTAB]),
            has_group=_has_group(),
            has_library=has_library(),
            key_file=_key_file(),
            silent=silent,
        )

    async def _ask(self, argv: tuple[str, ...]) -> Report:
        return await self.runner.run(Exec("localhost", argv), LIMIT_S)


def _why(report: Report) -> str:
    """Return why a report tells nothing, or nothing."""
    silence = unanswered(report)
    if silence is not None:
        return silence.sentence
    return "" if report.exit_code == 0 else last_lines(report)


def _addresses(text: str, platform: str) -> tuple[Address, ...]:
    if platform == "linux":
        found = parse_addresses(text)
    else:
        found = tuple(
            Address(one.name, each.address, each.prefix)
            for one in parse_interfaces(text)
            for each in one.addresses
            if each.prefix is not None
        )
    return tuple(one for one in found if _counts(one.address))


def _counts(address: str) -> bool:
    return not address.startswith(("127.", "169.254.", "fe80:")) and address != "::1"


def _has_xcat() -> bool:
    return Path("/etc/xcat").is_dir()


def _has_group() -> bool:
    with contextlib.suppress(KeyError):
        grp.getgrnam(GROUP)
        return True
    return False


def _key_file() -> str | None:
    folder = Path.home() / ".ssh"
    return next((str(folder / one) for one in KEYS if (folder / one).is_file()), None)


def _names(found: Found) -> dict[str, str]:
    wanted = {found.primary, found.standby, (found.site_table or {}).get("master")}
    return resolved(sorted(one for one in wanted if one), address_of, RESOLVE_S)


def address_of(name: str) -> str:
    """Return what this host resolves a name to, IPv4 where there is one. Raises OSError."""
    told = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    first = min(told, key=lambda one: one[0] is not socket.AF_INET)
    return str(first[4][0])


def resolved(names: Sequence[str], resolve: Callable[[str], str], limit_s: float) -> dict[str, str]:
    """Return the addresses that came in time; nobody can end a resolver, only stop waiting."""
    addresses: dict[str, str] = {}

    def ask(name: str) -> None:
        with contextlib.suppress(OSError):
            addresses[name] = resolve(name)

    asked = [threading.Thread(target=ask, args=(one,), daemon=True) for one in names]
    for thread in asked:
        thread.start()
    for thread in asked:
        thread.join(limit_s)
        limit_s = 0.0 if thread.is_alive() else limit_s
    return dict(addresses)
