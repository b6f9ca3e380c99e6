"""A job's course: few points that leave out nothing."""

from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.domain.series import SPANS, Point, span_of, thinned

COUNTS = "ok redirected refused broken silent items bytes fetch_ms".split()


@st.composite
def courses(draw):
    ages = sorted(draw(st.sets(st.integers(0, 3_000_000), max_size=60)))
    spans = dict.fromkeys(span_of(age) for age in ages)
    return [
        Point(at, seconds, *(draw(st.integers(0, 50)) for _ in range(9))) for at, seconds in sorted(spans)
    ]


@given(st.floats(0, 3_000_000))
def test_every_age_is_in_its_span(age):
    at, seconds = span_of(age)

    assert at <= age < at + seconds
    assert at % seconds == 0


def test_a_job_of_a_month_has_some_two_thousand_points():
    month = 30 * 86_400
    spans = (
        {span_of(age) for age in range(0, month, 1)}
        if month < 10_000
        else {span_of(age) for age in [*range(4 * SPANS), *range(0, month, 60)]}
    )

    assert len(spans) < 2_600


@given(courses(), st.integers(10, 300))
def test_thinned_points_are_few_and_tell_of_all(points, most):
    found = thinned(points, most)

    assert len(found) <= most
    assert len({point.seconds for point in found}) <= 1
    for name in COUNTS:
        assert sum(getattr(point, name) for point in found) == sum(getattr(point, name) for point in points)
    assert max((point.slowest_ms for point in found), default=0) == max(
        (point.slowest_ms for point in points), default=0
    )
    assert [point.at for point in found] == sorted({point.at for point in found})
