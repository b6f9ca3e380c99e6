"""What a job has left to do: read in several transactions."""

from __future__ import annotations

import sqlite3

from scrapemaster.domain.job import Counters, budget_left
from scrapemaster.storage.sqlite.codec import COUNTER_COLUMNS


def job_counters(connection: sqlite3.Connection, number: int) -> Counters:
    """The job's counters."""
    row = connection.execute(f"SELECT {COUNTER_COLUMNS} FROM tallies t WHERE job = ?", (number,)).fetchone()
    return Counters(*row)


def next_due(connection: sqlite3.Connection, number: int) -> float | None:
    """See `ports.frontier.Frontier.next_due`."""
    (max_pages,) = connection.execute("SELECT max_pages FROM jobs WHERE no = ?", (number,)).fetchone()
    budget = budget_left(job_counters(connection, number), max_pages)
    if budget and connection.execute("SELECT 1 FROM queue WHERE job = ? LIMIT 1", (number,)).fetchone():
        return 0.0
    (waiting,) = connection.execute(
        "SELECT min(w.due_at) FROM waiting w LEFT JOIN troubled t ON t.key = w.key "
        "WHERE w.job = ? AND (? OR t.asked)",
        (number, budget > 0),
    ).fetchone()
    (ends,) = connection.execute("SELECT min(ends_at) FROM holders WHERE job = ?", (number,)).fetchone()
    return min((due for due in (waiting, ends) if due is not None), default=None)
