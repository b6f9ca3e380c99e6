"""A whole store moved into another, and compared with it afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from scrapemaster.domain.errors import StoreBroken
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.moving import OF_A_JOB, OF_ALL, Kind, Tally
from scrapemaster.ports.moving import MoveSource, MoveTarget, Place, Progress


@dataclass(slots=True)
class Move:
    """Moves everything from one store to another; may be killed and run again, and goes on where it was.

    `say` is told how it goes, a sentence at a time.
    """

    source: MoveSource
    target: MoveTarget
    say: Callable[[str], None]
    _moved: dict[Kind, Tally] = field(default_factory=dict)

    async def run(self) -> None:
        """Move, compare, and give the target free.

        Raises `Conflict` when the target holds something else, `StoreBroken` when what was moved is not what was there.
        """
        await self.source.open()
        try:
            before = await self.target.begin(self.source.name, await self.source.summary())
            self.say(f"Moving {self.source.name}." if before is None else f"Going on with {before.kind}.")
            await self._copy(before or Progress(OF_ALL[0]))
            self.say("Comparing what was moved with what was there.")
            await self._compare()
            await self.target.finish()
        finally:
            await self.target.close()
            await self.source.close()
        for kind, tally in self._moved.items():
            if tally.count:
                self.say(f"{kind}: {tally}")

    async def _copy(self, progress: Progress) -> None:
        if progress.kind in OF_ALL:
            for kind in OF_ALL[OF_ALL.index(progress.kind) :]:
                await self._copy_kind(kind, None, progress.place if kind is progress.kind else None, None)
        jobs = progress.jobs
        async for job, behind in self.source.jobs(jobs):
            begun = job == progress.job
            for kind in OF_A_JOB[OF_A_JOB.index(progress.kind) if begun else 0 :]:
                place = progress.place if begun and kind is progress.kind else None
                await self._copy_kind(kind, job, place, jobs)
            jobs = behind

    async def _copy_kind(self, kind: Kind, job: JobId | None, place: Place, jobs: Place) -> None:
        async for batch in self.source.read(kind, job, place):
            await self.target.put(Progress(kind, job, batch.place, jobs), batch.records)

    async def _compare(self) -> None:
        for kind in OF_ALL:
            await self._compare_kind(kind, None)
        async for job, _ in self.source.jobs():
            for kind in OF_A_JOB:
                await self._compare_kind(kind, job)

    async def _compare_kind(self, kind: Kind, job: JobId | None) -> None:
        there, here = Tally(), Tally()
        async for batch in self.source.read(kind, job):
            there.add(batch.records)
            if kind is Kind.KNOWN and job is not None and await self.target.missing(job, batch.records):
                raise StoreBroken(f"job {job} lost fingerprints on the way: {_HELP}")
        if kind is Kind.KNOWN:
            here = there
        else:
            async for records in self.target.read(kind, job):
                here.add(records)
        whose = "" if job is None else f" of job {job}"
        expected = await self.source.count(kind, job)
        if expected not in {None, there.count}:
            raise StoreBroken(f"{kind}{whose}: there are {expected}, and {there.count} were found: {_HELP}")
        if there != here:
            raise StoreBroken(f"{kind}{whose}: {there} were there, and {here} came: {_HELP}")
        total = self._moved.setdefault(kind, Tally())
        total.count += there.count
        total.checksum = (total.checksum + there.checksum) % 2**64


_HELP = "drop the target database, and move again; the source is as it was"
