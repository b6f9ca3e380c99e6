"""The shop's server."""

from __future__ import annotations

import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from scrapemaster.demo import pages
from scrapemaster.demo.catalogue import CATEGORIES, PRODUCTS
from scrapemaster.domain.errors import InvalidInput

_BY_SLUG = {one.slug: one for one in PRODUCTS}
_HTML = "text/html; charset=utf-8"


def answer(target: str) -> tuple[int, str, bytes]:
    """Status, media type and body for a path with its query."""
    parts = urlsplit(target)
    wanted = parse_qs(parts.query).get("page", ["1"])[0]
    number = int(wanted) if wanted.isascii() and wanted.isdigit() else 0
    match parts.path.strip("/").split("/"):
        case [""]:
            body = pages.listing("/", number)
        case ["category", name] if name in CATEGORIES:
            body = pages.listing(f"/category/{name}", number, name)
        case ["product", slug] if slug in _BY_SLUG:
            body = pages.product_page(_BY_SLUG[slug])
        case ["deals"]:
            body = pages.deals()
        case ["image", name] if name.removesuffix(".svg") in _BY_SLUG:
            return 200, "image/svg+xml", pages.image(_BY_SLUG[name.removesuffix(".svg")])
        case ["api", "deals.json"]:
            return 200, "application/json", pages.deals_json()
        case ["robots.txt"]:
            return 200, "text/plain", b"User-agent: *\nDisallow: /api/\nSitemap: /sitemap.xml\n"
        case ["sitemap.xml"]:
            return 200, "application/xml", sitemap()
        case _:
            body = None
    if body is None:
        return 404, _HTML, pages.page("Not found", "<h1>Not found</h1>")
    return 200, _HTML, body


def sitemap() -> bytes:
    """All products."""
    urls = "".join(f"<url><loc>/product/{one.slug}</loc></url>" for one in PRODUCTS)
    return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'.encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status, media, body = answer(self.path)
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
        """Keep quiet."""


def serve_shop(host: str, port: int) -> None:
    """Serve the shop until SIGINT or SIGTERM."""
    try:
        server = ThreadingHTTPServer((host, port), _Handler)
    except OSError as error:
        raise InvalidInput(
            f"{host}:{port} cannot be listened on ({error.strerror}); choose another with --port"
        ) from error
    server.daemon_threads = True
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    with server:
        server.serve_forever()
