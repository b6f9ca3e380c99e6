"""What one process keeps of a job between its slices."""

from __future__ import annotations

from collections import OrderedDict

from scrapemaster.crawl.isolated_messages import PlanSpec, pack
from scrapemaster.crawl.isolation import Isolation
from scrapemaster.crawl.keeper import Keeper
from scrapemaster.crawl.links import LinkFinder
from scrapemaster.crawl.lore import Lore
from scrapemaster.crawl.rate import RateMeter
from scrapemaster.crawl.recorder import Recorder
from scrapemaster.crawl.scope import Scope
from scrapemaster.domain.escalation import Reason
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import Job
from scrapemaster.domain.url import host_of
from scrapemaster.extract.plan import Plan, compile_plan
from scrapemaster.ports.engine import Engine, PageSource


class Run:
    """A job's compiled plan, page source, link memory and rates. All of it can be made anew.

    `isolated`: the job's pages are extracted in processes of their own from now on. `links_cut` are links left out of pages
    with too many of them. `waited_for`: why pages were put back of late. `lore`: what the `auto` engine learnt;
    `missed`: a page that it could not render, why it would have, and why it could not. `meter` measures this process's pages, `pace` the whole
    job's.
    """

    def __init__(
        self, job: Job, engine: Engine, isolation: Isolation, recorder: Recorder, keeper: Keeper
    ) -> None:
        config = job.config
        hosts = [host_of(url) for url in job.urls]
        scope = Scope([*(config.allowed_domains or hosts), *job.scope_hosts], config.include, config.exclude)
        self.job = job
        self.engine_name = engine.name
        self.plan: Plan = compile_plan(job.selectors, config.item, config.formats)
        self.source: PageSource = engine.open(job)
        self.spec = pack(PlanSpec(job.selectors, config.item, config.formats))
        self.isolation = isolation
        self.recorder = recorder
        self.keeper = keeper
        self.isolated = self.plan.slow
        self.links_cut = 0
        self.waited_for = ""
        self.lore = Lore(job)
        self.missed: tuple[str, Reason, str] | None = None
        self.warned: set[str] = set()
        self.links = LinkFinder(scope, config.max_depth, sort_query=config.sort_query)
        self.meter = RateMeter()
        self.pace = RateMeter()
        self.may_widen = config.allowed_domains is None

    def heed(self, job: Job) -> None:
        """Take over what other slices wrote into the job."""
        self.job = job
        self.lore.heed(job.choices)
        scope = self.links.scope
        for host in job.scope_hosts:
            if not scope.covers_host(host):
                scope.widen(host)

    async def close(self) -> None:
        """Free connections."""
        await self.source.close()


class Runs:
    """The runs a process keeps, the least recently used closed first."""

    def __init__(self, keep: int = 256) -> None:
        self._keep = keep
        self._runs: OrderedDict[JobId, Run] = OrderedDict()

    def take(self, job_id: JobId) -> Run | None:
        """Take the job's run out, so that nobody else uses or closes it."""
        return self._runs.pop(job_id, None)

    async def put_back(self, job_id: JobId, run: Run) -> None:
        """Keep a run for the job's next slice."""
        if (other := self._runs.pop(job_id, None)) is not None:
            await other.close()
        self._runs[job_id] = run
        while len(self._runs) > self._keep:
            _, oldest = self._runs.popitem(last=False)
            await oldest.close()

    async def close(self) -> None:
        """Close all of them."""
        while self._runs:
            _, run = self._runs.popitem()
            await run.close()
