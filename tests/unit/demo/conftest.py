"""What the tests of the demo share."""

import asyncio
import contextlib

import pytest


@pytest.fixture(autouse=True, scope="session")
def no_stray_event_loop() -> None:
    """Close the event loop that looptime made for a synchronous test, and let it make no other.

    Its plugin asks the policy for a loop before every test; told that there is none, it lets go.
    Nobody would close that loop, and its ResourceWarning would fail some later test.
    """
    with contextlib.suppress(RuntimeError):
        asyncio.get_event_loop_policy().get_event_loop().close()
    asyncio.set_event_loop(None)
