"""Every task engine under one suite: docket in one process, and docket over Redis."""

import asyncio

import pytest
from redis.asyncio.connection import Connection

from contract.conftest import make_job
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import JobConfig, Priority
from scrapemaster.fleet.registry import Registry
from scrapemaster.fleet.throttle import FleetThrottle
from scrapemaster.queueing.docket_queue import DocketQueue
from scrapemaster.queueing.fleet_queue import FleetQueue, FleetWorker, key_of
from servers.redis import sentinel

JOB = JobId("job-1")
#: Seconds that a slice's successor is parked: on a busy machine that may happen only when Redis is back, and then it is due there.
RESTS = 5.0
pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning")


class Recorder:
    """Stands where slices run; each run takes the next answer, then None."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.runs = []
        self.numbers = []
        self.orders = []
        self.ran = asyncio.Condition()
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_once = 0
        self.most_at_once = 0

    async def run(self, job_id, *, crowded, number=0, spread=None, order=None):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        async with self.ran:
            self.runs.append((job_id, crowded))
            self.numbers.append(number)
            self.orders.append(order)
            self.ran.notify_all()
        await self.gate.wait()
        self.at_once -= 1
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def poke(self, _job_id):
        return False

    def stop(self):
        self.gate.set()

    async def runs_reach(self, count):
        async with asyncio.timeout(90), self.ran:
            await self.ran.wait_for(lambda: len(self.runs) >= count)


class Unfinished:
    """The one question the sweep asks of the store."""

    def __init__(self):
        self.jobs = []

    async def unfinished(self):
        return self.jobs


def embedded(_url, recorder, unfinished=None, places=4, **_):
    return DocketQueue(
        "memory://", recorder.run, recorder.poke, unfinished or Unfinished(), dict.fromkeys(Priority, places)
    )


def fleet(url, recorder, unfinished=None, places=4, workers=1, name="w1"):
    return FleetWorker(
        url,
        recorder.run,
        recorder.stop,
        unfinished or Unfinished(),
        dict.fromkeys(Priority, places),
        lambda: workers,
        name,
    )


ENGINES = {"embedded": embedded, "fleet": fleet}


@pytest.fixture(params=ENGINES)
def queue(request):
    url = request.getfixturevalue("redis_server").url if request.param == "fleet" else ""
    return lambda *parts, **options: ENGINES[request.param](url, *parts, **options)


async def test_a_woken_job_runs_slices_until_one_says_none(queue):
    recorder = Recorder(0.0, 0.0, None)

    async with queue(recorder) as engine:
        await engine.wake(JOB, Priority.NORMAL)
        await recorder.runs_reach(3)
        await asyncio.sleep(
            0.5
        )  # docket lets go of the key after the slice has ended; until then only the sweep helps

        await engine.wake(JOB, Priority.NORMAL)
        await recorder.runs_reach(4)


async def test_what_ordered_a_job_is_told_to_its_slices_until_it_ends(queue):
    recorder = Recorder(0.0, 0.3, None)

    async with queue(recorder) as engine:
        await engine.take_up(JOB, Priority.NORMAL, "00-order")
        await recorder.runs_reach(3)

    assert recorder.orders[:3] == ["00-order"] * 3


async def test_waking_a_job_many_times_runs_one_slice_at_a_time(queue):
    recorder = Recorder(0.0, 0.0)
    recorder.gate.clear()

    async with queue(recorder) as engine:
        for _ in range(20):
            await engine.wake(JOB, Priority.HIGH)
        await recorder.runs_reach(1)
        recorder.gate.set()
        await recorder.runs_reach(3)

    assert recorder.most_at_once == 1


async def test_a_resting_job_that_is_woken_runs_at_once(queue):
    recorder = Recorder(3600.0)

    async with queue(recorder) as engine:
        await engine.wake(JOB, Priority.NORMAL)
        await recorder.runs_reach(1)
        await asyncio.sleep(0.2)  # docket parks the successor after the slice has ended
        await engine.wake(JOB, Priority.NORMAL)
        await recorder.runs_reach(2)


async def test_H41_the_sweep_takes_up_what_nobody_queued(queue):
    recorder, unfinished = Recorder(), Unfinished()
    unfinished.jobs = [(JOB, Priority.LOW)]

    async with queue(recorder, unfinished):
        await recorder.runs_reach(1)


async def test_a_slice_that_fails_is_run_again(queue):
    recorder = Recorder(RuntimeError("the disk is full"), None)

    async with queue(recorder) as engine:
        await engine.wake(JOB, Priority.NORMAL)
        await recorder.runs_reach(2)


async def test_a_high_job_does_not_wait_for_normal_ones(queue):
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


async def test_slices_are_told_when_others_wait(queue):
    recorder = Recorder()
    recorder.gate.clear()

    async with queue(recorder, places=1) as engine:
        for number in range(3):
            await engine.wake(JobId(f"job-{number}"), Priority.NORMAL)
        await recorder.runs_reach(1)
        await asyncio.sleep(2.0)  # longer than a worker goes without looking
        recorder.gate.set()
        await recorder.runs_reach(3)

        assert any(crowded for _, crowded in recorder.runs)

        async with asyncio.timeout(20):
            while recorder.runs[-1][1]:
                await engine.wake(JobId(f"job-{len(recorder.runs)}"), Priority.NORMAL)
                await recorder.runs_reach(len(recorder.runs) + 1)


async def test_what_an_api_process_wakes_a_worker_runs(redis_server):
    recorder = Recorder()

    async with fleet(redis_server.url, recorder), FleetQueue(redis_server.url) as api:
        await api.wake(JOB, Priority.HIGH)
        await recorder.runs_reach(1)


async def test_two_workers_and_two_sweeps_run_one_slice_of_a_key_at_a_time(redis_server):
    recorder, unfinished = Recorder(), Unfinished()
    unfinished.jobs = [(JOB, Priority.NORMAL)]
    recorder.gate.clear()

    async with (
        fleet(redis_server.url, recorder, unfinished),
        fleet(redis_server.url, recorder, unfinished, name="w2"),
    ):
        await recorder.runs_reach(1)
        await asyncio.sleep(4.0)  # some sweeps of both

        assert len(recorder.runs) == 1
        unfinished.jobs = []
        recorder.gate.set()


async def test_summoned_slices_have_numbers_of_their_own(redis_server):
    recorder = Recorder()
    recorder.gate.clear()
    job = make_job(config=JobConfig(concurrency=24))

    async with fleet(redis_server.url, recorder, workers=3) as engine:
        engine.summon(job, "00-order")
        await recorder.runs_reach(2)
        engine.summon(job)
        await asyncio.sleep(1.0)

        assert sorted(recorder.numbers) == [1, 2]
        assert recorder.orders == ["00-order"] * 2
        recorder.gate.set()


async def test_H44_a_flushed_redis_is_filled_again_by_the_sweep(redis_server):
    recorder, unfinished = Recorder(RESTS), Unfinished()
    unfinished.jobs = [(JOB, Priority.NORMAL)]

    async with fleet(redis_server.url, recorder, unfinished):
        await recorder.runs_reach(1)
        await asyncio.sleep(0.5)  # the successor is parked
        redis_server.flush()

        await recorder.runs_reach(2)


async def test_H44_redis_killed_and_started_again_is_used_again(redis_server):
    recorder, unfinished = Recorder(RESTS), Unfinished()
    unfinished.jobs = [(JOB, Priority.NORMAL)]

    async with fleet(redis_server.url, recorder, unfinished), FleetQueue(redis_server.url) as api:
        await recorder.runs_reach(1)
        redis_server.kill()
        await api.wake(JobId("job-2"), Priority.NORMAL)
        redis_server.start()

        await recorder.runs_reach(2)


async def test_H44_an_engine_that_starts_without_redis_runs_once_it_is_there(redis_server):
    recorder, unfinished = Recorder(), Unfinished()
    unfinished.jobs = [(JOB, Priority.NORMAL)]
    redis_server.kill()

    async with fleet(redis_server.url, recorder, unfinished):
        await asyncio.sleep(0.5)
        assert not recorder.runs
        redis_server.start()

        await recorder.runs_reach(1)


async def test_H44_waking_while_redis_hangs_takes_no_longer_than_a_moment(redis_server):
    async with FleetQueue(redis_server.url) as api:
        redis_server.freeze()
        try:
            async with asyncio.timeout(10):
                for number in range(20):
                    await api.wake(JobId(f"job-{number}"), Priority.NORMAL)
        finally:
            redis_server.thaw()


async def test_H44_a_connection_that_was_closed_unseen_fails_no_wake(redis_server, monkeypatch):
    async def closed(_connection, _command, **_options):
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

    async with FleetQueue(redis_server.url) as api:
        await api.wake(JOB, Priority.NORMAL)
        with monkeypatch.context() as faulty:
            # What uvloop raises where asyncio's own loop has a ConnectionError.
            faulty.setattr(Connection, "send_packed_command", closed)
            await api.wake(JobId("job-2"), Priority.NORMAL)
    recorder, unfinished = Recorder(), Unfinished()
    unfinished.jobs = [(JobId("job-2"), Priority.NORMAL)]
    async with fleet(redis_server.url, recorder, unfinished):
        await recorder.runs_reach(2)


async def test_a_worker_that_stops_leaves_its_jobs_to_the_others(redis_server):
    first, second = Recorder(0.0), Recorder()
    first.gate.clear()

    async with FleetQueue(redis_server.url) as api:
        async with fleet(redis_server.url, first):
            await api.wake(JOB, Priority.NORMAL)
            await first.runs_reach(1)

        async with fleet(redis_server.url, second, name="w2"):
            await second.runs_reach(1)


async def test_a_fleet_finds_its_redis_through_sentinel(redis_server):
    recorder = Recorder()

    with sentinel(redis_server) as url:
        async with (
            fleet(url, recorder),
            FleetQueue(url) as api,
            FleetThrottle(url, "w1", 4) as throttle,
            Registry(url) as registry,
        ):
            await api.wake(JOB, Priority.NORMAL)
            await recorder.runs_reach(1)
            async with asyncio.timeout(30):
                await throttle.acquire("h", 0.1)
                assert await registry.reports() == []


def test_a_slice_has_its_job_and_number_as_its_key():
    assert key_of(JOB, 3) == "job-1/3"


async def test_H46_a_slice_parked_by_a_worker_whose_clock_is_an_hour_ahead_is_run_by_the_others(redis_server):
    # What such a worker leaves behind is a successor that is due in an hour.
    first, second, unfinished = Recorder(3_600.0), Recorder(), Unfinished()
    unfinished.jobs = [(JOB, Priority.NORMAL)]

    async with fleet(redis_server.url, first) as engine:
        await engine.wake(JOB, Priority.NORMAL)
        await first.runs_reach(1)
        await asyncio.sleep(0.5)  # docket parks the successor after the slice has ended

    async with fleet(redis_server.url, second, unfinished, name="w2"):
        await second.runs_reach(1)
