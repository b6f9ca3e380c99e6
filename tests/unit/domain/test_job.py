import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.domain.errors import Conflict
from scrapemaster.domain.job import (
    TERMINAL,
    TRANSITIONS,
    Counters,
    JobStatus,
    StopReason,
    budget_left,
    check_transition,
    ending_of,
    may_go,
    progress_of,
    sources_of,
)

statuses = st.sampled_from(JobStatus)
counts = st.integers(min_value=0, max_value=10_000)


@given(st.lists(statuses, max_size=30))
def test_no_walk_through_the_states_leaves_a_terminal_one(wishes):
    status = JobStatus.PENDING
    for wish in wishes:
        before = status
        if may_go(status, wish):
            status = wish

        assert before not in TERMINAL or status is before


@given(statuses, statuses)
def test_an_illegal_transition_is_a_conflict_and_a_legal_one_is_not(source, target):
    if target in TRANSITIONS[source]:
        check_transition(source, target)
    else:
        with pytest.raises(Conflict, match=f"a job that is {source} cannot become {target}"):
            check_transition(source, target)


def test_every_status_but_pending_can_be_reached():
    for status in JobStatus:
        assert bool(sources_of(status)) or status is JobStatus.PENDING


def test_terminal_states_are_completed_failed_and_cancelled():
    assert {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED} == TERMINAL


@given(counts, counts, counts, counts, st.integers(1, 10_000), st.floats(0, 99.9))
def test_progress_never_falls_never_reaches_100_and_has_one_decimal(
    fetched, failed, queued, leased, max_pages, before
):
    before = int(before * 10) / 10
    counters = Counters(fetched=fetched, failed=failed, queued=queued, leased=leased)

    progress = progress_of(counters, max_pages, before)

    assert before <= progress <= 99.9
    assert round(progress, 1) == progress


@given(counts, counts, st.integers(1, 10_000))
def test_the_budget_never_lets_max_pages_be_passed(attempted, fresh, max_pages):
    counters = Counters(attempted=attempted, leased=fresh, fresh=fresh)

    budget = budget_left(counters, max_pages)

    assert budget >= 0
    assert budget == 0 or attempted + fresh + budget == max_pages


@pytest.mark.parametrize(
    ("counters", "reasons", "status", "reason"),
    [
        (Counters(fetched=3), {}, JobStatus.COMPLETED, StopReason.FINISHED),
        (Counters(fetched=3, failed=2), {"http_404": 2}, JobStatus.COMPLETED, StopReason.FINISHED),
        (Counters(fetched=5, attempted=5, queued=9), {}, JobStatus.COMPLETED, StopReason.MAX_PAGES),
        (Counters(failed=2), {"timeout": 2}, JobStatus.FAILED, StopReason.ALL_PAGES_FAILED),
        (Counters(failed=2), {"blocked": 2}, JobStatus.FAILED, StopReason.BLOCKED),
        (Counters(skipped=1), {"robots_denied": 1}, JobStatus.FAILED, StopReason.ROBOTS_DENIED),
        (
            Counters(skipped=1, failed=1),
            {"robots_denied": 1, "http_500": 1},
            JobStatus.FAILED,
            StopReason.ALL_PAGES_FAILED,
        ),
    ],
)
def test_a_job_without_one_good_page_is_never_completed(counters, reasons, status, reason):
    assert ending_of(counters, 5, reasons) == (status, reason)
