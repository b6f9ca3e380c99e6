"""The whole service in embedded mode: the API in this process, and a supervised crawler."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import socket
from collections.abc import Iterator

import structlog
import uvicorn
import uvloop

from scrapemaster import __version__
from scrapemaster.api.app import create_app
from scrapemaster.bootstrap import build_services, only_one, open_store
from scrapemaster.connection import bounded
from scrapemaster.domain.errors import InvalidSetting
from scrapemaster.settings import Settings
from scrapemaster.worker.supervisor import CrawlerProcess

log = structlog.get_logger(__name__)

#: Seconds that requests under way are given at the end.
_GRACE = 2
#: Connections that wait to be accepted; Linux takes no more than net.core.somaxconn, 4,096 since 5.4.
_BACKLOG = 4_096
#: Open files to ask for: more only makes programs slow that close all descriptors they might have.
_MOST_FILES = 65_536


class _Server(uvicorn.Server):
    """uvicorn, with signals left to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM. Raises `InvalidSetting` or `StoreError` when it cannot start."""
    raise_open_files()
    with only_one(settings, "service"), _listen(settings) as listener:
        uvloop.run(_serve(settings, listener))


def raise_open_files() -> int:
    """Allow this process and its children as many open files as the system lets them have; returns how many.

    Each connection takes one, and the usual soft limit is 1,024. Where it is more already it stays.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return soft


async def _serve(settings: Settings, listener: socket.socket) -> None:
    crawler = CrawlerProcess(settings)
    async with open_store(settings) as store:
        services = build_services(settings, store, crawler, crawler, lambda: crawler.healthy, courier=crawler)
        password = await services.accounts.ensure_admin()
        if password is not None:
            print(  # noqa: T201 -- shown once, and must not be in a log
                f"\n  An admin account was made.\n  user name: {settings.admin_username}\n"
                f"  password:  {password}\n  It is not shown again.\n",
                flush=True,
            )
        server = _Server(
            uvicorn.Config(
                create_app(services),
                backlog=_BACKLOG,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=_GRACE,
                timeout_keep_alive=75,
                http=bounded(settings.client_timeout),
                ws="none",
                # uvicorn alone would believe any process of this machine.
                proxy_headers=bool(settings.trusted_proxies),
                forwarded_allow_ips=list(settings.trusted_proxies),
            )
        )
        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopping.set)
        await crawler.start()
        host, port = listener.getsockname()[:2]
        log.info(
            "service.ready",
            version=__version__,
            dashboard=f"http://{host}:{port}/",
            docs=f"http://{host}:{port}/api/docs",
            data=str(settings.data_dir),
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        waiting = asyncio.create_task(stopping.wait())
        await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
        log.info("service.stopping")
        services.feeds.close()
        services.lists.close()
        server.should_exit = True
        await asyncio.gather(serving, crawler.stop())
        await services.preview.close()
        waiting.cancel()
        log.info("service.stopped")


@contextlib.contextmanager
def _listen(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            raise InvalidSetting(
                f"SCRAPEMASTER_HOST and SCRAPEMASTER_PORT: {settings.host}:{settings.port} cannot be listened on "
                f"({error.strerror}); choose another with --host or --port"
            ) from error
        listener.listen(_BACKLOG)
        yield listener
