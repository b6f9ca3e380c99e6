import asyncio

from contract.conftest import handled, request_of, retried, running_job

NOW = 2_000.0


async def test_a_sitemap_of_many_pages_is_added_in_its_order(store):
    job = await running_job(store)
    requests = [request_of(str(number)) for number in range(25_000)]

    assert await store.frontier.add(job.id, requests) == 25_000
    assert await store.frontier.add(job.id, requests) == 0

    first = await store.frontier.lease(job.id, "h", 3, 30, now=NOW)
    assert [one.url for one in first] == [f"http://site/{number}" for number in range(3)]
    assert (await store.frontier.recount(job.id)).discovered == 25_000


async def test_H21_a_page_with_very_many_links_is_committed_once(store):
    job = await running_job(store, "a", "b", pages=10**6)
    one, two = await store.frontier.lease(job.id, "h", 5, 30, now=NOW)
    links = [request_of(f"x{number}", 1) for number in range(25_000)]

    await store.frontier.commit(job.id, "h", [handled(one, [b"{}"], links)])
    counters = await store.frontier.commit(job.id, "h", [handled(two, [b"{}"], links + [request_of("a")])])

    assert (counters.discovered, counters.queued, counters.items) == (25_002, 25_000, 2)
    assert await store.frontier.recount(job.id) == counters


async def test_another_open_store_knows_what_this_one_added(store, another):
    job = await running_job(store, "a", "b")

    assert await another.frontier.add(job.id, [request_of("b"), request_of("c")]) == 1
    assert await store.frontier.add(job.id, [request_of("c"), request_of("d")]) == 1

    (one, *_) = await another.frontier.lease(job.id, "h2", 1, 30, now=NOW)
    await another.frontier.commit(job.id, "h2", [handled(one, [b"{}"], [request_of("d"), request_of("e")])])
    assert await store.frontier.add(job.id, [request_of("e")]) == 0
    assert (await store.frontier.recount(job.id)).discovered == 5


async def test_two_stores_at_once_share_a_job_without_overlap(store, another):
    job = await running_job(store, *(f"p{number}" for number in range(200)), pages=150)

    async def work(opened, holder):
        done = []
        while batch := await opened.frontier.lease(job.id, holder, 7, 30, now=NOW):
            links = [request_of(f"{one.url}/{at}") for one in batch for at in range(2)]
            await opened.frontier.commit(
                job.id,
                holder,
                [handled(one, [one.url.encode()]) for one in batch[1:]] + [handled(batch[0], [b"x"], links)],
            )
            done += [one.url for one in batch]
        return done

    done = await asyncio.gather(
        *(work(opened, f"{at}/{number}") for at, opened in enumerate((store, another)) for number in range(3))
    )

    urls = [url for part in done for url in part]
    assert len(urls) == len(set(urls)) == 150
    rows = await store.results.page(job.id, limit=1_000)
    assert [row.seq for row in rows] == list(range(1, 151))
    counters = await store.frontier.counters(job.id)
    assert (counters.fetched, counters.items) == (150, 150)
    assert await store.frontier.recount(job.id) == counters


async def test_a_request_in_trouble_goes_through_all_its_states(store):
    job = await running_job(store, "a", pages=1)
    (one,) = await store.frontier.lease(job.id, "h1", 5, 30, now=NOW)
    await store.frontier.commit(job.id, "h1", [retried(one, NOW)])
    await store.frontier.lease(job.id, "h2", 5, 30, now=NOW)
    (two,) = await store.frontier.lease(job.id, "h3", 5, 30, now=NOW + 31)
    assert (two.attempts, two.interruptions) == (1, 1)
    await store.frontier.release(job.id, "h3", [two.key], due_at=NOW + 50)
    assert await store.frontier.next_due(job.id) == NOW + 50
    (three,) = await store.frontier.lease(job.id, "h4", 5, 30, now=NOW + 51)
    assert (three.key, three.attempts, three.interruptions) == (one.key, 1, 1)

    counters = await store.frontier.commit(job.id, "h4", [handled(three, [b"{}"])])

    assert (counters.fetched, counters.attempted, counters.fresh, counters.leased) == (1, 1, 0, 0)
    assert await store.frontier.recount(job.id) == counters
    assert await store.frontier.failures(job.id) == ([], 0)
    assert await store.frontier.next_due(job.id) is None
