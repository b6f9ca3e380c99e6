"""CSV, after RFC 4180."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import orjson

from scrapemaster.export.rows import Rows, data_of, flattened
from scrapemaster.export.timestamps import iso

#: Spreadsheets run a cell that begins so as a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
#: Columns beside the item's own fields.
META = ("url", "scraped_at")


class Buffer(io.StringIO):
    """What `csv` writes to, emptied after each batch."""

    def take(self) -> bytes:
        """All that was written since the last call."""
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        return text.encode("utf-8", "replace")


async def columns_of(rows: Rows, *, flatten: bool) -> list[str]:
    """All fields of all rows, in the order in which they are first seen."""
    seen: dict[str, None] = {}
    async for batch in rows():
        for row in batch:
            data = data_of(row)
            seen.update(dict.fromkeys(flattened(data) if flatten else data))
    return list(seen)


async def csv_table(
    rows: Rows,
    *,
    fields: Sequence[str] | None = None,
    flatten: bool = True,
    bom: bool = False,
    raw: bool = False,
) -> AsyncIterator[bytes]:
    """A header and one record a row.

    Columns: `fields`, or else `url`, `scraped_at` and the union of all fields (which takes a pass of its own). A field that is
    called like one of the first two is written as `data.url`. Lists and, without `flatten`, objects are written as
    JSON. Cells that a spreadsheet would run are prefixed with `'` unless `raw`.
    """
    names = list(fields) if fields is not None else await columns_of(rows, flatten=flatten)
    header = names if fields is not None else [*META, *(f"data.{n}" if n in META else n for n in names)]
    buffer = Buffer()
    writer = csv.writer(buffer, lineterminator="\r\n")
    if bom:
        buffer.write("\ufeff")
    writer.writerow(_cells(header, raw=raw))
    async for batch in rows():
        for row in batch:
            data = data_of(row)
            if flatten:
                data = flattened(data)
            values = [data.get(name) for name in names]
            if fields is None:
                values = [row.url, iso(row.scraped_at), *values]
            elif "url" in names or "scraped_at" in names:
                values = [
                    data.get(name, {"url": row.url, "scraped_at": iso(row.scraped_at)}.get(name))
                    for name in names
                ]
            writer.writerow(_cells(values, raw=raw))
        yield buffer.take()
    yield buffer.take()


def _cells(values: Iterable[Any], *, raw: bool) -> list[Any]:
    return [cell(value, raw=raw) for value in values]


def cell(value: Any, *, raw: bool = False) -> Any:
    """A value as CSV holds it."""
    if value is None:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, dict | list):
        value = orjson.dumps(value).decode()
    if isinstance(value, str):
        value = value.replace("\0", "")
        if not raw and value.startswith(_FORMULA):
            return f"'{value}"
    return value
