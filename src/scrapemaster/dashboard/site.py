"""Where the dashboard is served: its page under the addresses it shows, its files under one that names their version."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scrapemaster.dashboard.files import File, Files, file_of

#: First parts of the addresses that the page shows; what is behind them is the page's own business.
PLACES = (
    "account",
    "admin",
    "jobs",
    "monitoring",
    "new",
    "proxies",
    "schedules",
    "sign-in",
    "webhooks",
)
#: Only our own files and our own API; nothing inline, nothing framed but our own frame.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; frame-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: The frame in which scraped pages are shown: an origin of its own that is nobody's, where our one script runs and nothing may be loaded or asked for.
_FRAME_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
_FRAME = "frame/frame.html"
_FOREVER = "public, max-age=31536000, immutable"


def install_dashboard(app: Starlette) -> None:
    """Serve the dashboard at `/`."""
    files = Files()
    page = _page(files)

    async def index(request: Request) -> Response:
        headers = {"content-security-policy": _POLICY, "cache-control": "no-cache", "vary": "accept-encoding"}
        return _answer(page, request, headers)

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        found = files.get(name)
        if found is None or request.path_params["version"] != files.version:
            return Response("Not found", 404, media_type="text/plain")
        # The sandboxed frame has no origin: to it our own script is another's.
        headers = {"cache-control": _FOREVER, "vary": "accept-encoding", "access-control-allow-origin": "*"}
        if name == _FRAME:
            headers |= {"content-security-policy": _FRAME_POLICY, "x-frame-options": "SAMEORIGIN"}
        return _answer(found, request, headers)

    app.router.routes += [
        Route("/", index),
        *(Route(f"/{place}", index) for place in PLACES),
        *(Route(f"/{place}/{{rest:path}}", index) for place in PLACES),
        Route("/assets/{version}/{name:path}", asset),
    ]


def _page(files: Files) -> File:
    """The page, with the address of its files in it, and told which scripts it will want, so that browsers fetch them at once."""
    template = files.get("index.html")
    if template is None:
        raise FileNotFoundError("the dashboard's index.html is missing: install ScrapeMaster again")
    base = f"/assets/{files.version}"
    wanted = (name for name in files.names(".js") if not name.startswith("frame/"))
    preloads = "\n".join(f'<link rel="modulepreload" href="{base}/{name}">' for name in wanted)
    text = template.plain.decode().replace("<!-- scripts -->", preloads).replace("{{base}}", base)
    return file_of(text.encode(), template.kind)


def _answer(file: File, request: Request, headers: dict[str, str]) -> Response:
    if file.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.packed, headers={**headers, "content-encoding": "gzip"}, media_type=file.kind)
    return Response(file.plain, headers=headers, media_type=file.kind)
