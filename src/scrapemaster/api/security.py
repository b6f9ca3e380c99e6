"""Who makes a request, as routes see it, and as the OpenAPI document tells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import structlog
from fastapi import Depends, Request

from scrapemaster.domain.errors import Forbidden, NotAuthenticated
from scrapemaster.service_parts import ServiceApp
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

#: How a caller may prove who it is, for the OpenAPI document: `Identify` reads the headers, long before routes are reached.
SCHEMES: Mapping[str, Mapping[str, Any]] = {
    "OAuth2PasswordBearer": {  # where Swagger's Authorize button signs in
        "type": "oauth2",
        "description": "Sign in with name and password. An API key does as a bearer token too.",
        "flows": {"password": {"scopes": {}, "tokenUrl": f"{PREFIX}/auth/login"}},
    },
    "ApiKey": {
        "type": "apiKey",
        "description": "A key made with `POST /auth/keys`.",
        "in": "header",
        "name": "X-API-Key",
    },
}


def services_of(request: Request) -> ServiceApp:
    """The use cases."""
    app: ServiceApp = request.app.state.services
    return app


def caller_of(request: Request) -> Caller:
    """Who makes the request; raises the error that says why nobody does."""
    found = request.scope["state"].get(CALLER)
    if isinstance(found, Caller):
        return found
    raise found if isinstance(found, Exception) else NotAuthenticated


# Not plain functions: FastAPI would call those in a thread, for each request. Each dependency costs a request some 15 µs all the same: routes
# that are asked all the time call the functions above.
async def services(request: Request) -> ServiceApp:
    """The use cases, as a dependency."""
    return services_of(request)


Services = Annotated[ServiceApp, Depends(services)]


async def _caller(request: Request) -> Caller:
    return caller_of(request)


CallerHere = Annotated[Caller, Depends(_caller)]


async def _watcher(request: Request) -> None:
    if not request.scope["state"].get(VOUCHED):
        caller_of(request)


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
