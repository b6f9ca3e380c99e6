"""Nobody waits longer than was said, whatever becomes of the work."""

import asyncio
import time

import pytest

from scrapemaster.services import patience
from scrapemaster.services.patience import within


async def stubborn(ended, seconds=0.6):
    """Loses its cancellation, as drivers do."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            continue
    ended.set()


async def test_what_comes_in_time_is_returned_or_raised():
    async def value():
        return 7

    async def fault():
        raise ValueError("odd")

    assert await within(5, value()) == 7
    with pytest.raises(ValueError, match="odd"):
        await within(5, fault())


async def test_work_that_does_not_heed_its_cancellation_is_left_and_goes_on():
    ended = asyncio.Event()

    with pytest.raises(TimeoutError):
        await within(0.05, stubborn(ended))

    assert not ended.is_set()
    assert len(patience._left) == 1
    await ended.wait()
    await asyncio.sleep(0)
    assert patience._left == set()


async def test_who_is_cancelled_cancels_the_work():
    heard = asyncio.Event()

    async def work():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            heard.set()
            raise

    waiting = asyncio.create_task(within(60, work()))
    await asyncio.sleep(0.05)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(5):
        await heard.wait()


async def test_a_fault_after_the_time_is_nobody_s():
    async def late():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ValueError("too late") from None

    with pytest.raises(TimeoutError):
        await within(0.05, late())
    await asyncio.sleep(0.05)
    assert patience._left == set()
