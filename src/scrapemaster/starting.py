"""What every service does when it starts: files, socket, signals, the first admin."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import socket
from collections.abc import Iterator

import structlog

from scrapemaster import __version__
from scrapemaster.domain.errors import Conflict, InvalidSetting
from scrapemaster.services.accounts import AccountService
from scrapemaster.settings import Settings

log = structlog.get_logger(__name__)

#: Connections that wait to be accepted; Linux takes no more than net.core.somaxconn, 4,096 since 5.4.
BACKLOG = 4_096
#: Open files to ask for: more only makes programs slow that close all descriptors they might have.
_MOST_FILES = 65_536


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


@contextlib.contextmanager
def listen(settings: Settings) -> Iterator[socket.socket]:
    """A socket that listens where the settings say; raises `InvalidSetting`."""
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
        listener.listen(BACKLOG)
        yield listener


def hear_signals(stopping: asyncio.Event) -> None:
    """Have SIGINT and SIGTERM set the event."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)


async def welcome(settings: Settings, accounts: AccountService) -> None:
    """Make the first admin, if there is no user yet."""
    try:
        password = await accounts.ensure_admin()
    except Conflict:
        return  # another process of the fleet was a moment earlier
    if password is not None:
        print(  # noqa: T201 -- shown once, and must not be in a log
            f"\n  An admin account was made.\n  user name: {settings.admin_username}\n"
            f"  password:  {password}\n  It is not shown again.\n",
            flush=True,
        )


def say_ready(settings: Settings, listener: socket.socket) -> None:
    """Log where the service is to be found."""
    host, port = listener.getsockname()[:2]
    log.info(
        "service.ready",
        version=__version__,
        dashboard=f"http://{host}:{port}/",
        docs=f"http://{host}:{port}/api/docs",
        data=str(settings.data_dir),
    )
