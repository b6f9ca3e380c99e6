"""A real MongoDB: a replica set of one member, on a free port, with a data folder of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from benchmarks.manual_server import free_port


def program() -> str | None:
    """A `mongod`: the one on PATH, or that of the development dependencies."""
    found = shutil.which("mongod")
    if found is None and (spec := importlib.util.find_spec("fiftyone")) is not None:
        for folder in spec.submodule_search_locations or ():
            found = found or shutil.which(str(Path(folder) / "db" / "bin" / "mongod"))
    return found


class MongoServer:
    """A `mongod` of our own; `alone`: no replica set; `in_memory`: its files, if possible; `core`: the one it is pinned to. It keeps its port and its data over `kill` and `start`. Use as a context manager."""

    def __init__(
        self, path: str, *, alone: bool = False, in_memory: bool = True, core: int | None = None
    ) -> None:
        self._command = [path] if core is None else ["taskset", "-c", str(core), path]
        self._alone = alone
        # In memory where that can be had: a sync to the disk for each commit would be most of the tests' time.
        memory = Path("/dev/shm")
        there = in_memory and os.access(memory, os.W_OK)
        self._folder = tempfile.TemporaryDirectory(dir=memory if there else None, ignore_cleanup_errors=True)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def url(self, database: str) -> str:
        """The address of one of its databases."""
        return f"mongodb://127.0.0.1:{self.port}/{database}?replicaSet=test"

    def start(self) -> None:
        """Start it and wait until it can be written to."""
        member_of = [] if self._alone else ["--replSet", "test"]
        self._process = subprocess.Popen(
            [*self._command, *member_of, "--bind_ip", "127.0.0.1", "--port", str(self.port)]  # noqa: RUF005 -- lines of a command
            + ["--dbpath", self._folder.name, "--wiredTigerCacheSizeGB", "0.5", "--oplogSize", "256"]
            + ["--setParameter", "diagnosticDataCollectionEnabled=false", "--nounixsocket"]
            + ["--logpath", str(Path(self._folder.name) / "log"), "--logappend"],
            stdout=subprocess.DEVNULL,
        )
        address = f"mongodb://127.0.0.1:{self.port}/?directConnection=true&serverSelectionTimeoutMS=60000"
        with MongoClient(address) as client:
            if self._alone:
                client.admin.command("ping")
                return
            member = {"_id": 0, "host": f"127.0.0.1:{self.port}"}
            with contextlib.suppress(PyMongoError):  # it was one before
                client.admin.command("replSetInitiate", {"_id": "test", "members": [member]})
            end = time.monotonic() + 60
            while not client.admin.command("hello")["isWritablePrimary"]:
                if time.monotonic() > end:
                    raise RuntimeError("mongod did not become primary within 60 s")
                time.sleep(0.02)

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop it from running, as a machine that hangs does, until `thaw`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it and remove its data."""
        self.kill()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
