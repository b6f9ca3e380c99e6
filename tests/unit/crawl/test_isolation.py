"""Processes that may hang or die without harm."""

import asyncio
import os
import signal

import pytest

from scrapemaster.crawl.isolated_messages import PlanSpec, Task, pack
from scrapemaster.crawl.isolation import Isolation
from scrapemaster.domain.errors import GiveUpPage
from scrapemaster.extract.selectors import parse_selectors

NESTED = b"<div><p class=x>t</p>" * 1_900
ENDLESS = "//div[count(.//p[count(following::p[count(preceding::p) > 0]) > 0]) > 5]"


def task(selectors, body, seconds=60.0, kind="text/html", *, links=False):
    spec = pack(PlanSpec(parse_selectors(selectors), None))
    return Task(spec, body, "http://site/", kind, links=links, matches=False, seconds=seconds)


@pytest.fixture
async def isolation():
    pool = Isolation()
    yield pool
    await pool.close()


async def test_an_isolated_page_yields_what_it_would_yield_anywhere(isolation):
    done = await isolation.extract("a", task({"t": "h1::text"}, b"<h1>\xc3\xa9</h1><a href=x>", links=True))

    assert (done.found.items, done.found.links, done.found.fill) == (['{"t":"é"}'.encode()], ["x"], {"t": 1})


async def test_H26_what_takes_long_is_not_waited_for_by_what_follows(isolation):
    # Its time is much more than it takes to start a process on a busy machine.
    endless = asyncio.create_task(isolation.extract("a", task({"x": ENDLESS}, NESTED, 600.0)))
    quick = await isolation.extract("b", task({"t": "h1::text"}, b"<h1>x</h1>"))

    assert not endless.done()
    assert quick.found.items == [b'{"t":"x"}']
    endless.cancel()
    await asyncio.gather(endless, return_exceptions=True)


async def test_H26_what_takes_too_long_ends_and_its_owner_is_served_again(isolation):
    with pytest.raises(GiveUpPage, match="extract_timeout"):
        await isolation.extract("a", task({"x": ENDLESS}, NESTED, 2.0))

    assert (await isolation.extract("a", task({"t": "h1::text"}, b"<h1>x</h1>"))).found.items


async def test_H17_what_takes_too_much_memory_fails_alone():
    small = Isolation(memory=600)
    selector = "xpath:string-length(concat(" + ",".join(["string(/)"] * 60) + "))"
    try:
        with pytest.raises(GiveUpPage) as caught:
            await small.extract("a", task({"x": selector}, b"<p>" + b"x" * 10_000_000))
        assert caught.value.reason in {"extract_memory", "selector_error", "bad_markup", "poison"}
        assert (await small.extract("a", task({"t": "h1::text"}, b"<h1>x</h1>"))).found.items
    finally:
        await small.close()


async def test_H47_a_page_at_which_the_process_dies_is_tried_anew_and_then_poison(isolation):
    work = asyncio.create_task(isolation.extract("a", task({"x": ENDLESS}, NESTED), tries=2))
    killed = []
    while not work.done():
        for process in list(isolation._all):
            if process.pid not in killed:
                killed.append(process.pid)
                await asyncio.sleep(0.3)
                os.kill(process.pid, signal.SIGKILL)
        await asyncio.sleep(0.01)

    with pytest.raises(GiveUpPage, match="SIGKILL") as caught:
        await work
    assert caught.value.reason == "poison"
    assert len(killed) == 2


async def test_a_cancelled_extraction_leaves_no_process_at_work(isolation):
    work = asyncio.create_task(isolation.extract("a", task({"x": ENDLESS}, NESTED)))
    while not isolation._all:  # noqa: ASYNC110 -- the pool tells nobody
        await asyncio.sleep(0.01)
    (process,) = isolation._all

    work.cancel()
    await asyncio.gather(work, return_exceptions=True)

    assert process.returncode is not None
    assert not isolation._all


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [(b"[" * 100_000, "application/json", "bad_json"), (b"x", "image/png", "not_html")],
)
async def test_a_page_that_fails_there_fails_with_its_reason(isolation, body, kind, reason):
    with pytest.raises(GiveUpPage) as caught:
        await isolation.extract("a", task({"a": "$.a"}, body, kind=kind))
    assert caught.value.reason == reason
