"""Waiting no longer than one has said."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")

#: Work that nobody waits for any more and that has not ended yet: the event loop alone would forget it.
_left = set[asyncio.Future[Any]]()


async def within(seconds: float, work: Awaitable[T]) -> T:
    """What comes of `work`; raises `TimeoutError` after so many seconds, even if the work does not heed that it is cancelled.

    `asyncio.timeout` waits until it does. A driver of a database may lose a cancellation and go on for as long as it looks for a server
    (up to Python 3.11 `asyncio.wait_for`, which drivers wait by, drops some: https://github.com/python/cpython/issues/81839).
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task], timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            _left.add(task)
            task.add_done_callback(_forget)
    if not task.done():
        raise TimeoutError
    return task.result()


def _forget(task: asyncio.Future[Any]) -> None:
    _left.discard(task)
    if not task.cancelled():
        task.exception()  # nobody asks for it any more
