import time

from contract.conftest import handled, running_job
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.item import result_id


async def job_with_rows(store, count):
    job = await running_job(store, "a", "b")
    one, two = await store.frontier.lease(job.id, "h", 5, 30, now=2_000.0)
    await store.frontier.commit(job.id, "h", [handled(one, [b'{"n":%d}' % n for n in range(count - 1)])])
    await store.frontier.commit(job.id, "h", [handled(two, [b'{"n":%d}' % (count - 1)])])
    return job, one


async def test_rows_are_numbered_in_order_of_commit_without_gaps(store):
    job, one = await job_with_rows(store, 25)

    rows = await store.results.page(job.id, limit=100)

    assert [row.seq for row in rows] == list(range(1, 26))
    assert [row.data for row in rows] == [b'{"n":%d}' % n for n in range(25)]
    assert rows[3].id == result_id(one.fingerprint, 3)
    assert (rows[0].url, rows[0].scraped_at, rows[0].job_id) == ("http://site/a", 1_002.0, job.id)


async def test_a_page_begins_behind_the_cursor(store):
    job, _ = await job_with_rows(store, 25)

    assert [row.seq for row in await store.results.page(job.id, after=20, limit=3)] == [21, 22, 23]
    assert await store.results.page(job.id, after=25) == []
    assert await store.results.total(job.id) == 25


async def test_a_page_of_large_rows_has_all_of_them(store):
    job = await running_job(store, "a")
    (one,) = await store.frontier.lease(job.id, "h", 5, 30, now=2_000.0)
    large = b'{"t":"%s"}' % (b"x" * 900_000)
    await store.frontier.commit(job.id, "h", [handled(one, [large] * 4 + [b"{}"] * 3)])

    assert [row.seq for row in await store.results.page(job.id, limit=6)] == [1, 2, 3, 4, 5, 6]
    assert [row.seq for row in await store.results.page(job.id, after=2, limit=1000)] == [3, 4, 5, 6, 7]
    assert [len(row.data) for row in await store.results.page(job.id, after=3)] == [len(large), 2, 2, 2]


async def test_a_stream_gives_every_row_in_batches(store):
    job, _ = await job_with_rows(store, 25)

    batches = [batch async for batch in store.results.stream(job.id, batch=10)]

    assert [row.seq for batch in batches for row in batch] == list(range(1, 26))
    assert max(map(len, batches)) <= 10


async def test_a_stream_ends_where_it_was_told_though_there_are_more_rows(store):
    job, _ = await job_with_rows(store, 25)

    batches = [batch async for batch in store.results.stream(job.id, until=12, batch=5)]

    assert [len(batch) for batch in batches] == [5, 5, 2]


async def test_a_stream_of_large_rows_comes_in_small_batches(store):
    job = await running_job(store, "a")
    (one,) = await store.frontier.lease(job.id, "h", 5, 30, now=2_000.0)
    large = b'{"t":"%s"}' % (b"x" * 3_000_000)
    await store.frontier.commit(job.id, "h", [handled(one, [large] * 5 + [b"{}"] * 3)])

    batches = [batch async for batch in store.results.stream(job.id)]

    assert [row.seq for batch in batches for row in batch] == list(range(1, 9))
    assert max(map(len, batches[:2])) <= 2


async def test_a_stream_ends_when_its_job_is_removed(store):
    job, _ = await job_with_rows(store, 25)
    stream = store.results.stream(job.id, batch=5)

    await anext(stream)
    await store.jobs.delete(job.id)

    assert [batch async for batch in stream] == []


async def test_rows_are_the_same_after_deterministic_work_is_done_again(store):
    one, first = await job_with_rows(store, 5)
    two, _ = await job_with_rows(store, 5)

    ids = [[row.id for row in await store.results.page(job.id)] for job in (one, two)]

    assert ids[0] == ids[1]
    assert ids[0][0] == result_id(first.fingerprint, 0)


async def test_all_who_have_the_store_open_read_one_clock(store, another):
    readings = [await one.now() for one in (store, another, store, another)]

    assert readings == sorted(readings)
    assert readings[-1] - readings[0] < 60
    assert abs(readings[0] - time.time()) < 60


async def test_a_closed_store_can_be_closed_again(store):
    await store.ping()
    await store.close()
    await store.close()


async def test_rows_are_searched_literally_and_without_regard_to_case(store):
    job = await running_job(store, "one", "two")
    one, two = await store.frontier.lease(job.id, "h", 2, 30, now=2_000.0)
    rows = [b'{"name":"Oak LAMP"}', '{"name":"Lämpchen 50%"}'.encode(), b'{"name":"a_b \\"quoted\\""}']
    await store.frontier.commit(job.id, "h", [handled(one, rows), handled(two, [b'{"name":"axb"}'])])

    async def found(text):
        rows, after = await store.results.search(job.id, text)
        return [row.seq for row in rows], after

    assert await found("lamp") == ([1], None)
    assert await found("Lämpchen") == ([2], None)
    assert await found("50%") == ([2], None)
    assert await found("a_b") == ([3], None)
    assert await found('"quoted"') == ([3], None)
    assert await found("site/two") == ([4], None)
    assert await found("nothing") == ([], None)


async def test_a_search_looks_at_so_many_rows_and_says_where_to_go_on(store):
    job = await running_job(store, "a")
    (one,) = await store.frontier.lease(job.id, "h", 1, 30, now=2_000.0)
    rows = [b'{"n":"%s"}' % (b"hit" if number % 10 == 9 else b"miss") for number in range(50)]
    await store.frontier.commit(job.id, "h", [handled(one, rows)])

    seen, after, calls = [], 0, 0
    while after is not None:
        found, after = await store.results.search(job.id, "hit", after=after, limit=2, scan=15)
        seen += [row.seq for row in found]
        calls += 1

    assert seen == [10, 20, 30, 40, 50]
    assert calls > 3
    assert await store.results.search(JobId("none"), "hit") == ([], None)
