"""What a file is to be."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import StrEnum

from scrapemaster.domain.errors import InvalidInput
from scrapemaster.export.columns import MAX_COLUMNS, Shape


class ExportFormat(StrEnum):
    """Files that rows are written to; the value is the file's suffix too."""

    JSON = "json"
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    XLSX = "xlsx"


#: Formats whose rows are records of columns; the others hold objects as they are.
TABULAR = frozenset({ExportFormat.CSV, ExportFormat.PARQUET, ExportFormat.XLSX})


@dataclass(slots=True, frozen=True)
class ExportOrder:
    """How rows are to be written.

    `fields` None means all of them. `flatten` None means: where the format is tabular. `bom` and `raw` concern CSV alone.
    """

    format: ExportFormat = ExportFormat.JSON
    fields: tuple[str, ...] | None = None
    flatten: bool | None = None
    bom: bool = False
    raw: bool = False

    @property
    def shape(self) -> Shape:
        """Which part of an item is written, and how."""
        return Shape(self.fields, self.format in TABULAR if self.flatten is None else self.flatten)


def fields_of(text: str | None) -> tuple[str, ...] | None:
    """The fields that a list such as `title,price,"a,b"` names, each once, in its order; None when it names none.

    A name with a comma stands in quotes, as in CSV. Raises `InvalidInput`.
    """
    if not text:
        return None
    try:
        records = list(csv.reader([text], skipinitialspace=True, strict=True))
    except csv.Error:
        raise InvalidInput(
            "fields must be names separated by commas; a name with a comma or a quote stands in double quotes",
            ("fields",),
        ) from None
    names = tuple(dict.fromkeys(name.strip(" ") for record in records for name in record if name.strip(" ")))
    if len(names) > MAX_COLUMNS:
        raise InvalidInput(f"fields names more than {MAX_COLUMNS:,} columns", ("fields",))
    return names or None
