"""Take the pictures of the dashboard that the guides show; with `--all FOLDER` every page, light and dark, empty, full and failing, and on a phone."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.manual_server import free_port, wait_for_port  # noqa: E402 -- found by the line before
from benchmarks.service import PASSWORD, Service  # noqa: E402

IMAGES = ROOT / "docs" / "images"
WIDE = {"width": 1360, "height": 860}
PHONE = {"width": 375, "height": 760}
#: Seconds the longest job is given before pictures are taken.
_COURSE = 12


class _Moody(BaseHTTPRequestHandler):
    """A shop of 4,000 pages: most are well, some are slow, missing or broken."""

    def do_GET(self) -> None:
        number = int("".join(one for one in self.path if one.isdigit()) or 0)
        time.sleep(0.02 + (number * 37 % 90) / 1_500 + (0.5 if number % 97 == 0 else 0))
        if self.path == "/shelf":
            self._send(200, _shelf())
            return
        status = 404 if number % 41 == 7 else 500 if number % 113 == 11 else 200
        links = "".join(
            f'<a href="/item/{number * 6 + more}">more</a>'
            for more in range(1, 7)
            if number * 6 + more < 4_000
        )
        price = "" if number % 5 == 3 else f'<p class="price">€{number * 13 % 300 + 9}.90</p>'
        body = (
            f'<h1 class="name">Article {number:04d}</h1>{price}<p class="sku">SK-{number:05d}</p>{links}'
            if status == 200
            else "<h1>No</h1>"
        ).encode()
        self._send(status, body)

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
        """Keep quiet."""


_shown = itertools.count()


def _shelf() -> bytes:
    """Fifty lamps, of which some are new, cheaper or gone whenever somebody looks."""
    look = next(_shown)
    lamps = "".join(
        f'<li class="lamp"><b class="name">Lamp {number}</b><i class="price">€{60 + number * 7 - (look * 5 if number % 11 == look % 11 else 0)}.00</i></li>'
        for number in range(look * 2, 50 + look * 3)
    )
    return f"<h1>Lamps</h1><ul>{lamps}</ul>".encode()


@contextlib.contextmanager
def moody_shop() -> Iterator[str]:
    """The moody shop, running; yields its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Moody)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def demo_shop() -> Iterator[str]:
    """The demo shop, running; yields its address."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "scrapemaster", "demo-site", "--port", str(port)])
    try:
        wait_for_port(port)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait()


def fill(service: Service, shop: str, moody: str) -> dict[str, str]:
    """Give the service something to show; returns the ids of what is pictured."""
    card = {
        "title": "h2 a::text",
        "price": {"selector": ".price::text", "transform": "price"},
        "stock": ".stock::text",
    }
    item = {
        "name": ".name::text",
        "price": {"selector": ".price::text", "transform": "price"},
        "sku": ".sku::text",
    }
    paged = {"item": ".product", "follow_links": True, "include": ["*/?page=*"], "exclude": ["*page=1"]}
    crawl = {"follow_links": True, "max_retries": 1}
    long = service.create(
        url=f"{moody}/item/0", name="Outlet, all articles", tags=["outlet", "nightly"], selectors=item,
        config={**crawl, "max_pages": 4_000, "concurrency": 3},
    )  # fmt: skip
    for name in ("Nordhus catalogue", "Nordhus lamps", "Nordhus rugs"):
        service.finished(
            service.create(url=shop, name=name, tags=["nordhus"], selectors=card, config=paged)["id"]
        )
    full = service.create(
        url=f"{moody}/item/2",
        name="Outlet sample",
        tags=["outlet"],
        selectors=item,
        config={**crawl, "max_pages": 400},
    )
    failed = service.create(url=f"{shop}no-such-page", name="Old catalogue")
    paused = service.create(
        url=f"{moody}/item/1", name="Outlet, slowly", selectors=item, config={**crawl, "delay": 0.5}
    )
    stopped = service.create(
        url=f"{moody}/item/5", name="Outlet, stopped", selectors=item, config={**crawl, "delay": 0.5}
    )
    nightly = {"cron": "0 6 * * *", "timezone": "Europe/Berlin", "name": "Lamps every morning"}
    lamp = {"name": ".name::text", "price": {"selector": ".price::text", "transform": "price"}}
    job = {"url": f"{moody}/shelf", "selectors": lamp, "config": {"item": ".lamp", "respect_robots": False}}
    schedule = _post(service, "/schedules", {**nightly, "job": job})
    runs = [service.finished(_post(service, f"/schedules/{schedule['id']}/run")["id"]) for _ in range(3)]
    _post(
        service,
        "/schedules",
        {"cron": "0 * * * *", "name": "Outlet prices", "job": {"url": f"{moody}/item/0"}},
    )
    hook = _post(
        service,
        "/webhooks",
        {
            "webhook_url": f"{shop}hook",
            "events": ["job.completed", "job.failed"],
            "description": "Orders, production",
        },
    )
    _post(service, f"/webhooks/{hook['id']}/test")
    for name in ("nightly import", "notebook"):
        _post(service, "/auth/keys", {"name": name})
    for name in ("ada", "grace"):
        _post(
            service,
            "/users",
            {"username": name, "password": "a long password", "email": f"{name}@example.com"},
        )
    time.sleep(3)
    service.act(paused["id"], "pause")
    service.act(stopped["id"], "cancel")
    service.finished(full["id"])
    time.sleep(_COURSE - 3)
    return {
        "long": long["id"],
        "full": full["id"],
        "failed": failed["id"],
        "schedule": schedule["id"],
        "run": runs[-1]["id"],
        "hook": hook["id"],
    }


def _post(service: Service, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = service.http.post(f"{service.base}{path}", json=body, timeout=30)
    answer.raise_for_status()
    made: dict[str, Any] = answer.json()
    return made


class Camera:
    """A signed-in browser that takes pictures into `folder`."""

    def __init__(
        self, browser: Browser, service: Service, folder: Path, scheme: Any, size: Any = None
    ) -> None:
        self._root = f"http://127.0.0.1:{service.port}"
        self._folder = folder
        self.page: Page = browser.new_page(
            viewport=size or WIDE, color_scheme=scheme, reduced_motion="reduce"
        )
        self.page.goto(f"{self._root}/sign-in")
        self.page.get_by_label("User name").fill("admin")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("heading", name="Jobs", exact=True).wait_for()

    def show(self, path: str) -> None:
        """Open an address and wait until it is drawn."""
        self.page.goto(f"{self._root}{path}")
        self.page.get_by_role("main").wait_for()
        self.page.wait_for_function("() => !document.querySelector('.waiting')")
        self.page.wait_for_timeout(900)

    def take(self, name: str, *, whole: bool = False) -> None:
        """Write a picture of what is shown."""
        self.page.screenshot(path=self._folder / f"{name}.png", full_page=whole)

    def build(self, shop: str) -> None:
        """Choose a list by clicking."""
        self.show(f"/new?url={shop}")
        frame = self.page.frame_locator("iframe")
        for place in (
            ".product h2 >> nth=0",
            ".product h2 >> nth=1",
            ".product .price >> nth=0",
            ".product .stock >> nth=0",
        ):
            frame.locator(place).click()
            self.page.wait_for_timeout(150)
        self.page.mouse.move(5, 5)
        self.page.get_by_label("Rows as they would be").get_by_role("cell").first.wait_for()
        self.page.wait_for_timeout(600)


def pictures(browser: Browser, service: Service, shop: str, ids: dict[str, str], folder: Path) -> None:
    """The few that the README shows."""
    camera = Camera(browser, service, folder, "light")
    camera.build(shop)
    camera.take("dashboard-workbench")
    camera.show("/jobs")
    camera.page.wait_for_timeout(6_000)
    camera.take("dashboard-jobs")
    camera = Camera(browser, service, folder, "dark")
    camera.show(f"/jobs/{ids['long']}")
    camera.take("dashboard-job")
    camera.show(f"/jobs/{ids['full']}?tab=results")
    camera.take("dashboard-results")


def everything(browser: Browser, service: Service, shop: str, ids: dict[str, str], folder: Path) -> None:
    """All pages, for whoever works on them; without `ids` as they are at first."""
    kind = "full" if ids else "empty"
    places = {
        "jobs": "/jobs",
        "new": "/new",
        "schedules": "/schedules",
        "webhooks": "/webhooks",
        "monitoring": "/monitoring",
        "users": "/admin",
        "account": "/account",
    }
    if ids:
        tabs = {
            f"job-{tab}": f"/jobs/{ids['full']}?tab={tab}"
            for tab in ("overview", "results", "errors", "log", "order")
        }
        places |= tabs | {
            "running": f"/jobs/{ids['long']}", "failed": f"/jobs/{ids['failed']}", "changes": f"/jobs/{ids['run']}?tab=changes",
            "schedule": f"/schedules/{ids['schedule']}", "webhook": f"/webhooks/{ids['hook']}", "missing": "/jobs/none",
        }  # fmt: skip
    for look, scheme, size in (("light", "light", WIDE), ("dark", "dark", WIDE), ("phone", "light", PHONE)):
        camera = Camera(browser, service, folder, scheme, size)
        for name, path in places.items():
            camera.show(path)
            camera.take(f"{kind}-{name}-{look}", whole=look == "phone")
        if ids:
            camera.build(shop)
            camera.take(f"{kind}-workbench-{look}", whole=True)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="take every page into this folder")
    chosen = parser.parse_args()
    folder = chosen.all or IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with Service() as service, demo_shop() as shop, moody_shop() as moody, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu", "--font-render-hinting=none"]
        )
        if chosen.all:
            everything(browser, service, shop, {}, folder)
        ids = fill(service, shop, moody)
        if chosen.all:
            everything(browser, service, shop, ids, folder)
        else:
            pictures(browser, service, shop, ids, folder)
        browser.close()


if __name__ == "__main__":
    main()
