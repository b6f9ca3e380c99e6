"""A finished job with any number of rows, written straight into a store: what exports are measured on."""

from __future__ import annotations

import random
import time
from pathlib import Path

import orjson

from scrapemaster.domain.ids import JobId, UserId, new_job_id
from scrapemaster.domain.job import Job, JobConfig, JobStatus, StopReason
from scrapemaster.domain.outcome import Outcome, Verdict
from scrapemaster.domain.request import NewRequest
from scrapemaster.storage.sqlite.store import SqliteStore

_ITEMS_OF_A_PAGE = 500
_WORDS = (
    "steel walnut brushed linen compact travel everyday ceramic handmade outdoor kitchen garden lamp chair kettle "
    "bottle jacket notebook with of for and in a the by from two large small black white green".split()
)


def product(number: int, chance: random.Random) -> bytes:
    """An item as a shop gives it: about 500 bytes, nested, with gaps, and with texts no two of which are alike."""
    item = {
        "title": " ".join(chance.choices(_WORDS, k=5)).capitalize(),
        "sku": f"SM-{number:08d}",
        "price": round(chance.uniform(1, 500), 2),
        "currency": "EUR",
        "stock": chance.randrange(200) if number % 7 else None,
        "available": number % 7 != 0,
        "rating": {"value": round(chance.uniform(1, 5), 1), "count": chance.randrange(4_000)},
        "size": {"width": chance.randrange(300), "height": chance.randrange(300), "unit": "cm"},
        "tags": chance.sample(_WORDS, 3),
        "description": " ".join(chance.choices(_WORDS, k=30)),
    }
    if number % 10 == 3:
        item["discount"] = chance.randrange(60)
    return orjson.dumps(item)


async def job_with_rows(folder: Path, rows: int, *, name: str = "Rows", running: bool = False) -> JobId:
    """Store a job with so many rows in the data folder of a service that does not run now."""
    store = SqliteStore(folder / "scrapemaster.db")
    await store.open()
    try:
        return await _add(store, rows, name, running=running)
    finally:
        await store.close()


async def _add(store: SqliteStore, rows: int, name: str, *, running: bool) -> JobId:
    chance = random.Random(rows)
    pages = -(-rows // _ITEMS_OF_A_PAGE)
    job = Job(
        id=new_job_id(),
        owner=UserId("benchmark"),
        urls=["https://shop.example/"],
        selectors={},
        config=JobConfig(max_pages=pages + 1, follow_links=True),
        created_at=time.time(),
        name=name,
    )
    seeds = [NewRequest.of(f"https://shop.example/list?page={page}", 0) for page in range(pages)]
    await store.jobs.add(job, seeds)
    await store.jobs.transition(job.id, JobStatus.RUNNING, now=time.time())
    done = 0
    while done < rows:
        leased = await store.frontier.lease(job.id, "rows", 20, 60, now=time.time())
        outcomes = []
        for one in leased:
            count = min(_ITEMS_OF_A_PAGE, rows - done)
            items = [product(done + place, chance) for place in range(count)]
            done += count
            outcomes.append(
                Outcome(
                    request=one,
                    verdict=Verdict.HANDLED,
                    url=one.url,
                    items=items,
                    links=[],
                    status=200,
                    body_bytes=100_000,
                    fetched_at=time.time(),
                )
            )
        await store.frontier.commit(job.id, "rows", outcomes)
    if not running:
        await store.jobs.transition(
            job.id, JobStatus.COMPLETED, now=time.time(), stop_reason=StopReason.FINISHED
        )
    return job.id
