"""The schema: collections, their indexes, and the version they are at.

Rows of a job (`requests`, `troubled`, `results`) have ids that begin with the job's prefix, and so can be split into
ranges of `_id` over shards. Their fields have short names, as every row repeats them:

    requests   k: rank and number, u: URL, d: depth; or, for the other name of a page, o: the key of the request it is of
    results    u: URL, f: the request's fingerprint, i: index in the page, t: when it was scraped, b: data,
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

INDEXES: Mapping[str, Sequence[IndexModel]] = {
    "jobs": [
        IndexModel([("owner", ASCENDING), ("created_at", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("created_at", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("status", ASCENDING), ("_id", ASCENDING)]),
    ],
    "orders": [IndexModel([("job", ASCENDING), ("_id", ASCENDING)])],
    "requests": [IndexModel([("k", ASCENDING)], sparse=True)],
    # What waits for its time, and what failed: each is a small part of what is in trouble.
    "troubled": [
        IndexModel(
            [("job", ASCENDING), ("due_at", ASCENDING), ("_id", ASCENDING)],
            partialFilterExpression={"due_at": {"$exists": True}},
        ),
        IndexModel(
            [("job", ASCENDING), ("over_at", ASCENDING), ("_id", ASCENDING)],
            partialFilterExpression={"over_at": {"$exists": True}},
        ),
    ],
    "results": [],
    "leftovers": [],
    "users": [IndexModel([("name_key", ASCENDING)], unique=True)],
    "revoked_tokens": [IndexModel([("expires_at", ASCENDING)])],
}


async def migrate(database: AsyncDatabase[dict[str, Any]], where: str) -> None:
    """Bring the schema up to date; refuse a newer one. Any number of processes may do it at once."""
    kept = await database["schema"].find_one({"_id": "schema"})
    version = 0 if kept is None else int(kept["version"])
    if version > VERSION:
        raise StoreBroken(
            f"the database {database.name} of MongoDB at {where} was written by a newer ScrapeMaster (schema {version}; "
            f"this one knows {VERSION}): upgrade ScrapeMaster, or name another database in SCRAPEMASTER_MONGODB_URL"
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
