"""Deliveries to documents and back, and what is done to them: parts of several transactions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from scrapemaster.domain.ids import UserId
from scrapemaster.domain.webhook import (
    Attempt,
    Candidate,
    Delivery,
    DeliveryId,
    DeliveryState,
    EndpointId,
    Settlement,
    succeeded,
)
from scrapemaster.storage.mongo.codec import packed, unpacked
from scrapemaster.storage.mongo.database import Database, Document, Session, there

#: Attempts kept of a delivery that is replayed again and again.
_ATTEMPTS_KEPT = 50
_PENDING = str(DeliveryState.PENDING)
#: All fields but the body, for lists.
LISTED = {"body": 0}


def delivery_of(document: Document) -> Delivery:
    """The delivery of a document."""
    return Delivery(
        id=document["_id"],
        endpoint_id=document["endpoint"],
        owner=document["owner"],
        type=document["type"],
        body=document.get("body", b""),
        created_at=document["created_at"],
        due_at=document["due_at"],
        state=DeliveryState(document["state"]),
        tries=document["tries"],
        once=document["once"],
        attempts=msgspec.convert(unpacked(document["attempts"]), list[Attempt]),
    )


def delivery_document(delivery: Delivery, no: int) -> Document:
    """The document of a delivery, the `no`-th."""
    return {
        "_id": delivery.id,
        "no": no,
        "endpoint": delivery.endpoint_id,
        "owner": delivery.owner,
        "type": delivery.type,
        "created_at": delivery.created_at,
        "due_at": delivery.due_at,
        "state": str(delivery.state),
        "tries": delivery.tries,
        "once": delivery.once,
        "holder": None,
        "attempts": packed(list(delivery.attempts)),
        "body": delivery.body,
    }


async def insert_deliveries(database: Database, session: Session, deliveries: Sequence[Delivery]) -> None:
    """Store the deliveries that do not exist yet."""
    rows = database["webhook_deliveries"]
    ids = [one.id for one in deliveries]
    there = {one["_id"] async for one in rows.find({"_id": {"$in": ids}}, {"_id": 1}, session=session)}
    new = [one for one in deliveries if one.id not in there]
    if new:
        first = await database.number("webhook_deliveries", len(new))
        documents = [delivery_document(one, no) for no, one in enumerate(new, first)]
        await rows.insert_many(documents, session=session)


async def any_due(database: Database, now: float) -> bool:
    """Whether `candidates` finds any."""
    due = {"state": _PENDING, "due_at": {"$lte": now}}
    return await database["webhook_deliveries"].find_one(due, {"_id": 1}) is not None


async def candidates(database: Database, session: Session, limit: int, now: float) -> list[Candidate]:
    """Up to `limit` due deliveries of each endpoint, the oldest."""
    oldest: list[Document] = [
        {"$match": {"state": _PENDING, "due_at": {"$lte": now}}},
        {"$sort": {"due_at": 1, "no": 1}},
        {"$limit": limit},
        {"$project": {"owner": 1, "due_at": 1, "no": 1}},
    ]
    due = {
        "from": "webhook_deliveries",
        "localField": "_id",
        "foreignField": "endpoint",
        "pipeline": oldest,
        "as": "due",
    }
    groups = await database["webhook_deliveries"].aggregate(
        [{"$match": {"state": _PENDING}}, {"$group": {"_id": "$endpoint"}}, {"$lookup": due}], session=session
    )
    found = [(one, group["_id"]) async for group in groups for one in group["due"]]
    found.sort(key=lambda pair: pair[0]["no"])
    return [Candidate(one["_id"], endpoint, one["owner"], one["due_at"]) for one, endpoint in found]


async def held(database: Database, session: Session, now: float) -> list[tuple[UserId, EndpointId]]:
    """Owner and endpoint of each delivery whose lease has not ended."""
    rows = database["webhook_deliveries"].find(
        {"holder": {"$type": "string"}, "due_at": {"$gt": now}}, {"owner": 1, "endpoint": 1}, session=session
    )
    return [(UserId(one["owner"]), EndpointId(one["endpoint"])) async for one in rows]


async def take(
    database: Database, session: Session, delivery_id: DeliveryId, holder: str, until: float
) -> Delivery:
    """Lease a delivery."""
    taken = await database["webhook_deliveries"].find_one_and_update(
        {"_id": delivery_id},
        {"$set": {"holder": holder, "due_at": until}},
        return_document=True,
        session=session,
    )
    return delivery_of(there(taken))


async def settle(  # noqa: PLR0917 -- a part of a transaction, by position
    database: Database,
    session: Session,
    delivery_id: DeliveryId,
    holder: str,
    attempt: Attempt,
    settlement: Settlement,
) -> bool:
    """See `ports.webhooks.WebhookStore.settle`."""
    rows, endpoints = database["webhook_deliveries"], database["webhook_endpoints"]
    before = await rows.find_one({"_id": delivery_id, "holder": holder}, LISTED, session=session)
    if before is None:
        return False
    kept = [*unpacked(before["attempts"]), msgspec.to_builtins(attempt)][-_ATTEMPTS_KEPT:]
    sets = {
        "state": str(settlement.state),
        "due_at": settlement.due_at,
        "holder": None,
        "attempts": packed(kept),
    }
    await rows.update_one({"_id": delivery_id}, {"$set": sets, "$inc": {"tries": 1}}, session=session)
    endpoint = {"_id": before["endpoint"]}
    if not before["once"] and succeeded(attempt.status):
        await endpoints.update_one(endpoint, {"$set": {"failing_since": None}}, session=session)
    elif not before["once"]:
        await endpoints.update_one(
            {**endpoint, "failing_since": None}, {"$set": {"failing_since": attempt.at}}, session=session
        )
    if settlement.disable is not None:
        off = {"enabled": False, "disabled_reason": settlement.disable}
        await endpoints.update_one(endpoint, {"$set": off}, session=session)
        await fail_pending(database, session, before["endpoint"])
    return True


async def fail_pending(database: Database, session: Session, endpoint_id: str) -> None:
    """Let what waits for a disabled endpoint fail. What is being sent is settled by who sends it."""
    await database["webhook_deliveries"].update_many(
        {"endpoint": endpoint_id, "state": _PENDING, "holder": None},
        {"$set": {"state": str(DeliveryState.FAILED)}},
        session=session,
    )


async def orphaned(database: Database) -> list[str]:
    """Endpoints that are gone and have deliveries still."""
    endpoint = {
        "from": "webhook_endpoints",
        "localField": "_id",
        "foreignField": "_id",
        "as": "endpoint",
    }
    steps: list[dict[str, Any]] = [
        {"$group": {"_id": "$endpoint"}},
        {"$lookup": endpoint},
        {"$match": {"endpoint": []}},
    ]
    groups = await database["webhook_deliveries"].aggregate(steps)
    return [one["_id"] async for one in groups]


async def prune(database: Database, before: float, gone: Sequence[str], limit: int) -> int:
    """Delete up to `limit` deliveries that are old and over, or whose endpoint is among those `gone`; returns how many."""
    rows, count = database["webhook_deliveries"], 0
    over: Document = {"created_at": {"$lt": before}, "state": {"$ne": _PENDING}}
    for condition in (over, *({"endpoint": endpoint} for endpoint in gone)):
        if count < limit:
            found = await rows.find(condition, {"_id": 1}, limit=limit - count).to_list()
            deleted = await rows.delete_many({"_id": {"$in": [one["_id"] for one in found]}, **condition})
            count += deleted.deleted_count
    return count
