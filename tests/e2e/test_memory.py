"""Memory over a long crawl."""

import time
from pathlib import Path

import pytest
from benchmarks.service import Service
from benchmarks.tree import tree

PAGES = 50_000
#: The link memory and caches fill up to their bounds in the first part of a crawl.
SETTLED = 15_000
MAY_GROW_MB = 16


def resident_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


@pytest.mark.soak
def test_memory_is_flat_over_fifty_thousand_pages():
    with tree(PAGES) as url, Service() as service:
        crawler = service.crawler_pid()
        job = service.create(
            url=url,
            selectors={"n": "p.n::text"},
            config={
                "follow_links": True,
                "max_pages": 10**6,
                "concurrency": 32,
                "respect_robots": False,
            },
        )
        samples = []
        while (now := service.job(job["id"]))["status"] in {"pending", "running"}:
            samples.append((now["pages_fetched"], resident_mb(crawler), resident_mb(service.pid)))
            time.sleep(0.25)

        assert (now["status"], now["items_scraped"]) == ("completed", PAGES)
        settled = [sample for sample in samples if sample[0] >= SETTLED]
        assert len(settled) > 5
        for part in (1, 2):
            assert settled[-1][part] - settled[0][part] < MAY_GROW_MB
