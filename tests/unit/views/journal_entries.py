"""The journal of one night as values: the takeover of `tests.builders`, record by record."""

from __future__ import annotations

import json

from hamnd.model.names import Phase
from hamnd.model.record import Record
from hamnd.ports import Entry
from tests.builders import DIED, DIGEST, NIGHT

CONFIRMED = NIGHT.wall_s + 32
"""03:12:41Z."""
ANNA = "anna"


class Writer:
    """Appends records with growing numbers."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, wall_s: float, phase: Phase, what: str, **fields: object) -> None:
        evidence = fields.pop("evidence", "")
        text = evidence if isinstance(evidence, str) else json.dumps(evidence)
        record = Record(phase, what, evidence=text, **fields)  # type: ignore[arg-type]  # by name
        seq = len(self.entries) + 1
        self.entries.append(Entry(seq, wall_s, float(seq), "boot-1", record, f"{seq:064d}"))

    def change(self, wall_s: float, source: str, target: str, because: str) -> None:
        told = {"from": source, "to": target, "row": "T01", "because": because}
        self.add(wall_s, Phase.DECISION, "state_changed", evidence=told)

    def step(self, id_: str, at: float, took: float, preview: str, outcome: str = "done") -> None:
        ours = {"actor": ANNA, "digest": DIGEST, "step": id_}
        code = 0 if outcome == "done" else 1
        self.add(at, Phase.INTENT, "action_started", preview=preview, **ours)
        told = {"sentence": f"{id_} said so", "duration_s": took}
        self.add(
            at + took, Phase.RESULT, "action_finished",
            exit_code=code, outcome=outcome, evidence=told, **ours,
        )  # fmt: skip
        self.add(
            at + took + 0.2, Phase.RESULT, "step_finished",
            outcome=outcome, evidence={**told, "duration_s": took + 0.2}, **ours,
        )  # fmt: skip


def night(*, until: str = "examined") -> list[Entry]:
    """The whole night, or its beginning: "down", "confirmed", "paused", "done", "examined"."""
    writer = Writer()
    writer.add(DIED - 86_400, Phase.DECISION, "started", evidence={"boot": "boot-1"})
    writer.change(DIED - 86_300, "Degraded", "Peer", "every required condition is true")
    writer.change(DIED + 1, "Peer", "Degraded", "a required condition was lost")
    writer.change(DIED + 6, "Degraded", "PrimaryDown", "the rule held for 4 s")
    if until == "down":
        return writer.entries
    plan = {"kind": "takeover", "variant": "force-after-proof", "loss": "zero_proven"}
    writer.add(
        NIGHT.wall_s - 149, Phase.DECISION, "plan_shown", actor=ANNA, digest=DIGEST, evidence=plan
    )
    _confirm(writer, plan)
    if until == "confirmed":
        return writer.entries
    writer.step("promote", CONFIRMED + 2, 3.0, "db2 takeover hadr on db XCATDB by force")
    epoch = {"epoch": 4, "owner": "aixmn2"}
    writer.add(CONFIRMED + 2, Phase.DECISION, "epoch_raised", digest=DIGEST, evidence=epoch)
    writer.step("xcatd", CONFIRMED + 6, 12.0, "systemctl start xcatd")
    writer.step("dhcp", CONFIRMED + 18, 5.0, "makedhcp -n", outcome="not_done")
    writer.add(
        CONFIRMED + 23.3, Phase.DECISION, "run_paused", digest=DIGEST, step="dhcp",
        evidence="dhcp said so",
    )  # fmt: skip
    if until == "paused":
        return writer.entries
    writer.add(CONFIRMED + 53, Phase.DECISION, "run_resumed", actor=ANNA, digest=DIGEST)
    writer.step("dhcp", CONFIRMED + 54, 4.0, "makedhcp -n")
    writer.add(CONFIRMED + 81, Phase.DECISION, "run_finished", digest=DIGEST, outcome="done")
    writer.change(CONFIRMED + 81, "TakingOver", "Active", "every postcondition holds")
    if until == "done":
        return writer.entries
    told = {"actual": "nothing: both logs end at 262440605", "predicted": "zero_proven"}
    writer.add(CONFIRMED + 90_000, Phase.DECISION, "loss_examined", digest=DIGEST, evidence=told)
    return writer.entries


def _confirm(writer: Writer, plan: dict[str, str]) -> None:
    ours = {"actor": ANNA, "digest": DIGEST}
    override = {"gate": "readiness", "reason": "consoles are not needed tonight"}
    writer.add(CONFIRMED, Phase.OVERRIDE, "gate_overridden", evidence=override, **ours)
    loss = {"verdict": "zero_proven", "basis": ["NEARSYNC, in Peer"], "accepted": None}
    writer.add(CONFIRMED, Phase.DECISION, "loss_predicted", evidence=loss, **ours)
    told = {**plan, "down_since": DIED, "cause": "host", "fence": ["power_off: read twice"]}
    writer.change(CONFIRMED, "PrimaryDown", "TakingOver", "the operator confirmed this plan")
    writer.add(CONFIRMED, Phase.DECISION, "plan_confirmed", evidence=told, **ours)
