"""What removed jobs left: their rows are deleted in the background, some thousands at a time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence

from scrapemaster.domain.errors import StoreError
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.request import FINGERPRINT_BYTES
from scrapemaster.storage.mongo.database import Database, Document, Session
from scrapemaster.storage.mongo.keys import prefix_of, span
from scrapemaster.storage.mongo.results import all_parts

#: Rows deleted in one command, so that nobody waits long.
_DELETE_AT_ONCE = 5_000


class Leftovers:
    """The jobs that were removed and have rows still."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sweeps: set[asyncio.Task[None]] = set()
        self._closing = False

    async def add(self, jobs: Sequence[JobId], session: Session) -> None:
        """Note, in the transaction that removes them, jobs whose rows are to be deleted."""
        notes = [{"_id": prefix_of(job), "job": job, "due_at": 0.0} for job in jobs]
        await self._database["leftovers"].insert_many(notes, session=session)

    def sweep(self) -> None:
        """Delete what there is, in the background."""
        task = asyncio.create_task(self._sweep())
        self._sweeps.add(task)
        task.add_done_callback(self._sweeps.discard)

    async def close(self) -> None:
        """Stop deleting; what is left is deleted after the next start."""
        self._closing = True
        await asyncio.gather(*self._sweeps, return_exceptions=True)

    async def _sweep(self) -> None:
        with contextlib.suppress(StoreError):
            while not self._closing and await self._delete_some():  # noqa: ASYNC110 -- gives way between batches
                await asyncio.sleep(0)

    async def _delete_some(self) -> bool:
        """Delete some rows of one removed job; False when nothing is left to delete."""
        async with self._database.calls():
            # What was copied for a job that may still be stored is taken only once that cannot happen any more.
            job = await self._database["leftovers"].find_one_and_update(
                {"due_at": {"$lte": time.time()}}, {"$unset": {"draft": ""}}
            )
            if job is None:
                return False
            for name, ids in _rows_of(job["_id"]):
                rows = self._database[name]
                found = await rows.find({"_id": ids}, {"_id": 1}, limit=_DELETE_AT_ONCE).to_list()
                if found:
                    await rows.delete_many({"_id": {"$in": [one["_id"] for one in found]}})
                    return True
            await self._database["orders"].delete_many({"job": job["job"]})
            await self._database["leftovers"].delete_one({"_id": job["_id"]})
        return True


def _rows_of(prefix: bytes) -> list[tuple[str, Document]]:
    """The collections that have rows of a job, and the condition on their ids."""
    by_fingerprint = {"$gte": prefix + bytes(FINGERPRINT_BYTES), "$lte": prefix + b"\xff" * FINGERPRINT_BYTES}
    return [
        ("results", all_parts(prefix)),
        ("artefact_chunks", all_parts(prefix)),
        ("artefacts", span(prefix)),
        ("results", span(prefix)),
        ("troubled", span(prefix)),
        ("job_log", span(prefix)),
        ("series", span(prefix)),
        ("page_marks", by_fingerprint),
        ("requests", by_fingerprint),
    ]
