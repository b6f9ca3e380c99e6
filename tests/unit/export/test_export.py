import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.item import Result
from scrapemaster.export.lines import json_array, json_lines
from scrapemaster.export.table import cell, csv_table


def rows_of(*items, batch=2):
    results = [
        Result(JobId("j"), number + 1, str(number), f"http://s/{number}", json.dumps(item).encode(), 0.5)
        for number, item in enumerate(items)
    ]

    async def rows():
        for start in range(0, len(results), batch):
            yield results[start : start + batch]

    return rows


async def text(writer):
    return b"".join([chunk async for chunk in writer]).decode()


async def test_csv_has_all_columns_in_first_seen_order():
    out = await text(csv_table(rows_of({"b": 1}, {"a": "x", "b": None}, {"c": {"d": [1], "e": {"f": True}}})))

    assert out.splitlines() == [
        "url,scraped_at,b,a,c.d,c.e.f",
        "http://s/0,1970-01-01T00:00:00.500000Z,1,,,",
        "http://s/1,1970-01-01T00:00:00.500000Z,,x,,",
        "http://s/2,1970-01-01T00:00:00.500000Z,,,[1],true",
    ]
    assert "\r\n" in out


async def test_csv_of_chosen_columns_and_unflattened():
    rows = rows_of({"a": {"x": 1}, "b": 2})

    assert await text(csv_table(rows, fields=["b", "url", "zz"])) == "b,url,zz\r\n2,http://s/0,\r\n"
    assert (await text(csv_table(rows, flatten=False))).splitlines()[1].endswith('"{""x"":1}",2')


async def test_csv_without_rows_has_a_header():
    assert await text(csv_table(rows_of())) == "url,scraped_at\r\n"
    assert (await text(csv_table(rows_of(), bom=True))).startswith("\ufeffurl")


async def test_json_is_an_array_and_jsonl_a_line_each():
    rows = rows_of({"a": 1}, {"a": "ü\u2028"}, {"a": None})

    array = json.loads(await text(json_array(rows)))
    lines = (await text(json_lines(rows))).strip().split("\n")

    assert [row["data"] for row in array] == [{"a": 1}, {"a": "ü\u2028"}, {"a": None}]
    assert [json.loads(line) for line in lines] == array
    assert json.loads(await text(json_array(rows_of()))) == []


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
async def test_H33_cells_that_would_run_are_neutralised(value):
    out = await text(csv_table(rows_of({value: value})))
    header, row = list(csv.reader(io.StringIO(out, newline="")))

    assert header[2] == row[2] == f"'{value}"
    assert cell(value, raw=True) == value


@given(
    st.lists(
        st.dictionaries(
            st.text(max_size=5), st.text() | st.integers() | st.none() | st.booleans(), max_size=4
        ),
        max_size=5,
    )
)
async def test_csv_reads_back_as_it_was_written(items):
    cleaned = json.loads(json.dumps(items).encode("utf-8", "replace"))
    out = await text(csv_table(rows_of(*cleaned), raw=True, flatten=False))
    records = list(csv.reader(io.StringIO(out, newline=""), strict=True))

    assert len(records) == len(items) + 1
    assert {len(record) for record in records} == {len(records[0])}
