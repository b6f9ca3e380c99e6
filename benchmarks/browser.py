"""Pages a second in a browser: `python -m benchmarks.browser [--pages N] [--repeats N]`.

The browser engine beside bare Playwright in the same run, in turns, with the same Chromium: a fresh context for each page, the document read in the
end. The pages have a stylesheet, two scripts and six pictures; with blocking on, pictures are left out (by `route`, for Playwright, as its
guide does it). Crawlee's PlaywrightCrawler joins in where it is installed: as it is by itself, with one context and one cache for all pages, and with a
fresh context for each, as the others have.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_network
from pathlib import Path

import structlog
import uvloop
from playwright.async_api import Route, async_playwright

from benchmarks.manual_server import free_port, wait_for_port
from scrapemaster.domain.ids import UserId, new_job_id
from scrapemaster.domain.job import Job, JobConfig
from scrapemaster.domain.rendering import BLOCKED_BY_DEFAULT, Rendering
from scrapemaster.engines.browser import BrowserEngine
from scrapemaster.fetch.browser.chromium import find_chromium
from scrapemaster.fetch.browser.pool import PoolRules
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.throttle import Throttle

AT_ONCE = (1, 4, 8)
#: What the engine promises, as a share of bare Playwright.
PROMISE = 0.9
_PICTURE = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="200" height="150"><!--'
    + b"x" * 8_000
    + b'--><rect width="200" height="150" fill="#%02x8844"/></svg>'
)
_SCRIPT = (
    "document.addEventListener('DOMContentLoaded',()=>{for(let n=0;n<50;n++){const p=document.createElement('p');"
    "p.textContent='Row '+n;document.body.append(p)}});//" + "x" * 20_000
).encode()


def _answer(path: str) -> tuple[str, bytes]:
    if path.startswith("/page/"):
        pictures = "".join(f"<img src=/picture/{n}.svg width=200 height=150>" for n in range(6))
        text = "<p>Some text that is read by nobody.</p>" * 100
        return "text/html", (
            f"<!doctype html><title>Page {path[6:]}</title><link rel=stylesheet href=/style.css><script src=/one.js></script>"
            f"<script src=/two.js defer></script><body>{pictures}{text}"
        ).encode()
    if path.startswith("/picture/"):
        return "image/svg+xml", _PICTURE % int(path[9:10])
    if path.endswith(".css"):
        return "text/css", b"p{margin:1em;color:#333}" + b"/*" + b"x" * 10_000 + b"*/"
    return "text/javascript", _SCRIPT if path == "/one.js" else b"//" + b"x" * 20_000


class _Site(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            kind, body = _answer(head.split(b" ", 2)[1].decode("latin-1"))
            self._transport.write(  # type: ignore[attr-defined]
                f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                + body
            )


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Site, "127.0.0.1", port)
    await server.serve_forever()


@contextlib.contextmanager
def site() -> Iterator[str]:
    """Serve the pages from a process of its own."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.browser", "--serve", str(port)])
    try:
        wait_for_port(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


async def timed(work: Callable[[str], Awaitable[bytes | str]], url: str, pages: int, at_once: int) -> float:
    """Pages a second, after one that does not count."""
    await work(f"{url}/page/warm")
    numbers = iter(range(pages))

    async def lane() -> None:
        for number in numbers:
            text = await work(f"{url}/page/{number}")
            if ("Row 49" if isinstance(text, str) else b"Row 49") not in text:  # type: ignore[operator]
                raise RuntimeError("a page came without what its script makes")

    began = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(at_once)))
    return pages / (time.perf_counter() - began)


async def engine(url: str, pages: int, at_once: int, *, blocking: bool) -> float:
    """The browser engine, as a job's slices drive it."""
    made = BrowserEngine(
        EgressPolicy([ip_network("127.0.0.0/8")]), Throttle(64), PoolRules(pages=at_once), 64_000_000
    )
    rendering = Rendering(block_resources=BLOCKED_BY_DEFAULT if blocking else ())
    job = Job(
        new_job_id(), UserId("bench"), [url], {}, JobConfig(respect_robots=False, browser=rendering), 0.0
    )
    source = made.open(job)

    async def work(page: str) -> bytes:
        return (await source.fetch(page)).body

    try:
        return await timed(work, url, pages, at_once)
    finally:
        await source.close()
        await made.close()


async def bare(url: str, pages: int, at_once: int, *, blocking: bool) -> float:
    """Playwright by itself."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(None))

        async def leave_out(route: Route) -> None:
            if route.request.resource_type in BLOCKED_BY_DEFAULT:
                await route.abort()
            else:
                await route.continue_()

        async def work(page: str) -> str:
            context = await browser.new_context()
            tab = await context.new_page()
            if blocking:
                await tab.route("**/*", leave_out)
            await tab.goto(page)
            text = await tab.content()
            await context.close()
            return text

        try:
            return await timed(work, url, pages, at_once)
        finally:
            await browser.close()


def crawlee(python: str, url: str, pages: int, at_once: int, *, blocking: bool, fresh: bool) -> float:
    """Crawlee's PlaywrightCrawler, in a process of its own, as it times itself."""
    program = Path(__file__).parent / "peers" / "crawlee_playwright.py"
    command = [python, str(program), url, str(pages), str(at_once)]
    done = subprocess.run(
        [*command, str(int(blocking)), str(find_chromium(None)), str(int(fresh))],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout.strip().splitlines()[-1])


def main() -> int:
    """Measure and report; 1 when the promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browser")
    parser.add_argument("--pages", type=int, default=40)
    parser.add_argument("--at-once", type=int, nargs="*", default=AT_ONCE, help="pages at once (1 4 8)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--crawlee", help="a Python in which Crawlee is installed, if not this one")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        uvloop.run(_serve(options.serve))
    others = options.crawlee is not None or importlib.util.find_spec("crawlee") is not None
    python = options.crawlee or sys.executable
    print(
        "| pages at once | blocking | engine | bare Playwright | engine / bare |"
        + " Crawlee, fresh contexts | Crawlee, one context |" * others
    )
    print("|---:|---|---:|---:|---:|" + "---:|---:|" * others, flush=True)
    kept = True
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with site() as url:
        for at_once in options.at_once:
            for blocking in (False, True):
                figures: dict[str, list[float]] = {"engine": [], "bare": [], "fresh": [], "shared": []}
                for _ in range(options.repeats):
                    for name, subject in (("engine", engine), ("bare", bare)):
                        figures[name].append(
                            uvloop.run(subject(url, options.pages, at_once, blocking=blocking))
                        )
                    for name in ("fresh", "shared") if others else ():
                        figures[name].append(
                            crawlee(
                                python,
                                url,
                                options.pages,
                                at_once,
                                blocking=blocking,
                                fresh=name == "fresh",
                            )
                        )
                ours, theirs = (statistics.median(figures[name]) for name in ("engine", "bare"))
                kept = kept and ours >= PROMISE * theirs
                more = "".join(
                    f" {statistics.median(figures[name]):.1f} |" for name in ("fresh", "shared") if others
                )
                print(
                    f"| {at_once} | {'on' if blocking else 'off'} | {ours:.1f} | {theirs:.1f} | {ours / theirs:.2f} |{more}",
                    flush=True,
                )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
