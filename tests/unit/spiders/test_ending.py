"""How jobs of spiders end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.domain.job import Counters, JobStatus, StopReason
from scrapemaster.spiders.ending import death_of, ending, may_go_on

COUNTS = st.integers(0, 50)
REASONS = st.sampled_from(
    [
        "finished",
        "closespider_timeout",
        "closespider_pagecount",
        "bored",
        "cancelled",
        "start_error",
        "memusage_exceeded",
    ]
)


def counters(fetched=3, failed=0, items=3, **changes):
    return Counters(discovered=fetched + failed, fetched=fetched, failed=failed, items=items, **changes)


@pytest.mark.parametrize(
    ("reason", "out_of_time", "stop"),
    [
        ("finished", False, StopReason.FINISHED),
        ("bored", False, StopReason.FINISHED),
        ("cancelled", True, StopReason.MAX_DURATION),
        ("closespider_timeout", False, StopReason.MAX_DURATION),
        ("closespider_pagecount", False, StopReason.MAX_PAGES),
    ],
)
def test_scrapys_reasons_are_ours(reason, out_of_time, stop):
    end = ending(reason, None, counters(), {}, out_of_time=out_of_time)

    assert (end.status, end.reason, end.error) == (JobStatus.COMPLETED, stop, None)


@given(REASONS, COUNTS, COUNTS, COUNTS, st.booleans())
def test_nothing_is_completed_that_was_not(reason, fetched, failed, items, out_of_time):
    end = ending(
        reason,
        None,
        counters(fetched, failed, items),
        {"http_404": failed} if failed else {},
        out_of_time=out_of_time,
    )

    if reason in {"start_error", "memusage_exceeded"} or (not fetched and failed and not items):
        assert end.status is JobStatus.FAILED
        assert end.error
    else:
        assert end.status is JobStatus.COMPLETED
    if end.status is JobStatus.COMPLETED:
        assert bool(failed) == any("pages failed" in warning for warning in end.warnings)
        assert (items == 0) == any("made no item" in warning for warning in end.warnings)


def test_pages_that_robots_txt_denies_are_told_apart():
    end = ending("finished", None, Counters(discovered=1, skipped=1), {"robots_denied": 1})

    assert (end.status, end.reason) == (JobStatus.FAILED, StopReason.ROBOTS_DENIED)


def test_dropped_items_are_warned_of():
    assert (
        "2 items were dropped by pipelines, or failed in them"
        in ending("finished", None, counters(items_failed=2), {}).warnings
    )


@pytest.mark.parametrize(
    ("reason", "error", "over"),
    [
        ("finished", None, True),
        ("bored", None, True),
        ("", "TypeError: x", True),
        ("shutdown", None, False),
        ("", None, False),
    ],
)
def test_a_run_that_broke_off_is_not_over(reason, error, over):
    assert may_go_on(reason, error) is over


def test_deaths_are_told_in_sentences():
    assert death_of(137, "") == "it was killed by signal 9"
    assert death_of(1, "ImportError: x") == "it ended with code 1: ImportError: x"
    assert "processor time" in death_of(152, "")
