"""JSON and JSON Lines."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from scrapemaster.domain.item import Result
from scrapemaster.export.columns import Shape
from scrapemaster.export.rows import choice_of
from scrapemaster.export.timestamps import iso, iso_of


def record(row: Result, shape: Shape) -> bytes:
    """A result's object as the API shows it, with the part of its item that was asked for."""
    return orjson.dumps(
        {
            "job_id": row.job_id,
            "url": row.url,
            "data": orjson.Fragment(row.data) if shape.whole else shape.of(row),
            "scraped_at": iso(row.scraped_at),
            **choice_of(row),
        },
        iso_of,
        orjson.OPT_PASSTHROUGH_DATETIME,
    )


class JsonLines:
    """One object a line."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def begin(self) -> bytes:
        """See `export.encoder.Encoder`."""
        return b""

    def encode(self, batch: Sequence[Result]) -> bytes:
        """See `export.encoder.Encoder`."""
        return b"".join(record(row, self._shape) + b"\n" for row in batch)

    def end(self) -> bytes:
        """See `export.encoder.Encoder`."""
        return b""


class JsonArray:
    """One array of objects."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._separator = b""

    def begin(self) -> bytes:
        """See `export.encoder.Encoder`."""
        return b"["

    def encode(self, batch: Sequence[Result]) -> bytes:
        """See `export.encoder.Encoder`."""
        chunk = self._separator + b",\n".join(record(row, self._shape) for row in batch)
        self._separator = b",\n"
        return chunk

    def end(self) -> bytes:
        """See `export.encoder.Encoder`."""
        return b"]\n"
