"""Checks the proxies that rest or are dead, so that they come back without costing a page."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import structlog

from scrapemaster.domain.errors import StoreError
from scrapemaster.domain.ids import ProxyId
from scrapemaster.domain.proxy import Proxy, Standing
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.proxy_check import check_proxy
from scrapemaster.ports.proxies import ProxyStore
from scrapemaster.services.proxies import delta_of

log = structlog.get_logger(__name__)

#: Seconds between two looks for proxies that are due.
LOOK_EVERY = 10.0
#: Proxies checked in one look, and at once.
_IN_ALL, _AT_ONCE = 200, 20


class ProxyKeeper:
    """Speaks to each proxy whose own rest is over: success brings it back, failure doubles its rest. Any number may run."""

    def __init__(self, store: ProxyStore, egress: EgressPolicy) -> None:
        self._store = store
        self._egress = egress

    async def run_forever(self) -> None:
        """Look again and again; outlives every fault."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                await self.check_due(time.time())
            except StoreError as error:
                log.warning("proxies.waiting", error=str(error))
            except Exception:
                log.exception("proxies.failed")

    async def check_due(self, now: float) -> int:
        """Check what is due at `now`; returns how many proxies that were."""
        standings = await self._store.standings(now)
        due = due_for_check(standings, now)[:_IN_ALL]
        if not due:
            return 0
        proxies = {proxy.id: proxy for proxy in await self._store.all() if proxy.enabled}
        places = asyncio.Semaphore(_AT_ONCE)

        async def check(proxy: Proxy) -> None:
            async with places:
                checked = await check_proxy(proxy.url, self._egress)
            await self._store.report({(proxy.id, ""): delta_of(checked, time.time())})

        await asyncio.gather(*(check(proxies[proxy_id]) for proxy_id in due if proxy_id in proxies))
        return len(due)


def due_for_check(standings: Mapping[ProxyId, Standing], now: float) -> list[ProxyId]:
    """The proxies on trial whose own rest is over, those first that wait longest."""
    waiting = [
        (standing.health.until, proxy_id)
        for proxy_id, standing in standings.items()
        if standing.health.on_trial and not standing.health.resting(now)
    ]
    return [proxy_id for _, proxy_id in sorted(waiting)]
