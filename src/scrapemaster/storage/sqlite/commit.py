"""The commit of a batch of outcomes: the heart of "every row exactly once"."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence

from scrapemaster.domain.choices import chosen
from scrapemaster.domain.errors import LeaseLost
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import TERMINAL, Counters, progress_of, risen
from scrapemaster.domain.joblog import Trouble, lines_of_choices
from scrapemaster.domain.outcome import Outcome, Verdict
from scrapemaster.domain.request import NewRequest
from scrapemaster.domain.series import point_of
from scrapemaster.storage.sqlite.codec import (
    COUNTER_COLUMNS,
    COUNTER_NAMES,
    FILL_COLUMN,
    choices_of,
    choices_text,
    packed,
    unpacked,
)
from scrapemaster.storage.sqlite.discovery import add_requests
from scrapemaster.storage.sqlite.incremental import unchanged
from scrapemaster.storage.sqlite.joblog import write_lines, write_troubles
from scrapemaster.storage.sqlite.keys import first_key
from scrapemaster.storage.sqlite.seen import claim_alias
from scrapemaster.storage.sqlite.series import write_point

_OVER = frozenset(str(status) for status in TERMINAL)


def commit_outcomes(  # noqa: PLR0917 -- one call, by position, inside a transaction
    connection: sqlite3.Connection,
    job_id: JobId,
    holder: str,
    outcomes: Sequence[Outcome],
    rate: float | None,
    known: float | None = None,
) -> Counters:
    """Write the outcomes in the transaction under way; see `ports.frontier.Frontier.commit`."""
    job, max_pages, progress, compared, started_at, before, before_chosen, fill = _job(connection, job_id)
    _take_leases(connection, holder, [outcome.request.key for outcome in outcomes])
    changes = dict.fromkeys(COUNTER_NAMES, 0)
    changes["leased"] = -len(outcomes)
    changes["fetch_ms"] = round(1_000 * sum(outcome.elapsed for outcome in outcomes))
    rows: list[tuple[int, int, int, str | None, bytes, float, str | None]] = []
    key = first_key(job) + before.items
    links: list[NewRequest] = []
    troubles: dict[tuple[Verdict, str], Trouble] = {}
    for outcome in outcomes:
        request = outcome.request
        was_asked = request.asked
        changes["fresh"] -= not was_asked
        changes["attempted"] += outcome.fetched and not was_asked
        changes["bytes"] += outcome.body_bytes
        verdict, reason, detail = outcome.verdict, outcome.reason or "", outcome.detail or ""
        if verdict is Verdict.HANDLED:
            if outcome.alias is not None and not claim_alias(
                connection, job, outcome.alias, request.fingerprint, request.key
            ):
                verdict, reason = Verdict.SKIPPED, "duplicate"
                detail = f"redirected to {outcome.url}, which the job knows as another page"
            else:
                changes["fetched"] += 1
                changes["items_failed"] += outcome.items_failed
                links += outcome.links
                if compared is not None and unchanged(connection, job, compared, outcome):
                    changes["unchanged"] += 1
                    continue
                fill.update(outcome.fill)
                rows += _rows(outcome, key)
                key += len(outcome.items)
                continue
        if verdict is Verdict.RETRY:
            changes["queued"] += 1
            connection.execute(
                "INSERT INTO waiting VALUES (?, ?, ?)", (job, outcome.retry_at or 0.0, request.key)
            )
        else:
            changes[str(verdict)] += 1
        _mark(connection, outcome, verdict, reason, detail)
        pages = troubles[verdict, reason].pages + 1 if (verdict, reason) in troubles else 1
        troubles[verdict, reason] = Trouble(verdict, reason, pages, request.url, detail)
    if troubles:
        at = max(outcome.fetched_at for outcome in outcomes)
        write_troubles(connection, job, at, list(troubles.values()))
    _note_course(connection, job, started_at, outcomes)
    _note_choices(connection, job, before_chosen, outcomes)
    connection.executemany("INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    changes["items"] = len(rows)
    # The links' own figures are written by add_requests.
    added = add_requests(connection, job, links) if links else 0
    after = Counters(
        *(
            getattr(before, name) + changes[name] + (added if name in {"discovered", "queued"} else 0)
            for name in COUNTER_NAMES
        )
    )
    connection.execute(
        "UPDATE tallies SET discovered = ?, queued = ?, leased = ?, fetched = ?, failed = ?, skipped = ?, "
        "attempted = ?, fresh = ?, items = ?, items_failed = ?, bytes = ?, fetch_ms = ?, unchanged = ?, progress = ?, "
        "rate = CASE (SELECT status FROM jobs WHERE no = job) WHEN 'running' THEN coalesce(?, rate) ELSE rate END, "
        "fill = ? WHERE job = ?",
        (
            *(getattr(after, name) for name in COUNTER_NAMES),
            progress_of(after, max_pages, progress) if known is None else risen(progress, known),
            rate,
            packed(fill),
            job,
        ),
    )
    return after


def _job(
    connection: sqlite3.Connection, job_id: JobId
) -> tuple[int, int, float, int | None, float, Counters, str, Counter[str]]:
    row = connection.execute(
        f"SELECT j.status, j.no, j.max_pages, t.progress, j.compared, coalesce(j.started_at, j.created_at), {COUNTER_COLUMNS}, {FILL_COLUMN} "
        "FROM jobs j JOIN tallies t ON t.job = j.no WHERE j.id = ?",
        (job_id,),
    ).fetchone()
    if row is None or row[0] in _OVER:
        raise LeaseLost(f"job {job_id} is over")
    return row[1], row[2], row[3], row[4], row[5], Counters(*row[6:-2]), row[-2], Counter(unpacked(row[-1]))


def _rows(outcome: Outcome, key: int) -> Iterator[tuple[int, int, int, str | None, bytes, float, str | None]]:
    """The rows of a page, numbered from the one behind `key`."""
    url = None if outcome.url == outcome.request.url else outcome.url
    way = None if outcome.took is None else outcome.took.way
    for part, data in enumerate(outcome.items):
        yield key + part + 1, outcome.request.key, part, url, data, outcome.fetched_at, way


def _note_course(
    connection: sqlite3.Connection, job: int, started_at: float, outcomes: Sequence[Outcome]
) -> None:
    """Add the commit to the job's course: one small row a commit, whatever its size."""
    age = max((outcome.fetched_at for outcome in outcomes), default=started_at) - started_at
    if (point := point_of(age, outcomes)) is not None:
        write_point(connection, job, point)


def _note_choices(connection: sqlite3.Connection, job: int, stored: str, outcomes: Sequence[Outcome]) -> None:
    """Add to what the `auto` engine chose and learnt; nothing for the other engines."""
    if not any(outcome.took is not None for outcome in outcomes):
        return
    before = choices_of(stored)
    after = chosen(before, outcomes)
    connection.execute("UPDATE tallies SET choices = ? WHERE job = ?", (choices_text(after), job))
    at = max(outcome.fetched_at for outcome in outcomes)
    write_lines(connection, job, at, lines_of_choices(before, after, outcomes))


def _take_leases(connection: sqlite3.Connection, holder: str, keys: list[int]) -> None:
    """End the leases of what is committed, or refuse it all."""
    row = connection.execute("SELECT no FROM holders WHERE name = ?", (holder,)).fetchone()
    if row is None:
        if keys:
            raise LeaseLost("the lease has ended")
        return
    ended = connection.executemany(
        f"DELETE FROM leases WHERE key = ? AND holder = {int(row[0])}", [(key,) for key in keys]
    )
    if ended.rowcount != len(keys):
        raise LeaseLost("another holder works on part of it")
    if connection.execute("SELECT 1 FROM leases WHERE holder = ? LIMIT 1", row).fetchone() is None:
        connection.execute("DELETE FROM holders WHERE no = ?", row)


def _mark(
    connection: sqlite3.Connection, outcome: Outcome, verdict: Verdict, reason: str, detail: str
) -> None:
    connection.execute(
        "INSERT INTO troubled (key, state, attempts, asked, reason, detail, status, at, evidence) "
        "VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8) "
        "ON CONFLICT (key) DO UPDATE SET state = ?2, attempts = attempts + 1, asked = max(asked, ?3), "
        "reason = ?4, detail = ?5, status = ?6, at = ?7, "
        "evidence = ?8",
        (
            outcome.request.key,
            None if verdict is Verdict.RETRY else str(verdict),
            outcome.fetched,
            reason,
            detail,
            outcome.status,
            outcome.fetched_at,
            packed(outcome.evidence),
        ),
    )
