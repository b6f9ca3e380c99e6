"""`make demo`: start the service, scrape a site through its API, show progress and rows, stop.

Without a URL the bundled demo shop is started and scraped. With `--svg FILE` what was shown is saved as a picture.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

USER = "admin"
SHOP = {
    "selectors": {
        "name": "h1.product-title::text",
        "price": {"selector": ".detail .price::text", "transform": "price"},
        "stock": "p.stock::text",
        "rating": {"selector": "p.rating::attr(data-rating)", "transform": "number"},
        "material": "//tr[th='Material']/td/text()",
    },
    "config": {"follow_links": True, "max_pages": 200},
}


def free_port() -> int:
    """Find a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def started(*command: str, url: str, **environment: str) -> Iterator[None]:
    """Run a command until the block ends, once its URL answers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "scrapemaster", *command],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 30
        while True:
            try:
                if requests.get(url, timeout=5).ok:
                    break
            except requests.ConnectionError:
                pass
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"scrapemaster {command[0]} did not start; see the lines above")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(timeout=15)


#: The page of the shop that shows nothing until its script ran.
DEALS = {
    "name": "demo deals",
    "selectors": {"name": "h2::text", "price": {"selector": ".price::text", "transform": "price"}},
    "config": {"item": ".deal"},
}


def order_of(url: str | None, shop: str) -> dict[str, Any]:
    """The job: the shop's products, or what any page says of itself."""
    if url is None:
        return {"url": shop, "name": "demo shop", **SHOP}
    return {"url": url, "name": "demo", "config": {"follow_links": True, "max_pages": 20}}


def show_rows(console: Console, rows: list[dict[str, Any]], total: int) -> None:
    """The first rows as a table."""
    names = list(dict.fromkeys(name for row in rows for name in row["data"]))[:6]
    table = Table(*names, caption=f"the first {len(rows)} of {total} rows")
    for row in rows:
        table.add_row(*(str(row["data"].get(name, ""))[:40].replace("[", r"\[") for name in names))
    console.print(table)


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url", nargs="?", default=None)
    parser.add_argument("--svg", type=Path, default=None)
    options = parser.parse_args()
    console = Console(record=options.svg is not None, width=100 if options.svg else None)
    password = secrets.token_urlsafe(12)
    port, shop_port = free_port(), free_port()
    base, shop = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{shop_port}/"
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="scrapemaster-demo-"))
        settings = {
            "SCRAPEMASTER_ADMIN_USERNAME": USER,
            "SCRAPEMASTER_ADMIN_PASSWORD": password,
            "SCRAPEMASTER_LOG_LEVEL": "warning",
            "SCRAPEMASTER_RATE_LIMIT": "off",  # the progress bar asks often
        }
        if options.url is None:
            console.print(
                f"[bold]1.[/] The demo shop: scrapemaster demo-site --port {shop_port}", highlight=False
            )
            stack.enter_context(started("demo-site", "--port", str(shop_port), url=shop))
            # The shop is on this machine, which the service would not touch by itself.
            settings["SCRAPEMASTER_EGRESS_ALLOW"] = "127.0.0.1"
        console.print(f"[bold]2.[/] The service: scrapemaster serve --port {port}", highlight=False)
        command = ("serve", "--port", str(port), "--data-dir", folder)
        stack.enter_context(started(*command, url=f"{base}/readyz", **settings))
        api = f"{base}/api/v1"
        http = signed_in(api, password)
        rows = run(console, http, api, order_of(options.url, shop), 3)
        if options.url is None:
            run(console, http, api, {"url": f"{shop}deals", **DEALS}, 4)
    console.print(
        "[bold]Next:[/] `make run`, then the dashboard at http://127.0.0.1:8000/",
        highlight=False,
    )
    if options.svg is not None:
        picture = console.export_svg(title="make demo")
        options.svg.write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL))
    if not rows:
        raise SystemExit(1)


def signed_in(api: str, password: str) -> requests.Session:
    """A client with a token."""
    http = requests.Session()
    login = http.post(f"{api}/auth/login", data={"username": USER, "password": password}, timeout=30)
    login.raise_for_status()
    http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
    return http


def run(console: Console, http: requests.Session, api: str, order: dict[str, Any], number: int) -> int:
    """Create the job, follow it, show its rows; returns how many there are."""
    answer = http.post(f"{api}/jobs", json=order, timeout=30)
    if answer.status_code != 201:
        raise SystemExit(f"the job was refused: {answer.text}")
    job = answer.json()
    console.print(
        f"[bold]{number}.[/] POST /api/v1/jobs {order['url']} → job {job['id']}",
        highlight=False,
    )
    columns = (
        TextColumn("   {task.description:<10}"),
        BarColumn(),
        TextColumn("{task.percentage:>5.1f} %  {task.fields[figures]}"),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(job["status"], total=100.0, figures="")
        while job["finished_at"] is None:
            job = http.get(f"{api}/jobs/{job['id']}", params={"wait": 0.3}, timeout=90).json()
            figures = (
                f"{job['pages_fetched']} pages · {job['items_scraped']} items · {job['pages_failed']} errors"
            )
            progress.update(bar, completed=job["progress"], description=job["status"], figures=figures)
    page = http.get(f"{api}/results/{job['id']}", params={"limit": 8}, timeout=30).json()
    if page["total"]:
        show_rows(console, page["results"], page["total"])
    for line in engine_lines(job):
        console.print(line, highlight=False, markup=False)
    for warning in job["warnings"] + ([job["error"]] if job["error"] else []):
        console.print(warning, style="yellow", markup=False)
    total: int = page["total"]
    return total


def engine_lines(job: dict[str, Any]) -> list[str]:
    """Which engine `auto` took for how many pages, and why."""
    names = {"http": "plain requests", "browser": "a browser"}
    return [
        f"   auto took {names[engine]} for {pages} {'page' if pages == 1 else 'pages'}: {reason}"
        for engine, share in (job["engines"] or {}).items()
        for reason, pages in share["reasons"].items()
    ]


if __name__ == "__main__":
    main()
