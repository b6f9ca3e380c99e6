"""Does `auto` choose right? Labelled pages, as jobs of a real service, beside the same jobs with `browser` for every page."""

import sys
from dataclasses import dataclass, field

import pytest
from benchmarks.service import Service

from labelled.pages import BROWSER, HTTP, ITEMS, all_sites
from labelled.server import served

#: Sites of which a run of some seconds has the first pages.
FEW = (
    "tracked",
    "hydrated-react",
    "shell-svelte",
    "half-react",
    "corrected-vue",
    "skeleton-angular",
    "challenge-200",
)


@dataclass
class Measured:
    """What a run of all jobs came to.

    Cost is in seconds of asking. What one plain request, and one rendering, cost is measured in the same run: the job's `engines` have how many
    there were and how long they took together. A run costs its requests of either kind at these prices; the perfect choice costs one plain request
    for each page labelled `http` and one rendering for each labelled `browser`, and nothing for finding out.
    """

    pages: int = 0
    wrong: list = field(default_factory=list)
    unequal: list = field(default_factory=list)
    labels: dict = field(default_factory=lambda: {HTTP: 0, BROWSER: 0})
    fetches: dict = field(default_factory=lambda: {HTTP: 0, BROWSER: 0})
    seconds: dict = field(default_factory=lambda: {HTTP: 0.0, BROWSER: 0.0})
    reasons: dict = field(default_factory=dict)

    @property
    def right(self):
        return 1 - len(self.wrong) / self.pages

    @property
    def prices(self):
        return {engine: self.seconds[engine] / max(1, self.fetches[engine]) for engine in self.fetches}

    @property
    def cost(self):
        """Times the cost of the perfect choice."""
        spent = sum(self.fetches[engine] * price for engine, price in self.prices.items())
        return spent / sum(self.labels[engine] * price for engine, price in self.prices.items())

    def __str__(self):
        prices = self.prices
        return (
            f"{self.pages} pages ({self.labels[HTTP]} http, {self.labels[BROWSER]} browser): {self.right:.1%} right, "
            f"{len(self.unequal)} with other rows, {self.cost:.3f} times the cost of the perfect choice; {self.fetches[HTTP]} plain requests of "
            f"{prices[HTTP] * 1000:.0f} ms, {self.fetches[BROWSER]} renderings of {prices[BROWSER] * 1000:.0f} ms; {self.reasons}; "
            f"wrong: {self.wrong}; unequal: {self.unequal}"
        )


def paths_of(site, most):
    return list(site.labels)[:most]


def ordered(service, running, engine, most):
    """A job for each site."""
    jobs = []
    for one in running:
        config = {**one.site.config, "max_retries": 2, "timeout": 60.0}
        if engine == BROWSER:
            config["browser"] = {"wait_until": "settled"}
        urls = [one.url(path) for path in paths_of(one.site, most)]
        jobs.append(
            service.create(urls=urls, engine=engine, selectors=one.site.selectors, config=config)["id"]
        )
    return [service.finished(job, 600) for job in jobs]


def by_page(service, job):
    """Engine and data of each page's rows."""
    pages = {}
    for row in service.rows(job["id"]):
        pages.setdefault(row["url"], []).append((row["engine_used"], row["data"]))
    return pages


def without(data, names):
    return {name: value for name, value in data.items() if name not in names}


def measured(service, running, most=None):
    """Run every job with `auto`, then with `browser`, and compare."""
    result = Measured()
    autos, browsers = (ordered(service, running, engine, most) for engine in ("auto", BROWSER))
    for one, auto, browser in zip(running, autos, browsers, strict=True):
        chosen, rendered = by_page(service, auto), by_page(service, browser)
        for path in paths_of(one.site, most):
            url, label = one.url(path), one.site.labels[path]
            result.pages += 1
            result.labels[label] += 1
            if {engine for engine, _ in chosen.get(url, [])} != {label}:
                result.wrong.append(
                    (one.site.name, path, sorted({engine for engine, _ in chosen.get(url, [])}))
                )
            rows = [
                [without(data, one.site.volatile) for _, data in pages.get(url, [])]
                for pages in (chosen, rendered)
            ]
            if rows[0] != rows[1] or not rows[0]:
                result.unequal.append((one.site.name, path, rows))
        for engine, share in auto["engines"].items():
            result.fetches[engine] += share["fetches"]
            result.seconds[engine] += share["seconds"]
            for reason, pages in share["reasons"].items():
                result.reasons[f"{engine}/{reason}"] = result.reasons.get(f"{engine}/{reason}", 0) + pages
        assert auto["pages_fetched"] == len(paths_of(one.site, most)), (
            one.site.name,
            auto,
            service.errors(auto["id"]),
        )
    return result


@pytest.fixture(scope="module")
def service():
    with Service() as running:
        yield running


def test_each_kind_of_page_is_had_by_the_engine_that_it_needs(service):
    with served([site for site in all_sites() if site.name in FEW]) as running:
        jobs = ordered(service, running, "auto", 2)

        for one, job in zip(running, jobs, strict=True):
            pages = by_page(service, job)
            for number, path in enumerate(paths_of(one.site, 2)):
                price = "€1.00" if one.site.name == "corrected-vue" else ITEMS[number]["price"]
                ((engine, data),) = pages[one.url(path)]
                assert engine == one.site.labels[path], (path, job["engines"])
                assert (data["title"], data["price"]) == (ITEMS[number]["name"], price)


@pytest.mark.soak
def test_on_labelled_pages_the_choice_is_right_its_rows_are_those_of_a_browser_and_it_costs_little_more(
    service,
):
    with served(all_sites()) as running:
        result = measured(service, running)

    sys.stdout.write(f"{result}\n")
    assert result.pages >= 200
    assert result.unequal == []
    assert result.right >= 0.98
    assert result.cost <= 1.2
