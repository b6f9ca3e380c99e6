"""Around every request to the API, as plain ASGI: who makes it, and whether it is within the caller's limit."""

from __future__ import annotations

import math
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scrapemaster.api.middleware import answer_json
from scrapemaster.api.security import CALLER, HEALTH, OPEN, PREFIX, VOUCHED
from scrapemaster.domain.errors import (
    NotAuthenticated,
    RedisUnavailable,
    StoreError,
    StoreUnavailable,
    UserError,
)
from scrapemaster.services.callers import Caller, Callers
from scrapemaster.services.patience import within
from scrapemaster.services.rate_limits import RateLimits
from scrapemaster.services.windows import Spent

#: Seconds that the store has to say who asks for the health of the parts, and Redis to count it: both are parts themselves.
_SOON = 0.5
_NO_BODY: Message = {"type": "http.request", "body": b"", "more_body": False}


class Identify:
    """Finds the caller, counts the request, and shows on the response what is left of the limit, whatever the response is.

    Before routing, so that a request that is answered by 404, 405 or 422 counts as well. Where there is no caller, or it cannot be
    counted, the reason is left for the route to raise, and nothing of the request's body is read.
    """

    def __init__(self, app: ASGIApp, callers: Callers, limits: RateLimits) -> None:
        self._app = app
        self._callers = callers
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or not scope["path"].startswith(f"{PREFIX}/") or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        tells_health = scope["path"] in HEALTH
        finding = self._find(scope["headers"])
        try:
            found = await (within(_SOON, finding) if tells_health else finding)
        except TimeoutError:
            found = StoreUnavailable(f"the store did not answer within {_SOON} seconds")
        state = scope.setdefault("state", {})
        state[CALLER] = found
        if tells_health and isinstance(found, StoreError):
            state[VOUCHED] = self._callers.vouched(credential_of(scope["headers"]))
        if not isinstance(found, Caller):
            await self._app(scope, _bodiless(receive), send)
            return
        spending = self._limits.spend(found.user, looking=_looks(found, scope))
        try:
            spent = await (within(_SOON, spending) if tells_health else spending)
        except (RedisUnavailable, TimeoutError) as error:
            if tells_health:
                await self._app(scope, receive, send)
                return
            state[CALLER] = error
            await self._app(scope, _bodiless(receive), send)
            return
        if spent is None:
            await self._app(scope, receive, send)
            return
        headers = _headers(spent)

        async def send_with_limit(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        if spent.exceeded:
            wait = math.ceil(spent.wait())
            content = {
                "detail": f"the limit of {spent.allowed} requests is spent; try again in {wait} seconds",
                "type": "rate_limited",
            }
            await answer_json(send_with_limit, 429, content, [(b"retry-after", str(wait).encode())])
            return
        await self._app(scope, receive, send_with_limit)

    async def _find(self, headers: Iterable[tuple[bytes, bytes]]) -> Caller | Exception:
        try:
            return await self._callers.identify(credential_of(headers))
        except (UserError, StoreError) as error:
            return error


def _looks(caller: Caller, scope: Scope) -> bool:
    """Whether the request only looks, and a dashboard makes it: it reads, or tries something that is not kept."""
    if caller.token is None or not caller.token.dashboard:
        return False
    return scope["method"] in {"GET", "HEAD"} or scope["path"].startswith(f"{PREFIX}/extract/")


def credential_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The token or API key of a request, a bearer's first; raises `NotAuthenticated` when there is none."""
    key = b""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, rest = value.partition(b" ")
            if scheme.lower() == b"bearer" and rest.strip():
                return rest.strip().decode("latin-1")
        elif name == b"x-api-key" and not key:
            key = value.strip()
    if not key:
        raise NotAuthenticated
    return key.decode("latin-1")


def _headers(spent: Spent) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-ratelimit-limit", str(spent.allowed).encode()),
        (b"x-ratelimit-remaining", str(spent.remaining).encode()),
        (b"x-ratelimit-reset", str(math.ceil(spent.resets_at)).encode()),
    ]


def _bodiless(receive: Receive) -> Receive:
    """The request as if it had no body; what comes after is passed on, so that a disconnect is seen."""
    first = True

    async def receive_none() -> Message:
        nonlocal first
        if first:
            first = False
            return dict(_NO_BODY)
        return await receive()

    return receive_none
