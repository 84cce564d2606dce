"""How long the searches of this folder may look: seconds in `make test`, for long in `make proofs`.

Owns `HAMND_FUZZ` and the settings of hypothesis that follow from it. Must not know what is fuzzed.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

FUZZ = int(os.environ.get("HAMND_FUZZ", "1"))
"""How many times as many examples as in `make test`; above 1 they are other ones in every run."""


def fuzz(examples: int) -> settings:
    """Return the settings for so many examples in `make test`: the same ones every time."""
    return settings(
        max_examples=examples * FUZZ,
        deadline=None,
        derandomize=FUZZ == 1,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
