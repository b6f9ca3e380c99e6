"""JSON and JSON Lines."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson

from scrapemaster.domain.item import Result
from scrapemaster.export.rows import Rows
from scrapemaster.export.timestamps import iso


def record(row: Result) -> bytes:
    """A result's object as the API shows it."""
    return orjson.dumps(
        {
            "job_id": row.job_id,
            "url": row.url,
            "data": orjson.Fragment(row.data),
            "scraped_at": iso(row.scraped_at),
        }
    )


async def json_lines(rows: Rows) -> AsyncIterator[bytes]:
    """One object a line."""
    async for batch in rows():
        yield b"".join(record(row) + b"\n" for row in batch)


async def json_array(rows: Rows) -> AsyncIterator[bytes]:
    """One array of objects."""
    yield b"["
    first = True
    async for batch in rows():
        chunk = b",\n".join(map(record, batch))
        yield chunk if first else b",\n" + chunk
        first = False
    yield b"]\n"
