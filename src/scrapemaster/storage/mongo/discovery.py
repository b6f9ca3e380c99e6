"""How requests enter a frontier, and how leases are given and taken away: parts of several transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from scrapemaster.domain.request import Leased, NewRequest
from scrapemaster.storage.mongo.database import Database, Document, Session
from scrapemaster.storage.mongo.due import waiting_since
from scrapemaster.storage.mongo.keys import PREFIX_BYTES, bytes_of, number_of, row_id, span, text_of
from scrapemaster.storage.mongo.ledger import Holder, Ledger

#: Ids looked up in one command, which has 16 MiB at most.
_LOOKUP = 10_000
#: Fingerprints remembered over all jobs: some 40 MB.
_REMEMBERED = 300_000


def _always(_key: int) -> bool:
    return True


def _never(_key: int) -> bool:
    return False


class Seen:
    """Fingerprints that are known to be stored, so that links to them cost no call.

    Only what is committed is remembered, and requests go only with their job, whose id comes never again: what was seen once stays true. When there
    are too many, those of the job that was used least of late are forgotten.
    """

    def __init__(self, size: int = _REMEMBERED) -> None:
        self._size = size
        self._total = 0
        self._jobs: dict[bytes, set[bytes]] = {}

    def of(self, prefix: bytes) -> set[bytes]:
        """What is known of a job; not to be changed."""
        # The last one in the dict is the one used last.
        marks = self._jobs[prefix] = self._jobs.pop(prefix, set())
        return marks

    def add(self, prefix: bytes, marks: Iterable[bytes]) -> None:
        """Remember fingerprints whose transaction is committed."""
        known = self.of(prefix)
        self._total -= len(known)
        known.update(marks)
        self._total += len(known)
        while self._total > self._size:
            self._total -= len(self._jobs.pop(next(iter(self._jobs))))


def unseen(seen: set[bytes], requests: Iterable[NewRequest]) -> dict[bytes, NewRequest]:
    """The requests that are not known to be stored, each once, by fingerprint, in the given order."""
    fresh: dict[bytes, NewRequest] = {}
    for request in requests:
        mark = request.fingerprint
        if mark not in seen and mark not in fresh:
            fresh[mark] = request
    return fresh


async def drop_stored(  # noqa: PLR0917 -- a part of transactions, by position
    database: Database,
    session: Session,
    ledger: Ledger,
    prefix: bytes,
    seen: set[bytes],
    fresh: dict[bytes, NewRequest],
) -> None:
    """Take out of `fresh`, of which nothing is in `seen`, what is stored already."""
    if len(seen) == ledger.known:
        return  # all that is stored was seen
    for part in batches([prefix + mark for mark in fresh]):
        async for document in database["requests"].find(
            {"_id": {"$in": part}}, {"_id": 1}, batch_size=_LOOKUP, session=session
        ):
            fresh.pop(document["_id"][PREFIX_BYTES:], None)


def request_documents(ledger: Ledger, prefix: bytes, requests: Iterable[NewRequest]) -> list[Document]:
    """Give new requests their places; returns their documents."""
    documents = [
        {
            "_id": prefix + request.fingerprint,
            "k": row_id(prefix, ledger.place(request.priority)),
            "u": bytes_of(request.url),
            "d": request.depth,
        }
        for request in requests
    ]
    ledger.known += len(documents)
    ledger.counts["discovered"] += len(documents)
    ledger.counts["queued"] += len(documents)
    return documents


def waiting_document(  # noqa: PLR0917 -- a row, column by column
    prefix: bytes, key: int, fingerprint: bytes, url: bytes, depth: int, due_at: float
) -> Document:
    """The document in `troubled` of a request that was in no trouble so far and waits from now on."""
    return {
        "_id": row_id(prefix, key),
        "job": prefix,
        "fingerprint": fingerprint,
        "url": url,
        "depth": depth,
        "attempts": 0,
        "interruptions": 0,
        "asked": False,
        "due_at": due_at,
    }


async def take_waiting(  # noqa: PLR0917 -- a part of a transaction, by position
    database: Database,
    session: Session,
    ledger: Ledger,
    prefix: bytes,
    holder: Holder,
    limit: int,
    budget: int,
    now: float,
) -> list[Leased]:
    """Lease what was put back and is due, as far as the budget goes."""
    if not ledger.waiting:
        return []
    found = database["troubled"].find(
        waiting_since(prefix, {"$lte": now}, budget),
        sort=[("due_at", 1), ("_id", 1)],
        limit=limit,
        batch_size=limit,
        session=session,
    )
    taken, ids, fresh = list[Leased](), list[bytes](), 0
    async for one in found:
        if not one["asked"]:
            if fresh >= budget:
                continue
            fresh += 1
        ids.append(one["_id"])
        key = number_of(one["_id"])
        mark, url = one["fingerprint"], text_of(one["url"])
        tries = (one["attempts"], one["interruptions"], one["asked"])
        taken.append(Leased(key, mark, url, one["depth"], *tries))
    for part in batches(ids):
        await database["troubled"].update_many(
            {"_id": {"$in": part}}, {"$unset": {"due_at": ""}}, session=session
        )
    holder.troubled.update(one.key for one in taken)
    ledger.waiting -= len(taken)
    ledger.lease(len(taken), fresh)
    return taken


async def take_new(  # noqa: PLR0917 -- a part of a transaction, by position
    database: Database, session: Session, ledger: Ledger, prefix: bytes, holder: Holder, count: int
) -> list[Leased]:
    """Lease what was never leased: the next of each rank, the highest first."""
    taken: list[Leased] = []
    for after, last in ledger.take(count):
        found = database["requests"].find(
            {"k": span(prefix, after, last)}, sort=[("k", 1)], batch_size=last - after + 1, session=session
        )
        taken += [
            Leased(number_of(one["k"]), one["_id"][PREFIX_BYTES:], text_of(one["u"]), one["d"])
            async for one in found
        ]
    holder.plain.update(one.key for one in taken)
    ledger.lease(len(taken), len(taken))
    return taken


async def put_back(
    database: Database,
    session: Session,
    ledger: Ledger,
    prefix: bytes,
    holder: Holder,
    *,
    keys: set[int] | None = None,
    due_at: float = 0.0,
    interrupted: Callable[[int], bool] = _never,
) -> int:
    """Put back what a holder has leased (of `keys`, if given), due at `due_at`; returns how many requests.

    `interrupted` says of which keys that counts as an interruption.
    """
    plain = set(holder.plain) if keys is None else holder.plain & keys
    troubled = set(holder.troubled) if keys is None else holder.troubled & keys
    fresh = len(plain)
    for part in batches([row_id(prefix, key) for key in sorted(plain)]):
        documents = [
            waiting_document(
                prefix,
                number_of(one["k"]),
                one["_id"][PREFIX_BYTES:],
                one["u"],
                one["d"],
                due_at,
            )
            async for one in database["requests"].find({"k": {"$in": part}}, session=session)
        ]
        for document in documents:
            document["interruptions"] = int(interrupted(number_of(document["_id"])))
        if documents:
            await database["troubled"].insert_many(documents, session=session)
    for part in batches([row_id(prefix, key) for key in sorted(troubled)]):
        fresh += await database["troubled"].count_documents(
            {"_id": {"$in": part}, "asked": False}, session=session
        )
        await database["troubled"].update_many(
            {"_id": {"$in": part}}, {"$set": {"due_at": due_at}}, session=session
        )
    for part in batches([row_id(prefix, key) for key in sorted(troubled) if interrupted(key)]):
        await database["troubled"].update_many(
            {"_id": {"$in": part}}, {"$inc": {"interruptions": 1}}, session=session
        )
    holder.plain -= plain
    holder.troubled -= troubled
    count = len(plain) + len(troubled)
    ledger.waiting += count
    ledger.lease(-count, -fresh)
    return count


async def interrupt_leases(
    database: Database,
    session: Session,
    ledger: Ledger,
    prefix: bytes,
    *,
    ended_before: float | None,
    begin: bytes = b"",
    interrupted: Callable[[int], bool] = _always,
) -> int:
    """Put back the requests whose leases ended (None: all leases), as interrupted (of these keys); returns how many.

    `begin`: only those of holders whose names begin so.
    """
    ended = [
        one
        for one in ledger.holders
        if (ended_before is None or one.ends_at < ended_before) and one.name.startswith(begin)
    ]
    return sum(
        [
            await put_back(database, session, ledger, prefix, holder, interrupted=interrupted)
            for holder in ended
        ]
    )


async def drop_leases(database: Database, session: Session, ledger: Ledger, prefix: bytes) -> None:
    """End all leases of a job that is over; what they were for counts as queued, and stays so."""
    for holder in ledger.holders:
        await put_back(database, session, ledger, prefix, holder)


def batches(values: list[Any], size: int = _LOOKUP) -> Iterator[list[Any]]:
    """The values, so many at a time that a command holds them."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
