"""Jobs: taking orders, showing them, and acting on them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scrapemaster.crawl.links import LinkFinder
from scrapemaster.crawl.scope import Scope
from scrapemaster.domain.errors import Conflict, InvalidInput, InvalidUrl, NotFound
from scrapemaster.domain.events import Event, EventType
from scrapemaster.domain.idempotency import OrderKey
from scrapemaster.domain.ids import JobId, UserId, new_job_id
from scrapemaster.domain.job import (
    TERMINAL,
    EngineName,
    Job,
    JobConfig,
    JobStatus,
    Priority,
    StopReason,
    check_transition,
)
from scrapemaster.domain.joblog import LogLine
from scrapemaster.domain.outcome import FailedPage
from scrapemaster.domain.proxy import checked_choice, is_pool
from scrapemaster.domain.request import NewRequest
from scrapemaster.domain.scrapy_settings import applied
from scrapemaster.domain.series import Point, thinned
from scrapemaster.domain.spider import SpiderOrder
from scrapemaster.domain.url import host_of, parse_url
from scrapemaster.extract.plan import compile_plan
from scrapemaster.extract.selectors import parse_selectors
from scrapemaster.fetch.client import impersonations
from scrapemaster.ports.engine import Engine
from scrapemaster.ports.jobs import JobQuery
from scrapemaster.ports.queue import Queue
from scrapemaster.ports.store import Store
from scrapemaster.ports.tracing import NoTracer, Tracer
from scrapemaster.ports.watch import JobWatch
from scrapemaster.services.hooks import JobHook, JobHooks
from scrapemaster.services.proxies import PoolOrders
from scrapemaster.services.spider_orders import SpiderOrders
from scrapemaster.spiders.ending import UNBOUNDED
from scrapemaster.spiders.root import root_of

#: `max_pages` where the order does not say: of a job that follows links, and of one that does not.
DEFAULT_PAGES_FOLLOWING = 100
DEFAULT_PAGES = 1


@dataclass(slots=True, frozen=True)
class JobOrder:
    """A job as a user orders it. `config.max_pages` 0 means the default."""

    urls: Sequence[str]
    config: JobConfig
    selectors: Mapping[str, Any] = field(default_factory=dict)
    engine: EngineName = EngineName.AUTO
    priority: Priority = Priority.NORMAL
    name: str | None = None
    tags: Sequence[str] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    config_asked: Mapping[str, Any] = field(default_factory=dict)
    hook: JobHook | None = None
    spider: SpiderOrder | None = None


def job_of(order: JobOrder, owner: UserId, now: float) -> tuple[Job, list[NewRequest]]:
    """The job an order makes, with its first requests; raises `InvalidInput` for what cannot be used."""
    if order.spider is not None:
        return _spider_job(order, order.spider, owner, now)
    urls = []
    for index, text in enumerate(order.urls):
        where: tuple[str | int, ...] = ("url",) if len(order.urls) == 1 else ("urls", index)
        try:
            urls.append(parse_url(text.strip()))
        except InvalidUrl as error:
            raise InvalidUrl(str(error), where) from None
    if not urls:
        raise InvalidInput("give a url, or urls with at least one", ("url",))
    selectors = parse_selectors(order.selectors)
    config = order.config
    if config.max_pages == 0:
        pages = DEFAULT_PAGES_FOLLOWING if config.follow_links else DEFAULT_PAGES
        config = replace(config, max_pages=max(pages, len(urls)))
    compile_plan(selectors, config.item, config.formats)
    if config.incremental and order.name is None:
        raise InvalidInput(
            "an incremental job is compared with the last one of its name: give it a name",
            ("config", "incremental"),
        )
    config = _with_identity(applied(config))
    hosts = config.allowed_domains or [host_of(url) for url in urls]
    LinkFinder(Scope(hosts, config.include, config.exclude), config.max_depth, sort_query=config.sort_query)
    seeds: dict[bytes, NewRequest] = {}
    for url in urls:
        request = NewRequest.of(url, sort_query=config.sort_query)
        seeds.setdefault(request.fingerprint, request)
    job = Job(
        id=new_job_id(),
        owner=owner,
        urls=urls,
        selectors=selectors,
        config=config,
        created_at=now,
        engine=order.engine,
        priority=order.priority,
        name=order.name,
        tags=order.tags,
        meta=order.meta,
        urls_asked=() if urls == list(order.urls) else order.urls,
        selectors_asked=order.selectors,
        config_asked=order.config_asked,
        webhook_url=order.hook.url if order.hook else None,
        webhook_events=order.hook.events if order.hook else (),
    )
    return job, list(seeds.values())


def _spider_job(
    order: JobOrder, spider: SpiderOrder, owner: UserId, now: float
) -> tuple[Job, list[NewRequest]]:
    config = replace(order.config, max_pages=UNBOUNDED)
    if is_pool(config.proxy):
        raise InvalidInput(
            "spiders cannot take proxies of the pool: give a proxy's URL, or let the project choose",
            ("config", "proxy"),
        )
    job = Job(
        id=new_job_id(),
        owner=owner,
        urls=[spider.url],
        selectors={},
        config=_with_identity(config),
        created_at=now,
        engine=EngineName.SCRAPY,
        priority=order.priority,
        name=order.name,
        tags=order.tags,
        meta=order.meta,
        config_asked=order.config_asked,
        webhook_url=order.hook.url if order.hook else None,
        webhook_events=order.hook.events if order.hook else (),
        spider=spider,
    )
    return job, [root_of(spider)]


def retry_of(job: Job, now: float) -> Job:
    """A new job with the order of one that is over, for its failed pages."""
    return Job(
        id=new_job_id(),
        owner=job.owner,
        urls=job.urls,
        selectors=job.selectors,
        config=job.config,
        created_at=now,
        engine=job.engine,
        priority=job.priority,
        name=job.name,
        tags=job.tags,
        meta=job.meta,
        scope_hosts=job.scope_hosts,
        urls_asked=job.urls_asked,
        selectors_asked=job.selectors_asked,
        config_asked=job.config_asked,
        retry_of=job.id,
    )


def _with_identity(config: JobConfig) -> JobConfig:
    """The config with its proxy in its normal form; raises `InvalidInput` when its browser profile or proxy cannot be used."""
    if config.impersonate is not None and config.impersonate not in impersonations():
        raise InvalidInput(
            f"there is no browser profile {config.impersonate!r}; some are "
            f"{', '.join(name for name in impersonations() if name.startswith(('chrome14', 'firefox14', 'safari18')))}",
            ("config", "impersonate"),
        )
    if config.impersonate is not None:
        _refuse_contradictions(config)
    try:
        return replace(config, proxy=checked_choice(config.proxy))
    except InvalidInput as error:
        raise InvalidInput(str(error), ("config", "proxy")) from None


def _refuse_contradictions(config: JobConfig) -> None:
    """Raise `InvalidInput` when something of the config says another browser than the one that is imitated."""
    says = "says the name of its browser in more than one place: leave it out, or leave impersonate out"
    if config.user_agent is not None:
        raise InvalidInput(f"user_agent cannot go with impersonate, which {says}", ("config", "user_agent"))
    for name in config.headers:
        if name.lower() == "user-agent" or name.lower().startswith("sec-ch-"):
            raise InvalidInput(
                f"the header {name} cannot go with impersonate, which {says}", ("config", "headers")
            )


def check_engine(engine_for: Callable[[EngineName], Engine], order: JobOrder) -> None:
    """Raise a `UserError` with a sentence when an order's engine is not there, or lacks what the order needs."""
    engine_for(order.engine).accept(order.config)
    if order.engine is EngineName.AUTO and order.config.browser.demanding:
        engine_for(EngineName.BROWSER)


class JobService:
    """Use cases of jobs. `sees` is whose jobs the caller may see; None for everybody's."""

    def __init__(
        self,
        store: Store,
        queue: Queue,
        watch: JobWatch,
        engine_for: Callable[[EngineName], Engine],
        hooks: JobHooks,
        *,
        pool: PoolOrders,
        spiders: SpiderOrders,
        tracer: Tracer | None = None,
    ) -> None:
        self._store = store
        self._queue = queue
        self._watch = watch
        self._engine_for = engine_for
        self._hooks = hooks
        self._pool = pool
        self._spiders = spiders
        self._tracer = tracer or NoTracer()

    async def create(self, order: JobOrder, owner: UserId, key: OrderKey | None = None) -> tuple[Job, bool]:
        """Take an order; the job is stored when this returns, with whether it is new.

        It is not when the owner's `key` made it before. Raises `Conflict` when the key belongs to another order.
        """
        if order.spider is None:
            check_engine(self._engine_for, order)
        else:
            order = replace(order, spider=await self._spiders.resolved(order.spider))
        # Off the event loop: hostile selectors may take a second to be refused.
        job, seeds = await asyncio.to_thread(job_of, order, owner, time.time())
        await self._pool.check(job.config)
        await self._hooks.attach(job, order.hook)
        # For slices that run because a sweep, and not the message, found the job.
        job = replace(job, traceparent=self._tracer.traceparent)
        stored = await self._store.jobs.add(job, seeds, key=key)
        if stored == job.id:
            await self._queue.wake(job.id, job.priority)
        else:
            await self._hooks.detach(job)
        return await self.get(stored, None), stored == job.id

    async def get(self, job_id: JobId, sees: UserId | None) -> Job:
        """The job; raises `NotFound`."""
        job = await self._store.jobs.get(job_id, sees)
        if job is None:
            raise NotFound("Job not found")
        return job

    async def when_over(self, job_id: JobId, sees: UserId | None, seconds: float) -> Job:
        """The job once it is over, or as it is after `seconds`."""
        end = time.monotonic() + seconds
        while True:
            job = await self.get(job_id, sees)
            left = end - time.monotonic()
            if job.status in TERMINAL or left <= 0:
                return job
            await self._watch.changed(job_id, min(left, 1.0))

    async def find(self, query: JobQuery) -> tuple[list[Job], int]:
        """One page of jobs, and how many there are."""
        return await self._store.jobs.find(query)

    async def pause(self, job_id: JobId, sees: UserId | None) -> Job:
        """Stop fetching until `resume`; raises `Conflict`."""
        return await self._move(job_id, sees, JobStatus.PAUSED, EventType.JOB_PAUSED)

    async def cancel(self, job_id: JobId, sees: UserId | None) -> Job:
        """End the job; its results stay. Raises `Conflict`."""
        return await self._move(
            job_id,
            sees,
            JobStatus.CANCELLED,
            EventType.JOB_CANCELLED,
            stop_reason=StopReason.CANCELLED_BY_USER,
        )

    async def resume(self, job_id: JobId, sees: UserId | None) -> Job:
        """Go on with a paused job; raises `Conflict`."""
        job = await self.get(job_id, sees)
        if job.status is not JobStatus.PAUSED:
            raise Conflict(f"only a paused job can be resumed; this one is {job.status}")
        target = JobStatus.PENDING if job.started_at is None else JobStatus.RUNNING
        return await self._move(job_id, sees, target, EventType.JOB_PROGRESS, error=None)

    async def retry(self, job_id: JobId, sees: UserId | None) -> Job:
        """Fetch the failed pages again: in the job, or if it is over in a new one, which is returned.

        Raises `Conflict` when no page failed, and for a spider's job.
        """
        job = await self.get(job_id, sees)
        if job.spider is not None:
            raise Conflict("a spider's pages cannot be fetched apart from its run: order the job anew")
        if job.status not in TERMINAL:
            count = await self._store.frontier.retry_failed(job_id, now=time.time())
            job = await self.get(job_id, sees)
            if count:
                await self._queue.wake(job_id, job.priority)
                self._watch.publish(Event(EventType.JOB_PROGRESS, job_id, time.time()))
                return job
            if job.status not in TERMINAL:
                raise Conflict("the job has no failed page to try again")
        new = await self._hooks.carry_over(job, retry_of(job, time.time()))
        new = replace(new, traceparent=self._tracer.traceparent)
        await self._store.jobs.add_retry(new, job_id)
        await self._queue.wake(new.id, new.priority)
        return await self.get(new.id, None)

    async def delete(self, job_id: JobId, sees: UserId | None) -> None:
        """Cancel a job that is not over; remove one that is, with its results."""
        job = await self.get(job_id, sees)
        if job.status not in TERMINAL:
            try:
                await self.cancel(job_id, sees)
            except Conflict:
                return  # it ended in between; its results stay for another look
            return
        await self._store.jobs.delete(job_id)

    async def remove_all_of(self, owner: UserId) -> None:
        """Cancel an owner's jobs that are not over, then remove all of them with their results."""
        for status in (JobStatus.RUNNING, JobStatus.PENDING, JobStatus.PAUSED):
            while True:
                jobs, _ = await self.find(JobQuery(owner=owner, status=status, limit=100))
                if not jobs:
                    break
                for job in jobs:
                    with contextlib.suppress(Conflict, NotFound):  # it ended in between
                        await self.cancel(job.id, None)
        await self._store.jobs.delete_of(owner)

    async def failures(
        self, job_id: JobId, sees: UserId | None, *, skip: int, limit: int
    ) -> tuple[list[FailedPage], int]:
        """The pages that failed or were left out."""
        await self.get(job_id, sees)
        return await self._store.frontier.failures(job_id, skip=skip, limit=limit)

    async def log(self, job_id: JobId, sees: UserId | None, *, after: int, limit: int) -> list[LogLine]:
        """Up to `limit` lines of the job's log behind line `after`; raises `NotFound`."""
        await self.get(job_id, sees)
        return await self._store.log.page(job_id, after=after, limit=limit)

    async def series(self, job_id: JobId, sees: UserId | None, *, most: int) -> list[Point]:
        """What the job did when, in at most so many points; raises `NotFound`."""
        await self.get(job_id, sees)
        return thinned(await self._store.series.points(job_id), most)

    async def _move(
        self, job_id: JobId, sees: UserId | None, target: JobStatus, event: EventType, **changes: Any
    ) -> Job:
        job = await self.get(job_id, sees)
        moved = await self._store.jobs.transition(job_id, target, now=time.time(), **changes)
        if moved is None:
            current = await self.get(job_id, sees)
            check_transition(current.status, target)
            raise Conflict(f"the job is {current.status} already")
        await self._queue.wake(job_id, job.priority)
        self._watch.publish(Event(event, job_id, time.time()))
        return moved
