"""One end of a connection that passes through the gate."""

from __future__ import annotations

import asyncio


class End:
    """What is done to either end; nothing once it has ended."""

    _transport: asyncio.Transport | None = None

    def send(self, data: bytes) -> None:
        """Pass on what the other end has."""
        if self._transport is not None:
            self._transport.write(data)

    def abort(self) -> None:
        """End it now."""
        if self._transport is not None:
            self._transport.abort()

    def hold(self) -> None:
        """Read nothing more for now."""
        if self._transport is not None:
            self._transport.pause_reading()

    def go_on(self) -> None:
        """Read again."""
        if self._transport is not None:
            self._transport.resume_reading()
