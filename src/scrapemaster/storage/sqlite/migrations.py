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

_WEBHOOKS = """
-- job: the job whose own endpoint it is.
CREATE TABLE webhook_endpoints (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    url TEXT NOT NULL,
    events TEXT NOT NULL,
    secret TEXT NOT NULL,
    created_at REAL NOT NULL,
    description TEXT,
    job TEXT,
    enabled INTEGER NOT NULL DEFAULT 1,
    disabled_reason TEXT,
    failing_since REAL,
    old_secret TEXT,
    old_secret_until REAL
);
CREATE INDEX webhook_endpoints_by_owner ON webhook_endpoints (owner);
CREATE INDEX webhook_endpoints_of_jobs ON webhook_endpoints (created_at) WHERE job IS NOT NULL;

-- The outbox: snapshot is the job as it was.
CREATE TABLE webhook_events (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    at REAL NOT NULL,
    job TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    first INTEGER,
    last INTEGER
);

-- A pending delivery is due from due_at on; while it is leased, that is when the lease ends.
CREATE TABLE webhook_deliveries (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    endpoint TEXT NOT NULL,
    owner TEXT NOT NULL,
    type TEXT NOT NULL,
    created_at REAL NOT NULL,
    due_at REAL NOT NULL,
    state TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    once INTEGER NOT NULL DEFAULT 0,
    holder TEXT,
    attempts TEXT NOT NULL DEFAULT '[]',
    body BLOB NOT NULL
);
CREATE INDEX webhook_deliveries_by_endpoint ON webhook_deliveries (endpoint, no);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint, due_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_held ON webhook_deliveries (holder) WHERE holder IS NOT NULL;
CREATE INDEX webhook_deliveries_old ON webhook_deliveries (created_at);

-- Rows that an item.batch told of, and when.
ALTER TABLE tallies ADD COLUMN announced INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tallies ADD COLUMN announced_at REAL NOT NULL DEFAULT 0;
"""

_ORDERS = """
ALTER TABLE tallies ADD COLUMN fetch_ms INTEGER NOT NULL DEFAULT 0;

-- body: the hash of what was ordered with the key. job: its id, kept when the job is removed.
CREATE TABLE order_keys (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    body BLOB NOT NULL,
    job TEXT NOT NULL,
    expires_at REAL NOT NULL,
    PRIMARY KEY (owner, key)
) WITHOUT ROWID;
CREATE INDEX order_keys_by_end ON order_keys (expires_at);

-- key as in requests, with the line's own sequence number.
CREATE TABLE job_log (
    key INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    level TEXT NOT NULL,
    event TEXT NOT NULL,
    message TEXT NOT NULL
);
-- How many pages of a job came to each bad end, so that a line can be written now and then.
CREATE TABLE job_log_counts (
    job INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    reason TEXT NOT NULL,
    pages INTEGER NOT NULL,
    PRIMARY KEY (job, verdict, reason)
) WITHOUT ROWID;

CREATE TABLE schedules (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    created_at REAL NOT NULL,
    cron TEXT NOT NULL,
    timezone TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    overlap TEXT NOT NULL,
    name TEXT,
    next_run_at REAL,
    last_run_at REAL,
    last_job_id TEXT,
    last_error TEXT,
    version INTEGER NOT NULL,
    spec TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX schedules_by_owner ON schedules (owner, created_at);
CREATE INDEX schedules_due ON schedules (next_run_at) WHERE next_run_at IS NOT NULL;
"""

_ACCOUNTS = """
ALTER TABLE users ADD COLUMN rate_limit TEXT;
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    hashed TEXT NOT NULL UNIQUE,
    prefix TEXT NOT NULL,
    last4 TEXT NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL,
    last_used_at REAL
) WITHOUT ROWID;
CREATE INDEX api_keys_by_owner ON api_keys (owner);
CREATE TABLE known_networks (
    owner TEXT NOT NULL,
    network TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (owner, network)
) WITHOUT ROWID;
"""

_DATA_QUALITY = """
-- In how many items each selector had a value, as JSON; written by the commit that writes the items.
ALTER TABLE tallies ADD COLUMN fill TEXT NOT NULL DEFAULT '{}';
-- What the reason was concluded from, as JSON.
ALTER TABLE troubled ADD COLUMN evidence TEXT;
"""

_INCREMENTAL = """
-- compared: the number of the run that an incremental job is compared with, 0 for none; null when it is not incremental.
ALTER TABLE jobs ADD COLUMN compared INTEGER;
ALTER TABLE tallies ADD COLUMN unchanged INTEGER NOT NULL DEFAULT 0;
-- What each page of an incremental job yielded, as a hash of its rows.
CREATE TABLE page_marks (
    job INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    mark BLOB NOT NULL,
    PRIMARY KEY (job, fingerprint)
) WITHOUT ROWID;
"""

_SEEN = """
-- Fingerprints a job knows: key = job number * 2^40 + their first 40 bits (or the next free one), rest = the other 88.
CREATE TABLE seen (
    key INTEGER PRIMARY KEY,
    rest BLOB NOT NULL
);
-- Fingerprints that pages were found under after redirects, and whose they are. They are in `seen`, too.
CREATE TABLE aliases (
    job INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    request INTEGER NOT NULL,
    PRIMARY KEY (job, fingerprint)
) WITHOUT ROWID;
-- The requests up to this number have their fingerprints in `seen`; of the younger ones, `requests` alone tells.
ALTER TABLE tallies ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0;
INSERT INTO aliases SELECT k.job, k.fingerprint, k.request FROM
    (SELECT * FROM known UNION ALL SELECT * FROM recent) k LEFT JOIN requests q ON q.key = k.request
    WHERE q.fingerprint IS NOT k.fingerprint;
DROP TABLE known;
DROP TABLE recent;
"""

_ARTEFACTS = """
-- key as in requests, with the artefact's own sequence number; its bytes lie in chunks.
CREATE TABLE artefacts (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    url TEXT NOT NULL,
    kind TEXT NOT NULL,
    size INTEGER NOT NULL,
    created_at REAL NOT NULL
);
CREATE TABLE artefact_chunks (
    artefact INTEGER NOT NULL,
    part INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (artefact, part)
);
"""

_PROXIES = """
-- url has the credentials; identity is the URL without its password.
CREATE TABLE proxies (
    id TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    identity TEXT NOT NULL UNIQUE,
    created_at REAL NOT NULL,
    tier INTEGER NOT NULL,
    tags TEXT NOT NULL,
    enabled INTEGER NOT NULL
) WITHOUT ROWID;
-- How a proxy does at a host; with an empty host, the proxy itself. Sums are decayed, as of at.
CREATE TABLE proxy_health (
    host TEXT NOT NULL,
    proxy TEXT NOT NULL,
    at REAL NOT NULL,
    good REAL NOT NULL,
    bad REAL NOT NULL,
    seconds REAL NOT NULL,
    good_at REAL NOT NULL,
    strikes INTEGER NOT NULL,
    struck_at REAL NOT NULL,
    until REAL NOT NULL,
    banned INTEGER NOT NULL,
    failing_since REAL NOT NULL,
    PRIMARY KEY (host, proxy)
) WITHOUT ROWID;
CREATE INDEX proxy_health_by_proxy ON proxy_health (proxy);
CREATE INDEX proxy_health_by_age ON proxy_health (at);
"""

_SERIES = """
-- What was committed in each span of a job's time: `at` seconds after its start, `seconds` long.
CREATE TABLE series (
    job INTEGER NOT NULL,
    at INTEGER NOT NULL,
    seconds INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    redirected INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    broken INTEGER NOT NULL,
    silent INTEGER NOT NULL,
    items INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    fetch_ms INTEGER NOT NULL,
    slowest_ms INTEGER NOT NULL,
    PRIMARY KEY (job, at, seconds)
) WITHOUT ROWID;
CREATE INDEX jobs_by_schedule ON jobs (json_extract(spec, '$.schedule_id'), created_at)
    WHERE json_extract(spec, '$.schedule_id') IS NOT NULL;
CREATE INDEX jobs_by_status ON jobs (owner, status, created_at);
"""

_CHOICES = """
-- What the `auto` engine chose for a job's pages and learnt, as JSON; written by the commits that it came from.
ALTER TABLE tallies ADD COLUMN choices TEXT NOT NULL DEFAULT '{}';
-- The engine that it chose for a row's page, and why: `browser/script_shell`. Null for the other engines.
ALTER TABLE results ADD COLUMN way TEXT;
"""

_SPIDERS = """
-- Uploaded Scrapy projects; no: the order in which they came.
CREATE TABLE projects (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL,
    version TEXT NOT NULL,
    checksum TEXT NOT NULL,
    size INTEGER NOT NULL,
    settings TEXT NOT NULL,
    uploaded_at REAL NOT NULL,
    uploaded_by TEXT NOT NULL,
    folder TEXT NOT NULL,
    spiders TEXT NOT NULL,
    UNIQUE (project, version)
);
CREATE TABLE project_chunks (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL,
    version TEXT NOT NULL,
    part INTEGER NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (project, version, part)
);
"""

STEPS: tuple[str, ...] = (
    _FIRST,
    _WEBHOOKS,
    _ORDERS,
    _ACCOUNTS,
    _DATA_QUALITY,
    _INCREMENTAL,
    _SEEN,
    _ARTEFACTS,
    _PROXIES,
    _SERIES,
    _CHOICES,
    _SPIDERS,
)


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
