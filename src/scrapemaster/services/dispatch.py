"""The loop that turns events into deliveries and sends them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from random import Random

import structlog

from scrapemaster.domain.errors import StoreError
from scrapemaster.domain.events import Event, EventType
from scrapemaster.domain.ids import uuid7
from scrapemaster.domain.webhook import (
    Answer,
    Attempt,
    Delivery,
    DeliveryState,
    Due,
    OutboxEvent,
    delivery_id,
    settlement_of,
)
from scrapemaster.ports.events import EventSink
from scrapemaster.ports.webhooks import Sender, WebhookStore
from scrapemaster.services.notices import body_of

log = structlog.get_logger(__name__)

#: Messages under way at once: in all, to one endpoint, of one owner. Slow targets of one user hold a quarter of the places.
SENDS_AT_ONCE = 64
SENDS_PER_ENDPOINT = 4
SENDS_PER_OWNER = 16
#: Seconds a lease lasts: four times what a try may take.
LEASE_SECONDS = 60.0
#: Seconds between two `item.batch` of one job.
BATCH_EVERY = 5.0
#: Seconds for which deliveries that are over are kept: thirty days.
KEEP_SECONDS = 2_592_000.0

_LOOK_EVERY = 1.0
_PRUNE_EVERY = 300.0
_PRUNE_AT_ONCE = 500
_EVENTS_AT_ONCE = 64
_EXPANSIONS = 8
#: Seconds that messages under way are given when the loop is stopped.
_GRACE = 1.0


class Dispatcher:
    """Expands the outbox, sends what is due, and forgets what is old, until cancelled.

    Any number may run over one store. `holder` is the name of its leases, one that no other has. `clock` gives epoch seconds.
    """

    def __init__(
        self,
        store: WebhookStore,
        sender: Sender,
        *,
        holder: str | None = None,
        clock: Callable[[], float] = time.time,
        rng: Random | None = None,
    ) -> None:
        self._store = store
        self._sender = sender
        self._clock = clock
        self._rng = rng or Random()  # noqa: S311 -- jitter, not secrets
        self._holder = holder or uuid7()
        self._poked = asyncio.Event()
        self._sends: set[asyncio.Task[None]] = set()
        self._announced_at = self._pruned_at = 0.0

    def poke(self) -> None:
        """Have it look now, and not within the next second."""
        self._poked.set()

    async def run(self) -> None:
        """Work until cancelled; what is under way then is given a second, and then left to be sent again."""
        try:
            while True:
                self._poked.clear()
                try:
                    await self.look()
                except StoreError as error:
                    log.warning("webhooks.store_failed", error=str(error))
                except Exception:
                    # Crawling must not end because deliveries cannot go on.
                    log.exception("webhooks.fault")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_EVERY):
                        await self._poked.wait()
        finally:
            await self._wind_up()

    async def look(self) -> None:
        """Do what is to be done now: expand, announce, begin to send, prune."""
        now = self._clock()
        if now - self._announced_at >= _LOOK_EVERY:
            self._announced_at = now
            await self._store.announce(every=BATCH_EVERY, now=now)
        await self._expand(now)
        await self._send_due()
        if now - self._pruned_at >= _PRUNE_EVERY:
            pruned = await self._store.prune(before=now - KEEP_SECONDS, limit=_PRUNE_AT_ONCE)
            if pruned < _PRUNE_AT_ONCE:
                self._pruned_at = now

    async def settled(self) -> None:
        """Return when nothing is under way."""
        while self._sends:
            await asyncio.wait(self._sends)

    async def _expand(self, now: float) -> None:
        """Make deliveries of events; some hundreds at most, so that sending does not wait for a long outbox."""
        for _ in range(_EXPANSIONS):
            events = await self._store.events(_EVENTS_AT_ONCE)
            if not events:
                return
            expanded = await asyncio.gather(*(self._deliveries_of(event, now) for event in events))
            # Asked for together, so that the store commits them together, in the order of events.
            await asyncio.gather(
                *(
                    self._store.expand(event.id, deliveries)
                    for event, deliveries in zip(events, expanded, strict=True)
                )
            )
        self.poke()

    async def _deliveries_of(self, event: OutboxEvent, now: float) -> list[Delivery]:
        listeners = await self._store.listeners(event.job.owner, event.job.id, event.type)
        body = body_of(event) if listeners else b""
        return [
            Delivery(
                id=delivery_id(event.id, endpoint.id),
                endpoint_id=endpoint.id,
                owner=endpoint.owner,
                type=str(event.type),
                body=body,
                created_at=now,
                due_at=now,
            )
            for endpoint in listeners
        ]

    async def _send_due(self) -> None:
        free = SENDS_AT_ONCE - len(self._sends)
        if free <= 0:
            return
        leased = await self._store.lease(
            self._holder,
            free,
            LEASE_SECONDS,
            per_endpoint=SENDS_PER_ENDPOINT,
            per_owner=SENDS_PER_OWNER,
            now=self._clock(),
        )
        for due in leased:
            task = asyncio.create_task(self._send(due))
            self._sends.add(task)
            task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sends.discard(task)
        # A place is free.
        self.poke()

    async def _send(self, due: Due) -> None:
        at, began = self._clock(), time.monotonic()
        try:
            answer = await self._sender.send(due.delivery, due.endpoint, now=at)
        except Exception:
            log.exception("webhook.fault", delivery_id=due.delivery.id)
            answer = Answer(error="internal_error: a fault of ours; it is in the log")
        duration = round(time.monotonic() - began, 3)
        settlement = settlement_of(due, answer, now=self._clock(), chance=self._rng.random())
        attempt = Attempt(at, duration, answer.status, answer.error, answer.response)
        try:
            ours = await self._store.settle(due.delivery.id, self._holder, attempt, settlement)
        except StoreError as error:
            # The lease ends by itself, and the message is sent again under the same id.
            log.warning("webhook.not_settled", delivery_id=due.delivery.id, error=str(error))
            return
        if not ours:
            log.warning("webhook.lease_lost", delivery_id=due.delivery.id)
        elif settlement.disable is not None:
            log.warning("webhook.disabled", endpoint_id=due.endpoint.id, reason=settlement.disable)
        elif settlement.state is DeliveryState.FAILED:
            log.info("webhook.failed", delivery_id=due.delivery.id, error=answer.error)

    async def _wind_up(self) -> None:
        if self._sends:
            await asyncio.wait(self._sends, timeout=_GRACE)
        left = list(self._sends)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        with contextlib.suppress(StoreError):
            await self._store.release(self._holder)


class PokingEvents:
    """An `EventSink` that passes events on, and pokes a dispatcher at those that webhooks may tell of."""

    def __init__(self, events: EventSink, dispatcher: Dispatcher) -> None:
        self._events = events
        self._dispatcher = dispatcher

    def publish(self, event: Event) -> None:
        """See `ports.events.EventSink`."""
        self._events.publish(event)
        if event.type is not EventType.JOB_PROGRESS:
            self._dispatcher.poke()
