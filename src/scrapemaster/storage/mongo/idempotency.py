"""Idempotency keys in MongoDB: read and written in the transaction that stores the job."""

from __future__ import annotations

from scrapemaster.domain.errors import Conflict
from scrapemaster.domain.idempotency import KEY_SECONDS, OrderKey
from scrapemaster.domain.ids import JobId, UserId
from scrapemaster.domain.job import Job
from scrapemaster.domain.moving import KeptKey
from scrapemaster.storage.mongo.database import Database, Document, Session
from scrapemaster.storage.mongo.keys import bytes_of, pair, text_of

#: Expired keys removed for each new one, so that they are gone in the end and nobody waits for it.
_FORGET_AT_ONCE = 1_000


async def ordered_before(
    database: Database, session: Session, owner: UserId, key: OrderKey, now: float
) -> JobId | None:
    """The job that the owner's key made; None when it is new. Raises `Conflict` as `JobStore.add` says."""
    kept = await database["order_keys"].find_one({"_id": pair(owner, key.key)}, session=session)
    if kept is None or kept["expires_at"] <= now:
        return None
    if kept["body"] != key.body:
        raise Conflict(
            "this Idempotency-Key was used for another order in the last 24 hours; "
            "send the same body, or a new key with the new one"
        )
    if await database["jobs"].find_one({"_id": kept["job"]}, {"_id": 1}, session=session) is None:
        raise Conflict(
            f"the job {kept['job']} that this Idempotency-Key made was deleted; send a new key to order it again"
        )
    return JobId(kept["job"])


async def remember(database: Database, session: Session, job: Job, key: OrderKey) -> None:
    """Note which job a key made."""
    document = kept_document(KeptKey(job.owner, key.key, key.body, job.id, job.created_at + KEY_SECONDS))
    await database["order_keys"].replace_one({"_id": document["_id"]}, document, upsert=True, session=session)


def kept_document(kept: KeptKey) -> Document:
    """The document of a key."""
    return {
        "_id": pair(kept.owner, kept.key),
        "owner": kept.owner,
        "key": bytes_of(kept.key),
        "body": kept.body,
        "job": kept.job,
        "expires_at": kept.expires_at,
    }


def kept_of(document: Document) -> KeptKey:
    """The key of a document."""
    return KeptKey(
        document["owner"],
        text_of(document["key"]),
        document["body"],
        document["job"],
        document["expires_at"],
    )


async def forget_expired(database: Database, now: float) -> None:
    """Remove keys whose time is over; by itself, as two who removed the same in transactions would fail each other."""
    keys = database["order_keys"]
    expired = {"expires_at": {"$lte": now}}
    old = await keys.find(expired, {"_id": 1}, sort=[("expires_at", 1)], limit=_FORGET_AT_ONCE).to_list()
    if old:
        await keys.delete_many({"_id": {"$in": [one["_id"] for one in old]}, **expired})
