"""What goes over the wire to a proxy, and what the egress policy makes of it: the engine with proxies that record."""

import asyncio
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network

import pytest
from awkward import awkward_site
from benchmarks.manual_server import free_port

from scrapemaster.domain.errors import GiveUpPage, PageError, PostponePage
from scrapemaster.domain.ids import UserId, new_job_id, new_proxy_id
from scrapemaster.domain.job import Job, JobConfig
from scrapemaster.domain.proxy import Proxy, ProxyState, state_of
from scrapemaster.domain.proxy_health import Delta, Strike
from scrapemaster.engines.http import HttpEngine
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.proxies import ProxyPool
from scrapemaster.fetch.throttle import Throttle
from scrapemaster.services.proxy_keeper import ProxyKeeper
from scrapemaster.storage.sqlite.store import SqliteStore
from servers.proxies import recorder

LOOPBACK = ip_network("127.0.0.1/32")
PUBLIC = "93.184.216.34"
NAMES = {
    "shop.test": [PUBLIC],
    "inner.test": ["10.1.2.3"],
    "both.test": [PUBLIC, "10.1.2.3"],
    "proxy.test": ["127.0.0.1"],
    "lan-proxy.test": ["10.1.2.3"],
}


async def resolver(host):
    if host not in NAMES:
        raise OSError("no such name")
    return [ip_address(address) for address in NAMES[host]]


@pytest.fixture
async def site():
    async with awkward_site() as running:
        yield running


@pytest.fixture
async def store(tmp_path):
    opened = SqliteStore(tmp_path / "proxies.db")
    await opened.open()
    yield opened
    await opened.close()


@asynccontextmanager
async def engine(store=None, allow=(LOOPBACK,), **pool):
    proxies = None if store is None else ProxyPool(store.proxies, **pool)
    made = HttpEngine(EgressPolicy(list(allow), resolver=resolver), Throttle(32), proxies)
    made.tell = proxies.close if proxies else None  # the pool's, which engines share
    try:
        yield made
    finally:
        await made.close()
        if proxies is not None:
            await proxies.close()


def source(made, url, **config):
    values = {"respect_robots": False, "timeout": 5.0, **config}
    return made.open(
        Job(
            id=new_job_id(),
            owner=UserId("ada"),
            urls=[url],
            selectors={},
            config=JobConfig(**values),
            created_at=0.0,
        )
    )


async def refused(made, url, **config):
    with pytest.raises(PageError) as caught:
        await source(made, url, **config).fetch(url)
    return caught.value


async def pooled(store, *urls, **values):
    proxies = [Proxy(new_proxy_id(), url, float(number), **values) for number, url in enumerate(urls)]
    await store.proxies.add(proxies, limit=100)
    return [proxy.id for proxy in proxies]


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_H06_a_socks_proxy_is_told_the_address_that_was_vetted_and_no_name(site, scheme):
    async with (
        recorder(("127.0.0.1", site.port), credentials=("ada", "s3cret")) as proxy,
        engine() as made,
    ):
        page = await source(made, "http://shop.test/page", proxy=proxy.url(scheme)).fetch(
            "http://shop.test/page"
        )

    assert page.body == b"<title>page</title>"
    assert proxy.asked == [f"address {PUBLIC}:80"]
    assert proxy.logins == [("ada", "s3cret")]
    assert [request.headers["host"] for request in site.seen] == ["shop.test"]


async def test_H06_an_http_proxy_is_told_names_that_were_vetted(site):
    async with (
        recorder(("127.0.0.1", site.port), credentials=("ada", "s3cret")) as proxy,
        engine() as made,
    ):
        page = await source(made, "http://shop.test/page", proxy=proxy.url("http")).fetch(
            "http://shop.test/page"
        )

    assert page.body == b"<title>page</title>"
    assert proxy.asked == ["GET http://shop.test/page"]
    assert [request.headers.get("proxy-authorization") for request in site.seen] == [None]


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
@pytest.mark.parametrize(
    "host", ["inner.test", "both.test", "10.1.2.3", "169.254.169.254", "[::1]", "0x7f000002"]
)
async def test_H06_no_proxy_is_asked_for_an_address_that_is_not_public(site, store, scheme, host):
    async with recorder(("127.0.0.1", site.port)) as proxy, engine(store) as made:
        own = await refused(made, f"http://{host}/page", proxy=proxy.url(scheme))
        await pooled(store, proxy.url(scheme))
        over_pool = await refused(made, f"http://{host}/page", proxy="pool")

    assert {own.reason, over_pool.reason} <= {"egress_denied", "dns_failure"}
    assert proxy.asked == []
    assert site.seen == []


async def test_H06_a_redirect_over_a_proxy_is_vetted_too(site):
    async with recorder(("127.0.0.1", site.port)) as proxy, engine() as made:
        error = await refused(
            made, "http://shop.test/moved?to=http://inner.test/page", proxy=proxy.url("socks5")
        )

    assert error.reason == "egress_denied"
    assert proxy.asked == [f"address {PUBLIC}:80"]


@pytest.mark.parametrize(
    "place", ["lan-proxy.test:3128", "10.1.2.3:3128", "169.254.169.254:80", "127.0.0.1:6379"]
)
async def test_H06_the_proxys_own_address_goes_through_the_policy(site, store, place):
    async with engine(store) as made:
        own = await refused(made, "http://shop.test/page", proxy=f"http://ada:s3cret@{place}")
        (proxy_id,) = await pooled(store, f"http://ada:s3cret@{place}")
        with pytest.raises((PostponePage, GiveUpPage)) as caught:
            await source(made, "http://shop.test/page", proxy="pool").fetch("http://shop.test/page")
        await made.tell()

    assert own.reason == "egress_denied"
    assert "the job's proxy" in own.detail
    assert "s3cret" not in own.detail + str(caught.value)
    standing = (await store.proxies.standings(0.0))[proxy_id]
    assert standing.health.strikes == 1


async def test_H06_a_proxy_is_connected_to_at_the_address_that_was_vetted(site):
    answers = [["127.0.0.1"], ["127.0.0.2"], ["10.1.2.3"]]

    async def turning(host):
        addresses = [PUBLIC] if host == "shop.test" else answers.pop(0)
        return [ip_address(address) for address in addresses]

    made = HttpEngine(EgressPolicy([LOOPBACK], resolver=turning), Throttle(8))
    async with recorder(("127.0.0.1", site.port)) as proxy:
        page = await source(made, "http://shop.test/page", proxy=proxy.url("http", "turn.test")).fetch(
            "http://shop.test/page"
        )
    await made.close()

    assert page.status == 200
    assert proxy.asked == ["GET http://shop.test/page"]


async def test_H36_no_error_tells_a_proxys_credentials(site, store):
    async with (
        recorder(("127.0.0.1", site.port), credentials=("ada", "other")) as strict,
        recorder(("127.0.0.1", 1)) as broken,
        engine(store) as made,
    ):
        errors, closed = [], free_port()
        for scheme in ("http", "https", "socks5"):
            for port in (strict.port, broken.port, closed):
                for target in ("http://shop.test/page", "https://shop.test/page"):
                    own = f"{scheme}://us3r:s3cret@127.0.0.1:{port}"
                    errors.append(await refused(made, target, proxy=own, timeout=0.5))

    assert not [error for error in errors if "s3cret" in str(error) or "us3r" in str(error)]
    assert {error.reason for error in errors} <= {
        "proxy_error", "proxy_refused", "timeout", "connection_reset", "connection_failed", "tls_error",
    }  # fmt: skip
    wrong = [error for error in errors if "refuses the credentials" in error.detail]
    assert {error.reason for error in wrong} == {"proxy_error"}
    assert len(wrong) == 4


async def test_without_a_pool_nothing_is_fetched_from_our_own_address(site):
    async with engine(allow=[LOOPBACK]) as made:
        error = await refused(made, site.url("/page"), proxy="pool")

    assert error.reason == "proxies_exhausted"
    assert site.seen == []


async def test_robots_and_sitemaps_go_over_the_pool_too(site, store):
    async with recorder(("127.0.0.1", site.port)) as proxy, engine(store) as made:
        await pooled(store, proxy.url("socks5"))
        opened = source(made, "http://shop.test/page", proxy="pool", respect_robots=True)
        await opened.fetch("http://shop.test/page")
        await opened.sitemap_urls("http://shop.test/", 10)

    assert [request.path for request in site.seen] == ["/robots.txt", "/page", "/sitemap.xml", "/more.xml.gz"]
    assert set(proxy.asked) == {f"address {PUBLIC}:80"}


async def test_a_429_over_the_pool_holds_up_its_proxy_and_a_503_the_whole_host(site, store):
    async with (
        recorder(("127.0.0.1", site.port), answer=_answer(429, "Retry-After: 30")) as limited,
        recorder(("127.0.0.1", site.port)) as free,
        engine(store, ban_rest=1.0) as made,
    ):
        first, second = await pooled(store, limited.url("http"), free.url("http"))
        opened = source(made, "http://shop.test/page", proxy="pool")
        for _ in range(4):
            await asyncio.wait_for(opened.fetch("http://shop.test/page"), 10)
        ready_at = opened.ready_at("http://shop.test/page")
        await made.tell()
    health = await store.proxies.health(["shop.test"])

    assert len(limited.asked) == 1
    assert ready_at == 0.0
    rest = health[first, "shop.test"]
    assert rest.until - rest.struck_at == pytest.approx(30, abs=0.1)
    assert health[second, "shop.test"].good > 3.9


def _answer(status, *headers):
    return "\r\n".join([f"HTTP/1.1 {status} X", "Content-Length: 0", *headers, "", ""]).encode()


async def test_cookies_stay_with_their_session_and_the_job_s_own_are_in_each(site, store):
    async with (
        recorder(("127.0.0.1", site.port)) as one,
        recorder(("127.0.0.1", site.port)) as two,
        engine(store) as made,
    ):
        await pooled(store, one.url("socks5"), two.url("socks5"))
        opened = source(made, "http://shop.test/page", proxy="pool", cookies={"mine": "1"})
        for _ in range(2):
            await opened.fetch("http://shop.test/cookie")
        for _ in range(2):
            await opened.fetch("http://shop.test/page")

    assert [len(one.asked) > 0, len(two.asked) > 0] == [True, True]
    cookies = [(request.path, request.headers["cookie"]) for request in site.seen]
    assert [cookie for path, cookie in cookies if path == "/cookie"] == ["mine=1", "mine=1"]
    assert [cookie for path, cookie in cookies if path == "/page"] == ["mine=1; seen=yes"] * 2


async def test_a_dead_proxy_is_left_alone_until_a_check_goes_well(site, store):
    async with recorder(("127.0.0.1", site.port)) as proxy, engine(store) as made:
        (proxy_id,) = await pooled(store, proxy.url("http"))
        await store.proxies.report({(proxy_id, ""): Delta(1_000.0, bad=1, strike=Strike(1_000.0, 10.0))})
        await store.proxies.report({(proxy_id, ""): Delta(9_000.0, bad=1, strike=Strike(9_000.0, 10.0))})
        standing = (await store.proxies.standings(1e9))[proxy_id]
        error = await refused(made, "http://shop.test/page", proxy="pool")

        assert state_of(standing, 1e9) is ProxyState.DEAD
        assert (error.reason, proxy.asked) == ("proxies_exhausted", [])
        assert "1 dead" in error.detail
        await store.proxies.report({(proxy_id, ""): Delta(1e9, good=1, good_at=1e9, cleared=True)})
        await asyncio.sleep(0.3)  # the pool's look at the store is that old at most
        page = await source(made, "http://shop.test/page", proxy="pool").fetch("http://shop.test/page")
    assert page.status == 200


async def test_several_crawlers_share_what_they_learn(site, store):
    async with (
        recorder(("127.0.0.1", site.port), answer=_answer(429)) as limited,
        recorder(("127.0.0.1", site.port)) as free,
        engine(store) as one,
        engine(store) as two,
    ):
        (first, _) = await pooled(store, limited.url("http"), free.url("http"))
        opened = source(one, "http://shop.test/page", proxy="pool")
        for _ in range(4):
            await opened.fetch("http://shop.test/page")
        await one.tell()
        assert (await store.proxies.health(["shop.test"]))[first, "shop.test"].strikes == 1
        asked = len(limited.asked)
        for _ in range(8):
            await source(two, "http://shop.test/page", proxy="pool").fetch("http://shop.test/page")

    assert asked == len(limited.asked) == 1


async def test_a_keeper_brings_back_what_rests_or_is_dead_and_lets_rest_longer_what_does_not_answer(
    site, store
):
    async with recorder(("127.0.0.1", site.port)) as proxy:
        back, gone, banned = await pooled(
            store, proxy.url("http"), f"http://127.0.0.1:{free_port()}", proxy.url("socks5")
        )
        strike = Delta(1_000.0, bad=1, strike=Strike(1_000.0, 10.0))
        dead = Delta(9_000.0, bad=1, strike=Strike(9_000.0, 10.0))
        await store.proxies.report({(back, ""): strike, (gone, ""): strike, (banned, "shop.test"): strike})
        await store.proxies.report({(back, ""): dead})
        keeper = ProxyKeeper(store.proxies, EgressPolicy([LOOPBACK], resolver=resolver))

        assert await keeper.check_due(1_005.0) == 0
        assert await keeper.check_due(20_000.0) == 2

    standings = await store.proxies.standings(20_000.0)
    assert (standings[back].health.on_trial, standings[back].health.dead) == (False, False)
    assert (standings[gone].health.strikes, standings[banned].health.strikes) == (2, 0)
    assert await keeper.check_due(20_000.0) == 0
