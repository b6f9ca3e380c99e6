"""What every response tells browsers."""

from __future__ import annotations

import base64
import hashlib
import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scrapemaster.api.security import PREFIX

#: For everything but pages: what is served is never to run, nor to be framed.
_NOTHING = b"default-src 'none'; frame-ancestors 'none'"
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
#: A year, the least that browsers' preload lists take.
_HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


class SecurityHeaders:
    """Adds the security headers that a response does not set itself; HSTS only where the client came by https."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        wanted = [*_ALWAYS, (b"content-security-policy", _NOTHING)]
        if scope["scheme"] == "https":
            wanted.append(_HSTS)
        if scope["path"].startswith(PREFIX):
            # Tokens, keys and rows are nobody else's.
            wanted.append((b"cache-control", b"no-store"))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(one for one in wanted if one[0] not in present)]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def page_policy(page: bytes) -> str:
    """A Content-Security-Policy for a documentation page: our own files, and exactly the scripts written in it.

    Swagger UI and ReDoc put styles into the page as they run, and ReDoc searches in a worker made from a blob.
    """
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"
        for script in _SCRIPT.findall(page)
    )
    return (
        f"default-src 'none'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src blob:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
