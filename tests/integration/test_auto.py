"""The `auto` engine over real sites, with a real browser and without one."""

import asyncio
import time
from ipaddress import ip_network

import orjson
import pytest
import pytest_asyncio

from labelled.pages import CARDS, ITEM, ITEMS, Site, document, markup, plain, shells
from labelled.server import served
from scrapemaster.crawl.isolation import Isolation
from scrapemaster.crawl.runner import SliceRunner
from scrapemaster.domain.ids import UserId, new_job_id
from scrapemaster.domain.job import EngineName, Job, JobConfig
from scrapemaster.domain.rendering import Rendering
from scrapemaster.domain.request import NewRequest
from scrapemaster.engines.auto import AutoEngine
from scrapemaster.engines.browser import BrowserEngine
from scrapemaster.engines.http import HttpEngine
from scrapemaster.extract.selectors import parse_selectors
from scrapemaster.fetch.browser.pool import PoolRules
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.throttle import Throttle
from scrapemaster.storage.sqlite.store import SqliteStore

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Events:
    def publish(self, event):
        pass


def engines_over(egress):
    throttle = Throttle(32)
    http = HttpEngine(egress, throttle)
    browser = BrowserEngine(egress, throttle, PoolRules(pages=4), 16_000_000)
    return {EngineName.HTTP: http, EngineName.BROWSER: browser, EngineName.AUTO: AutoEngine(http, browser)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engines():
    made = engines_over(EgressPolicy([ip_network("127.0.0.0/8")]))
    yield made
    for engine in made.values():
        await engine.close()


@pytest.fixture(scope="module")
def sites():
    linked = Site("linked", CARDS, {"item": "article.card"})
    for item in ITEMS[:4]:
        linked.add(f"/item/{item['n']}", document(item["name"], markup(item)), "http")
    script = "<script>fetch('/links.json').then(r=>r.json()).then(l=>{document.body.innerHTML+=l.map(u=>`<a href=${u}>x</a>`).join('')})</script>"
    linked.add("/", document("All", "<h1 class=title>All</h1>" + "<a href=/#a>a</a>" * 3 + script), "browser")
    links = orjson.dumps([f"/item/{item['n']}" for item in ITEMS[:4]])
    linked.add("/links.json", links, "http", kind="application/json")
    with served([plain(), shells("svelte"), linked]) as running:
        yield {one.site.name: one for one in running}


@pytest_asyncio.fixture(loop_scope="module")
async def store(tmp_path):
    opened = SqliteStore(tmp_path / "auto.db")
    await opened.open()
    yield opened
    await opened.close()


async def done(store, engine, name, urls, selectors, **config):
    """A job of these URLs, run to its end, and its rows."""
    values = {"max_pages": len(urls), "max_retries": 1, **config}
    job = Job(
        new_job_id(), UserId("ada"), urls, parse_selectors(selectors), JobConfig(**values), time.time(), name
    )
    await store.jobs.add(job, [NewRequest.of(url) for url in urls])
    isolation = Isolation()
    runner = SliceRunner(store, lambda _: engine, Events(), isolation)
    again = 0.0
    while again is not None:
        await asyncio.sleep(min(again, 0.2))
        again = await runner.run(job.id)
    await runner.close()
    await isolation.close()
    rows = await store.results.page(job.id, limit=1_000)
    found = sorted(
        (row.url, orjson.loads(row.data)["title"] if "title" in selectors else row.data) for row in rows
    )
    return await store.jobs.get(job.id), found, [row.way for row in rows]


async def test_the_same_job_on_a_static_site_gives_equal_rows_on_every_engine(engines, store, sites):
    urls = [sites["plain"].url(f"/item/{n}") for n in range(1, 5)]

    found = {name: (await done(store, engine, name, urls, ITEM))[1] for name, engine in engines.items()}

    assert len(found[EngineName.HTTP]) == 4
    assert found[EngineName.HTTP] == found[EngineName.BROWSER] == found[EngineName.AUTO]


async def test_an_applications_pages_come_from_the_browser_and_each_is_one_page(engines, store, sites):
    urls = [sites["shell-svelte"].url(f"/item/{n}") for n in range(1, 4)]

    job, rows, ways = await done(store, engines[EngineName.AUTO], EngineName.AUTO, urls, ITEM)

    assert [title for _, title in rows] == [item["name"] for item in ITEMS[:3]]
    assert ways == ["browser/script_shell"] * 3
    assert (job.counters.fetched, job.counters.attempted, job.fetched_by) == (3, 3, "browser")
    assert (job.choices.http.fetches, job.choices.browser.fetches) == (3, 3)
    assert job.counters.fetch_ms == job.choices.http.ms + job.choices.browser.ms


async def test_links_that_only_a_browser_sees_are_followed(engines, store, sites):
    _, rows, ways = await done(
        store, engines[EngineName.AUTO], EngineName.AUTO, [sites["linked"].url("/")], {"title": "h1.title::text"}, max_pages=10, follow_links=True
    )  # fmt: skip

    assert len(rows) == 5
    assert sorted(ways) == ["browser/differed"] + ["http/no_scripts"] * 4


async def test_an_order_for_a_picture_has_every_page_rendered(engines, store, sites):
    urls = [sites["plain"].url("/item/1")]

    job, _, ways = await done(
        store, engines[EngineName.AUTO], EngineName.AUTO, urls, ITEM, browser=Rendering(screenshot="viewport")
    )

    assert (ways, job.choices.http.fetches) == (["browser/ordered"], 0)
    assert (await store.artefacts.find(job.id))[1] == 1


async def test_with_no_browser_on_the_machine_it_stays_with_http_and_says_what_to_install(
    store, sites, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    bare = engines_over(EgressPolicy([ip_network("127.0.0.0/8")]))[EngineName.AUTO]
    bare.check()
    urls = [sites["plain"].url("/item/1"), *(sites["shell-svelte"].url(f"/item/{n}") for n in range(1, 4))]

    job, rows, ways = await done(store, bare, EngineName.AUTO, urls, {"title": "title::text"})

    assert len(rows) == 4
    assert sorted(ways) == ["http/no_browser"] * 3 + ["http/no_scripts"]
    (warning,) = job.warnings
    assert "playwright install" in warning
    assert sites["shell-svelte"].url("/item/") in warning
