"""The schema, as the steps that lead to it. A step that was released never changes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from scrapemaster.domain.errors import StoreBroken

_FIRST = """
CREATE TABLE jobs (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    status TEXT NOT NULL,
    engine TEXT NOT NULL,
    priority TEXT NOT NULL,
    name TEXT,
    created_at REAL NOT NULL,
    started_at REAL,
    finished_at REAL,
    paused_at REAL,
    paused_seconds REAL NOT NULL DEFAULT 0,
    stop_reason TEXT,
    error TEXT,
    engine_used TEXT,
    warnings TEXT NOT NULL DEFAULT '[]',
    scope_hosts TEXT NOT NULL DEFAULT '[]',
    tags TEXT NOT NULL,
    urls TEXT NOT NULL,
    max_pages INTEGER NOT NULL,
    spec TEXT NOT NULL
);
CREATE INDEX jobs_by_owner ON jobs (owner, created_at);
CREATE INDEX jobs_unfinished ON jobs (no) WHERE status IN ('pending', 'running');

-- Apart from jobs, so that a commit does not rewrite the order each time.
CREATE TABLE tallies (
    job INTEGER PRIMARY KEY,
    discovered INTEGER NOT NULL DEFAULT 0,
    queued INTEGER NOT NULL DEFAULT 0,
    leased INTEGER NOT NULL DEFAULT 0,
    fetched INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    attempted INTEGER NOT NULL DEFAULT 0,
    fresh INTEGER NOT NULL DEFAULT 0,
    items INTEGER NOT NULL DEFAULT 0,
    items_failed INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    progress REAL NOT NULL DEFAULT 0,
    rate REAL NOT NULL DEFAULT 0
);

-- key = job number * 2^40 + sequence number: rows of a job lie together, in order of discovery.
-- A request is handled when it stands in none of queue, waiting, leases, troubled.
CREATE TABLE requests (
    key INTEGER PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    url TEXT NOT NULL,
    depth INTEGER NOT NULL
);
-- request: the key of the request that has the fingerprint, or of the one whose page was found under it.
-- New fingerprints go to recent, which is small, and from time to time, in order, to known.
CREATE TABLE known (
    job INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    request INTEGER NOT NULL,
    PRIMARY KEY (job, fingerprint)
) WITHOUT ROWID;
CREATE TABLE recent (
    job INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    request INTEGER NOT NULL,
    PRIMARY KEY (job, fingerprint)
) WITHOUT ROWID;
CREATE TABLE queue (
    job INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    key INTEGER NOT NULL,
    PRIMARY KEY (job, rank, key)
) WITHOUT ROWID;
CREATE TABLE waiting (
    job INTEGER NOT NULL,
    due_at REAL NOT NULL,
    key INTEGER NOT NULL,
    PRIMARY KEY (job, due_at, key)
) WITHOUT ROWID;
CREATE TABLE leases (
    key INTEGER PRIMARY KEY,
    holder INTEGER NOT NULL
);
CREATE TABLE holders (
    no INTEGER PRIMARY KEY,
    job INTEGER NOT NULL,
    name TEXT NOT NULL UNIQUE,
    ends_at REAL NOT NULL
);
CREATE INDEX holders_by_job ON holders (job, ends_at);
-- What is not the normal case: retries, interruptions, failed and skipped pages.
CREATE TABLE troubled (
    key INTEGER PRIMARY KEY,
    state TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    interruptions INTEGER NOT NULL DEFAULT 0,
    asked INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '',
    status INTEGER,
    at REAL NOT NULL DEFAULT 0
);

-- key as in requests, with the row's own sequence number; url only where it is not the request's.
CREATE TABLE results (
    key INTEGER PRIMARY KEY,
    request INTEGER NOT NULL,
    part INTEGER NOT NULL,
    url TEXT,
    data BLOB NOT NULL,
    scraped_at REAL NOT NULL
);

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    name_key TEXT NOT NULL UNIQUE,
    username TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL,
    created_at REAL NOT NULL,
    email TEXT,
    disabled INTEGER NOT NULL,
    token_epoch INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE revoked_tokens (
    jti TEXT PRIMARY KEY,
    expires_at REAL NOT NULL
) WITHOUT ROWID;

-- Jobs removed whose rows are still to be deleted.
CREATE TABLE leftovers (job INTEGER PRIMARY KEY);
"""

_DATA_QUALITY = """
-- In how many items each selector had a value, as JSON; written by the commit that writes the items.
ALTER TABLE tallies ADD COLUMN fill TEXT NOT NULL DEFAULT '{}';
-- What the reason was concluded from, as JSON.
ALTER TABLE troubled ADD COLUMN evidence TEXT;
"""

STEPS: tuple[str, ...] = (_FIRST, _DATA_QUALITY)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the schema up to date, each step whole or not at all; refuse a newer one."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(STEPS):
        raise StoreBroken(
            f"the database {path} was written by a newer ScrapeMaster (schema {version}; this one knows "
            f"{len(STEPS)}): upgrade ScrapeMaster, or choose another data folder"
        )
    for number in range(version, len(STEPS)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have made the step while we waited for the lock.
            (current,) = connection.execute("PRAGMA user_version").fetchone()
            if current <= number:
                for statement in _statements(STEPS[number]):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number + 1}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def _statements(script: str) -> list[str]:
    lines = (line for line in script.splitlines() if not line.lstrip().startswith("--"))
    return [part for part in "\n".join(lines).split(";") if part.strip()]
