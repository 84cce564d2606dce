"""What hamnd asks of the world: actions, which change it, and looks, which only read.

Owns the request values, `Action`, `Look` and the `Report` that comes back for either. Must not know
how a request is carried out (adapters) nor what a report means (dialects).

An `Action` and a `Look` name the *reader* that judges their report: a key of
`hamnd.dialects.readers.READERS`, e.g. ``db2.role_primary``. A name, not a function, so that a plan
can be journalled and resumed by another process. Only `hamnd.dialects` builds a `Look` (law 10;
checked by tests/architecture), and only what is built there is ever run unasked.

An argv is exact: element by element what the program receives. Nothing in here is a clock value,
random or secret (design §5); the secrets of a fence device are read from files by its adapter.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hamnd.model.instant import Instant
from hamnd.model.names import Probe, Verdict


@dataclass(frozen=True, slots=True)
class Exec:
    """Run a program on a host (a node or witness name) as a user (None: the user hamnd runs as)."""

    host: str
    argv: tuple[str, ...]
    user: str | None = None
    stdin: str | None = None
    writes_below: tuple[str, ...] = ()
    """On this node: the folders below which alone it can write, where the kernel can see to that,
    whatever another host sends. Empty: anywhere."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Run the same program on several hosts at the same time, and wait for none of them long.

    It ends with 0 whatever they answer, and says one line for each; a host that did not answer
    within `limit_s` may still carry it out.
    """

    hosts: tuple[str, ...]
    argv: tuple[str, ...]
    limit_s: float


@dataclass(frozen=True, slots=True)
class MarkedLine:
    """A line that is edited: its number (from 1), and what of it may be shown."""

    number: int
    shown: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Change lines of a text that one program tells and another takes: a crontab, a file.

    The lines get a mark, or lose it; or one word in them becomes another one (`swaps`).

    The text itself is nowhere in here (law 7): it may hold secrets. Nothing is changed unless the
    text has the expected hash; one that has the result's hash already is done.
    """

    host: str
    tells: tuple[str, ...]
    takes: tuple[str, ...]
    expected_sha256: str
    result_sha256: str
    lines: tuple[MarkedLine, ...]
    mark: str
    takes_mark_away: bool = False
    """The way back: the mark is removed from these lines."""
    swaps: tuple[str, str] | None = None
    """Instead of the mark: on these lines the first word becomes the second."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path is staged, where it is in force, and where the one before is kept.

    All three lie on one file system.
    """

    staged: str
    target: str
    kept: str


@dataclass(frozen=True, slots=True)
class Swap:
    """Put what is staged in the place of its target, all of it at once or nothing.

    A place where nothing is staged stays as it is. Ends with 3 where that is so of every one.
    """

    host: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Fence:
    """Ask the fence device of a host for a verb of the ClusterLabs protocol that changes: off."""

    device: str
    verb: str


@dataclass(frozen=True, slots=True)
class FenceStatus:
    """Ask the fence device for a verb that only reads: status or monitor."""

    device: str
    verb: str = "status"


@dataclass(frozen=True, slots=True)
class Reach:
    """Probe an address from this node; `port` is None for a ping of the gateway kind."""

    host: str
    address: str
    probe: Probe
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """Read a file of a host (at most 1 MiB)."""

    host: str
    path: str


class Compare(StrEnum):
    """How a pull finds out what differs."""

    CHANGES = "changes"
    """By what either side says has changed since the last pull; everything once in a while."""
    CONTENTS = "contents"
    """By the contents of everything."""


@dataclass(frozen=True, slots=True)
class Pull:
    """Bring trees of another host here, by rsync over ssh; or only tell what differs.

    A path is the same on both hosts. Nothing outside of the paths is ever written.
    """

    host: str
    source: str
    """The host that has them."""
    name: str
    paths: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    """Paths below the paths that are left alone on both sides."""
    only: tuple[str, ...] = ()
    """Names, with * and ?, right below the paths: nothing else is copied, and nothing deleted."""
    compare: Compare = Compare.CHANGES
    is_dry: bool = False
    """Only tell what differs."""
    may_delete_percent: float = 100.0
    """It stops and asks where more of what is here would be deleted."""
    bandwidth_kib: int = 0
    is_gentle: bool = False
    """Idle I/O class and lowest priority, on both hosts where they know it."""
    whole_after_s: float = 604_800.0
    """Everything is compared again after so long."""
    known_paths: tuple[str, ...] = ()
    """Where set, it also tells which directories of the source's osimages lie in none of these."""


ActionRequest = Exec | Spread | Edit | Swap | Fence | Pull
LookRequest = Exec | FenceStatus | Reach | Read


@dataclass(frozen=True, slots=True)
class Action:
    """One change of the world, and the reader that says whether its report means done."""

    request: ActionRequest
    reads: str = "shell.exit_zero"
    is_repeatable: bool = False
    """No look tells whether it was done, and doing it again does no harm: when its outcome is
    unknown it is done again at the operator's word rather than left out."""
    by_hand: tuple[Exec, ...] | None = None
    """What a person runs instead: the same without hamnd's own waiting and watching. None: the
    request as it is; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Look:
    """One read of the world, the reader that judges it, and in words what it should find.

    `arguments` go to the reader (e.g. the address that must be up). `timeout_s` bounds the look.
    Of the looks of a step with the same `one_of` one has to pass: it outweighs what the others
    cannot tell, never a definite no.
    """

    request: LookRequest
    reads: str
    expects: str
    arguments: tuple[str, ...] = ()
    timeout_s: float = 15.0
    one_of: str = ""
    by_hand: tuple[Exec, ...] | None = None
    """What a person looks at instead; None: the request as it is."""


class Ending(StrEnum):
    """How a request ended. Only EXITED and REFUSED say something about the world."""

    EXITED = "exited"
    """A program ended by itself, or a reach probe was answered (exit_code 0)."""
    REFUSED = "refused"
    """The host answered that nothing listens there."""
    NO_REPLY = "no_reply"
    """Sent, and nothing came back within the limit."""
    TIMED_OUT = "timed_out"
    """A local program ran into our limit and was ended: it says nothing (design law 2)."""
    COULD_NOT_RUN = "could_not_run"
    """Nothing was sent: program missing, no route, ssh login refused, own limits."""
    LOST = "lost"
    """Sent, and the way back broke before the answer: outcome unknown."""


@dataclass(frozen=True, slots=True)
class Report:
    """What came back for one request, with the instants between which it was measured."""

    ending: Ending
    started: Instant
    finished: Instant
    exit_code: int | None = None
    stdout: str = ""
    stderr: str = ""
    truncated: bool = False
    detail: str = ""
    """What prevented or cut the request, in words, for endings other than EXITED."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a report means: PASS (done, as expected), BLOCK (not done), UNKNOWN (cannot tell)."""

    verdict: Verdict
    sentence: str


@dataclass(frozen=True, slots=True)
class Looked:
    """A look together with its report; what a round of probes brings home."""

    look: Look
    report: Report
