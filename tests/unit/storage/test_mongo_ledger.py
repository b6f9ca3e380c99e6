"""The ledger of a job's frontier, and text that BSON would not take."""

from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.domain.ids import JobId
from scrapemaster.storage.mongo.discovery import Seen
from scrapemaster.storage.mongo.keys import (
    LAST,
    bytes_of,
    number_of,
    prefix_of,
    row_id,
    shown,
    span,
    text_of,
)
from scrapemaster.storage.mongo.ledger import Holder, Ledger

ANY_TEXT = st.text(st.characters(codec=None, categories=None))
PREFIX = prefix_of(JobId("a"))


def keys_of(spans):
    return [key for after, last in spans for key in range(after + 1, last + 1)]


@given(st.lists(st.integers(-3, 3), max_size=40), st.lists(st.integers(0, 9), max_size=12))
def test_requests_are_taken_by_priority_and_then_by_age(priorities, limits):
    ledger = Ledger()
    placed = [(ledger.place(priority), priority, age) for age, priority in enumerate(priorities)]

    taken = [key for limit in limits for key in keys_of(ledger.take(limit))]

    order = [key for key, _, _ in sorted(placed, key=lambda one: (-one[1], one[2]))]
    assert len({key for key, _, _ in placed}) == len(placed)
    assert taken == order[: sum(limits)]
    assert ledger.queued == len(placed) - len(taken)


KEYS = st.sets(st.integers(0, 2**63), max_size=20)
HOLDERS = st.lists(st.builds(Holder, st.binary(max_size=5), st.floats(0, 1e12), KEYS, KEYS), max_size=4)


@given(st.lists(st.integers(-3, 3), max_size=9), HOLDERS, st.integers(0, 9), st.integers(0, 9))
def test_a_ledger_comes_back_as_it_was_stored_but_for_holders_of_nothing(priorities, holders, waiting, known):
    ledger = Ledger(holders=holders, waiting=waiting, known=known)
    for priority in priorities:
        ledger.place(priority)

    stored = Ledger.of(ledger.document())

    ledger.holders = [one for one in holders if one.plain or one.troubled]
    assert stored == ledger


@given(ANY_TEXT)
def test_any_text_comes_back_from_its_bytes_and_can_be_shown(text):
    assert text_of(bytes_of(text)) == text
    assert shown(text).encode().decode() == shown(text)


@given(st.integers(0, LAST), st.integers(0, LAST))
def test_row_ids_sort_as_their_numbers(one, two):
    assert (row_id(PREFIX, one) < row_id(PREFIX, two)) == (one < two)
    assert number_of(row_id(PREFIX, one)) == one
    assert span(PREFIX, one, two) == {"$gt": row_id(PREFIX, one), "$lte": row_id(PREFIX, two)}


def test_a_cursor_beyond_all_rows_is_no_error():
    assert span(PREFIX, LAST + 5) == {"$gt": row_id(PREFIX, LAST), "$lte": row_id(PREFIX, LAST)}


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.sets(st.binary(max_size=2), max_size=6))))
def test_what_was_seen_is_bounded_and_never_more_than_was_told(adds):
    seen, told = Seen(10), {}

    for job, marks in adds:
        seen.add(job, marks)
        told.setdefault(job, set()).update(marks)

        assert sum(len(seen.of(one)) for one in told) <= 10
        assert all(seen.of(one) <= marks for one, marks in told.items())
        if sum(map(len, told.values())) <= 10:
            assert seen.of(job) == told[job]
