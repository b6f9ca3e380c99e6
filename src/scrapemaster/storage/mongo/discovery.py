"""How requests enter a frontier, and how leases are taken away: parts of several transactions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from scrapemaster.domain.request import NewRequest
from scrapemaster.storage.mongo.codec import Holder, Ledger
from scrapemaster.storage.mongo.database import Database, Document, Session
from scrapemaster.storage.mongo.keys import PREFIX_BYTES, bytes_of, row_id

#: Ids looked up in one command, which has 16 MiB at most.
_LOOKUP = 10_000
#: Requests remembered in each of two generations: some 40 MB for both when full.
_REMEMBERED = 150_000


class Seen:
    """Ids of requests that are known to be stored, so that links to them cost no call.

    Bounded: when the young generation is full it becomes the old one, and the old one is forgotten but for what was asked for
    meanwhile. Requests go only with their job, whose id comes never again; so what was seen once stays true.
    """

    def __init__(self, size: int = _REMEMBERED) -> None:
        self._size = size
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()

    def __contains__(self, identity: bytes) -> bool:
        if identity in self._young:
            return True
        if identity in self._old:
            self._remember(identity)
            return True
        return False

    def add(self, identities: Iterable[bytes]) -> None:
        """Remember requests; only those whose transaction is committed."""
        for identity in identities:
            self._remember(identity)

    def _remember(self, identity: bytes) -> None:
        if len(self._young) >= self._size:
            self._young, self._old = set(), self._young
        self._young.add(identity)


def unseen(seen: Seen, prefix: bytes, requests: Sequence[NewRequest]) -> dict[bytes, NewRequest]:
    """The requests that are not known to be stored, each once, by id, in the given order."""
    fresh: dict[bytes, NewRequest] = {}
    for request in requests:
        identity = prefix + request.fingerprint
        if identity not in seen and identity not in fresh:
            fresh[identity] = request
    return fresh


async def stored(database: Database, session: Session, identities: Iterable[bytes]) -> set[bytes]:
    """Which of the requests are stored."""
    found: set[bytes] = set()
    for part in batches(list(identities)):
        async for document in database["requests"].find(
            {"_id": {"$in": part}}, {"_id": 1}, batch_size=_LOOKUP, session=session
        ):
            found.add(document["_id"])
    return found


def request_documents(
    ledger: Ledger, prefix: bytes, requests: Iterable[tuple[bytes, NewRequest]]
) -> list[Document]:
    """Give new requests their places; returns their documents."""
    documents: list[Document] = []
    for identity, request in requests:
        key = ledger.place(request.priority)
        documents.append(
            {"_id": identity, "k": row_id(prefix, key), "u": bytes_of(request.url), "d": request.depth}
        )
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


async def put_back(
    database: Database,
    session: Session,
    ledger: Ledger,
    prefix: bytes,
    holder: Holder,
    *,
    keys: set[int] | None = None,
    due_at: float = 0.0,
    interrupted: bool = False,
) -> int:
    """Put back what a holder has leased (of `keys`, if given), due at `due_at`; returns how many requests."""
    plain = set(holder.plain) if keys is None else holder.plain & keys
    troubled = set(holder.troubled) if keys is None else holder.troubled & keys
    fresh = len(plain)
    for part in batches([row_id(prefix, key) for key in sorted(plain)]):
        documents = [
            waiting_document(
                prefix,
                int.from_bytes(one["k"][PREFIX_BYTES:], "big"),
                one["_id"][PREFIX_BYTES:],
                one["u"],
                one["d"],
                due_at,
            )
            async for one in database["requests"].find({"k": {"$in": part}}, session=session)
        ]
        if interrupted:
            for document in documents:
                document["interruptions"] = 1
        if documents:
            await database["troubled"].insert_many(documents, session=session)
    for part in batches([row_id(prefix, key) for key in sorted(troubled)]):
        fresh += await database["troubled"].count_documents(
            {"_id": {"$in": part}, "asked": False}, session=session
        )
        await database["troubled"].update_many(
            {"_id": {"$in": part}},
            {"$set": {"due_at": due_at}, "$inc": {"interruptions": int(interrupted)}},
            session=session,
        )
    holder.plain -= plain
    holder.troubled -= troubled
    count = len(plain) + len(troubled)
    ledger.waiting += count
    ledger.counts["leased"] -= count
    ledger.counts["queued"] += count
    ledger.counts["fresh"] -= fresh
    return count


async def interrupt_leases(
    database: Database, session: Session, ledger: Ledger, prefix: bytes, *, ended_before: float | None
) -> int:
    """Put back the requests whose leases ended (None: all leases), as interrupted; returns how many."""
    ended = [one for one in ledger.holders if ended_before is None or one.ends_at < ended_before]
    return sum(
        [await put_back(database, session, ledger, prefix, holder, interrupted=True) for holder in ended]
    )


async def drop_leases(database: Database, session: Session, ledger: Ledger, prefix: bytes) -> None:
    """End all leases of a job that is over; what they were for counts as queued, and stays so."""
    for holder in ledger.holders:
        await put_back(database, session, ledger, prefix, holder)


def batches(values: list[Any], size: int = _LOOKUP) -> Iterator[list[Any]]:
    """The values, so many at a time that a command holds them."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
