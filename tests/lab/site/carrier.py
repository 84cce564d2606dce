"""Carries connections into a lab: listens where it was started, connects where it runs.

    nsenter -t HOST -n ... python carrier.py FD=ADDRESS:PORT ...

Owns a process inside a host of a lab. Each listening socket that it was given belongs to the
machine's network, in which it was made; what it connects to is reached over the lab's own wires, so
that a host without power is silent to a reader outside as well. Must not know what is carried.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys

CONNECT_S = 5.0
CHUNK_BYTES = 65536


async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Carry one direction to its end, however that comes."""
    with contextlib.suppress(OSError):
        while chunk := await source.read(CHUNK_BYTES):
            target.write(chunk)
            await target.drain()
    target.close()


async def serve(given: str) -> asyncio.Server:
    """Take over one listening socket."""
    number, _, place = given.partition("=")
    address, _, port = place.rpartition(":")

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(CONNECT_S):
                there, back = await asyncio.open_connection(address, int(port))
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, back), pump(there, writer))

    return await asyncio.start_server(carry, sock=socket.socket(fileno=int(number)))


async def main(given: list[str]) -> None:
    """Carry until it is killed."""
    servers = [await serve(one) for one in given]
    await asyncio.gather(*(one.serve_forever() for one in servers))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
