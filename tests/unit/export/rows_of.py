"""Rows without a store, and what an export makes of them."""

import json
import tempfile
from contextlib import closing
from pathlib import Path

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.item import Result
from scrapemaster.export.exporter import Exporter
from scrapemaster.export.order import ExportFormat, ExportOrder


def result(number, item):
    return Result(
        JobId("j"),
        number + 1,
        bytes([number % 256]),
        0,
        f"http://s/{number}",
        json.dumps(item).encode(),
        number + 0.5,
    )


def rows_of(*items, batch=2):
    results = [result(number, item) for number, item in enumerate(items)]

    async def rows():
        for start in range(0, len(results), batch):
            yield results[start : start + batch]

    return rows


async def exported(rows, name, **options):
    """The bytes of a file; nothing may be left of it."""
    with tempfile.TemporaryDirectory() as folder, closing(Exporter(Path(folder))) as exporter:
        async with exporter.export(rows, ExportOrder(ExportFormat(name), **options)) as export:
            content = b"".join([chunk async for chunk in export.chunks])
        assert export.size in {None, len(content)}
        assert list(Path(folder).iterdir()) == []
    return content
