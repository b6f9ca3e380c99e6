"""CSV, after RFC 4180."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import orjson

from scrapemaster.domain.item import Result
from scrapemaster.export.columns import Table
from scrapemaster.export.timestamps import iso_of

#: Spreadsheets run a cell that begins so as a formula (OWASP, "CSV Injection").
FORMULA = frozenset("=+-@\t\r\uff1d\uff0b\uff0d\uff20")


class Csv:
    """A header and one record a row.

    Lists and, where the table is not flat, objects are written as JSON. Cells that a spreadsheet would run are prefixed with `'`
    unless `raw`. `bom` begins with a byte order mark.
    """

    def __init__(self, table: Table, *, bom: bool = False, raw: bool = False) -> None:
        self._table = table
        self._bom = bom
        self._raw = raw
        self._buffer = io.StringIO()
        self._writer = csv.writer(self._buffer, lineterminator="\r\n")

    def begin(self) -> bytes:
        """See `export.encoder.Encoder`."""
        if self._bom:
            self._buffer.write("\ufeff")
        self._write(self._table.header)
        return self._take()

    def encode(self, batch: Sequence[Result]) -> bytes:
        """See `export.encoder.Encoder`."""
        for row in batch:
            self._write(self._table.record(row))
        return self._take()

    def end(self) -> bytes:
        """See `export.encoder.Encoder`."""
        return b""

    def _write(self, values: Iterable[Any]) -> None:
        self._writer.writerow([cell(value, raw=self._raw) for value in values])

    def _take(self) -> bytes:
        text = self._buffer.getvalue()
        self._buffer.seek(0)
        self._buffer.truncate()
        return text.encode("utf-8", "replace")


def cell(value: Any, *, raw: bool = False) -> Any:
    """A value as CSV holds it."""
    kind = type(value)
    if kind is not str:
        if kind is int or kind is float:
            return value
        if value is None:
            return ""
        if kind is bool:
            return "true" if value else "false"
        if kind is datetime:
            return iso_of(value)
        value = orjson.dumps(value).decode()
    if "\0" in value:
        value = value.replace("\0", "")
    if not raw and value[:1] in FORMULA:
        return f"'{value}"
    return value
