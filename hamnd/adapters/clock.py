"""The one place that reads a clock.

Owns `SystemClock`. Must not know what an instant is used for.
"""

from __future__ import annotations

import time

from hamnd.model.instant import Instant


class SystemClock:
    """The clocks of this machine."""

    def now(self) -> Instant:
        """Return the present moment on the monotonic and the wall clock."""
        return Instant(time.monotonic(), time.time())
