"""Who makes a request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer

from scrapemaster.bootstrap import ServiceApp
from scrapemaster.domain.errors import NotAuthenticated
from scrapemaster.services.accounts import Caller

#: Where Swagger's Authorize button signs in.
_SCHEME = OAuth2PasswordBearer(
    "/api/v1/auth/login", auto_error=False, description="Sign in with name and password."
)


async def services(request: Request) -> ServiceApp:
    """The use cases. Not a plain function: FastAPI would call that in a thread, for each request."""
    app: ServiceApp = request.app.state.services
    return app


Services = Annotated[ServiceApp, Depends(services)]


async def _caller(app: Services, token: Annotated[str | None, Depends(_SCHEME)]) -> Caller:
    if token is None:
        raise NotAuthenticated
    return await app.accounts.caller(token)


CallerHere = Annotated[Caller, Depends(_caller)]
