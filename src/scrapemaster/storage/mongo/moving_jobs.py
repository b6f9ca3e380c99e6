"""The requests, rows and lines of a job moved in and read back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.moving import (
    Alias,
    ArtefactChunk,
    Kind,
    MovedArtefact,
    MovedJob,
    MovedRequest,
    MovedRow,
    PageMark,
    PageTrouble,
)
from scrapemaster.domain.request import FINGERPRINT_BYTES
from scrapemaster.storage.mongo.artefacts import artefact_document, artefact_of
from scrapemaster.storage.mongo.codec import job_document, order_documents, packed, unpacked
from scrapemaster.storage.mongo.database import Database, Document, Session
from scrapemaster.storage.mongo.joblog import line_document, line_of
from scrapemaster.storage.mongo.jobs import with_orders
from scrapemaster.storage.mongo.keys import (
    PREFIX_BYTES,
    SHIFT,
    bytes_of,
    number_of,
    prefix_of,
    row_id,
    span,
    text_of,
)
from scrapemaster.storage.mongo.ledger import Ledger
from scrapemaster.storage.mongo.results import all_parts, row_documents, with_parts
from scrapemaster.storage.mongo.series import point_document, point_of_document

#: Documents read at once.
_AT_ONCE = 2_000
#: Bytes in them after which no more are read at once.
_BYTES = 4 * 1024 * 1024
#: The fields of a job's document that its ledger is read from.
_LEDGER = dict.fromkeys(("counters", "ranks", "holders", "waiting", "known"), 1)


def ledger_of(kept: Document | None) -> Ledger:
    """The ledger of a job that is under way, as it was noted; a new one for a new job."""
    return Ledger() if kept is None else Ledger.of(kept)


async def put(  # noqa: PLR0917 -- a part of a transaction, by position
    database: Database, session: Session, ledger: Ledger, kind: Kind, job: JobId, records: Sequence[Any]
) -> None:
    """Store records of a job, and enter them into its ledger."""
    prefix = prefix_of(job)
    if kind is Kind.REQUESTS:
        await _put_requests(database, session, ledger, prefix, records)
        return
    if kind is Kind.ALIASES:
        keys = await _keys(database, session, prefix, [one.of for one in records])
        name = "requests"
        documents = [{"_id": prefix + one.fingerprint, "o": keys[one.of]} for one in records]
        ledger.known += len(documents)
    elif kind is Kind.KNOWN:
        marks = set(records)
        there = database["requests"].find(
            {"_id": {"$in": [prefix + mark for mark in marks]}}, {"_id": 1}, session=session
        )
        marks -= {one["_id"][PREFIX_BYTES:] async for one in there}
        # No request has the key 0.
        name, documents = "requests", [{"_id": prefix + mark, "o": 0} for mark in marks]
        ledger.known += len(documents)
    elif kind is Kind.ROWS:
        name = "results"
        documents = [
            document
            for one in records
            for document in row_documents(
                prefix,
                one.seq,
                bytes_of(one.url),
                one.fingerprint,
                one.index,
                one.scraped_at,
                one.data,
                one.way,
            )
        ]
    elif kind is Kind.LOG:
        name, documents = "job_log", [line_document(prefix, one) for one in records]
    elif kind is Kind.SERIES:
        name, documents = "series", [point_document(prefix, one) for one in records]
    elif kind is Kind.ARTEFACTS:
        name = "artefacts"
        documents = [artefact_document(row_id(prefix, one.no), one.artefact) for one in records]
    elif kind is Kind.ARTEFACT_CHUNKS:
        name = "artefact_chunks"
        documents = [
            {"_id": row_id(prefix, one.no) + one.part.to_bytes(4, "big"), "b": one.data} for one in records
        ]
    else:
        name, documents = "page_marks", [{"_id": prefix + one.fingerprint, "m": one.mark} for one in records]
    if documents:
        await database[name].insert_many(documents, ordered=False, session=session)


async def put_job(database: Database, session: Session, ledger: Ledger, moved: MovedJob) -> None:
    """Store a job, all of whose records are there."""
    job = moved.job
    ledger.counts = asdict(job.counters)
    last = await database["job_log"].find_one(
        {"_id": span(prefix_of(job.id))}, {"_id": 1}, sort=[("_id", -1)], session=session
    )
    figures = await database["artefacts"].aggregate(
        [
            {"$match": {"_id": span(prefix_of(job.id))}},
            {"$group": {"_id": None, "bytes": {"$sum": "$size"}, "last": {"$max": "$_id"}}},
        ],
        session=session,
    )
    artefacts = [{"bytes": one["bytes"], "last": number_of(one["last"])} async for one in figures]
    document = {
        **job_document(job),
        **({"artefacts": artefacts[0]} if artefacts else {}),
        **ledger.document(),
        "announced": moved.announced,
        "announced_at": moved.announced_at,
        "compared": moved.compared,
        "log_last": 0 if last is None else number_of(last["_id"]),
        "log_counts": [[verdict, bytes_of(reason), pages] for verdict, reason, pages in moved.bad_ends],
    }
    await database["jobs"].insert_one(document, session=session)
    await database["orders"].insert_many(order_documents(job), session=session)


async def read(database: Database, kind: Kind, job: JobId) -> AsyncIterator[Sequence[Any]]:
    """All records of a job that were put, of a kind."""
    prefix = prefix_of(job)
    if kind is Kind.JOBS:
        yield await _job(database, job)
    elif kind is Kind.REQUESTS:
        async with database.calls():
            document = await database["jobs"].find_one({"_id": job}, _LEDGER)
        ledger = Ledger() if document is None else Ledger.of(document)
        async for documents in pages(database, "requests", "k", {"k": span(prefix)}):
            yield await _requests(database, ledger, documents)
    elif kind is Kind.ALIASES:
        condition = {"_id": _by_mark(prefix), "o": {"$gt": 0}}
        async for documents in pages(database, "requests", "_id", condition):
            yield await _aliases(database, prefix, documents)
    elif kind is Kind.ROWS:
        async for documents in pages(database, "results", "_id", {"_id": span(prefix)}):
            yield await _rows(database, documents)
    else:
        name, ids, record_of = _ALIKE[kind]
        async for documents in pages(database, name, "_id", {"_id": ids(prefix)}):
            yield [record_of(one) for one in documents]


def _by_mark(prefix: bytes) -> Document:
    return {"$gte": prefix + bytes(FINGERPRINT_BYTES), "$lte": prefix + b"\xff" * FINGERPRINT_BYTES}


def _chunk_of(document: Document) -> ArtefactChunk:
    identity = document["_id"]
    return ArtefactChunk(number_of(identity), int.from_bytes(identity[-4:], "big"), document["b"])


#: The kinds that are one document each: where they are, their ids, and what each is.
_ALIKE: Mapping[Kind, tuple[str, Callable[[bytes], Document], Callable[[Document], Any]]] = {
    Kind.LOG: ("job_log", span, line_of),
    Kind.SERIES: ("series", span, point_of_document),
    Kind.PAGE_MARKS: (
        "page_marks",
        _by_mark,
        lambda one: PageMark(one["_id"][PREFIX_BYTES:], one["m"]),
    ),
    Kind.ARTEFACTS: (
        "artefacts",
        span,
        lambda one: MovedArtefact(number_of(one["_id"]), artefact_of(one)),
    ),
    Kind.ARTEFACT_CHUNKS: ("artefact_chunks", all_parts, _chunk_of),
}


async def _job(database: Database, job: JobId) -> list[MovedJob]:
    async with database.calls():
        document = await database["jobs"].find_one({"_id": job})
        jobs = [] if document is None else await with_orders(database, [document])
    if document is None or not jobs:
        return []
    ends = sorted((verdict, text_of(reason), pages) for verdict, reason, pages in document["log_counts"])
    moved = (document["announced"], document["announced_at"], document["compared"], ends)
    return [MovedJob(jobs[0], *moved)]


async def _aliases(database: Database, prefix: bytes, documents: list[Document]) -> list[Alias]:
    keys = [row_id(prefix, one["o"]) for one in documents]
    async with database.calls():
        found = database["requests"].find({"k": {"$in": keys}}, {"k": 1})
        owners = {number_of(one["k"]): one["_id"][PREFIX_BYTES:] async for one in found}
    return [Alias(one["_id"][PREFIX_BYTES:], owners[one["o"]]) for one in documents]


async def _rows(database: Database, documents: list[Document]) -> list[MovedRow]:
    async with database.calls():
        whole = [await with_parts(database, one) for one in documents]
    return [
        MovedRow(
            number_of(one["_id"]), one["f"], one["i"], text_of(one["u"]), one["b"], one["t"], one.get("w")
        )
        for one in whole
    ]


async def pages(
    database: Database, name: str, order: str, condition: Document
) -> AsyncIterator[list[Document]]:
    """The documents of a collection in order of a field that no two have alike, some thousands at a time."""
    after: list[Document] = []
    while True:
        found, size = list[Document](), 0
        async with database.calls():
            cursor = database[name].find({"$and": [condition, *after]}, sort=[(order, 1)], limit=_AT_ONCE)
            async with cursor:
                async for one in cursor:
                    found.append(one)
                    size += sum(len(value) for value in one.values() if isinstance(value, bytes))
                    if size >= _BYTES:
                        break
        if not found:
            return
        yield found
        after = [{order: {"$gt": found[-1][order]}}]


async def _put_requests(
    database: Database, session: Session, ledger: Ledger, prefix: bytes, records: Sequence[MovedRequest]
) -> None:
    requests, troubled = [], []
    for one in records:
        key = ledger.place(one.priority or 0)
        if one.priority is None:
            # It is as if it were leased already: those of the source come before all that were not.
            rank = ledger.ranks[key >> SHIFT]
            rank.taken = rank.made
        identity, url = row_id(prefix, key), bytes_of(one.url)
        requests.append({"_id": prefix + one.fingerprint, "k": identity, "u": url, "d": one.depth})
        if one.due_at is None and one.trouble is None:
            continue
        trouble = one.trouble or PageTrouble()
        document: Document = {
            "_id": identity,
            "job": prefix,
            "fingerprint": one.fingerprint,
            "url": url,
            "depth": one.depth,
            **asdict(trouble),
            "reason": bytes_of(trouble.reason),
            "detail": bytes_of(trouble.detail),
            "evidence": None if trouble.evidence is None else packed(trouble.evidence),
        }
        if trouble.state is None:
            del document["state"]
        else:
            document["over_at"] = trouble.at
        if one.due_at is not None:
            document["due_at"] = one.due_at
            ledger.waiting += 1
        troubled.append(document)
    ledger.known += len(requests)
    await database["requests"].insert_many(requests, ordered=False, session=session)
    if troubled:
        await database["troubled"].insert_many(troubled, ordered=False, session=session)


async def _requests(database: Database, ledger: Ledger, documents: list[Document]) -> list[MovedRequest]:
    async with database.calls():
        found = database["troubled"].find({"_id": {"$in": [one["k"] for one in documents]}})
        troubled = {one["_id"]: one async for one in found}
    records = []
    for one in documents:
        key, trouble = number_of(one["k"]), troubled.get(one["k"])
        rank = ledger.ranks[key >> SHIFT]
        never_leased = key & (1 << SHIFT) - 1 > rank.taken
        records.append(
            MovedRequest(
                one["_id"][PREFIX_BYTES:],
                text_of(one["u"]),
                one["d"],
                rank.priority if never_leased else None,
                None if trouble is None else trouble.get("due_at"),
                None if trouble is None else _trouble_of(trouble),
            )
        )
    return records


def _trouble_of(document: Document) -> PageTrouble | None:
    evidence = document.get("evidence")
    trouble = PageTrouble(
        document.get("state"),
        document["attempts"],
        document["interruptions"],
        document["asked"],
        text_of(document.get("reason", b"")),
        text_of(document.get("detail", b"")),
        document.get("status"),
        document.get("at", 0.0),
        None if evidence is None else unpacked(evidence),
    )
    return None if trouble == PageTrouble() else trouble


async def _keys(
    database: Database, session: Session, prefix: bytes, marks: Sequence[bytes]
) -> dict[bytes, int]:
    found = database["requests"].find(
        {"_id": {"$in": [prefix + mark for mark in marks]}}, {"k": 1}, session=session
    )
    return {one["_id"][PREFIX_BYTES:]: number_of(one["k"]) async for one in found}
