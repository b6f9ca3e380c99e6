import asyncio
from dataclasses import replace

import pytest

from scrapemaster.domain.errors import Conflict
from scrapemaster.domain.ids import ProxyId, new_proxy_id
from scrapemaster.domain.proxy import Proxy, Standing
from scrapemaster.domain.proxy_health import Delta, Health, Strike, added

NOW = 1_000_000.0


def make_proxy(number=1, **changes):
    values = {
        "id": new_proxy_id(),
        "url": f"http://ada:secret@proxy{number}.example:3128",
        "created_at": float(number),
        "tags": [],
    }
    return Proxy(**{**values, **changes})


async def stored(store, *proxies):
    await store.proxies.add(proxies, limit=1_000)
    return proxies


async def test_a_proxy_comes_back_as_it_was_stored(store):
    first, second = await stored(
        store, make_proxy(2, tier=3, tags=["home", "名"], enabled=False), make_proxy(1)
    )

    assert await store.proxies.get(first.id) == first
    assert await store.proxies.all() == [second, first]
    assert await store.proxies.get(ProxyId("none")) is None


async def test_enabled_ones_are_counted_by_tag(store):
    await stored(
        store,
        make_proxy(1, tags=["a", "b"]),
        make_proxy(2, tags=["b"]),
        make_proxy(3, tags=["b"], enabled=False),
    )

    assert [await store.proxies.count(tag) for tag in (None, "a", "b", "c")] == [2, 1, 2, 0]


async def test_of_several_added_at_once_all_are_stored_or_none(store):
    known, *_ = await stored(store, make_proxy(1))
    again = replace(make_proxy(1), url=known.url.replace("secret", "other"))

    for batch in ([make_proxy(2), again], [make_proxy(3), make_proxy(3)]):
        with pytest.raises(Conflict, match=r"\*\*\*@proxy") as caught:
            await store.proxies.add(batch, limit=1_000)
        assert "secret" not in str(caught.value)
    with pytest.raises(Conflict, match="2 are allowed"):
        await store.proxies.add([make_proxy(4), make_proxy(5)], limit=2)
    assert await store.proxies.all() == [known]


async def test_another_user_of_one_proxy_is_another_proxy(store):
    first, second = await stored(
        store, make_proxy(1), make_proxy(1, url="http://bob:secret@proxy1.example:3128")
    )

    assert {one.id for one in await store.proxies.all()} == {first.id, second.id}


async def test_a_proxy_is_changed_and_keeps_its_health_with_its_name(store):
    proxy, other = await stored(store, make_proxy(1), make_proxy(2))
    await store.proxies.report({(proxy.id, ""): Delta(NOW, good=1, good_at=NOW)})
    changed = replace(proxy, url=proxy.url.replace("secret", "new"), tier=2, tags=["x"], enabled=False)

    assert await store.proxies.update(changed)
    assert await store.proxies.get(proxy.id) == changed
    assert (proxy.id, "") in await store.proxies.health([])

    assert await store.proxies.update(replace(changed, url="http://elsewhere.example:1"))
    assert await store.proxies.health([]) == {}
    with pytest.raises(Conflict):
        await store.proxies.update(replace(changed, url=other.url))
    assert not await store.proxies.update(make_proxy(9))


async def test_a_proxy_goes_with_its_health(store):
    (proxy,) = await stored(store, make_proxy())
    await store.proxies.report({(proxy.id, "shop"): Delta(NOW, good=1, good_at=NOW)})

    assert await store.proxies.delete(proxy.id)

    assert not await store.proxies.delete(proxy.id)
    assert await store.proxies.all() == []
    await store.proxies.report({(proxy.id, "shop"): Delta(NOW, good=1, good_at=NOW)})
    assert await store.proxies.health(["shop"]) == {}


async def test_health_is_found_by_host_with_the_proxies_own(store):
    (proxy,) = await stored(store, make_proxy())
    own, there = (
        Delta(NOW, good=2, seconds=1, good_at=NOW),
        Delta(NOW, bad=1, strike=Strike(NOW, 60.0, banned=True)),
    )
    await store.proxies.report({(proxy.id, ""): own, (proxy.id, "shop"): there, (proxy.id, "$a.b"): own})

    found = await store.proxies.health(["shop", "nowhere"])

    assert found == {(proxy.id, ""): added(Health(), own), (proxy.id, "shop"): added(Health(), there)}
    assert await store.proxies.health(["$a.b"]) == {
        (proxy.id, ""): added(Health(), own),
        (proxy.id, "$a.b"): added(Health(), own),
    }


async def test_what_several_report_at_once_is_added_and_not_overwritten(store):
    (proxy,) = await stored(store, make_proxy())
    delta = Delta(NOW, good=1, bad=1, seconds=0.5, good_at=NOW)

    await asyncio.gather(*(store.proxies.report({(proxy.id, "shop"): delta}) for _ in range(20)))

    health = (await store.proxies.health(["shop"]))[proxy.id, "shop"]
    assert (health.good, health.bad, health.seconds) == pytest.approx((20, 20, 10))


async def test_strikes_of_several_during_one_rest_are_one(store):
    (proxy,) = await stored(store, make_proxy())

    await asyncio.gather(
        *(
            store.proxies.report(
                {(proxy.id, "shop"): Delta(NOW + number, bad=1, strike=Strike(NOW + number, 60.0))}
            )
            for number in range(10)
        )
    )

    health = (await store.proxies.health(["shop"]))[proxy.id, "shop"]
    assert (health.strikes, health.bad > 9) == (1, True)


async def test_what_has_no_weight_any_more_is_forgotten(store):
    (proxy,) = await stored(store, make_proxy())
    old = Delta(NOW, good=1, good_at=NOW)
    await store.proxies.report({(proxy.id, "old"): old, (proxy.id, ""): old})

    await store.proxies.report({(proxy.id, "new"): replace(old, at=NOW + 90_000)})

    assert {host for _, host in await store.proxies.health(["old", "new"])} == {"", "new"}


async def test_standings_count_hosts_of_late_and_bans(store):
    first, second = await stored(store, make_proxy(1), make_proxy(2))
    ban = Delta(NOW, bad=1, strike=Strike(NOW, 60.0, banned=True))
    good = Delta(NOW, good=1, good_at=NOW)
    own = Delta(NOW, good=1, bad=1, good_at=NOW)
    await store.proxies.report({(first.id, ""): own, (first.id, "a"): ban, (first.id, "b"): good})

    standings = await store.proxies.standings(NOW + 1)

    assert list(standings) == [first.id, second.id]
    assert standings[first.id] == Standing(added(Health(), own), 2, 1)
    assert standings[second.id] == Standing()
    assert (await store.proxies.standings(NOW + 60))[first.id].hosts_banned == 0
    assert (await store.proxies.standings(NOW + 4_000))[first.id].hosts == 0


async def test_the_hosts_a_proxy_rests_for_are_named(store):
    (proxy,) = await stored(store, make_proxy())
    rest = Strike(NOW, 60.0, banned=True)
    await store.proxies.report(
        {(proxy.id, host): Delta(NOW, bad=1, strike=rest) for host in ("b", "a", "c", "")}
    )

    assert await store.proxies.rests(proxy.id, NOW + 1) == dict.fromkeys("abc", NOW + 60)
    assert await store.proxies.rests(proxy.id, NOW + 1, limit=1) == {"a": NOW + 60}
    assert await store.proxies.rests(proxy.id, NOW + 60) == {}
