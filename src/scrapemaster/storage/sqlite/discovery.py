"""How requests enter a frontier, and how leases are taken away: parts of several transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from scrapemaster.domain.request import NewRequest
from scrapemaster.storage.sqlite.keys import first_key

#: Fingerprints looked up in one statement.
_LOOKUP = 500
#: Requests between two moves of a job's recent fingerprints into the large index. Random inserts into an
#: index of 1 M rewrite a page each; into 32 k of them, most share a page, and the move goes through the large
#: index in order (figures in docs/performance.md).
_MOVE_EVERY = 32_768


def add_requests(connection: sqlite3.Connection, job: int, requests: Sequence[NewRequest]) -> int:
    """Add the requests that the job does not know; returns how many there were."""
    fresh = {request.fingerprint: request for request in reversed(requests)}
    for mark in _known(connection, job, list(fresh)):
        del fresh[mark]
    if not fresh:
        return 0
    (made,) = connection.execute("SELECT discovered FROM tallies WHERE job = ?", (job,)).fetchone()
    key = first_key(job) + made
    marks, rows, places = [], [], []
    for request in reversed(fresh.values()):
        key += 1
        marks.append((job, request.fingerprint, key))
        rows.append((key, request.fingerprint, request.url, request.depth))
        places.append((job, -request.priority, key))
    # In order of fingerprint, neighbours share a page of the index, which is then written once.
    marks.sort(key=_fingerprint)
    connection.executemany("INSERT INTO recent VALUES (?, ?, ?)", marks)
    connection.executemany("INSERT INTO requests VALUES (?, ?, ?, ?)", rows)
    connection.executemany("INSERT INTO queue VALUES (?, ?, ?)", places)
    connection.execute(
        "UPDATE tallies SET discovered = discovered + ?1, queued = queued + ?1 WHERE job = ?2",
        (len(rows), job),
    )
    if made // _MOVE_EVERY != (made + len(rows)) // _MOVE_EVERY:
        connection.execute(
            "INSERT INTO known SELECT job, fingerprint, request FROM recent WHERE job = ? ORDER BY fingerprint",
            (job,),
        )
        connection.execute("DELETE FROM recent WHERE job = ?", (job,))
    return len(rows)


def claim_alias(connection: sqlite3.Connection, job: int, alias: bytes, key: int) -> bool:
    """Note that the page of request `key` was found under another fingerprint too.

    False when that belongs to another request already.
    """
    row = connection.execute(
        "SELECT request FROM recent WHERE job = ?1 AND fingerprint = ?2 "
        "UNION ALL SELECT request FROM known WHERE job = ?1 AND fingerprint = ?2",
        (job, alias),
    ).fetchone()
    if row is None:
        connection.execute("INSERT INTO recent VALUES (?, ?, ?)", (job, alias, key))
        return True
    return bool(row[0] == key)


def interrupt_leases(
    connection: sqlite3.Connection,
    job: int,
    *,
    ended_before: float | None,
    worker: str | None = None,
    blamed: int | None = None,
) -> int:
    """Put back the requests whose leases ended (None: all leases), as interrupted; returns how many.

    `worker`: only those of this worker's holders. `blamed`: the key of the only one that counts as interrupted.
    """
    # A holder's name is `job/worker/slice`.
    holders = connection.execute(
        "SELECT no FROM holders WHERE job = ?1 AND (?2 IS NULL OR ends_at < ?2) "
        "AND (?3 IS NULL OR substr(name, instr(name, '/') + 1, length(?3) + 1) = ?3 || '/')",
        (job, ended_before, worker),
    ).fetchall()
    count = 0
    for (holder,) in holders:
        keys = connection.execute("SELECT key FROM leases WHERE holder = ?", (holder,)).fetchall()
        connection.executemany(
            "INSERT INTO troubled (key, interruptions) VALUES (?, 1) "
            "ON CONFLICT (key) DO UPDATE SET interruptions = interruptions + 1",
            [key for key in keys if blamed is None or key[0] == blamed],
        )
        connection.executemany(f"INSERT INTO waiting VALUES ({job}, 0, ?)", keys)
        fresh = _fresh_leases(connection, holder)
        _forget_holder(connection, holder)
        _give_back(connection, job, len(keys), fresh)
        count += len(keys)
    return count


def release_leases(
    connection: sqlite3.Connection, job: int, holder: int, keys: Sequence[int] | None, due_at: float
) -> None:
    """Put back requests that nobody worked on."""
    held = {key for (key,) in connection.execute("SELECT key FROM leases WHERE holder = ?", (holder,))}
    chosen = sorted(held if keys is None else held & set(keys))
    if keys is None or len(chosen) == len(held):
        fresh = _fresh_leases(connection, holder)
        _forget_holder(connection, holder)
    else:
        fresh = sum(1 for key in chosen if not _asked(connection, key))
        connection.executemany("DELETE FROM leases WHERE key = ?", [(key,) for key in chosen])
    connection.executemany(
        "INSERT OR IGNORE INTO waiting VALUES (?, ?, ?)", [(job, due_at, key) for key in chosen]
    )
    _give_back(connection, job, len(chosen), fresh)


def drop_leases(connection: sqlite3.Connection, job: int) -> None:
    """End all leases of a job that is over; what they were for counts as queued, and stays so."""
    for (holder,) in connection.execute("SELECT no FROM holders WHERE job = ?", (job,)).fetchall():
        release_leases(connection, job, holder, None, 0.0)


def _known(connection: sqlite3.Connection, job: int, marks: list[bytes]) -> list[bytes]:
    found: list[bytes] = []
    for start in range(0, len(marks), _LOOKUP):
        part = marks[start : start + _LOOKUP]
        places = ", ".join("?" * len(part))
        for table in ("recent", "known"):
            rows = connection.execute(
                f"SELECT fingerprint FROM {table} WHERE job = ? AND fingerprint IN ({places})", [job, *part]
            )
            found += [mark for (mark,) in rows]
    return found


def _fresh_leases(connection: sqlite3.Connection, holder: int) -> int:
    (count,) = connection.execute(
        "SELECT count(*) FROM leases l LEFT JOIN troubled t ON t.key = l.key "
        "WHERE l.holder = ? AND coalesce(t.asked, 0) = 0",
        (holder,),
    ).fetchone()
    return int(count)


def _asked(connection: sqlite3.Connection, key: int) -> bool:
    row = connection.execute("SELECT asked FROM troubled WHERE key = ?", (key,)).fetchone()
    return row is not None and bool(row[0])


def _forget_holder(connection: sqlite3.Connection, holder: int) -> None:
    connection.execute("DELETE FROM leases WHERE holder = ?", (holder,))
    connection.execute("DELETE FROM holders WHERE no = ?", (holder,))


def _give_back(connection: sqlite3.Connection, job: int, count: int, fresh: int) -> None:
    connection.execute(
        "UPDATE tallies SET leased = leased - ?1, queued = queued + ?1, fresh = fresh - ?2 WHERE job = ?3",
        (count, fresh, job),
    )


def _fingerprint(row: tuple[int, bytes, int]) -> bytes:
    return row[1]
