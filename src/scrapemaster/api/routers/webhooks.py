"""`/webhooks`: endpoints, and what was sent to them."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import Path, Query, Request, Response

from scrapemaster.api.routers.jobs import as_json, page_links
from scrapemaster.api.routing import Router
from scrapemaster.api.schemas.errors import CONFLICT, INVALID, NOT_FOUND, UNAUTHENTICATED
from scrapemaster.api.schemas.webhooks import (
    DeliveryAnswer,
    DeliveryPayloadAnswer,
    RotatedSecretAnswer,
    WebhookAnswer,
    WebhookBody,
    WebhookChange,
    WebhookSecretAnswer,
)
from scrapemaster.api.security import CallerHere, Services
from scrapemaster.domain.events import EventType
from scrapemaster.domain.webhook import Attempt, Delivery, DeliveryId, DeliveryState, Endpoint, EndpointId
from scrapemaster.export.timestamps import iso

router = Router(prefix="/webhooks", tags=["webhooks"], responses=UNAUTHENTICATED)

WebhookPath = Annotated[
    str,
    Path(
        max_length=100,
        description="The webhook's id; a job's own webhook has the job's id.",
        examples=["01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"],
    ),
]
DeliveryPath = Annotated[
    str,
    Path(
        max_length=100,
        description="The delivery's id.",
        examples=["msg_01938c5e8a4e7c3b9d8f3f0f6a1c2b4d5f3c0a9b7e21"],
    ),
]


def endpoint_view(endpoint: Endpoint) -> dict[str, Any]:
    """An endpoint as the API shows it: without its secret."""
    return {
        "id": endpoint.id,
        "webhook_url": endpoint.url,
        "events": [str(event) for event in endpoint.events],
        "description": endpoint.description,
        "enabled": endpoint.enabled,
        "disabled_reason": endpoint.disabled_reason,
        "failing_since": None if endpoint.failing_since is None else iso(endpoint.failing_since),
        "job_id": endpoint.job_id,
        "owner": endpoint.owner,
        "created_at": iso(endpoint.created_at),
    }


def delivery_view(delivery: Delivery) -> dict[str, Any]:
    """A delivery as the API shows it."""
    pending = delivery.state is DeliveryState.PENDING
    return {
        "id": delivery.id,
        "webhook_id": delivery.endpoint_id,
        "type": delivery.type,
        "state": str(delivery.state),
        "created_at": iso(delivery.created_at),
        "next_attempt_at": iso(delivery.due_at) if pending else None,
        "attempts": [_attempt_view(attempt) for attempt in delivery.attempts],
    }


def _attempt_view(attempt: Attempt) -> dict[str, Any]:
    return {
        "at": iso(attempt.at),
        "status": attempt.status,
        "duration": attempt.duration,
        "error": attempt.error,
        "response": attempt.response,
    }


@router.post(
    "",
    status_code=201,
    response_model=WebhookSecretAnswer,
    responses={**CONFLICT, **INVALID},
    summary="Register a webhook",
)
async def create(body: WebhookBody, caller: CallerHere, app: Services) -> Any:
    """Events of all your jobs are sent there from now on. `secret` signs them; it is not shown again.

    409 when you have as many as a user may have.
    """
    events = [EventType(event) for event in body.events]
    endpoint = await app.webhooks.create(body.webhook_url, events, body.description, caller.user.id)
    return as_json({**endpoint_view(endpoint), "secret": endpoint.secret}, 201)


@router.get("", response_model=list[WebhookAnswer], responses=INVALID, summary="List webhooks")
async def find(
    *,
    request: Request,
    caller: CallerHere,
    app: Services,
    skip: Annotated[int, Query(ge=0, le=10**9, description="Webhooks to leave out.")] = 0,
    limit: Annotated[int, Query(ge=1, le=100, description="Webhooks to return at most.")] = 50,
) -> Any:
    """The caller's webhooks (an admin's: all), oldest first, without those of single jobs."""
    endpoints, total = await app.webhooks.find(caller.sees, skip=skip, limit=limit)
    return _page(request, [endpoint_view(endpoint) for endpoint in endpoints], skip, limit, total)


@router.get(
    "/{webhook_id}", response_model=WebhookAnswer, responses={**NOT_FOUND, **INVALID}, summary="Get a webhook"
)
async def get(webhook_id: WebhookPath, caller: CallerHere, app: Services) -> Any:
    """A webhook; a job's own has the job's id."""
    return as_json(endpoint_view(await app.webhooks.get(EndpointId(webhook_id), caller.sees)))


@router.patch(
    "/{webhook_id}",
    response_model=WebhookAnswer,
    responses={**NOT_FOUND, **INVALID},
    summary="Change a webhook",
)
async def change(webhook_id: WebhookPath, body: WebhookChange, caller: CallerHere, app: Services) -> Any:
    """Sets what is given. Messages that wait go to the new URL."""
    changed = await app.webhooks.change(EndpointId(webhook_id), caller.sees, **body.changes())
    return as_json(endpoint_view(changed))


@router.delete(
    "/{webhook_id}", status_code=204, responses={**NOT_FOUND, **INVALID}, summary="Remove a webhook"
)
async def remove(webhook_id: WebhookPath, caller: CallerHere, app: Services) -> Response:
    """Nothing more is sent to it, also not what waits."""
    await app.webhooks.remove(EndpointId(webhook_id), caller.sees)
    return Response(status_code=204)


@router.post(
    "/{webhook_id}/rotate-secret",
    response_model=RotatedSecretAnswer,
    responses={**NOT_FOUND, **INVALID},
    summary="Change the secret",
)
async def rotate(webhook_id: WebhookPath, caller: CallerHere, app: Services) -> Any:
    """For 24 hours messages carry two signatures, of the new secret and of the old one."""
    endpoint = await app.webhooks.rotate(EndpointId(webhook_id), caller.sees)
    until = iso(endpoint.old_secret_until or 0.0)
    return as_json({**endpoint_view(endpoint), "secret": endpoint.secret, "old_secret_expires_at": until})


@router.post(
    "/{webhook_id}/test",
    status_code=202,
    response_model=DeliveryPayloadAnswer,
    responses={**NOT_FOUND, **CONFLICT, **INVALID},
    summary="Send a test message",
)
async def test(webhook_id: WebhookPath, caller: CallerHere, app: Services) -> Any:
    """Sends a message of type `webhook.test`, once; the delivery tells what came of it. 409 when the webhook is disabled."""
    return as_json(_with_payload(await app.webhooks.test(EndpointId(webhook_id), caller.sees)), 202)


@router.get(
    "/{webhook_id}/deliveries",
    response_model=list[DeliveryAnswer],
    responses={**NOT_FOUND, **INVALID},
    summary="List deliveries",
)
async def deliveries(
    *,
    webhook_id: WebhookPath,
    request: Request,
    caller: CallerHere,
    app: Services,
    state: Annotated[DeliveryState | None, Query(description="Only deliveries in this state.")] = None,
    skip: Annotated[int, Query(ge=0, le=10**9, description="Deliveries to leave out.")] = 0,
    limit: Annotated[int, Query(ge=1, le=100, description="Deliveries to return at most.")] = 50,
) -> Any:
    """What was sent and what waits, newest first, with every attempt. Kept for 30 days."""
    found, total = await app.webhooks.deliveries(
        EndpointId(webhook_id), caller.sees, state=state, skip=skip, limit=limit
    )
    return _page(request, [delivery_view(delivery) for delivery in found], skip, limit, total)


@router.get(
    "/{webhook_id}/deliveries/{delivery_id}",
    response_model=DeliveryPayloadAnswer,
    responses={**NOT_FOUND, **INVALID},
    summary="Get a delivery",
)
async def delivery(
    webhook_id: WebhookPath, delivery_id: DeliveryPath, caller: CallerHere, app: Services
) -> Any:
    """A delivery with what is sent."""
    found = await app.webhooks.delivery(EndpointId(webhook_id), DeliveryId(delivery_id), caller.sees)
    return as_json(_with_payload(found))


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/replay",
    status_code=202,
    response_model=DeliveryPayloadAnswer,
    responses={**NOT_FOUND, **CONFLICT, **INVALID},
    summary="Send a delivery again",
)
async def replay(
    webhook_id: WebhookPath, delivery_id: DeliveryPath, caller: CallerHere, app: Services
) -> Any:
    """Sends the same message again now, under the same `webhook-id`, and retries it on schedule if that fails.

    409 when the webhook is disabled, or while the message is being sent.
    """
    found = await app.webhooks.replay(EndpointId(webhook_id), DeliveryId(delivery_id), caller.sees)
    return as_json(_with_payload(found), 202)


def _with_payload(delivery: Delivery) -> dict[str, Any]:
    return {**delivery_view(delivery), "payload": orjson.Fragment(delivery.body)}


def _page(request: Request, content: list[dict[str, Any]], skip: int, limit: int, total: int) -> Response:
    answer = as_json(content)
    answer.headers["X-Total-Count"] = str(total)
    answer.headers["Link"] = page_links(request, skip, limit, total)
    return answer
