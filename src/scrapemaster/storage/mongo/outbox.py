"""Events for webhooks, written in the transaction of what they tell of."""

from __future__ import annotations

from scrapemaster.domain.events import EventType
from scrapemaster.domain.ids import uuid7
from scrapemaster.domain.job import TERMINAL, Job, JobStatus
from scrapemaster.domain.webhook import OutboxEvent, event_of
from scrapemaster.storage.mongo.codec import job_of_snapshot, snapshot_of
from scrapemaster.storage.mongo.database import Database, Document, Session
from scrapemaster.storage.mongo.parts import first_part, keep_rest


async def record_move(
    database: Database, session: Session, job: Job, announced: int, now: float, *, fresh: bool
) -> None:
    """Write the event that a job's coming to its status is, if an endpoint waits for it.

    `fresh`: the job had not started before. Rows beyond the first `announced` are announced first, where the job rests or ends.
    """
    heard = await _heard(database, session, job)
    if not heard:
        return
    if (job.status in TERMINAL or job.status is JobStatus.PAUSED) and EventType.ITEM_BATCH in heard:
        await _append_rows(database, session, job, announced, now)
    kind = event_of(job.status, first_start=fresh)
    if kind is not None and kind in heard:
        await _append(database, session, OutboxEvent(uuid7(now), kind, now, job))


async def announce_rows(database: Database, session: Session, job: Job, announced: int, now: float) -> bool:
    """Write an `item.batch` of the rows beyond the first `announced`, if there are any and an endpoint waits for it."""
    if EventType.ITEM_BATCH not in await _heard(database, session, job):
        return False
    return await _append_rows(database, session, job, announced, now)


def event_document(event: OutboxEvent, no: int) -> tuple[Document, bytes]:
    """The document of an event, the `no`-th, and the data of which it has the first part."""
    snapshot = snapshot_of(event.job)
    document = {
        "_id": event.id,
        "no": no,
        "type": str(event.type),
        "at": event.at,
        "job": event.job.id,
        "first": event.first,
        "last": event.last,
        **first_part(snapshot),
    }
    return document, snapshot


def event_of_document(one: Document, snapshot: bytes) -> OutboxEvent:
    """The event of a document of the outbox."""
    job = job_of_snapshot(snapshot)
    return OutboxEvent(one["_id"], EventType(one["type"]), one["at"], job, one["first"], one["last"])


async def _append_rows(database: Database, session: Session, job: Job, announced: int, now: float) -> bool:
    rows = job.counters.items
    if rows <= announced:
        return False
    event = OutboxEvent(uuid7(now), EventType.ITEM_BATCH, now, job, announced + 1, rows)
    await _append(database, session, event)
    await database["jobs"].update_one(
        {"_id": job.id}, {"$set": {"announced": rows, "announced_at": now}}, session=session
    )
    return True


async def _heard(database: Database, session: Session, job: Job) -> set[str]:
    """The events of the job that an endpoint waits for."""
    endpoints = database["webhook_endpoints"].find(
        {"owner": job.owner, "enabled": True, "job_id": {"$in": [None, job.id]}},
        {"events": 1},
        session=session,
    )
    return {event async for endpoint in endpoints for event in endpoint["events"]}


async def _append(database: Database, session: Session, event: OutboxEvent) -> None:
    document, snapshot = event_document(event, await database.number("webhook_events"))
    await database["webhook_events"].insert_one(document, session=session)
    await keep_rest(database, session, event.id, snapshot)
