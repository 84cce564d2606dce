"""What a stand-in program answers, and the request it answers.

Owns the two values that the world and the stand-ins exchange. MUST NOT know any program.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from hamnd.demo.machines import Site


@dataclass(frozen=True, slots=True)
class Request:
    """One program call on one simulated machine. `argv` is without the program's own name.

    `now` is true time; `scale` shortens xCAT's measured durations (1.0 = as measured).
    """

    site: Site
    machine: str
    argv: tuple[str, ...]
    now: float
    stdin: str = ""
    xcat_host: str = ""
    scale: float = 1.0
    language: str = "C"


@dataclass(frozen=True, slots=True)
class Answer:
    """Output, exit code and duration in seconds; infinite: it never ends by itself.

    `then` happens when the duration is over, also when the caller has gone away meanwhile; it is
    given the true time. `until` keeps the program running until it returns True.
    """

    stdout: str = ""
    exit_code: int = 0
    delay_s: float = 0.0
    stderr: str = ""
    then: Callable[[float], None] | None = None
    until: Callable[[], bool] | None = None


HANGS = Answer(delay_s=math.inf)

StandIn = Callable[[Request], Answer]
