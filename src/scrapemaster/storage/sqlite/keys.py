"""Row keys that keep a job's rows together."""

from __future__ import annotations

import sqlite3

from scrapemaster.domain.ids import JobId

#: Bits of a key that number a job's rows: 10¹² of them. The bits above are the job's number.
SHIFT = 40


def first_key(job: int) -> int:
    """The least key a row of the job may have, which none has."""
    return job << SHIFT


def end_key(job: int) -> int:
    """The first key beyond the job's rows."""
    return job + 1 << SHIFT


def job_number(connection: sqlite3.Connection, job_id: JobId) -> int | None:
    """The number the database knows a job by; None if there is no such job."""
    row = connection.execute("SELECT no FROM jobs WHERE id = ?", (job_id,)).fetchone()
    return None if row is None else int(row[0])
