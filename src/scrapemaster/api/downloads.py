"""Exports on the wire."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from scrapemaster.export.exporter import Export

#: Seconds a client may take to read one chunk before it is given up.
STALLED = 300.0


class Download(Response):
    """A file that is made while it is sent, or before; given up, with all it holds, when the client goes away or reads nothing.

    Errors in its making before the first byte become error answers; later ones cut the transfer, which the client can
    see: a chunked body without its end.
    """

    def __init__(
        self, export: AbstractAsyncContextManager[Export], media_type: str, disposition: str
    ) -> None:
        super().__init__(None, media_type=media_type, headers={"Content-Disposition": disposition})
        self._export = export
        del self.headers["Content-Length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 -- ASGI's signature
        """See ASGI."""
        sending = asyncio.create_task(self._send(send))
        watching = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait([sending, watching], return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Cancelled also when this very task was (the server stops): nothing is left running.
            watching.cancel()
            if not sending.done():
                sending.cancel()
            await asyncio.wait([sending, watching])
        if not sending.cancelled():
            await sending

    async def _send(self, send: Send) -> None:
        async with self._export as export:
            chunks = aiter(export.chunks)
            chunk = await anext(chunks, b"")
            if export.size is not None:
                self.headers["Content-Length"] = str(export.size)
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            more = True
            while more:
                async with asyncio.timeout(STALLED):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                try:
                    chunk = await anext(chunks)
                except StopAsyncIteration:
                    more = False
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
