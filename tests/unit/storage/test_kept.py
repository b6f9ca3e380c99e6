"""What was read is kept until the file changes, and no longer."""

import asyncio
import sqlite3

import pytest_asyncio

from scrapemaster.storage.sqlite.database import Database
from scrapemaster.storage.sqlite.kept import Kept


@pytest_asyncio.fixture
async def database(tmp_path):
    made = Database(tmp_path / "kept.db")
    await made.open()
    await made.write(
        lambda connection: connection.execute("CREATE TABLE words (id INTEGER PRIMARY KEY, word)")
    )
    yield made
    await made.close()


class Reader:
    """Reads the word of a row, and counts how often it really was read."""

    def __init__(self, database):
        self.database = database
        self.reads = 0

    async def word(self, number, **how):
        def work(connection):
            self.reads += 1
            row = connection.execute("SELECT word FROM words WHERE id = ?", (number,)).fetchone()
            return None if row is None else row[0]

        return await self.database.peek(work, ("word", number), **how)


def put(number, word):
    return lambda connection: connection.execute("REPLACE INTO words VALUES (?, ?)", (number, word))


async def test_what_was_read_is_not_read_again(database):
    reader = Reader(database)
    await database.write(put(1, "one"))

    assert [await reader.word(1) for _ in range(3)] == ["one"] * 3
    assert await reader.word(2) is None
    assert await reader.word(2) is None
    assert reader.reads == 2


async def test_a_write_is_seen_as_soon_as_it_is_durable(database):
    reader = Reader(database)
    for number in range(50):
        await database.write(put(1, number))
        assert await reader.word(1) == number


async def test_a_write_that_others_waited_for_is_seen_by_all_of_them(database):
    """Many clients on one loop, each of which looks after its own write, and after nothing but that."""
    reader = Reader(database)

    async def client(number):
        for word in range(20):
            await database.write(put(number, word))
            assert await reader.word(number) == word

    async def poller():
        for _ in range(200):
            await reader.word(1)
            await asyncio.sleep(0)

    await asyncio.gather(*(client(number) for number in range(10)), poller(), poller())


async def test_what_another_process_wrote_is_seen_at_the_next_turn_of_the_loop(database):
    reader = Reader(database)
    other = sqlite3.connect(database.path, isolation_level=None)
    for number in range(20):
        put(1, number)(other)
        await asyncio.sleep(0)
        assert await reader.word(1) == number
    other.close()


async def test_what_is_not_worth_it_is_read_each_time(database):
    reader = Reader(database)
    await database.write(put(1, "long"))

    for _ in range(3):
        assert await reader.word(1, worth=lambda word: word != "long") == "long"
    assert reader.reads == 3


async def test_no_more_is_kept_than_there_is_room_for(database):
    reader = Reader(database)
    for number in range(3_000):
        await reader.word(number)

    await reader.word(2_999)
    assert reader.reads == 3_000
    await reader.word(0)
    assert reader.reads == 3_001


def test_a_look_of_one_event_loop_serves_no_other(tmp_path):
    connection = sqlite3.connect(tmp_path / "two.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE words (id INTEGER PRIMARY KEY, word)")
    reader = sqlite3.connect(tmp_path / "two.db", isolation_level=None)
    kept = Kept(reader)

    async def words():
        return kept.get("all", lambda one: one.execute("SELECT word FROM words").fetchall())

    assert asyncio.run(words()) == []
    put(1, "one")(connection)
    assert asyncio.run(words()) == [("one",)]
    reader.close()
    connection.close()
