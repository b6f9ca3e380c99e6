import sqlite3
import threading

import pytest

from scrapemaster.domain.errors import StoreError, StoreUnavailable
from scrapemaster.storage.sqlite.database import Database


@pytest.fixture
async def database(tmp_path):
    opened = Database(tmp_path / "s.db")
    await opened.open()
    yield opened
    await opened.close()


def count(connection):
    return connection.execute("SELECT count(*) FROM users").fetchone()[0], threading.get_ident()


async def test_a_peek_happens_on_the_event_loop_and_does_not_wait_for_writers(database):
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    assert await database.peek(count) == (0, threading.get_ident())

    other.close()


async def test_a_peek_that_would_have_to_wait_is_a_readers_work(database):
    threads = []

    def work(connection):
        threads.append(threading.get_ident())
        if len(threads) == 1:
            raise sqlite3.OperationalError("database is locked")
        return count(connection)[0]

    assert await database.peek(work) == 0
    assert threads[0] == threading.get_ident() != threads[1]


async def test_a_peek_cannot_write(database):
    with pytest.raises(StoreError):
        await database.peek(lambda connection: connection.execute("DELETE FROM users"))


async def test_a_database_can_be_closed_opened_and_peeked_into_again(database):
    await database.peek(count)
    await database.close()
    with pytest.raises(StoreUnavailable, match="not open"):
        await database.peek(count)

    await database.open()

    assert await database.peek(count) == (0, threading.get_ident())
