"""The parent of a fleet's processes on one machine: it checks what they need, starts them, and keeps them running."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence

import structlog
import uvloop

from scrapemaster import __version__
from scrapemaster.account_parts import build_accounts
from scrapemaster.data_folder import flight_recorders, only_one
from scrapemaster.fleet.refusal import check
from scrapemaster.settings import Settings, redis_url_of, settings_environment
from scrapemaster.starting import hear_signals, listen, raise_open_files, say_ready, welcome
from scrapemaster.stores import fleet_use, open_store
from scrapemaster.tracer_parts import build_tracer
from scrapemaster.worker.processes import Children, ChildSpec

log = structlog.get_logger(__name__)


def run_fleet(settings: Settings, *, apis: int = 0, workers: int = 0) -> None:
    """Run so many processes of a fleet until SIGINT or SIGTERM. Raises `InvalidSetting` or `StoreError`."""
    redis_url_of(settings)
    raise_open_files()
    with contextlib.ExitStack() as stack:
        stack.enter_context(only_one(settings, "service", shared=True))
        listener = stack.enter_context(listen(settings)) if apis else None
        recorders = stack.enter_context(flight_recorders(settings, workers))
        uvloop.run(_run_fleet(settings, listener, apis, recorders))


async def _run_fleet(
    settings: Settings, listener: socket.socket | None, apis: int, recorders: Sequence[int]
) -> None:
    specs = [
        ChildSpec(f"worker-{number}", "scrapemaster.worker.fleet", [str(file)], [file], recorder=file)
        for number, file in enumerate(recorders)
    ]
    with build_tracer(settings, "parent"):
        pass  # only to see that it can be had
    # One that will never take us is said here; one that does not answer now is waited for later.
    await check(redis_url_of(settings))
    # Before the children start, so that one of them brings the schema up to date, and one makes the admin.
    async with open_store(settings, fleet_use()) as store:
        if listener is not None:
            await welcome(settings, build_accounts(settings, store).accounts)
    stopping = asyncio.Event()
    hear_signals(stopping)
    if listener is not None:
        descriptor = listener.fileno()
        specs += [
            ChildSpec(f"api-{number}", "scrapemaster.fleet_api", [str(descriptor)], [descriptor])
            for number in range(apis)
        ]
        say_ready(settings, listener)
    log.info("fleet.started", version=__version__, apis=apis, workers=len(recorders))
    await Children(specs, settings_environment(settings)).run(stopping)
    log.info("fleet.stopped")
