"""Data that may be larger than a document: its first part stands in the document it belongs to, what is beyond in `parts`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scrapemaster.storage.mongo.database import Database, Document, Session

#: Bytes in one document, which has 16 MiB at most, other fields included.
_PART = 8 * 1024 * 1024


def first_part(data: bytes) -> Document:
    """The fields of the document that the data belongs to."""
    return {"data": data[:_PART], "parts": max(0, -(-len(data) // _PART) - 1)}


async def keep_rest(database: Database, session: Session, of: str, data: bytes) -> None:
    """Store what is beyond the first part."""
    rest = [
        {"_id": f"{of}/{place // _PART:06}", "of": of, "data": data[place : place + _PART]}
        for place in range(_PART, len(data), _PART)
    ]
    if rest:
        await database["parts"].insert_many(rest, session=session)


async def drop_rest(database: Database, session: Session, of: str) -> None:
    """Remove what is beyond the first part."""
    await database["parts"].delete_many({"of": of}, session=session)


async def whole(
    database: Database, documents: Sequence[Document], session: Session | None = None
) -> list[bytes]:
    """The data of each document."""
    large = [document["_id"] for document in documents if document["parts"]]
    rests: dict[Any, bytes] = {}
    if large:
        found = database["parts"].find({"of": {"$in": large}}, sort=[("_id", 1)], session=session)
        async for one in found:
            rests[one["of"]] = rests.get(one["of"], b"") + one["data"]
    return [document["data"] + rests.get(document["_id"], b"") for document in documents]
