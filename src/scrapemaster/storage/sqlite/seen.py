"""Which fingerprints a job knows: those of its requests, and those its pages were found under.

The requests themselves are the record. Fingerprints are random, and an index in random order costs a page of the file for each
insert once it has grown; so the youngest are looked up in memory (`recent`), and when they are many they go, in order and a few thousand at
a time, to the table `seen`. Its rows are as small and as quickly found as SQLite has them: the key is the job's number and the first 40 bits of the
fingerprint, the value is the rest. Two of a job that begin alike (among a million, one pair with odds of 0.4) take the next free key,
as in a hash table with linear probing, from which only whole jobs are deleted. (One that was so moved is known by its other 88 bits; that these are
another's, too, has odds of 10⁻²⁶ for each that was moved.)
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from scrapemaster.storage.sqlite.keys import SHIFT, end_key, first_key
from scrapemaster.storage.sqlite.recent import MOST_OF_A_JOB, RecentJobs, RecentMarks, Writer

#: Keys looked up in one statement.
_LOOKUP = 500
_HEAD = SHIFT // 8
_MASK = (1 << SHIFT) - 1


def unseen(connection: sqlite3.Connection, job: int, marks: Sequence[bytes]) -> list[bytes]:
    """Those of the fingerprints that the job does not know, in their order."""
    recent = _recent(connection, job)
    left = recent.missing(list(marks))
    if not left or not (recent.indexed or _any_indexed(connection, job)):
        return left
    return [
        mark
        for start in range(0, len(left), _LOOKUP)
        for mark in _missing(connection, job, left[start : start + _LOOKUP])
    ]


def note_requests(connection: sqlite3.Connection, job: int, marks: Iterable[bytes]) -> None:
    """Remember the fingerprints of the requests that were just added to the job, and counted."""
    jobs = _jobs(connection)
    indexed, discovered = _figures(connection, job)
    recent = jobs.of(job, indexed, discovered)
    fresh = list(marks)
    recent.young.add(fresh)
    recent.until = discovered
    _index_portion(connection, job, recent, len(fresh))
    if len(recent.young) >= jobs.share():
        _let_go(connection, job, recent)


def claim_alias(connection: sqlite3.Connection, job: int, alias: bytes, own: bytes, key: int) -> bool:
    """Note that the page of request `key`, whose fingerprint is `own`, was found under another one too.

    False when that belongs to another request already.
    """
    if alias == own:
        return True
    if unseen(connection, job, [alias]):
        index_marks(connection, job, [alias])
        connection.execute("INSERT INTO aliases VALUES (?, ?, ?)", (job, alias, key))
        return True
    row = connection.execute(
        "SELECT request FROM aliases WHERE job = ? AND fingerprint = ?", (job, alias)
    ).fetchone()
    return row is not None and row[0] == key


def index_marks(connection: sqlite3.Connection, job: int, marks: Iterable[bytes]) -> None:
    """Put fingerprints into the index; those that are there already stay as they are."""
    ordered = sorted(marks)
    rows = [(_key(job, mark), mark[_HEAD:]) for mark in ordered]
    added = connection.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", rows).rowcount
    if added == len(rows):
        return
    for start in range(0, len(ordered), _LOOKUP):
        for mark in _missing(connection, job, ordered[start : start + _LOOKUP]):
            there, free = _find(connection, job, mark)
            if not there:
                connection.execute("INSERT INTO seen VALUES (?, ?)", (free, mark[_HEAD:]))


def forget_job(connection: sqlite3.Connection, job: int) -> None:
    """Free the memory of a job that is over."""
    _jobs(connection).forget(job)


def _jobs(connection: sqlite3.Connection) -> RecentJobs:
    # Any other connection remembers nothing, and reads what it needs.
    return connection.recent if isinstance(connection, Writer) else RecentJobs()


def _figures(connection: sqlite3.Connection, job: int) -> tuple[int, int]:
    indexed, discovered = connection.execute(
        "SELECT indexed, discovered FROM tallies WHERE job = ?", (job,)
    ).fetchone()
    return indexed, discovered


def _recent(connection: sqlite3.Connection, job: int) -> RecentMarks:
    """What is not in the index, read as far as another process or run has added it."""
    indexed, discovered = _figures(connection, job)
    recent = _jobs(connection).of(job, indexed, discovered)
    first = first_key(job)
    if not recent.until:
        # Where a database of an earlier version was taken over, they are in no index yet.
        index_marks(connection, job, _aliases(connection, job))
    while recent.until < discovered:
        upto = min(discovered, recent.until + MOST_OF_A_JOB)
        rows = connection.execute(
            "SELECT fingerprint FROM requests WHERE key > ? AND key <= ?",
            (first + recent.until, first + upto),
        )
        recent.young.add([mark for (mark,) in rows])
        recent.until = upto
        if len(recent.young) >= MOST_OF_A_JOB:
            _let_go(connection, job, recent)
    return recent


def _aliases(connection: sqlite3.Connection, job: int) -> list[bytes]:
    rows = connection.execute("SELECT fingerprint FROM aliases WHERE job = ?", (job,))
    return [mark for (mark,) in rows]


def _let_go(connection: sqlite3.Connection, job: int, recent: RecentMarks) -> None:
    """Start to index the young ones, when all that went before are in the index."""
    while _index_portion(connection, job, recent, _LOOKUP):
        pass
    recent.go()


def _index_portion(connection: sqlite3.Connection, job: int, recent: RecentMarks, come: int) -> bool:
    """Index the next of those that go, as many as belong to so many new ones; False when none is left."""
    if recent.going is None:
        return False
    if marks := recent.portion(come):
        index_marks(connection, job, marks)
        return True
    connection.execute("UPDATE tallies SET indexed = ? WHERE job = ?", (recent.indexed, job))
    return False


def _any_indexed(connection: sqlite3.Connection, job: int) -> bool:
    span = (first_key(job), end_key(job))
    return (
        connection.execute("SELECT 1 FROM seen WHERE key >= ? AND key < ? LIMIT 1", span).fetchone()
        is not None
    )


def _missing(connection: sqlite3.Connection, job: int, marks: Sequence[bytes]) -> list[bytes]:
    """Those of at most `_LOOKUP` fingerprints that are not in the index."""
    places = ", ".join("?" * len(marks))
    keys = [_key(job, mark) for mark in marks]
    found = dict(connection.execute(f"SELECT key, rest FROM seen WHERE key IN ({places})", keys))
    missing = []
    for key, mark in zip(keys, marks, strict=True):
        rest = found.get(key)
        if rest is None or (rest != mark[_HEAD:] and not _find(connection, job, mark)[0]):
            missing.append(mark)
    return missing


def _find(connection: sqlite3.Connection, job: int, mark: bytes) -> tuple[bool, int]:
    """Whether the index has the fingerprint, and the key where it is or would go."""
    first, place = first_key(job), int.from_bytes(mark[:_HEAD])
    while True:
        row = connection.execute("SELECT rest FROM seen WHERE key = ?", (first | place,)).fetchone()
        if row is None or row[0] == mark[_HEAD:]:
            return row is not None, first | place
        place = place + 1 & _MASK


def _key(job: int, mark: bytes) -> int:
    return first_key(job) | int.from_bytes(mark[:_HEAD])
