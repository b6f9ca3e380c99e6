"""Webhook targets, what is sent to them, and the rules of sending."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from scrapemaster.domain.errors import InvalidInput
from scrapemaster.domain.events import EventType
from scrapemaster.domain.ids import JobId, UserId, uuid7
from scrapemaster.domain.job import Job, JobStatus

EndpointId = NewType("EndpointId", str)
DeliveryId = NewType("DeliveryId", str)

#: What endpoints may ask for.
WEBHOOK_EVENTS = (
    EventType.JOB_STARTED,
    EventType.JOB_COMPLETED,
    EventType.JOB_FAILED,
    EventType.JOB_CANCELLED,
    EventType.JOB_PAUSED,
    EventType.ITEM_BATCH,
)
#: What a job's own webhook gets when its order does not say.
JOB_HOOK_EVENTS = (EventType.JOB_COMPLETED, EventType.JOB_FAILED, EventType.JOB_CANCELLED)
#: The type of a message that only tries an endpoint out.
TEST_TYPE = "webhook.test"

#: Seconds from a failed try to the next: the example of the Standard Webhooks specification, some 28 hours in all
#: (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
RETRY_SCHEDULE = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 36_000.0)
#: Share of a delay by which it is moved at random, so that what failed together is not tried together.
_JITTER = 0.1
#: The longest a Retry-After may put off the next try, in seconds.
_LONGEST_WAIT = 3_600.0
#: Seconds of nothing but failures after which an endpoint is disabled: five days.
GIVE_UP_AFTER = 432_000.0
#: Bytes of a secret: the specification asks for 24 to 64.
_SECRET_BYTES = (24, 64)
_SECRET_PREFIX = "whsec_"  # noqa: S105 -- what secrets begin with

_EVENT_OF: Mapping[JobStatus, EventType] = {
    JobStatus.PAUSED: EventType.JOB_PAUSED,
    JobStatus.COMPLETED: EventType.JOB_COMPLETED,
    JobStatus.FAILED: EventType.JOB_FAILED,
    JobStatus.CANCELLED: EventType.JOB_CANCELLED,
}


class DeliveryState(StrEnum):
    """`pending` until a try succeeds (`delivered`) or the last one failed (`failed`)."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(slots=True, frozen=True)
class Endpoint:
    """A webhook target. Times are epoch seconds.

    One with a `job_id` is that job's own webhook, has the job's id as its id, and hears of that job alone; any other hears of
    all of its owner's jobs. `failing_since` is the first failure after the last success. The
    `old_secret` signs besides the new one until `old_secret_until`.
    """

    id: EndpointId
    owner: UserId
    url: str
    events: Sequence[EventType]
    secret: str
    created_at: float
    description: str | None = None
    job_id: JobId | None = None
    enabled: bool = True
    disabled_reason: str | None = None
    failing_since: float | None = None
    old_secret: str | None = None
    old_secret_until: float | None = None

    def secrets(self, now: float) -> list[str]:
        """The secrets that sign at this time, the newest first."""
        if self.old_secret is not None and (self.old_secret_until or 0.0) > now:
            return [self.secret, self.old_secret]
        return [self.secret]


@dataclass(slots=True, frozen=True)
class OutboxEvent:
    """A fact that endpoints are yet to be told of. `job` is the job as it was then.

    `first` and `last` are the `seq` of the rows an `item.batch` is about.
    """

    id: str
    type: EventType
    at: float
    job: Job
    first: int | None = None
    last: int | None = None


@dataclass(slots=True, frozen=True)
class Attempt:
    """One try. `duration` is in seconds; `response` is the beginning of the answer's body."""

    at: float
    duration: float
    status: int | None = None
    error: str | None = None
    response: str = ""


@dataclass(slots=True, frozen=True)
class Delivery:
    """One message for one endpoint, and every try to send it. `id` is its `webhook-id`.

    `tries` counts those of the present round: a replay begins a new one. `once`: a failure is final.
    """

    id: DeliveryId
    endpoint_id: EndpointId
    owner: UserId
    type: str
    body: bytes
    created_at: float
    due_at: float
    state: DeliveryState = DeliveryState.PENDING
    tries: int = 0
    once: bool = False
    attempts: Sequence[Attempt] = ()


@dataclass(slots=True, frozen=True)
class Due:
    """A delivery that is leased, and where it goes."""

    delivery: Delivery
    endpoint: Endpoint


@dataclass(slots=True, frozen=True)
class Answer:
    """What came of one try: a status, or a sentence why there is none. `retry_after` is in seconds."""

    status: int | None = None
    error: str | None = None
    response: str = ""
    retry_after: float | None = None


@dataclass(slots=True, frozen=True)
class Settlement:
    """What a try makes of its delivery: the next try is at `due_at` while it is pending.

    `disable` is the reason why its endpoint gets no more.
    """

    state: DeliveryState
    due_at: float
    disable: str | None = None


@dataclass(slots=True, frozen=True)
class Candidate:
    """A delivery that could be leased now."""

    id: DeliveryId
    endpoint_id: EndpointId
    owner: UserId
    due_at: float


def new_endpoint_id() -> EndpointId:
    """A fresh id."""
    return EndpointId(uuid7())


def new_secret() -> str:
    """A fresh secret of 32 random bytes, in the form of the specification: `whsec_` and base64."""
    return _SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def secret_key(secret: str) -> bytes:
    """The key a secret stands for; raises `InvalidInput`."""
    low, high = _SECRET_BYTES
    try:
        key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_SECRET_PREFIX) or not low <= len(key) <= high:
        raise InvalidInput(f"a webhook's secret is whsec_ and the base64 of {low} to {high} random bytes")
    return key


def event_of(target: JobStatus, *, first_start: bool) -> EventType | None:
    """The event that a job's coming to `target` is; None if it is none (resuming, for one)."""
    if target is JobStatus.RUNNING:
        return EventType.JOB_STARTED if first_start else None
    return _EVENT_OF.get(target)


def delivery_id(event_id: str, endpoint_id: EndpointId) -> DeliveryId:
    """The one id that an event's delivery to an endpoint has, however often it is worked out. Sorts by the event's id."""
    mark = hashlib.sha256(endpoint_id.encode()).hexdigest()[:12]
    return DeliveryId(f"msg_{event_id.replace('-', '')}{mark}")


def succeeded(status: int | None) -> bool:
    """Whether an answer means that the message arrived: any 2xx."""
    return status is not None and 200 <= status < 300


def retry_delay(tries: int, chance: float) -> float | None:
    """Seconds to wait after the `tries`-th failed try (1, 2, …), or None after the last.

    `chance` (0 to 1) moves it by up to a tenth either way.
    """
    if tries > len(RETRY_SCHEDULE):
        return None
    return RETRY_SCHEDULE[tries - 1] * (1.0 + _JITTER * (2.0 * chance - 1.0))


def settlement_of(due: Due, answer: Answer, *, now: float, chance: float) -> Settlement:
    """What becomes of a delivery after a try that ended so; `chance` is 0 to 1.

    2xx is success; 410 disables the endpoint; everything else is tried again on schedule, not before a
    `retry_after` of up to an hour. Failures for five days on end disable the endpoint.
    """
    if succeeded(answer.status):
        return Settlement(DeliveryState.DELIVERED, now)
    if answer.status == 410:
        return Settlement(DeliveryState.FAILED, now, "it answered 410 Gone")
    if due.delivery.once:
        return Settlement(DeliveryState.FAILED, now)
    since = due.endpoint.failing_since
    if since is not None and now - since >= GIVE_UP_AFTER:
        return Settlement(DeliveryState.FAILED, now, "every delivery failed for five days")
    delay = retry_delay(due.delivery.tries + 1, chance)
    if delay is None:
        return Settlement(DeliveryState.FAILED, now)
    wait = min(answer.retry_after or 0.0, _LONGEST_WAIT)
    return Settlement(DeliveryState.PENDING, now + max(delay, wait))


def fair_choice(
    candidates: Sequence[Candidate],
    held: Sequence[tuple[UserId, EndpointId]],
    *,
    limit: int,
    per_endpoint: int,
    per_owner: int,
) -> list[Candidate]:
    """Which of the due deliveries to send now: each endpoint's oldest first, endpoints in turn.

    Of those that are due at the same time, the first of `candidates` is taken for the oldest. `held` are those being sent. With them, no endpoint gets more than `per_endpoint`, no owner more than `per_owner`, so
    that a slow target holds no place that another could use.
    """
    endpoints = Counter(endpoint for _, endpoint in held)
    owners = Counter(owner for owner, _ in held)
    turns: Counter[EndpointId] = Counter()
    queue: list[tuple[int, float, Candidate]] = []
    for candidate in sorted(candidates, key=lambda one: one.due_at):
        queue.append((turns[candidate.endpoint_id], candidate.due_at, candidate))
        turns[candidate.endpoint_id] += 1
    chosen: list[Candidate] = []
    for _, _, candidate in sorted(queue, key=lambda one: one[:2]):
        if len(chosen) >= limit:
            break
        if endpoints[candidate.endpoint_id] < per_endpoint and owners[candidate.owner] < per_owner:
            endpoints[candidate.endpoint_id] += 1
            owners[candidate.owner] += 1
            chosen.append(candidate)
    return chosen
