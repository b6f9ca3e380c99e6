"""The schema: collections, their indexes, and the version they are at.

Rows of a job (`requests`, `troubled`, `results`, `job_log`, `page_marks`, `series`, `artefacts`, `artefact_chunks`) have ids that begin with the job's prefix, and so can be split into
ranges of `_id` over shards. Their fields have short names, as every row repeats them:

    requests   k: rank and number, u: URL, d: depth; or, for the other name of a page, o: the key of the request it is of
    page_marks m: the hash of a page's rows
    artefact_chunks b: data; ids are their artefact's with the chunk's number behind
    results    u: URL, f: the request's fingerprint, i: index in the page, t: when it was scraped, b: data, w: engine and reason of `auto`,
               p: further parts of data too large for one document
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase

from scrapemaster.domain.errors import StoreBroken

#: Raised by each change that an older program could not work with.
VERSION = 1


def _index(*fields: str, **options: Any) -> IndexModel:
    return IndexModel([(field, ASCENDING) for field in fields], **options)


INDEXES: Mapping[str, Sequence[IndexModel]] = {
    "jobs": [
        _index("owner", "created_at", "_id"),
        _index("created_at", "_id"),
        _index("status", "_id"),
        _index("schedule_id", "created_at", partialFilterExpression={"schedule_id": {"$type": "string"}}),
        # Runs to compare with.
        _index(
            "owner",
            "name_key",
            "status",
            "created_at",
            partialFilterExpression={"name_key": {"$exists": True}},
        ),
    ],
    "orders": [_index("job", "_id")],
    "order_keys": [_index("expires_at")],
    "requests": [_index("k", sparse=True)],
    # What waits for its time, and what failed: each is a small part of what is in trouble.
    "troubled": [
        _index("job", "due_at", "_id", partialFilterExpression={"due_at": {"$exists": True}}),
        _index("job", "over_at", "_id", partialFilterExpression={"over_at": {"$exists": True}}),
    ],
    "results": [],
    "job_log": [],
    "page_marks": [],
    "series": [],
    "artefacts": [_index("id", unique=True)],
    "artefact_chunks": [],
    "leftovers": [],
    "parts": [_index("of", "_id")],
    "schedules": [
        _index("owner", "created_at", "_id"),
        _index("created_at", "_id"),
        _index("next_run_at", partialFilterExpression={"next_run_at": {"$gt": float("-inf")}}),
    ],
    "users": [_index("name_key", unique=True)],
    "revoked_tokens": [_index("expires_at")],
    "known_networks": [_index("owner", "at")],
    "api_keys": [_index("hashed", unique=True), _index("owner", "_id")],
    "webhook_endpoints": [
        _index("owner", "no"),
        _index("no"),
        _index("created_at", partialFilterExpression={"job_id": {"$type": "string"}}),
    ],
    "webhook_events": [_index("no"), _index("job")],
    "webhook_deliveries": [
        _index("endpoint", "no"),
        _index("endpoint", "state", "due_at", "no"),
        _index("state", "endpoint"),
        _index("state", "due_at"),
        _index("holder", partialFilterExpression={"holder": {"$type": "string"}}),
        _index("created_at"),
    ],
    "proxies": [_index("identity", unique=True), _index("created_at", "_id")],
    "proxy_health": [_index("host"), _index("proxy", "host"), _index("at")],
    "projects": [_index("project", "no"), _index("no")],
    "project_chunks": [_index("project", "version")],
    "turns": [],
}


async def migrate(database: AsyncDatabase[dict[str, Any]], where: str, *, moving: bool = False) -> None:
    """Bring the schema up to date; refuse a newer one, and (unless `moving`) one that is being moved into.

    Any number of processes may do it at once.
    """
    kept = await database["schema"].find_one({"_id": "schema"})
    version = 0 if kept is None else int(kept["version"])
    if version > VERSION:
        raise StoreBroken(
            f"the database {database.name} of MongoDB at {where} was written by a newer ScrapeMaster (schema {version}; "
            f"this one knows {VERSION}): upgrade ScrapeMaster, or name another database in SCRAPEMASTER_MONGODB_URL"
        )
    if not moving and await database["schema"].find_one({"_id": "moving"}) is not None:
        raise StoreBroken(
            f"the database {database.name} of MongoDB at {where} is being moved into, or that was broken off: run the same "
            "scrapemaster migrate again, or drop the database"
        )
    there = set(await database.list_collection_names())
    for name, indexes in INDEXES.items():
        if indexes:
            await database[name].create_indexes(list(indexes))
        elif name not in there:
            # Some servers make no collection inside a transaction.
            await database[name].insert_one({"_id": "made"})
            await database[name].delete_one({"_id": "made"})
    await database["schema"].find_one_and_update(
        {"_id": "schema"}, {"$max": {"version": VERSION}}, upsert=True, return_document=ReturnDocument.AFTER
    )
