"""The proxy pool as an admin manages it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scrapemaster.domain.errors import GiveUpPage, InvalidInput, InvalidUrl, NotFound, RetryPage
from scrapemaster.domain.ids import ProxyId, new_proxy_id
from scrapemaster.domain.job import JobConfig
from scrapemaster.domain.proxy import (
    Proxy,
    ProxyState,
    Standing,
    address_of,
    figures_of,
    is_pool,
    masked,
    parse_proxy,
    pool_tag,
    state_of,
)
from scrapemaster.domain.proxy_health import UNREACHABLE_REST, Delta, Strike
from scrapemaster.domain.url import host_of, parse_url
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.proxy_check import Checked, check_proxy
from scrapemaster.ports.proxies import HealthKey, ProxyStore

#: Proxies a pool may have.
AT_MOST = 10_000
#: Names resolved at once when many proxies are added.
_RESOLVED_AT_ONCE = 50


@dataclass(slots=True, frozen=True)
class PooledProxy:
    """A proxy with its state at a time (epoch seconds), and the hosts it rests for with the ends of the rests."""

    proxy: Proxy
    standing: Standing
    now: float
    rests: Mapping[str, float] = field(default_factory=dict)

    @property
    def state(self) -> ProxyState:
        """See `proxy.state_of`."""
        return state_of(self.standing, self.now)


class ProxyService:
    """Use cases of the proxy pool."""

    def __init__(self, store: ProxyStore, egress: EgressPolicy) -> None:
        self._store = store
        self._egress = egress

    async def add(self, urls: Sequence[str], *, tier: int = 0, tags: Sequence[str] = ()) -> list[PooledProxy]:
        """Put proxies into the pool, all or none; raises `InvalidInput` and `Conflict`."""
        now = time.time()
        normal = []
        for index, text in enumerate(urls):
            normal.append(_parsed(text, ("url",) if len(urls) == 1 else ("urls", index)))
        places = asyncio.Semaphore(_RESOLVED_AT_ONCE)

        async def vet(index: int, url: str) -> None:
            async with places:
                await self._vet(url, ("url",) if len(urls) == 1 else ("urls", index))

        await asyncio.gather(*(vet(index, url) for index, url in enumerate(normal)))
        tags = list(dict.fromkeys(tags))
        # A microsecond apart, so that they are listed as they were given.
        proxies = [
            Proxy(new_proxy_id(), url, now + index / 1e6, tier, tags) for index, url in enumerate(normal)
        ]
        await self._store.add(proxies, limit=AT_MOST)
        return [PooledProxy(proxy, Standing(), now) for proxy in proxies]

    async def find(
        self, *, state: ProxyState | None = None, tag: str | None = None, skip: int = 0, limit: int = 50
    ) -> tuple[list[PooledProxy], int]:
        """One page of the pool, oldest first, and how many there are."""
        now = time.time()
        standings = await self._store.standings(now)
        pool = [
            PooledProxy(proxy, standings.get(proxy.id, Standing()), now)
            for proxy in await self._store.all()
            if tag is None or tag in proxy.tags
        ]
        found = [pooled for pooled in pool if state is None or pooled.state is state]
        return found[skip : skip + limit], len(found)

    async def get(self, proxy_id: ProxyId) -> PooledProxy:
        """The proxy; raises `NotFound`."""
        proxy = await self._store.get(proxy_id)
        if proxy is None:
            raise NotFound("Proxy not found")
        now = time.time()
        standing = (await self._store.standings(now)).get(proxy_id, Standing())
        return PooledProxy(proxy, standing, now, await self._store.rests(proxy_id, now))

    async def change(self, proxy_id: ProxyId, changes: Mapping[str, Any]) -> PooledProxy:
        """Change what `changes` names of `url`, `tier`, `tags`, `enabled`; raises `NotFound`, `InvalidInput`, `Conflict`."""
        proxy = (await self.get(proxy_id)).proxy
        changes = dict(changes)
        if "url" in changes:
            changes["url"] = _parsed(changes["url"], ("url",))
            await self._vet(changes["url"], ("url",))
        if "tags" in changes:
            changes["tags"] = list(dict.fromkeys(changes["tags"]))
        if not await self._store.update(replace(proxy, **changes)):
            raise NotFound("Proxy not found")
        return await self.get(proxy_id)

    async def delete(self, proxy_id: ProxyId) -> None:
        """Take it out of the pool; raises `NotFound`."""
        if not await self._store.delete(proxy_id):
            raise NotFound("Proxy not found")

    async def check(self, proxy_id: ProxyId, page: str | None = None) -> tuple[Checked, PooledProxy]:
        """Try a proxy now, with a page if a URL is given, and remember what came of it; raises `NotFound`, `InvalidUrl`.

        A check that goes well ends the proxy's rest, and with a page its rest for that host too.
        """
        proxy = (await self.get(proxy_id)).proxy
        if page is not None:
            try:
                page = parse_url(page.strip())
            except InvalidUrl as error:
                raise InvalidUrl(str(error), ("url",)) from None
        checked = await check_proxy(proxy.url, self._egress, page)
        now = time.time()
        deltas: dict[HealthKey, Delta] = {(proxy_id, ""): delta_of(checked, now)}
        if page is not None and checked.ok:
            deltas[proxy_id, host_of(page)] = delta_of(checked, now)
        await self._store.report(deltas)
        return checked, await self.get(proxy_id)

    async def figures(self) -> dict[str, Any]:
        """The pool in figures, in the shape of `/monitoring/proxies`."""
        now = time.time()
        standings = list((await self._store.standings(now)).values())
        return {
            "total_proxies": len(standings),
            "by_status": {
                str(state): {"count": one.count, "avg_success_rate": one.avg_success_rate}
                for state, one in sorted(figures_of(standings, now).items())
            },
        }

    async def _vet(self, url: str, where: tuple[str | int, ...]) -> None:
        """Raise `InvalidInput` for a proxy that the egress policy refuses; one whose name is not found today may be tomorrow."""
        try:
            await self._egress.addresses(*address_of(url))
        except GiveUpPage as error:
            raise InvalidInput(f"the proxy {masked(url)} cannot be used: {error.detail}", where) from None
        except RetryPage:
            return


class PoolOrders:
    """Whether the pool has what an order asks for."""

    def __init__(self, store: ProxyStore) -> None:
        self._store = store

    async def check(self, config: JobConfig) -> None:
        """Raise `InvalidInput` if the order wants a proxy of the pool and none fits."""
        if not is_pool(config.proxy):
            return
        tag = pool_tag(config.proxy)
        if await self._store.count(tag):
            return
        which = "the proxy pool is empty" if tag is None else f"no proxy of the pool has the tag {tag!r}"
        raise InvalidInput(
            f"{which}; an admin can add proxies with POST /api/v1/proxies; or give the URL of a proxy, or none",
            ("config", "proxy"),
        )


def _parsed(text: str, where: tuple[str | int, ...]) -> str:
    try:
        return parse_proxy(text)
    except InvalidUrl as error:
        raise InvalidUrl(str(error), where) from None


def delta_of(checked: Checked, now: float) -> Delta:
    """What a check adds to a proxy's health."""
    if checked.ok:
        return Delta(now, good=1, seconds=checked.seconds, good_at=now, cleared=True)
    return Delta(now, bad=1, strike=Strike(now, UNREACHABLE_REST))
