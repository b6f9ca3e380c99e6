"""Who makes a request, as routes see it, and as the OpenAPI document tells it."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, OAuth2PasswordBearer

from scrapemaster.bootstrap import ServiceApp
from scrapemaster.domain.errors import Forbidden, NotAuthenticated
from scrapemaster.services.callers import Caller

log = structlog.get_logger(__name__)

PREFIX = "/api/v1"
#: Routes that anybody may use: credentials are not looked at.
OPEN = frozenset({f"{PREFIX}/auth/register", f"{PREFIX}/auth/login", f"{PREFIX}/auth/welcome"})
#: Routes that tell what is wrong: answered although the request cannot be counted, or the store cannot say who asks.
HEALTH = frozenset({f"{PREFIX}/monitoring/system"})
#: Where the middleware leaves the caller, or the error that says why there is none.
CALLER = "caller"
#: Where it says that the caller has a token of ours, though the store could not be asked about it.
VOUCHED = "vouched"

#: Where Swagger's Authorize button signs in.
_PASSWORD = OAuth2PasswordBearer(
    f"{PREFIX}/auth/login",
    auto_error=False,
    description="Sign in with name and password. An API key does as a bearer token too.",
)
_API_KEY = APIKeyHeader(
    name="X-API-Key",
    auto_error=False,
    scheme_name="ApiKey",
    description="A key made with `POST /auth/keys`.",
)


async def services(request: Request) -> ServiceApp:
    """The use cases. Not a plain function: FastAPI would call that in a thread, for each request."""
    app: ServiceApp = request.app.state.services
    return app


Services = Annotated[ServiceApp, Depends(services)]


async def _caller(
    request: Request,
    _token: Annotated[str | None, Depends(_PASSWORD)],
    _key: Annotated[str | None, Depends(_API_KEY)],
) -> Caller:
    found = request.scope["state"].get(CALLER)
    if isinstance(found, Caller):
        return found
    raise found if isinstance(found, Exception) else NotAuthenticated


CallerHere = Annotated[Caller, Depends(_caller)]


async def _watcher(
    request: Request,
    _token: Annotated[str | None, Depends(_PASSWORD)],
    _key: Annotated[str | None, Depends(_API_KEY)],
) -> None:
    if not request.scope["state"].get(VOUCHED):
        await _caller(request, None, None)


#: A caller; while the store does not answer, whoever has a token of ours.
WatcherHere = Annotated[None, Depends(_watcher)]


async def _admin(caller: CallerHere) -> Caller:
    if not caller.is_admin:
        raise Forbidden("only an admin may do this")
    return caller


AdminHere = Annotated[Caller, Depends(_admin)]


def address_of(request: Request) -> str:
    """Where the request comes from; behind a trusted proxy, what that says."""
    state = request.app.state
    if "x-forwarded-for" in request.headers and not state.services.settings.trusted_proxies:
        if not getattr(state, "proxy_told", False):
            log.warning(
                "proxy.not_trusted",
                address=request.client.host if request.client else None,
                hint="X-Forwarded-For is ignored: if this is your reverse proxy, name it in SCRAPEMASTER_TRUSTED_PROXIES; "
                "until then limits by address count all its clients as one",
            )
        state.proxy_told = True
    return request.client.host if request.client else ""
