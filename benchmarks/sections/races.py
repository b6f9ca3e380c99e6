"""Crawls of five kinds of site, by us and by peers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from benchmarks.catalogue import ITEMS, catalogue
from benchmarks.documents import POSTGRESQL, PYTHON, served
from benchmarks.made_sites import many_hosts
from benchmarks.options import Options
from benchmarks.plot import Bars
from benchmarks.race import (
    HANDWRITTEN,
    OURS,
    OURS_SCRAPY,
    PEERS,
    RAW,
    SCRAPLING,
    SCRAPY,
    SERVER_CORE,
    WRK,
    Measured,
    race,
)
from benchmarks.report import Section, Table, Target
from benchmarks.tree import tree
from benchmarks.website import Site, Tally

_EVERYBODY = (*PEERS, WRK)
#: Seconds before each answer of the slow site.
_LATENCY = 0.05


def ratio(figures: Sequence[Measured], name: str, ours_as: str = OURS) -> float | None:
    """How many times as fast as somebody we are; None if either was missing."""
    rates = {one.name: one.rate for one in figures}
    ours, other = rates.get(ours_as, 0.0), rates.get(name, 0.0)
    return ours / other if ours and other else None


def table(figures: Sequence[Measured]) -> Table:
    """Everybody's figures; those who were missing, with the reason."""
    rows = []
    for one in figures:
        if not one.runs:
            rows.append([one.name, f"missing: {one.missing}", "", "", "", ""])
            continue
        other = ratio(figures, one.name)
        alone = one.name == WRK
        spread = f"{min(run.rate for run in one.runs):,.0f}–{max(run.rate for run in one.runs):,.0f}"
        rows.append(
            [
                one.name,
                f"{one.rate:,.0f}",
                spread,
                "–" if other is None else f"{other:.2f}",
                "–" if alone else f"{one.cpu_ms:.2f}",
                "–" if alone else f"{one.memory:,.0f}",
            ]
        )
    return Table(
        (
            "crawler",
            "pages/s, median",
            "of all runs",
            "we are × as fast",
            "CPU, ms a page",
            "peak memory, MB",
        ),
        rows,
    )


def section(
    title: str, site: Site, figures: Sequence[Measured], file: str, targets: Mapping[str, tuple[str, float]]
) -> Section:
    """A race as a section. `targets`: what is wanted, by crawler: in words, and how many times as fast we want to be."""
    runs = max(len(one.runs) for one in figures)
    return Section(
        title,
        f"{site.pages:,} pages of {site.mean_bytes / 1e3:,.1f} KB on average, {site.tally.rows:,} rows; every run of everybody came to "
        f"just these rows. Medians of {runs} {'run' if runs == 1 else 'runs'}, in turns, each crawler alone on one core, the site on the other.",
        tables=[table(figures)],
        targets=[Target(words, ratio(figures, name), bound) for name, (words, bound) in targets.items()],
        plots=[Bars(f"{title}: pages a second", file, {one.name: one.rate for one in figures if one.runs})],
        data={"site": site.name, "pages": site.pages, "crawlers": [asdict(one) for one in figures]},
    )


def manual(options: Options) -> Section:
    """Small pages, as there are most of."""
    copies = options.copies or options.size(1, 8)
    with served(POSTGRESQL, copies, SERVER_CORE) as site:
        figures = race(site, (OURS_SCRAPY, *_EVERYBODY), options.repeats)
    done = section(
        "Small pages: a real manual of 13 KB pages",
        site,
        figures,
        "manual.svg",
        {
            SCRAPY: ("13 KB pages: × tuned Scrapy", 7.0),
            SCRAPLING: ("13 KB pages: × Scrapling", 3.5),
            HANDWRITTEN: ("13 KB pages: × the hand-written loop", 0.75),
        },
    )
    around = Target(
        "13 KB pages, the scrapy engine: × tuned Scrapy", ratio(figures, SCRAPY, OURS_SCRAPY), 1.0
    )
    return replace(done, targets=[*done.targets, around])


def large(options: Options) -> Section:
    """Large pages, which are parsed longer than fetched."""
    with served(PYTHON, options.size(1, 4), SERVER_CORE) as site:
        figures = race(site, _EVERYBODY, options.repeats)
    return section(
        "Large pages: a real manual of 100 KB pages",
        site,
        figures,
        "large.svg",
        {SCRAPY: ("100 KB pages: × tuned Scrapy", 5.0)},
    )


def hosts(options: Options) -> Section:
    """Many hosts, each with its own robots.txt, connections and throttle."""
    with many_hosts(options.size(20, 1_000), options.size(20, 100), SERVER_CORE) as site:
        figures = race(site, (HANDWRITTEN, SCRAPY, SCRAPLING, RAW), options.size(1, options.repeats))
    return section("Many hosts", site, figures, "hosts.svg", {})


def items(options: Options) -> Section:
    """Pages with many rows."""
    with catalogue(options.size(100, 1_000), SERVER_CORE) as site:
        figures = race(site, _EVERYBODY, options.repeats)
    return section(f"A catalogue of {ITEMS} items a page", site, figures, "catalogue.svg", {})


def slow_tree(pages: int, url: str) -> Site:
    """The tree of `benchmarks.tree` as a site."""
    base = url.rpartition("/t/")[0]
    rows = [(f"{base}/t/{number}", f"Page {number}") for number in range(pages)]
    return Site(f"tree of {pages:,} pages", [url], f"{base}/", pages, 500.0, Tally.of(rows))


def latency(options: Options) -> Section:
    """A site that answers late: what counts is that everything asked for is under way."""
    pages = options.size(1_000, 10_000)
    with tree(pages, core=SERVER_CORE, delay=_LATENCY) as url:
        site = slow_tree(pages, url)
        figures = race(site, (HANDWRITTEN, SCRAPY, SCRAPLING, RAW), options.size(1, options.repeats))
    done = section(f"A site that answers after {1e3 * _LATENCY:.0f} ms", site, figures, "latency.svg", {})
    bound = f"With 32 requests under way none can be faster than {32 / _LATENCY:,.0f} pages/s."
    return replace(done, text=f"{done.text} {bound}")
