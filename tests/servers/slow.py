"""A wire that is slow: what goes in at one end comes out at the other after a while, in order, in a process of its own."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time

from benchmarks.manual_server import free_port, wait_for_port


async def _carry(reader, writer, seconds):
    """Pass on whatever comes, each piece so much later than it came."""
    pieces = asyncio.Queue()

    async def take():
        while piece := await reader.read(65_536):
            pieces.put_nowait((time.monotonic() + seconds, piece))
        pieces.put_nowait((0.0, b""))

    taking = asyncio.create_task(take())
    try:
        while True:
            at, piece = await pieces.get()
            if not piece:
                return
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            writer.write(piece)
            await writer.drain()
    finally:
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
        writer.close()


async def _serve(port, target, seconds):
    async def join(reader, writer):
        with contextlib.suppress(ConnectionError):
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", target)
            await asyncio.gather(
                _carry(reader, other_writer, seconds),
                _carry(other_reader, writer, seconds),
                return_exceptions=True,
            )

    server = await asyncio.start_server(join, "127.0.0.1", port)
    await server.serve_forever()


@contextlib.contextmanager
def slow_wire(target, seconds):
    """Give another port of this machine a second one, over which each way takes so many seconds; yields it."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "servers.slow", str(port), str(target), str(seconds)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        wait_for_port(port)
        yield port
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
