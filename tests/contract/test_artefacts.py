from contract.conftest import make_job, running_job
from scrapemaster.domain.ids import UserId
from scrapemaster.domain.rendering import Artefact, ArtefactKind, artefact_id
from scrapemaster.ports.artefacts import CHUNK_BYTES

PLENTY = 10**9


def artefact(job, name, part=0, kind=ArtefactKind.SCREENSHOT):
    return Artefact(artefact_id(job.id, name.encode(), part), job.id, f"http://site/{name}", kind, 0, 1_003.0)


async def content(store, one):
    return [chunk async for chunk in store.artefacts.read(one.id)]


async def test_what_was_put_is_found_in_its_order_with_its_size(store):
    job = await running_job(store, "a")
    for number in range(5):
        assert await store.artefacts.put(artefact(job, f"p{number}"), b"x" * number, budget=PLENTY)

    found, total = await store.artefacts.find(job.id)
    some, _ = await store.artefacts.find(job.id, skip=1, limit=2)

    assert total == 5
    assert [one.size for one in found] == [0, 1, 2, 3, 4]
    assert [one.url for one in some] == ["http://site/p1", "http://site/p2"]
    assert (found[0].job_id, found[0].kind, found[0].created_at) == (job.id, ArtefactKind.SCREENSHOT, 1_003.0)
    assert await store.artefacts.get(found[3].id) == found[3]


async def test_bytes_come_back_as_they_were_in_chunks(store):
    job = await running_job(store, "a")
    data = bytes(range(256)) * 12_000
    one = artefact(job, "p", kind=ArtefactKind.PDF)

    await store.artefacts.put(one, data, budget=PLENTY)

    chunks = await content(store, one)
    assert b"".join(chunks) == data
    assert max(map(len, chunks)) <= CHUNK_BYTES


async def test_one_that_is_put_again_takes_the_place_of_the_first(store):
    job = await running_job(store, "a")
    one, two = artefact(job, "p"), artefact(job, "q")
    await store.artefacts.put(one, b"long ago" * CHUNK_BYTES, budget=PLENTY)
    await store.artefacts.put(two, b"between", budget=PLENTY)

    await store.artefacts.put(one, b"now", budget=PLENTY)

    found, total = await store.artefacts.find(job.id)
    assert (total, [found[0].id, found[1].id], found[0].size) == (2, [one.id, two.id], 3)
    assert await content(store, one) == [b"now"]


async def test_a_job_has_no_more_bytes_than_its_budget(store):
    job, other = await running_job(store, "a"), await running_job(store, "a")
    assert await store.artefacts.put(artefact(job, "p"), b"12345", budget=10)
    assert await store.artefacts.put(artefact(other, "p"), b"12345", budget=10)

    assert not await store.artefacts.put(artefact(job, "q"), b"123456", budget=10)
    assert await store.artefacts.put(artefact(job, "p"), b"1234567890", budget=10)

    assert [one.size for one in (await store.artefacts.find(job.id))[0]] == [10]


async def test_they_go_with_their_job(store):
    job, other = await running_job(store, "a"), await running_job(store, "a")
    await store.artefacts.put(artefact(job, "p"), b"gone", budget=PLENTY)
    await store.artefacts.put(artefact(other, "p"), b"kept", budget=PLENTY)

    await store.jobs.delete(job.id)

    assert await store.artefacts.find(job.id) == ([], 0)
    assert await store.artefacts.get(artefact(job, "p").id) is None
    assert await content(store, artefact(job, "p")) == []
    assert await content(store, artefact(other, "p")) == [b"kept"]
    assert not await store.artefacts.put(artefact(job, "q"), b"late", budget=PLENTY)


async def test_they_go_with_their_jobs_owner(store):
    job = await running_job(store, "a", owner="bob")
    await store.artefacts.put(artefact(job, "p"), b"gone", budget=PLENTY)

    await store.jobs.delete_of(UserId("bob"))

    assert await store.artefacts.get(artefact(job, "p").id) is None


async def test_there_are_none_of_a_job_that_is_not_known(store):
    job = make_job()

    assert await store.artefacts.find(job.id) == ([], 0)
    assert not await store.artefacts.put(artefact(job, "p"), b"x", budget=PLENTY)
