"""A server with every awkward behaviour, speaking HTTP by hand so that it can also speak it badly."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

import brotli

HTML = "text/html; charset=utf-8"


@dataclass
class Seen:
    """A request as it came in."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    writer: asyncio.StreamWriter
    raw_query: str = ""


@dataclass
class Site:
    """The running site: its address and what it was asked."""

    port: int = 0
    seen: list[Seen] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    robots: bytes | int | None = None

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


def response(body: bytes | str, status: int = 200, kind: str = HTML, **headers: str) -> bytes:
    if isinstance(body, str):
        body = body.encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def bomb(encode: Callable[[bytes], bytes], name: str) -> bytes:
    return response(encode(b"<p>" + b"0" * 30_000_000), Content_Encoding=name)


def zstd_bomb() -> bytes:
    # A zstd frame of RLE blocks, each of which says: repeat this byte 128 KiB. Written by hand (RFC 8878).
    header = b"\x28\xb5\x2f\xfd" + bytes([0b10000000]) + b"\x50" + (30_000_000).to_bytes(4, "little")
    size = 128 * 1024
    blocks = []
    left = 30_000_000
    while left:
        part = min(size, left)
        left -= part
        blocks.append(((part << 3) | (1 << 1) | (left == 0)).to_bytes(3, "little") + b"0")
    return response(header + b"".join(blocks), Content_Encoding="zstd")


async def slow(request: Seen, _: Site) -> None:
    await asyncio.sleep(float(request.query.get("seconds", "60")))
    request.writer.write(response("<title>late</title>"))


async def drip(request: Seen, _: Site) -> None:
    request.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n")
    for _number in range(100_000):
        request.writer.write(b"x")
        await request.writer.drain()
        await asyncio.sleep(0.2)


async def endless(request: Seen, _: Site) -> None:
    request.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n")
    while True:
        request.writer.write(b"0" * 65_536)
        await request.writer.drain()


async def endless_chunks(request: Seen, _: Site) -> None:
    request.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        request.writer.write(b"1000\r\n" + b"0" * 4_096 + b"\r\n")
        await request.writer.drain()


async def reset(request: Seen, _: Site) -> None:
    request.writer.transport.abort()


async def half(request: Seen, _: Site) -> None:
    request.writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\n<title>half"
    )
    await request.writer.drain()
    request.writer.close()


async def chunks_cut(request: Seen, _: Site) -> None:
    request.writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<tit"
    )
    await request.writer.drain()
    request.writer.close()


async def flaky(request: Seen, site: Site) -> None:
    """Fails `times` times, then answers."""
    times = int(request.query.get("times", "2"))
    if site.hits[request.path] <= times:
        request.writer.write(response("no", int(request.query.get("status", "503"))))
    else:
        request.writer.write(response("<title>at last</title>"))


async def moved(request: Seen, _: Site) -> None:
    status = int(request.query.get("status", "302"))
    request.writer.write(response("", status, Location=request.query["to"]))


async def hops(request: Seen, _: Site) -> None:
    left = int(request.query["left"])
    if left:
        request.writer.write(response("", 302, Location=f"/hops?left={left - 1}"))
    else:
        request.writer.write(response("<title>arrived</title>"))


async def cookie(request: Seen, _: Site) -> None:
    request.writer.write(response("", 302, Set_Cookie="seen=yes; Path=/", Location="/cookie-needed"))


async def cookie_needed(request: Seen, _: Site) -> None:
    had = request.headers.get("cookie", "")
    request.writer.write(response(f"<title>{had}</title>", 200 if "seen=yes" in had else 403))


async def echo(request: Seen, _: Site) -> None:
    lines = "".join(f"<p>{name}: {value}</p>" for name, value in sorted(request.headers.items()))
    request.writer.write(response(f"<title>echo</title>{lines}"))


async def status(request: Seen, _: Site) -> None:
    extra = {"Retry_After": request.query["retry_after"]} if "retry_after" in request.query else {}
    request.writer.write(response("<title>status</title>", int(request.query["code"]), **extra))


async def raw(request: Seen, _: Site) -> None:
    request.writer.write(unquote(request.query["bytes"]).encode("latin-1"))
    await request.writer.drain()
    request.writer.close()


async def many_headers(request: Seen, _: Site) -> None:
    request.writer.write(
        b"HTTP/1.1 200 OK\r\n"
        + b"".join(b"X-%d: y\r\n" % n for n in range(10_000))
        + b"Content-Length: 0\r\n\r\n"
    )


async def huge_header(request: Seen, _: Site) -> None:
    request.writer.write(b"HTTP/1.1 200 OK\r\nX-Huge: " + b"y" * 1_000_000 + b"\r\nContent-Length: 0\r\n\r\n")


async def robots(request: Seen, site: Site) -> None:
    if site.robots is None:
        request.writer.write(response("none", 404))
    elif isinstance(site.robots, int):
        request.writer.write(response("busy", site.robots))
    else:
        request.writer.write(response(site.robots, kind="text/plain"))


async def listing(request: Seen, _: Site) -> None:
    """`full` articles with a price and `bare` ones without."""
    full, bare = int(request.query.get("full", "0")), int(request.query.get("bare", "0"))
    articles = [
        f"<article><h2>Item {number}</h2><div>{'<b>5</b>' if number < full else ''}</div></article>"
        for number in range(full + bare)
    ]
    request.writer.write(response("<title>list</title>" + "".join(articles)))


async def calendar(request: Seen, _: Site) -> None:
    """Each month links to the next and the one before, for ever."""
    month = int(request.query["month"])
    links = "".join(f"<a href='/calendar?month={month + step}'>{step}</a>" for step in (-1, 1))
    request.writer.write(response(f"<title>month {month}</title>{links}"))


async def ever_query(request: Seen, _: Site) -> None:
    """Each page links to itself with one more parameter."""
    query = "&".join(["a=1"] * (len(request.raw_query.split("&")) + 1))
    request.writer.write(response(f"<title>query</title><a href='/ever-query?{query}'>more</a>"))


def lazily(make: Callable[[], bytes]) -> Callable[[Seen, Site], Awaitable[None]]:
    """A large page, made when it is asked for."""

    async def answer(request: Seen, _: Site) -> None:
        request.writer.write(make())

    return answer


def fixed(data: bytes) -> Callable[[Seen, Site], Awaitable[None]]:
    async def answer(request: Seen, _: Site) -> None:
        request.writer.write(data)

    return answer


PAGES: dict[str, Callable[[Seen, Site], Awaitable[None]]] = {
    "/": fixed(response("<title>home</title><a href='/page'>page</a>")),
    "/page": fixed(response("<title>page</title>")),
    "/slow": slow,
    "/drip": drip,
    "/endless": endless,
    "/endless-chunks": endless_chunks,
    "/reset": reset,
    "/half": half,
    "/chunks-cut": chunks_cut,
    "/flaky": flaky,
    "/moved": moved,
    "/hops": hops,
    "/loop": fixed(response("", 302, Location="/loop-back")),
    "/loop-back": fixed(response("", 302, Location="/loop")),
    "/cookie": cookie,
    "/cookie-needed": cookie_needed,
    "/echo": echo,
    "/status": status,
    "/raw": raw,
    "/many-headers": many_headers,
    "/huge-header": huge_header,
    "/robots.txt": robots,
    "/gzip": fixed(response(gzip.compress(b"<title>packed</title>"), Content_Encoding="gzip")),
    "/br": fixed(response(brotli.compress(b"<title>packed</title>"), Content_Encoding="br")),
    "/deflate": fixed(response(zlib.compress(b"<title>packed</title>"), Content_Encoding="deflate")),
    "/bad-gzip": fixed(response(b"not gzip at all", Content_Encoding="gzip")),
    "/gzip-bomb": fixed(bomb(gzip.compress, "gzip")),
    "/br-bomb": fixed(bomb(lambda data: brotli.compress(data, quality=1), "br")),
    "/deflate-bomb": fixed(bomb(zlib.compress, "deflate")),
    "/zstd-bomb": fixed(zstd_bomb()),
    "/nested-bomb": fixed(bomb(lambda data: gzip.compress(gzip.compress(data)), "gzip, gzip")),
    "/long": fixed(response(b"x" * 2_000_000)),
    "/challenge": fixed(
        response(
            "<title>Just a moment...</title><script>window._cf_chl_opt={};</script>", Server="cloudflare"
        )
    ),
    "/challenge-403": fixed(response("<title>x</title>", 403, cf_mitigated="challenge")),
    "/blocked-200": fixed(response("<title>Access Denied</title><h1>Access Denied</h1>")),
    "/login-wall": fixed(response("<title>Log in</title><form><input type=password></form>")),
    "/empty": fixed(response("<html><head></head><body></body></html>")),
    "/shell": fixed(response("<title>App</title><div id=root></div><script src=/app.js></script>")),
    "/list": listing,
    "/calendar": calendar,
    "/ever": fixed(response("<title>ever</title><a href='a/'>deeper</a><a href='b/a/'>deeper</a>")),
    "/ever-query": ever_query,
    "/nested": fixed(response("<title>nested</title>" + "<div><p class=x>t</p>" * 1_900)),
    "/deep": lazily(lambda: response("<title>deep</title>" + "<div><p><a>" * 100_000)),
    "/many-attributes": lazily(
        lambda: response("<title>x</title><a " + " ".join(f"a{n}=1" for n in range(1_000_000)) + ">x</a>")
    ),
    "/much-text": lazily(lambda: response(b"<title>much</title><p>" + b"text " * 10_000_000)),
    "/unclosed": lazily(lambda: response(b"<title>x</title>" + b"<b><i><table><a href='" * 100_000)),
    "/million-links": lazily(
        lambda: response("<title>links</title>" + "".join(f"<a href=/{n}></a>" for n in range(1_000_000)))
    ),
    "/many-hosts": lazily(
        lambda: response(
            "<title>hosts</title>" + "".join(f"<a href=http://h{n}.test/>" for n in range(10_000))
        )
    ),
    "/pdf-as-html": fixed(response(b"%PDF-1.7 <title>no</title>")),
    "/zip-as-html": fixed(response(b"PK\x03\x04<title>no</title>")),
    "/video-as-html": fixed(response(b"\x00\x00\x00\x18ftypmp42<title>no</title>")),
    "/video": fixed(response(b"\x00\x00\x00\x18ftypmp42", kind="video/mp4")),
    "/attachment": fixed(
        response("<title>no</title>", Content_Disposition='attachment; filename="page.html"')
    ),
    "/pdf": fixed(response(b"%PDF-1.7 \x00\xff", kind="application/pdf")),
    "/json": fixed(response(b'{"items":[{"n":1},{"n":2}]}', kind="application/json")),
    "/sitemap.xml": fixed(
        response(
            '<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><sitemap><loc>/more.xml.gz</loc></sitemap>'
            "<sitemap><loc>http://127.0.0.1:1/gone.xml</loc></sitemap></sitemapindex>",
            kind="application/xml",
        )
    ),
    "/more.xml.gz": fixed(
        response(
            gzip.compress(b"<urlset><url><loc>/page</loc></url><url><loc> /echo </loc></url></urlset>"),
            kind="application/gzip",
        )
    ),
}


@asynccontextmanager
async def awkward_site() -> AsyncIterator[Site]:
    """Run the site in this event loop."""
    site = Site()
    tasks: set[asyncio.Task[None]] = set()
    writers: set[asyncio.StreamWriter] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.strip().split("\r\n")
                parts = urlsplit(first.split(" ")[1])
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                headers = {
                    name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
                }
                request = Seen(parts.path, query, headers, writer, parts.query)
                site.seen.append(request)
                site.hits[parts.path] += 1
                page = PAGES.get("/ever" if parts.path.startswith("/ever/") else parts.path)
                if page is None:
                    writer.write(response("<title>missing</title>", 404))
                else:
                    await page(request, site)
                await writer.drain()
                if writer.is_closing():
                    return
        finally:
            writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def run() -> None:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await talk(reader, writer)

        writers.add(writer)
        task = asyncio.get_running_loop().create_task(run())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        # Connections that were just being accepted, and transports that close in the loop's next turn.
        await asyncio.sleep(0.01)
