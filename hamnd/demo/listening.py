"""How a listening server of the demo ends without losing whoever just connected.

Owns `close_server`. MUST NOT know what is served.
"""

from __future__ import annotations

import asyncio

ROUNDS = 3
"""Rounds of the loop within which an accepted connection has got its transport and its handler."""


async def close_server(server: asyncio.Server) -> None:
    """Stop accepting, let what was accepted reach its handler, then close.

    asyncio itself drops a connection that it accepted in the very round in which its server is
    closed, and nobody closes that socket.
    """
    loop = asyncio.get_running_loop()
    for listener in server.sockets:
        loop.remove_reader(listener.fileno())
    for _ in range(ROUNDS):
        await asyncio.sleep(0)
    server.close()
