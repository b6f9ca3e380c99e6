from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.domain.joblog import LogEvent, NewLine, Trouble, line_of_trouble, passes_milestone
from scrapemaster.domain.outcome import Verdict


def trouble(pages):
    return Trouble(Verdict.FAILED, "http_404", pages, "http://site/", "gone")


def test_lines_are_due_at_1_2_5_10_20_50():
    due = [total for total in range(1, 1_001) if passes_milestone(total - 1, total)]

    assert due == [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000]


@given(st.lists(st.integers(1, 10_000), max_size=200))
def test_ten_million_failures_make_22_lines_at_most(commits):
    total, lines = 0, 0
    for pages in commits:
        lines += line_of_trouble(trouble(pages), total) is not None
        total += pages

    assert lines <= 22
    assert lines > 0 or not commits


def test_a_line_names_the_reason_and_the_last_page():
    assert line_of_trouble(trouble(1), 0).message == "1 page failed, http_404: http://site/ (gone)"
    assert line_of_trouble(trouble(3), 2).message == "5 pages so far failed, http_404: http://site/ (gone)"
    assert line_of_trouble(trouble(1), 2) is None


def test_long_messages_are_cut():
    assert len(NewLine(LogEvent.WARNING, "x" * 5_000).short_message) == 1_000
