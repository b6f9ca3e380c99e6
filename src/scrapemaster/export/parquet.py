"""Parquet, by pyarrow: the only place that knows it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Any

import orjson

# Arrow's own allocators keep what is freed: 85 MB of growth against 50 for one file (`python -m benchmarks.export`). It
# reads this once, when it is first imported, and that is here.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

import pyarrow as pa
import pyarrow.parquet as pq

from scrapemaster.domain.item import Result
from scrapemaster.export.columns import BOOL, FLOAT, INT, TEXT, TIME, WIDE, Table
from scrapemaster.export.spool import Spool

#: A row group is held in memory while it is written: so many rows, or bytes, at most.
_GROUP_ROWS = 65_536
_GROUP_BYTES = 2 * 1024 * 1024
#: Bytes of a page, and of a column's dictionary: a fourth of pyarrow's defaults, which saves 4 MB at 17 columns.
_PAGE_BYTES = 256 * 1024


def type_of(kinds: int) -> pa.DataType | None:
    """The type of a column from the kinds of its values; None where only JSON text can hold them all."""
    if kinds in {0, TEXT}:
        return pa.string()
    if kinds == BOOL:
        return pa.bool_()
    if kinds in {INT, INT | WIDE}:
        return pa.int64()
    if kinds in {FLOAT, INT | FLOAT}:
        return pa.float64()
    if kinds == TIME:
        return pa.timestamp("us", "UTC")
    return None


class ParquetFile:
    """Rows in row groups of bounded size, compressed with Zstandard.

    A column's type comes from all of its values; lists, objects and values of several kinds are JSON text.
    """

    def __init__(self, table: Table, file: Spool) -> None:
        self._table = table
        types = [type_of(kinds) for kinds in table.kinds]
        self._as_json = [kind is None for kind in types]
        self._schema = pa.schema(
            [(name, kind or pa.string()) for name, kind in zip(table.header, types, strict=True)]
        )
        self._writer = pq.ParquetWriter(
            file,
            self._schema,
            compression="zstd",
            data_page_size=_PAGE_BYTES,
            dictionary_pagesize_limit=_PAGE_BYTES,
        )
        self._group: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def add(self, batch: Sequence[Result]) -> None:
        """See `export.encoder.FileEncoder`."""
        columns = zip(*map(self._table.record, batch), strict=True)
        arrays = [
            pa.array(map(_json, values) if as_json else values, kind)
            for values, as_json, kind in zip(columns, self._as_json, self._schema.types, strict=True)
        ]
        records = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        self._group.append(records)
        self._rows += records.num_rows
        self._bytes += records.nbytes
        if self._rows >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """See `export.encoder.FileEncoder`."""
        self._flush()
        self._writer.close()

    def discard(self) -> None:
        """See `export.encoder.FileEncoder`."""
        self._group.clear()
        with contextlib.suppress(OSError):
            self._writer.close()

    def _flush(self) -> None:
        if self._group:
            self._writer.write_table(pa.Table.from_batches(self._group), row_group_size=self._rows)
        self._group.clear()
        self._rows = self._bytes = 0
        pa.default_memory_pool().release_unused()


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
