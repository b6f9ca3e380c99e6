"""Failed pages tried again: in their job, or in a job of their own."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.joblog import LogEvent, NewLine
from scrapemaster.domain.outcome import Verdict
from scrapemaster.domain.request import FINGERPRINT_BYTES, NewRequest
from scrapemaster.storage.mongo.database import Database, Document, Session
from scrapemaster.storage.mongo.discovery import request_documents
from scrapemaster.storage.mongo.due import ANY_TIME
from scrapemaster.storage.mongo.joblog import Diary
from scrapemaster.storage.mongo.keys import PREFIX_BYTES, number_of, prefix_of, span, text_of
from scrapemaster.storage.mongo.ledger import Ledger

#: Requests copied or put back at once: one transaction holds them.
AT_ONCE = 10_000
#: Seconds after which what was copied for a job that was never stored is deleted.
DRAFT_SECONDS = 3_600.0


def failed_ones(prefix: bytes) -> Document:
    """The condition on failed pages."""
    return {"job": prefix, "over_at": ANY_TIME, "state": str(Verdict.FAILED)}


async def put_back_failed(
    database: Database, session: Session, ledger: Ledger, prefix: bytes, limit: int
) -> int:
    """Put back up to `limit` failed pages, as if never tried, in the transaction under way; returns how many."""
    pages = database["troubled"]
    found = await pages.find(failed_ones(prefix), {"_id": 1}, limit=limit, session=session).to_list()
    if found:
        clean = {
            "due_at": 0.0,
            "attempts": 0,
            "interruptions": 0,
            "reason": b"",
            "detail": b"",
            "status": None,
        }
        await pages.update_many(
            {"_id": {"$in": [one["_id"] for one in found]}},
            {"$set": clean, "$unset": {"state": "", "over_at": ""}},
            session=session,
        )
    ledger.counts["failed"] -= len(found)
    ledger.counts["queued"] += len(found)
    ledger.waiting += len(found)
    return len(found)


def tell_of_retry(diary: Diary, now: float, count: int) -> None:
    """Note in the job's log that pages were put back."""
    diary.forget_failures()
    pages = "1 failed page is" if count == 1 else f"{count} failed pages are"
    diary.write(now, [NewLine(LogEvent.RETRIED, f"{pages} tried again")])


async def copy_requests(database: Database, source: JobId, target: JobId, *, known: bool) -> Ledger:
    """Copy the failed requests of one job, with their depth, for another that is not stored yet; returns its ledger.

    With `known`, whatever the one knows is made known to the other, which then finds nothing new in it. All this is no part of a
    transaction, as there may be millions: until the job is stored, it is noted as left over from a job that was removed.
    """
    ledger, prefix = Ledger(), prefix_of(target)
    draft = {"_id": prefix, "job": target, "draft": True, "due_at": time.time() + DRAFT_SECONDS}
    async with database.calls():
        await database["leftovers"].insert_one(draft)
    copied: set[bytes] = set()
    async for part in _failed(database, prefix_of(source)):
        copied.update(request.fingerprint for request in part)
        await _insert(database, request_documents(ledger, prefix, part))
    if known and copied:
        async for marks in _known(database, prefix_of(source)):
            # No request has the key 0.
            others = [{"_id": prefix + mark, "o": 0} for mark in marks if mark not in copied]
            await _insert(database, others)
            ledger.known += len(others)
    return ledger


async def _failed(database: Database, prefix: bytes) -> AsyncIterator[list[NewRequest]]:
    after = -1
    while True:
        async with database.calls():
            condition = {"_id": span(prefix, after), "state": str(Verdict.FAILED)}
            found = await database["troubled"].find(condition, sort=[("_id", 1)], limit=AT_ONCE).to_list()
        if not found:
            return
        yield [NewRequest(one["fingerprint"], text_of(one["url"]), one["depth"]) for one in found]
        after = number_of(found[-1]["_id"])


async def _known(database: Database, prefix: bytes) -> AsyncIterator[list[bytes]]:
    # Bytes are compared by their lengths first: bounds are as long as ids.
    last, after = prefix + b"\xff" * FINGERPRINT_BYTES, {"$gte": prefix + bytes(FINGERPRINT_BYTES)}
    while True:
        async with database.calls():
            condition = {"_id": {**after, "$lte": last}}
            found = (
                await database["requests"]
                .find(condition, {"_id": 1}, sort=[("_id", 1)], limit=AT_ONCE)
                .to_list()
            )
        if not found:
            return
        yield [one["_id"][PREFIX_BYTES:] for one in found]
        after = {"$gt": found[-1]["_id"]}


async def _insert(database: Database, documents: list[Document]) -> None:
    if documents:
        async with database.calls():
            await database["requests"].insert_many(documents, ordered=False)
