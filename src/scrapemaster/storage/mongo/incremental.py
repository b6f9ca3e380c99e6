"""What pages yielded in earlier runs, so that an incremental job keeps the rows of new and changed pages only."""

from __future__ import annotations

from collections.abc import Sequence

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.item import rows_mark
from scrapemaster.domain.job import Job, JobStatus
from scrapemaster.domain.outcome import Outcome, Verdict
from scrapemaster.storage.mongo.database import Database, Session
from scrapemaster.storage.mongo.keys import PREFIX_BYTES, bytes_of, prefix_of

#: What an incremental job is compared with that has no run before it.
NOTHING = ""


async def baseline_of(database: Database, session: Session, job: Job) -> str | None:
    """The id of the run that an incremental job is compared with; `NOTHING` when there is none, None when the job is not incremental."""
    if not job.config.incremental:
        return None
    if job.name is None:
        return NOTHING
    before = await database["jobs"].find_one(
        {
            "owner": job.owner,
            "name_key": bytes_of(job.name),
            "status": str(JobStatus.COMPLETED),
            "compared": {"$ne": None},
            "retry_of": None,
        },
        {"_id": 1},
        sort=[("created_at", -1), ("_id", -1)],
        session=session,
    )
    return NOTHING if before is None else str(before["_id"])


async def marks_before(
    database: Database, session: Session, baseline: str | None, outcomes: Sequence[Outcome]
) -> dict[bytes, bytes]:
    """What the pages of a commit yielded in the baseline, by fingerprint."""
    if not baseline:
        return {}
    prefix = prefix_of(JobId(baseline))
    ids = [prefix + one.request.fingerprint for one in outcomes if one.verdict is Verdict.HANDLED]
    found = database["page_marks"].find({"_id": {"$in": ids}}, batch_size=max(1, len(ids)), session=session)
    return {one["_id"][PREFIX_BYTES:]: one["m"] async for one in found}


def mark_of(prefix: bytes, outcome: Outcome) -> dict[str, bytes]:
    """The document that says what a page yielded."""
    return {"_id": prefix + outcome.request.fingerprint, "m": rows_mark(outcome.items)}
