import asyncio

from scrapemaster.crawl.lore import Lore
from scrapemaster.domain.choices import Choices
from scrapemaster.domain.escalation import Finding, HostLore, Lesson, LookLore, Reason, Signs, Step
from scrapemaster.domain.ids import UserId, new_job_id
from scrapemaster.domain.job import Job, JobConfig

PAGE = Signs("look", scripts=True)
SAME = Lesson("h", "", "look", Finding.SAME)


def lore(*urls, choices=None, **config):
    config = JobConfig(**config)
    return Lore(
        Job(
            new_job_id(),
            UserId("a"),
            urls or ["http://h/1", "http://h/2"],
            {},
            config,
            0.0,
            choices=choices or Choices(),
        )
    )


async def test_while_one_page_is_rendered_on_trial_those_like_it_wait_and_then_follow_it():
    known = lore()
    first, trial = await known.choose("h", PAGE)
    waiting = asyncio.create_task(known.choose("h", PAGE))
    other, other_trial = await known.choose("h", Signs("other", scripts=True))
    await asyncio.sleep(0)

    assert (first.step, first.sample, waiting.done()) == (Step.RENDER, True, False)
    assert (other.step, other_trial is not None) == (Step.RENDER, True)
    known.learn(SAME)
    known.ended("h", PAGE, trial)
    assert (await waiting)[0].why is Reason.LEARNED


async def test_a_trial_that_taught_nothing_is_the_next_pages_to_make():
    known = lore()
    _, trial = await known.choose("h", PAGE)
    waiting = asyncio.create_task(known.choose("h", PAGE))
    await asyncio.sleep(0)

    known.ended("h", PAGE, trial)

    choice, own = await waiting
    assert (choice.step, own is not None) == (Step.RENDER, True)


async def test_what_other_workers_learnt_is_taken_over_unless_less_is_known_there():
    theirs = HostLore(3, {"look": LookLore(1, since=2)})
    known = lore()

    known.heed(Choices(hosts={"h": theirs}))
    assert known.of("h") == theirs
    for _ in range(2):
        known.learn(SAME)
    known.heed(Choices(hosts={"h": HostLore(4, {})}))

    assert known.of("h").looks == {"look": LookLore(3)}


def test_others_follow_where_links_are_followed_or_several_urls_have_the_host():
    assert lore("http://h/1", "http://h/2", "http://g/").more("h")
    assert not lore("http://h/1", "http://g/").more("h")
    assert lore("http://h/", follow_links=True, max_pages=5).more("g")
    assert not lore("http://h/", follow_links=True, max_pages=1).more("h")


def test_a_new_process_begins_with_what_the_job_knows():
    theirs = HostLore(3, {"look": LookLore(1, since=2)})

    assert lore(choices=Choices(hosts={"h": theirs})).of("h") == theirs
