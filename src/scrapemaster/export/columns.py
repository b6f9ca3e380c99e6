"""From items to columns: which there are, what they hold, and a row's values in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import NoneType
from typing import Any

from scrapemaster.domain.errors import InvalidInput
from scrapemaster.domain.item import Result
from scrapemaster.export.rows import data_of, flattened

#: The columns of an xlsx sheet (ECMA-376), and more than any reader of the other formats is at ease with.
MAX_COLUMNS = 16_384
#: Columns beside the item's own fields.
META = ("url", "scraped_at")

#: What a column's values are, as bits that add up. WIDE are integers that a double cannot hold exactly, HUGE those beyond 64 bits.
BOOL, INT, WIDE, HUGE, FLOAT, TEXT, NESTED, TIME = (1 << place for place in range(8))
#: The kinds of all types that JSON gives, but of integers.
_KINDS = {NoneType: 0, str: TEXT, bool: BOOL, float: FLOAT, dict: NESTED, list: NESTED, datetime: TIME}
_MISSING: Any = object()


@dataclass(slots=True, frozen=True)
class Shape:
    """Which part of an item is written: `fields` in their order, or all; nested, or flat with dotted names."""

    fields: tuple[str, ...] | None = None
    flatten: bool = False

    @property
    def whole(self) -> bool:
        """Whether items are written as they are stored."""
        return self.fields is None and not self.flatten

    def of(self, row: Result) -> dict[str, Any]:
        """The row's fields."""
        data = data_of(row)
        if self.fields is not None:
            return {name: chosen(row, data, name) for name in self.fields}
        return flattened(data) if self.flatten else data


def chosen(row: Result, data: dict[str, Any], name: str) -> Any:
    """The value of a field that was asked for by name; None when the row has none.

    The item's own field goes first, then a path of names with dots between them, then what is known of the row
    itself. `data.` in front always means the item.
    """
    value = _reach(data, name)
    if value is _MISSING and name.startswith("data."):
        value = _reach(data, name.removeprefix("data."))
    if value is not _MISSING:
        return value
    match name:
        case "url":
            return row.url
        case "scraped_at":
            return moment(row.scraped_at)
        case "job_id":
            return row.job_id
    return None


def _reach(data: dict[str, Any], name: str) -> Any:
    if name in data:
        return data[name]
    dot = name.find(".")
    while dot >= 0:
        inner = data.get(name[:dot])
        if isinstance(inner, dict):
            found = _reach(inner, name[dot + 1 :])
            if found is not _MISSING:
                return found
        dot = name.find(".", dot + 1)
    return _MISSING


def moment(epoch: float) -> datetime:
    """Epoch seconds as a time in UTC."""
    return datetime.fromtimestamp(epoch, UTC)


def kind_of(value: Any) -> int:
    """The bit that stands for a value; 0 for None."""
    kind = _KINDS.get(type(value))
    if kind is not None:
        return kind
    if -(2**53) <= value <= 2**53:
        return INT
    return INT | WIDE if -(2**63) <= value < 2**63 else INT | HUGE


class Survey:
    """A first pass over the rows: the fields in the order in which they are first seen, and the kinds of their values."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self.kinds: dict[str, int] = dict.fromkeys(shape.fields or (), 0)

    def see(self, batch: Sequence[Result]) -> None:
        """Take note of some rows; raises `InvalidInput` when there are too many fields."""
        kinds = self.kinds
        for row in batch:
            for name, value in self._shape.of(row).items():
                kinds[name] = kinds.get(name, 0) | kind_of(value)
            if len(kinds) > MAX_COLUMNS - len(META):
                raise InvalidInput(
                    f"the rows have more than {MAX_COLUMNS - len(META):,} fields: choose some with fields=, "
                    "or take a format that is not a table (json, jsonl)",
                    ("fields",),
                )


class Table:
    """Rows as records. The header is `fields` where they were chosen, else `url`, `scraped_at` and all fields there are.

    A field that is called like one of the first two stands under `data.url`, `data.scraped_at`.
    """

    def __init__(self, shape: Shape, kinds: Mapping[str, int]) -> None:
        self._shape = shape
        self._names = list(kinds)
        if shape.fields is not None:
            self.header = list(shape.fields)
            self.kinds = [kinds[name] for name in shape.fields]
            return
        self.header = list(META)
        self.kinds = [TEXT, TIME, *kinds.values()]
        taken = {*META, *self._names}
        for name in self._names:
            column = name
            if name in META:
                column = f"data.{name}"
                while column in taken:
                    column += "_"
                taken.add(column)
            self.header.append(column)

    def record(self, row: Result) -> list[Any]:
        """A row's values, in the header's order."""
        item = self._shape.of(row)
        if self._shape.fields is not None:
            return list(item.values())
        return [row.url, moment(row.scraped_at), *map(item.get, self._names)]
