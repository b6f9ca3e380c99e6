"""Files that are whole only at their end: parquet and xlsx."""

import asyncio
import gc
import io
import json
import random
import resource
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrapemaster.domain.errors import InvalidInput, StoreUnavailable
from scrapemaster.export.columns import Shape, Survey, Table
from scrapemaster.export.exporter import Exporter
from scrapemaster.export.order import ExportFormat, ExportOrder
from scrapemaster.export.spool import Spool
from scrapemaster.export.xlsx import MAX_CHARACTERS, Workbook
from unit.export.rows_of import exported, result, rows_of

WHEN = datetime.fromtimestamp(0.5, UTC)


async def parquet(*items, **options):
    return pq.read_table(io.BytesIO(await exported(rows_of(*items), "parquet", **options)))


async def sheets(*items, **options):
    book = openpyxl.load_workbook(io.BytesIO(await exported(rows_of(*items), "xlsx", **options)))
    return [list(sheet.iter_rows(values_only=True)) for sheet in book]


async def test_parquet_types_come_from_all_values():
    table = await parquet(
        {
            "i": 1,
            "f": 1,
            "b": True,
            "s": "x",
            "n": None,
            "m": 1,
            "l": [1],
            "w": 2**60,
            "wf": 2**60,
            "h": 2**63,
        },
        {"i": None, "f": 1.5, "b": None, "s": "y", "m": "1", "l": None, "w": 1, "wf": 0.5, "new": {"x": 2}},
    )

    assert dict(zip(table.column_names, table.schema.types, strict=True)) == {
        "url": pa.string(),
        "scraped_at": pa.timestamp("us", "UTC"),
        "i": pa.int64(),
        "f": pa.float64(),
        "b": pa.bool_(),
        "s": pa.string(),
        "n": pa.string(),
        "m": pa.string(),
        "l": pa.string(),
        "w": pa.int64(),
        "wf": pa.string(),
        "h": pa.string(),
        "new.x": pa.int64(),
    }
    first, second = table.to_pylist()
    assert (first["url"], first["scraped_at"], first["f"], first["w"]) == ("http://s/0", WHEN, 1.0, 2**60)
    assert (first["m"], second["m"], first["l"], second["l"]) == ("1", '"1"', "[1]", None)
    assert (first["wf"], second["wf"], first["h"]) == (str(2**60), "0.5", str(2**63))
    assert (first["new.x"], second["new.x"]) == (None, 2)


async def test_parquet_of_chosen_columns_and_without_rows():
    chosen = await parquet({"a": {"x": 1}, "b": 2}, fields=("b", "a", "a.x", "scraped_at", "no"))

    assert chosen.to_pylist() == [{"b": 2, "a": '{"x":1}', "a.x": 1, "scraped_at": WHEN, "no": None}]
    assert (await parquet()).column_names == ["url", "scraped_at"]


async def test_parquet_has_row_groups_of_bounded_size():
    content = await exported(
        rows_of(*({"text": "x" * 20_000, "n": n} for n in range(1_000)), batch=50), "parquet"
    )
    file = pq.ParquetFile(io.BytesIO(content))

    assert file.num_row_groups >= 4
    assert file.read().column("n").to_pylist() == list(range(1_000))


names = st.text(max_size=5)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(names, values, max_size=4), min_size=1, max_size=5))
async def test_any_items_fit_every_format(items):
    assert (await parquet(*items)).num_rows == len(items)
    assert len((await sheets(*items))[0]) <= len(items) + 1
    assert len((await exported(rows_of(*items), "csv")).splitlines()) > len(items)
    lines = (await exported(rows_of(*items), "jsonl")).splitlines()
    assert [json.loads(line)["data"] for line in lines] == items


async def test_xlsx_holds_values_by_their_kind():
    (rows,) = await sheets(
        {
            "i": 7,
            "f": 1.5,
            "b": True,
            "s": "007",
            "link": "http://a/",
            "l": [1, "x"],
            "big": 1234567890123456789,
        }
    )

    assert rows == [
        ("url", "scraped_at", "i", "f", "b", "s", "link", "l", "big"),
        (
            "http://s/0",
            WHEN.replace(tzinfo=None),
            7,
            1.5,
            True,
            "007",
            "http://a/",
            '[1,"x"]',
            "1234567890123456789",
        ),
    ]


@pytest.mark.parametrize(
    "value", ["=1+1", "+1", "-1", "@SUM(A1)", "{=1}", "\t=1", '=HYPERLINK("http://a/","b")']
)
async def test_H33_no_cell_of_xlsx_is_a_formula_or_a_link(value):
    book = openpyxl.load_workbook(
        io.BytesIO(await exported(rows_of({value: value, "u": "http://a/"}), "xlsx"))
    )
    sheet = book["Rows"]

    for place in ("C1", "C2", "D2"):
        assert sheet[place].data_type in {"s", "inlineStr"}, place
        assert sheet[place].hyperlink is None
    assert sheet["C2"].quotePrefix == (value[0] != "{")


async def test_a_text_too_long_for_a_cell_is_refused_and_never_cut():
    fits = await sheets({"t": "x" * MAX_CHARACTERS})
    assert len(fits[0][1][2]) == MAX_CHARACTERS

    with pytest.raises(InvalidInput, match=r"'t' of http://s/1 has 32,768 characters"):
        await sheets({"t": ""}, {"t": "x" * (MAX_CHARACTERS + 1)})


def test_a_full_sheet_is_followed_by_another(tmp_path):
    batch = [result(number, {"n": number}) for number in range(10)]
    survey = Survey(Shape())
    survey.see(batch)
    with Spool(tmp_path) as file:
        book = Workbook(Table(Shape(), survey.kinds), file, str(tmp_path), max_rows=5)
        book.add(batch)
        book.close()

        loaded = openpyxl.load_workbook(file)

    assert loaded.sheetnames == ["Rows", "Rows 2", "Rows 3"]
    found = [[row[2] for row in sheet.iter_rows(values_only=True)] for sheet in loaded]
    assert found == [["n", 0, 1, 2, 3], ["n", 4, 5, 6, 7], ["n", 8, 9]]


@pytest.mark.parametrize("name", ["parquet", "xlsx"])
async def test_H43_a_full_disk_is_said_and_leaves_nothing(name, tmp_path):
    chance = random.Random(43)
    noise = [{"t": chance.randbytes(200).hex()} for _ in range(20_000)]
    rows = rows_of(*noise, batch=500)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    with closing(Exporter(tmp_path)) as exporter:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))
        try:
            with pytest.raises(StoreUnavailable, match="see whether the disk is full"):
                async with exporter.export(rows, ExportOrder(ExportFormat(name))):
                    pass
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)

    assert list(tmp_path.iterdir()) == []


def test_a_workbook_that_failed_while_it_was_packed_writes_nothing_when_it_goes(tmp_path):
    with Spool(tmp_path) as file:
        book = Workbook(Table(Shape(), {}), file, str(tmp_path))
        file.abandon()
        with pytest.raises(OSError, match="not wanted"):
            book.close()
        file.drop()
        book.discard()

    gc.collect()  # the archive of XlsxWriter goes only now, and an error of it would be one of this test's


@pytest.mark.parametrize("name", ["parquet", "xlsx"])
@pytest.mark.parametrize("moment", [0, 1, 30, 39])
async def test_an_export_that_is_cancelled_leaves_nothing(name, moment, tmp_path):
    reached = asyncio.Event()

    async def rows():
        passes.append(1)
        for place in range(40):
            if place == moment and len(passes) == 2:
                reached.set()
            yield [result(500 * place + n, {"n": n, "t": "some text " * 20}) for n in range(500)]

    passes = []
    with closing(Exporter(tmp_path)) as exporter:

        async def write():
            async with exporter.export(rows, ExportOrder(ExportFormat(name))):
                pass

        task = asyncio.create_task(write())
        await reached.wait()
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "library"), [("parquet", "pyarrow"), ("xlsx", "xlsxwriter")])
def test_a_missing_extra_is_named(name, library):
    """In a process of its own, in which the library cannot be imported."""
    program = f"""
import asyncio, sys, tempfile
from pathlib import Path

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {library!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from scrapemaster.export.exporter import Exporter
from scrapemaster.export.order import ExportFormat, ExportOrder

async def rows():
    return
    yield

async def main(folder):
    exporter = Exporter(Path(folder))
    async with exporter.export(rows, ExportOrder(ExportFormat.CSV)) as export:
        assert b"".join([chunk async for chunk in export.chunks]) == b"url,scraped_at\\r\\n"
    try:
        async with exporter.export(rows, ExportOrder(ExportFormat({name!r}))):
            pass
    except Exception as error:
        print(type(error).__name__, error)

with tempfile.TemporaryDirectory() as folder:
    asyncio.run(main(folder))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == (
        f"MissingExtra the format {name} needs an extra that is not installed: run pip install 'scrapemaster[{name}]'\n"
    )
