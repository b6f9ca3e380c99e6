"""Which engines there are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from scrapemaster.domain.errors import InvalidInput
from scrapemaster.domain.job import EngineName
from scrapemaster.ports.engine import Engine


class Engines:
    """The engines of this process, by the names jobs ask for. `close_shared` frees what they have in common, after them."""

    def __init__(
        self, engines: Mapping[EngineName, Engine], close_shared: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._engines = engines
        self._close_shared = close_shared

    def get(self, name: EngineName) -> Engine:
        """The engine for a name; raises a `UserError` with a sentence when there is none, or it cannot work here."""
        engine = self._engines.get(name)
        if engine is None:
            here = ", ".join(sorted(self._engines))
            raise InvalidInput(
                f"the engine {name} is not part of this version; use one of: {here}", ("engine",)
            )
        engine.check()
        return engine

    async def close(self) -> None:
        """Free what the engines hold."""
        for engine in {id(engine): engine for engine in self._engines.values()}.values():
            await engine.close()
        if self._close_shared is not None:
            await self._close_shared()
