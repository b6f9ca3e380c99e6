"""Stores for services to be tested over: a file in their folder, or a database of their own on a real MongoDB."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from pymongo import MongoClient

from servers.mongo import database_url

STORES = ("sqlite", "mongo")
#: The same where the second is told apart by nothing that the contract suite of the stores would not find.
ALSO_MONGO = ("sqlite", pytest.param("mongo", marks=pytest.mark.soak))


@contextmanager
def settings_for(store: str) -> Iterator[dict[str, str]]:
    """The settings of a service over a fresh store, which goes at the end."""
    if store == "sqlite":
        yield {}
        return
    name = f"service-{uuid4().hex}"
    url = database_url(name)
    yield {"SCRAPEMASTER_MONGODB_URL": url}
    with MongoClient(url) as client:
        client.drop_database(name)
