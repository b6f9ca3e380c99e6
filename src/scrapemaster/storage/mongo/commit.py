"""The commit of a batch of outcomes: the heart of "every row exactly once"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from scrapemaster.domain.choices import chosen
from scrapemaster.domain.errors import LeaseLost
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import TERMINAL, Counters, JobStatus, progress_of, risen
from scrapemaster.domain.joblog import Trouble, lines_of_choices
from scrapemaster.domain.outcome import Outcome, Verdict
from scrapemaster.domain.request import NewRequest
from scrapemaster.domain.series import point_of
from scrapemaster.storage.mongo.codec import choices_of, packed, unpacked
from scrapemaster.storage.mongo.database import Database, Document, Session
from scrapemaster.storage.mongo.discovery import (
    Seen,
    batches,
    drop_stored,
    request_documents,
    unseen,
    waiting_document,
)
from scrapemaster.storage.mongo.incremental import mark_of, marks_before
from scrapemaster.storage.mongo.joblog import DIARY_FIELDS, Diary
from scrapemaster.storage.mongo.keys import PREFIX_BYTES, bytes_of, number_of, prefix_of, row_id
from scrapemaster.storage.mongo.ledger import LEDGER_FIELDS, Holder, Ledger
from scrapemaster.storage.mongo.results import result_documents
from scrapemaster.storage.mongo.series import write_point

OVER = frozenset(str(status) for status in TERMINAL)
_FIELDS = {
    **LEDGER_FIELDS,
    **DIARY_FIELDS,
    "compared": 1,
    "fill": 1,
    "choices": 1,
    "created_at": 1,
    "started_at": 1,
}


@dataclass(slots=True)
class Committed:
    """What a commit came to: the counters, and the requests that are stored once it is durable."""

    counters: Counters
    known: set[bytes]


@dataclass(slots=True)
class _Known:
    """What is stored already of what a batch of outcomes is about.

    `troubled`: what was in trouble already, by key; `owners`: the keys of the requests that have these fingerprints, or whose pages were
    found under them. `yielded` is None where the job is not incremental, else what pages yielded in its baseline.
    """

    troubled: dict[int, Document]
    owners: dict[bytes, int]
    yielded: dict[bytes, bytes] | None


@dataclass(slots=True)
class _Writes:
    """What a batch of outcomes writes."""

    results: list[Document] = field(default_factory=list)
    links: list[NewRequest] = field(default_factory=list)
    aliases: dict[bytes, int] = field(default_factory=dict)
    marks: dict[int, Document] = field(default_factory=dict)
    page_marks: list[Document] = field(default_factory=list)
    fill: Counter[str] = field(default_factory=Counter)
    troubles: dict[tuple[Verdict, str], Trouble] = field(default_factory=dict)


async def commit_outcomes(  # noqa: PLR0917 -- one call, by position, inside a transaction
    database: Database,
    session: Session,
    seen: Seen,
    job_id: JobId,
    holder_name: bytes,
    outcomes: Sequence[Outcome],
    rate: float | None,
    progress: float | None = None,
) -> Committed:
    """Write the outcomes in the transaction under way; see `ports.frontier.Frontier.commit`."""
    # The first write to the job's document keeps every other transaction on the job out until the end of this one.
    job = await database["jobs"].find_one_and_update(
        {"_id": job_id}, {"$inc": {"turn": 1}}, _FIELDS, session=session
    )
    if job is None or job["status"] in OVER:
        raise LeaseLost(f"job {job_id} is over")
    ledger, prefix = Ledger.of(job), prefix_of(job_id)
    holder = _held(ledger, holder_name, [outcome.request.key for outcome in outcomes])
    stored = _Known(
        await _troubled(database, session, prefix, holder, outcomes),
        await _owners(
            database, session, prefix, {outcome.alias for outcome in outcomes if outcome.alias is not None}
        ),
        None if job["compared"] is None else await marks_before(database, session, job["compared"], outcomes),
    )
    writes = _decide(ledger, prefix, holder, outcomes, stored)

    known = seen.of(prefix)
    fresh = unseen(known, writes.links)
    for alias in writes.aliases:
        fresh.pop(alias, None)
    await drop_stored(database, session, ledger, prefix, known, fresh)
    requests = request_documents(ledger, prefix, fresh.values())
    requests += [{"_id": prefix + alias, "o": key} for alias, key in writes.aliases.items()]
    ledger.known += len(writes.aliases)
    diary = Diary.of(prefix, job)
    if writes.troubles:
        diary.trouble(max(outcome.fetched_at for outcome in outcomes), list(writes.troubles.values()))
    before = choices_of(job)
    after_choosing = chosen(before, outcomes)
    if after_choosing is not before:
        at = max(outcome.fetched_at for outcome in outcomes)
        diary.write(at, lines_of_choices(before, after_choosing, outcomes))
    await _write(database, session, writes, stored.troubled, requests)
    await diary.store(database, session)
    started_at = job["created_at"] if job["started_at"] is None else job["started_at"]
    age = max((outcome.fetched_at for outcome in outcomes), default=started_at) - started_at
    if (point := point_of(age, outcomes)) is not None:
        await write_point(database, session, prefix, point)
    after = ledger.counters
    changes: Document = {
        **ledger.document(),
        **(diary.document() if writes.troubles or after_choosing is not before else {}),
        "progress": progress_of(after, job["max_pages"], job["progress"])
        if progress is None
        else risen(job["progress"], progress),
    }
    if after_choosing is not before:
        changes["choices"] = packed(after_choosing)
    if rate is not None and job["status"] == JobStatus.RUNNING:
        changes["rate"] = rate
    if writes.fill:
        changes["fill"] = packed(Counter(unpacked(job["fill"])) + writes.fill)
    await database["jobs"].update_one({"_id": job_id}, {"$set": changes}, session=session)
    return Committed(after, {link.fingerprint for link in writes.links} | set(writes.aliases))


def _held(ledger: Ledger, name: bytes, keys: list[int]) -> Holder | None:
    """The holder of all the keys; refuses the commit when there is none."""
    holder = ledger.holder(name)
    if holder is None:
        if keys:
            raise LeaseLost("the lease has ended")
        return None
    wanted = set(keys)
    if len(wanted) != len(keys) or not wanted <= holder.plain | holder.troubled:
        raise LeaseLost("another holder works on part of it")
    return holder


async def _troubled(
    database: Database, session: Session, prefix: bytes, holder: Holder | None, outcomes: Sequence[Outcome]
) -> dict[int, Document]:
    """What was in trouble already, by key."""
    if holder is None or not holder.troubled:
        return {}
    ids = [row_id(prefix, one.request.key) for one in outcomes if one.request.key in holder.troubled]
    found: dict[int, Document] = {}
    for part in batches(ids):
        async for document in database["troubled"].find({"_id": {"$in": part}}, session=session):
            found[number_of(document["_id"])] = document
    return found


async def _owners(
    database: Database, session: Session, prefix: bytes, aliases: set[bytes]
) -> dict[bytes, int]:
    """The keys of the requests that have these fingerprints, or whose pages were found under them."""
    owners: dict[bytes, int] = {}
    for part in batches([prefix + alias for alias in aliases]):
        async for one in database["requests"].find({"_id": {"$in": part}}, {"k": 1, "o": 1}, session=session):
            owners[one["_id"][PREFIX_BYTES:]] = number_of(one["k"]) if "k" in one else one["o"]
    return owners


def _decide(
    ledger: Ledger, prefix: bytes, holder: Holder | None, outcomes: Sequence[Outcome], stored: _Known
) -> _Writes:
    """Enter the outcomes into the ledger, and say what else is to be written."""
    writes, counts = _Writes(), ledger.counts
    seq, owners, yielded = counts["items"], stored.owners, stored.yielded
    counts["fetch_ms"] += round(1_000 * sum(outcome.elapsed for outcome in outcomes))
    for outcome in outcomes:
        request = outcome.request
        was_asked = request.asked
        if holder is not None:
            holder.plain.discard(request.key)
            holder.troubled.discard(request.key)
        counts["leased"] -= 1
        counts["fresh"] -= not was_asked
        counts["attempted"] += outcome.fetched and not was_asked
        counts["bytes"] += outcome.body_bytes
        verdict, reason, detail = outcome.verdict, outcome.reason or "", outcome.detail or ""
        if verdict is Verdict.HANDLED:
            alias = outcome.alias
            owner = request.key if alias is None else owners.get(alias)
            if owner is None or owner == request.key:
                if owner is None and alias is not None:
                    owners[alias] = writes.aliases[alias] = request.key
                counts["fetched"] += 1
                counts["items_failed"] += outcome.items_failed
                writes.links += outcome.links
                if yielded is not None:
                    mark = mark_of(prefix, outcome)
                    writes.page_marks.append(mark)
                    if yielded.get(request.fingerprint) == mark["m"]:
                        counts["unchanged"] += 1
                        continue
                writes.fill.update(outcome.fill)
                writes.results += result_documents(prefix, seq, outcome)
                seq += len(outcome.items)
                continue
            verdict, reason = Verdict.SKIPPED, "duplicate"
            detail = f"redirected to {outcome.url}, which the job knows as another page"
        counts["queued" if verdict is Verdict.RETRY else str(verdict)] += 1
        ledger.waiting += verdict is Verdict.RETRY
        before = stored.troubled.get(request.key)
        writes.marks[request.key] = _mark(prefix, outcome, before, verdict, reason, detail)
        kind = (verdict, reason)
        pages = writes.troubles[kind].pages + 1 if kind in writes.troubles else 1
        writes.troubles[kind] = Trouble(verdict, reason, pages, request.url, detail)
    counts["items"] = seq
    return writes


def _mark(  # noqa: PLR0917 -- a row, column by column
    prefix: bytes, outcome: Outcome, before: Document | None, verdict: Verdict, reason: str, detail: str
) -> Document:
    request = outcome.request
    mark = (
        waiting_document(prefix, request.key, request.fingerprint, bytes_of(request.url), request.depth, 0.0)
        if before is None
        else dict(before)
    )
    mark |= {
        "attempts": mark["attempts"] + 1,
        "asked": mark["asked"] or outcome.fetched,
        "reason": bytes_of(reason),
        "detail": bytes_of(detail),
        "status": outcome.status,
        "at": outcome.fetched_at,
        "evidence": None if outcome.evidence is None else packed(outcome.evidence),
    }
    mark.pop("due_at", None)
    if verdict is Verdict.RETRY:
        mark["due_at"] = outcome.retry_at or 0.0
    else:
        mark |= {"state": str(verdict), "over_at": outcome.fetched_at}
    return mark


async def _write(
    database: Database,
    session: Session,
    writes: _Writes,
    troubled: dict[int, Document],
    requests: list[Document],
) -> None:
    marks = writes.marks
    over = [document["_id"] for document in troubled.values()]
    for part in batches(over):
        await database["troubled"].delete_many({"_id": {"$in": part}}, session=session)
    for name, documents in (
        ("troubled", list(marks.values())),
        ("results", writes.results),
        ("requests", requests),
        ("page_marks", writes.page_marks),
    ):
        if documents:
            await database[name].insert_many(documents, ordered=False, session=session)
