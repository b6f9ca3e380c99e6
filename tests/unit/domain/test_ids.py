import uuid

from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.domain.ids import uuid7


@given(st.integers(0, 2**41), st.integers(1, 10_000))
def test_ids_sort_by_the_millisecond_they_were_made(milliseconds, later):
    assert uuid7(milliseconds / 1000) < uuid7((milliseconds + later + 1) / 1000)


def test_ids_are_version_7_uuids_and_differ():
    made = {uuid7(0) for _ in range(1_000)}

    assert len(made) == 1_000
    assert all(uuid.UUID(one).version == 7 and uuid.UUID(one).variant == uuid.RFC_4122 for one in made)
