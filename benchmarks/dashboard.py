"""How quick the dashboard is with 10,000 jobs and a job of a million rows: by the browser's own event timing.

    python -m benchmarks.dashboard [--jobs 10000] [--rows 1000000]

The jobs and rows are written into the store before the service starts. Each interaction's time is the longest `duration` of the events it made (Event Timing API: from the input to the next
frame, in steps of 8 ms), and the time until what was asked for is shown.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.service import PASSWORD, Service
from scrapemaster.domain.ids import UserId, new_job_id
from scrapemaster.domain.job import Job, JobConfig, JobStatus
from scrapemaster.domain.outcome import Outcome, Verdict
from scrapemaster.domain.request import NewRequest
from scrapemaster.settings import Settings
from scrapemaster.stores import open_store

_ROWS_A_PAGE = 500
_EVENTS = """
window.slowest = 0;
new PerformanceObserver((list) => { for (const one of list.getEntries()) window.slowest = Math.max(window.slowest, one.duration); })
  .observe({type: 'event', durationThreshold: 16, buffered: true});
"""


def _job(name: str, pages: int) -> Job:
    return Job(
        id=new_job_id(), owner=UserId("bench"), urls=["http://bench.invalid/"], selectors={}, name=name,
        config=JobConfig(max_pages=pages), created_at=time.time(),
    )  # fmt: skip


async def fill(folder: Path, jobs: int, rows: int) -> None:
    """Write the jobs, and one with so many rows."""
    async with open_store(Settings(data_dir=folder)) as store:
        large = _job("a million rows", rows)
        seeds = [NewRequest.of(f"http://bench.invalid/{number}") for number in range(rows // _ROWS_A_PAGE)]
        await store.jobs.add(large, seeds)
        await store.jobs.transition(large.id, JobStatus.RUNNING, now=time.time())
        row = 0
        while leased := await store.frontier.lease(large.id, "bench", 20, 600, now=time.time()):
            outcomes = []
            for one in leased:
                items = [
                    b'{"sku":"SK-%07d","name":"Article %d","price":%d.9,"stock":%d}'
                    % (row + more, row + more, more % 300, more % 9)
                    for more in range(_ROWS_A_PAGE)
                ]
                row += _ROWS_A_PAGE
                outcomes.append(
                    Outcome(
                        one,
                        Verdict.HANDLED,
                        one.url,
                        items=items,
                        status=200,
                        fetched_at=time.time(),
                        elapsed=0.05,
                    )
                )
            await store.frontier.commit(large.id, "bench", outcomes)
        await store.jobs.transition(large.id, JobStatus.COMPLETED, now=time.time())
        many = [_job(f"job {number}", 1) for number in range(jobs)]
        for start in range(0, jobs, 500):
            await asyncio.gather(*(store.jobs.add(job, []) for job in many[start : start + 500]))
    # What the jobs' lives would have been takes no part in what is measured.
    with sqlite3.connect(folder / "scrapemaster.db") as database:
        database.execute(
            "UPDATE jobs SET status = 'completed', finished_at = created_at WHERE status = 'pending'"
        )


def measure(page: Page, name: str, act: Any, shown: Any = None) -> None:
    """Print the slowest event of an interaction, and when what it asked for was shown."""
    page.wait_for_timeout(300)
    page.evaluate("window.slowest = 0")
    began = time.monotonic()
    act()
    if shown is not None:
        shown()
    took = (time.monotonic() - began) * 1_000
    page.wait_for_timeout(300)
    slowest = page.evaluate("window.slowest")
    print(f"| {name} | {slowest:.0f} ms | {took:.0f} ms |")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    chosen = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(fill(Path(folder), chosen.jobs, chosen.rows))
        with Service(Path(folder)) as service, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=program, args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.add_init_script(_EVENTS)
            root = f"http://127.0.0.1:{service.port}"
            page.goto(f"{root}/sign-in")
            page.get_by_label("User name").fill("admin")
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Sign in").click()
            page.get_by_role("row", name=f"job {chosen.jobs - 1}").wait_for()
            page.get_by_text("Live").wait_for()
            rows = page.get_by_role("table", name="Rows")
            cell = rows.get_by_role("cell")
            print(
                f"{chosen.jobs:,} jobs, a job of {chosen.rows:,} rows\n\n| interaction | slowest event | shown after |\n|---|---:|---:|"
            )
            measure(page, "jobs: next page", lambda: page.get_by_role("button", name="Next page").click(),
                    lambda: page.get_by_role("row", name=f"job {chosen.jobs - 51}").wait_for())  # fmt: skip
            measure(page, "jobs: select the page", lambda: page.get_by_label("Select all jobs").check())
            measure(page, "jobs: sort by rows", lambda: page.get_by_label("Sort").select_option("-items_scraped"),
                    lambda: page.get_by_role("row", name="a million rows").wait_for())  # fmt: skip
            measure(page, "jobs: filter by state", lambda: page.get_by_role("button", name="Failed").click(),
                    lambda: page.get_by_role("heading", name="No job matches").wait_for())  # fmt: skip
            page.get_by_role("group", name="Status").get_by_role("button").first.click()
            measure(page, "jobs: search", lambda: page.get_by_label("Search name and URL").press_sequentially("a million"),
                    lambda: page.get_by_role("row", name=f"job {chosen.jobs - 1}").wait_for(state="detached"))  # fmt: skip
            measure(page, "open the job", lambda: page.get_by_role("link", name="a million rows").click(),
                    lambda: page.get_by_role("tab", name="Overview").wait_for())  # fmt: skip
            measure(page, "rows: open", lambda: page.get_by_role("tab", name="Results").click(),
                    lambda: cell.get_by_text("SK-0000003", exact=True).wait_for())  # fmt: skip
            rows.focus()
            measure(page, "rows: a page down", lambda: page.keyboard.press("PageDown"))
            measure(page, "rows: to the end", lambda: page.keyboard.press("End"),
                    lambda: cell.get_by_text(f"SK-{chosen.rows - 1:07d}", exact=True).wait_for())  # fmt: skip
            measure(page, "rows: to the middle", lambda: rows.evaluate("node => { node.scrollTop = node.scrollHeight / 2; }"),
                    lambda: page.wait_for_function("() => !document.querySelector('.grid .bone')"))  # fmt: skip
            measure(
                page,
                "rows: open one",
                lambda: page.keyboard.press("Enter"),
                lambda: page.get_by_role("dialog").wait_for(),
            )
            page.keyboard.press("Escape")
            measure(
                page,
                "rows: hide a column",
                lambda: (
                    page.get_by_role("button", name="Columns", exact=True).click(),
                    page.get_by_label("price").uncheck(),
                ),
            )
            page.keyboard.press("Escape")
            measure(page, "rows: search, a rare text", lambda: page.get_by_label("Search the rows").fill(f"SK-{chosen.rows * 9 // 10:07d}"),
                    lambda: page.get_by_text("1 match", exact=True).wait_for(timeout=60_000))  # fmt: skip
            browser.close()


if __name__ == "__main__":
    main()
