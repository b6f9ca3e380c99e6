"""The courses of jobs in MongoDB."""

from __future__ import annotations

from dataclasses import asdict

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.series import Point
from scrapemaster.storage.mongo.database import Database, Document, Session
from scrapemaster.storage.mongo.keys import number_of, prefix_of, row_id, span

#: Bits of a point's number that tell its length, which is a power of two; the bits above are its beginning.
_LENGTH_BITS = 6
_ADDED = "ok redirected refused broken silent items bytes fetch_ms".split()


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
            return [_point_of(one) async for one in found]


async def write_point(database: Database, session: Session, prefix: bytes, point: Point) -> None:
    """Add a commit's point in the transaction under way."""
    values = asdict(point)
    number = point.at << _LENGTH_BITS | point.seconds.bit_length() - 1
    await database["series"].update_one(
        {"_id": row_id(prefix, number)},
        {"$inc": {name: values[name] for name in _ADDED}, "$max": {"slowest_ms": point.slowest_ms}},
        upsert=True,
        session=session,
    )


def _point_of(one: Document) -> Point:
    number = number_of(one["_id"])
    at, length = number >> _LENGTH_BITS, number & (1 << _LENGTH_BITS) - 1
    values = {name: int(one[name]) for name in (*_ADDED, "slowest_ms")}
    return Point(at, 1 << length, **values)
