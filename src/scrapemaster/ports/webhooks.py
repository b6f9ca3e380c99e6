"""The ports to webhook targets, the outbox and deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from scrapemaster.domain.events import EventType
from scrapemaster.domain.ids import JobId, UserId
from scrapemaster.domain.webhook import (
    Answer,
    Attempt,
    Delivery,
    DeliveryId,
    DeliveryState,
    Due,
    Endpoint,
    EndpointId,
    OutboxEvent,
    Settlement,
)


class WebhookStore(Protocol):
    """Endpoints, the outbox, and deliveries with every attempt. Times are epoch seconds.

    The outbox is filled by `JobStore.transition`, in the write that moves the job, and by `announce`; `expand` turns an
    event into deliveries and takes it out. So nothing is lost wherever a process dies, and nothing is sent of what did not
    happen. A delivery is sent by the holder of its lease; one whose lease ended is due again.
    """

    async def add(self, endpoint: Endpoint, *, at_most: int | None = None) -> None:
        """Store a new endpoint; raises `Conflict` when its owner has `at_most` already (jobs' own are not counted)."""

    async def get(self, endpoint_id: EndpointId, owner: UserId | None = None) -> Endpoint | None:
        """The endpoint; None if there is none, or if it is not `owner`'s (None: anybody's)."""

    async def find(
        self, owner: UserId | None, *, skip: int = 0, limit: int = 50
    ) -> tuple[list[Endpoint], int]:
        """One page of the owner's endpoints (None: everybody's) without jobs' own, oldest first, and how many there are."""

    async def change(self, endpoint_id: EndpointId, **changes: Any) -> Endpoint | None:
        """Set some of `url`, `events`, `description`, `enabled`; None if there is no such endpoint.

        `enabled` True clears `disabled_reason` and `failing_since`; False lets what is pending for it fail.
        """

    async def rotate(self, endpoint_id: EndpointId, secret: str, *, old_until: float) -> Endpoint | None:
        """Give it a new secret; the one it had signs too until `old_until`. None if there is no such endpoint."""

    async def remove(self, endpoint_id: EndpointId) -> bool:
        """Remove an endpoint; its deliveries are not sent any more, and go with `prune`. False when there was none."""

    async def events(self, limit: int) -> list[OutboxEvent]:
        """The oldest events that are not expanded yet. Those of a job that was deleted since are among them."""

    async def listeners(self, owner: UserId, job_id: JobId, event: EventType) -> list[Endpoint]:
        """The enabled endpoints that want to hear of this event of this job of this owner."""

    async def expand(self, event_id: str, deliveries: Sequence[Delivery]) -> None:
        """Store an event's deliveries, then take it out of the outbox.

        Deliveries that exist are left as they are, so that it may be done again after a crash, or by two at once.
        """

    async def announce(self, *, every: float, now: float) -> int:
        """Put an `item.batch` into the outbox for each running job with rows not announced yet; returns how many.

        Only where an endpoint asked for it, and not within `every` seconds of the job's last one. What is left when a job is paused
        or ends is announced by `JobStore.transition`. Each row is announced once.
        """

    async def post(self, delivery: Delivery) -> None:
        """Store a delivery that no event is behind; one that exists is left as it is."""

    async def delivery(self, endpoint_id: EndpointId, delivery_id: DeliveryId) -> Delivery | None:
        """An endpoint's delivery, or None."""

    async def deliveries(
        self,
        endpoint_id: EndpointId,
        *,
        state: DeliveryState | None = None,
        skip: int = 0,
        limit: int = 50,
    ) -> tuple[list[Delivery], int]:
        """One page of an endpoint's deliveries, newest first, and how many there are; `body` is left empty."""

    async def replay(
        self, endpoint_id: EndpointId, delivery_id: DeliveryId, *, now: float
    ) -> Delivery | None:
        """Make a delivery due now, in a new round of tries; its attempts are kept. None if there is none.

        Raises `Conflict` while it is leased.
        """

    async def lease(
        self, holder: str, limit: int, seconds: float, *, per_endpoint: int, per_owner: int, now: float
    ) -> list[Due]:
        """Take up to `limit` deliveries that are due, as `fair_choice` says, for `seconds`.

        `per_endpoint` and `per_owner` bound the leases that have not ended, whoever holds them. A pending delivery whose endpoint is
        disabled becomes `failed`; one whose endpoint is gone is not offered.
        """

    async def settle(
        self, delivery_id: DeliveryId, holder: str, attempt: Attempt, settlement: Settlement
    ) -> bool:
        """Log an attempt, move its delivery on and end the lease, at once; False, and nothing, if the lease is another's.

        A success clears the endpoint's `failing_since`, a failure sets it if it is not set (`once` deliveries do neither).
        `settlement.disable` disables the endpoint with that reason, and what is pending for it fails.
        """

    async def release(self, holder: str | None) -> None:
        """End the holder's leases, due again at once, not as a try. None: everybody's, when no other worker runs."""

    async def prune(self, *, before: float, limit: int) -> int:
        """Delete up to `limit` deliveries that are over and were made before then, and those whose endpoint is gone.

        Also the own endpoints, made before then, of jobs that are gone, once nothing is left to be sent to them. Returns how many
        deliveries went.
        """


class Sender(Protocol):
    """Sends one message."""

    async def send(self, delivery: Delivery, endpoint: Endpoint, *, now: float) -> Answer:
        """Sign and send under the egress policy; takes no longer than 15 seconds, and never raises for what the target does.

        Redirects are not followed. `now` (epoch seconds) is what is signed as the time.
        """

    async def close(self) -> None:
        """Free connections; twice is no error."""


class Courier(Protocol):
    """Whom to tell that there is something to deliver. Disposable: who hears nothing looks each second."""

    async def nudge(self) -> None:
        """Have deliveries looked at now. Never raises because no worker is there."""
