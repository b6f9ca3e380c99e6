"""What a crawler keeps of the pool while its store is away or changes."""

import pytest

from scrapemaster.domain.errors import PostponePage, StoreUnavailable
from scrapemaster.domain.ids import new_proxy_id
from scrapemaster.domain.proxy import Proxy
from scrapemaster.domain.proxy_health import Mark
from scrapemaster.fetch.proxies import NoProxy, ProxyPool
from scrapemaster.storage.sqlite.store import SqliteStore

NOW = 1_000_000.0


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
async def store(tmp_path):
    opened = SqliteStore(tmp_path / "pool.db")
    await opened.open()
    yield opened
    await opened.close()


async def added(store, *names):
    proxies = [Proxy(new_proxy_id(), f"http://{name}.example:3128", 0.0, tags=[]) for name in names]
    await store.proxies.add(proxies, limit=10)
    return proxies


async def test_while_the_store_is_away_the_last_look_is_used_and_nothing_seen_is_lost(store):
    clock = Clock()
    pool = ProxyPool(store.proxies, clock=clock)
    (proxy,) = await added(store, "a")
    assert await pool.choose("h") == proxy

    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.proxies.all()
    clock.now += 10
    assert await pool.choose("h") == proxy
    pool.report(proxy, "h", Mark.GOOD, seconds=1.0)
    clock.now += 10
    assert await pool.choose("h") == proxy
    pool.report(proxy, "h", Mark.BANNED)
    await store.open()
    await pool.close()

    health = (await store.proxies.health(["h"]))[proxy.id, "h"]
    assert (round(health.good), round(health.bad), health.strikes) == (1, 1, 1)


async def test_a_pool_that_was_never_read_has_its_pages_wait(store):
    pool = ProxyPool(store.proxies, clock=Clock())
    await store.close()

    with pytest.raises(PostponePage) as caught:
        await pool.choose("h")
    await store.open()

    assert caught.value.until == NOW + 1
    with pytest.raises(NoProxy):
        await pool.choose("h")


async def test_a_proxy_that_was_changed_or_removed_is_used_no_longer(store):
    clock = Clock()
    pool = ProxyPool(store.proxies, clock=clock)
    (proxy,) = await added(store, "a")
    await pool.choose("h")
    assert pool.fits(proxy, "h")

    await store.proxies.delete(proxy.id)
    clock.now += 3
    with pytest.raises(NoProxy) as caught:
        await pool.choose("h")

    assert not pool.fits(proxy, "h")
    assert caught.value.shortage.total == 0


async def test_one_on_trial_gets_one_request_at_a_time_and_the_next_when_that_is_over(store):
    clock = Clock()
    pool = ProxyPool(store.proxies, clock=clock)
    (proxy,) = await added(store, "a")
    await pool.choose("h")
    pool.report(proxy, "h", Mark.BANNED)
    with pytest.raises(NoProxy) as caught:
        await pool.choose("h")
    assert caught.value.shortage.until == NOW + 60
    assert pool.ready_at("h") == NOW + 15

    clock.now += 60
    assert await pool.choose("h") == proxy
    with pytest.raises(NoProxy):
        await pool.choose("h")
    pool.drop(proxy, "h")
    assert await pool.choose("h") == proxy
    pool.report(proxy, "h", Mark.GOOD)
    assert [await pool.choose("h") for _ in range(2)] == [proxy, proxy]
    await pool.close()


async def test_unclear_ends_count_as_a_fault_only_in_a_row(store):
    pool = ProxyPool(store.proxies, clock=Clock())
    (proxy,) = await added(store, "a")
    await pool.choose("h")
    for _ in range(2):
        pool.suspect(proxy, "h", banned=True)
    pool.report(proxy, "h", Mark.GOOD)
    for _ in range(2):
        pool.suspect(proxy, "h", banned=True)
    assert pool.fits(proxy, "h")

    pool.suspect(proxy, "h", banned=True)

    assert not pool.fits(proxy, "h")
    assert pool.fits(proxy, "other")
    await pool.close()
