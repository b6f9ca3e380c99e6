"""`/auth/keys`: keys for programs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Response

from scrapemaster.api.routing import Router
from scrapemaster.api.schemas.api_keys import ApiKeyAnswer, NewApiKey, NewApiKeyAnswer
from scrapemaster.api.schemas.errors import CONFLICT, INVALID, NOT_FOUND, UNAUTHENTICATED
from scrapemaster.api.security import CallerHere, Services
from scrapemaster.domain.api_key import ApiKey
from scrapemaster.domain.ids import ApiKeyId
from scrapemaster.export.timestamps import iso

router = Router(prefix="/auth/keys", tags=["accounts"], responses=UNAUTHENTICATED)

KeyPath = Annotated[
    str, Path(max_length=100, description="The key's id.", examples=["01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"])
]


def api_key_view(key: ApiKey) -> dict[str, Any]:
    """A key as the API shows it."""
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "last4": key.last4,
        "created_at": iso(key.created_at),
        "expires_at": None if key.expires_at is None else iso(key.expires_at),
        "last_used_at": None if key.last_used_at is None else iso(key.last_used_at),
    }


@router.post(
    "",
    status_code=201,
    response_model=NewApiKeyAnswer,
    responses={**CONFLICT, **INVALID},
    summary="Make an API key",
)
async def create(body: NewApiKey, caller: CallerHere, app: Services) -> Any:
    """The key is in this answer and never again: only its hash is kept. 50 keys a user at most (409)."""
    expires_at = None if body.expires_at is None else body.expires_at.timestamp()
    key, text = await app.api_keys.create(caller.user.id, body.name, expires_at)
    return {**api_key_view(key), "key": text}


@router.get("", response_model=list[ApiKeyAnswer], summary="List API keys")
async def find(caller: CallerHere, app: Services) -> Any:
    """The caller's own keys, oldest first; `last_used_at` is right to a minute."""
    return [api_key_view(key) for key in await app.api_keys.find(caller.user.id)]


@router.delete("/{key_id}", status_code=204, responses={**NOT_FOUND, **INVALID}, summary="Delete an API key")
async def delete(key_id: KeyPath, caller: CallerHere, app: Services) -> Response:
    """The key is not accepted any more."""
    await app.api_keys.delete(ApiKeyId(key_id), caller.user.id)
    return Response(status_code=204)
