"""What pages yielded in earlier runs, so that an incremental job keeps the rows of new and changed pages only."""

from __future__ import annotations

import sqlite3

from scrapemaster.domain.item import rows_mark
from scrapemaster.domain.job import Job
from scrapemaster.domain.outcome import Outcome


def baseline_of(connection: sqlite3.Connection, job: Job) -> int | None:
    """The number of the run that an incremental job is compared with; 0 when there is none, None when the job is not incremental."""
    if not job.config.incremental:
        return None
    row = connection.execute(
        "SELECT no FROM jobs WHERE owner = ? AND name = ? AND status = 'completed' AND compared IS NOT NULL "
        "AND json_extract(spec, '$.retry_of') IS NULL ORDER BY created_at DESC, no DESC LIMIT 1",
        (job.owner, job.name),
    ).fetchone()
    return 0 if row is None else int(row[0])


def unchanged(connection: sqlite3.Connection, job: int, baseline: int, outcome: Outcome) -> bool:
    """Note what a page yielded, in the transaction under way; whether it yielded the same in the baseline."""
    fingerprint, mark = outcome.request.fingerprint, rows_mark(outcome.items)
    connection.execute("INSERT OR REPLACE INTO page_marks VALUES (?, ?, ?)", (job, fingerprint, mark))
    row = connection.execute(
        "SELECT mark FROM page_marks WHERE job = ? AND fingerprint = ?", (baseline, fingerprint)
    ).fetchone()
    return row is not None and bytes(row[0]) == mark
