"""A dry run of selectors on one page: nothing is stored."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from scrapemaster.crawl.choosing import signs_of_plain
from scrapemaster.crawl.comparison import changed
from scrapemaster.crawl.extraction import Found
from scrapemaster.crawl.isolated_messages import Done, Matches, PlanSpec, Task, pack
from scrapemaster.crawl.isolation import Isolation
from scrapemaster.crawl.process import check_kind, error_of
from scrapemaster.domain.errors import InvalidInput, PageError, PostponePage, TooMany
from scrapemaster.domain.escalation import MEANING, Choice, HostLore, Reason, Step, on_plain_page
from scrapemaster.domain.ids import UserId
from scrapemaster.domain.job import EngineName, Job, JobConfig
from scrapemaster.domain.page import Page
from scrapemaster.domain.quality import Harvest, quality_warnings
from scrapemaster.domain.selector import names_of
from scrapemaster.extract.barrier import barrier_of, shell_of
from scrapemaster.extract.encoding import decode
from scrapemaster.extract.look import is_shell
from scrapemaster.extract.snapshot import MOST_CSS, Snapshot, still_css
from scrapemaster.ports.engine import Engine, PageSource, RenderingSource
from scrapemaster.services.jobs import JobOrder, job_of
from scrapemaster.services.proxies import PoolOrders

#: The base of HTML that comes without a URL; a name that never resolves (RFC 6761, section 6.4).
NO_URL = "http://preview.invalid/"
#: Seconds that a page may take in a preview, whatever the config says, and the waiting for its host besides.
_FETCH_SECONDS = 60.0
_WAIT_SECONDS = 30.0
_SHEET_SECONDS = 5.0
#: Previews at once: of one user, and in all.
_OF_ONE = 4
_IN_ALL = 32
#: Items shown, and their bytes together.
_ITEMS = 100
_ITEM_BYTES = 1_000_000


@dataclass(slots=True, frozen=True)
class PreviewError:
    """Why there is no page, as `/jobs/{id}/errors` would say it."""

    reason: str
    detail: str
    status: int | None = None
    evidence: Mapping[str, str] | None = None


@dataclass(slots=True)
class Preview:
    """What the selectors give on a page. `items` are the first of `items_total`. Times are in seconds. `reason`: why `auto` took the engine."""

    url: str
    engine: str | None = None
    reason: str | None = None
    status: int | None = None
    fetch_seconds: float = 0.0
    extract_seconds: float = 0.0
    items: Sequence[Any] = ()
    items_total: int = 0
    items_failed: int = 0
    fill: Mapping[str, int] = field(default_factory=dict)
    matches: Mapping[str, Matches] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    error: PreviewError | None = None


@dataclass(slots=True)
class Look:
    """A page to look at, and the text of the style sheets it names."""

    url: str
    status: int | None = None
    engine: str | None = None
    snapshot: Snapshot | None = None
    css: Sequence[str] = ()
    error: PreviewError | None = None


class PreviewService:
    """Runs previews, extraction always in a process of its own, so that no page and no selector can stall the API."""

    def __init__(
        self,
        engine_for: Callable[[EngineName], Engine],
        isolation: Isolation,
        pool: PoolOrders,
        close_engines: Callable[[], Awaitable[None]],
    ) -> None:
        self._engine_for = engine_for
        self._pool = pool
        self._isolation = isolation
        self._close_engines = close_engines
        self._running: Counter[UserId] = Counter()

    async def close(self) -> None:
        """End the processes, browsers among them."""
        await self._isolation.close()
        await self._close_engines()

    async def preview(self, order: JobOrder, html: str | None, user: UserId) -> Preview:
        """Fetch the order's only URL (or take `html` as its body) and run the selectors on it.

        Raises `InvalidInput` for what no job could be made of, and `TooMany`. A page that cannot be had is no error of the call.
        """
        job, _ = await asyncio.to_thread(job_of, order, user, time.time())
        if html is None:
            await self._pool.check(job.config)
        engine = self._engine_for(order.engine)
        engine.accept(order.config)
        if html is not None and len(html) > job.config.max_body_bytes:
            raise InvalidInput("html is longer than config.max_body_bytes", ("html",))
        with self._place_for(user):
            return await self._preview(job, engine, html)

    async def look(self, order: JobOrder, user: UserId) -> Look:
        """Fetch the order's only URL, to be looked at; raises as `preview` does."""
        job, _ = await asyncio.to_thread(job_of, order, user, time.time())
        engine = self._engine_for(order.engine)
        engine.accept(order.config)
        with self._place_for(user):
            return await self._look(job, engine)

    @contextlib.contextmanager
    def _place_for(self, user: UserId) -> Iterator[None]:
        if self._running[user] >= _OF_ONE or self._running.total() >= _IN_ALL:
            raise TooMany("too many previews are under way; wait for one to end", 1.0)
        self._running[user] += 1
        try:
            yield
        finally:
            self._running[user] -= 1
            if not self._running[user]:
                del self._running[user]

    async def _look(self, job: Job, engine: Engine) -> Look:
        look = Look(job.urls[0])
        try:
            async with _opened(job, engine) as source:
                page = await _to_look_at(job, source)
            look.url, look.status, look.engine = page.url, page.status, page.engine
            task = Task(
                b"",
                page.body,
                page.url,
                page.headers.get("content-type", ""),
                links=False,
                matches=False,
                seconds=self._isolation.seconds,
                snapshot=True,
            )
            done = await self._isolation.extract(str(job.owner), task, tries=1)
            look.snapshot = done.snapshot
            if done.snapshot is not None:
                sheets = await _sheets(job, self._engine_for(EngineName.HTTP), done.snapshot.sheets)
                look.css = [*sheets, *done.snapshot.css]
        except PageError as error:
            look.status = error.status or look.status
            look.error = PreviewError(error.reason, error.detail, error.status, error.evidence)
        return look

    async def _preview(self, job: Job, engine: Engine, html: str | None) -> Preview:
        url = job.urls[0]
        if html is not None:
            preview = Preview(url)
            await self._try(job, preview, _page_of(html, url))
            return preview
        async with _opened(job, engine) as source:
            plain = Preview(url, engine=engine.name)
            page, found = await self._try(job, plain, source.fetch)
            if not isinstance(source, RenderingSource):
                return plain
            reason = None if plain.error is None else plain.error.reason
            signs = signs_of_plain(page, found, reason, frozenset(names_of(job.selectors)))
            choice = on_plain_page(signs, HostLore(), more=False)
            if job.config.browser.demanding:
                choice = Choice(Step.RENDER, Reason.ORDERED)
            plain.reason, plain.engine = choice.why, "http"
            if choice.step is Step.PLAIN:
                return plain
            if source.lacking is not None:
                plain.reason = Reason.NO_BROWSER
                plain.warnings = [
                    *plain.warnings,
                    f"the page seems to need a browser ({MEANING[choice.why]}): {source.lacking}",
                ]
                return plain
            rendered = Preview(url, engine="browser", reason=choice.why)
            _, better = await self._try(job, rendered, source.render)
            if plain.error is None and found is not None and (better is None or not changed(found, better)):
                plain.reason = Reason.RENDER_FAILED if better is None else Reason.CHECKED
                return plain
            return rendered

    async def _try(
        self, job: Job, preview: Preview, page: Page | Callable[[str], Awaitable[Page]]
    ) -> tuple[Page | None, Found | None]:
        """Fill in what a page gives that is there, or to be fetched; returns the page, and what it yields."""
        url, here, found = job.urls[0], None, None
        try:
            if isinstance(page, Page):
                here = page
            else:
                here = await _fetched(job, page)
                preview.url, preview.status, preview.fetch_seconds = here.url, here.status, here.elapsed
                if (barrier := barrier_of(here, url)) is not None:
                    raise error_of(here, barrier)
            check_kind(here)
            found = await self._extract(job, here, preview)
            if here is not page and not preview.items_total and not preview.items_failed:
                barrier = barrier_of(here, url, thorough=True) or shell_of(here)
                if barrier is not None:
                    raise error_of(here, barrier)
        except PostponePage as error:
            preview.error = PreviewError("proxies_exhausted", str(error))
        except PageError as error:
            if error.page is not None and (barrier := barrier_of(error.page, url)) is not None:
                error = error_of(error.page, barrier)
            preview.status = error.status or preview.status
            preview.error = PreviewError(error.reason, error.detail, error.status, error.evidence)
        return here, found

    async def _extract(self, job: Job, page: Page, preview: Preview) -> Found:
        began = time.monotonic()
        task = Task(
            pack(PlanSpec(job.selectors, job.config.item, job.config.formats)),
            page.body,
            page.url,
            page.headers.get("content-type", ""),
            links=False,
            matches=True,
            seconds=self._isolation.seconds,
        )
        done: Done = await self._isolation.extract(str(job.owner), task, tries=1)
        found = done.found
        preview.extract_seconds = time.monotonic() - began
        preview.items = _shown(found.items)
        preview.items_total = len(found.items)
        preview.items_failed = found.items_failed
        preview.fill = found.fill
        preview.matches = done.matches
        names = list(names_of(job.selectors))
        warnings = quality_warnings(names, Harvest(len(found.items), found.fill), None)
        if not found.items:
            warnings.append("no item was found: check the selectors against the page")
        if found.items_failed:
            warnings.append(f"{found.items_failed} items were dropped because a required field had no value")
        if len(preview.items) < len(found.items):
            warnings.append(f"only the first {len(preview.items)} of {len(found.items)} items are shown")
        preview.warnings = warnings
        return found


@contextlib.asynccontextmanager
async def _opened(job: Job, engine: Engine) -> AsyncIterator[PageSource]:
    source = engine.open(replace(job, config=_brief(job.config)))
    try:
        yield source
    finally:
        await source.close()


def _brief(config: JobConfig) -> JobConfig:
    return replace(config, timeout=min(config.timeout, _FETCH_SECONDS))


async def _fetched(job: Job, ask: Callable[[str], Awaitable[Page]]) -> Page:
    try:
        async with asyncio.timeout(_brief(job.config).timeout + _WAIT_SECONDS):
            return await ask(job.urls[0])
    except TimeoutError:
        raise PageError(
            "timeout", "the page was not there in time; its host may be busy with other work"
        ) from None


async def _to_look_at(job: Job, source: PageSource) -> Page:
    """The page as a person would see it: rendered where it shows nothing plainly, or was refused."""
    if not isinstance(source, RenderingSource) or source.lacking is not None:
        return await _fetched(job, source.fetch)
    if job.config.browser.demanding:
        return await _fetched(job, source.render)
    try:
        page = await _fetched(job, source.fetch)
    except PageError as error:
        if error.page is None:
            raise
    else:
        if barrier_of(page, job.urls[0]) is None and not is_shell(page):
            return page
    return await _fetched(job, source.render)


async def _sheets(job: Job, engine: Engine, urls: Sequence[str]) -> list[str]:
    """The style sheets that can be had in time, in order; what they would load is taken out of them."""
    config = replace(job.config, timeout=_SHEET_SECONDS, max_retries=0, max_body_bytes=MOST_CSS)
    source = engine.open(replace(job, config=config))

    async def sheet(url: str) -> str:
        try:
            async with asyncio.timeout(_SHEET_SECONDS):
                page = await source.fetch(url)
        except (PageError, TimeoutError):
            return ""
        return await asyncio.to_thread(still_css, decode(page.body, page.headers.get("content-type", "")))

    try:
        return list(await asyncio.gather(*(sheet(url) for url in urls)))
    finally:
        await source.close()


def _page_of(html: str, url: str) -> Page:
    """A page made of what was sent; JSON and XML are known by how they begin."""
    start = html[:1_024].lstrip("\ufeff \t\r\n")
    kind = "text/html"
    if start.startswith(("{", "[")):
        kind = "application/json"
    elif start.startswith("<?xml") and "<html" not in start.lower():
        kind = "application/xml"
    body = html.encode("utf-8", "replace")
    return Page(url, 200, {"content-type": f"{kind}; charset=utf-8"}, body, 0.0, time.time())


def _shown(items: Sequence[bytes]) -> list[Any]:
    shown: list[Any] = []
    size = 0
    for item in items[:_ITEMS]:
        size += len(item)
        if size > _ITEM_BYTES and shown:
            break
        shown.append(orjson.loads(item))
    return shown
