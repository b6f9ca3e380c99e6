"""One thing done to many jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from scrapemaster.domain.errors import Conflict, NotFound
from scrapemaster.domain.ids import JobId, UserId
from scrapemaster.services.jobs import JobService


class BulkAction(StrEnum):
    """What may be done to many jobs at once."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    DELETE = "delete"


@dataclass(slots=True, frozen=True)
class Refusal:
    """A job that the action was not done to, and why."""

    job: JobId
    detail: str


async def act_on_all(
    jobs: JobService, action: BulkAction, ids: Sequence[JobId], sees: UserId | None
) -> tuple[int, list[Refusal]]:
    """Do it to each job; returns to how many it was done, and those that refused. `DELETE` cancels a job that is not over, as for one."""
    verbs: dict[BulkAction, Callable[[JobId, UserId | None], Awaitable[object]]] = {
        BulkAction.CANCEL: jobs.cancel,
        BulkAction.PAUSE: jobs.pause,
        BulkAction.RESUME: jobs.resume,
        BulkAction.DELETE: jobs.delete,
    }
    done, refused = 0, []
    for job_id in dict.fromkeys(ids):
        try:
            await verbs[action](job_id, sees)
        except (Conflict, NotFound) as error:
            refused.append(Refusal(job_id, str(error)))
        else:
            done += 1
    return done, refused
