"""Files from rows: in bounded memory, and never on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from scrapemaster.domain.errors import MissingExtra
from scrapemaster.export.columns import Survey, Table
from scrapemaster.export.encoder import Encoder, FileEncoder
from scrapemaster.export.lines import JsonArray, JsonLines
from scrapemaster.export.order import ExportFormat, ExportOrder
from scrapemaster.export.rows import Rows
from scrapemaster.export.spool import Spool, disk_errors
from scrapemaster.export.table import Csv

T = TypeVar("T")
#: A writer for a table, the file, and a folder for what is temporary.
NewWriter = Callable[[Table, Spool, str], FileEncoder]

#: Batches encoded at once, by all exports; the interpreter runs one at a time anyway.
_THREADS = 2
#: Files written to disk at once; others wait for their turn.
_FILES = 4
#: Bytes of a finished file that are read at once.
_CHUNK = 256 * 1024


@dataclass(slots=True, frozen=True)
class Export:
    """A file on its way. `size` (bytes) is known where the file was written before it is sent."""

    chunks: AsyncIterator[bytes]
    size: int | None = None


class Exporter:
    """Writes exports; `folder` holds the temporary files of formats that are whole only at their end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="export")
        self._turn = asyncio.Semaphore(_FILES)

    @contextlib.asynccontextmanager
    async def export(self, rows: Rows, order: ExportOrder) -> AsyncIterator[Export]:
        """The file, ready to be sent; what it needs is freed at the end, however that comes.

        Raises `MissingExtra`, `InvalidInput` when the format cannot hold the rows, or `StoreUnavailable` when the
        disk cannot hold the file.
        """
        match order.format:
            case ExportFormat.JSON:
                yield Export(self._encoded(rows, JsonArray(order.shape)))
            case ExportFormat.JSONL:
                yield Export(self._encoded(rows, JsonLines(order.shape)))
            case ExportFormat.CSV:
                # The rows say what they hold only where no fields were chosen.
                table = await self._table(rows, order, look=order.fields is None)
                yield Export(self._encoded(rows, Csv(table, bom=order.bom, raw=order.raw)))
            case ExportFormat.PARQUET | ExportFormat.XLSX:
                async with self._written(rows, order) as file:
                    yield Export(self._read(file), file.seek(0, 2))

    def close(self) -> None:
        """End the threads; a batch under way is finished."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _table(self, rows: Rows, order: ExportOrder, *, look: bool) -> Table:
        survey = Survey(order.shape)
        if look:
            async for batch in rows():
                await self._run(survey.see, batch)
        return Table(order.shape, survey.kinds)

    async def _encoded(self, rows: Rows, encoder: Encoder) -> AsyncIterator[bytes]:
        yield encoder.begin()
        async for batch in rows():
            yield await self._run(encoder.encode, batch)
        yield encoder.end()

    @contextlib.asynccontextmanager
    async def _written(self, rows: Rows, order: ExportOrder) -> AsyncIterator[Spool]:
        new_writer = await self._run(_writer_of, order.format)
        typed = order.format is ExportFormat.PARQUET
        table = await self._table(rows, order, look=typed or order.fields is None)
        async with contextlib.AsyncExitStack() as stack:
            with disk_errors(self._folder):
                file = stack.enter_context(Spool(self._folder))
                async with self._turn:
                    with TemporaryDirectory(dir=self._folder, ignore_cleanup_errors=True) as scratch:
                        await self._write(rows, new_writer(table, file, scratch), file)
            yield file

    async def _write(self, rows: Rows, writer: FileEncoder, file: Spool) -> None:
        try:
            async for batch in rows():
                await self._run(writer.add, batch)
            await self._run(writer.close, stop=file.abandon)
        except BaseException:
            file.drop()
            writer.discard()
            raise

    async def _read(self, file: Spool) -> AsyncIterator[bytes]:
        file.seek(0)
        while chunk := await self._run(file.read, _CHUNK):
            yield chunk

    async def _run(self, work: Callable[..., T], *given: Any, stop: Callable[[], None] | None = None) -> T:
        """Run `work` in a thread, and when cancelled still wait for its end, so that what it uses can be closed after it.

        `stop` tells work that takes long to stop.
        """
        future = asyncio.get_running_loop().run_in_executor(self._threads, work, *given)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if stop is not None:
                stop()
            await asyncio.wait([future])
            if not future.cancelled():
                future.exception()
            raise


def _writer_of(format_: ExportFormat) -> NewWriter:
    """Who writes a format whose library is an extra; raises `MissingExtra`."""
    try:
        if format_ is ExportFormat.XLSX:
            from scrapemaster.export.xlsx import Workbook  # noqa: PLC0415 -- an extra

            return Workbook
        from scrapemaster.export.parquet import ParquetFile  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise MissingExtra(f"the format {format_}", str(format_)) from error
    return lambda table, file, _: ParquetFile(table, file)
