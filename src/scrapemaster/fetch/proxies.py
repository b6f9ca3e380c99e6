"""The proxy pool as a crawler uses it: its own look at the store's, and what it has to tell that.

The store is read and written together, every `_REFRESH` seconds at most however many pages are fetched; between that,
choices are made on the last look and on what was seen here since.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from random import Random

import structlog

from scrapemaster.domain.errors import PostponePage, ScrapeMasterError, StoreError, StoreUnavailable
from scrapemaster.domain.ids import ProxyId
from scrapemaster.domain.proxy import Proxy
from scrapemaster.domain.proxy_choice import Candidate, Shortage, choose, shortage_of
from scrapemaster.domain.proxy_health import UNREACHABLE_REST, Delta, Health, Mark, Strike, added
from scrapemaster.ports.proxies import HealthKey, ProxyStore

log = structlog.get_logger(__name__)

#: Seconds for which a look at the store holds.
_REFRESH = 2.0
#: The same where no proxy is left: another may have come, or been freed by another process.
_REFRESH_SHORT = 0.2
#: Seconds after which what was seen is told, though nobody looks.
_TELL_AFTER = 1.0
#: Hosts whose health is kept at hand.
_HOSTS = 2_000
#: Seconds after which a host is asked about again that has no proxy, sooner than its rests end: an admin may have added one.
LOOK_AGAIN = 15.0
#: Unclear ends of a proxy at a host in a row, each of another page, that count as a strike.
_UNCLEAR_RUN = 3


class NoProxy(ScrapeMasterError):
    """No proxy of the pool may be used now."""

    def __init__(self, shortage: Shortage) -> None:
        super().__init__(str(shortage))
        self.shortage = shortage


class ProxyPool:
    """Chooses proxies for hosts and gathers how they do; one for a process.

    `ban_rest`: seconds of a proxy's first rest for a host that banned it. `longest_wait`: seconds that a job waits for a rest to end.
    """

    def __init__(
        self,
        store: ProxyStore,
        *,
        ban_rest: float = 60.0,
        longest_wait: float = 600.0,
        rng: Random | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.longest_wait = longest_wait
        self._store = store
        self._ban_rest = ban_rest
        self._rng = rng or Random()  # noqa: S311 -- a lot among proxies, not a secret
        self._clock = clock
        self._proxies: dict[ProxyId, Proxy] = {}
        self._health: dict[HealthKey, Health] = {}
        self._pending: dict[HealthKey, Delta] = {}
        self._hosts: OrderedDict[str, None] = OrderedDict()
        self._trials: set[HealthKey] = set()
        self._unclear: dict[HealthKey, int] = {}
        self._short: dict[tuple[str, str | None], float] = {}
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()
        self._teller: asyncio.Task[None] | None = None

    async def choose(
        self,
        host: str,
        tag: str | None = None,
        avoid: Collection[ProxyId] = (),
        used: Collection[ProxyId] | None = None,
    ) -> Proxy:
        """A proxy for a request to the host, none of `avoid`; `report` or `drop` must follow. Raises `NoProxy`.

        With `used`, none of those either, which is no reason to take a dearer one or to wait: it is asked whether there is another.
        """
        for patience in (_REFRESH, _REFRESH_SHORT) if used is None else (_REFRESH,):
            await self._look(host, patience)
            now = self._clock()
            candidates = self._candidates(host, tag)
            fit = (one for one in candidates if one.proxy.id not in avoid)
            chosen = choose(fit, now, self._rng.random(), used or ())
            if chosen is not None:
                break
        if chosen is None:
            shortage = shortage_of(candidates, now)
            if used is None and shortage.until is not None and shortage.until > now:
                self._short[host, tag] = min(shortage.until, now + LOOK_AGAIN)
            raise NoProxy(shortage)
        if chosen.own.on_trial or chosen.here.on_trial:
            self._trials |= {(chosen.proxy.id, ""), (chosen.proxy.id, host)}
        return chosen.proxy

    def fits(self, proxy: Proxy, host: str) -> bool:
        """Whether a proxy chosen before is still in the pool, as it was, and may be used for the host."""
        if self._proxies.get(proxy.id) != proxy:
            return False
        return self._candidate(proxy, host).usable(self._clock())

    def ready_at(self, host: str, tag: str | None = None) -> float:
        """When (epoch seconds) a proxy for the host may be looked for again; 0.0 if now."""
        at = self._short.get((host, tag), 0.0)
        return at if at > self._clock() else 0.0

    def report(
        self, proxy: Proxy, host: str, mark: Mark, *, seconds: float = 0.0, wait: float | None = None
    ) -> None:
        """Say how a request went. `seconds` are those of a good one; `wait` is what a site that banned it asked for."""
        now = self._clock()
        self.drop(proxy, host)
        good = mark is Mark.GOOD
        plain = Delta(
            now, good=float(good), bad=float(not good), seconds=seconds, good_at=now if good else 0.0
        )
        own = here = plain
        if good:
            self._unclear.pop((proxy.id, host), None)
        if mark is Mark.UNREACHABLE:
            own = Delta(now, bad=1, strike=Strike(now, UNREACHABLE_REST))
        elif mark is Mark.BANNED:
            here = Delta(now, bad=1, strike=Strike(now, max(wait or 0.0, self._ban_rest), banned=True))
        self._add((proxy.id, ""), own)
        self._add((proxy.id, host), here)

    def suspect(self, proxy: Proxy, host: str, *, banned: bool) -> None:
        """A request ended so that it may have been the proxy's fault; several in a row count as a strike at the host."""
        key = (proxy.id, host)
        self._unclear[key] = self._unclear.get(key, 0) + 1
        if self._unclear[key] >= _UNCLEAR_RUN:
            self.blame(proxy, host, banned=banned)
        else:
            self.report(proxy, host, Mark.BAD)

    def blame(self, proxy: Proxy, host: str, *, banned: bool) -> None:
        """A request's end was the proxy's fault at this host: let it rest there."""
        self._unclear.pop((proxy.id, host), None)
        if banned:
            self.report(proxy, host, Mark.BANNED)
            return
        now = self._clock()
        self.drop(proxy, host)
        self._add((proxy.id, ""), Delta(now, bad=1))
        self._add((proxy.id, host), Delta(now, bad=1, strike=Strike(now, UNREACHABLE_REST)))

    def drop(self, proxy: Proxy, host: str) -> None:
        """A request is over, whatever came of it."""
        self._trials -= {(proxy.id, ""), (proxy.id, host)}

    async def close(self) -> None:
        """Tell the store what it was not told yet."""
        if self._teller is not None:
            self._teller.cancel()
            await asyncio.gather(self._teller, return_exceptions=True)
        async with self._looking:
            await self._tell()

    async def _look(self, host: str, patience: float) -> None:
        """Have a look at the store that is no older than `patience` seconds and knows of the host."""
        fresh = self._clock() - self._looked_at < patience
        if fresh and host in self._hosts:
            self._hosts.move_to_end(host)
            return
        async with self._looking:
            known = host in self._hosts
            if known and self._clock() - self._looked_at < patience:
                return  # another looked while we waited
            self._hosts[host] = None
            while len(self._hosts) > _HOSTS:
                self._hosts.popitem(last=False)
            await self._tell()
            try:
                proxies = await self._store.all()
                health = await self._store.health(self._hosts)
            except StoreUnavailable as error:
                if not self._proxies:
                    del self._hosts[host]
                    raise PostponePage(f"the pool cannot be read: {error}", self._clock() + 1.0) from None
                self._looked_at = self._clock()  # the last look is better than none
                return
            self._proxies = {proxy.id: proxy for proxy in proxies}
            self._health = dict(health)
            self._short.clear()
            for key, delta in self._pending.items():
                self._health[key] = added(self._health.get(key, Health()), delta)
            self._looked_at = self._clock()

    async def _tell(self) -> None:
        told, self._pending = self._pending, {}
        try:
            await self._store.report(told)
        except StoreError as error:
            log.warning("proxies.not_told", error=str(error))
            for key, delta in self._pending.items():
                told[key] = told[key].and_then(delta) if key in told else delta
            self._pending = told

    def _add(self, key: HealthKey, delta: Delta) -> None:
        before = self._pending.get(key)
        self._pending[key] = delta if before is None else before.and_then(delta)
        self._health[key] = added(self._health.get(key, Health()), delta)
        if self._teller is None or self._teller.done():
            self._teller = asyncio.get_running_loop().create_task(self._tell_soon())

    async def _tell_soon(self) -> None:
        await asyncio.sleep(_TELL_AFTER)
        async with self._looking:
            await self._tell()

    def _candidates(self, host: str, tag: str | None) -> list[Candidate]:
        return [
            self._candidate(proxy, host)
            for proxy in self._proxies.values()
            if tag is None or tag in proxy.tags
        ]

    def _candidate(self, proxy: Proxy, host: str) -> Candidate:
        own, here = (proxy.id, ""), (proxy.id, host)
        tried = own in self._trials or here in self._trials
        return Candidate(proxy, self._health.get(own, _NONE), self._health.get(here, _NONE), tried)


_NONE = Health()
