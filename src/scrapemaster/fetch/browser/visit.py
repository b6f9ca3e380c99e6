"""One page in a browser, from a fresh context to a document."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from scrapemaster.domain.errors import GiveUpPage, InvalidUrl, PageError, RetryPage
from scrapemaster.domain.job import JobConfig
from scrapemaster.domain.page import Page
from scrapemaster.domain.rendering import SETTLED, Capture
from scrapemaster.domain.url import parse_url
from scrapemaster.fetch.browser.cookies import CookieJar
from scrapemaster.fetch.browser.failures import crashed, failure_of
from scrapemaster.fetch.browser.gate import Gate
from scrapemaster.fetch.browser.pool import Chromium
from scrapemaster.fetch.browser.settling import Settling
from scrapemaster.fetch.browser.steps import perform
from scrapemaster.fetch.browser.traffic import Arrived, Manners, Traffic
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.status import HEAD_BYTES, refusal

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext
    from playwright.async_api import Page as Tab

#: Seconds a page with the status of a challenge is given to let us pass by itself.
_CHALLENGE_SECONDS = 5.0
#: The document's type, its URL, its text, or its length when it is too long, and whether it has cookies.
_DOCUMENT = """limit => {
    const type = document.doctype ? new XMLSerializer().serializeToString(document.doctype) : '';
    const root = document.documentElement;
    const text = root ? type + root.outerHTML : '';
    let cookies = false;
    try { cookies = !!document.cookie } catch {}
    return [document.contentType, location.href, text.length <= limit ? text : text.length, cookies];
}"""


@dataclass(slots=True, frozen=True)
class Terms:
    """What all pages of a job have in common. `page_bytes` is what a page and all it loads may have together."""

    config: JobConfig
    headers: dict[str, str]
    manners: Manners
    user_agent: str | None
    proxy: str | None
    page_bytes: int


class Visit:
    """Fetches one page; `context` is to be closed by the caller, however it ended."""

    def __init__(self, chromium: Chromium, egress: EgressPolicy, terms: Terms, jar: CookieJar) -> None:
        self.context: BrowserContext | None = None
        self._chromium = chromium
        self._egress = egress
        self._terms = terms
        self._jar = jar
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def fetch(self, url: str) -> Page:
        """The page as it is in the end; raises `PageError`. Takes no longer than the job's `timeout`."""
        config = self._terms.config
        began = time.monotonic()
        gate = Gate(self._egress, self._terms.proxy, self._terms.page_bytes, self._flooded)
        work = asyncio.ensure_future(self._fetch(url, gate, began + config.timeout))
        try:
            async with asyncio.timeout(config.timeout):
                ends: list[asyncio.Future[Any]] = [work, self._failure]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self._failure.done():
                self._failure.result()
            page = work.result()
        except TimeoutError:
            late = RetryPage("timeout", f"the page was not there after {config.timeout:g} s")
            late.elapsed = time.monotonic() - began
            raise late from None
        except PageError as error:
            error.elapsed = time.monotonic() - began
            raise
        finally:
            gate.close()
            if not work.done():
                work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            if self._failure.done():
                self._failure.exception()
        page.elapsed = time.monotonic() - began
        return page

    def _fail(self, error: PageError) -> None:
        if not self._failure.done():
            self._failure.set_exception(error)

    def _flooded(self) -> None:
        limit = self._terms.page_bytes
        self._fail(GiveUpPage("page_too_large", f"the page and what it loads have more than {limit:,} bytes"))

    async def _fetch(self, url: str, gate: Gate, ends_at: float) -> Page:
        from playwright.async_api import Error  # noqa: PLC0415 -- an extra, and heavy

        traffic: Traffic | None = None
        try:
            await gate.open()
            tab = await self._open(gate)
            session = await tab.context.new_cdp_session(tab)
            traffic = Traffic(session, self._terms.manners, self._fail)
            await traffic.watch()
            return await self._load(tab, traffic, url, ends_at)
        except Error as error:
            if traffic is not None and traffic.arrived is not None and traffic.arrived.body is not None:
                return _plain(traffic)
            raise self._failure_of(error.message, gate, traffic, url) from None
        finally:
            if traffic is not None:
                traffic.close()

    async def _open(self, gate: Gate) -> Tab:
        """A tab in a context of its own: no cookies but the job's, no cache, no storage, no way out but the gate."""
        terms, rendering = self._terms, self._terms.config.browser
        options: dict[str, Any] = {"user_agent": terms.user_agent or agent_of(self._chromium.browser.version)}
        if terms.headers:
            options["extra_http_headers"] = terms.headers
        if (state := self._jar.state()) is not None:
            options["storage_state"] = state
        self.context = await self._chromium.browser.new_context(
            proxy={"server": f"socks5://127.0.0.1:{gate.port}"},
            viewport={"width": rendering.width, "height": rendering.height},
            ignore_https_errors=not terms.config.verify_tls,
            accept_downloads=False,
            service_workers="block",
            **options,
        )
        tab = await self.context.new_page()
        tab.on("crash", lambda _: self._fail(crashed()))
        self.context.on("page", _shut)
        return tab

    async def _load(self, tab: Tab, traffic: Traffic, url: str, ends_at: float) -> Page:
        rendering = self._terms.config.browser
        settling = Settling(tab) if rendering.wait_until == SETTLED else None
        until: Any = "load" if settling is not None else rendering.wait_until
        await tab.goto(url, wait_until=until, timeout=0)
        if (arrived := traffic.arrived) is None:
            raise RetryPage("bad_response", "the browser showed a page that no server sent")
        if not 200 <= arrived.status < 300:
            await self._pass(tab, traffic, ends_at)
        if settling is not None:
            await settling.wait()
        captures = await perform(tab, rendering)
        kind, place, text, cookies = await self._document(tab)
        if (arrived := traffic.arrived) is None or arrived.body is not None:
            return _plain(traffic)
        limit = self._terms.config.max_body_bytes
        size = text if isinstance(text, int) else len(body := text.encode("utf-8", "replace"))
        if isinstance(text, int) or size > limit:
            raise GiveUpPage("body_too_large", f"the document is longer than the limit of {limit:,} bytes")
        if self.context is not None and (cookies or traffic.cookies):
            self._jar.merge(await self.context.cookies())
        return self._page(arrived, traffic, (kind, place, body), captures)

    async def _pass(self, tab: Tab, traffic: Traffic, ends_at: float) -> None:
        """Give a challenge some seconds to let us pass."""
        end = min(ends_at - 1.0, time.monotonic() + _CHALLENGE_SECONDS)
        while traffic.arrived is not None and not 200 <= traffic.arrived.status < 300:
            traffic.news.clear()
            try:
                async with asyncio.timeout(max(0.0, end - time.monotonic())):
                    await traffic.news.wait()
            except TimeoutError:
                return
        await tab.wait_for_load_state("load", timeout=0)

    async def _document(self, tab: Tab) -> tuple[str, str, str | int, bool]:
        """The document as it is now; a page that is going elsewhere at this moment is followed."""
        from playwright.async_api import Error  # noqa: PLC0415 -- an extra, and heavy

        limit = self._terms.config.max_body_bytes
        for last in (False, False, True):
            try:
                found: Any = await tab.evaluate(_DOCUMENT, limit)
            except Error as error:
                if last or "context" not in error.message.lower() or "closed" in error.message:
                    raise
                await tab.wait_for_load_state("load", timeout=0)
                continue
            match found:
                case [str(kind), str(place), str() | int() as text, bool(cookies)]:
                    return kind, place, text, cookies
                case _:
                    break
        raise GiveUpPage("bad_response", "the page's scripts keep its document from being read")

    def _page(
        self, arrived: Arrived, traffic: Traffic, document: tuple[str, str, bytes], captures: list[Capture]
    ) -> Page:
        kind, place, body = document
        try:
            url = parse_url(place.partition("#")[0])
        except InvalidUrl:
            url = arrived.url  # about:blank, or a blob: there is no such page to go to
        headers = {
            name: value
            for name, value in arrived.headers.items()
            if name not in {"content-length", "content-encoding", "transfer-encoding"}
        }
        headers["content-type"] = f"{kind or 'text/html'}; charset=utf-8"
        redirects = tuple(traffic.redirects)
        page = Page(url, arrived.status, headers, body, 0.0, time.time(), redirects, "browser", captures)
        if not 200 <= arrived.status < 300:
            error = refusal(arrived.status, headers.get("retry-after"), self._terms.manners.pause)
            page.body = body[:HEAD_BYTES]
            error.page = page
            raise error
        return page

    def _failure_of(self, message: str, gate: Gate, traffic: Traffic | None, url: str) -> PageError:
        """What kept a page from being loaded; the gate knows more of it than the browser."""
        parts = urlsplit(traffic.asked if traffic is not None and traffic.asked else url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host = (parts.hostname or "").rstrip(".")
        for (name, at), error in gate.refusals.items():
            if at == port and name.strip("[]").rstrip(".") == host.strip("[]") and "net::" in message:
                return error
        if "page has crashed" in message.lower() or "crashed" in message:
            return crashed()
        if self._chromium.gone:
            return RetryPage("browser_crashed", "the browser ended while it had the page")
        return failure_of(message)


def agent_of(version: str) -> str:
    """The User-Agent of a Chromium as it is with a window; without one it would say that it has none, and sites that differ then would differ.

    All but the first number of a version are zeros there (https://www.chromium.org/updates/ua-reduction/).
    """
    major = version.partition(".")[0]
    return (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        f"Chrome/{major}.0.0.0 Safari/537.36"
    )


def _plain(traffic: Traffic) -> Page:
    """A page that no browser renders, as the server sent it."""
    arrived = traffic.arrived
    if arrived is None or arrived.body is None:
        raise RetryPage("bad_response", "the server's answer was lost")
    headers = {name: value for name, value in arrived.headers.items() if name != "content-encoding"}
    return Page(
        arrived.url,
        arrived.status,
        headers,
        arrived.body,
        0.0,
        time.time(),
        tuple(traffic.redirects),
        "browser",
    )


def _shut(tab: Tab) -> Any:
    """Close a window that a page opened."""
    return _closing(tab)


async def _closing(tab: Tab) -> None:
    try:
        async with asyncio.timeout(2.0):
            await tab.close()
    except Exception:  # noqa: BLE001, S110 -- it goes with its context
        pass
