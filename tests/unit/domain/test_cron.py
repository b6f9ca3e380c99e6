import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.domain.cron import ALIASES, next_run
from scrapemaster.domain.errors import InvalidInput

BERLIN = "Europe/Berlin"


def epoch(text):
    return datetime.fromisoformat(text).timestamp()


def runs(cron, zone, begin, end):
    """All runs after `begin` and before `end`, in UTC."""
    found, at = [], epoch(begin)
    while (at := next_run(cron, zone, at)) < epoch(end):
        found.append(datetime.fromtimestamp(at, UTC).strftime("%m-%dT%H:%MZ"))
    return found


def test_H46_a_time_that_clocks_leap_over_is_made_up_for_right_after_the_leap():
    # On 29 March 2026 clocks in Berlin go from 02:00 +01:00 to 03:00 +02:00.
    assert runs("30 2 * * *", BERLIN, "2026-03-28T00:00Z", "2026-03-31T00:00Z") == [
        "03-28T01:30Z",
        "03-29T01:00Z",
        "03-30T00:30Z",
    ]


def test_H46_a_time_that_comes_twice_is_run_once():
    # On 25 October 2026 clocks in Berlin go from 03:00 +02:00 back to 02:00 +01:00.
    assert runs("30 2 * * *", BERLIN, "2026-10-24T00:00Z", "2026-10-27T00:00Z") == [
        "10-24T00:30Z",
        "10-25T00:30Z",
        "10-26T01:30Z",
    ]


@pytest.mark.parametrize("minute", range(0, 180, 7))
def test_H46_it_stays_one_run_whenever_one_asks_on_the_day_of_the_change(minute):
    for day, run in (("2026-03-29", "01:00"), ("2026-10-25", "00:30")):
        asked = epoch(f"{day}T00:00Z") + minute * 60
        due = epoch(f"{day}T{run}Z")

        found = next_run("30 2 * * *", BERLIN, asked)

        assert found == due if asked < due else found > due + 22 * 3_600


def test_H46_what_runs_each_hour_or_oftener_goes_by_the_time_that_passes():
    hourly = runs("15 * * * *", BERLIN, "2026-10-24T23:00Z", "2026-10-25T04:00Z")
    assert hourly == [
        f"10-{day}" for day in ("24T23:15Z", "25T00:15Z", "25T01:15Z", "25T02:15Z", "25T03:15Z")
    ]
    often = runs("*/30 2 * * *", BERLIN, "2026-10-24T12:00Z", "2026-10-25T12:00Z")
    assert often == ["10-25T00:00Z", "10-25T00:30Z", "10-25T01:00Z", "10-25T01:30Z"]
    assert runs("*/30 2 * * *", BERLIN, "2026-03-28T12:00Z", "2026-03-29T12:00Z") == []


@pytest.mark.parametrize(
    "zone", [BERLIN, "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]
)
@pytest.mark.parametrize("cron", ["30 2 * * *", "0 0 * * *", "59 1 * * *", "15 2 * * 0"])
def test_a_fixed_time_is_run_once_on_each_local_day_of_three_years(cron, zone):
    days = []
    at, end = epoch("2025-01-01T12:00Z"), epoch("2028-01-01T12:00Z")
    while (at := next_run(cron, zone, at)) < end:
        days.append(datetime.fromtimestamp(at, ZoneInfo(zone)).date())

    step = 7 if cron.endswith("0") and not cron.endswith("* *") else 1
    assert all(after - before == timedelta(days=step) for before, after in itertools.pairwise(days))
    assert len(days) > 1_000 // step


@given(
    st.from_regex(
        r"\A([0-5]?\d|\*|\*/[1-9]|\d-[3-5]\d) ([01]?\d|\*|\*/[1-9]) (\*|[12]?[1-9]) (\*|1?[1-2]) (\*|[0-7])\Z"
    ),
    st.floats(0, 4_000_000_000),
    st.sampled_from([BERLIN, "UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"]),
)
def test_runs_go_forward_by_a_minute_at_least(cron, after, zone):
    try:
        first = next_run(cron, zone, after)
    except InvalidInput:
        return
    second = next_run(cron, zone, first)

    assert after < first
    assert first + 60 <= second
    assert first % 60 == second % 60 == 0


@given(
    st.text(max_size=30)
    | st.lists(st.text("0123456789*/,-L#WMON ", max_size=5), min_size=5, max_size=5).map(" ".join)
)
def test_any_text_is_due_or_refused_with_a_sentence(text):
    try:
        found = next_run(text, "UTC", 1_000_000.0)
    except InvalidInput as error:
        found, where = None, error.where
    assert where == ("cron",) if found is None else found > 1_000_000.0


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("*/5 * * * * *", "nothing runs more often than each minute"),
        ("60 * * * *", "Bad minute"),
        ("* * * * NEVER", "Bad day-of-week"),
        ("0 0 30 2 *", "day-of-month"),
        ("@reboot", "five fields"),
        ("x" * 201, "at most 200"),
        ("0 0 * * ٣", "ASCII"),
    ],
)
def test_what_is_no_expression_is_refused(cron, words):
    with pytest.raises(InvalidInput, match=words) as caught:
        next_run(cron, "UTC", 0.0)

    assert caught.value.where == ("cron",)


@pytest.mark.parametrize(
    "zone", ["", "Mars/Phobos", "europe/berlin", "Europe", "../../etc/passwd", "/etc/localtime", "a\x00b"]
)
def test_what_is_no_time_zone_is_refused(zone):
    with pytest.raises(InvalidInput, match="time zone") as caught:
        next_run("* * * * *", zone, 0.0)

    assert caught.value.where == ("timezone",)


def test_aliases_mean_what_crontab_says():
    for alias in ALIASES:
        assert next_run(alias.upper(), "UTC", 1.0) == next_run(ALIASES[alias], "UTC", 1.0)
