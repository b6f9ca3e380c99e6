"""The composition root's part for stores: which one, opened by whom, beside whom; and moving one into another."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scrapemaster.data_folder import flight_recorder, only_one, prepare_data_dir, service_name
from scrapemaster.domain.claims import Claim, Kind
from scrapemaster.domain.errors import InvalidSetting, MissingExtra
from scrapemaster.domain.ids import uuid7
from scrapemaster.ports.store import Store
from scrapemaster.settings import Settings
from scrapemaster.storage.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from scrapemaster.storage.mongo.store import MongoStore

#: Seconds that a crawler, whose service was stopped a moment ago, may still need to end.
_CRAWLER_SECONDS = 10.0


@dataclass(slots=True, frozen=True)
class Use:
    """How a process uses the store beside others. `lost` is told when it may not any more; without it, the claim lasts for a moment."""

    claim: Claim
    lost: Callable[[str], None] | None = None


def embedded_use(settings: Settings, lost: Callable[[str], None]) -> Use:
    """That of the embedded service that holds the data folder: alone."""
    return Use(Claim(Kind.EMBEDDED, service_name(settings), _here()), lost)


def fleet_use(lost: Callable[[str], None] | None = None) -> Use:
    """That of a process of a fleet: together with others of a fleet."""
    return Use(Claim(Kind.FLEET, uuid7(), _here()), lost)


def _here() -> str:
    return f"on {socket.gethostname()}, process {os.getpid()}"


@contextlib.asynccontextmanager
async def open_store(settings: Settings, use: Use | None = None) -> AsyncIterator[Store]:
    """The store, open: MongoDB when it has an address, else a file in the data folder.

    A service says its `use`, and is refused with `StoreBroken` where another one uses the same MongoDB; a file is under its folder's locks.
    """
    address = settings.mongodb_url
    if address is None:
        async with _opened(SqliteStore(prepare_data_dir(settings) / "scrapemaster.db")) as store:
            yield store
        return
    mongo = _mongo_store(address.get_secret_value())
    async with _opened(mongo), contextlib.AsyncExitStack() as stack:
        if use is not None and use.lost is not None:
            await stack.enter_async_context(mongo.claims.held(use.claim, use.lost))
        elif use is not None:
            await mongo.claims.enter(use.claim)
        yield mongo


@contextlib.asynccontextmanager
async def _opened(store: Store) -> AsyncIterator[Store]:
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def move_to_mongodb(settings: Settings, say: Callable[[str], None]) -> None:
    """Move all that is in the file of the data folder to the MongoDB that has an address, while no service uses the folder.

    Raises as `services.moving.Move.run` does, and `StoreBroken` where a service uses the folder.
    """
    from scrapemaster.services.moving import Move  # noqa: PLC0415 -- for one command alone
    from scrapemaster.storage.sqlite.moving import SqliteMoveSource  # noqa: PLC0415 -- for one command alone

    address = settings.mongodb_url
    if address is None:
        raise InvalidSetting("SCRAPEMASTER_MONGODB_URL: there is no MongoDB to move to")
    with (
        only_one(settings, "service"),
        only_one(settings, "crawler", wait=_CRAWLER_SECONDS),
        extra_for("MongoDB", "mongo", {"pymongo", "bson"}),
    ):
        from scrapemaster.storage.mongo.moving import MongoMoveTarget  # noqa: PLC0415 -- needs an extra

        recorder = flight_recorder(settings)
        died_at = recorder.under_way()
        source = SqliteMoveSource(
            settings.data_dir / "scrapemaster.db", None if died_at is None else died_at[1:]
        )
        await Move(source, MongoMoveTarget(address.get_secret_value()), say).run()


def _mongo_store(url: str) -> MongoStore:
    with extra_for("MongoDB", "mongo", {"pymongo", "bson"}):
        from scrapemaster.storage.mongo.store import MongoStore  # noqa: PLC0415 -- needs an extra
    return MongoStore(url)


@contextlib.contextmanager
def extra_for(feature: str, extra: str, packages: set[str]) -> Iterator[None]:
    """Say what to install where one of the extra's packages is not."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in packages:
            raise
        raise MissingExtra(feature, extra) from error
