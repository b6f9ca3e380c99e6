import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrapemaster.domain.errors import InvalidInput
from scrapemaster.export.columns import MAX_COLUMNS
from scrapemaster.export.order import fields_of
from scrapemaster.export.rows import flattened
from scrapemaster.export.table import cell
from unit.export.rows_of import exported, rows_of


async def text(rows, name="csv", **options):
    return (await exported(rows, name, **options)).decode()


async def test_csv_has_all_columns_in_first_seen_order():
    out = await text(rows_of({"b": 1}, {"a": "x", "b": None}, {"c": {"d": [1], "e": {"f": True}}}))

    assert out.splitlines() == [
        "url,scraped_at,b,a,c.d,c.e.f",
        "http://s/0,1970-01-01T00:00:00.500000Z,1,,,",
        "http://s/1,1970-01-01T00:00:01.500000Z,,x,,",
        "http://s/2,1970-01-01T00:00:02.500000Z,,,[1],true",
    ]
    assert "\r\n" in out


async def test_csv_of_chosen_columns_and_unflattened():
    rows = rows_of({"a": {"x": 1}, "b": 2})

    assert await text(rows, fields=("b", "url", "zz")) == "b,url,zz\r\n2,http://s/0,\r\n"
    assert (await text(rows, flatten=False)).splitlines()[1].endswith('"{""x"":1}",2')


async def test_a_field_named_like_a_column_of_ours_stands_beside_it():
    rows = rows_of({"url": "mine", "data.url": "odd"})

    assert (await text(rows)).splitlines() == [
        "url,scraped_at,data.url_,data.url",
        "http://s/0,1970-01-01T00:00:00.500000Z,mine,odd",
    ]


async def test_csv_without_rows_has_a_header():
    assert await text(rows_of()) == "url,scraped_at\r\n"
    assert (await text(rows_of(), bom=True)).startswith("\ufeffurl")


async def test_json_is_an_array_and_jsonl_a_line_each():
    rows = rows_of({"a": 1}, {"a": "ü\u2028"}, {"a": None})

    array = json.loads(await text(rows, "json"))
    lines = (await text(rows, "jsonl")).strip().split("\n")

    assert [row["data"] for row in array] == [{"a": 1}, {"a": "ü\u2028"}, {"a": None}]
    assert [json.loads(line) for line in lines] == array
    assert json.loads(await text(rows_of(), "json")) == []


@pytest.mark.parametrize("name", ["json", "jsonl"])
async def test_json_of_chosen_fields_keeps_their_order_and_flattens_when_asked(name):
    rows = rows_of({"size": {"width": 3, "height": 4}, "title": "t", "tags": ["x"]})

    async def data(**options):
        return json.loads((await text(rows, name, **options)).strip("[]\n"))["data"]

    assert list((await data(fields=("title", "size.width", "no"))).items()) == [
        ("title", "t"),
        ("size.width", 3),
        ("no", None),
    ]
    assert await data(flatten=True) == {"size.width": 3, "size.height": 4, "title": "t", "tags": ["x"]}
    assert await data(fields=("scraped_at", "url")) == {
        "scraped_at": "1970-01-01T00:00:00.500000Z",
        "url": "http://s/0",
    }


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
async def test_H33_cells_that_would_run_are_neutralised(value):
    out = await text(rows_of({value: value}))
    header, row = list(csv.reader(io.StringIO(out, newline="")))

    assert header[2] == row[2] == f"'{value}"
    assert cell(value, raw=True) == value


@pytest.mark.parametrize(
    "name", ["a.b", "a..b", ".", "$where", "a,b", 'a"b', "a\x00b", "ü\u2028", "__proto__"]
)
async def test_H32_a_field_of_any_name_can_be_chosen(name):
    rows = rows_of({name: {"in.ner": 5}, "a": {"b": 0}})

    quoted = '"' + name.replace('"', '""') + '"'
    fields = fields_of(f'{quoted}, "{name.replace(chr(34), chr(34) * 2)}.in.ner"')

    assert fields == (name, f"{name}.in.ner")
    item = json.loads(await text(rows, "jsonl", fields=fields))["data"]
    assert item == {name: {"in.ner": 5}, f"{name}.in.ner": 5}


def test_fields_are_each_named_once_and_may_be_none():
    assert fields_of(" title, price ,title,,") == ("title", "price")
    assert fields_of(None) is fields_of("") is fields_of(" , ") is None
    with pytest.raises(InvalidInput, match="double quotes"):
        fields_of('"a')


def test_flattening_loses_nothing_where_names_meet():
    assert flattened({"a.b": 1, "a": {"b": 2, "c": {}}}) == {"a.b": 1, "a.b_": 2, "a.c": {}}


async def test_more_columns_than_tables_have_are_refused_and_can_still_be_had_as_json():
    rows = rows_of({f"f{number}": 1 for number in range(MAX_COLUMNS)})

    for name in ("csv", "parquet", "xlsx"):
        with pytest.raises(InvalidInput, match="choose some with fields="):
            await text(rows, name)
    assert len(json.loads(await text(rows, "jsonl"))["data"]) == MAX_COLUMNS


@settings(deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.text(max_size=5), st.text() | st.integers() | st.none() | st.booleans(), max_size=4
        ),
        max_size=5,
    )
)
async def test_csv_reads_back_as_it_was_written(items):
    out = await text(rows_of(*items), raw=True, flatten=False)
    records = list(csv.reader(io.StringIO(out, newline=""), strict=True))

    assert len(records) == len(items) + 1
    assert {len(record) for record in records} == {len(records[0])}
