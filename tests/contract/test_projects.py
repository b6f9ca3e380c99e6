"""Uploaded Scrapy projects."""

from dataclasses import replace

import pytest

from contract.conftest import handled, make_job, running_job
from scrapemaster.domain.errors import Conflict
from scrapemaster.domain.ids import UserId
from scrapemaster.domain.job import JobStatus
from scrapemaster.domain.joblog import LogEvent, LogLevel, NewLine
from scrapemaster.domain.spider import CHUNK_BYTES, ProjectVersion, SpiderOrder


def version_of(version="1", project="shop", **changes):
    made = ProjectVersion(
        project, version, "c" * 64, 3, "shop.settings", 1_000.5, UserId("ada"), "sub", ["a", "b"]
    )
    return replace(made, **changes)


async def put(store, version, data=b"zip", *, replace=False, limit=100):
    await store.projects.put(version, data, replace=replace, limit=limit)


async def data_of(store, project="shop", version="1"):
    return b"".join([chunk async for chunk in store.projects.read(project, version)])


async def test_a_version_comes_back_as_it_was_put(store, another):
    version, data = version_of(), bytes(range(256)) * (CHUNK_BYTES // 256) + b"and more"

    await put(store, version, data)

    assert await another.projects.get("shop", "1") == version
    assert await data_of(another) == data


async def test_the_latest_version_is_the_one_uploaded_last(store):
    await put(store, version_of("9"))
    await put(store, version_of("10"))
    await put(store, version_of("1", "other"))
    await put(store, version_of("9", checksum="d" * 64), b"new", replace=True)

    assert (await store.projects.get("shop")).version == "9"
    assert await data_of(store, version="9") == b"new"
    assert [one.version for one in await store.projects.find("shop")] == ["10", "9"]
    assert [(one.project, one.version) for one in await store.projects.find()] == [
        ("shop", "10"), ("other", "1"), ("shop", "9"),
    ]  # fmt: skip


async def test_a_version_that_is_there_stays_unless_it_is_to_be_replaced(store):
    await put(store, version_of())

    with pytest.raises(Conflict, match="there already"):
        await put(store, version_of(), b"other")

    assert await data_of(store) == b"zip"


async def test_no_more_versions_are_kept_than_are_allowed(store):
    await put(store, version_of("1"), limit=1)

    with pytest.raises(Conflict, match="1 are allowed"):
        await put(store, version_of("2"), limit=1)
    await put(store, version_of("1"), b"new", replace=True, limit=1)

    assert [one.version for one in await store.projects.find()] == ["1"]


async def test_versions_and_projects_are_removed_with_their_archives(store):
    for version in ("1", "2", "3"):
        await put(store, version_of(version))
    await put(store, version_of("1", "other"))

    assert await store.projects.delete("shop", "2") == 1
    assert await store.projects.delete("shop", "2") == 0
    assert [one.version for one in await store.projects.find("shop")] == ["1", "3"]
    assert await store.projects.delete("shop") == 2
    assert await store.projects.get("shop") is None
    assert await data_of(store) == b""
    assert await data_of(store, "other") == b"zip"


async def test_a_job_keeps_its_spider(store, another):
    spider = SpiderOrder("a", "shop", "1", {"tag": "ü\ud800"}, {"DOWNLOAD_DELAY": 0.5}, 10, 0)
    job = make_job(spider=spider)

    await store.jobs.add(job, [])

    assert (await another.jobs.get(job.id)).spider == spider


async def test_progress_that_is_known_goes_before_the_counters_and_never_falls(store):
    job = await running_job(store, "a", "b", "c")
    first, second, third = await store.frontier.lease(job.id, "w", 3, 60, now=1_001.0)

    await store.frontier.commit(job.id, "w", [handled(first)], progress=50.06)
    assert (await store.jobs.get(job.id)).progress == 50.0
    await store.frontier.commit(job.id, "w", [handled(second)], progress=20.0)
    assert (await store.jobs.get(job.id)).progress == 50.0
    await store.frontier.commit(job.id, "w", [handled(third)], progress=100.0)
    assert (await store.jobs.get(job.id)).progress == 99.9


async def test_lines_are_written_to_the_log_of_a_job_until_it_is_over(store):
    job = await running_job(store, "a")
    line = NewLine(LogEvent.SPIDER, "said\nthat", LogLevel.WARNING)

    await store.log.write(job.id, [line, line], now=1_002.0)
    before = await store.log.page(job.id)
    await store.jobs.transition(job.id, JobStatus.CANCELLED, now=1_003.0)
    await store.log.write(job.id, [line], now=1_004.0)
    await store.log.write(make_job().id, [line], now=1_004.0)

    assert [one.seq for one in before] == [1, 2, 3, 4]
    assert (before[3].event, before[3].level, before[3].message, before[3].at) == (
        LogEvent.SPIDER, LogLevel.WARNING, "said\nthat", 1_002.0,
    )  # fmt: skip
    assert [one.event for one in await store.log.page(job.id, after=4)] == [LogEvent.ENDED]
