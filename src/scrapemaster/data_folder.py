"""The data folder: made, kept to those who may share it, and the files in it that are not the store's."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from scrapemaster.crawl.recorder import FlightRecorder
from scrapemaster.domain.errors import InvalidSetting, StoreBroken
from scrapemaster.domain.ids import uuid7
from scrapemaster.settings import Settings

#: Bytes put aside on a disk, which is enough to pause some hundred jobs, and how many must be free for that.
_RESERVE = 4 * 1024 * 1024
_RESERVE_FROM = 4 * _RESERVE


def prepare_data_dir(settings: Settings) -> Path:
    """The data folder, made if need be, readable by its owner alone."""
    folder = settings.data_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidSetting(
            f"SCRAPEMASTER_DATA_DIR: the folder {folder} cannot be made: {error.strerror}"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidSetting(f"SCRAPEMASTER_DATA_DIR: the folder {folder} is not writable")
    return folder


def prepare_exports_dir(settings: Settings, *, shared: bool) -> Path:
    """The folder for files that are written before they are sent, emptied of what a killed service left there.

    `shared`: other processes may be writing to it, and it is left as it is.
    """
    folder = prepare_data_dir(settings) / "exports"
    if not shared:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@contextlib.contextmanager
def only_one(settings: Settings, role: str, *, wait: float = 0.0, shared: bool = False) -> Iterator[None]:
    """Hold the data folder for one process of a role; raises `StoreBroken` when another has it after `wait` seconds.

    `shared`: hold it together with others that share it, as a fleet's processes do.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    path = prepare_data_dir(settings) / f"{role}.lock"
    with path.open("a") as file:
        end = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() >= end:
                    raise StoreBroken(
                        f"another ScrapeMaster {role} is using the data folder {settings.data_dir}: stop it, or "
                        "give this one a folder of its own with SCRAPEMASTER_DATA_DIR or --data-dir"
                    ) from error
            time.sleep(0.05)
        yield


def service_name(settings: Settings) -> str:
    """The name of the service of this data folder on this machine, the same after each start. For who holds the folder alone."""
    path = prepare_data_dir(settings) / "service.id"
    name = path.read_text() if path.exists() else ""
    if not name:
        name = uuid7()
        path.write_text(name)
    return f"{socket.gethostname()}/{name}"


class DiskReserve:
    """See `ports.reserve.Reserve`: a file in the data folder, for the store that is there too."""

    def __init__(self, settings: Settings) -> None:
        self._path = prepare_data_dir(settings) / "reserve"
        self._kept = False

    def keep(self) -> bool:
        """See the port."""
        if self._kept:
            return True
        with contextlib.suppress(OSError):
            disk = os.statvfs(self._path.parent)
            if not self._path.exists() and disk.f_bavail * disk.f_frsize < _RESERVE_FROM:
                return False
            with open(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:  # noqa: PTH123 -- of a descriptor
                # Written, as not every file system can put space aside; not appended, as several workers may do so at once.
                file.write(bytes(max(0, _RESERVE - file.seek(0, os.SEEK_END))))
                file.truncate(_RESERVE)
            self._kept = True
        return self._kept

    def give(self) -> None:
        """See the port."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        self._kept = False


def flight_recorder(settings: Settings) -> FlightRecorder:
    """Where the crawler writes which page it is extracting."""
    return FlightRecorder(prepare_data_dir(settings) / "crawler.page")


@contextlib.contextmanager
def flight_recorders(settings: Settings, count: int) -> Iterator[list[int]]:
    """Open files in which so many workers write which pages they are extracting, each to be inherited by one worker.

    The first files in the data folder that no living worker has: so a worker finds what one before it left behind, also after all
    of this machine's processes were killed. A file is free again when all processes that have it open are gone.
    """
    folder = prepare_data_dir(settings) / "workers"
    folder.mkdir(mode=0o700, exist_ok=True)
    with contextlib.ExitStack() as stack:
        files: list[int] = []
        for number in itertools.count():
            if len(files) == count:
                break
            file = stack.enter_context((folder / f"{number}.page").open("a+b"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            files.append(file.fileno())
        yield files
