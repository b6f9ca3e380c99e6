from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.domain.quality import ALARM_SHARE, FEWEST_ITEMS, Harvest, quality_warnings

FIELDS = ["price", "title"]


def test_a_field_that_was_never_filled_is_named():
    assert quality_warnings(FIELDS, Harvest(5, {"title": 5}), None) == [
        "never filled in any of 5 items: price"
    ]


def test_a_fall_by_more_than_half_is_told_with_both_figures():
    before, now = Harvest(100, {"price": 100, "title": 100}), Harvest(100, {"price": 40, "title": 51})

    assert quality_warnings(FIELDS, now, before) == [
        "price was filled in 40.0% of the items; in the previous run in 100.0%"
    ]


def test_half_the_items_gone_is_told_unless_the_run_was_ordered_smaller():
    before, now = Harvest(100, {"title": 100, "price": 9}), Harvest(49, {"title": 49, "price": 5})

    assert quality_warnings(FIELDS, now, before) == ["49 items were found; the previous run found 100"]
    assert quality_warnings(FIELDS, now, before, same_size=False) == []


HARVESTS = st.integers(0, 1_000).flatmap(
    lambda items: st.builds(
        Harvest, st.just(items), st.fixed_dictionaries({name: st.integers(0, items) for name in FIELDS})
    )
)


@given(HARVESTS)
def test_a_run_like_the_one_before_raises_no_alarm(harvest):
    assert quality_warnings(FIELDS, harvest, harvest) == quality_warnings(FIELDS, harvest, None)


@given(HARVESTS, HARVESTS)
def test_an_alarm_is_raised_exactly_when_the_rate_fell_below_half(now, before):
    warned = [text for text in quality_warnings(FIELDS, now, before) if "in the previous run" in text]
    fell = [
        name
        for name in FIELDS
        if min(now.items, before.items) >= FEWEST_ITEMS and now.rate(name) < before.rate(name) * ALARM_SHARE
    ]

    assert len(warned) == len(fell)
    assert all(any(text.startswith(name) for text in warned) for name in fell)


@given(HARVESTS, HARVESTS)
def test_more_values_never_raise_an_alarm_that_fewer_did_not(now, before):
    full = Harvest(now.items, dict.fromkeys(FIELDS, now.items))

    assert len(quality_warnings(FIELDS, full, before)) <= len(quality_warnings(FIELDS, now, before))
