"""The scrapy engine: what a job's settings and components do, and that Scrapy is there only while a job needs it."""

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections import Counter
from ipaddress import ip_network

import pytest
import pytest_asyncio
import scrapy_parts
from awkward import awkward_site
from benchmarks.tree import tree
from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response

from scrapemaster.crawl.isolation import Isolation
from scrapemaster.crawl.runner import SliceRunner
from scrapemaster.domain.errors import InvalidInput
from scrapemaster.domain.ids import UserId, new_job_id
from scrapemaster.domain.job import EngineName, Job, JobConfig, JobStatus
from scrapemaster.domain.scrapy_settings import ScrapyRules
from scrapemaster.engines.scrapy import ScrapyEngine
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.scrapy import course, ticket
from scrapemaster.fetch.throttle import Throttle
from scrapemaster.local import _Silence
from scrapemaster.ports.engine import Link, Yielded
from scrapemaster.services.jobs import JobOrder, job_of
from scrapemaster.storage.sqlite.store import SqliteStore

pytestmark = pytest.mark.asyncio(loop_scope="module")

PACED = {
    "AUTOTHROTTLE_ENABLED": True,
    "AUTOTHROTTLE_START_DELAY": 3_600,
    "AUTOTHROTTLE_MAX_DELAY": 3_600,
}
PARTS = [
    name for name, part in vars(scrapy_parts).items() if getattr(part, "__module__", "") == "scrapy_parts"
]
RULES = ScrapyRules(frozenset(f"scrapy_parts.{name}" for name in [*PARTS, "Missing"]), ["PARTS_*"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site():
    async with awkward_site() as running:
        yield running


@pytest.fixture(scope="module")
def numbers():
    with tree(30) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store(tmp_path_factory):
    opened = SqliteStore(tmp_path_factory.mktemp("scrapy") / "scrapy.db")
    await opened.open()
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="module")
async def engine():
    made = ScrapyEngine(EgressPolicy([ip_network("127.0.0.1/32")]), Throttle(32), RULES)
    yield made
    await made.close()


@pytest.fixture(autouse=True)
def fresh(site):
    site.seen.clear()
    site.hits.clear()
    scrapy_parts.CALLS.clear()


def components(setting, *names):
    return {setting: {f"scrapy_parts.{name}": 500 + place for place, name in enumerate(names)}}


def source(engine, url, scrapy_settings=None, **config):
    values = {"respect_robots": False, "scrapy_settings": scrapy_settings or {}, **config}
    job = Job(new_job_id(), UserId("ada"), [url], {}, JobConfig(**values), 0.0, engine=EngineName.SCRAPY)
    return engine.open(job)


async def crawl(store, engine, url, scrapy_settings=None, selectors=None, *, running=False, **config):
    """Run a job to its end: the job, its rows in order of their pages, its failed pages."""
    values = {"respect_robots": False, "max_retries": 0, "scrapy_settings": scrapy_settings or {}, **config}
    order = JobOrder([url], JobConfig(**values), selectors or {"t": "title::text"}, EngineName.SCRAPY)
    job, seeds = job_of(order, UserId("ada"), time.time())
    isolation = Isolation()
    runner = SliceRunner(store, lambda _: engine, _Silence(), isolation)
    await store.jobs.add(job, seeds)
    if running:
        await store.jobs.transition(job.id, JobStatus.RUNNING, now=time.time())
    async with asyncio.timeout(60):
        while (again := await runner.run(job.id)) is not None:  # noqa: ASYNC110 -- how long is said by the runner
            await asyncio.sleep(again)
    await runner.close()
    await isolation.close()
    rows = [json.loads(row.data) async for batch in store.results.stream(job.id) for row in batch]
    failures, _ = await store.frontier.failures(job.id, limit=100)
    return await store.jobs.get(job.id), rows, failures


async def numbered(store, engine, url, scrapy_settings=None, **config):
    config = {"follow_links": True, "max_pages": 100, **config}
    job, rows, failures = await crawl(store, engine, url, scrapy_settings, {"n": "p.n::text"}, **config)
    return job, sorted((row["n"] for row in rows), key=int), failures


def reasons(failures):
    return {(page.reason, page.detail.partition(":")[0]) for page in failures}


async def test_headers_of_a_middleware_are_sent_and_its_secrets_stay_with_the_site(engine, site):
    pages = source(engine, site.url("/"), components("DOWNLOADER_MIDDLEWARES", "Agent"))

    own = await pages.fetch(site.url("/echo"))
    elsewhere = await pages.fetch(site.url(f"/moved?to={site.url('/echo', 'localhost')}"))
    await pages.close()

    assert b"user-agent: Parts/1.0" in own.body
    assert b"x-token: secret" in own.body
    assert b"user-agent: Parts/1.0" in elsewhere.body
    assert b"x-token" not in elsewhere.body


async def test_a_component_reads_settings_that_the_operator_opened(engine, site):
    settings = {**components("DOWNLOADER_MIDDLEWARES", "Agent"), "PARTS_AGENT": "Ada/2.0"}
    pages = source(engine, site.url("/"), settings)

    assert b"user-agent: Ada/2.0" in (await pages.fetch(site.url("/echo"))).body
    await pages.close()


async def test_a_middleware_may_try_another_page(store, engine, site):
    settings = components("DOWNLOADER_MIDDLEWARES", "Elsewhere")
    job, rows, _ = await crawl(store, engine, site.url("/status?code=403"), settings)

    assert (job.status, rows) == (JobStatus.COMPLETED, [{"t": "page"}])


@pytest.mark.parametrize(
    ("middleware", "title"), [("Canned", "canned"), ("Rewriting", "rewritten"), ("Late", "page")]
)
async def test_a_middleware_may_answer_by_itself_or_change_the_answer(store, engine, site, middleware, title):
    settings = components("DOWNLOADER_MIDDLEWARES", middleware)
    _, rows, _ = await crawl(store, engine, site.url("/page"), settings)

    assert rows == [{"t": title}]
    assert site.hits["/page"] == (middleware != "Canned")


@pytest.mark.parametrize(
    ("middleware", "reason", "said"),
    [
        ("Circle", "scrapy_component", "middlewares put one request in the place of the other, on and on"),
        ("Refusing", "scrapy_ignored", "a middleware ignores the page"),
        ("Failing", "scrapy_component", "ValueError in a middleware"),
        ("Proxying", "scrapy_component", "a middleware names a proxy"),
        ("Missing", "scrapy_component", "Scrapy could not be started"),
    ],
)
async def test_what_a_middleware_does_to_a_page_is_said(store, engine, site, middleware, reason, said):
    settings = components("DOWNLOADER_MIDDLEWARES", middleware)
    job, _, failures = await crawl(store, engine, site.url("/page"), settings)

    assert (job.status, reasons(failures)) == (JobStatus.FAILED, {(reason, said)})


@pytest.mark.parametrize(
    ("path", "config", "seen"),
    [("/slow", {"timeout": 0.5}, "DownloadTimeoutError"), ("/half", {"timeout": 5.0}, "ResponseDataLossError"),
     ("http://127.0.0.1:1024/", {}, "DownloadConnectionRefusedError"), ("http://127.0.0.2/", {}, "IgnoreRequest")],
)  # fmt: skip
async def test_middlewares_see_errors_that_they_know(store, engine, site, path, config, seen):
    url = path if path.startswith("http") else site.url(path)
    await crawl(store, engine, url, components("DOWNLOADER_MIDDLEWARES", "Late"), **config)

    assert {seen: 1} == scrapy_parts.CALLS


async def test_links_that_a_middleware_leaves_out_may_come_from_another_page_and_its_own_are_followed(
    store, engine, numbers
):
    settings = components("SPIDER_MIDDLEWARES", "FewerLinks")
    job, found, failures = await numbered(store, engine, numbers, settings, max_depth=1)

    assert found == [str(number) for number in range(11) if number != 2]
    assert (job.counters.discovered, failures) == (10, [])


async def test_an_error_that_a_middleware_takes_is_a_page_without_rows(store, engine, site):
    settings = components("SPIDER_MIDDLEWARES", "Forgiving")
    _, _, failures = await crawl(store, engine, site.url("/empty"), settings)

    assert [(page.state, page.reason) for page in failures] == [("skipped", "scrapy_dropped")]


async def test_pipelines_change_and_drop_rows_in_their_order(store, engine, numbers):
    settings = components("ITEM_PIPELINES", "Odd", "Doubling")
    job, rows, _ = await crawl(
        store, engine, numbers, settings, {"n": "p.n::text"}, follow_links=True, max_pages=100
    )

    assert sorted((row["n"], row["doubled"]) for row in rows) == sorted(
        (str(n), 2 * n) for n in range(1, 30, 2)
    )
    assert (job.counters.fetched, job.counters.items, job.fill) == (30, 15, {"n": 15})
    assert scrapy_parts.CALLS == {"opened": 1, "closed": 1}


async def test_rows_of_a_page_keep_their_order_through_pipelines(store, engine, site):
    settings = components("ITEM_PIPELINES", "Doubling")
    _, rows, _ = await crawl(
        store,
        engine,
        site.url("/json"),
        settings,
        {"n": {"selector": "$.n", "type": "jsonpath"}},
        item="$.items[*]",
    )

    assert [row["doubled"] for row in rows] == [2, 4]


async def test_a_row_that_a_pipeline_fails_on_is_not_lost_in_silence(store, engine, numbers):
    job, found, failures = await numbered(store, engine, numbers, components("ITEM_PIPELINES", "Broken"))

    assert [(page.url[-4:], page.reason) for page in failures] == [("/t/3", "scrapy_component")]
    assert "ValueError in an item pipeline: no threes" in failures[0].detail
    assert (job.counters.failed, "3" in found) == (1, False)


async def test_a_component_that_closes_the_spider_ends_the_job_with_a_reason(store, engine, numbers):
    job, found, failures = await numbered(
        store, engine, numbers, components("EXTENSIONS", "Closing"), concurrency=1
    )

    assert found == ["0"]
    assert (job.status, {page.reason for page in failures}) == (JobStatus.COMPLETED, {"scrapy_closed"})


async def test_a_component_that_never_ends_fails_the_page(store, engine, site, monkeypatch):
    monkeypatch.setattr(ticket, "WORK_SECONDS", 0.5)
    monkeypatch.setattr(course, "_CLOSE_SECONDS", 0.5)
    _, _, failures = await crawl(store, engine, site.url("/page"), components("EXTENSIONS", "Hanging"))

    assert reasons(failures) == {("scrapy_component", "components were not done with the page after 0.5 s")}


async def test_a_link_has_the_depth_and_priority_that_scrapy_gives_it(engine, site):
    pages = source(engine, site.url("/"), {"DEPTH_PRIORITY": 3})

    async def parse(page):
        return Yielded([{"n": 1}], [Link(site.url("/a b"), 5, 2)])

    brought = await pages.spider(site.url("/page"), 4, parse)
    await pages.close()

    assert brought == Yielded([{"n": 1}], [Link(site.url("/a b"), 5, 2 - 3 * 5)])


async def test_the_job_s_depth_limit_may_be_given_as_scrapy_s(store, engine, numbers):
    _, found, _ = await numbered(store, engine, numbers, {"DEPTH_LIMIT": 1})

    assert found == [str(number) for number in range(11)]


@pytest.mark.parametrize(
    ("settings", "asked"), [({}, 3), ({"RETRY_HTTP_CODES": [404]}, 1), ({"RETRY_ENABLED": False}, 1)]
)
async def test_what_is_tried_again_may_be_given_as_scrapy_s(store, engine, site, settings, asked):
    await crawl(store, engine, site.url("/status?code=500"), {"RETRY_TIMES": 2, **settings}, max_retries=3)

    assert site.hits["/status"] == asked


@pytest.mark.parametrize(("settings", "kept"), [({}, True), ({"COOKIES_ENABLED": False}, False)])
async def test_cookies_may_be_left_out(engine, site, settings, kept):
    pages = source(engine, site.url("/"), settings)
    await pages.fetch(site.url("/moved?to=/page"))

    await asyncio.gather(pages.fetch(site.url("/cookie")), return_exceptions=True)
    page = await pages.fetch(site.url("/echo"))
    await pages.close()

    assert (b"seen=yes" in page.body) is kept


async def test_the_first_page_waits_for_no_delay_though_the_machine_was_started_just_now(
    engine, site, monkeypatch
):
    started = time.monotonic()
    monkeypatch.setattr("scrapy.core.downloader.monotonic", lambda: 1.0 + time.monotonic() - started)
    pages = source(engine, site.url("/"), PACED)

    async with asyncio.timeout(30):
        await pages.fetch(site.url("/page"))

    assert site.hits["/page"] == 1
    await pages.close()


async def test_autothrottle_sets_the_pace_and_a_close_does_not_wait_for_it(engine, site):
    pages = source(engine, site.url("/"), PACED)
    await pages.fetch(site.url("/page"))
    assert pages.ready_at(site.url("/echo")) > time.monotonic() + 600
    waiting = asyncio.create_task(pages.fetch(site.url("/echo")))
    await asyncio.sleep(0.1)

    async with asyncio.timeout(60):
        await pages.close()
    await asyncio.gather(waiting, return_exceptions=True)

    assert waiting.done()
    assert site.hits["/echo"] == 0


async def test_H27_a_path_that_is_not_allowed_is_never_imported(engine, site):
    with pytest.raises(InvalidInput, match="not among the components that the operator allows"):
        source(engine, site.url("/"), {"ITEM_PIPELINES": {"this.Module": 1}})

    assert "this" not in sys.modules


@pytest.mark.parametrize("running", [False, True], ids=["not begun", "begun"])
async def test_a_job_whose_components_are_not_allowed_any_more_fails_with_a_sentence(store, site, running):
    strict = ScrapyEngine(EgressPolicy([ip_network("127.0.0.1/32")]), Throttle(32), ScrapyRules())
    settings = components("ITEM_PIPELINES", "Odd")
    job, _, _ = await crawl(store, strict, site.url("/page"), settings, running=running)
    await strict.close()

    assert job.status is JobStatus.FAILED
    assert "not among the components that the operator allows" in job.error
    assert site.seen == []


async def test_nothing_of_scrapy_is_left_when_its_jobs_are_over(store, engine, numbers):
    gc.collect()
    before = _scrapy_s()
    for _ in range(3):
        await numbered(store, engine, numbers)

    gc.collect()
    assert _scrapy_s() <= before


def _scrapy_s():
    """What there is of Scrapy's own objects; a test before may have left some that hang."""
    return Counter(
        type(thing) for thing in gc.get_objects() if isinstance(thing, Crawler | Request | Response)
    )


async def test_scrapy_is_loaded_by_no_process_that_runs_no_job_with_it():
    program = """
import sys
from scrapemaster.bootstrap import build_engines, build_proxies, crawler_app, open_store
from scrapemaster.domain.job import EngineName, JobConfig
from scrapemaster.settings import load_settings
from scrapemaster.storage.sqlite.store import SqliteStore

settings = load_settings(scrapy_components=("a.B",))
engines = build_engines(settings, build_proxies(settings, SqliteStore("unused.db")))
engine = engines.get(EngineName.SCRAPY)
engine.accept(JobConfig(scrapy_settings={"ITEM_PIPELINES": {"a.B": 1}}))
print([name for name in sys.modules if name.partition(".")[0] in {"scrapy", "itemadapter"} or name == "twisted.internet"])
"""
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
