import asyncio
import gc

import pytest

from contract.conftest import running_job

#: Enough that a store which loses one cancellation of a hundred is found out.
TRIES = 400

#: pymongo 4.20 leaves the socket of a call that was broken off to the garbage collector, which is no fault of the store.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def sockets():
    """What the driver left is collected here, and not in another test."""
    yield
    gc.collect()


async def test_a_caller_who_is_cancelled_is_never_left_running(store):
    job = await running_job(store, "a")

    async def look():
        await store.jobs.get(job.id)
        await store.webhooks.events(5)
        await store.frontier.next_due(job.id)
        await store.log.page(job.id)

    began = asyncio.get_running_loop().time()
    for _ in range(5):
        await look()
    usual = (asyncio.get_running_loop().time() - began) / 5

    for number in range(TRIES):
        caller = asyncio.create_task(look())
        await asyncio.sleep(usual * number / TRIES)
        asked = caller.cancel()
        await asyncio.wait([caller])
        assert caller.cancelled() == asked
