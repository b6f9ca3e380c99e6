"""Times as the API writes them."""

from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from scrapemaster.export.timestamps import iso, iso_of


@given(st.floats(0, 4e9))
@example(1_700_000_000.9999999)
@example(1_700_000_000.0000005)
@example(0.0)
def test_epoch_seconds_are_written_as_datetime_writes_them(epoch):
    assert iso(epoch) == iso_of(datetime.fromtimestamp(epoch, UTC))
