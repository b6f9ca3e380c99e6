"""The browser over proxies: what they are asked for, and that one turned away costs no page."""

import asyncio
import contextlib
import os
import shutil
from ipaddress import ip_address, ip_network

import pytest
from awkward import PAGES, awkward_site, fixed, response
from benchmarks.manual_server import free_port
from guarded import CHALLENGE

from scrapemaster.domain.errors import PageError
from scrapemaster.domain.ids import UserId, new_job_id, new_proxy_id
from scrapemaster.domain.job import EngineName, Job, JobConfig
from scrapemaster.domain.proxy import Proxy
from scrapemaster.engines.browser import BrowserEngine
from scrapemaster.fetch.browser.pool import PoolRules
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.proxies import ProxyPool
from scrapemaster.fetch.throttle import Throttle
from scrapemaster.storage.sqlite.store import SqliteStore
from servers.proxies import recorder

PUBLIC = "93.184.216.34"


async def resolver(host):
    return [ip_address(PUBLIC if host == "shop.test" else "10.1.2.3")]


@pytest.fixture
async def site():
    PAGES["/script"] = fixed(response("<title>before</title><script>document.title='after'</script>"))
    async with awkward_site() as running:
        yield running


@pytest.fixture
async def store(tmp_path):
    opened = SqliteStore(tmp_path / "proxies.db")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def engine(store):
    if shutil.which("chromium") is None:
        assert os.environ.get("CI") != "true", "CI must install chromium"
    proxies = ProxyPool(store.proxies)
    egress = EgressPolicy([ip_network("127.0.0.1/32")], resolver=resolver)
    made = BrowserEngine(egress, Throttle(32), PoolRules(pages=4), 16_000_000, proxies)
    yield made
    await made.close()
    await proxies.close()


async def fetch(engine, url, **config):
    values = {"respect_robots": False, "timeout": 30.0, **config}
    job = Job(new_job_id(), UserId("ada"), [url], {}, JobConfig(**values), 0.0, EngineName.BROWSER)
    pages = engine.open(job)
    try:
        return await pages.fetch(url)
    finally:
        await pages.close()


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
async def test_H06_the_browsers_proxy_is_told_the_address_that_was_vetted_and_no_name(site, engine, scheme):
    async with recorder(("127.0.0.1", site.port), credentials=("ada", "s3cret")) as proxy:
        page = await fetch(engine, "http://shop.test/script", proxy=proxy.url(scheme))

    assert b"<title>after</title>" in page.body
    word = "CONNECT" if scheme == "http" else "address"
    assert set(proxy.asked) == {f"{word} {PUBLIC}:80"}
    assert set(proxy.logins) == {("ada", "s3cret")}


async def test_H06_what_the_browser_may_not_reach_no_proxy_is_asked_for(site, engine, store):
    async with recorder(("127.0.0.1", site.port)) as proxy:
        await store.proxies.add([Proxy(new_proxy_id(), proxy.url("socks5"), 0.0)], limit=10)
        with pytest.raises(PageError) as caught:
            await fetch(engine, "http://inner.test/page", proxy="pool")

    assert caught.value.reason == "egress_denied"
    assert proxy.asked == []


async def test_a_proxy_that_is_turned_away_or_gone_costs_no_page(site, engine, store):
    async def turn_away(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(response(CHALLENGE, Connection="close"))
            await writer.drain()
        writer.close()

    guard = await asyncio.start_server(turn_away, "127.0.0.1", 0)
    async with (
        recorder(("127.0.0.1", site.port)) as good,
        recorder(("127.0.0.1", guard.sockets[0].getsockname()[1])) as banned,
    ):
        gone = f"http://127.0.0.1:{free_port()}"
        urls = (gone, banned.url("http"), good.url("socks5"))
        proxies = [Proxy(new_proxy_id(), url, 0.0) for url in urls]
        await store.proxies.add(proxies, limit=10)

        pages = [await fetch(engine, "http://shop.test/script", proxy="pool") for _ in range(6)]
    guard.close()

    assert [b"<title>after</title>" in page.body for page in pages] == [True] * 6
    assert good.asked
