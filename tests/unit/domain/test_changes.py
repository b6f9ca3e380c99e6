"""What is new, changed and gone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.domain.changes import WHOLE, differences_of, identity_of

ROWS = st.lists(
    st.fixed_dictionaries({"sku": st.sampled_from("abcdef"), "price": st.integers(0, 3)}), max_size=8
)


def kinds(found):
    return {kind: found.count(kind) for kind in ("new", "changed", "gone")}


def test_rows_are_matched_by_their_key():
    before = [{"sku": "a", "price": 1}, {"sku": "b", "price": 2}, {"sku": "c", "price": 3}]
    after = [{"sku": "b", "price": 2}, {"sku": "a", "price": 9}, {"sku": "d", "price": 4}]

    found = differences_of(before, after, "sku")

    assert [(one.kind, one.key, list(one.fields)) for one in found.changes] == [
        ("changed", "a", ["price"]),
        ("new", "d", []),
        ("gone", "c", []),
    ]
    assert found.same == 1


def test_rows_with_one_key_are_matched_one_by_one():
    found = differences_of(
        [{"k": 1, "v": 1}, {"k": 1, "v": 2}], [{"k": 1, "v": 1}, {"k": 1, "v": 2}, {"k": 1, "v": 3}], "k"
    )

    assert (kinds(found), found.same) == ({"new": 1, "changed": 0, "gone": 0}, 2)


@pytest.mark.parametrize(
    ("rows", "by"),
    [
        ([{"name": "a", "sku": "1"}, {"name": "b", "sku": "2"}], "sku"),
        ([{"url": "u", "name": "a"}, {"url": "u", "name": "b"}], "name"),
        ([{"url": "u", "colour": "red"}, {"url": "u", "colour": "blue"}], "colour"),
        ([{"name": "a"}, {"name": "a"}], WHOLE),
        ([{"name": "a"}, {"name": None}], WHOLE),
        ([], WHOLE),
    ],
)
def test_what_tells_rows_apart_is_chosen(rows, by):
    assert identity_of(rows) == by


def test_a_field_that_no_row_has_is_refused():
    with pytest.raises(KeyError):
        differences_of([{"a": 1}], [{"a": 2}], "b")


@given(ROWS, ROWS, st.sampled_from(["sku", WHOLE]))
def test_every_row_is_counted_once_on_each_side(before, after, by):
    if by == "sku" and not before and not after:
        return
    found = differences_of(before, after, by)

    counted = kinds(found)
    assert counted["new"] + counted["changed"] + found.same == len(after)
    assert counted["gone"] + counted["changed"] + found.same == len(before)


@given(ROWS)
def test_a_run_is_as_itself(rows):
    assert list(differences_of(rows, rows, WHOLE).changes) == []
