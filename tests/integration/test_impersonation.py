"""What goes over the wire when a browser is imitated: headers of a plain request, and the first message of TLS."""

import asyncio
import contextlib
import re
import struct
from ipaddress import ip_network

import pytest
from awkward import awkward_site

from scrapemaster.domain.errors import InvalidInput, PageError
from scrapemaster.domain.ids import UserId, new_job_id
from scrapemaster.domain.job import Job, JobConfig
from scrapemaster.engines.http import HttpEngine
from scrapemaster.fetch.client import impersonations
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.throttle import Throttle
from scrapemaster.services.jobs import JobOrder, job_of

PLATFORMS = {'"macOS"': "Macintosh", '"Windows"': "Windows", '"Linux"': "Linux", '"Android"': "Android"}
#: Each browser family's way to say who it is, in a User-Agent and in client hints.
BRANDS = {"OPR/": "Opera", "Edg/": "Microsoft Edge", "Chrome/": "Chromium"}


async def fetch(url, **config):
    engine = HttpEngine(EgressPolicy([ip_network("127.0.0.0/8")]), Throttle(8))
    job = Job(
        id=new_job_id(),
        owner=UserId("ada"),
        urls=[url],
        selectors={},
        config=JobConfig(respect_robots=False, timeout=5.0, **config),
        created_at=0.0,
    )
    try:
        return await engine.open(job).fetch(url)
    finally:
        await engine.close()


async def test_every_profile_says_one_thing_in_all_its_headers():
    async with awkward_site() as site:
        for profile in impersonations():
            site.seen.clear()
            await fetch(site.url("/page"), impersonate=profile)
            (request,) = site.seen
            headers, agent = request.headers, request.headers["user-agent"]
            assert agent, profile
            assert "ScrapeMaster" not in str(headers), profile
            hints = headers.get("sec-ch-ua")
            if hints is not None:
                for mark, brand in BRANDS.items():
                    if mark in agent:
                        version = agent.partition(mark)[2].partition(".")[0]
                        assert f'"{brand}";v="{version}"' in hints, (profile, agent, hints)
                assert PLATFORMS[headers["sec-ch-ua-platform"]] in agent, (profile, agent)
                assert (headers["sec-ch-ua-mobile"] == "?1") == ("Mobile" in agent), (profile, agent)
            else:
                assert "Chrome/" not in agent or int(re.search(r"Chrome/(\d+)", agent)[1]) < 90, profile
            family = re.match(r"[a-z]+", profile)[0]
            named = {
                "firefox": "Firefox/",
                "safari": "Safari/",
                "chrome": "Chrome/",
                "edge": "Edg/",
                "opera": "OPR/",
            }
            assert named.get(family.removesuffix("ios").removesuffix("ipad"), "") in agent, (profile, agent)


async def test_languages_that_are_asked_for_take_the_place_of_the_profiles():
    async with awkward_site() as site:
        await fetch(site.url("/page"), impersonate="chrome137", headers={"Accept-Language": "de"})

    assert site.seen[0].headers["accept-language"] == "de"
    assert "Chrome/137" in site.seen[0].headers["user-agent"]


async def hello(profile):
    """The cipher suites of the first message of TLS, and whether it has GREASE (RFC 8701)."""
    heard = asyncio.get_running_loop().create_future()

    async def listen(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError):
            kind, _, length = struct.unpack("!BHH", await reader.readexactly(5))
            body = await reader.readexactly(length)
            if kind == 22 and not heard.done():
                heard.set_result(body)
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(PageError):
        await fetch(f"https://127.0.0.1:{port}/", impersonate=profile)
    server.close()
    body = await heard
    at = 4 + 2 + 32
    at += 1 + body[at]
    (size,) = struct.unpack_from("!H", body, at)
    suites = struct.unpack_from(f"!{size // 2}H", body, at + 2)
    return suites, any(suite & 0x0F0F == 0x0A0A for suite in suites)


async def test_the_first_message_of_tls_is_that_of_the_browser_that_the_headers_name():
    chrome, firefox, safari, plain = [
        await hello(profile) for profile in ("chrome137", "firefox142", "safari18", None)
    ]

    assert (chrome[1], firefox[1], safari[1]) == (True, False, True)
    assert len({frozenset(one[0]) for one in (chrome, firefox, safari)}) == 3
    assert set(plain[0]) != set(firefox[0])


@pytest.mark.parametrize(
    ("config", "where"),
    [
        ({"user_agent": "Mine/1"}, ("config", "user_agent")),
        ({"headers": {"User-Agent": "Mine/1"}}, ("config", "headers")),
        ({"headers": {"Sec-CH-UA": '"Mine";v="1"'}}, ("config", "headers")),
        ({"headers": {"sec-ch-ua-platform": '"Linux"'}}, ("config", "headers")),
    ],
)
def test_what_would_contradict_the_browser_is_refused(config, where):
    order = JobOrder(["http://shop.test/"], JobConfig(impersonate="chrome137", **config))

    with pytest.raises(InvalidInput, match="impersonate") as caught:
        job_of(order, UserId("ada"), 0.0)
    assert caught.value.where == where


def test_what_contradicts_nothing_is_taken():
    for config in ({"headers": {"Accept-Language": "de", "X-Mine": "1"}}, {}):
        assert job_of(
            JobOrder(["http://shop.test/"], JobConfig(impersonate="chrome137", **config)), UserId("ada"), 0.0
        )
    assert job_of(JobOrder(["http://shop.test/"], JobConfig(user_agent="Mine/1")), UserId("ada"), 0.0)
