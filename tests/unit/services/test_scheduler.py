import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec
import pytest

from scrapemaster.domain.errors import Conflict, InvalidInput, NotFound
from scrapemaster.domain.ids import UserId
from scrapemaster.domain.job import EngineName, JobConfig, JobStatus
from scrapemaster.domain.schedule import Overlap
from scrapemaster.domain.user import Role, User
from scrapemaster.engines.http import HttpEngine
from scrapemaster.engines.registry import Engines
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.throttle import Throttle
from scrapemaster.ports.jobs import JobQuery
from scrapemaster.services.hooks import JobHooks
from scrapemaster.services.jobs import JobOrder
from scrapemaster.services.proxies import PoolOrders
from scrapemaster.services.schedules import Orders, ScheduleDraft, Scheduler, ScheduleService
from scrapemaster.services.spider_orders import SpiderOrders
from scrapemaster.storage.sqlite.store import SqliteStore

ADA = UserId("ada")
ORDER = JobOrder(
    urls=["http://site/"],
    config=JobConfig(max_pages=0, follow_links=True, headers={"X-A": "b"}),
    selectors={"t": {"selector": "h1::text", "many": True}},
    tags=["t"],
    meta={"n": [1, None]},
)
MINUTE = 60.0


class Heard:
    """A queue that remembers whom it woke."""

    def __init__(self):
        self.woken = []

    async def wake(self, job_id, priority):
        self.woken.append(job_id)


class Parts:
    def __init__(self, store):
        http = HttpEngine(EgressPolicy(), Throttle(8))
        engines = Engines({EngineName.AUTO: http, EngineName.HTTP: http})
        self.store = store
        self.queue = Heard()
        hooks = JobHooks(store.webhooks, EgressPolicy())
        self.orders = Orders(engines.get, hooks, PoolOrders(store.proxies), SpiderOrders(store.projects))
        self.service = ScheduleService(store, self.queue, self.orders, limit=5)
        self.scheduler = Scheduler(store, self.queue, self.orders)

    async def jobs(self):
        return (await self.store.jobs.find(JobQuery(sort="created_at", limit=100)))[0]

    async def schedule(self, **changes):
        return await self.service.create(ScheduleDraft(**{"cron": "* * * * *", "job": ORDER, **changes}), ADA)


@asynccontextmanager
async def parts(folder):
    store = SqliteStore(folder / "schedules.db")
    await store.open()
    await store.users.add(User(ADA, "ada", "", Role.USER, 0.0))
    try:
        yield Parts(store)
    finally:
        await store.close()


async def test_a_due_schedule_orders_its_job_once(tmp_path):
    async with parts(tmp_path) as here:
        schedule = await here.schedule(name="n")
        due = schedule.next_run_at

        assert await here.scheduler.run_due(due - 0.1) == 0
        assert await here.scheduler.run_due(due + 0.1) == 1
        assert await here.scheduler.run_due(due + 0.2) == 0

        (job,) = await here.jobs()
        assert (job.schedule_id, job.owner, list(job.tags), job.config.max_pages) == (
            schedule.id,
            ADA,
            ["t"],
            100,
        )
        assert (job.config.headers, job.meta) == ({"X-A": "b"}, {"n": [1, None]})
        assert here.queue.woken == [job.id]
        kept = await here.service.get(schedule.id, ADA)
        assert (kept.next_run_at, kept.last_job_id) == (due + MINUTE, job.id)


async def test_H46_a_run_that_was_missed_for_days_is_made_up_for_once(tmp_path):
    async with parts(tmp_path) as here:
        schedule = await here.schedule(overlap=Overlap.ALLOW)
        late = schedule.next_run_at + 3 * 86_400 + 1.5

        assert await here.scheduler.run_due(late) == 1

        kept = await here.service.get(schedule.id, None)
        assert late < kept.next_run_at <= late + MINUTE


async def test_H46_clocks_that_are_set_back_run_nothing_twice(tmp_path):
    async with parts(tmp_path) as here:
        schedule = await here.schedule(overlap=Overlap.ALLOW)
        due = schedule.next_run_at
        await here.scheduler.run_due(due)

        for back in range(1, 60):
            assert await here.scheduler.run_due(due - back * MINUTE) == 0
        assert await here.scheduler.run_due(due + 0.5) == 0
        assert await here.scheduler.run_due(due + MINUTE) == 1


async def test_H46_a_change_after_clocks_were_set_back_runs_nothing_twice(tmp_path):
    async with parts(tmp_path) as here:
        schedule = await here.schedule()
        ahead = schedule.next_run_at + 1_800.0
        await here.scheduler.run_due(ahead)

        changed = await here.service.change(schedule.id, ADA, {"cron": "*/2 * * * *"})

        assert changed.next_run_at > ahead


async def test_many_schedulers_at_once_run_each_once(tmp_path):
    async with parts(tmp_path) as here:
        schedules = [await here.schedule() for _ in range(5)]
        now = max(schedule.next_run_at for schedule in schedules)
        others = [Scheduler(here.store, here.queue, here.orders) for _ in range(8)]

        made = await asyncio.gather(*(other.run_due(now) for other in others))

        assert sum(made) == 5
        assert sorted(job.schedule_id for job in await here.jobs()) == sorted(one.id for one in schedules)
        assert len(here.queue.woken) == 5


async def test_a_schedule_whose_last_job_is_not_over_is_skipped_unless_that_is_allowed(tmp_path):
    async with parts(tmp_path) as here:
        skips, allows = await here.schedule(), await here.schedule(overlap=Overlap.ALLOW)
        due = skips.next_run_at

        for run in range(3):
            await here.scheduler.run_due(due + run * MINUTE)
        jobs = await here.jobs()
        assert [job.schedule_id for job in jobs].count(skips.id) == 1
        assert [job.schedule_id for job in jobs].count(allows.id) == 3
        assert "skipped" in (await here.service.get(skips.id, ADA)).last_error

        (job,) = [job for job in jobs if job.schedule_id == skips.id]
        await here.store.jobs.transition(job.id, JobStatus.CANCELLED, now=due)
        await here.scheduler.run_due(due + 3 * MINUTE)
        kept = await here.service.get(skips.id, ADA)
        assert kept.last_job_id != job.id
        assert kept.last_error is None


async def test_a_schedule_that_can_make_no_job_says_why_and_holds_up_no_other(tmp_path):
    async with parts(tmp_path) as here:
        broken, sound = await here.schedule(), await here.schedule()
        order = msgspec.to_builtins(replace(ORDER, engine=EngineName.BROWSER))
        await here.store.schedules.update(replace(broken, order=order))
        garbled = await here.schedule()
        await here.store.schedules.update(replace(garbled, order={"urls": 5}))
        due = max(one.next_run_at for one in (broken, sound, garbled))

        assert await here.scheduler.run_due(due) == 1

        assert [job.schedule_id for job in await here.jobs()] == [sound.id]
        kept = await here.service.get(broken.id, ADA)
        assert "the engine browser is not part" in kept.last_error
        assert kept.next_run_at == due + MINUTE
        with pytest.raises(Conflict, match="can no longer be ordered"):
            await here.service.run_now(broken.id, ADA)


async def test_a_disabled_accounts_schedules_rest(tmp_path):
    async with parts(tmp_path) as here:
        schedule = await here.schedule()
        await here.store.users.change(ADA, disabled=True)

        assert await here.scheduler.run_due(schedule.next_run_at) == 0
        assert "disabled" in (await here.service.get(schedule.id, None)).last_error

        await here.store.users.change(ADA, disabled=False)
        assert await here.scheduler.run_due(schedule.next_run_at + MINUTE) == 1


async def test_a_schedule_that_is_not_enabled_runs_by_hand_alone(tmp_path):
    async with parts(tmp_path) as here:
        schedule = await here.schedule(enabled=False)
        assert schedule.next_run_at is None

        job = await here.service.run_now(schedule.id, ADA)

        assert job.schedule_id == schedule.id
        assert here.queue.woken == [job.id]
        with pytest.raises(Conflict, match="not over"):
            await here.service.run_now(schedule.id, ADA)
        on = await here.service.change(schedule.id, ADA, {"enabled": True})
        assert on.next_run_at is not None
        assert (await here.service.change(schedule.id, ADA, {"enabled": False})).next_run_at is None


async def test_changes_that_cannot_be_used_change_nothing(tmp_path):
    async with parts(tmp_path) as here:
        schedule = await here.service.get((await here.schedule(enabled=False)).id, ADA)

        for changes, where in [
            ({"cron": "x"}, ("cron",)),
            ({"timezone": "x"}, ("timezone",)),
            ({"job": replace(ORDER, urls=["x"])}, ("job", "url")),
            ({"job": replace(ORDER, engine=EngineName.SCRAPY)}, ("job", "engine")),
        ]:
            with pytest.raises(InvalidInput) as caught:
                await here.service.change(schedule.id, ADA, changes)
            assert caught.value.where == where
        assert await here.service.get(schedule.id, ADA) == schedule
        with pytest.raises(NotFound):
            await here.service.change(schedule.id, UserId("bob"), {"name": "x"})


async def test_changes_at_once_are_all_made(tmp_path):
    async with parts(tmp_path) as here:
        schedule = await here.schedule()

        await asyncio.gather(
            here.service.change(schedule.id, ADA, {"name": "n"}),
            here.service.change(schedule.id, ADA, {"overlap": Overlap.ALLOW}),
            here.service.change(schedule.id, ADA, {"cron": "0 0 * * *"}),
            here.service.run_now(schedule.id, ADA),
        )

        kept = await here.service.get(schedule.id, ADA)
        assert (kept.name, kept.overlap, kept.cron) == ("n", Overlap.ALLOW, "0 0 * * *")
        assert kept.last_job_id is not None
        assert kept.version == 4
