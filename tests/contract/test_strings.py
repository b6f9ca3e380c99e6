import json

from contract.conftest import failed, handled, make_job, request_of, running_job
from scrapemaster.domain.selector import Selector
from scrapemaster.ports.jobs import JobQuery

HOSTILE = [
    '{"$gt": ""}',
    "$where",
    "a.b",
    ".",
    "$",
    "",
    "nul\0here",
    "' OR 1=1 --",
    "__proto__",
    "\u2028",
    "名😀",
]


async def test_H32_what_a_user_orders_comes_back_to_the_letter(store):
    job = make_job(
        name="$ne\0.",
        tags=[text for text in HOSTILE if text],
        meta={key: {key: [key, 2**80, -(2**63) - 1, 1e308, None, True]} for key in HOSTILE},
        selectors={key: Selector(key) for key in HOSTILE},
        selectors_asked={key: {"$set": {key: key}} for key in HOSTILE},
        config_asked={"headers": {"$inc": "a.b"}},
    )

    await store.jobs.add(job, [request_of("")])

    stored = await store.jobs.get(job.id)
    assert stored.meta == job.meta
    assert {name: one.selector for name, one in stored.selectors.items()} == {key: key for key in HOSTILE}
    assert (stored.name, list(stored.tags)) == (job.name, job.tags)
    assert (stored.selectors_asked, stored.config_asked) == (job.selectors_asked, job.config_asked)


async def test_H32_operators_in_a_query_are_looked_for_literally(store):
    plain, hostile = make_job(name="plain", tags=["plain"]), make_job(name="x{$gt}.*y", tags=["$gt"])
    for job in (plain, hostile):
        await store.jobs.add(job, [])

    async def found(**query):
        jobs, total = await store.jobs.find(JobQuery(**query))
        assert len(jobs) == total
        return [job.id for job in jobs]

    assert await found(text="{$gt}.*") == [hostile.id]
    assert await found(tag="$gt") == [hostile.id]
    for text in (".*", "$regex", '{"$gt": ""}', "(?", "\\", "$name"):
        assert plain.id not in await found(text=text)
        assert plain.id not in await found(tag=text)
    assert await found(owner='{"$ne": null}') == []
    assert await store.users.by_name('{"$gt": ""}') is None


async def test_H32_rows_with_any_keys_and_numbers_are_served_to_the_byte(store):
    job = await running_job(store, "a")
    (one,) = await store.frontier.lease(job.id, "h", 5, 30, now=2_000.0)
    items = [json.dumps({key: [key, 2**80, "\ud800"]}).encode() for key in HOSTILE]

    await store.frontier.commit(job.id, "h", [handled(one, items)])

    assert [row.data for row in await store.results.page(job.id)] == items


async def test_a_row_may_be_larger_than_any_document(store):
    job = await running_job(store, "a", "b")
    one, two = await store.frontier.lease(job.id, "h", 5, 30, now=2_000.0)
    large = b'"' + bytes(range(97, 122)) * 1_200_000 + b'"'

    await store.frontier.commit(job.id, "h", [handled(one, [b'"before"', large, b'"after"'])])
    await store.frontier.commit(job.id, "h", [handled(two, [b'"last"'])])

    rows = [row async for batch in store.results.stream(job.id, batch=2) for row in batch]
    assert [row.seq for row in rows] == [1, 2, 3, 4]
    assert rows[1].data == large
    assert [rows[at].data for at in (0, 2, 3)] == [b'"before"', b'"after"', b'"last"']
    assert (await store.frontier.recount(job.id)).items == 4


async def test_an_order_may_be_larger_than_any_document(store):
    urls = [f"http://site/{number:05}{'x' * 2_000}" for number in range(10_000)]
    job = make_job(urls=urls, meta={"note": "é" * 1_000_000})

    await store.jobs.add(job, [])

    stored = await store.jobs.get(job.id)
    assert (stored.urls, stored.meta) == (urls, job.meta)
    assert [one.id for one in (await store.jobs.find(JobQuery(text="/09999xx")))[0]] == [job.id]


async def test_reasons_and_details_are_text(store):
    job = await running_job(store, "a")
    (one,) = await store.frontier.lease(job.id, "h", 5, 30, now=2_000.0)

    await store.frontier.commit(job.id, "h", [failed(one, "a.$b")])

    assert await store.frontier.reasons(job.id) == {"a.$b": 1}
