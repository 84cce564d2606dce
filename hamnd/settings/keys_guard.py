"""The keys of the return guard: what a unit does that asks it when nobody can answer.

Owns their documentation and kinds. Must not know how a file is read, nor how the guard decides.
"""

from __future__ import annotations

from hamnd.settings import kinds
from hamnd.settings.schema import Key, Section

KEYS = (
    Key(
        "guard.when_unknown",
        kinds.choice("hold", "serve"),
        "After a reboot hamn-guard lets xcatd, DHCP, a primary database and the cluster's address "
        "start only when the partner or a witness confirms that this node may serve. What they do "
        "when neither can be asked: hold (they wait, are asked for again every 10 s and start by "
        "themselves) or serve (they start, with an alarm; where two hosts say otherwise they are "
        "held all the same).",
        "hold never lets two nodes serve, and asks for somebody at the console after a power cut "
        "of the whole room in which no witness comes back. Decide it before that night.",
        example="hold",
    ),
)

SECTIONS = (Section("guard", "Who may serve after a reboot, where the return guard is installed."),)
