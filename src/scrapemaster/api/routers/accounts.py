"""`/auth`: registering, signing in and out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from scrapemaster.api.routing import Router
from scrapemaster.api.schemas.accounts import (
    Credentials,
    PasswordChange,
    Registration,
    TokenAnswer,
    UserAnswer,
    WelcomeAnswer,
)
from scrapemaster.api.schemas.errors import CONFLICT, FORBIDDEN, INVALID, THROTTLED, UNAUTHENTICATED
from scrapemaster.api.security import CallerHere, Services, address_of
from scrapemaster.domain.user import User
from scrapemaster.export.timestamps import iso

router = Router(prefix="/auth", tags=["accounts"])

_FORM = "application/x-www-form-urlencoded"
_LOGIN_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Credentials"},
                "example": {"username": "ada", "password": "correct horse battery"},
            },
            _FORM: {
                "schema": {
                    "type": "object",
                    "required": ["username", "password"],
                    "properties": {
                        "username": {"type": "string"},
                        "password": {"type": "string", "format": "password"},
                        "use": {"type": "string", "enum": ["api", "dashboard"], "default": "api"},
                    },
                }
            },
        },
    }
}


def user_view(user: User) -> dict[str, Any]:
    """An account as the API shows it."""
    return {
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "role": str(user.role),
        "created_at": iso(user.created_at),
    }


@router.post(
    "/register",
    status_code=201,
    response_model=UserAnswer,
    responses={**FORBIDDEN, **CONFLICT, **INVALID, **THROTTLED},
    summary="Make an account",
)
async def register(body: Registration, request: Request, app: Services) -> Any:
    """Anybody may, unless the operator switched it off (403). A name that is taken gives 409, many registrations from one address 429."""
    return user_view(
        await app.accounts.register(body.username, body.password, body.email, address_of(request))
    )


@router.post(
    "/login",
    response_model=TokenAnswer,
    responses={**UNAUTHENTICATED, **INVALID},
    summary="Get a token",
    openapi_extra=_LOGIN_BODY,
)
async def login(request: Request, app: Services) -> Any:
    """Send name and password as a form or as JSON. Send the token with every other request as `Authorization: Bearer …`.

    Wrong name and wrong password get the same 401, many of them 429.
    """
    credentials = await _credentials(request)
    token, seconds = await app.accounts.login(
        credentials.username,
        credentials.password,
        address_of(request),
        dashboard=credentials.use == "dashboard",
    )
    return {"access_token": token, "token_type": "bearer", "expires_in": seconds}


@router.get("/welcome", response_model=WelcomeAnswer, summary="What a sign-in page shows")
async def welcome(app: Services) -> Any:
    """Needs no credentials."""
    return asdict(await app.accounts.welcome())


@router.get("/me", response_model=UserAnswer, responses=UNAUTHENTICATED, summary="Who am I")
async def me(caller: CallerHere) -> Any:
    """The account the token or the API key belongs to."""
    return user_view(caller.user)


@router.post(
    "/password",
    status_code=204,
    responses={**UNAUTHENTICATED, **FORBIDDEN, **CONFLICT, **INVALID},
    summary="Change the password",
)
async def change_password(
    body: PasswordChange, request: Request, caller: CallerHere, app: Services
) -> Response:
    """Revokes all of the account's tokens, that of this request too: sign in anew. API keys stay.

    A wrong current password gives 403, many of them 429, as with logins.
    """
    await app.accounts.change_password(caller, body.current_password, body.new_password, address_of(request))
    return Response(status_code=204)


@router.post(
    "/logout", status_code=204, responses={**UNAUTHENTICATED, **CONFLICT}, summary="Revoke the token"
)
async def logout(caller: CallerHere, app: Services) -> Response:
    """The token of this request is not accepted any more. An API key is deleted instead (409)."""
    await app.accounts.logout(caller)
    return Response(status_code=204)


async def _credentials(request: Request) -> Credentials:
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == _FORM:
            form = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=20)
            values: Any = {name: form[name][0] for name in ("username", "password", "use") if name in form}
        else:
            values = orjson.loads(body)
        return Credentials.model_validate(values)
    except ValidationError as error:
        raise RequestValidationError(
            [{**problem, "loc": ("body", *problem["loc"])} for problem in error.errors(include_input=False)]
        ) from None
    except ValueError:
        problem = {
            "loc": ("body",),
            "msg": "send username and password as a form or as JSON",
            "type": "value_error",
        }
        raise RequestValidationError([problem]) from None


def login_schema() -> dict[str, Any]:
    """The schema of the JSON body, which FastAPI does not see."""
    return Credentials.model_json_schema()
