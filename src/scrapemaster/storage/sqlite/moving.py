"""Everything in a SQLite file, read to be moved elsewhere."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from scrapemaster.domain.api_key import ApiKey
from scrapemaster.domain.ids import ArtefactId, JobId
from scrapemaster.domain.joblog import LogEvent, LogLevel, LogLine
from scrapemaster.domain.moving import (
    Alias,
    ArtefactChunk,
    KeptKey,
    Kind,
    MovedArtefact,
    MovedHealth,
    MovedJob,
    MovedRequest,
    MovedRow,
    Network,
    PageMark,
    PageTrouble,
    ProjectChunk,
    RevokedToken,
)
from scrapemaster.domain.rendering import Artefact, ArtefactKind
from scrapemaster.domain.series import Point
from scrapemaster.ports.moving import Batch, Place
from scrapemaster.storage.sqlite.api_keys import COLUMNS as KEY_COLUMNS
from scrapemaster.storage.sqlite.api_keys import FIELDS as KEY_FIELDS
from scrapemaster.storage.sqlite.codec import (
    COUNTER_COLUMNS,
    FILL_COLUMN,
    JOB_COLUMNS,
    USER_COLUMNS,
    job_of,
    unpacked,
    user_of,
)
from scrapemaster.storage.sqlite.database import T, Work
from scrapemaster.storage.sqlite.deliveries import DELIVERY_COLUMNS, delivery_of
from scrapemaster.storage.sqlite.errors import translate
from scrapemaster.storage.sqlite.keys import SHIFT, end_key, first_key
from scrapemaster.storage.sqlite.outbox import EVENT_COLUMNS, event_of_row
from scrapemaster.storage.sqlite.projects import COLUMNS as PROJECT_COLUMNS
from scrapemaster.storage.sqlite.projects import project_of
from scrapemaster.storage.sqlite.proxies import COLUMNS as PROXY_COLUMNS
from scrapemaster.storage.sqlite.proxies import HEALTH_COLUMNS, health_of, proxy_of
from scrapemaster.storage.sqlite.schedules import COLUMNS as SCHEDULE_COLUMNS
from scrapemaster.storage.sqlite.schedules import schedule_of
from scrapemaster.storage.sqlite.series import COLUMNS as POINT_COLUMNS
from scrapemaster.storage.sqlite.store import SqliteStore
from scrapemaster.storage.sqlite.webhooks import COLUMNS as ENDPOINT_COLUMNS
from scrapemaster.storage.sqlite.webhooks import endpoint_of

#: Records, and bytes of the texts and data in them, after which a batch ends.
_RECORDS = 2_000
_BYTES = 2 * 1024 * 1024
_TROUBLE = "t.state, t.attempts, t.interruptions, t.asked, t.reason, t.detail, t.status, t.at, t.evidence"

#: Of each kind that belongs to no job: its table, the column that orders it, and the columns that are read after that one.
_TABLES: dict[Kind, tuple[str, str, str, Callable[[tuple[Any, ...]], object]]] = {
    Kind.USERS: ("users", "id", USER_COLUMNS, user_of),
    Kind.NETWORKS: (
        "known_networks",
        "owner || char(0) || network",
        "owner, network, at",
        lambda row: Network(*row),
    ),
    Kind.REVOKED_TOKENS: ("revoked_tokens", "jti", "jti, expires_at", lambda row: RevokedToken(*row)),
    Kind.API_KEYS: (
        "api_keys",
        "id",
        KEY_COLUMNS,
        lambda row: msgspec.convert(dict(zip(KEY_FIELDS, row, strict=True)), ApiKey),
    ),
    Kind.ORDER_KEYS: (
        "order_keys",
        "owner || char(0) || key",
        "owner, key, body, job, expires_at",
        lambda row: KeptKey(*row),
    ),
    Kind.SCHEDULES: ("schedules", "id", f"{SCHEDULE_COLUMNS}, spec", schedule_of),
    Kind.PROXIES: ("proxies", "id", PROXY_COLUMNS, proxy_of),
    Kind.PROJECTS: ("projects", "no", PROJECT_COLUMNS, project_of),
    Kind.PROJECT_CHUNKS: (
        "project_chunks",
        "no",
        "project, version, part, data",
        lambda row: ProjectChunk(*row),
    ),
    Kind.PROXY_HEALTH: (
        "proxy_health",
        "host || char(0) || proxy",
        f"proxy, host, {HEALTH_COLUMNS}",
        lambda row: MovedHealth(row[0], row[1], health_of(row[2:])),
    ),
    Kind.ENDPOINTS: ("webhook_endpoints", "no", ENDPOINT_COLUMNS, endpoint_of),
    Kind.EVENTS: ("webhook_events", "no", EVENT_COLUMNS, event_of_row),
    Kind.DELIVERIES: ("webhook_deliveries", "no", DELIVERY_COLUMNS, delivery_of),
}

#: What the figures of a job say of how many there are.
_COUNTED = {Kind.REQUESTS: "t.discovered", Kind.ROWS: "t.items", Kind.JOBS: "1"}

#: What tells most changes that a service makes.
_SUMMARY = (
    "SELECT j.id, j.status, j.warnings, j.scope_hosts, t.* FROM jobs j JOIN tallies t ON t.job = j.no ORDER BY j.no",
    "SELECT * FROM users ORDER BY id",
    "SELECT * FROM api_keys ORDER BY id",
    "SELECT * FROM schedules ORDER BY id",
    "SELECT * FROM proxies ORDER BY id",
    "SELECT * FROM projects ORDER BY no",
    "SELECT count(*), sum(at), sum(good), sum(bad), sum(until) FROM proxy_health",
    "SELECT * FROM webhook_endpoints ORDER BY no",
    "SELECT count(*), max(no) FROM webhook_events",
    "SELECT count(*), max(no), sum(tries), sum(state = 'pending') FROM webhook_deliveries",
    "SELECT count(*), max(expires_at) FROM order_keys",
    "SELECT count(*), max(expires_at) FROM revoked_tokens",
    "SELECT count(*), sum(at) FROM known_networks",
)


class SqliteMoveSource:
    """See `ports.moving.MoveSource`. `blamed`: the request that the crawler died at, as `Frontier.release_all` has it."""

    def __init__(self, path: Path, blamed: tuple[JobId, int] | None = None) -> None:
        self._path = path
        self._blamed = blamed
        self._database: sqlite3.Connection | None = None
        self.name = f"sqlite://{path.resolve()}"

    async def open(self) -> None:
        """See the port."""
        store = SqliteStore(self._path)
        await store.open()
        try:
            await store.frontier.release_all(blamed=self._blamed)
            await store.webhooks.release(None)
        finally:
            await store.close()
        self._database = await asyncio.to_thread(self._connect)

    async def close(self) -> None:
        """See the port."""
        database, self._database = self._database, None
        if database is not None:
            await asyncio.to_thread(database.close)

    async def summary(self) -> str:
        """See the port."""

        def work(database: sqlite3.Connection) -> str:
            mark = blake2b(digest_size=16)
            for statement in _SUMMARY:
                for row in database.execute(statement):
                    mark.update(repr(row).encode("utf-8", "backslashreplace"))
            return mark.hexdigest()

        return await self._run(work)

    async def jobs(self, after: Place = None) -> AsyncIterator[tuple[JobId, Place]]:
        """See the port."""
        last = after or 0
        while rows := await self._rows("SELECT no, id FROM jobs WHERE no > ? ORDER BY no LIMIT 500", last):
            for last, job in rows:
                yield JobId(job), last

    async def read(self, kind: Kind, job: JobId | None = None, after: Place = None) -> AsyncIterator[Batch]:
        """See the port."""
        if job is None:
            table, order, columns, record_of = _TABLES[kind]
            statement = (
                f"SELECT {order}, {columns} FROM {table} WHERE {order} > ? ORDER BY {order} LIMIT {_RECORDS}"
            )
            least = 0 if order == "no" else ""
            start = least if after is None else after
            batches = self._batches(statement, (), start, lambda row: record_of(row[1:]))
        else:
            ((number,),) = await self._rows("SELECT no FROM jobs WHERE id = ?", job)
            batches = self._of_job(kind, number, after)
        async for batch in batches:
            yield batch

    async def count(self, kind: Kind, job: JobId | None = None) -> int | None:
        """See the port."""
        if job is None:
            return int((await self._rows(f"SELECT count(*) FROM {_TABLES[kind][0]}"))[0][0])
        if kind not in _COUNTED:
            return None
        figures = f"SELECT {_COUNTED[kind]} FROM jobs j JOIN tallies t ON t.job = j.no WHERE j.id = ?"
        return int((await self._rows(figures, job))[0][0])

    def _of_job(  # noqa: PLR0911 -- one for each kind
        self, kind: Kind, number: int, after: Place
    ) -> AsyncIterator[Batch]:
        first, end = first_key(number), end_key(number)
        start = first if after is None else after
        if kind is Kind.JOBS:
            return self._job(number, after)
        if kind is Kind.REQUESTS:
            return self._requests(number, after)
        if kind is Kind.KNOWN:
            return self._known(number, after)
        if kind is Kind.ROWS:
            return self._batches(
                "SELECT r.key, q.fingerprint, r.part, coalesce(r.url, q.url), r.data, r.scraped_at, r.way "
                "FROM results r JOIN requests q ON q.key = r.request "
                f"WHERE r.key > ?2 AND r.key < ?1 ORDER BY r.key LIMIT {_RECORDS}",
                (end,),
                start,
                lambda row: MovedRow(row[0] - first, *row[1:]),
            )
        if kind is Kind.LOG:
            return self._batches(
                "SELECT key, at, level, event, message FROM job_log "
                f"WHERE key > ?2 AND key < ?1 ORDER BY key LIMIT {_RECORDS}",
                (end,),
                start,
                lambda row: LogLine(row[0] - first, row[1], LogLevel(row[2]), LogEvent(row[3]), row[4]),
            )
        if kind is Kind.SERIES:
            return self._batches(
                f"SELECT at << 32 | seconds AS place, {POINT_COLUMNS} FROM series "
                f"WHERE job = ?1 AND place > ?2 ORDER BY at, seconds LIMIT {_RECORDS}",
                (number,),
                -1 if after is None else after,
                lambda row: Point(*row[1:]),
            )
        if kind is Kind.ARTEFACTS:
            return self._batches(
                "SELECT a.key, a.id, j.id, a.url, a.kind, a.size, a.created_at FROM artefacts a "
                f"JOIN jobs j ON j.no = a.key >> 40 WHERE a.key > ?2 AND a.key < ?1 ORDER BY a.key LIMIT {_RECORDS}",
                (end,),
                start,
                lambda row: MovedArtefact(
                    row[0] - first,
                    Artefact(ArtefactId(row[1]), JobId(row[2]), row[3], ArtefactKind(row[4]), *row[5:]),
                ),
            )
        if kind is Kind.ARTEFACT_CHUNKS:
            return self._chunks(first, end, [first, -1] if after is None else after)
        mark = bytes.fromhex(after or "")
        if kind is Kind.ALIASES:
            return self._batches(
                "SELECT a.fingerprint, q.fingerprint FROM aliases a JOIN requests q ON q.key = a.request "
                f"WHERE a.job = ?1 AND a.fingerprint > ?2 ORDER BY a.fingerprint LIMIT {_RECORDS}",
                (number,),
                mark,
                lambda row: Alias(*row),
            )
        return self._batches(
            "SELECT fingerprint, mark FROM page_marks "
            f"WHERE job = ?1 AND fingerprint > ?2 ORDER BY fingerprint LIMIT {_RECORDS}",
            (number,),
            mark,
            lambda row: PageMark(*row),
        )

    async def _requests(self, number: int, after: Place) -> AsyncIterator[Batch]:
        """First what was leased once, by age; then what was not, in the order it is to be leased in."""
        part, *place = ("begun", first_key(number)) if after is None else after
        if part == "begun":
            async for batch in self._begun(number, *place):
                yield batch
            place = [-(2**62), 0]
        rank, key = place
        while True:
            rows = await self._rows(
                "SELECT p.rank, q.key, q.fingerprint, q.url, q.depth FROM queue p JOIN requests q ON q.key = p.key "
                f"WHERE p.job = ? AND (p.rank, p.key) > (?, ?) ORDER BY p.rank, p.key LIMIT {_RECORDS}",
                number,
                rank,
                key,
            )
            if not rows:
                return
            rank, key = rows[-1][:2]
            records = [MovedRequest(mark, url, depth, -order) for order, _, mark, url, depth in rows]
            yield Batch(records, ["queued", rank, key])

    async def _begun(self, number: int, start: int) -> AsyncIterator[Batch]:
        def look(database: sqlite3.Connection) -> list[int]:
            # What waits is to be found by its key here, for which there is no index.
            database.execute("DROP TABLE IF EXISTS temp.put_back")
            database.execute("CREATE TEMP TABLE put_back (key INTEGER PRIMARY KEY, due_at REAL NOT NULL)")
            database.execute("INSERT INTO put_back SELECT key, due_at FROM waiting WHERE job = ?", (number,))
            ranks = database.execute("SELECT DISTINCT rank FROM queue WHERE job = ?", (number,))
            return [rank for (rank,) in ranks]

        ranks = ", ".join(str(int(rank)) for rank in await self._run(look))
        batches = self._batches(
            f"SELECT q.key, q.fingerprint, q.url, q.depth, w.due_at, {_TROUBLE} FROM requests q "
            "LEFT JOIN troubled t ON t.key = q.key LEFT JOIN temp.put_back w ON w.key = q.key "
            "WHERE q.key > ?3 AND q.key < ?1 AND NOT EXISTS "
            f"(SELECT 1 FROM queue p WHERE p.job = ?2 AND p.rank IN ({ranks}) AND p.key = q.key) "
            f"ORDER BY q.key LIMIT {_RECORDS}",
            (end_key(number), number),
            start,
            _request_of,
        )
        async for batch in batches:
            yield Batch(batch.records, ["begun", batch.place])

    async def _known(self, number: int, after: Place) -> AsyncIterator[Batch]:
        """What a job knows besides its own: only those have it that fetch another job's failed pages again.

        An entry of the index that may have been moved on to the next free key is given with each head it may have had: one that is known
        too much has odds of 10⁻³⁸ to be met.
        """
        if not await self._rows(
            "SELECT 1 FROM jobs WHERE no = ?1 AND json_extract(spec, '$.retry_of') IS NOT NULL "
            "UNION ALL SELECT 1 FROM aliases WHERE job = ?1 AND request = 0 LIMIT 1",
            number,
        ):
            return
        place: list[Any]
        part, *place = ("aliases", "") if after is None else after
        first, end = first_key(number), end_key(number)
        if part == "aliases":
            strangers = self._batches(
                "SELECT a.fingerprint FROM aliases a WHERE a.job = ?1 AND a.fingerprint > ?2 "
                "AND NOT EXISTS (SELECT 1 FROM requests q WHERE q.key = a.request) "
                f"ORDER BY a.fingerprint LIMIT {_RECORDS}",
                (number,),
                bytes.fromhex(place[0]),
                lambda row: row[0],
            )
            async for batch in strangers:
                yield Batch(batch.records, ["aliases", batch.place])
            place = [first - 1, first]
        last, head = place
        while rows := await self._rows(
            f"SELECT key, rest FROM seen WHERE key > ? AND key < ? ORDER BY key LIMIT {_RECORDS}", last, end
        ):
            marks = []
            for key, rest in rows:
                head = head if key == last + 1 else key
                last = key
                marks += [(one - first).to_bytes(SHIFT // 8, "big") + rest for one in range(head, key + 1)]
            yield Batch(marks, ["seen", last, head])

    async def _chunks(self, first: int, end: int, place: Place) -> AsyncIterator[Batch]:
        """One chunk after the other: each has a megabyte."""
        while rows := await self._rows(
            "SELECT artefact, part, data FROM artefact_chunks "
            "WHERE (artefact, part) > (?, ?) AND artefact < ? ORDER BY artefact, part LIMIT 1",
            *place,
            end,
        ):
            key, part, data = rows[0]
            place = [key, part]
            yield Batch([ArtefactChunk(key - first, part, data)], place)

    async def _job(self, number: int, after: Place) -> AsyncIterator[Batch]:
        if after is not None:
            return
        ((announced, at, compared, baseline, *row),) = await self._rows(
            f"SELECT t.announced, t.announced_at, j.compared, b.id, {JOB_COLUMNS}, {COUNTER_COLUMNS}, {FILL_COLUMN} "
            "FROM jobs j JOIN tallies t ON t.job = j.no LEFT JOIN jobs b ON b.no = j.compared WHERE j.no = ?",
            number,
        )
        ends = await self._rows(
            "SELECT verdict, reason, pages FROM job_log_counts WHERE job = ? ORDER BY verdict, reason", number
        )
        moved = MovedJob(
            job_of(tuple(row)), announced, at, None if compared is None else baseline or "", list(ends)
        )
        yield Batch([moved], number)

    async def _batches(
        self,
        statement: str,
        values: tuple[Any, ...],
        start: Any,
        record_of: Callable[[tuple[Any, ...]], object],
    ) -> AsyncIterator[Batch]:
        """Batches of a statement whose first column is the place, and whose last parameter is where to start."""
        while True:

            def work(database: sqlite3.Connection, start: Any = start) -> list[tuple[Any, ...]]:
                rows, size = [], 0
                cursor = database.execute(statement, (*values, start))
                for row in cursor:
                    rows.append(row)
                    size += sum(len(value) for value in row if isinstance(value, str | bytes))
                    if size >= _BYTES:
                        break
                cursor.close()
                return rows

            rows = await self._run(work)
            if not rows:
                return
            start = rows[-1][0]
            yield Batch([record_of(row) for row in rows], start.hex() if isinstance(start, bytes) else start)

    async def _rows(self, statement: str, *values: Any) -> Sequence[tuple[Any, ...]]:
        def work(database: sqlite3.Connection) -> Sequence[tuple[Any, ...]]:
            return database.execute(statement, values).fetchall()

        return await self._run(work)

    async def _run(self, work: Work[T]) -> T:
        database = self._database
        assert database is not None  # noqa: S101 -- it is open from `open` to `close`

        def run() -> T:
            try:
                return work(database)
            except sqlite3.Error as error:
                raise translate(error, self._path) from error

        return await asyncio.to_thread(run)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)


def _request_of(row: tuple[Any, ...]) -> MovedRequest:
    _, mark, url, depth, due_at, state, *more = row
    if due_at is None and state is None:
        return MovedRequest(mark, url, depth)
    attempts, interruptions, asked, reason, detail, status, at, evidence = more
    trouble = PageTrouble(
        state,
        attempts or 0,
        interruptions or 0,
        bool(asked),
        reason or "",
        detail or "",
        status,
        at or 0.0,
        json.loads(evidence) if evidence is not None else unpacked(None),
    )
    return MovedRequest(mark, url, depth, None, due_at, None if trouble == PageTrouble() else trouble)
