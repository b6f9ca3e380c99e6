"""`/users`: accounts, managed by admins."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query, Response
from fastapi.responses import JSONResponse

from scrapemaster.api.routers.accounts import user_view
from scrapemaster.api.routing import Router
from scrapemaster.api.schemas.errors import CONFLICT, FORBIDDEN, INVALID, NOT_FOUND, UNAUTHENTICATED
from scrapemaster.api.schemas.users import ManagedUserAnswer, NewUser, UserChange
from scrapemaster.api.security import AdminHere, Services
from scrapemaster.domain.ids import UserId
from scrapemaster.domain.user import User

router = Router(prefix="/users", tags=["users"], responses={**UNAUTHENTICATED, **FORBIDDEN})

UserPath = Annotated[
    str, Path(max_length=100, description="The user's id.", examples=["01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"])
]


def managed_user_view(user: User) -> dict[str, Any]:
    """An account as an admin sees it."""
    return {**user_view(user), "disabled": user.disabled, "rate_limit": user.rate_limit}


@router.get("", response_model=list[ManagedUserAnswer], responses=INVALID, summary="List users")
async def find(
    _admin: AdminHere,
    app: Services,
    skip: Annotated[int, Query(ge=0, le=10**9, description="Users to leave out.")] = 0,
    limit: Annotated[int, Query(ge=1, le=100, description="Users to return at most.")] = 50,
) -> Any:
    """All accounts, oldest first; `X-Total-Count` says how many there are."""
    users, total = await app.users.find(skip=skip, limit=limit)
    return JSONResponse([managed_user_view(user) for user in users], headers={"X-Total-Count": str(total)})


@router.post(
    "",
    status_code=201,
    response_model=ManagedUserAnswer,
    responses={**CONFLICT, **INVALID},
    summary="Make a user",
)
async def create(body: NewUser, _admin: AdminHere, app: Services) -> Any:
    """Works where registration is switched off too. A name that is taken gives 409."""
    user = await app.users.create(body.username, body.password, body.role, body.email, body.rate_limit)
    return managed_user_view(user)


@router.get(
    "/{user_id}", response_model=ManagedUserAnswer, responses={**NOT_FOUND, **INVALID}, summary="Get a user"
)
async def get(user_id: UserPath, _admin: AdminHere, app: Services) -> Any:
    """One account."""
    return managed_user_view(await app.users.get(UserId(user_id)))


@router.patch(
    "/{user_id}",
    response_model=ManagedUserAnswer,
    responses={**NOT_FOUND, **CONFLICT, **INVALID},
    summary="Change a user",
)
async def change(user_id: UserPath, body: UserChange, _admin: AdminHere, app: Services) -> Any:
    """Fields that are not named stay. A new password and `disabled` revoke the user's tokens. The last enabled admin cannot be disabled or demoted (409)."""
    return managed_user_view(await app.users.change(UserId(user_id), **body.model_dump(exclude_unset=True)))


@router.delete(
    "/{user_id}",
    status_code=204,
    responses={**NOT_FOUND, **CONFLICT, **INVALID},
    summary="Delete a user",
)
async def delete(user_id: UserPath, _admin: AdminHere, app: Services) -> Response:
    """The user's running jobs are cancelled; jobs, results and API keys go with the account. The last enabled admin cannot be deleted (409)."""
    await app.users.delete(UserId(user_id))
    return Response(status_code=204)
