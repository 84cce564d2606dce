"""What the tests of the dialects share."""

import asyncio

import pytest


@pytest.fixture(autouse=True, scope="session")
def no_stray_event_loop() -> None:
    """Keep looptime from making an event loop for synchronous tests that nobody would close.

    Its plugin asks the policy for a loop before every test; told that there is none, it lets go.
    """
    asyncio.set_event_loop(None)
