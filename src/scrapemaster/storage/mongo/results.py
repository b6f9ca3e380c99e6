"""Rows in MongoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import orjson

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.item import Result
from scrapemaster.domain.outcome import Outcome
from scrapemaster.storage.mongo.database import Database, Document
from scrapemaster.storage.mongo.keys import LAST, bytes_of, number_of, prefix_of, row_id, span, text_of

#: Bytes of an item that one document holds; a document has 16 MiB at most.
_PART = 12 * 1024 * 1024
#: Bytes of items after which a batch of a stream ends.
_BATCH_BYTES = 4 * 1024 * 1024
#: Rows that a search reads at once.
_SEARCHED = 2_000


class MongoResults:
    """See `ports.results.ResultStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, job: JobId, *, after: int = 0, limit: int = 100) -> list[Result]:
        """See the port."""
        return await self._rows(job, after, limit)

    async def search(
        self, job: JobId, text: str, *, after: int = 0, limit: int = 100, scan: int = 100_000
    ) -> tuple[list[Result], int | None]:
        """See the port."""
        # As JSON has it, without the quotes: the data are encoded the same way. `lower` of bytes is that of ASCII letters.
        wanted, plain = orjson.dumps(text)[1:-1].lower(), text.encode().lower()
        found, place, end = list[Result](), after, after + scan
        while place < end:
            rows = await self._rows(job, place, min(_SEARCHED, end - place), _BATCH_BYTES)
            if not rows:
                return found, None
            for row in rows:
                place = row.seq
                if wanted in row.data.lower() or plain in row.url.encode().lower():
                    found.append(row)
                    if len(found) == limit:
                        end = place
                        break
        return found, place if await self._rows(job, place, 1) else None

    async def total(self, job: JobId) -> int:
        """See the port."""
        async with self._database.calls():
            document = await self._database["jobs"].find_one({"_id": job}, {"counters.items": 1})
        return 0 if document is None else int(document["counters"]["items"])

    async def stream(
        self, job: JobId, *, until: int | None = None, batch: int = 500
    ) -> AsyncIterator[list[Result]]:
        """See the port."""
        end = await self.total(job) if until is None else until
        after = 0
        while after < end:
            rows = await self._rows(job, after, min(batch, end - after), _BATCH_BYTES)
            if not rows:
                return
            yield rows
            after = rows[-1].seq

    async def _rows(self, job: JobId, after: int, limit: int, most_bytes: int | None = None) -> list[Result]:
        if limit < 1:
            return []
        rows, found, size = self._database["results"], list[Document](), 0
        async with self._database.calls():
            cursor = rows.find(
                {"_id": span(prefix_of(job), after)}, sort=[("_id", 1)], limit=limit, batch_size=limit
            )
            async with cursor:
                async for one in cursor:
                    found.append(await with_parts(self._database, one))
                    size += len(one["b"])
                    if most_bytes is not None and size >= most_bytes:
                        break
            if not found or await self._database["jobs"].find_one({"_id": job}, {"_id": 1}) is None:
                return []
        return [_result(job, one) for one in found]


def result_documents(prefix: bytes, seq: int, outcome: Outcome) -> Iterator[Document]:
    """The documents of an outcome's items, numbered from the one behind `seq`."""
    url = bytes_of(outcome.url)
    fingerprint, at = outcome.request.fingerprint, outcome.fetched_at
    way = None if outcome.took is None else outcome.took.way
    for index, data in enumerate(outcome.items):
        yield from row_documents(prefix, seq + index + 1, url, fingerprint, index, at, data, way)


def row_documents(  # noqa: PLR0917 -- a row, column by column
    prefix: bytes,
    seq: int,
    url: bytes,
    fingerprint: bytes,
    index: int,
    at: float,
    data: bytes,
    way: str | None = None,
) -> Iterator[Document]:
    """The document of a row, behind those of its further parts."""
    identity = row_id(prefix, seq)
    document: Document = {"_id": identity, "u": url, "f": fingerprint, "i": index, "t": at, "b": data}
    if way is not None:
        document["w"] = way
    if len(data) > _PART:
        document |= {"b": data[:_PART], "p": -(-len(data) // _PART) - 1}
        for part in range(1, document["p"] + 1):
            yield {"_id": identity + part.to_bytes(4, "big"), "b": data[part * _PART : (part + 1) * _PART]}
    yield document


async def with_parts(database: Database, row: Document) -> Document:
    """The document of a row, with all of its data."""
    if "p" in row:
        parts = database["results"].find({"_id": part_span(row["_id"], row["_id"])}, sort=[("_id", 1)])
        row["b"] += b"".join([part["b"] async for part in parts])
    return row


def part_span(first: bytes, last: bytes) -> dict[str, bytes]:
    """The condition on ids of further parts of rows. They are longer than rows' ids, and so sort behind all of them."""
    return {"$gte": first + bytes(4), "$lte": last + b"\xff" * 4}


def all_parts(prefix: bytes) -> dict[str, bytes]:
    """The condition on ids of all further parts of a job's rows."""
    return part_span(row_id(prefix, 0), row_id(prefix, LAST))


def _result(job: JobId, one: Document) -> Result:
    return Result(
        job,
        number_of(one["_id"]),
        one["f"],
        one["i"],
        text_of(one["u"]),
        one["b"],
        one["t"],
        one.get("w"),
    )
