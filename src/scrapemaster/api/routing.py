"""How requests find their route: FastAPI's routers, with what would cost each request looked at once."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.utils import request_params_to_args
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

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

    So its function needs no dependency for that, which would be solved anew for each request; it asks `caller_of`. One that takes
    nothing but the request and parameters of the path and the query, and answers with a response, is called with what FastAPI makes of
    these and no more: there are no stacks for what dependencies leave open, and no model for the answer. A query that asks for
    nothing means the defaults, which are found once, so they must be values that do not change.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        needs = self.dependant
        self._request_name = needs.request_param_name
        self._asks_for_more = bool(
            needs.dependencies or needs.header_params or needs.cookie_params or needs.body_params
        )
        self._unasked = request_params_to_args(needs.query_params, {})

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See FastAPI."""
        handle = super().get_route_handler()

        async def handle_callers(request: Request) -> Response:
            caller_of(request)
            return await handle(request)

        return handle_callers

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See FastAPI."""
        name = self._request_name
        if name is None or self._asks_for_more or scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        request = Request(scope, receive, send)
        caller_of(request)
        given, wrong = request_params_to_args(self.dependant.path_params, request.path_params)
        asked, unfit = self._unasked
        if scope["query_string"]:
            asked, unfit = request_params_to_args(self.dependant.query_params, request.query_params)
        if wrong or unfit:
            raise RequestValidationError([*wrong, *unfit])
        response = await self.endpoint(**{name: request}, **given, **asked)
        await response(scope, receive, send)
