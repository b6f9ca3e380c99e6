"""Browsers that crash, hang, grow and are killed: no row is lost, and no process is left."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path

import pytest
import pytest_asyncio
from awkward import PAGES, awkward_site, fixed, response
from benchmarks.service import Service
from benchmarks.tree import tree

from scrapemaster.domain.errors import GiveUpPage, RetryPage
from scrapemaster.domain.ids import UserId, new_job_id
from scrapemaster.domain.job import Job, JobConfig
from scrapemaster.domain.rendering import Rendering
from scrapemaster.engines.browser import BrowserEngine
from scrapemaster.fetch.browser.pool import PoolRules
from scrapemaster.fetch.browser.processes import resident, tree_of
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.throttle import Throttle

KILLS = int(os.environ.get("SCRAPEMASTER_TEST_KILLS", "3"))
#: Pages of the walk that watches memory; by hand 1,000.
PAGES_OF_WALK = int(os.environ.get("SCRAPEMASTER_TEST_BROWSER_PAGES", "150"))


def make_engine(**rules):
    return BrowserEngine(
        EgressPolicy([ip_network("127.0.0.1/32")]),
        Throttle(32),
        PoolRules(**{"pages": 4, **rules}),
        16_000_000,
    )


def source(engine, url, rendering=None, **config):
    values = {"respect_robots": False, "timeout": 20.0, "browser": rendering or Rendering(), **config}
    return engine.open(Job(new_job_id(), UserId("ada"), [url], {}, JobConfig(**values), 0.0))


def exists(pid):
    """Whether a process is there, and not only its name."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def gone(pids, seconds=20.0):
    end = time.monotonic() + seconds
    while left := [pid for pid in pids if exists(pid)]:
        assert time.monotonic() < end, left
        await asyncio.sleep(0.05)


def wait_gone(pids, seconds=20.0):
    asyncio.run(gone(pids, seconds))


@pytest_asyncio.fixture
async def site():
    async with awkward_site() as running:
        yield running


@pytest_asyncio.fixture
async def engine():
    made = make_engine()
    yield made
    await made.close()


HOSTILE = {
    "an endless loop": "while(true);",
    "an endless loop later": "setTimeout(()=>{while(true);},50)",
    "alerts": "while(true)alert(1)",
    "confirmations": "while(confirm('x')||1);",
    "windows": "setInterval(()=>{for(let n=0;n<50;n++)window.open('/page')},1)",
    "mutations": "setInterval(()=>{for(let n=0;n<1000;n++){d=document.createElement('b');document.body.append(d);d.remove()}},1)",
    "downloads": "setInterval(()=>{a=document.createElement('a');a.href='/attachment';a.download='x';a.click()},5)",
    "permissions": "for(n of ['geolocation','notifications','camera'])navigator.permissions.query({name:n}).catch(()=>0);"
    "navigator.geolocation.getCurrentPosition(()=>0);Notification.requestPermission()",
    "going in circles": "setInterval(()=>location.reload(),20)",
    "printing": "window.print()",
    "a bad beforeunload": "onbeforeunload=e=>{e.preventDefault();while(true);}",
}


@pytest.mark.parametrize("trouble", HOSTILE)
async def test_H25_a_hostile_page_ends_in_time_and_leaves_nothing_behind(engine, site, trouble):
    PAGES["/hostile"] = fixed(response(f"<title>x</title><body><p>x</p><script>{HOSTILE[trouble]}</script>"))
    pages = source(engine, site.url("/hostile"), Rendering(wait_for=1_000), timeout=6.0)

    with suppress(RetryPage, GiveUpPage):
        await asyncio.wait_for(pages.fetch(site.url("/hostile")), 30)
    after = await source(engine, site.url("/page")).fetch(site.url("/page"))

    assert after.status == 200
    await pages.close()
    await engine.close()
    assert engine.pool.pids == []


async def test_H25_a_page_that_takes_all_memory_is_ended_alone(site):
    engine = make_engine(recycle_memory=600_000_000)
    PAGES["/hog"] = fixed(
        response(
            "<title>x</title><script>a=[];setInterval(()=>a.push(new Uint8Array(5e7).fill(1)),20)</script>"
        )
    )
    hog = source(engine, site.url("/hog"), Rendering(wait_for=60_000), timeout=90.0)

    with pytest.raises(RetryPage) as caught:
        await hog.fetch(site.url("/hog"))
    after = await source(engine, site.url("/page")).fetch(site.url("/page"))
    await engine.close()

    assert caught.value.reason == "page_crashed"
    assert after.status == 200


async def test_a_page_whose_process_crashes_is_worth_another_try(engine, site):
    PAGES["/long-look"] = fixed(response("<title>x</title>"))
    pages = source(engine, site.url("/long-look"), Rendering(wait_for=30_000), timeout=60.0)
    under_way = asyncio.create_task(pages.fetch(site.url("/long-look")))
    while not (site.hits["/long-look"] and engine.pool.pids):  # noqa: ASYNC110 -- nobody tells
        await asyncio.sleep(0.05)
    await asyncio.sleep(1.0)

    for one in tree_of(engine.pool.pids[0]):
        if one.renderer:
            os.kill(one.pid, signal.SIGKILL)
    with pytest.raises(RetryPage) as caught:
        await asyncio.wait_for(under_way, 30)

    assert caught.value.reason == "page_crashed"


async def test_a_browser_that_ends_under_its_pages_is_replaced_and_they_are_loaded_again(engine, site):
    pages = source(engine, site.url("/slow"))
    under_way = [asyncio.create_task(pages.fetch(site.url("/slow?seconds=3"))) for _ in range(3)]
    while site.hits["/slow"] < 3:  # noqa: ASYNC110 -- nobody tells
        await asyncio.sleep(0.05)
    before = engine.pool.pids

    os.kill(before[0], signal.SIGKILL)
    results = await asyncio.gather(*under_way)

    assert [page.status for page in results] == [200, 200, 200]
    assert engine.pool.pids != before
    assert site.hits["/slow"] == 6


@pytest.mark.soak
@pytest.mark.parametrize("which", ["browser", "driver"])
async def test_a_browser_or_driver_that_hangs_is_replaced(engine, site, which):
    pages = source(engine, site.url("/page"), timeout=5.0)
    await pages.fetch(site.url("/page"))
    warden = engine.pool._driver._warden
    frozen = engine.pool.pids[0] if which == "browser" else _driver_of(warden)
    everything = [one.pid for one in tree_of(warden)]

    os.kill(frozen, signal.SIGSTOP)
    end = time.monotonic() + 90
    while True:
        with suppress(RetryPage):
            page = await pages.fetch(site.url("/page"))
            break
        assert time.monotonic() < end

    assert page.status == 200
    assert not exists(frozen)
    await engine.close()
    await gone(everything)


def _driver_of(warden):
    return next(
        one.pid for one in tree_of(warden) if one.parent == warden and b"run-driver" in command(one.pid)
    )


def command(pid):
    """A process's command; nothing once it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("which", ["warden", "driver"])
async def test_what_a_dead_warden_or_driver_leaves_is_cleared_away(engine, site, which):
    pages = source(engine, site.url("/page"))
    await pages.fetch(site.url("/page"))
    warden = engine.pool._driver._warden
    everything = [one.pid for one in tree_of(warden)]

    os.kill(warden if which == "warden" else _driver_of(warden), signal.SIGKILL)

    await gone(everything)
    assert (await pages.fetch(site.url("/page"))).status == 200


async def memory_of_a_browser(site):
    engine = make_engine()
    await source(engine, site.url("/page")).fetch(site.url("/page"))
    size = resident(tree_of(engine.pool.pids[0]))
    await engine.close()
    return size


@pytest.mark.parametrize(
    "rules",
    [{"recycle_pages": 2}, {"recycle_seconds": 1.0}, {"recycle_memory": 0.8}],
    ids=lambda one: next(iter(one)),
)
async def test_a_browser_is_replaced_when_its_time_has_come(site, rules):
    if "recycle_memory" in rules:
        # Chromium's headless shell takes half of what the whole of Chromium does.
        rules = {"recycle_memory": int(rules["recycle_memory"] * await memory_of_a_browser(site))}
    engine = make_engine(**rules)
    pages = source(engine, site.url("/page"))
    seen = set()

    end = time.monotonic() + 60
    while len(seen) < 3:
        assert (await pages.fetch(site.url("/page"))).status == 200
        seen |= set(engine.pool.pids)
        assert time.monotonic() < end, seen
        await asyncio.sleep(0.5)

    await gone([pid for pid in seen if pid not in engine.pool.pids])
    await engine.close()
    await gone(seen)


async def test_nothing_is_left_when_no_job_has_use_for_browsers(site):
    engine = make_engine(idle_seconds=0.5)
    pages = source(engine, site.url("/page"))
    await pages.fetch(site.url("/page"))
    warden, folder = engine.pool._driver._warden, engine.pool._driver.folder
    everything = [one.pid for one in tree_of(warden)]
    await asyncio.sleep(3.0)
    assert exists(everything[0]), "a job that is not over keeps its browser"

    await pages.close()

    await gone(everything)
    assert not folder.exists()
    assert (await source(engine, site.url("/page")).fetch(site.url("/page"))).status == 200
    await engine.close()


def order(url, **config):
    return {
        "url": url,
        "engine": "browser",
        "selectors": {"n": "p.n::text"},
        "config": {
            "follow_links": True,
            "max_pages": 10_000,
            "respect_robots": False,
            "max_retries": 10,
            **config,
        },
    }


def browsers_of(service):
    """All processes below the crawler but those that extract, and those of them that are a browser's first."""
    crawler = service.crawler_pid()
    below = tree_of(crawler)[1:] if crawler is not None else []
    wardens = [one.pid for one in below if b"warden.py" in command(one.pid)]
    return [one for warden in wardens for one in tree_of(warden)]


def first_of(processes):
    return [
        one.pid
        for one in processes
        if b"--type=" not in command(one.pid) and b"--remote-debugging-pipe" in command(one.pid)
    ]


def wait_for_pages(service, job_id, count):
    end = time.monotonic() + 120
    while service.job(job_id)["pages_fetched"] < count:
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.soak
def test_H41_killing_chromium_again_and_again_loses_and_doubles_no_row():
    chance = random.Random(25)
    pages = 30 * KILLS
    with tree(pages) as url, Service() as service:
        job = service.create(**order(url))
        seen = set()

        for number in range(KILLS):
            wait_for_pages(service, job["id"], 10 * number + 3)
            time.sleep(chance.uniform(0.0, 0.5))
            below = browsers_of(service)
            seen |= {one.pid for one in below}
            with suppress(ProcessLookupError, FileNotFoundError, IndexError):
                victims = first_of(below) if number % 2 == 0 else [one.pid for one in below if one.renderer]
                os.kill(chance.choice(victims), signal.SIGKILL)

        job = service.finished(job["id"], 300)
        rows = Counter(int(row["data"]["n"]) for row in service.rows(job["id"]))
        seen |= {one.pid for one in browsers_of(service)}
        assert (job["status"], job["pages_failed"]) == ("completed", 0), service.errors(job["id"])
        assert rows == Counter(range(pages))
        service.stop()
        wait_gone(seen)


@pytest.mark.parametrize("which", ["crawler", "service", "both"])
def test_H41_no_browser_outlives_its_crawler_however_that_went(which):
    with tree(1_000, delay=0.01) as url, Service() as service:
        job = service.create(**order(url))
        wait_for_pages(service, job["id"], 2)
        crawler, below = service.crawler_pid(), browsers_of(service)
        assert len(below) > 4
        folders = {Path(f"/proc/{one.pid}/environ").read_bytes() for one in below[:1]}
        folder = next(
            Path(part.partition(b"=")[2].decode())
            for part in next(iter(folders)).split(b"\0")
            if part.startswith(b"WARDEN_FOLDER=")
        )

        if which in {"service", "both"}:
            service.kill()
        if which in {"crawler", "both"}:
            os.kill(crawler, signal.SIGKILL)

        wait_gone([crawler, *(one.pid for one in below)])
        assert not folder.exists()


def test_H48_a_job_that_is_cancelled_and_a_service_that_stops_leave_no_process():
    with tree(1_000) as url, Service(SCRAPEMASTER_BROWSER_IDLE_SECONDS="0.5") as service:
        job = service.create(**order(url))
        wait_for_pages(service, job["id"], 2)
        below = [one.pid for one in browsers_of(service)]

        service.act(job["id"], "cancel")
        wait_gone(below)
        again = service.create(**order(url))
        wait_for_pages(service, again["id"], 2)
        below = [one.pid for one in browsers_of(service)]
        assert service.stop() == 0

        wait_gone(below)


@pytest.mark.soak
async def test_memory_comes_back_to_what_it_was_after_a_hundred_pages():
    engine = make_engine(recycle_pages=50)
    levels = {}
    with tree(PAGES_OF_WALK) as url:
        pages = source(engine, url)
        base = url.removesuffix("0")
        for first in range(0, PAGES_OF_WALK, 10):
            await asyncio.gather(*(pages.fetch(f"{base}{first + n}") for n in range(10)))
            if first + 10 in {100, PAGES_OF_WALK}:
                levels[first + 10] = await _settled(engine)
        await pages.close()
    await engine.close()

    assert levels[PAGES_OF_WALK] <= levels[100] * 1.1, {n: f"{size >> 20} MiB" for n, size in levels.items()}


async def _settled(engine):
    """The least memory that is seen within some seconds: pages that were closed take a moment to go."""
    sizes = []
    for _ in range(8):
        await asyncio.sleep(0.5)
        sizes.append(sum(resident(tree_of(pid)) for pid in engine.pool.pids))
    return min(sizes)
