"""`/auth`: registering, signing in and out."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from scrapemaster.api.schemas.accounts import Credentials, Registration, TokenAnswer, UserAnswer
from scrapemaster.api.schemas.errors import CONFLICT, FORBIDDEN, INVALID, UNAUTHENTICATED
from scrapemaster.api.security import CallerHere, Services
from scrapemaster.domain.user import User
from scrapemaster.export.timestamps import iso

router = APIRouter(prefix="/auth", tags=["accounts"])

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
    responses={**FORBIDDEN, **CONFLICT, **INVALID},
    summary="Make an account",
)
async def register(body: Registration, app: Services) -> Any:
    """Anybody may, unless the operator switched it off (403). A name that is taken gives 409."""
    return user_view(await app.accounts.register(body.username, body.password, body.email))


@router.post(
    "/login",
    response_model=TokenAnswer,
    responses={**UNAUTHENTICATED, **INVALID},
    summary="Get a token",
    openapi_extra=_LOGIN_BODY,
)
async def login(request: Request, app: Services) -> Any:
    """Send name and password as a form or as JSON. Send the token with every other request as `Authorization: Bearer …`."""
    credentials = await _credentials(request)
    token, seconds = await app.accounts.login(credentials.username, credentials.password)
    return {"access_token": token, "token_type": "bearer", "expires_in": seconds}


@router.get("/me", response_model=UserAnswer, responses=UNAUTHENTICATED, summary="Who am I")
async def me(caller: CallerHere) -> Any:
    """The account the token belongs to."""
    return user_view(caller.user)


@router.post("/logout", status_code=204, responses=UNAUTHENTICATED, summary="Revoke the token")
async def logout(caller: CallerHere, app: Services) -> Response:
    """The token of this request is not accepted any more."""
    await app.accounts.logout(caller)
    return Response(status_code=204)


async def _credentials(request: Request) -> Credentials:
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == _FORM:
            form = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=20)
            values: Any = {name: form[name][0] for name in ("username", "password") if name in form}
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
