"""What a store keeps of what the `auto` engine chose and learnt."""

import pytest

from contract.conftest import failed, handled, retried, running_job
from scrapemaster.domain.choices import Choices
from scrapemaster.domain.errors import LeaseLost
from scrapemaster.domain.escalation import Finding, HostLore, Lesson, LookLore, Reason, SectionLore
from scrapemaster.domain.took import Expense, Took


async def leased(store, job, limit=10):
    return await store.frontier.lease(job.id, "h", limit, 30.0, now=1_002.0)


def plain(finding=Finding.SAME, why=Reason.CHECKED, **changes):
    lesson = Lesson("site", "shop", "look", finding)
    return Took("http", why, Expense(1, 100, 10), **changes, lesson=lesson)


def rendered(why=Reason.SCRIPT_SHELL):
    lesson = Lesson("site", "shop", "look", Finding.CHANGED)
    return Took("browser", why, Expense(1, 100, 10), Expense(1, 900, 500), lesson)


async def test_choices_add_up_over_commits_and_lessons_are_learnt_in_order(store):
    job = await running_job(store, "a", "b", "c", "d")
    one, two, three, four = await leased(store, job)
    assert (await store.jobs.get(job.id)).choices == Choices()

    await store.frontier.commit(job.id, "h", [handled(one, [b"{}"], took=plain())])
    await store.frontier.commit(
        job.id,
        "h",
        [
            retried(two, 0.0, took=rendered()),
            handled(three, [b"{}"], took=plain(Finding.KEPT, Reason.LEARNED)),
            failed(four, took=plain(Finding.KEPT, Reason.LEARNED)),
        ],
    )

    stored = (await store.jobs.get(job.id)).choices
    assert stored.pages == {"http/checked": 1, "http/learned": 2}
    assert (stored.http, stored.browser) == (Expense(4, 400, 40), Expense(1, 900, 500))
    assert stored.hosts == {"site": HostLore(4, {"look": LookLore(0, changed=True, since=2)}, {})}


async def test_what_was_learnt_of_sections_is_kept(store):
    job = await running_job(store, "a")
    (one,) = await leased(store, job)
    await store.frontier.commit(job.id, "h", [handled(one, [b"{}"], took=rendered())])

    hosts = (await store.jobs.get(job.id)).choices.hosts

    assert hosts["site"].sections == {"shop": SectionLore(1, 0, 0)}


async def test_rows_say_which_engine_they_are_from_and_why(store):
    job = await running_job(store, "a", "b", "c")
    one, two, three = await leased(store, job)
    await store.frontier.commit(
        job.id,
        "h",
        [
            handled(one, [b"{}", b"{}"], took=rendered()),
            handled(two, [b"{}"], took=plain()),
            handled(three, [b"{}"]),
        ],
    )

    rows = await store.results.page(job.id)

    assert [row.way for row in rows] == ["browser/script_shell"] * 2 + ["http/checked", None]
    found, _ = await store.results.search(job.id, "site")
    assert [row.way for row in found] == [row.way for row in rows]


async def test_a_refused_commit_teaches_nothing(store):
    job = await running_job(store, "a")
    (one,) = await leased(store, job)
    await store.frontier.commit(job.id, "h", [handled(one, [], took=plain())])
    before = (await store.jobs.get(job.id)).choices

    with pytest.raises(LeaseLost):
        await store.frontier.commit(job.id, "h", [handled(one, [], took=rendered())])

    assert (await store.jobs.get(job.id)).choices == before


async def test_the_log_says_when_pages_are_rendered_few_times_and_why(store):
    names = [f"p{number}" for number in range(12)]
    job = await running_job(store, *names)
    for one in await leased(store, job, 12):
        await store.frontier.commit(job.id, "h", [handled(one, [], took=rendered())])

    lines = [line for line in await store.log.page(job.id) if line.event == "engine_chosen"]

    assert [line.message.partition(" rendered")[0] for line in lines] == ["1 page", "2 pages so far", "5 pages so far", "10 pages so far"]  # fmt: skip
    assert "script_shell: http://site/p" in lines[0].message
