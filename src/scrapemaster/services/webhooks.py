"""Webhooks: endpoints, their secrets, and what was sent to them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from scrapemaster.domain.errors import Conflict, NotFound
from scrapemaster.domain.events import EventType
from scrapemaster.domain.ids import UserId, uuid7
from scrapemaster.domain.webhook import (
    TEST_TYPE,
    Delivery,
    DeliveryId,
    DeliveryState,
    Endpoint,
    EndpointId,
    delivery_id,
    new_endpoint_id,
    new_secret,
)
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.ports.webhooks import Courier, WebhookStore
from scrapemaster.services.hooks import checked_target
from scrapemaster.services.notices import test_body

#: Seconds for which a secret signs after it was replaced: a day.
OLD_SECRET_SECONDS = 86_400.0


class WebhookService:
    """Use cases of webhooks. `sees` is whose endpoints the caller may see; None for everybody's.

    `at_most`: endpoints that a user may have, jobs' own not counted.
    """

    def __init__(self, store: WebhookStore, egress: EgressPolicy, courier: Courier, *, at_most: int) -> None:
        self._store = store
        self._egress = egress
        self._courier = courier
        self._at_most = at_most

    async def create(
        self, url: str, events: Sequence[EventType], description: str | None, owner: UserId
    ) -> Endpoint:
        """Register an endpoint; raises `InvalidInput`, or `Conflict` when the owner has too many."""
        endpoint = Endpoint(
            id=new_endpoint_id(),
            owner=owner,
            url=checked_target(url, self._egress),
            events=list(dict.fromkeys(events)),
            secret=new_secret(),
            created_at=time.time(),
            description=description,
        )
        await self._store.add(endpoint, at_most=self._at_most)
        return endpoint

    async def remove_all_of(self, owner: UserId) -> None:
        """Remove an owner's endpoints; those of its jobs go with the jobs."""
        while True:
            endpoints, _ = await self._store.find(owner, limit=100)
            if not endpoints:
                return
            for endpoint in endpoints:
                await self._store.remove(endpoint.id)

    async def get(self, endpoint_id: EndpointId, sees: UserId | None) -> Endpoint:
        """The endpoint; raises `NotFound`."""
        endpoint = await self._store.get(endpoint_id, sees)
        if endpoint is None:
            raise NotFound("Webhook not found")
        return endpoint

    async def find(self, sees: UserId | None, *, skip: int, limit: int) -> tuple[list[Endpoint], int]:
        """One page of endpoints, oldest first, and how many there are."""
        return await self._store.find(sees, skip=skip, limit=limit)

    async def change(self, endpoint_id: EndpointId, sees: UserId | None, **changes: Any) -> Endpoint:
        """Set some of `url`, `events`, `description`, `enabled`; raises `NotFound` or `InvalidInput`."""
        await self.get(endpoint_id, sees)
        if "url" in changes:
            changes["url"] = checked_target(changes["url"], self._egress)
        if "events" in changes:
            changes["events"] = list(dict.fromkeys(changes["events"]))
        return _there(await self._store.change(endpoint_id, **changes))

    async def rotate(self, endpoint_id: EndpointId, sees: UserId | None) -> Endpoint:
        """Give the endpoint a new secret; the old one signs too for a day. Raises `NotFound`."""
        await self.get(endpoint_id, sees)
        until = time.time() + OLD_SECRET_SECONDS
        return _there(await self._store.rotate(endpoint_id, new_secret(), old_until=until))

    async def remove(self, endpoint_id: EndpointId, sees: UserId | None) -> None:
        """Remove the endpoint; nothing more is sent to it. Raises `NotFound`."""
        await self.get(endpoint_id, sees)
        await self._store.remove(endpoint_id)

    async def test(self, endpoint_id: EndpointId, sees: UserId | None) -> Delivery:
        """Send a test message, once; raises `NotFound`, or `Conflict` when the endpoint is disabled."""
        endpoint = _enabled(await self.get(endpoint_id, sees))
        now = time.time()
        delivery = Delivery(
            id=delivery_id(uuid7(now), endpoint.id),
            endpoint_id=endpoint.id,
            owner=endpoint.owner,
            type=TEST_TYPE,
            body=test_body(endpoint, now),
            created_at=now,
            due_at=now,
            once=True,
        )
        await self._store.post(delivery)
        await self._courier.nudge()
        return delivery

    async def deliveries(
        self,
        endpoint_id: EndpointId,
        sees: UserId | None,
        *,
        state: DeliveryState | None,
        skip: int,
        limit: int,
    ) -> tuple[list[Delivery], int]:
        """What was and is to be sent, newest first, without bodies; raises `NotFound`."""
        await self.get(endpoint_id, sees)
        return await self._store.deliveries(endpoint_id, state=state, skip=skip, limit=limit)

    async def delivery(self, endpoint_id: EndpointId, wanted: DeliveryId, sees: UserId | None) -> Delivery:
        """One delivery; raises `NotFound`."""
        await self.get(endpoint_id, sees)
        return _sent(await self._store.delivery(endpoint_id, wanted))

    async def replay(self, endpoint_id: EndpointId, wanted: DeliveryId, sees: UserId | None) -> Delivery:
        """Send a delivery again, now, under the same id; raises `NotFound` or `Conflict`."""
        _enabled(await self.get(endpoint_id, sees))
        delivery = _sent(await self._store.replay(endpoint_id, wanted, now=time.time()))
        await self._courier.nudge()
        return delivery


def _enabled(endpoint: Endpoint) -> Endpoint:
    if not endpoint.enabled:
        why = f" ({endpoint.disabled_reason})" if endpoint.disabled_reason else ""
        raise Conflict(f"the webhook is disabled{why}; enable it first")
    return endpoint


def _there(endpoint: Endpoint | None) -> Endpoint:
    if endpoint is None:
        raise NotFound("Webhook not found")
    return endpoint


def _sent(delivery: Delivery | None) -> Delivery:
    if delivery is None:
        raise NotFound("Delivery not found")
    return delivery
