"""The logs of jobs in MongoDB: lines in `job_log`, what is counted for them in the job's own document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import TERMINAL
from scrapemaster.domain.joblog import (
    LOG_LINES,
    LogEvent,
    LogLevel,
    LogLine,
    NewLine,
    Trouble,
    line_of_trouble,
)
from scrapemaster.domain.outcome import Verdict
from scrapemaster.storage.mongo.database import Database, Document, Session
from scrapemaster.storage.mongo.keys import bytes_of, number_of, prefix_of, row_id, span, text_of

#: The fields of a job's document that `Diary.of` needs.
DIARY_FIELDS = {"log_last": 1, "log_counts": 1}


class MongoJobLog:
    """See `ports.joblog.JobLog`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, job: JobId, *, after: int = 0, limit: int = 100) -> list[LogLine]:
        """See the port."""
        if limit < 1:
            return []
        async with self._database.calls():
            if await self._last(job) <= after:
                return []
            found = self._database["job_log"].find(
                {"_id": span(prefix_of(job), after)}, sort=[("_id", 1)], limit=limit, batch_size=limit
            )
            return [line_of(one) async for one in found]

    async def write(self, job: JobId, lines: Sequence[NewLine], *, now: float) -> None:
        """See the port."""
        jobs = self._database["jobs"]

        async def work(session: Session) -> None:
            document = await jobs.find_one_and_update(
                {"_id": job}, {"$inc": {"turn": 1}}, {"status": 1, **DIARY_FIELDS}, session=session
            )
            if document is None or document["status"] in TERMINAL:
                return
            diary = Diary.of(prefix_of(job), document)
            diary.write(now, lines)
            await diary.store(self._database, session)
            await jobs.update_one({"_id": job}, {"$set": diary.document()}, session=session)

        await self._database.write(job, work)

    async def last(self, job: JobId) -> int:
        """See the port."""
        async with self._database.calls():
            return await self._last(job)

    async def _last(self, job: JobId) -> int:
        document = await self._database["jobs"].find_one({"_id": job}, {"log_last": 1})
        return 0 if document is None else int(document["log_last"])


@dataclass(slots=True)
class Diary:
    """A job's log as a transaction sees and continues it: the number of its last line, and the pages that came to each bad end."""

    prefix: bytes
    last: int = 0
    counts: dict[tuple[str, bytes], int] = field(default_factory=dict)
    _lines: list[Document] = field(default_factory=list)

    @classmethod
    def of(cls, prefix: bytes, document: Mapping[str, Any]) -> Diary:
        """The log of the job of this document."""
        counts = {(verdict, reason): pages for verdict, reason, pages in document["log_counts"]}
        return cls(prefix, document["log_last"], counts)

    def write(self, at: float, lines: Sequence[NewLine]) -> None:
        """Append lines."""
        for line in lines:
            self.last += 1
            stored = LogLine(self.last, at, line.level, line.event, line.short_message)
            self._lines.append(line_document(self.prefix, stored))

    def trouble(self, at: float, troubles: Sequence[Trouble]) -> None:
        """Count a commit's bad ends, and append the lines that are due."""
        for trouble in troubles:
            kind = (str(trouble.verdict), bytes_of(trouble.reason))
            before = self.counts.get(kind, 0)
            self.counts[kind] = before + trouble.pages
            line = line_of_trouble(trouble, before)
            if line is not None:
                self.write(at, [line])

    def forget_failures(self) -> None:
        """Count failed and postponed pages from 0 again."""
        self.counts = {kind: pages for kind, pages in self.counts.items() if kind[0] == Verdict.SKIPPED}

    def document(self) -> Document:
        """The fields of the job's document that hold this."""
        counts = [[verdict, reason, pages] for (verdict, reason), pages in self.counts.items()]
        return {"log_last": self.last, "log_counts": counts}

    async def store(self, database: Database, session: Session) -> None:
        """Write the new lines in the transaction under way, and let the oldest go."""
        lines, self._lines = self._lines, []
        if not lines:
            return
        await database["job_log"].insert_many(lines, session=session)
        if self.last > LOG_LINES:
            old = span(self.prefix, 0, self.last - LOG_LINES)
            await database["job_log"].delete_many({"_id": old}, session=session)


def line_document(prefix: bytes, line: LogLine) -> Document:
    """The document of a line."""
    return {
        "_id": row_id(prefix, line.seq),
        "at": line.at,
        "level": str(line.level),
        "event": str(line.event),
        "message": bytes_of(line.message),
    }


def line_of(one: Document) -> LogLine:
    """The line of a document."""
    level, event = LogLevel(one["level"]), LogEvent(one["event"])
    return LogLine(number_of(one["_id"]), one["at"], level, event, text_of(one["message"]))
