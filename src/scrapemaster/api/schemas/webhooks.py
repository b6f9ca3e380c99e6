"""Webhooks: endpoints, deliveries, attempts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, StringConstraints, model_validator

from scrapemaster.api.schemas.base import Answer, Body
from scrapemaster.domain.webhook import DeliveryState

WebhookEvent = Literal[
    "job.started", "job.completed", "job.failed", "job.cancelled", "job.paused", "item.batch"
]
Url = Annotated[str, StringConstraints(min_length=1, max_length=8_192)]
Description = Annotated[str, StringConstraints(min_length=1, max_length=500)]

_ID = "01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"
_DELIVERY_ID = "msg_01938c5e8a4e7c3b9d8f3f0f6a1c2b4d5f3c0a9b7e21"


class WebhookBody(Body):
    """A new endpoint."""

    webhook_url: Url = Field(
        description="Where events are sent (http or https).", examples=["https://your-app.com/webhook"]
    )
    events: list[WebhookEvent] = Field(
        min_length=1,
        max_length=20,
        description="Events to send, of all your jobs.",
        examples=[["job.completed", "job.failed"]],
    )
    description: Description | None = Field(None, description="Yours.", examples=["Orders, production"])


class WebhookChange(Body):
    """What to change of an endpoint; what is left out stays."""

    webhook_url: Url = Field("", description="Where events are sent.", examples=["https://your-app.com/hook"])
    events: list[WebhookEvent] = Field([], min_length=1, max_length=20, description="Events to send.")
    description: Description | None = Field(None, description="Yours; null removes it.")
    enabled: StrictBool = Field(
        default=True,
        description="False sends nothing more, and what waits fails. True also clears `disabled_reason`.",
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name at least one field to change")
        return self

    def changes(self) -> dict[str, Any]:
        """What to set, by the domain's names."""
        given = self.model_dump(exclude_unset=True)
        return {("url" if name == "webhook_url" else name): value for name, value in given.items()}


class WebhookAnswer(Answer):
    """An endpoint. Its secret is shown only where it is made."""

    id: str = Field(examples=[_ID])
    webhook_url: str = Field(examples=["https://your-app.com/webhook"])
    events: list[str] = Field(examples=[["job.completed", "job.failed"]])
    description: str | None = Field(examples=["Orders, production"])
    enabled: bool
    disabled_reason: str | None = Field(
        description="Why the service disabled it.", examples=["it answered 410 Gone"]
    )
    failing_since: datetime | None = Field(description="The first failure after the last success.")
    job_id: str | None = Field(description="The job whose own webhook it is.")
    owner: str = Field(description="Id of the user it belongs to.", examples=[_ID])
    created_at: datetime


class WebhookSecretAnswer(WebhookAnswer):
    """An endpoint with its secret, which is not shown again."""

    secret: str = Field(
        description="Signs every message: Standard Webhooks, `whsec_` and base64.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )


class RotatedSecretAnswer(WebhookSecretAnswer):
    """An endpoint with its new secret."""

    old_secret_expires_at: datetime = Field(
        description="Until then messages are signed with the old one too."
    )


class AttemptAnswer(Answer):
    """One try to send."""

    at: datetime
    status: int | None = Field(description="HTTP status, if there was an answer.", examples=[500])
    duration: float = Field(description="Seconds.", examples=[0.12])
    error: str | None = Field(description="Why it failed.", examples=["the endpoint answered 500"])
    response: str = Field(description="What the answer's body began with, 1 KB at most.", examples=["oops"])


class DeliveryAnswer(Answer):
    """One message for one endpoint."""

    id: str = Field(description="The message's `webhook-id`, the same on each try.", examples=[_DELIVERY_ID])
    webhook_id: str = Field(description="The endpoint.", examples=[_ID])
    type: str = Field(examples=["job.completed"])
    state: DeliveryState
    created_at: datetime
    next_attempt_at: datetime | None = Field(description="When it is sent next, while it is pending.")
    attempts: list[AttemptAnswer]


class DeliveryPayloadAnswer(DeliveryAnswer):
    """A delivery with what is sent."""

    payload: dict[str, Any] = Field(
        description="The body.",
        examples=[{"type": "job.completed", "timestamp": "2026-01-15T10:32:00.000000Z", "data": {}}],
    )
