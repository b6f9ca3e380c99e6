"""Who uses the database: a service that would queue and throttle beside another one is refused.

What locks of the data folder are to SQLite (`data_folder.only_one`), for services on any machine.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import structlog

from scrapemaster.domain.claims import Claim, Held, Kind, rival_of
from scrapemaster.domain.errors import StoreBroken, StoreError
from scrapemaster.storage.mongo.database import Database, Session, there

log = structlog.get_logger(__name__)

#: Seconds a claim lasts, and between renewals: who was killed is in the way for so long, where a name of its own did not come back.
CLAIM_SECONDS = 10.0
RENEW_EVERY = 2.0
#: Seconds between looks whether a rival that is there is alive.
_LOOK_EVERY = 0.25
_ID = "claims"


class Claims:
    """The claims on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, claim: Claim, seconds: float = CLAIM_SECONDS) -> Held | None:
        """Claim the database for so long, or go on doing so; the rival when there is one, and then nothing is claimed."""

        async def work(session: Session) -> Held | None:
            turns = self._database["turns"]
            document = there(
                await turns.find_one_and_update(
                    {"_id": _ID},
                    {"$currentDate": {"now": True}},
                    upsert=True,
                    return_document=True,
                    session=session,
                )
            )
            # By the server's clock: those of two machines may differ by more than a claim lasts.
            now = _seconds(document["now"])
            held = [
                Held(Claim(Kind(one["kind"]), one["holder"], one["where"]), _seconds(one["ends_at"]))
                for one in document.get("held", ())
            ]
            if (rival := rival_of(claim, held, now)) is not None:
                return rival
            others = [one for one in held if one.ends_at > now and one.claim.holder != claim.holder]
            documents = [
                {
                    "kind": str(one.claim.kind),
                    "holder": one.claim.holder,
                    "where": one.claim.where,
                    "ends_at": datetime.fromtimestamp(one.ends_at, UTC),
                }
                for one in [*others, Held(claim, now + seconds)]
            ]
            await turns.update_one({"_id": _ID}, {"$set": {"held": documents}}, session=session)
            return None

        return await self._database.write(_ID, work)

    async def renew(self, claim: Claim, seconds: float = CLAIM_SECONDS) -> bool:
        """Let a claim last for so long from now; False when it is not there any more."""
        later = {"ends_at": {"$add": ["$$NOW", timedelta(seconds=seconds) // timedelta(milliseconds=1)]}}
        mine = {"$eq": ["$$one.holder", {"$literal": claim.holder}]}
        extended = {"$cond": [mine, {"$mergeObjects": ["$$one", later]}, "$$one"]}
        async with self._database.calls():
            done = await self._database["turns"].update_one(
                {"_id": _ID, "held.holder": claim.holder},
                [{"$set": {"held": {"$map": {"input": "$held", "as": "one", "in": extended}}}}],
            )
        return done.matched_count > 0

    async def drop(self, claim: Claim) -> None:
        """Give a claim up."""
        async with self._database.calls():
            await self._database["turns"].update_one(
                {"_id": _ID}, {"$pull": {"held": {"holder": claim.holder}}}
            )

    async def enter(self, claim: Claim) -> None:
        """Claim the database; raises `StoreBroken` when another one uses it, and waits while that may have died."""
        # Of several, now this one and now that one renewed its claim last, and is the rival.
        seen: dict[str, float] = {}
        while (rival := await self.take(claim)) is not None:
            if not seen:
                log.info("store.in_use", by=rival.claim.where, waits_at_most_seconds=CLAIM_SECONDS)
            if rival.ends_at > seen.setdefault(rival.claim.holder, rival.ends_at):
                raise StoreBroken(self._refusal(claim, rival))
            await asyncio.sleep(_LOOK_EVERY)

    @contextlib.asynccontextmanager
    async def held(self, claim: Claim, lost: Callable[[str], None]) -> AsyncIterator[None]:
        """Claim the database as `enter` does, until the context is left.

        `lost` is told in a sentence when another one has it after all, because this process stood still for longer than a claim lasts.
        """
        await self.enter(claim)
        keeper = asyncio.create_task(self._keep(claim, lost))
        try:
            yield
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            with contextlib.suppress(StoreError):
                await self.drop(claim)

    async def _keep(self, claim: Claim, lost: Callable[[str], None]) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY)
            with contextlib.suppress(StoreError):
                if await self.renew(claim):
                    continue
                if (rival := await self.take(claim)) is not None:
                    lost(self._refusal(claim, rival))
                    return

    def _refusal(self, claim: Claim, rival: Held) -> str:
        who = (
            "another ScrapeMaster service" if rival.claim.kind is Kind.EMBEDDED else "a fleet of ScrapeMaster"
        )
        together = (
            "several that are to work together need SCRAPEMASTER_REDIS_URL"
            if claim.kind is Kind.EMBEDDED
            else "it runs alone, with no SCRAPEMASTER_REDIS_URL"
        )
        return (
            f"{who} ({rival.claim.where}) is using the database {self._database.name} of MongoDB at {self._database.where}: stop it, "
            f"or name another database in SCRAPEMASTER_MONGODB_URL; {together}"
        )


def _seconds(at: datetime) -> float:
    # The driver gives UTC without saying so.
    return at.replace(tzinfo=UTC).timestamp()
