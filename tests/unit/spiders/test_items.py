"""Items of any kind as JSON."""

import datetime as dt
import json
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.spiders.items import encoded

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@dataclass
class Point:
    x: int


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_what_json_can_hold_stays_what_it_is(item):
    assert json.loads(encoded(item)) == item


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC), "2026-01-02T03:04:05+00:00"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.timedelta(seconds=90), "0:01:30"),
        (Decimal("1.50"), "1.50"),
        (b"text", "text"),
        (b"\xff\x00", "/wA="),
        ({1}, [1]),
        ((1, 2), [1, 2]),
        (Point(1), {"x": 1}),
        (float("nan"), None),
        (2**70, 2**70),
        ("\ud800", "\ud800"),
    ],
)
def test_what_json_has_no_kind_for_is_written_as_the_next_best(value, written):
    assert json.loads(encoded({"a": value})) == {"a": written}


@pytest.mark.parametrize("item", ["text", 1, None, ["list"]])
def test_what_is_no_object_is_no_item(item):
    with pytest.raises(TypeError, match="it is no item"):
        encoded(item)
