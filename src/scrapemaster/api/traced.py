"""A span for each request that orders something."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scrapemaster.api.metrics import route_of
from scrapemaster.ports.tracing import Tracer, Work

#: Asking changes nothing, and is done again and again while a job runs.
_UNTRACED = frozenset({"GET", "HEAD", "OPTIONS"})
#: Headers that tell of the caller's own trace (W3C Trace Context; B3, as other propagators have it).
_CALLERS = frozenset(
    {"traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags"}
)


class Traced:
    """Middleware that traces requests, by the template of their route; within the caller's trace if it names one."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or scope["method"] in _UNTRACED:
            await self._app(scope, receive, send)
            return
        method, asked = scope["method"], scope["path"]  # routing changes the path
        caller = {
            name: value.decode("latin-1")
            for raw, value in scope["headers"]
            if (name := raw.decode("latin-1")) in _CALLERS
        }
        facts = {"http.request.method": method}
        with self._tracer.span(Work.REQUEST, method, facts, caller=caller) as span:

            async def send_and_tell(message: Message) -> None:
                if message["type"] == "http.response.start":
                    route, status = route_of(scope, asked), message["status"]
                    span.rename(f"{method} {route}")
                    span.tell(
                        {
                            "http.route": route,
                            "http.response.status_code": status,
                            "scrapemaster.request_id": scope["state"]["request_id"],
                        }
                    )
                    if status >= 500:
                        span.fail(str(status))
                await send(message)

            await self._app(scope, receive, send_and_tell)
