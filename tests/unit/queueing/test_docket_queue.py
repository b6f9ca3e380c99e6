import asyncio

import pytest

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import Priority
from scrapemaster.queueing.docket_queue import DocketQueue

JOB = JobId("job-1")
pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning")


class Recorder:
    """Stands where slices run; each run takes the next answer, then None."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.runs = []
        self.ran = asyncio.Condition()
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_once = 0
        self.most_at_once = 0

    async def run(self, job_id, *, crowded):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        async with self.ran:
            self.runs.append((job_id, crowded))
            self.ran.notify_all()
        await self.gate.wait()
        self.at_once -= 1
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def poke(self, _job_id):
        return False

    async def runs_reach(self, count):
        async with asyncio.timeout(10), self.ran:
            await self.ran.wait_for(lambda: len(self.runs) >= count)


class Unfinished:
    """The one question the sweep asks of the store."""

    def __init__(self):
        self.jobs = []

    async def unfinished(self):
        return self.jobs


def queue(recorder, unfinished=None, places=4):
    return DocketQueue(
        "memory://", recorder.run, recorder.poke, unfinished or Unfinished(), dict.fromkeys(Priority, places)
    )


async def test_a_woken_job_runs_slices_until_one_says_none():
    recorder = Recorder(0.0, 0.0, None)

    async with queue(recorder) as engine:
        await engine.wake(JOB, Priority.NORMAL)
        await recorder.runs_reach(3)

        await engine.wake(JOB, Priority.NORMAL)
        await recorder.runs_reach(4)


async def test_waking_a_job_many_times_runs_one_slice_at_a_time():
    recorder = Recorder(0.0, 0.0)
    recorder.gate.clear()

    async with queue(recorder) as engine:
        for _ in range(20):
            await engine.wake(JOB, Priority.HIGH)
        await recorder.runs_reach(1)
        recorder.gate.set()
        await recorder.runs_reach(3)

    assert recorder.most_at_once == 1


async def test_a_resting_job_that_is_woken_runs_at_once():
    recorder = Recorder(3600.0)

    async with queue(recorder) as engine:
        await engine.wake(JOB, Priority.NORMAL)
        await recorder.runs_reach(1)
        await asyncio.sleep(0.2)  # docket parks the successor after the slice has ended
        await engine.wake(JOB, Priority.NORMAL)
        await recorder.runs_reach(2)


async def test_H41_the_sweep_takes_up_what_nobody_queued():
    recorder, unfinished = Recorder(), Unfinished()
    unfinished.jobs = [(JOB, Priority.LOW)]

    async with queue(recorder, unfinished):
        await recorder.runs_reach(1)


async def test_a_slice_that_fails_is_run_again():
    recorder = Recorder(RuntimeError("the disk is full"), None)

    async with queue(recorder) as engine:
        await engine.wake(JOB, Priority.NORMAL)
        await recorder.runs_reach(2)


async def test_a_high_job_does_not_wait_for_normal_ones():
    recorder = Recorder()
    recorder.gate.clear()

    async with queue(recorder, places=1) as engine:
        for number in range(5):
            await engine.wake(JobId(f"normal-{number}"), Priority.NORMAL)
        await recorder.runs_reach(1)
        await engine.wake(JobId("urgent"), Priority.HIGH)
        await recorder.runs_reach(2)
        recorder.gate.set()

    assert recorder.runs[1][0] == "urgent"


async def test_slices_are_told_when_others_wait():
    recorder = Recorder()
    recorder.gate.clear()

    async with queue(recorder, places=1) as engine:
        for number in range(3):
            await engine.wake(JobId(f"job-{number}"), Priority.NORMAL)
        recorder.gate.set()
        await recorder.runs_reach(3)

    assert [crowded for _, crowded in recorder.runs][-1] is False
    assert any(crowded for _, crowded in recorder.runs)
