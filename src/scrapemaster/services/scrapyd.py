"""Scrapyd's view of projects and jobs (https://scrapyd.readthedocs.io/en/latest/api.html)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scrapemaster.domain.errors import Conflict, InvalidInput, NotFound
from scrapemaster.domain.ids import JobId, UserId
from scrapemaster.domain.job import TERMINAL, EngineName, Job, JobConfig, JobStatus, Priority
from scrapemaster.domain.spider import SpiderOrder
from scrapemaster.ports.jobs import JobQuery
from scrapemaster.services.callers import Caller
from scrapemaster.services.jobs import JobOrder, JobService

#: Jobs of each state that a list shows at most, the latest of them.
_MOST = 500
_PAGE = 100
#: In front of the tag by which a job is known again whose caller gave it an id.
_TAG = "scrapyd:"
#: Scrapyd's words for our states.
STATES: Mapping[str, Sequence[JobStatus]] = {
    "pending": (JobStatus.PENDING,),
    "running": (JobStatus.RUNNING, JobStatus.PAUSED),
    "finished": tuple(sorted(TERMINAL)),
}


@dataclass(slots=True, frozen=True)
class ScrapydOrder:
    """An order as Scrapyd takes it; `jobid` is the caller's own."""

    project: str
    spider: str
    version: str = ""
    jobid: str = ""
    priority: float = 0.0
    args: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


class ScrapydService:
    """Orders, looks at and ends jobs of spiders as Scrapyd's clients want it."""

    def __init__(self, jobs: JobService) -> None:
        self._jobs = jobs

    async def schedule(self, order: ScrapydOrder, caller: Caller) -> str:
        """Order a job; its id, or the caller's own. Raises `InvalidInput`, and `Conflict` when the caller's own id is taken."""
        if order.jobid:
            if len(order.jobid) > 90:
                raise InvalidInput("a jobid has 90 characters at most", ("jobid",))
            if await self._tagged(order.jobid, caller.sees):
                raise Conflict(f"there is a job {order.jobid} already")
        spider = SpiderOrder(
            order.spider, order.project, order.version, args=order.args, settings=order.settings
        )
        wanted = JobOrder(
            urls=(),
            config=JobConfig(),
            engine=EngineName.SCRAPY,
            priority=Priority.HIGH
            if order.priority > 0
            else Priority.LOW
            if order.priority < 0
            else Priority.NORMAL,
            tags=[_TAG + order.jobid] if order.jobid else (),
            config_asked={"scrapy_settings": dict(order.settings)} if order.settings else {},
            spider=spider,
        )
        job, _ = await self._jobs.create(wanted, caller.user.id)
        return jobid_of(job)

    async def find(self, jobid: str, sees: UserId | None, project: str | None) -> Job | None:
        """The job of this id, ours or the caller's own, if it runs a spider of the project (None: any)."""
        try:
            job: Job | None = await self._jobs.get(JobId(jobid), sees)
        except NotFound:
            job = next(iter(await self._tagged(jobid, sees)), None)
        if job is None or job.spider is None or (project is not None and job.spider.project != project):
            return None
        return job

    async def cancel(self, jobid: str, sees: UserId | None, project: str) -> str | None:
        """End a job; its state before, None when it was over. Raises `NotFound`."""
        job = await self.find(jobid, sees, project)
        if job is None:
            raise NotFound(f"there is no job {jobid[:100]} of the project {project[:100]}")
        if job.status in TERMINAL:
            return None
        try:
            await self._jobs.cancel(job.id, sees)
        except Conflict:  # it ended at that moment
            return None
        return state_of(job)

    async def counts(self, sees: UserId | None) -> dict[str, int]:
        """How many jobs there are in each of Scrapyd's states."""
        return {
            state: sum([await self._count(status, sees) for status in statuses])
            for state, statuses in STATES.items()
        }

    async def jobs(self, project: str | None, sees: UserId | None) -> dict[str, list[Job]]:
        """The latest jobs in each of Scrapyd's states, the oldest of them first."""
        found = {}
        for state, statuses in STATES.items():
            jobs = [job for status in statuses for job in await self._some(status, project, sees)]
            found[state] = sorted(jobs, key=lambda job: job.id)
        return found

    async def _some(self, status: JobStatus, project: str | None, sees: UserId | None) -> list[Job]:
        jobs: list[Job] = []
        while len(jobs) < _MOST:
            query = JobQuery(owner=sees, status=status, project=project or "", skip=len(jobs), limit=_PAGE)
            part, total = await self._jobs.find(query)
            jobs += part
            if not part or len(jobs) >= total:
                break
        return jobs

    async def _count(self, status: JobStatus, sees: UserId | None) -> int:
        return (await self._jobs.find(JobQuery(owner=sees, status=status, project="", limit=1)))[1]

    async def _tagged(self, jobid: str, sees: UserId | None) -> list[Job]:
        return (await self._jobs.find(JobQuery(owner=sees, tag=_TAG + jobid, project="", limit=1)))[0]


def state_of(job: Job) -> str:
    """Scrapyd's word for a job's state."""
    return next(state for state, statuses in STATES.items() if job.status in statuses)


def jobid_of(job: Job) -> str:
    """The id that the caller gave the job, or ours."""
    return next((tag.removeprefix(_TAG) for tag in job.tags if tag.startswith(_TAG)), job.id)
