"""The difference between two lists of rows: pure rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Field names that usually tell things apart, the best first.
_LIKELY = "id sku gtin ean isbn url link href slug title name".split()
#: What rows that nothing tells apart are compared by: all of their fields.
WHOLE = "*"

Row = Mapping[str, Any]


@dataclass(slots=True, frozen=True)
class Change:
    """One row that is not as before. `kind` is `new`, `changed` or `gone`; `fields` are those that differ."""

    kind: str
    key: str
    before: Row | None
    after: Row | None
    fields: Sequence[str] = ()


@dataclass(slots=True, frozen=True)
class Differences:
    """All changes: first the changed rows, then the new ones, both in the order of the newer list, then those that are gone. `same`: how many rows are as before."""

    changes: Sequence[Change]
    same: int

    def count(self, kind: str) -> int:
        """How many changes are of a kind."""
        return sum(change.kind == kind for change in self.changes)


def identity_of(rows: Sequence[Row]) -> str:
    """The field whose values tell rows apart: a likely one first, then any; `WHOLE` when there is none."""
    names = dict.fromkeys(name for row in rows for name in row)
    likely = [name for name in _LIKELY if name in names]
    for name in [*likely, *(name for name in names if name not in likely)]:
        values = [_text(row[name]) for row in rows if _tells(row.get(name))]
        if len(values) == len(rows) == len(set(values)):
            return name
    return WHOLE


def differences_of(before: Sequence[Row], after: Sequence[Row], by: str) -> Differences:
    """What is new, changed and gone, rows with the same value in `by` being the same thing.

    Of several rows with one value the first goes with the first, the second with the second. Raises `KeyError` when no row has the field.
    """
    if by != WHOLE and (before or after) and not any(by in row for row in (*before, *after)):
        raise KeyError(by)
    old, new = _keyed(before, by), _keyed(after, by)
    changed: list[Change] = []
    added: list[Change] = []
    same = 0
    for (key, place), row in new.items():
        match = old.get((key, place))
        if match is None:
            added.append(Change("new", key, None, row))
        elif fields := [name for name in {**match, **row} if match.get(name) != row.get(name)]:
            changed.append(Change("changed", key, match, row, fields))
        else:
            same += 1
    gone = [Change("gone", key[0], row, None) for key, row in old.items() if key not in new]
    return Differences([*changed, *added, *gone], same)


def _keyed(rows: Sequence[Row], by: str) -> dict[tuple[str, int], Row]:
    counts: dict[str, int] = {}
    keyed = {}
    for row in rows:
        key = _text(dict(row)) if by == WHOLE else _text(row.get(by))
        counts[key] = counts.get(key, 0) + 1
        keyed[key, counts[key]] = row
    return keyed


def _tells(value: object) -> bool:
    return isinstance(value, str | int | float) and value != "" and not isinstance(value, bool)


def _text(value: object) -> str:
    return value if isinstance(value, str) else repr(value)
