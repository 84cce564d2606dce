"""Bugs planted on purpose, and the hunt that has to find each of them.

Owns the bugs (a place in hamnd's core and what stands there instead) and how one is hunted: the
core is copied, the bug written into the copy, and another process searches it. A hunt that finds
nothing says that the search is blind there. MUST NOT touch the checkout.

    python -m tests.proof.planted             hunt all of them
    python -m tests.proof.planted half-majority
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 600.0


@dataclass(frozen=True, slots=True)
class Bug:
    """What a tired programmer could have written."""

    name: str
    file: str
    """Below hamnd/core."""
    right: str
    wrong: str
    law: str
    """Words of the law that it breaks: another one that is found says nothing of this bug."""


BUGS = (
    Bug(
        "half-majority",
        "health/rule.py",
        "    if reaching:\n",
        "    if len(reaching) * 2 > len(terms.site.witnesses):\n",
        law="reaches it",
    ),
    Bug(
        "unknown-taken-as-down",
        "health/watch.py",
        "    if answer is Answer.SILENT:\n",
        "    if answer is not Answer.ANSWERED:\n",
        law="nobody was ever silent",
    ),
    Bug(
        "rerun-of-an-unknown-outcome",
        "stages.py",
        "    unknown = replace(one, is_unknown=True, sentence=reading.sentence)\n"
        "    return Move(run, records=(record,)).then(_enter_after(run, step, unknown, facts))\n",
        "    return Move(run, records=(record,)).then(_act(run, step, one, facts))\n",
        law="without a look",
    ),
    Bug(
        "stale-digest-accepted",
        "confirming.py",
        "if one.digest == event.digest), None)\n",
        "if one.digest == event.digest), next(iter(turn.state.plans), None))\n",
        law="the confirmed",
    ),
    Bug(
        "stale-fence-evidence",
        "health/evidence.py",
        "    if latest.is_off is None or not is_recent(off.last, now, "
        "terms.policy.evidence_age_max_s):\n        return []\n",
        "",
        law="proof is stale",
    ),
    Bug(
        "one-reading-is-proof",
        "health/evidence.py",
        "    if off is None or off.second is None or watch.lie:\n",
        "    if off is None or watch.lie:\n",
        law="one reading is no proof",
    ),
    Bug(
        "promote-can-be-skipped",
        "run.py",
        '    if step_id.removeprefix(HOME) == "promote":\n',
        '    if step_id.removeprefix(HOME) == "demote":\n',
        law="promote was skipped",
    ),
    Bug(
        "what-was-skipped-counts-as-done",
        "run.py",
        "        return run.plan.step(step_id).proves_fence\n",
        "        return True\n",
        law="order: ",
    ),
    Bug(
        "a-liar-is-believed",
        "health/evidence.py",
        "    since = watch.says_off_since\n    if since is None or watch.lie:\n",
        "    since = None\n    if since is None or watch.lie:\n",
        law="a liar proves nothing",
    ),
    Bug(
        "a-run-goes-on-by-itself",
        "recovering.py",
        "    return stages.pause(replace(run, steps=steps), unknown or run.paused_step, reason)\n",
        "    return Move(replace(run, steps=steps, reason=reason))\n",
        law="a run went on by itself",
    ),
    Bug(
        "a-crash-while-acting-is-its-end",
        "recovering.py",
        "    if one.stage is Stage.ACTING:\n",
        "    if one.stage is Stage.ACTING:\n        return replace(one, outcome=Outcome.DONE)\n"
        "    if one.stage is Stage.ACTING:\n",
        law="without a database that takes writes",
    ),
    Bug(
        "an-answer-contradicts-nothing",
        "health/rule.py",
        "        if track is not None and track.answered is not None and track.answered > since:\n"
        '            return f"{probe} was answered"\n',
        "",
        law="a liar proves nothing",
    ),
    Bug(
        "epoch-ignored",
        "following.py",
        "def _raise_epoch(turn: Turn) -> None:\n",
        "def _raise_epoch(turn: Turn) -> None:\n    return\n\n\n"
        "def _raised_once(turn: Turn) -> None:\n",
        law="under the epoch of another",
    ),
    Bug(
        "loss-nobody-accepted",
        "gates/takeover.py",
        "    if _is_accepted(question):\n",
        "    if not _is_accepted(question) or _is_accepted(question):\n",
        law="liveness",
    ),
)


def copy(folder: Path) -> None:
    """Copy hamnd into a folder."""
    shutil.copytree(ROOT / "hamnd", folder / "hamnd", ignore=shutil.ignore_patterns("__pycache__"))


def plant(bug: Bug, folder: Path) -> None:
    """Write the bug into the copy of hamnd in a folder.

    Raises:
        ValueError: the place is not there, or more than once: the bug was not planted.
    """
    path = folder / "hamnd" / "core" / bug.file
    text = path.read_text()
    if text.count(bug.right) != 1:
        raise ValueError(f"{bug.name}: {text.count(bug.right)} places like it in {bug.file}")
    path.write_text(text.replace(bug.right, bug.wrong))


def hunt(bug: Bug | None, limit_s: float = LIMIT_S) -> tuple[str, float]:
    """Return what the search said first about this bug, "" for nothing, and the seconds it took.

    None hunts in a copy that is as it was: the control, in which nothing may be found.

    Raises:
        RuntimeError: the search itself did not run.
    """
    with tempfile.TemporaryDirectory(prefix="hamnd-planted-") as name:
        copy(Path(name))
        if bug is not None:
            plant(bug, Path(name))
        environment = {**os.environ, "PYTHONPATH": f"{name}{os.pathsep}{ROOT}"}
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-P", "-m", "tests.proof.search"],
            env=environment,
            cwd=name,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
    took_s = time.perf_counter() - began
    if done.returncode == 1:
        return done.stdout.strip().splitlines()[-1], took_s
    if done.returncode != 0:
        raise RuntimeError(f"the search did not run: {done.stderr[-2000:]}")
    return "", took_s


def main() -> int:
    """Hunt, and say what found each."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.planted", description=__doc__)
    parser.add_argument("name", nargs="*", help="only these")
    wanted = parser.parse_args().name
    missed = 0
    for bug in BUGS:
        if wanted and bug.name not in wanted:
            continue
        said, took_s = hunt(bug)
        is_found = bug.law in said
        missed += not is_found
        found = said[:110] if is_found else f"NOT FOUND {said}"
        sys.stdout.write(f"{bug.name:<34}{took_s:6.1f} s  {found}\n")
        sys.stdout.flush()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
