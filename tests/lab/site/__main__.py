"""`python -m tests.lab.site` (`make lab`): a lab to try by hand, with a prompt per host.

Owns the prompt and the greeting. With words it drives a lab that runs in another terminal:
`python -m tests.lab.site sh mn2`. MUST NOT know what a verb does (`control`).
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time

from hamnd.demo.db2_node import PairConfig
from tests.lab.site import control
from tests.lab.site.control import Control, Running
from tests.lab.site.faults import Faults, pair_of
from tests.lab.site.hosts import Lab
from tests.lab.site.names import MANAGERS
from tests.lab.site.needs import missing
from tests.lab.site.pair import Db2Pair
from tests.lab.site.power import PASSWORD, USER, Power
from tests.lab.site.xcat import PROGRAMS

BY_HAND = PairConfig(hadr_timeout_s=5, peer_window_s=300, takeover_s=1.0)
"""A person reads the card while the peer window runs."""

OFF = f"ip=bmc\nusername={USER}\npassword={PASSWORD}\nplug={{plug}}\naction=off\n"
"""What an operator, or hamnd, sends to a fence agent."""

GREETING = """\
{count} hosts in {seconds:.1f} s: {hosts}. Every change is theirs alone and gone at the end.
Try, in this order:
  sh mn2                        a prompt on mn2 (exit leaves it); from another terminal:
                                {lab} sh mn2
  sh sn1 ping -c1 mn1           one command
  freeze mn1                    then `sh mn2 ping -c1 mn1` answers, `sh mn2 ssh mn1 true` does not
  pair-cut                      the split-brain case: sn1 reaches both, they do not reach each other
  off mn1 · on mn1              power, disk kept
  fence mn1 lies                then `sh mn2 "fence_lab </root/off-mn1"`: off, it says
  heal · show · help · quit
{tour}"""

TOUR = """\
hamnd watches on mn2. A takeover by hand:
  sh mn2 hamnctl status         Peer, a few seconds after the start
  off mn1                       two seconds later `sh mn2 hamnctl status` says PrimaryDown
  sh mn2 hamnctl plan takeover  what is lost, what proves it, every step
  sh mn2 hamnctl confirm        asks for the new primary's name, then shows the steps
"""


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _drive(words: tuple[str, ...]) -> int:
    answer = control.ask(words)
    if answer is None:
        _say("no lab runs; start one with `make lab`")
        return 6
    command = answer.get("run")
    if isinstance(command, list):
        os.execvp(command[0], [str(word) for word in command])
    _say(str(answer.get("said", "")))
    return 0


def _prompt(running: Running) -> None:
    while True:
        try:
            words = tuple(shlex.split(input("lab> ")))
        except EOFError:
            return
        except ValueError as error:
            _say(str(error))
            continue
        except KeyboardInterrupt:
            _say("")
            continue
        match words:
            case ():
                continue
            case ("quit" | "exit" | "down", *_):
                return
            case ("help" | "?", *_):
                _say(control.usage())
            case ("sh", *rest):
                try:
                    subprocess.run(control.shell(running.lab, tuple(rest)), check=False)
                except ValueError as error:
                    _say(str(error))
            case _:
                _say(control.carry_out(running, words))


def _bare(lab: Lab) -> tuple[Running, str]:
    """Only hosts, and the power controller with its fence agents."""
    faults = Faults(lab)
    power = Power(lab, faults)
    power.install(*MANAGERS)
    return Running(lab, faults, power), ""


def _site(lab: Lab) -> tuple[Running, str]:
    """xCAT over a Db2 pair, hamnd on the standby, hamnctl on both."""
    site = Db2Pair(lab, BY_HAND)
    for name in MANAGERS:
        argv, environment = site.command()
        words = " ".join(f"{key}={value}" for key, value in environment.items() if key != "COLUMNS")
        call = f'#!/bin/sh\nexec env {words} {shlex.join(argv)} "$@"\n'
        lab[name].write("/usr/local/bin/hamnctl", call, 0o755)
    site.watch()
    return Running(lab, site.faults, site.power), TOUR


def main(words: tuple[str, ...]) -> int:
    """Drive a running lab, or make one and read verbs until the end of input."""
    is_bare = words == ("--bare",)
    if words and not is_bare:
        return _drive(words)
    if reason := missing():
        _say(f"skipped: {reason}")
        return 3
    began = time.perf_counter()
    with Lab() as lab:
        running, tour = _bare(lab) if is_bare or missing(*PROGRAMS) else _site(lab)
        for name in MANAGERS:
            lab[name].write(f"/root/off-{pair_of(name)}", OFF.format(plug=pair_of(name)))
        Control(running)
        greeting = GREETING.format(
            count=len(lab.hosts),
            seconds=time.perf_counter() - began,
            hosts=", ".join(lab.hosts),
            lab=f"{os.path.relpath(sys.executable)} -m tests.lab.site",
            tour=tour,
        )
        _say(greeting)
        _prompt(running)
    return 0


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:])))
