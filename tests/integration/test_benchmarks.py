"""The benchmarks' programs run, refuse an answer that is not whole, and say what is missing."""

import json
from dataclasses import replace

import pytest
from benchmarks import race
from benchmarks.made_sites import decimal_tree
from benchmarks.plot import Bars
from benchmarks.race import HANDWRITTEN, OURS, RAW, SCRAPLING, Missing
from benchmarks.report import Report, Section, Target
from benchmarks.sections.fairness import jain
from benchmarks.sections.growth import tenths_of
from benchmarks.website import Tally


@pytest.fixture(scope="module")
def site():
    with decimal_tree(2) as served:
        yield served


def test_a_race_comes_to_a_figure_for_each_crawler_and_names_who_is_missing(site, monkeypatch):
    def lacking():
        raise Missing("it is not installed")

    monkeypatch.setitem(race.PEERS, SCRAPLING, lacking)

    figures = {one.name: one for one in race.race(site, (HANDWRITTEN, RAW, SCRAPLING), 1)}

    assert site.pages == 111
    for name in (OURS, HANDWRITTEN, RAW):
        (run,) = figures[name].runs
        assert (run.pages, run.seconds > 0) == (111, True)
    assert figures[OURS].runs[0].memory > 1
    assert (figures[SCRAPLING].runs, figures[SCRAPLING].missing) == ([], "it is not installed")


def test_a_peer_that_loses_a_row_is_found_out(site):
    longer = replace(site, tally=Tally.of([("http://other/", "Page")]))

    with pytest.raises(
        SystemExit, match="the rows of the decimal tree of 111 pages are not what they should be"
    ):
        race.peer(HANDWRITTEN, race.PEERS[HANDWRITTEN](), longer)


def test_a_tally_is_of_rows_in_any_order_and_of_each_of_them_once():
    rows = [("/a", " one\n two "), ("/b", None)]

    assert Tally.of(rows) == Tally.of([("/b", ""), ("/a", "one two")])
    assert Tally.of(rows) != Tally.of([*rows, rows[0]])
    assert Tally.of(rows) != Tally.of([("/a", "one"), ("/b", "two")])


def test_the_rate_of_each_tenth_is_that_of_the_time_between_its_first_and_last_page():
    even = [(float(second), 100 * second) for second in range(11)]
    slower = [(0.0, 0), (1.0, 500), (6.0, 1_000)]

    assert tenths_of(even) == pytest.approx([100.0] * 10)
    assert tenths_of(slower) == pytest.approx([500.0] * 5 + [100.0] * 5)


def test_fairness_is_one_for_equal_shares_and_less_the_less_equal_they_are():
    assert jain([5.0, 5.0, 5.0]) == pytest.approx(1.0)
    assert jain([1.0, 0.0, 0.0, 0.0]) == pytest.approx(0.25)


def test_a_report_shows_which_targets_are_met_and_is_the_same_for_programs(tmp_path):
    targets = [
        Target("speed", 2.0, 1.0),
        Target("memory, MB", 500.0, 400, most=True),
        Target("other", None, 1),
    ]
    report = Report(
        "medians.", [Section("A race", "text", targets=targets, plots=[Bars("Rates", "a.svg", {"x": 2})])]
    )

    report.write(tmp_path)

    text, data = (tmp_path / "report.md").read_text(), json.loads((tmp_path / "report.json").read_text())
    assert "| speed | ≥ 1 | 2.00 | met |" in text
    assert "| memory, MB | ≤ 400 | 500.00 | **not met** |" in text
    assert "| other | ≥ 1 | – | not measured |" in text
    assert [target["met"] for target in data["sections"][0]["targets"]] == [True, False, None]
    assert "<svg" in (tmp_path / "a.svg").read_text()
