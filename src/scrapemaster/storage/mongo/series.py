"""The courses of jobs in MongoDB."""

from __future__ import annotations

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.series import Point
from scrapemaster.storage.mongo.database import Database, Document, Session
from scrapemaster.storage.mongo.keys import number_of, prefix_of, row_id, span

#: Bits of a row's number that are the length of its span; the bits above are the span's beginning.
_LENGTH_BITS = 32
_ADDED = ("ok", "redirected", "refused", "broken", "silent", "items", "bytes", "fetch_ms")


class MongoSeries:
    """See `ports.series.SeriesStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def points(self, job: JobId) -> list[Point]:
        """See the port."""
        async with self._database.calls():
            if await self._database["jobs"].find_one({"_id": job}, {"_id": 1}) is None:
                return []
            found = self._database["series"].find({"_id": span(prefix_of(job))}, sort=[("_id", 1)])
            return [point_of_document(one) async for one in found]


def point_document(prefix: bytes, point: Point) -> Document:
    """The document of a point of a job."""
    identity = row_id(prefix, point.at << _LENGTH_BITS | point.seconds)
    return {"_id": identity, **{name: getattr(point, name) for name in (*_ADDED, "slowest_ms")}}


def point_of_document(document: Document) -> Point:
    """The point that `point_document` made a document of."""
    at, seconds = divmod(number_of(document["_id"]), 1 << _LENGTH_BITS)
    return Point(at, seconds, **{name: document[name] for name in (*_ADDED, "slowest_ms")})


async def write_point(database: Database, session: Session, prefix: bytes, point: Point) -> None:
    """Add a commit's point in the transaction under way."""
    document = point_document(prefix, point)
    await database["series"].update_one(
        {"_id": document["_id"]},
        {
            "$inc": {name: document[name] for name in _ADDED},
            "$max": {"slowest_ms": document["slowest_ms"]},
        },
        upsert=True,
        session=session,
    )
