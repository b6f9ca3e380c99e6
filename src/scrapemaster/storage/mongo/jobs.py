"""Orders in MongoDB."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from scrapemaster.domain.errors import Conflict, NotFound, StoreUnavailable
from scrapemaster.domain.idempotency import OrderKey
from scrapemaster.domain.ids import JobId, UserId
from scrapemaster.domain.job import TERMINAL, UNFINISHED, Job, JobStatus, Priority, sources_of
from scrapemaster.domain.joblog import LogEvent, LogLevel, NewLine, line_of_creation, line_of_transition
from scrapemaster.domain.request import NewRequest
from scrapemaster.ports.jobs import SORTABLE, JobQuery, JobStats
from scrapemaster.storage.mongo.codec import JOB_FIELDS, folded, job_document, job_of, order_documents
from scrapemaster.storage.mongo.database import Database, Document, Session, there, undo
from scrapemaster.storage.mongo.discovery import Seen, drop_leases, request_documents, unseen
from scrapemaster.storage.mongo.due import next_due
from scrapemaster.storage.mongo.idempotency import forget_expired, ordered_before, remember
from scrapemaster.storage.mongo.incremental import baseline_of
from scrapemaster.storage.mongo.joblog import DIARY_FIELDS, Diary
from scrapemaster.storage.mongo.keys import bytes_of, pair, prefix_of, shown
from scrapemaster.storage.mongo.ledger import Ledger
from scrapemaster.storage.mongo.leftovers import Leftovers
from scrapemaster.storage.mongo.outbox import record_move
from scrapemaster.storage.mongo.retry import copy_requests, failed_ones

_SORT_FIELDS = {name: name for name in SORTABLE} | {"items_scraped": "counters.items"}
_CHANGES = frozenset({"stop_reason", "error", "engine_used"})
#: Jobs removed in one transaction.
_REMOVE_AT_ONCE = 200


class MongoJobs:
    """See `ports.jobs.JobStore`."""

    def __init__(self, database: Database, seen: Seen, leftovers: Leftovers) -> None:
        self._database = database
        self._seen = seen
        self._leftovers = leftovers

    async def add(self, job: Job, seeds: Sequence[NewRequest], *, key: OrderKey | None = None) -> JobId:
        """See the port."""
        turn = job.id if key is None else pair(job.owner, key.key).hex()
        if key is not None:
            async with self._database.calls():
                await forget_expired(self._database, job.created_at)

        async def work(session: Session) -> JobId:
            if key is not None:
                before = await ordered_before(self._database, session, job.owner, key, job.created_at)
                if before is not None:
                    await undo(session)
                    return before
                await remember(self._database, session, job, key)
            await insert_job(self._database, session, job, seeds)
            return job.id

        stored = await self._database.write(turn, work)
        if stored == job.id:
            self._seen.add(prefix_of(job.id), [seed.fingerprint for seed in seeds])
        return stored

    async def add_retry(self, job: Job, of: JobId) -> int:
        """See the port. The requests are copied before, where nobody sees them, and are deleted if the job is not stored after all."""
        async with self._database.calls():
            if await self._database["jobs"].find_one({"_id": of}, {"_id": 1}) is None:
                raise NotFound("Job not found")
            if await self._database["troubled"].find_one(failed_ones(prefix_of(of)), {"_id": 1}) is None:
                raise Conflict("the job has no failed page to try again")
        ledger = await copy_requests(self._database, of, job.id, known=job.config.follow_links)

        async def work(session: Session) -> None:
            if await self._database["jobs"].find_one({"_id": of}, {"_id": 1}, session=session) is None:
                raise NotFound("Job not found")
            draft = {"_id": prefix_of(job.id), "draft": True}
            if not (await self._database["leftovers"].delete_one(draft, session=session)).deleted_count:
                raise StoreUnavailable("copying the requests took too long; try again")
            await _insert(self._database, session, job, ledger)

        await self._database.write(job.id, work)
        return ledger.counts["discovered"]

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

    async def transition(
        self,
        job_id: JobId,
        target: JobStatus,
        *,
        now: float,
        only_from: JobStatus | None = None,
        if_idle: bool = False,
        **changes: Any,
    ) -> Job | None:
        """See the port."""
        if unknown := set(changes) - _CHANGES:
            raise TypeError(f"a transition cannot set {sorted(unknown)}")
        sources = [str(source) for source in sources_of(target) if only_from in {None, source}]
        condition = {"_id": shown(job_id), "status": {"$in": sources}}

        async def work(session: Session) -> Job | None:
            jobs = self._database["jobs"]
            before = await jobs.find_one_and_update(condition, {"$inc": {"turn": 1}}, session=session)
            if before is None or (if_idle and await next_due(self._database, session, before) is not None):
                await undo(session)
                return None
            diary = Diary.of(prefix_of(job_id), before)
            diary.write(now, [line_of_transition(JobStatus(before["status"]), target, changes)])
            sets = _moved(before, target, now, changes) | diary.document()
            if target in TERMINAL:
                ledger = Ledger.of(before)
                await drop_leases(self._database, session, ledger, prefix_of(job_id))
                sets |= ledger.document()
            after = await jobs.find_one_and_update(
                {"_id": job_id}, {"$set": sets}, JOB_FIELDS, return_document=True, session=session
            )
            await diary.store(self._database, session)
            (job,) = await self._with_orders([there(after)], session)
            fresh = before["started_at"] is None
            await record_move(self._database, session, job, before["announced"], now, fresh=fresh)
            return job

        return await self._database.write(job_id, work)

    async def warn(self, job_id: JobId, warnings: Sequence[str]) -> None:
        """See the port."""

        async def work(session: Session) -> None:
            jobs = self._database["jobs"]
            document = await jobs.find_one_and_update(
                {"_id": job_id},
                {"$inc": {"turn": 1}},
                {"warnings": 1, "status": 1, **DIARY_FIELDS},
                session=session,
            )
            known = [] if document is None else document["warnings"]
            new = [text for text in dict.fromkeys(warnings) if bytes_of(text) not in known]
            if document is None or not new:
                await undo(session)
                return
            sets: Document = {"warnings": known + [bytes_of(text) for text in new]}
            if document["status"] not in TERMINAL:
                diary = Diary.of(prefix_of(job_id), document)
                lines = [NewLine(LogEvent.WARNING, text, LogLevel.WARNING) for text in new]
                diary.write(time.time(), lines)
                await diary.store(self._database, session)
                sets |= diary.document()
            await jobs.update_one({"_id": job_id}, {"$set": sets}, session=session)

        if warnings:
            await self._database.write(job_id, work)

    async def widen_scope(self, job_id: JobId, host: str) -> None:
        """See the port."""
        async with self._database.calls():
            await self._database["jobs"].update_one(
                {"_id": job_id}, {"$addToSet": {"scope_hosts": bytes_of(host)}}
            )

    async def delete(self, job_id: JobId) -> bool:
        """See the port. The rows go in the background, some thousands at a time."""
        return await self._remove([JobId(shown(job_id))]) > 0

    async def delete_of(self, owner: UserId) -> int:
        """See the port. Those that may be at work go one by one, each in its turn; the rows go in the background, as after `delete`."""
        at_work: Document = {"owner": owner, "status": {"$nin": [str(status) for status in TERMINAL]}}
        removed = 0
        for condition, at_once in ((at_work, 1), ({"owner": owner}, _REMOVE_AT_ONCE)):
            while found := await self._some(condition, at_once):
                removed += await self._remove(found)
        return removed

    async def unfinished(self) -> list[tuple[JobId, Priority]]:
        """See the port."""
        condition = {"status": {"$in": [str(status) for status in UNFINISHED]}}
        async with self._database.calls():
            # Ids sort by the time they were made at.
            found = self._database["jobs"].find(condition, {"priority": 1}, sort=[("_id", 1)])
            return [(JobId(one["_id"]), Priority(one["priority"])) async for one in found]

    async def previous(self, job: Job) -> Job | None:
        """See the port."""
        if job.name is None or job.retry_of is not None:
            return None
        condition = {
            "owner": job.owner,
            "name_key": bytes_of(job.name),
            "status": str(JobStatus.COMPLETED),
            "_id": {"$ne": job.id},
            "retry_of": None,
            "compared": None,
            "created_at": {"$lte": job.created_at},
        }
        async with self._database.calls():
            before = await self._database["jobs"].find_one(
                condition, JOB_FIELDS, sort=[("created_at", -1), ("_id", -1)]
            )
            jobs = [] if before is None else await self._with_orders([before])
        return jobs[0] if jobs else None

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

    async def _with_orders(self, documents: list[Document], session: Session | None = None) -> list[Job]:
        """The jobs of documents; without those that are deleted meanwhile."""
        return await with_orders(self._database, documents, session)

    async def _some(self, condition: Document, limit: int) -> list[JobId]:
        async with self._database.calls():
            found = self._database["jobs"].find(condition, {"_id": 1}, limit=limit)
            return [JobId(one["_id"]) async for one in found]

    async def _remove(self, jobs: Sequence[JobId]) -> int:
        """Remove jobs in one transaction; returns how many there were."""

        async def work(session: Session) -> int:
            found = self._database["jobs"].find({"_id": {"$in": jobs}}, {"_id": 1}, session=session)
            there = [JobId(one["_id"]) async for one in found]
            if not there:
                await undo(session)
                return 0
            await self._database["jobs"].delete_many({"_id": {"$in": there}}, session=session)
            await self._leftovers.add(there, session)
            return len(there)

        removed = await self._database.write(jobs[0], work)
        if removed:
            self._leftovers.sweep()
        return removed


async def insert_job(database: Database, session: Session, job: Job, seeds: Sequence[NewRequest]) -> None:
    """Store a new job with its start requests, in the transaction under way."""
    ledger = Ledger()
    requests = request_documents(ledger, prefix_of(job.id), unseen(set(), seeds).values())
    await _insert(database, session, job, ledger)
    if requests:
        await database["requests"].insert_many(requests, ordered=False, session=session)


async def with_orders(
    database: Database, documents: list[Document], session: Session | None = None
) -> list[Job]:
    """The jobs of documents; without those that are deleted meanwhile."""
    specs: dict[str, bytes] = {}
    ids = [document["_id"] for document in documents]
    async for one in database["orders"].find(
        {"job": {"$in": ids}}, {"job": 1, "spec": 1}, sort=[("job", 1), ("_id", 1)], session=session
    ):
        specs[one["job"]] = specs.get(one["job"], b"") + one["spec"]
    return [job_of(document, specs[document["_id"]]) for document in documents if document["_id"] in specs]


async def _insert(database: Database, session: Session, job: Job, ledger: Ledger) -> None:
    diary = Diary(prefix_of(job.id))
    diary.write(job.created_at, [line_of_creation(job)])
    document = {
        **job_document(job),
        **ledger.document(),
        **diary.document(),
        "compared": await baseline_of(database, session, job),
    }
    await database["jobs"].insert_one(document, session=session)
    await database["orders"].insert_many(order_documents(job), session=session)
    await diary.store(database, session)


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
    if query.schedule is not None:
        match["schedule_id"] = {"$eq": shown(query.schedule)}
    if query.project is not None:
        match["project"] = {"$eq": bytes_of(query.project)} if query.project else {"$type": "binData"}
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
