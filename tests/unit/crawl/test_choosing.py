"""How pages of `auto` go one by one: over a real store and runner, and a site that is a table of what each way brings."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from scrapemaster.crawl.isolation import Isolation
from scrapemaster.crawl.runner import SliceRunner
from scrapemaster.domain.errors import GiveUpPage, RetryPage
from scrapemaster.domain.escalation import STREAK
from scrapemaster.domain.ids import UserId, new_job_id
from scrapemaster.domain.job import EngineName, Job, JobConfig, JobStatus
from scrapemaster.domain.page import Page
from scrapemaster.domain.rendering import Rendering
from scrapemaster.domain.request import NewRequest
from scrapemaster.extract.selectors import parse_selectors
from scrapemaster.storage.sqlite.store import SqliteStore

LINKS = "<a href=/1>one</a><a href=/2>two</a><a href=/3>three</a>"
SCRIPT = "<script src=/app.js></script>"


def shown(name="a", price="1", script=SCRIPT):
    price = f"<p class=price>{price}</p>" if price else ""
    return f"<h1>{name}</h1>{price}{LINKS}<p>{'Some words to read. ' * 20}</p>{script}"


class Site:
    """An engine: `plain` and `rendered` give a page's HTML, or raise; each may be slow, and is counted."""

    name = "auto"

    def __init__(self, plain, rendered, lacking=None):
        self.plain, self.rendered, self.lacking = plain, rendered, lacking
        self.asked = []
        self.most_at_once = self.at_once = 0

    def check(self):
        pass

    def open(self, job):
        return self

    async def fetch(self, url):
        return self._page(url, "http", self.plain)

    async def render(self, url):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        return self._page(url, "browser", self.rendered)

    def _page(self, url, engine, html_of):
        self.asked.append((engine, url))
        body = html_of(url).encode()
        return Page(url, 200, {"content-type": "text/html"}, body, 0.25, time.time(), engine=engine)

    def times(self, engine):
        return sum(one == engine for one, _ in self.asked)

    def ready_at(self, url):
        return 0.0

    async def sitemap_urls(self, url, limit):
        return []

    async def close(self):
        pass


class Events:
    def publish(self, event):
        pass


@asynccontextmanager
async def opened(folder):
    store = SqliteStore(folder / "auto.db")
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def added(store, pages, path="/shop/{}", **config):
    urls = [f"http://site{path.format(n)}" for n in range(pages)]
    selectors = parse_selectors({"name": "h1::text", "price": ".price::text"})
    job = Job(
        new_job_id(), UserId("ada"), urls, selectors, JobConfig(max_pages=pages, **config), time.time(), EngineName.AUTO
    )  # fmt: skip
    await store.jobs.add(job, [NewRequest.of(url) for url in urls])
    return job


async def run(store, job, site):
    """The job as it is when nothing is left to do."""
    isolation = Isolation()
    runner = SliceRunner(store, lambda name: site, Events(), isolation)
    again = 0.0
    while again is not None:
        await asyncio.sleep(min(again, 0.05))
        again = await runner.run(job.id)
    await runner.close()
    await isolation.close()
    return await store.jobs.get(job.id)


async def ways(store, job):
    return [row.way for row in await store.results.page(job.id, limit=1000)]


async def test_the_first_page_of_many_is_rendered_for_comparison_and_those_like_it_wait_for_what_comes_of_it(tmp_path):  # fmt: skip
    site = Site(lambda url: shown(), lambda url: shown())
    async with opened(tmp_path) as store:
        done = await run(store, await added(store, 20), site)

        assert (site.times("http"), site.times("browser")) == (20, 1)
        assert sorted(await ways(store, done)) == ["http/checked"] + ["http/learned"] * 19
        assert (done.counters.fetched, done.counters.attempted, done.fetched_by) == (20, 20, "http")


async def test_where_the_first_rendering_differs_every_page_like_it_is_rendered(tmp_path):
    site = Site(lambda url: shown(price="old"), lambda url: shown(price="new"))
    async with opened(tmp_path) as store:
        done = await run(store, await added(store, 4), site)

        rows = await store.results.page(done.id)
        assert [row.data for row in rows] == [b'{"name":"a","price":"new"}'] * 4
        assert [row.way for row in rows] == ["browser/differed"] * 4
        assert site.times("http") == 4 + 1  # once more, to see that it is not the page itself that changes


async def test_what_changes_by_itself_is_no_reason_to_render(tmp_path):
    counter = iter(range(1, 100))
    site = Site(lambda url: shown(price=next(counter)), lambda url: shown(price=next(counter)))
    async with opened(tmp_path) as store:
        done = await run(store, await added(store, 10), site)

        assert (done.fetched_by, site.times("browser")) == ("http", 1)


async def test_a_single_page_that_is_complete_is_not_rendered(tmp_path):
    site = Site(lambda url: shown(), lambda url: shown())
    async with opened(tmp_path) as store:
        done = await run(store, await added(store, 1), site)

        assert await ways(store, done) == ["http/complete"]
        assert site.times("browser") == 0


async def test_both_fetches_of_a_page_are_paid_and_it_is_one_page(tmp_path):
    site = Site(lambda url: shown(price=""), lambda url: shown())
    async with opened(tmp_path) as store:
        done = await run(store, await added(store, 1), site)

        assert await ways(store, done) == ["browser/fields_empty"]
        assert (done.counters.fetched, done.counters.attempted) == (1, 1)
        assert (done.choices.http.fetches, done.choices.browser.fetches) == (2, 1)
        assert done.counters.fetch_ms == 750
        assert done.counters.bytes == done.choices.http.bytes + done.choices.browser.bytes
        (line,) = [line for line in await store.log.page(done.id) if line.event == "engine_chosen"]
        assert line.message.startswith("1 page rendered, fields_empty: http://site/shop/0 (")


async def test_what_was_learnt_outlives_the_process_that_learnt_it(tmp_path):
    shells = Site(lambda url: f"<div id=root></div>{SCRIPT}", lambda url: shown())
    async with opened(tmp_path) as store:
        job = await added(store, 30, concurrency=1)
        isolation = Isolation()
        first = SliceRunner(store, lambda name: shells, Events(), isolation)
        slice_ = asyncio.create_task(first.run(job.id))
        while (await store.jobs.get(job.id)).counters.fetched < STREAK + 1:  # noqa: ASYNC110 -- commits tell nobody
            await asyncio.sleep(0.005)
        first.stop()
        await slice_
        await first.close()
        await isolation.close()
        assert (await store.jobs.get(job.id)).status is JobStatus.RUNNING
        shells.asked.clear()

        done = await run(store, job, shells)

        first_asked = [engine for engine, _ in shells.asked[:3]]
        assert first_asked == ["browser"] * 3, "the plain request was made for pages of which all is known"
        assert done.choices.pages["browser/section_rendered"] >= 10
        assert done.counters.fetched == 30


async def test_an_expected_rendering_that_fails_leaves_what_was_there_plainly(tmp_path):
    def crash(url):
        raise RetryPage("browser_crashed", "it ended")

    site = Site(lambda url: shown(), crash)
    async with opened(tmp_path) as store:
        done = await run(store, await added(store, 3, max_retries=0), site)

        assert done.counters.fetched == 3
        assert set(await ways(store, done)) == {"http/render_failed"}


async def test_a_challenge_that_a_browser_does_not_pass_either_is_not_rendered_again_and_again(tmp_path):
    def challenge(url):
        return "<title>Just a moment...</title><script>window._cf_chl_opt={}</script>"

    site = Site(challenge, challenge)
    async with opened(tmp_path) as store:
        done = await run(store, await added(store, 12, max_retries=0), site)

        assert (done.status, done.stop_reason) == ("failed", "blocked")
        assert site.times("browser") == 2
        failed, total = await store.frontier.failures(done.id, limit=20)
        assert total == 12
        assert {page.evidence["engine"] for page in failed} == {"http", "browser"}
        assert {page.evidence["engine_reason"] for page in failed} == {"challenge", "learned"}


@pytest.mark.parametrize("refused", ["challenge", "http_403"])
async def test_a_page_that_was_refused_plainly_is_tried_in_the_browser(tmp_path, refused):
    def refuse(url):
        raise GiveUpPage(refused, "no", 403)

    site = Site(refuse, lambda url: shown())
    async with opened(tmp_path) as store:
        done = await run(store, await added(store, 2), site)

        assert (done.counters.fetched, done.fetched_by) == (2, "browser")


async def test_without_a_browser_pages_come_plainly_and_one_warning_says_what_to_do(tmp_path):
    site = Site(
        lambda url: shown(price=""), None, lacking="there is no Chromium: run apt-get install chromium"
    )
    async with opened(tmp_path) as store:
        done = await run(store, await added(store, 5), site)

        assert set(await ways(store, done)) == {"http/no_browser"}
        (warning,) = [text for text in done.warnings if "browser" in text]
        assert "/shop/0" in warning
        assert "apt-get install chromium" in warning


async def test_without_a_browser_complete_pages_need_no_warning(tmp_path):
    site = Site(lambda url: shown(), None, lacking="there is no Chromium")
    async with opened(tmp_path) as store:
        done = await run(store, await added(store, 5), site)

        assert (set(await ways(store, done)), done.warnings) == ({"http/complete"}, [])


async def test_an_order_for_what_only_a_browser_does_asks_nobody_plainly(tmp_path):
    site = Site(lambda url: shown(), lambda url: shown())
    async with opened(tmp_path) as store:
        done = await run(store, await added(store, 3, browser=Rendering(wait_for=".price")), site)

        assert set(await ways(store, done)) == {"browser/ordered"}
        assert site.times("http") == 0
