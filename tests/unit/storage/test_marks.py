"""The set of fingerprints in arrays."""

from hypothesis import given, settings
from hypothesis import strategies as st

from scrapemaster.storage.sqlite.marks import MarkTable

#: Fingerprints that crowd at both ends of the table, and any others.
MARKS = st.one_of(
    st.binary(min_size=16, max_size=16),
    st.builds(
        lambda head, tail: head * 8 + bytes([tail]) * 8,
        st.sampled_from([b"\xff", b"\0"]),
        st.integers(0, 255),
    ),
    st.builds(lambda tail: b"\xff" * 15 + bytes([tail]), st.integers(0, 255)),
)


@given(st.lists(st.lists(MARKS, max_size=40), max_size=30))
@settings(max_examples=100, deadline=None)
def test_it_is_a_set(batches):
    table, model = MarkTable(), set()
    for batch in batches:
        assert table.missing(batch) == [mark for mark in batch if mark not in model]
        table.add(batch)
        model.update(batch)
        assert len(table) == len(model)
    assert set(table.run(0, table.places)) == {
        mark if any(mark[:8]) else bytes(7) + b"\1" + mark[8:] for mark in model
    }


@given(st.integers(1, 2**32), st.integers(1, 700))
@settings(max_examples=20, deadline=None)
def test_runs_are_in_order_and_leave_nothing_out(seed, length):
    table = MarkTable()
    marks = [
        bytes.fromhex(f"{(seed + n) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}")
        for n in range(3_000)
    ]
    table.add(marks)

    runs = [table.run(start, start + length) for start in range(0, table.places, length)]

    found = [mark for run in runs for mark in run]
    assert sorted(found) == sorted(set(marks))
    in_order = {mark: place for place, mark in enumerate(sorted(found))}
    assert sum(abs(in_order[mark] - place) for place, mark in enumerate(found)) < 8 * len(found)
