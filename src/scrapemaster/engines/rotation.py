"""A page over the pool: another proxy where one is at fault, and the page blamed only where proxies agree."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from scrapemaster.domain.errors import GiveUpPage, PageError, PostponePage, RetryPage
from scrapemaster.domain.ids import ProxyId
from scrapemaster.domain.page import Page
from scrapemaster.domain.proxy_choice import UNASKED, Blame, Shortage, blame_of
from scrapemaster.domain.proxy_health import Mark
from scrapemaster.domain.url import host_of
from scrapemaster.export.timestamps import iso
from scrapemaster.extract.barrier import barrier_of
from scrapemaster.fetch.proxies import LOOK_AGAIN, NoProxy, ProxyPool
from scrapemaster.fetch.session import Session
from scrapemaster.fetch.sessions import Sessions

#: Proxies that are tried for a page in a row; then it waits for its turn again, uncounted.
_TRIES = 5
#: What a page without an error may turn out to be that speaks of its proxy.
_OF_PROXIES = frozenset({"blocked", "challenge", "empty_body"})

Ask = Callable[[Session], Awaitable[Page]]


class _Suspect:
    """A session whose request ended so that it may have been the proxy's fault, or the page's own."""

    __slots__ = ("error", "session")

    def __init__(self, session: Session, error: PageError) -> None:
        self.session = session
        self.error = error

    @property
    def banned(self) -> bool:
        """Whether the site turned it away, if it was the proxy's fault."""
        return self.error.status == 403 or self.error.reason == "empty_body"


class Rotation:
    """Fetches pages of one job over its sessions; `ask` fetches one over the session it is given."""

    def __init__(self, pool: ProxyPool, sessions: Sessions) -> None:
        self._pool = pool
        self._sessions = sessions

    async def page(self, url: str, ask: Ask) -> Page:
        """The page, or its own `PageError`; `PostponePage` when proxies must be waited for.

        What is the proxy's fault is tried again over another. What may be the proxy's or the page's is settled by the next one: two that
        end alike speak of the page, and else the first was at fault.
        """
        host = host_of(url)
        tried: set[ProxyId] = set()
        suspect: _Suspect | None = None
        for _ in range(_TRIES):
            try:
                session = await self._sessions.take(host, tried)
            except NoProxy as none:
                if suspect is not None:
                    raise suspect.error from None  # nobody is left who could say that it was the proxy
                raise self.shortage(none.shortage, host) from None
            try:
                page, error = await _asked(url, session, ask)
            except BaseException:
                self._cancelled(session, host)
                raise
            blame = Blame.NONE if error is None else blame_of(error.reason, error.status)
            if session.pooled is not None:
                tried.add(session.pooled.id)
            if error is None or blame is Blame.NONE:
                self._delivered(session, host, page, error)
                self._sessions.give_back(session, host)
                if suspect is not None:
                    self._settle(suspect, host)
                if error is None and page is not None:
                    return page
                raise error or GiveUpPage("internal_error", "there is neither a page nor an error")
            if blame is Blame.UNCLEAR:
                agreed = suspect is not None and suspect.error.reason == error.reason
                suspect = _Suspect(session, error)
                self._suspect(suspect, host)
                if agreed:
                    raise error
                continue
            wait = error.retry_after if isinstance(error, RetryPage) else None
            self._mark(session, host, Mark.UNREACHABLE if blame is Blame.PROXY else Mark.BANNED, wait)
            self._sessions.retire(session, host)
        raise PostponePage(f"{_TRIES} proxies failed one after the other", time.time())

    def ready_at(self, host: str, tag: str | None) -> float:
        """When (monotonic seconds) a proxy for the host may be looked for again; 0.0 if now."""
        at = self._pool.ready_at(host, tag)
        return 0.0 if not at else time.monotonic() + at - time.time()

    def shortage(self, shortage: Shortage, host: str) -> PostponePage | GiveUpPage:
        """What a page comes to that no proxy can fetch now: it waits, within reason."""
        now = time.time()
        if shortage.until is None:
            return GiveUpPage("proxies_exhausted", f"{shortage} for {host}")
        if shortage.until - now > self._pool.longest_wait:
            return GiveUpPage("proxies_exhausted", f"{shortage} for {host} before {iso(shortage.until)}")
        return PostponePage(f"{shortage} for {host}", max(now + 0.05, min(shortage.until, now + LOOK_AGAIN)))

    def _delivered(self, session: Session, host: str, page: Page | None, error: PageError | None) -> None:
        """The session's proxy did what was asked of it, if anything was."""
        if session.pooled is None:
            return
        if error is not None and error.reason in UNASKED:
            self._pool.drop(session.pooled, host)
            return
        elapsed = error.elapsed if error is not None else 0.0 if page is None else page.elapsed
        self._pool.report(session.pooled, host, Mark.GOOD, seconds=elapsed)

    def _mark(self, session: Session, host: str, mark: Mark, wait: float | None) -> None:
        if session.pooled is not None:
            self._pool.report(session.pooled, host, mark, wait=wait)

    def _suspect(self, suspect: _Suspect, host: str) -> None:
        if suspect.session.pooled is not None:
            self._pool.suspect(suspect.session.pooled, host, banned=suspect.banned)
        self._sessions.give_back(suspect.session, host)

    def _settle(self, suspect: _Suspect, host: str) -> None:
        """Another proxy did not end so: it was the suspect's fault."""
        if suspect.session.pooled is not None:
            self._pool.blame(suspect.session.pooled, host, banned=suspect.banned)
        self._sessions.retire(suspect.session, host)

    def _cancelled(self, session: Session, host: str) -> None:
        if session.pooled is not None:
            self._pool.drop(session.pooled, host)
        self._sessions.give_back(session, host)


async def _asked(url: str, session: Session, ask: Ask) -> tuple[Page | None, PageError | None]:
    """The page, and the error it is; of an error that came with a page, what the page says."""
    try:
        page = await ask(session)
    except PageError as error:
        seen, barrier = error, None
        if error.page is not None:
            barrier = barrier_of(error.page, url)
        if barrier is not None and barrier.reason in _OF_PROXIES:
            wait = error.retry_after if isinstance(error, RetryPage) else None
            seen = RetryPage(barrier.reason, error.detail, error.status, wait)
            seen.page, seen.elapsed = error.page, error.elapsed
        return None, seen
    barrier = barrier_of(page, url)
    if barrier is None or barrier.reason not in _OF_PROXIES:
        return page, None
    block = RetryPage(barrier.reason, barrier.mark, page.status)
    block.page, block.elapsed = page, page.elapsed
    return page, block
