"""Everything moved into an empty database, a batch and the note of it in one transaction."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from scrapemaster.domain.errors import Conflict
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.moving import Kind, MovedHealth, MovedJob, Network, ProjectChunk, RevokedToken
from scrapemaster.ports.moving import Progress
from scrapemaster.storage.mongo import moving_jobs
from scrapemaster.storage.mongo.api_keys import key_document, key_of
from scrapemaster.storage.mongo.codec import user_document, user_of
from scrapemaster.storage.mongo.database import Database, Document, Session
from scrapemaster.storage.mongo.deliveries import delivery_document, delivery_of
from scrapemaster.storage.mongo.idempotency import kept_document, kept_of
from scrapemaster.storage.mongo.keys import bytes_of, pair, prefix_of, text_of
from scrapemaster.storage.mongo.migrations import INDEXES
from scrapemaster.storage.mongo.outbox import event_document, event_of_document
from scrapemaster.storage.mongo.parts import keep_rest, whole
from scrapemaster.storage.mongo.projects import chunk_document, project_document, project_of
from scrapemaster.storage.mongo.proxies import health_document, health_of, proxy_document, proxy_of
from scrapemaster.storage.mongo.schedules import insert_schedule, schedule_of
from scrapemaster.storage.mongo.webhooks import endpoint_document, endpoint_of

#: Where each kind that belongs to no job is kept, and in which order it is read.
_KEPT = {
    Kind.USERS: ("users", "_id"),
    Kind.NETWORKS: ("known_networks", "_id"),
    Kind.REVOKED_TOKENS: ("revoked_tokens", "_id"),
    Kind.API_KEYS: ("api_keys", "_id"),
    Kind.ORDER_KEYS: ("order_keys", "_id"),
    Kind.SCHEDULES: ("schedules", "_id"),
    Kind.PROXIES: ("proxies", "_id"),
    Kind.PROXY_HEALTH: ("proxy_health", "_id"),
    Kind.PROJECTS: ("projects", "no"),
    Kind.PROJECT_CHUNKS: ("project_chunks", "_id"),
    Kind.ENDPOINTS: ("webhook_endpoints", "no"),
    Kind.EVENTS: ("webhook_events", "no"),
    Kind.DELIVERIES: ("webhook_deliveries", "no"),
}
#: The kinds that are one document each, which is read and written as it is.
_DOCUMENTS: dict[Kind, Callable[[Any], Document]] = {
    Kind.USERS: user_document,
    Kind.NETWORKS: lambda one: {
        "_id": pair(one.owner, one.network),
        "owner": one.owner,
        "network": one.network,
        "at": one.at,
    },
    Kind.REVOKED_TOKENS: lambda one: {"_id": bytes_of(one.jti), "expires_at": one.expires_at},
    Kind.API_KEYS: key_document,
    Kind.ORDER_KEYS: kept_document,
    Kind.PROXIES: proxy_document,
    Kind.PROXY_HEALTH: lambda one: health_document((one.proxy, one.host), one.health),
    Kind.PROJECT_CHUNKS: lambda one: chunk_document(one.project, one.version, one.part, one.data),
}
#: The same for those that are numbered.
_NUMBERED: dict[Kind, Callable[[Any, int], Document]] = {
    Kind.PROJECTS: project_document,
    Kind.ENDPOINTS: endpoint_document,
    Kind.DELIVERIES: delivery_document,
}
_RECORDS: dict[Kind, Callable[[Document], Any]] = {
    Kind.USERS: user_of,
    Kind.NETWORKS: lambda one: Network(one["owner"], one["network"], one["at"]),
    Kind.REVOKED_TOKENS: lambda one: RevokedToken(text_of(one["_id"]), one["expires_at"]),
    Kind.API_KEYS: key_of,
    Kind.ORDER_KEYS: kept_of,
    Kind.PROXIES: proxy_of,
    Kind.PROXY_HEALTH: lambda one: MovedHealth(one["proxy"], text_of(one["host"]), health_of(one)),
    Kind.PROJECTS: project_of,
    Kind.PROJECT_CHUNKS: lambda one: ProjectChunk(
        text_of(one["project"]), text_of(one["version"]), one["part"], one["b"]
    ),
    Kind.ENDPOINTS: endpoint_of,
    Kind.DELIVERIES: delivery_of,
}


class MongoMoveTarget:
    """See `ports.moving.MoveTarget`."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    async def begin(self, source: str, summary: str) -> Progress | None:
        """See the port."""
        await self._database.open(moving=True)
        async with self._database.calls():
            note = await self._database["schema"].find_one({"_id": "moving"})
        if note is None:
            await self._refuse_what_is_there()
        elif note["source"] != source:
            raise Conflict(
                f"the database {self._database.name} holds the beginning of a move from {note['source']}: go on with that one, or drop it"
            )
        elif note["summary"] == summary and note["progress"] is not None:
            return _progress_of(note["progress"])
        else:
            await self._empty()
        async with self._database.calls():
            begun = {"_id": "moving", "source": source, "summary": summary, "progress": None, "ledger": None}
            await self._database["schema"].replace_one({"_id": "moving"}, begun, upsert=True)
        return None

    async def put(self, progress: Progress, records: Sequence[Any]) -> None:
        """See the port."""

        async def work(session: Session) -> None:
            notes: Document = {"progress": _document_of(progress)}
            if progress.job is None:
                await self._put_of_all(session, progress.kind, records)
            else:
                notes |= await self._put_of_job(session, progress.kind, progress.job, records)
            await self._database["schema"].update_one({"_id": "moving"}, {"$set": notes}, session=session)

        await self._database.write("moving", work)

    async def read(self, kind: Kind, job: JobId | None = None) -> AsyncIterator[Sequence[Any]]:
        """See the port."""
        if job is not None:
            async for records in moving_jobs.read(self._database, kind, job):
                yield records
            return
        name, order = _KEPT[kind]
        async for documents in moving_jobs.pages(self._database, name, order, {}):
            if kind in _RECORDS:
                yield [_RECORDS[kind](one) for one in documents]
                continue
            async with self._database.calls():
                data = await whole(self._database, documents)
            of = schedule_of if kind is Kind.SCHEDULES else event_of_document
            yield [of(one, rest) for one, rest in zip(documents, data, strict=True)]

    async def missing(self, job: JobId, marks: Sequence[bytes]) -> int:
        """See the port."""
        ids = [prefix_of(job) + mark for mark in set(marks)]
        async with self._database.calls():
            there = await self._database["requests"].count_documents({"_id": {"$in": ids}})
        return len(ids) - there

    async def finish(self) -> None:
        """See the port."""
        async with self._database.calls():
            await self._database["schema"].delete_one({"_id": "moving"})

    async def close(self) -> None:
        """See the port."""
        await self._database.close()

    async def _put_of_all(self, session: Session, kind: Kind, records: Sequence[Any]) -> None:
        database = self._database
        if kind is Kind.SCHEDULES:
            for one in records:
                await insert_schedule(database, session, one)
            return
        name, order = _KEPT[kind]
        if order == "no":
            first = await database.number(name, len(records))
            if kind is Kind.EVENTS:
                for no, one in enumerate(records, first):
                    document, snapshot = event_document(one, no)
                    await database[name].insert_one(document, session=session)
                    await keep_rest(database, session, one.id, snapshot)
                return
            documents = [_NUMBERED[kind](one, no) for no, one in enumerate(records, first)]
        else:
            documents = [_DOCUMENTS[kind](one) for one in records]
        await database[name].insert_many(documents, session=session)

    async def _put_of_job(self, session: Session, kind: Kind, job: JobId, records: Sequence[Any]) -> Document:
        """Store records of a job; the changes to the note of the move, where the job's ledger is until the job is stored."""
        note = await self._database["schema"].find_one({"_id": "moving"}, {"ledger": 1}, session=session)
        kept = None if note is None else note["ledger"]
        ledger = moving_jobs.ledger_of(kept if kept is not None and kept["job"] == job else None)
        if kind is Kind.JOBS:
            moved = records[0]
            assert isinstance(moved, MovedJob)  # noqa: S101 -- what the kind says
            await moving_jobs.put_job(self._database, session, ledger, moved)
            return {"ledger": None}
        await moving_jobs.put(self._database, session, ledger, kind, job, records)
        return {"ledger": {"job": job, **ledger.document()}}

    async def _refuse_what_is_there(self) -> None:
        async with self._database.calls():
            users = await self._database["users"].estimated_document_count()
            jobs = await self._database["jobs"].estimated_document_count()
            others = [
                name
                for name in INDEXES
                if name != "turns" and await self._database[name].find_one({}, {"_id": 1}) is not None
            ]
        if others:
            raise Conflict(
                f"the database {self._database.name} is in use: it holds {users} users and {jobs} jobs. Name an empty one, which "
                "no service was started on"
            )

    async def _empty(self) -> None:
        """Take away what an earlier move brought, whose source has changed since."""
        async with self._database.calls(_EMPTY_SECONDS):
            for name in INDEXES:
                await self._database[name].delete_many({})


#: Seconds in which a collection is emptied.
_EMPTY_SECONDS = 3_600.0


def _document_of(progress: Progress) -> Document:
    return {
        "kind": str(progress.kind),
        "job": progress.job,
        "place": json.dumps(progress.place),
        "jobs": json.dumps(progress.jobs),
    }


def _progress_of(document: Document) -> Progress:
    return Progress(
        Kind(document["kind"]), document["job"], json.loads(document["place"]), json.loads(document["jobs"])
    )
