"""Webhook endpoints, the outbox and deliveries in MongoDB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from scrapemaster.domain.errors import Conflict
from scrapemaster.domain.events import EventType
from scrapemaster.domain.ids import JobId, UserId
from scrapemaster.domain.job import UNFINISHED
from scrapemaster.domain.webhook import (
    Attempt,
    Delivery,
    DeliveryId,
    DeliveryState,
    Due,
    Endpoint,
    EndpointId,
    OutboxEvent,
    Settlement,
    fair_choice,
)
from scrapemaster.storage.mongo import deliveries as rows_of
from scrapemaster.storage.mongo.codec import JOB_FIELDS, bytes_or_none, text_or_none
from scrapemaster.storage.mongo.database import Database, Document, Session, undo
from scrapemaster.storage.mongo.jobs import with_orders
from scrapemaster.storage.mongo.keys import bytes_of, shown, text_of
from scrapemaster.storage.mongo.outbox import announce_rows, event_of_document
from scrapemaster.storage.mongo.parts import drop_rest, whole

_PLAIN = (
    "owner",
    "secret",
    "created_at",
    "job_id",
    "enabled",
    "disabled_reason",
    "failing_since",
    "old_secret",
    "old_secret_until",
)
_CHANGES = frozenset({"url", "events", "description", "enabled"})
#: Held by the transaction that chooses deliveries to send.
_CHOICE = "webhook_deliveries"
_PENDING = str(DeliveryState.PENDING)


class MongoWebhooks:
    """See `ports.webhooks.WebhookStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, endpoint: Endpoint, *, at_most: int | None = None) -> None:
        """See the port."""
        turn = f"webhooks/{endpoint.owner}"

        async def work(session: Session) -> None:
            endpoints = self._database["webhook_endpoints"]
            if at_most is not None:
                await self._database.hold(session, turn)
                own = {"owner": endpoint.owner, "job_id": None}
                count = await endpoints.count_documents(own, session=session)
                if count >= at_most:
                    raise Conflict(
                        f"you have {count} webhooks, and no user may have more: remove one, or give one more events"
                    )
            no = await self._database.number("webhook_endpoints")
            await endpoints.insert_one(endpoint_document(endpoint, no), session=session)

        await self._database.write(turn, work)

    async def get(self, endpoint_id: EndpointId, owner: UserId | None = None) -> Endpoint | None:
        """See the port."""
        async with self._database.calls():
            found = await self._database["webhook_endpoints"].find_one({"_id": shown(endpoint_id)})
        return (
            None if found is None or (owner is not None and found["owner"] != owner) else endpoint_of(found)
        )

    async def find(
        self, owner: UserId | None, *, skip: int = 0, limit: int = 50
    ) -> tuple[list[Endpoint], int]:
        """See the port."""
        condition: Document = {"job_id": None} if owner is None else {"job_id": None, "owner": owner}
        async with self._database.calls():
            endpoints = self._database["webhook_endpoints"]
            total = await endpoints.count_documents(condition)
            if limit < 1:
                return [], total
            found = endpoints.find(condition, sort=[("no", 1)], skip=skip, limit=limit)
            return [endpoint_of(one) async for one in found], total

    async def change(self, endpoint_id: EndpointId, **changes: Any) -> Endpoint | None:
        """See the port."""
        if unknown := set(changes) - _CHANGES:
            raise TypeError(f"an endpoint's {sorted(unknown)} cannot be changed")
        sets = {name: _stored(name, value) for name, value in changes.items()}
        if changes.get("enabled"):
            sets |= {"disabled_reason": None, "failing_since": None}

        async def work(session: Session) -> Endpoint | None:
            after = await self._set(session, endpoint_id, sets)
            if after is not None and changes.get("enabled") is False:
                await rows_of.fail_pending(self._database, session, after.id)
            return after

        return await self._database.write(shown(endpoint_id), work)

    async def rotate(self, endpoint_id: EndpointId, secret: str, *, old_until: float) -> Endpoint | None:
        """See the port."""

        async def work(session: Session) -> Endpoint | None:
            before = await self._database["webhook_endpoints"].find_one(
                {"_id": shown(endpoint_id)}, session=session
            )
            if before is None:
                return None
            sets = {"old_secret": before["secret"], "secret": secret, "old_secret_until": old_until}
            return await self._set(session, endpoint_id, sets)

        return await self._database.write(shown(endpoint_id), work)

    async def remove(self, endpoint_id: EndpointId) -> bool:
        """See the port."""
        async with self._database.calls():
            deleted = await self._database["webhook_endpoints"].delete_one({"_id": shown(endpoint_id)})
        return deleted.deleted_count > 0

    async def events(self, limit: int) -> list[OutboxEvent]:
        """See the port."""
        async with self._database.calls():
            found = await self._database["webhook_events"].find(sort=[("no", 1)], limit=limit).to_list()
            snapshots = await whole(self._database, found)
        return [event_of_document(one, snapshot) for one, snapshot in zip(found, snapshots, strict=True)]

    async def listeners(self, owner: UserId, job_id: JobId, event: EventType) -> list[Endpoint]:
        """See the port."""
        condition = {"owner": owner, "enabled": True, "job_id": {"$in": [None, job_id]}, "events": str(event)}
        async with self._database.calls():
            found = self._database["webhook_endpoints"].find(condition, sort=[("no", 1)])
            return [endpoint_of(one) async for one in found]

    async def expand(self, event_id: str, deliveries: Sequence[Delivery]) -> None:
        """See the port."""

        async def work(session: Session) -> None:
            gone = await self._database["webhook_events"].delete_one({"_id": event_id}, session=session)
            if not gone.deleted_count:
                await undo(session)
                return
            await drop_rest(self._database, session, event_id)
            await rows_of.insert_deliveries(self._database, session, deliveries)

        await self._database.write(event_id, work)

    async def announce(self, *, every: float, now: float) -> int:
        """See the port."""
        async with self._database.calls():
            owners = await self._database["webhook_endpoints"].distinct(
                "owner", {"enabled": True, "events": str(EventType.ITEM_BATCH)}
            )
            if not owners:
                return 0
            condition = {
                "status": {"$in": [str(status) for status in UNFINISHED]},
                "owner": {"$in": owners},
                "announced_at": {"$lte": now - every},
                "$expr": {"$gt": ["$counters.items", "$announced"]},
            }
            jobs = await self._database["jobs"].find(condition, {"_id": 1}).to_list()
        return sum([await self._announce(one["_id"], condition, now) for one in jobs])

    async def post(self, delivery: Delivery) -> None:
        """See the port."""
        await self._database.write(
            delivery.id, lambda session: rows_of.insert_deliveries(self._database, session, [delivery])
        )

    async def delivery(self, endpoint_id: EndpointId, delivery_id: DeliveryId) -> Delivery | None:
        """See the port."""
        async with self._database.calls():
            found = await self._database["webhook_deliveries"].find_one(_of(endpoint_id, delivery_id))
        return None if found is None else rows_of.delivery_of(found)

    async def deliveries(
        self,
        endpoint_id: EndpointId,
        *,
        state: DeliveryState | None = None,
        skip: int = 0,
        limit: int = 50,
    ) -> tuple[list[Delivery], int]:
        """See the port."""
        condition: Document = {"endpoint": shown(endpoint_id)}
        if state is not None:
            condition["state"] = str(state)
        async with self._database.calls():
            rows = self._database["webhook_deliveries"]
            total = await rows.count_documents(condition)
            if limit < 1:
                return [], total
            found = rows.find(condition, rows_of.LISTED, sort=[("no", -1)], skip=skip, limit=limit)
            return [rows_of.delivery_of(one) async for one in found], total

    async def replay(
        self, endpoint_id: EndpointId, delivery_id: DeliveryId, *, now: float
    ) -> Delivery | None:
        """See the port."""
        free: Document = {"$or": [{"holder": None}, {"due_at": {"$lte": now}}]}
        again = {"state": _PENDING, "due_at": now, "tries": 0, "holder": None}
        async with self._database.calls():
            rows = self._database["webhook_deliveries"]
            replayed = await rows.find_one_and_update(
                {**_of(endpoint_id, delivery_id), **free}, {"$set": again}, return_document=True
            )
            if replayed is not None:
                return rows_of.delivery_of(replayed)
            if await rows.find_one(_of(endpoint_id, delivery_id), {"_id": 1}) is None:
                return None
        raise Conflict("it is being sent at this moment; look at its attempts in some seconds")

    async def lease(
        self, holder: str, limit: int, seconds: float, *, per_endpoint: int, per_owner: int, now: float
    ) -> list[Due]:
        """See the port."""

        async def work(session: Session) -> list[Due]:
            await self._database.hold(session, _CHOICE)
            chosen = fair_choice(
                await rows_of.candidates(self._database, session, per_endpoint, now),
                await rows_of.held(self._database, session, now),
                limit=limit,
                per_endpoint=per_endpoint,
                per_owner=per_owner,
            )
            leased, endpoints = [], dict[EndpointId, Endpoint | None]()
            for one in chosen:
                if one.endpoint_id not in endpoints:
                    endpoints[one.endpoint_id] = await self._fit(session, one.endpoint_id)
                endpoint = endpoints[one.endpoint_id]
                if endpoint is not None:
                    taken = await rows_of.take(self._database, session, one.id, holder, now + seconds)
                    leased.append(Due(taken, endpoint))
            return leased

        # Looking costs no transaction: most of the time nothing is due.
        async with self._database.calls():
            if not await rows_of.any_due(self._database, now):
                return []
        return await self._database.write(_CHOICE, work)

    async def settle(
        self, delivery_id: DeliveryId, holder: str, attempt: Attempt, settlement: Settlement
    ) -> bool:
        """See the port."""
        return await self._database.write(
            delivery_id,
            lambda session: rows_of.settle(self._database, session, delivery_id, holder, attempt, settlement),
        )

    async def release(self, holder: str | None) -> None:
        """See the port."""
        whose = {"$type": "string"} if holder is None else holder
        async with self._database.calls():
            await self._database["webhook_deliveries"].update_many(
                {"holder": whose, "state": _PENDING}, {"$set": {"holder": None, "due_at": 0.0}}
            )

    async def prune(self, *, before: float, limit: int) -> int:
        """See the port."""
        async with self._database.calls():
            # Neither comes back: endpoints' and jobs' ids are never used again.
            await self._drop_abandoned(before, limit)
            gone = await rows_of.orphaned(self._database)
            return await rows_of.prune(self._database, before, gone, limit)

    async def _set(self, session: Session, endpoint_id: EndpointId, sets: Document) -> Endpoint | None:
        endpoints, whose = self._database["webhook_endpoints"], {"_id": shown(endpoint_id)}
        if sets:
            await endpoints.update_one(whose, {"$set": sets}, session=session)
        after = await endpoints.find_one(whose, session=session)
        return None if after is None else endpoint_of(after)

    async def _announce(self, job_id: str, condition: Document, now: float) -> bool:
        async def work(session: Session) -> bool:
            document = await self._database["jobs"].find_one_and_update(
                {"_id": job_id, **condition},
                {"$inc": {"turn": 1}},
                JOB_FIELDS,
                return_document=True,
                session=session,
            )
            jobs = [] if document is None else await with_orders(self._database, [document], session)
            if document is None or not jobs:
                await undo(session)
                return False
            return await announce_rows(self._database, session, jobs[0], document["announced"], now)

        return await self._database.write(job_id, work)

    async def _fit(self, session: Session, endpoint_id: EndpointId) -> Endpoint | None:
        """The endpoint if it is there and enabled; if not, what is pending for it fails."""
        found = await self._database["webhook_endpoints"].find_one(
            {"_id": endpoint_id, "enabled": True}, session=session
        )
        if found is not None:
            return endpoint_of(found)
        await self._database["webhook_deliveries"].update_many(
            {"endpoint": endpoint_id, "state": _PENDING},
            {"$set": {"state": str(DeliveryState.FAILED), "holder": None}},
            session=session,
        )
        return None

    async def _drop_abandoned(self, before: float, limit: int) -> None:
        """Remove jobs' own endpoints whose job is gone, with nothing left to be sent to them."""
        pending: list[Document] = [{"$match": {"state": _PENDING}}, {"$limit": 1}]
        steps: list[Document] = [
            {"$match": {"job_id": {"$type": "string"}, "created_at": {"$lt": before}}},
            {"$project": {"job_id": 1}},
            _hits("jobs", "job_id", "_id", []),
            _hits("webhook_events", "job_id", "job", []),
            _hits("webhook_deliveries", "_id", "endpoint", pending),
            {"$match": {"jobs": [], "webhook_events": [], "webhook_deliveries": []}},
            {"$limit": limit},
        ]
        found = await (await self._database["webhook_endpoints"].aggregate(steps)).to_list()
        if found:
            ids = [one["_id"] for one in found]
            await self._database["webhook_endpoints"].delete_many({"_id": {"$in": ids}})


def endpoint_document(endpoint: Endpoint, no: int) -> Document:
    """The document of an endpoint, the `no`-th."""
    return {
        "_id": endpoint.id,
        "no": no,
        **{name: getattr(endpoint, name) for name in _PLAIN},
        **{name: _stored(name, getattr(endpoint, name)) for name in ("url", "events", "description")},
    }


def endpoint_of(document: Document) -> Endpoint:
    """The endpoint of a document."""
    values = {name: document[name] for name in (*_PLAIN, "events")} | {
        "id": document["_id"],
        "url": text_of(document["url"]),
        "description": text_or_none(document["description"]),
    }
    return msgspec.convert(values, Endpoint)


def _stored(name: str, value: Any) -> Any:
    if name == "url":
        return bytes_of(value)
    if name == "description":
        return bytes_or_none(value)
    return [str(event) for event in value] if name == "events" else value


def _of(endpoint_id: EndpointId, delivery_id: DeliveryId) -> Document:
    return {"_id": shown(delivery_id), "endpoint": shown(endpoint_id)}


def _hits(name: str, local: str, foreign: str, conditions: list[Document]) -> Document:
    """The step that looks for a document of another collection, under that one's name."""
    first = [*conditions, {"$limit": 1}, {"$project": {"_id": 1}}]
    return {
        "$lookup": {
            "from": name,
            "localField": local,
            "foreignField": foreign,
            "pipeline": first,
            "as": name,
        }
    }
