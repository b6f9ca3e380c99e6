"""Failed pages tried again: in their job, or in a job of their own."""

from __future__ import annotations

import sqlite3

from scrapemaster.domain.joblog import LogEvent, NewLine
from scrapemaster.domain.outcome import Verdict
from scrapemaster.domain.request import NewRequest
from scrapemaster.storage.sqlite.discovery import add_requests
from scrapemaster.storage.sqlite.joblog import write_lines
from scrapemaster.storage.sqlite.keys import end_key, first_key
from scrapemaster.storage.sqlite.seen import index_marks

#: Requests copied at once, so that memory stays flat.
_AT_ONCE = 5_000
#: Fingerprints, which are smaller, and of which many go better to the index.
_MARKS_AT_ONCE = 65_536


def retry_failed(connection: sqlite3.Connection, job: int, now: float) -> int:
    """See `ports.frontier.Frontier.retry_failed`."""
    span = (first_key(job), end_key(job), Verdict.FAILED)
    chosen = "key > ? AND key < ? AND state = ?"
    count = connection.execute(
        f"INSERT INTO waiting SELECT {int(job)}, 0, key FROM troubled WHERE {chosen}", span
    ).rowcount
    if not count:
        return 0
    connection.execute(
        "UPDATE troubled SET state = NULL, attempts = 0, interruptions = 0, reason = '', detail = '', "
        f"status = NULL WHERE {chosen}",
        span,
    )
    connection.execute(
        "UPDATE tallies SET failed = failed - ?1, queued = queued + ?1 WHERE job = ?2", (count, job)
    )
    connection.execute("DELETE FROM job_log_counts WHERE job = ? AND verdict != ?", (job, Verdict.SKIPPED))
    pages = "1 failed page is" if count == 1 else f"{count} failed pages are"
    write_lines(connection, job, now, [NewLine(LogEvent.RETRIED, f"{pages} tried again")])
    return count


def copy_failed(connection: sqlite3.Connection, source: int, target: int) -> int:
    """Add the failed requests of one job, with their depth, to another; returns how many there were."""
    after, end, count = first_key(source), end_key(source), 0
    while rows := connection.execute(
        "SELECT q.key, q.fingerprint, q.url, q.depth FROM troubled t JOIN requests q ON q.key = t.key "
        "WHERE t.key > ? AND t.key < ? AND t.state = ? ORDER BY t.key LIMIT ?",
        (after, end, Verdict.FAILED, _AT_ONCE),
    ).fetchall():
        after = rows[-1][0]
        count += add_requests(connection, target, [NewRequest(*row[1:]) for row in rows])
    return count


def copy_known(connection: sqlite3.Connection, source: int, target: int) -> None:
    """Make whatever one job knows known to another, which then finds nothing new in it.

    To be called after `copy_failed`: what is known already stays as it is. No request has the key 0.
    """
    after, end = first_key(source), end_key(source)
    while rows := connection.execute(
        "SELECT key, fingerprint FROM requests WHERE key > ? AND key < ? ORDER BY key LIMIT ?",
        (after, end, _MARKS_AT_ONCE),
    ).fetchall():
        after = rows[-1][0]
        index_marks(connection, target, [mark for _, mark in rows])
    aliases = connection.execute("SELECT fingerprint FROM aliases WHERE job = ?", (source,)).fetchall()
    index_marks(connection, target, [mark for (mark,) in aliases])
    connection.execute(
        "INSERT INTO aliases SELECT ?, fingerprint, 0 FROM aliases WHERE job = ?", (target, source)
    )
