"""Known requests in MongoDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from scrapemaster.domain.errors import LeaseLost, NotFound
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import Counters, JobStatus, budget_left
from scrapemaster.domain.outcome import FailedPage, Outcome
from scrapemaster.domain.request import Leased, NewRequest
from scrapemaster.storage.mongo.codec import unpacked
from scrapemaster.storage.mongo.commit import OVER, commit_outcomes
from scrapemaster.storage.mongo.database import Database, Document, Session, undo
from scrapemaster.storage.mongo.discovery import (
    Seen,
    batches,
    drop_stored,
    interrupt_leases,
    put_back,
    request_documents,
    take_new,
    take_waiting,
    unseen,
)
from scrapemaster.storage.mongo.due import ANY_TIME, next_due
from scrapemaster.storage.mongo.joblog import DIARY_FIELDS, Diary
from scrapemaster.storage.mongo.keys import SHIFT, bytes_of, prefix_of, span, text_of
from scrapemaster.storage.mongo.ledger import LEDGER_FIELDS, Holder, Ledger
from scrapemaster.storage.mongo.retry import AT_ONCE, failed_ones, put_back_failed, tell_of_retry

T = TypeVar("T")

#: Requests added in one transaction, which the server ends after 60 s (`transactionLifetimeLimitSeconds`).
_ADD_AT_ONCE = 10_000
#: Seconds that counting a job's rows may take: some 10⁸ of them.
_COUNT_SECONDS = 300.0


class MongoFrontier:
    """See `ports.frontier.Frontier`."""

    def __init__(self, database: Database, seen: Seen) -> None:
        self._database = database
        self._seen = seen

    async def add(self, job: JobId, requests: Sequence[NewRequest]) -> int:
        """See the port. Some thousands at a time, so that a crash leaves the first of them added."""
        prefix = prefix_of(job)
        fresh = list(unseen(self._seen.of(prefix), requests).values())
        if not fresh:
            await self._job(job, {"_id": 1})
        return sum([await self._add(job, prefix, part) for part in batches(fresh, _ADD_AT_ONCE)])

    async def lease(self, job: JobId, holder: str, limit: int, seconds: float, *, now: float) -> list[Leased]:
        """See the port."""
        if limit < 1:
            return []
        prefix, name = prefix_of(job), bytes_of(holder)

        async def work(session: Session) -> list[Leased]:
            document = await self._take_turn(job, session, status=str(JobStatus.RUNNING))
            if document is None:
                return await _nothing(session, [])
            ledger, max_pages = Ledger.of(document), document["max_pages"]
            interrupted = await interrupt_leases(self._database, session, ledger, prefix, ended_before=now)
            mine = ledger.holder(name)
            if mine is None:
                mine = Holder(name, 0.0)
                ledger.holders.append(mine)
            budget = budget_left(ledger.counters, max_pages)
            taken = await take_waiting(self._database, session, ledger, prefix, mine, limit, budget, now)
            new = min(limit - len(taken), budget_left(ledger.counters, max_pages))
            taken += await take_new(self._database, session, ledger, prefix, mine, new)
            if taken:
                mine.ends_at = now + seconds
            elif not interrupted:
                return await _nothing(session, [])
            await self._keep(job, ledger, session)
            return taken

        return await self._database.write(job, work)

    async def renew(self, job: JobId, holder: str, seconds: float, *, now: float) -> None:
        """See the port."""
        async with self._database.calls():
            await self._database["jobs"].update_one(
                {"_id": job, "holders.name": bytes_of(holder)}, {"$set": {"holders.$.ends_at": now + seconds}}
            )

    async def commit(
        self,
        job: JobId,
        holder: str,
        outcomes: Sequence[Outcome],
        *,
        rate: float | None = None,
        progress: float | None = None,
    ) -> Counters:
        """See the port.

        Of links by the ten thousand, those that one transaction does not hold are added before it, when the leases are seen to be
        held: a page that is then lost to another holder has its links discovered early, and nothing else.
        """
        name = bytes_of(holder)
        await self._add_surplus(job, name, outcomes)
        committed = await self._database.write(
            job,
            lambda session: commit_outcomes(
                self._database, session, self._seen, job, name, outcomes, rate, progress
            ),
        )
        self._seen.add(prefix_of(job), committed.known)
        return committed.counters

    async def release(
        self, job: JobId, holder: str, keys: Sequence[int] | None = None, *, due_at: float = 0.0
    ) -> None:
        """See the port."""
        name = bytes_of(holder)

        async def work(session: Session) -> None:
            document = await self._take_turn(job, session)
            if document is not None:
                ledger = Ledger.of(document)
                mine = ledger.holder(name)
                chosen = None if keys is None else set(keys)
                if mine is not None and await put_back(
                    self._database, session, ledger, prefix_of(job), mine, keys=chosen, due_at=due_at
                ):
                    await self._keep(job, ledger, session)
                    return
            await undo(session)

        await self._database.write(job, work)

    async def release_all(self, *, worker: str | None = None, blamed: tuple[JobId, int] | None = None) -> int:
        """See the port."""
        begin = b"" if worker is None else bytes_of(f"{worker}/")
        async with self._database.calls():
            unfinished = [str(status) for status in JobStatus if str(status) not in OVER]
            jobs = await (
                self._database["jobs"]
                .find({"status": {"$in": unfinished}, "holders": {"$ne": []}}, {"holders.name": 1})
                .to_list()
            )
        held = [
            one["_id"] for one in jobs if any(holder["name"].startswith(begin) for holder in one["holders"])
        ]
        return sum([await self._release_job(JobId(job), begin, blamed) for job in held])

    async def retry_failed(self, job: JobId, *, now: float) -> int:
        """See the port. Some thousands at a time, so that a crash leaves the first of them put back; the last ones' transaction logs it."""
        prefix, done, left = prefix_of(job), 0, None
        while left is None or left > 0:

            async def work(session: Session, left: int | None = left, done: int = done) -> tuple[int, int]:
                """How many were put back, and how many are left of those that had failed at first."""
                document = await self._take_turn(job, session, fields={**LEDGER_FIELDS, **DIARY_FIELDS})
                if document is None:
                    raise NotFound("Job not found")
                if document["status"] in OVER:
                    return await _nothing(session, (0, 0))
                ledger, diary = Ledger.of(document), Diary.of(prefix, document)
                if left is None:
                    left = await self._count("troubled", failed_ones(prefix), session)
                count = await put_back_failed(self._database, session, ledger, prefix, min(left, AT_ONCE))
                if not count:
                    return await _nothing(session, (0, 0))
                left = left - count if count == AT_ONCE else 0
                if not left:
                    tell_of_retry(diary, now, done + count)
                    await diary.store(self._database, session)
                await self._keep(job, ledger, session, diary.document())
                return count, left

            count, left = await self._database.write(job, work)
            done += count
        return done

    async def counters(self, job: JobId) -> Counters:
        """See the port."""
        async with self._database.calls():
            document = await self._database["jobs"].find_one({"_id": job}, {"counters": 1})
        return Counters() if document is None else Counters(**document["counters"])

    async def recount(self, job: JobId) -> Counters:
        """See the port.

        Nothing is ever taken out of `requests` and `results`: what was in them before is counted before the transaction, which then counts what came since.
        """
        prefix = prefix_of(job)
        try:
            earlier = Ledger.of(await self._job(job, LEDGER_FIELDS))
        except NotFound:
            return Counters()
        ends = [(slot << SHIFT) + rank.made for slot, rank in enumerate(earlier.ranks)]
        rows = earlier.counts["items"]
        async with self._database.calls(_COUNT_SECONDS):
            known = sum(
                [
                    await self._count("requests", {"k": span(prefix, end >> SHIFT << SHIFT, end)})
                    for end in ends
                ]
            )
            items = await self._count("results", {"_id": span(prefix, 0, rows)})

        async def work(session: Session) -> Counters:
            document = await self._take_turn(job, session)
            if document is None:
                return await _nothing(session, Counters())
            ledger, since = Ledger.of(document), 0
            for slot in range(len(ledger.ranks)):
                after = ends[slot] if slot < len(ends) else slot << SHIFT
                last = (slot + 1 << SHIFT) - 1
                since += await self._count("requests", {"k": span(prefix, after, last)}, session)
            states = {"waiting": 0, "failed": 0, "skipped": 0}
            states["waiting"] = await self._count("troubled", {"job": prefix, "due_at": ANY_TIME}, session)
            for state in ("failed", "skipped"):
                states[state] = await self._count(
                    "troubled", {"job": prefix, "over_at": ANY_TIME, "state": state}, session
                )
            leased = sum(len(one.plain) + len(one.troubled) for one in ledger.holders)
            discovered, queued = known + since, ledger.queued + states["waiting"]
            ledger.waiting = states["waiting"]
            ledger.counts |= {
                "discovered": discovered,
                "queued": queued,
                "leased": leased,
                "failed": states["failed"],
                "skipped": states["skipped"],
                "fetched": discovered - queued - leased - states["failed"] - states["skipped"],
                "items": items + await self._count("results", {"_id": span(prefix, rows)}, session),
            }
            await self._keep(job, ledger, session)
            return ledger.counters

        return await self._database.write(job, work)

    async def next_due(self, job: JobId) -> float | None:
        """See the port."""

        async def work(session: Session) -> float | None:
            document = await self._database["jobs"].find_one({"_id": job}, LEDGER_FIELDS, session=session)
            return None if document is None else await next_due(self._database, session, document)

        return await self._database.read(work)

    async def reasons(self, job: JobId) -> Mapping[str, int]:
        """See the port."""
        async with self._database.calls():
            if await self._database["jobs"].find_one({"_id": job}, {"_id": 1}) is None:
                return {}
            groups = await self._database["troubled"].aggregate(
                [
                    {"$match": {"job": prefix_of(job), "over_at": ANY_TIME}},
                    {"$group": {"_id": "$reason", "count": {"$sum": 1}}},
                ]
            )
            return {text_of(one["_id"]): one["count"] async for one in groups}

    async def failures(self, job: JobId, *, skip: int = 0, limit: int = 100) -> tuple[list[FailedPage], int]:
        """See the port."""
        over = {"job": prefix_of(job), "over_at": ANY_TIME}
        async with self._database.calls():
            if await self._database["jobs"].find_one({"_id": job}, {"_id": 1}) is None:
                return [], 0
            total = await self._count("troubled", over)
            if limit < 1:
                return [], total
            order = [("over_at", 1), ("_id", 1)]
            found = self._database["troubled"].find(over, sort=order, skip=skip, limit=limit)
            return [_failed_page(one) async for one in found], total

    async def _job(self, job: JobId, fields: Mapping[str, int]) -> Document:
        """The job's document outside of transactions; raises `NotFound`."""
        async with self._database.calls():
            document = await self._database["jobs"].find_one({"_id": job}, fields)
        if document is None:
            raise NotFound("Job not found")
        return document

    async def _take_turn(
        self, job: JobId, session: Session, fields: Mapping[str, int] = LEDGER_FIELDS, **conditions: str
    ) -> Document | None:
        """The job's document, which from now on no other transaction can write to until the end of this one."""
        document: Document | None = await self._database["jobs"].find_one_and_update(
            {"_id": job, **conditions}, {"$inc": {"turn": 1}}, fields, session=session
        )
        return document

    async def _keep(
        self, job: JobId, ledger: Ledger, session: Session, more: Mapping[str, Any] | None = None
    ) -> None:
        changes = {**ledger.document(), **(more or {})}
        await self._database["jobs"].update_one({"_id": job}, {"$set": changes}, session=session)

    async def _count(self, name: str, condition: Document, session: Session | None = None) -> int:
        return await self._database[name].count_documents(condition, session=session)

    async def _add(self, job: JobId, prefix: bytes, requests: list[NewRequest]) -> int:
        async def work(session: Session) -> int:
            document = await self._take_turn(job, session)
            if document is None:
                raise NotFound("Job not found")
            if document["status"] in OVER:
                return await _nothing(session, -1)
            ledger, seen = Ledger.of(document), self._seen.of(prefix)
            fresh = unseen(seen, requests)
            await drop_stored(self._database, session, ledger, prefix, seen, fresh)
            if not fresh:
                return await _nothing(session, 0)
            documents = request_documents(ledger, prefix, fresh.values())
            await self._database["requests"].insert_many(documents, ordered=False, session=session)
            await self._keep(job, ledger, session)
            return len(documents)

        added = await self._database.write(job, work)
        if added >= 0:
            self._seen.add(prefix, [request.fingerprint for request in requests])
        return max(0, added)

    async def _add_surplus(self, job: JobId, name: bytes, outcomes: Sequence[Outcome]) -> None:
        """Add the links that are too many for the commit's own transaction."""
        if sum(len(outcome.links) for outcome in outcomes) <= _ADD_AT_ONCE:
            return
        # Only of pages that cannot turn out to be another request's.
        links = [link for outcome in outcomes if outcome.alias is None for link in outcome.links]
        fresh = unseen(self._seen.of(prefix_of(job)), links)
        if len(fresh) <= _ADD_AT_ONCE:
            return
        try:
            mine = Ledger.of(await self._job(job, LEDGER_FIELDS)).holder(name)
        except NotFound:
            mine = None
        keys = {outcome.request.key for outcome in outcomes}
        if mine is None or not keys <= mine.plain | mine.troubled:
            raise LeaseLost("another holder works on part of it")
        await self.add(job, list(fresh.values()))

    async def _release_job(self, job: JobId, begin: bytes, blamed: tuple[JobId, int] | None) -> int:
        def interrupted(key: int) -> bool:
            return blamed is None or blamed == (job, key)

        async def work(session: Session) -> int:
            document = await self._take_turn(job, session)
            if document is None:
                return await _nothing(session, 0)
            ledger = Ledger.of(document)
            count = await interrupt_leases(
                self._database,
                session,
                ledger,
                prefix_of(job),
                ended_before=None,
                begin=begin,
                interrupted=interrupted,
            )
            await self._keep(job, ledger, session)
            return count

        return await self._database.write(job, work)


async def _nothing(session: Session, answer: T) -> T:
    """End the transaction without writing, with an answer."""
    await undo(session)
    return answer


def _failed_page(one: Document) -> FailedPage:
    return FailedPage(
        text_of(one["url"]),
        one["state"],
        text_of(one["reason"]),
        text_of(one["detail"]),
        one["status"],
        one["attempts"],
        one["at"],
        None if one["evidence"] is None else unpacked(one["evidence"]),
    )
