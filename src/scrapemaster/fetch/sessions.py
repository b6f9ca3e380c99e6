"""A job's sessions over the pool: each keeps to one proxy, and they take turns."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection

from scrapemaster.domain.ids import ProxyId
from scrapemaster.fetch.proxies import NoProxy, ProxyPool
from scrapemaster.fetch.session import Session, SessionMaker

#: Sessions that a job has for a host at least, where there are proxies enough; more if it fetches more pages at once.
_SESSIONS = 8
#: Hosts whose idle sessions a job keeps.
_HOSTS = 500


class _Host:
    """A host's sessions: those that wait for a page, and the proxies of all."""

    __slots__ = ("alive", "idle")

    def __init__(self) -> None:
        self.idle: deque[Session] = deque()
        self.alive: list[Session] = []


class Sessions:
    """The sessions of one job. A session fetches one page at a time."""

    def __init__(self, pool: ProxyPool, make: SessionMaker, tag: str | None, concurrency: int) -> None:
        self._pool = pool
        self._make = make
        self._tag = tag
        self._most = max(_SESSIONS, concurrency)
        self._hosts: OrderedDict[str, _Host] = OrderedDict()

    async def take(self, host: str, avoid: Collection[ProxyId] = ()) -> Session:
        """A session for a page of the host, whose proxy is none of `avoid`; `give_back` or `retire` must follow.

        While there are few, a new one over a proxy that no other has; then the one that has waited longest. Raises `NoProxy`.
        """
        here = self._hosts.get(host) or self._add(host)
        if len(here.alive) < self._most:
            used = {session.pooled.id for session in here.alive if session.pooled is not None}
            try:
                return await self._new(here, host, avoid, used)
            except NoProxy:
                pass  # each has a session already, or rests
        while (session := self._waiting(here, avoid)) is not None:
            if session.pooled is not None and not session.worn and self._pool.fits(session.pooled, host):
                return session
            self.retire(session, host)
        return await self._new(here, host, avoid)

    def give_back(self, session: Session, host: str) -> None:
        """The session's page is done; others may follow."""
        session.pages += 1
        here = self._hosts.get(host)
        if here is not None and session in here.alive:
            here.idle.append(session)

    def retire(self, session: Session, host: str) -> None:
        """Give a session up, cookies and all; its proxy may come back in another."""
        here = self._hosts.get(host)
        if here is not None and session in here.alive:
            here.alive.remove(session)

    async def _new(
        self,
        here: _Host,
        host: str,
        avoid: Collection[ProxyId],
        used: Collection[ProxyId] | None = None,
    ) -> Session:
        session = self._make(await self._pool.choose(host, self._tag, avoid, used))
        here.alive.append(session)
        return session

    @staticmethod
    def _waiting(here: _Host, avoid: Collection[ProxyId]) -> Session | None:
        for session in here.idle:
            if session.pooled is not None and session.pooled.id not in avoid:
                here.idle.remove(session)
                return session
        return None

    def _add(self, host: str) -> _Host:
        here = self._hosts[host] = _Host()
        if len(self._hosts) > _HOSTS:
            self._hosts.popitem(last=False)
        return here
