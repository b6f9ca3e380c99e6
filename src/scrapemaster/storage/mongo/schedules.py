"""Schedules in MongoDB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from scrapemaster.domain.errors import Conflict, NotFound
from scrapemaster.domain.ids import ScheduleId, UserId
from scrapemaster.domain.job import TERMINAL, Job
from scrapemaster.domain.request import NewRequest
from scrapemaster.domain.schedule import Claim, Overlap, Schedule
from scrapemaster.storage.mongo.codec import bytes_or_none, packed, text_or_none, unpacked
from scrapemaster.storage.mongo.database import Database, Document, Session, undo
from scrapemaster.storage.mongo.jobs import insert_job
from scrapemaster.storage.mongo.keys import bytes_of, shown, text_of
from scrapemaster.storage.mongo.parts import drop_rest, first_part, keep_rest, whole

_PLAIN = (
    "owner",
    "created_at",
    "timezone",
    "enabled",
    "next_run_at",
    "last_run_at",
    "last_job_id",
    "version",
)


class MongoSchedules:
    """See `ports.schedules.ScheduleStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, schedule: Schedule, *, limit: int) -> None:
        """See the port."""
        turn = f"schedules/{schedule.owner}"

        async def work(session: Session) -> None:
            schedules = self._database["schedules"]
            await self._database.hold(session, turn)
            count = await schedules.count_documents({"owner": schedule.owner}, session=session)
            if count >= limit:
                raise Conflict(f"you have {count} schedules, and {limit} are allowed; delete one first")
            await insert_schedule(self._database, session, schedule)

        await self._database.write(turn, work)

    async def get(self, schedule_id: ScheduleId, owner: UserId | None = None) -> Schedule | None:
        """See the port."""
        condition: Document = {"_id": shown(schedule_id)}
        if owner is not None:
            condition["owner"] = owner
        found = await self._found(condition)
        return found[0] if found else None

    async def find(
        self, owner: UserId | None, *, skip: int = 0, limit: int = 50
    ) -> tuple[list[Schedule], int]:
        """See the port."""
        condition = {} if owner is None else {"owner": owner}
        async with self._database.calls():
            total = await self._database["schedules"].count_documents(condition)
        if limit < 1:
            return [], total
        order = [("created_at", -1), ("_id", -1)]
        return await self._found(condition, sort=order, skip=skip, limit=limit), total

    async def update(self, schedule: Schedule) -> bool:
        """See the port."""
        spec = _spec(schedule)
        changes = {
            "cron": bytes_of(schedule.cron),
            "timezone": schedule.timezone,
            "enabled": schedule.enabled,
            "overlap": str(schedule.overlap),
            "name": bytes_or_none(schedule.name),
            "next_run_at": schedule.next_run_at,
            **first_part(spec),
        }

        async def work(session: Session) -> bool:
            schedules = self._database["schedules"]
            changed = await schedules.update_one(
                {"_id": schedule.id, "version": schedule.version},
                {"$set": changes, "$inc": {"version": 1}},
                session=session,
            )
            if changed.matched_count:
                await drop_rest(self._database, session, schedule.id)
                await keep_rest(self._database, session, schedule.id, spec)
                return True
            if await schedules.find_one({"_id": schedule.id}, {"_id": 1}, session=session) is None:
                raise NotFound("Schedule not found")
            await undo(session)
            return False

        return await self._database.write(schedule.id, work)

    async def delete(self, schedule_id: ScheduleId) -> bool:
        """See the port."""
        identity = shown(schedule_id)

        async def work(session: Session) -> bool:
            deleted = await self._database["schedules"].delete_one({"_id": identity}, session=session)
            await drop_rest(self._database, session, identity)
            return deleted.deleted_count > 0

        return await self._database.write(identity, work)

    async def due(self, now: float, *, limit: int) -> list[Schedule]:
        """See the port."""
        return await self._found({"next_run_at": {"$lte": now}}, sort=[("next_run_at", 1)], limit=limit)

    async def run(
        self,
        schedule_id: ScheduleId,
        job: Job | None,
        seeds: Sequence[NewRequest] = (),
        *,
        now: float,
        due_at: float | None = None,
        next_run_at: float | None = None,
        error: str | None = None,
    ) -> Claim:
        """See the port."""
        condition: Document = {"_id": schedule_id} | ({} if due_at is None else {"next_run_at": due_at})
        fields = {"overlap": 1, "last_job_id": 1}

        async def work(session: Session) -> Claim:
            schedules = self._database["schedules"]
            schedule = await schedules.find_one_and_update(
                condition, {"$inc": {"version": 1}}, fields, session=session
            )
            if schedule is None:
                await undo(session)
                return Claim.LOST
            sets: Document = {} if due_at is None else {"next_run_at": next_run_at}
            claim = Claim.TAKEN
            if job is None:
                sets["last_error"] = bytes_or_none(error)
            elif schedule["overlap"] == Overlap.SKIP and await self._is_unfinished(
                session, schedule["last_job_id"]
            ):
                claim = Claim.SKIPPED
                if due_at is not None:
                    sets["last_error"] = bytes_of(
                        f"skipped, because job {schedule['last_job_id']} was not over"
                    )
            else:
                await insert_job(self._database, session, job, seeds)
                sets |= {"last_run_at": max(now, due_at or now), "last_job_id": job.id, "last_error": None}
            if sets:
                await schedules.update_one({"_id": schedule_id}, {"$set": sets}, session=session)
            return claim

        return await self._database.write(schedule_id, work)

    async def _found(self, condition: Document, **order: Any) -> list[Schedule]:
        async with self._database.calls():
            documents = await self._database["schedules"].find(condition, **order).to_list()
            specs = await whole(self._database, documents)
        return [schedule_of(one, spec) for one, spec in zip(documents, specs, strict=True)]

    async def _is_unfinished(self, session: Session, job_id: str | None) -> bool:
        """Whether the last run's job exists and is not over."""
        if job_id is None:
            return False
        job = await self._database["jobs"].find_one({"_id": job_id}, {"status": 1}, session=session)
        return job is not None and job["status"] not in TERMINAL


async def insert_schedule(database: Database, session: Session, schedule: Schedule) -> None:
    """Store a schedule as it is, in the transaction under way."""
    spec = _spec(schedule)
    document = {
        "_id": schedule.id,
        **{name: getattr(schedule, name) for name in _PLAIN},
        "cron": bytes_of(schedule.cron),
        "overlap": str(schedule.overlap),
        "name": bytes_or_none(schedule.name),
        "last_error": bytes_or_none(schedule.last_error),
        **first_part(spec),
    }
    await database["schedules"].insert_one(document, session=session)
    await keep_rest(database, session, schedule.id, spec)


def _spec(schedule: Schedule) -> bytes:
    return packed({"order": schedule.order, "order_asked": schedule.order_asked})


def schedule_of(document: Document, spec: bytes) -> Schedule:
    """The schedule of a document, and of what `whole` makes of its data."""
    values = {name: document[name] for name in (*_PLAIN, "overlap")} | {
        "id": document["_id"],
        "cron": text_of(document["cron"]),
        "name": text_or_none(document["name"]),
        "last_error": text_or_none(document["last_error"]),
        **unpacked(spec),
    }
    return msgspec.convert(values, Schedule)
