"""How requests find their route: FastAPI's routers, with what would cost each request looked at once."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from scrapemaster.api.security import PREFIX, caller_of


class Router(APIRouter):
    """A router that is asked only for paths under its prefix, which it has been given behind `PREFIX`.

    FastAPI tries the routes of a router one after the other; with more than a hundred of them that took longer than most answers do.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See Starlette."""
        if not scope["path"].startswith(f"{PREFIX}{self.prefix}"):
            return Match.NONE, {}
        return super().matches(scope)


class CallersRoute(APIRoute):
    """A route for callers alone, of whom it is made sure before anything else of the request is looked at.

    So its function needs no dependency for that, which would be solved anew for each request; it asks `caller_of`.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See FastAPI."""
        handle = super().get_route_handler()

        async def handle_callers(request: Request) -> Response:
            caller_of(request)
            return await handle(request)

        return handle_callers
