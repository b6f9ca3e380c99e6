"""Orders in MongoDB."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from scrapemaster.domain.errors import StoreError
from scrapemaster.domain.ids import JobId, UserId
from scrapemaster.domain.job import TERMINAL, UNFINISHED, Job, JobStatus, Priority, sources_of
from scrapemaster.domain.request import NewRequest
from scrapemaster.ports.jobs import SORTABLE, JobQuery, JobStats
from scrapemaster.storage.mongo.codec import (
    JOB_FIELDS,
    LEDGER_FIELDS,
    Ledger,
    folded,
    job_document,
    job_of,
    order_documents,
)
from scrapemaster.storage.mongo.database import Database, Document, Session, undo
from scrapemaster.storage.mongo.discovery import Seen, drop_leases, request_documents, unseen
from scrapemaster.storage.mongo.keys import bytes_of, prefix_of, shown, span
from scrapemaster.storage.mongo.results import all_parts

_SORT_FIELDS = {name: name for name in SORTABLE} | {"items_scraped": "counters.items"}
_CHANGES = frozenset({"stop_reason", "error", "engine_used"})
#: Rows deleted in one command, so that nobody waits long.
_DELETE_AT_ONCE = 5_000


class MongoJobs:
    """See `ports.jobs.JobStore`."""

    def __init__(self, database: Database, seen: Seen) -> None:
        self._database = database
        self._seen = seen
        self._sweeps: set[asyncio.Task[None]] = set()
        self._closing = False

    async def add(self, job: Job, seeds: Sequence[NewRequest]) -> None:
        """See the port."""
        prefix = prefix_of(job.id)
        fresh = unseen(set(), seeds)

        async def work(session: Session) -> None:
            document, ledger = job_document(job), Ledger()
            requests = request_documents(ledger, prefix, fresh.values())
            await self._database["jobs"].insert_one({**document, **ledger.document()}, session=session)
            await self._database["orders"].insert_many(order_documents(job), session=session)
            if requests:
                await self._database["requests"].insert_many(requests, ordered=False, session=session)

        await self._database.write(job.id, work)
        self._seen.add(prefix, fresh)

    async def get(self, job_id: JobId, owner: UserId | None = None) -> Job | None:
        """See the port."""
        condition: Document = {"_id": shown(job_id)}
        if owner is not None:
            condition["owner"] = owner
        async with self._database.calls():
            document = await self._database["jobs"].find_one(condition, JOB_FIELDS)
            if document is None:
                return None
            jobs = await self._with_orders([document])
        return jobs[0] if jobs else None

    async def find(self, query: JobQuery) -> tuple[list[Job], int]:
        """See the port."""
        steps = _conditions(query)
        direction = -1 if query.sort.startswith("-") else 1
        order = {_SORT_FIELDS[query.sort.removeprefix("-")]: direction, "_id": direction}
        page: list[Document] = [{"$sort": order}, {"$skip": query.skip}, {"$limit": max(1, query.limit)}]
        async with self._database.calls():
            jobs = self._database["jobs"]
            counted = await (await jobs.aggregate([*steps, {"$count": "total"}])).to_list()
            found = await (await jobs.aggregate([*steps, *page, {"$project": JOB_FIELDS}])).to_list()
            total = counted[0]["total"] if counted else 0
            return await self._with_orders(found[: query.limit]), total

    async def transition(self, job_id: JobId, target: JobStatus, *, now: float, **changes: Any) -> Job | None:
        """See the port."""
        if unknown := set(changes) - _CHANGES:
            raise TypeError(f"a transition cannot set {sorted(unknown)}")
        condition = {"_id": shown(job_id), "status": {"$in": [str(source) for source in sources_of(target)]}}
        fields = {**LEDGER_FIELDS, "started_at": 1, "paused_at": 1, "paused_seconds": 1}

        async def work(session: Session) -> Document | None:
            jobs = self._database["jobs"]
            document = await jobs.find_one_and_update(
                condition, {"$inc": {"turn": 1}}, fields, session=session
            )
            if document is None:
                await undo(session)
                return None
            sets = _moved(document, target, now, changes)
            if target in TERMINAL:
                ledger = Ledger.of(document)
                await drop_leases(self._database, session, ledger, prefix_of(job_id))
                sets |= ledger.document()
            after: Document | None = await jobs.find_one_and_update(
                {"_id": job_id}, {"$set": sets}, JOB_FIELDS, return_document=True, session=session
            )
            return after

        document = await self._database.write(job_id, work)
        if document is None:
            return None
        async with self._database.calls():
            moved = await self._with_orders([document])
        return moved[0] if moved else None

    async def warn(self, job_id: JobId, warnings: Sequence[str]) -> None:
        """See the port."""
        await self._append(job_id, "warnings", warnings)

    async def widen_scope(self, job_id: JobId, host: str) -> None:
        """See the port."""
        await self._append(job_id, "scope_hosts", [host])

    async def delete(self, job_id: JobId) -> bool:
        """See the port. The rows go in the background, some thousands at a time."""

        async def work(session: Session) -> bool:
            deleted = await self._database["jobs"].delete_one({"_id": shown(job_id)}, session=session)
            if deleted.deleted_count == 0:
                await undo(session)
                return False
            await self._database["leftovers"].insert_one(
                {"_id": prefix_of(job_id), "job": job_id}, session=session
            )
            return True

        deleted = await self._database.write(job_id, work)
        if deleted:
            self.sweep_leftovers()
        return deleted

    def sweep_leftovers(self) -> None:
        """Delete, in the background, the rows of jobs that were removed."""
        task = asyncio.create_task(self._sweep())
        self._sweeps.add(task)
        task.add_done_callback(self._sweeps.discard)

    async def close(self) -> None:
        """Stop deleting; what is left is deleted after the next start."""
        self._closing = True
        await asyncio.gather(*self._sweeps, return_exceptions=True)

    async def unfinished(self) -> list[tuple[JobId, Priority]]:
        """See the port."""
        condition = {"status": {"$in": [str(status) for status in UNFINISHED]}}
        async with self._database.calls():
            # Ids sort by the time they were made at.
            found = self._database["jobs"].find(condition, {"priority": 1}, sort=[("_id", 1)])
            return [(JobId(one["_id"]), Priority(one["priority"])) async for one in found]

    async def stats(self, owner: UserId | None, *, since: float) -> JobStats:
        """See the port."""
        group = {
            "_id": "$status",
            "count": {"$sum": 1},
            "items": {"$sum": "$counters.items"},
            "recent": {"$sum": {"$cond": [{"$gte": ["$created_at", since]}, 1, 0]}},
        }
        condition = {} if owner is None else {"owner": owner}
        async with self._database.calls():
            groups = await (
                await self._database["jobs"].aggregate([{"$match": condition}, {"$group": group}])
            ).to_list()
        counts = dict.fromkeys(JobStatus, 0) | {JobStatus(one["_id"]): one["count"] for one in groups}
        return JobStats(counts, sum(one["items"] for one in groups), sum(one["recent"] for one in groups))

    async def _append(self, job_id: JobId, field: str, texts: Sequence[str]) -> None:
        async with self._database.calls():
            await self._database["jobs"].update_one(
                {"_id": job_id}, {"$addToSet": {field: {"$each": [bytes_of(text) for text in texts]}}}
            )

    async def _with_orders(self, documents: list[Document]) -> list[Job]:
        """The jobs of documents; without those that are deleted meanwhile."""
        specs: dict[str, bytes] = {}
        ids = [document["_id"] for document in documents]
        async for one in self._database["orders"].find(
            {"job": {"$in": ids}}, {"job": 1, "spec": 1}, sort=[("job", 1), ("_id", 1)]
        ):
            specs[one["job"]] = specs.get(one["job"], b"") + one["spec"]
        return [
            job_of(document, specs[document["_id"]]) for document in documents if document["_id"] in specs
        ]

    async def _sweep(self) -> None:
        with contextlib.suppress(StoreError):
            while not self._closing and await self._delete_some():  # noqa: ASYNC110 -- gives way between batches
                await asyncio.sleep(0)

    async def _delete_some(self) -> bool:
        """Delete some rows of one removed job; False when nothing is left to delete."""
        async with self._database.calls():
            job = await self._database["leftovers"].find_one({})
            if job is None:
                return False
            prefix = job["_id"]
            whole = {"$gte": prefix + bytes(16), "$lte": prefix + b"\xff" * 16}
            for name, ids in (
                ("results", all_parts(prefix)),
                ("results", span(prefix)),
                ("troubled", span(prefix)),
                ("requests", whole),
            ):
                rows = self._database[name]
                found = await rows.find({"_id": ids}, {"_id": 1}, limit=_DELETE_AT_ONCE).to_list()
                if found:
                    await rows.delete_many({"_id": {"$in": [one["_id"] for one in found]}})
                    return True
            await self._database["orders"].delete_many({"job": job["job"]})
            await self._database["leftovers"].delete_one({"_id": prefix})
        return True


def _moved(document: Document, target: JobStatus, now: float, changes: dict[str, Any]) -> Document:
    """What a move to `target` sets in the job's document."""
    sets: Document = {"status": str(target)}
    for name, value in changes.items():
        sets[name] = value if value is None else bytes_of(value) if name == "error" else str(value)
    if document["status"] == JobStatus.PAUSED and document["paused_at"] is not None:
        sets["paused_seconds"] = document["paused_seconds"] + max(0.0, now - document["paused_at"])
        sets["paused_at"] = None
    if target is JobStatus.PAUSED:
        sets["paused_at"] = now
    if target in TERMINAL:
        sets["finished_at"] = now
    if target is JobStatus.RUNNING:
        sets["started_at"] = now if document["started_at"] is None else document["started_at"]
    else:
        sets["rate"] = 0.0
    if target is JobStatus.COMPLETED:
        sets["progress"] = 100.0
    return sets


def _conditions(query: JobQuery) -> list[Document]:
    """The steps that leave the jobs that are asked for."""
    exact = {name: getattr(query, name) for name in ("owner", "status", "engine", "priority")}
    match: Document = {name: {"$eq": str(value)} for name, value in exact.items() if value is not None}
    if query.tag is not None:
        match["tags"] = bytes_of(query.tag)
    steps: list[Document] = [{"$match": match}]
    if query.text:
        place = {"$indexOfBytes": ["$text", {"$literal": folded(query.text)}]}
        has_text: list[Document] = [
            {"$match": {"$expr": {"$gte": [place, 0]}}},
            {"$limit": 1},
            {"$project": {"_id": 1}},
        ]
        orders = {
            "from": "orders",
            "localField": "_id",
            "foreignField": "job",
            "pipeline": has_text,
            "as": "hits",
        }
        steps += [{"$lookup": orders}, {"$match": {"hits": {"$ne": []}}}, {"$unset": "hits"}]
    return steps
