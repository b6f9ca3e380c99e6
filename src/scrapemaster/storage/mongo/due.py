"""What a job has left to do: read in several transactions."""

from __future__ import annotations

from typing import Any

from scrapemaster.domain.job import budget_left
from scrapemaster.storage.mongo.database import Database, Document, Session
from scrapemaster.storage.mongo.keys import prefix_of
from scrapemaster.storage.mongo.ledger import Ledger

#: Any time: the condition that makes use of the index of what has one.
ANY_TIME: dict[str, Any] = {"$gte": float("-inf")}


def waiting_since(prefix: bytes, due_at: Document, budget: int) -> Document:
    """The condition on what waits and has such a due time: without budget, only what asked the server before."""
    condition = {"job": prefix, "due_at": due_at}
    return condition if budget else {**condition, "asked": True}


async def next_due(database: Database, session: Session, document: Document) -> float | None:
    """See `ports.frontier.Frontier.next_due`; the document has LEDGER_FIELDS."""
    ledger = Ledger.of(document)
    budget = budget_left(ledger.counters, document["max_pages"])
    if budget and ledger.queued:
        return 0.0
    due = [one.ends_at for one in ledger.holders]
    if ledger.waiting:
        first = await database["troubled"].find_one(
            waiting_since(prefix_of(document["_id"]), ANY_TIME, budget), sort=[("due_at", 1)], session=session
        )
        if first is not None:
            due.append(first["due_at"])
    return min(due, default=None)
