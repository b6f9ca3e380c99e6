from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.domain.shares import LEAST_SHARE, share_of, slices_of

CONCURRENCY, WORKERS = st.integers(1, 1_000), st.integers(0, 200)


@given(CONCURRENCY, WORKERS)
def test_the_shares_of_all_slices_add_up_to_the_concurrency(concurrency, workers):
    shares = [share_of(number, concurrency, workers) for number in range(300)]

    assert sum(shares) == concurrency
    assert all(share > 0 for share in shares[: slices_of(concurrency, workers)])
    assert not any(shares[slices_of(concurrency, workers) :])


@given(CONCURRENCY, WORKERS)
def test_there_is_no_slice_without_a_worker_or_without_enough_to_do(concurrency, workers):
    slices = slices_of(concurrency, workers)

    assert 1 <= slices <= max(1, workers)
    assert (slices - 1) * LEAST_SHARE < concurrency
