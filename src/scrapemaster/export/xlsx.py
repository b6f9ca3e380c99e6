"""Excel workbooks, by XlsxWriter: the only place that knows it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
import xlsxwriter
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.worksheet import Worksheet

from scrapemaster.domain.errors import InvalidInput
from scrapemaster.domain.item import Result
from scrapemaster.export.columns import Table
from scrapemaster.export.spool import Spool
from scrapemaster.export.table import FORMULA

#: Limits of a sheet ("Excel specifications and limits"): rows with the header, characters in a cell, digits of a number.
MAX_ROWS = 1_048_576
MAX_CHARACTERS = 32_767
_EXACT = 10**15
#: XML cannot hold these even as references (XML 1.0, section 2.2); XlsxWriter escapes the other control characters.
_NOT_XML = re.compile("[\ufffe\uffff]")


class Workbook:
    """Rows in sheets: `Rows`, and when one is full `Rows 2` and so on.

    Text is written as text: nothing becomes a formula, a link or a number. Cells that would run if somebody edited them are
    marked as text for good (`quotePrefix`). Integers of more than 15 digits are written as text, since Excel would round them.
    """

    def __init__(self, table: Table, file: Spool, folder: str, *, max_rows: int = MAX_ROWS) -> None:
        self._table = table
        self._max_rows = max_rows
        self._book = xlsxwriter.Workbook(
            file,
            {
                "constant_memory": True,
                "tmpdir": folder,
                "use_zip64": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
            },
        )
        self._bold = self._book.add_format({"bold": True})
        self._time = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._quoted = self._book.add_format({"quote_prefix": True})
        self._sheets = 0
        self._sheet = self._next_sheet()

    def add(self, batch: Sequence[Result]) -> None:
        """See `export.encoder.FileEncoder`."""
        for row in batch:
            if self._row >= self._max_rows:
                self._sheet = self._next_sheet()
            for column, value in enumerate(self._table.record(row)):
                if value is not None:
                    self._write(column, value, row)
            self._row += 1

    def close(self) -> None:
        """See `export.encoder.FileEncoder`."""
        try:
            self._book.close()
        except FileCreateError as error:
            raise error.args[0] from error

    def discard(self) -> None:
        """See `export.encoder.FileEncoder`."""
        for sheet in self._book.worksheets():
            sheet._opt_close()  # noqa: SLF001 -- XlsxWriter closes them only when it writes the workbook
        self._book.fileclosed = True

    def _next_sheet(self) -> Worksheet:
        self._sheets += 1
        sheet: Worksheet = self._book.add_worksheet("Rows" if self._sheets == 1 else f"Rows {self._sheets}")
        for column, name in enumerate(self._table.header):
            sheet.write_string(0, column, _text(name[:MAX_CHARACTERS]), self._bold)
        sheet.freeze_panes(1, 0)
        self._row = 1
        return sheet

    def _write(self, column: int, value: Any, row: Result) -> None:
        match value:
            case bool():
                self._sheet.write_boolean(self._row, column, value)
            case float():
                self._sheet.write_number(self._row, column, value)
            case int() if -_EXACT < value < _EXACT:
                self._sheet.write_number(self._row, column, value)
            case datetime():
                self._sheet.write_datetime(self._row, column, value.replace(tzinfo=None), self._time)
            case _:
                text = value if isinstance(value, str) else orjson.dumps(value).decode()
                if len(text) > MAX_CHARACTERS:
                    raise InvalidInput(
                        f"the field {self._table.header[column][:200]!r} of {row.url[:500]} has {len(text):,} characters and "
                        f"a cell of xlsx holds {MAX_CHARACTERS:,}: leave the field out with fields=, or take another format",
                        ("format",),
                    )
                style = self._quoted if text[:1] in FORMULA else None
                self._sheet.write_string(self._row, column, _text(text), style)


def _text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
