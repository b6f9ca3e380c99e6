"""The `http` engine against a server that misbehaves in every way."""

import asyncio
import ssl
import subprocess
import time
from ipaddress import ip_address, ip_network

import pytest
from awkward import awkward_site, response

from scrapemaster.domain.errors import GiveUpPage, RetryPage
from scrapemaster.domain.ids import UserId, new_job_id
from scrapemaster.domain.job import Job, JobConfig
from scrapemaster.engines.http import HttpEngine
from scrapemaster.fetch.egress import EgressPolicy, system_resolver
from scrapemaster.fetch.throttle import Throttle

NAMES = {"shop.test": "127.0.0.1", "other.test": "127.0.0.1", "dotted.test.": "127.0.0.1", "lost.test": None}


async def resolver(host):
    if host in NAMES:
        if NAMES[host] is None:
            raise OSError("no such name")
        return [ip_address(NAMES[host])]
    return await system_resolver(host)


@pytest.fixture
async def site():
    async with awkward_site() as running:
        yield running


@pytest.fixture
async def engine():
    engine = HttpEngine(EgressPolicy([ip_network("127.0.0.1/32")], resolver=resolver), Throttle(32))
    yield engine
    await engine.close()


def source(engine, url, **config):
    values = {"respect_robots": False, "timeout": 5.0, **config}
    job = Job(
        id=new_job_id(),
        owner=UserId("ada"),
        urls=[url],
        selectors={},
        config=JobConfig(**values),
        created_at=0.0,
    )
    return engine.open(job)


async def fetch(engine, url, **config):
    return await source(engine, url, **config).fetch(url)


async def refused(engine, url, **config):
    with pytest.raises((GiveUpPage, RetryPage)) as caught:
        await fetch(engine, url, **config)
    return caught.value


async def test_a_page_comes_with_its_url_status_headers_and_times(engine, site):
    page = await fetch(engine, site.url("/page"))

    assert (page.url, page.status, page.body, page.redirects) == (
        site.url("/page"),
        200,
        b"<title>page</title>",
        (),
    )
    assert page.content_type == "text/html"
    assert dict(page.headers)["content-length"] == "19"
    assert 0 < page.elapsed < 5
    assert abs(page.fetched_at - time.time()) < 5


@pytest.mark.parametrize("packing", ["gzip", "br", "deflate"])
async def test_packed_bodies_are_unpacked(engine, site, packing):
    assert (await fetch(engine, site.url(f"/{packing}"))).body == b"<title>packed</title>"


@pytest.mark.parametrize("packing", ["gzip", "br", "deflate", "zstd", "nested"])
async def test_H11_a_bomb_stops_at_the_limit_of_unpacked_bytes(engine, site, packing):
    error = await refused(engine, site.url(f"/{packing}-bomb"), max_body_bytes=1_000_000)

    assert isinstance(error, GiveUpPage)
    assert error.reason == ("bad_encoding" if packing == "nested" else "body_too_large")


async def test_H11_a_broken_packing_fails_the_page(engine, site):
    assert (await refused(engine, site.url("/bad-gzip"))).reason in {
        "body_broken",
        "body_incomplete",
        "network_error",
    }


@pytest.mark.parametrize("path", ["/endless", "/endless-chunks", "/long"])
async def test_H12_an_endless_or_long_body_stops_at_the_limit(engine, site, path):
    assert (await refused(engine, site.url(path), max_body_bytes=1_000_000)).reason == "body_too_large"


@pytest.mark.parametrize("path", ["/slow", "/drip"])
async def test_H12_a_slow_page_ends_at_its_timeout(engine, site, path):
    began = time.monotonic()

    error = await refused(engine, site.url(path), timeout=0.6)

    assert isinstance(error, RetryPage)
    assert error.reason == "timeout"
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("path", ["/half", "/chunks-cut"])
async def test_H12_a_body_shorter_than_it_says_is_not_taken_for_whole(engine, site, path):
    error = await refused(engine, site.url(path))

    assert isinstance(error, RetryPage)
    assert error.reason == "body_incomplete"


@pytest.mark.parametrize("path", ["/many-headers", "/huge-header"])
async def test_H13_too_many_and_too_long_headers_fail_the_page(engine, site, path):
    assert (await refused(engine, site.url(path))).reason == "headers_too_large"


@pytest.mark.parametrize(
    "sent",
    [
        "hello%0D%0A%0D%0A",
        "%3Chtml%3Ehi",
        "HTTP/1.1 99999 X%0D%0A%0D%0A",
        "HTTP/1.1 200 OK%0D%0Abad header%0D%0A%0D%0A",
        "%00%FF%00",
    ],
)
async def test_H13_what_is_not_http_fails_the_page(engine, site, sent):
    error = await refused(engine, site.url(f"/raw?bytes={sent}"))

    assert error.reason in {"bad_response", "connection_reset"}


async def test_H14_a_name_that_does_not_resolve_is_said(engine):
    error = await refused(engine, "http://lost.test/")

    assert isinstance(error, RetryPage)
    assert error.reason == "dns_failure"
    assert "lost.test" in error.detail


async def test_H14_a_self_signed_certificate_is_refused_unless_the_job_opts_out(engine, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=shop.test"]
        + ["-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response("<title>secret</title>"))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    url = f"https://shop.test:{server.sockets[0].getsockname()[1]}/"
    try:
        error = await refused(engine, url)
        page = await fetch(engine, url, verify_tls=False)
    finally:
        server.close()

    assert isinstance(error, GiveUpPage)
    assert error.reason == "tls_error"
    assert page.body == b"<title>secret</title>"


@pytest.mark.parametrize(("code", "kind"), [(404, GiveUpPage), (403, GiveUpPage), (410, GiveUpPage), (501, GiveUpPage),
                                            (408, RetryPage), (429, RetryPage), (500, RetryPage), (502, RetryPage), (503, RetryPage)])  # fmt: skip
async def test_a_status_says_whether_to_try_again(engine, site, code, kind):
    error = await refused(engine, site.url(f"/status?code={code}"))

    assert type(error) is kind
    assert (error.reason, error.status) == (f"http_{code}", code)


@pytest.mark.parametrize(
    ("value", "expected"), [("7", 7.0), ("999999999999", 3_600.0), ("-5", None), ("soon", None)]
)
async def test_H15_retry_after_is_kept_and_capped_at_an_hour(engine, site, value, expected):
    error = await refused(engine, site.url(f"/status?code=429&retry_after={value}"))

    assert error.retry_after == expected


async def test_H15_a_host_that_asks_to_wait_is_left_alone(engine, site):
    pages = source(engine, site.url("/"))
    with pytest.raises(RetryPage):
        await pages.fetch(site.url("/status?code=503&retry_after=30"))

    assert pages.ready_at(site.url("/page")) > time.monotonic() + 25


async def test_H05_ten_redirects_are_followed_and_no_more(engine, site):
    assert (await fetch(engine, site.url("/hops?left=10"))).body == b"<title>arrived</title>"
    assert (await refused(engine, site.url("/hops?left=11"))).reason == "too_many_redirects"


@pytest.mark.parametrize(
    "to",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "javascript:1",
        "data:,x",
        "http://u:p@127.0.0.1/",
        "http://[::1",
    ],
)
async def test_H07_redirects_to_other_schemes_are_not_followed(engine, site, to):
    assert (await refused(engine, site.url(f"/moved?to={to}"))).reason == "bad_redirect"


@pytest.mark.parametrize(
    "to", ["http://127.0.0.2/", "http://10.0.0.1/", "http://169.254.169.254/latest", "http://2130706434/"]
)
async def test_H05_every_hop_is_vetted(engine, site, to):
    error = await refused(engine, site.url(f"/moved?to={to}"))

    assert isinstance(error, GiveUpPage)
    assert error.reason == "egress_denied"
    assert "SCRAPEMASTER_EGRESS_ALLOW" in error.detail


async def test_H02_a_trailing_dot_means_the_same_host(engine, site):
    assert b"echo" in (await fetch(engine, site.url("/echo", "dotted.test."))).body


async def test_H04_a_name_that_changes_its_address_is_never_followed_there(site):
    answers = [["127.0.0.1"], ["127.0.0.2"]]

    async def rebinding(_host):
        return [ip_address(text) for text in (answers.pop(0) if len(answers) > 1 else answers[0])]

    engine = HttpEngine(EgressPolicy([ip_network("127.0.0.1/32")], resolver=rebinding), Throttle(8))
    url = site.url("/page", "rebind.test")
    assert (await fetch(engine, url)).status == 200
    engine.roads.egress._cache.clear()

    assert (await refused(engine, url)).reason == "egress_denied"
    assert {request.headers["host"] for request in site.seen} == {f"rebind.test:{site.port}"}
    await engine.close()


async def test_H04_a_name_with_one_private_address_is_refused(site):
    async def mixed(_host):
        return [ip_address("93.184.216.34"), ip_address("127.0.0.1")]

    engine = HttpEngine(EgressPolicy(resolver=mixed), Throttle(8))

    assert (await refused(engine, site.url("/page", "mixed.test"))).reason == "egress_denied"
    assert site.seen == []


async def test_H06_a_proxy_goes_through_the_policy_too(site):
    engine = HttpEngine(EgressPolicy([ip_network("127.0.0.1/32")], resolver=resolver), Throttle(8))

    error = await refused(engine, site.url("/page"), proxy="http://169.254.169.254:3128")

    assert error.reason == "egress_denied"
    assert "proxy" in error.detail
    assert site.seen == []


async def test_H06_robots_and_sitemaps_go_through_the_policy_too(site):
    engine = HttpEngine(EgressPolicy(resolver=resolver), Throttle(8))

    assert (await refused(engine, site.url("/page"), respect_robots=True)).reason == "egress_denied"
    assert await source(engine, site.url("/")).sitemap_urls(site.url("/"), 10) == []
    assert site.seen == []


async def test_H23_robots_rules_are_obeyed_and_fetched_once(engine, site):
    site.robots = b"\xef\xbb\xbfUser-agent: ScrapeMaster\nDisallow: /page\nUser-agent: *\nDisallow: /\n"
    pages = source(engine, site.url("/"), respect_robots=True)

    with pytest.raises(GiveUpPage) as caught:
        await pages.fetch(site.url("/page"))
    results = await asyncio.gather(*(pages.fetch(site.url("/echo")) for _ in range(5)))

    assert caught.value.reason == "robots_denied"
    assert len(results) == 5
    assert (site.hits["/robots.txt"], site.hits["/page"]) == (1, 0)


async def test_H23_a_redirect_into_what_robots_forbids_is_refused(engine, site):
    site.robots = b"User-agent: *\nDisallow: /page\n"

    assert (await refused(engine, site.url("/moved?to=/page"), respect_robots=True)).reason == "robots_denied"
    assert site.hits["/page"] == 0


@pytest.mark.parametrize(("robots", "reason"), [(503, "robots_unreachable"), (500, "robots_unreachable")])
async def test_H23_a_server_error_for_robots_forbids_the_site(engine, site, robots, reason):
    site.robots = robots

    error = await refused(engine, site.url("/page"), respect_robots=True)

    assert isinstance(error, RetryPage)
    assert error.reason == reason
    assert site.hits["/page"] == 0


@pytest.mark.parametrize(
    "robots", [404, 401, 403, 410, b"", b"\xff\xfe\x00garbage", b"<html><body>Disallow: /"]
)
async def test_H23_no_or_unreadable_robots_allow_the_site(engine, site, robots):
    site.robots = robots

    assert (await fetch(engine, site.url("/page"), respect_robots=True)).status == 200


async def test_H23_only_the_first_500_kib_of_robots_count(engine, site):
    site.robots = b"#" * 600_000 + b"\nUser-agent: *\nDisallow: /\n"

    assert (await fetch(engine, site.url("/page"), respect_robots=True)).status == 200


async def test_crawl_delay_keeps_requests_apart(engine, site):
    site.robots = b"User-agent: *\nCrawl-delay: 0.3\n"
    pages = source(engine, site.url("/"), respect_robots=True)
    await pages.fetch(site.url("/page"))

    began = time.monotonic()
    await asyncio.gather(*(pages.fetch(site.url("/page")) for _ in range(2)))

    assert time.monotonic() - began >= 0.55


async def test_sitemaps_are_read_through_indexes_and_packing(engine, site):
    pages = source(engine, site.url("/"))

    assert await pages.sitemap_urls(site.url("/"), 10) == [site.url("/page"), site.url("/echo")]
    assert await pages.sitemap_urls(site.url("/"), 1) == [site.url("/page")]


async def test_impersonation_and_user_agent_reach_the_server(engine, site):
    plain = await fetch(engine, site.url("/echo"))
    named = await fetch(engine, site.url("/echo"), user_agent="Ada/1.0")
    posing = await fetch(engine, site.url("/echo"), impersonate="chrome137")

    assert b"ScrapeMaster" in plain.body
    assert b"user-agent: Ada/1.0" in named.body
    assert b"Chrome/137" in posing.body


async def test_a_cancelled_fetch_gives_its_place_back(site):
    engine = HttpEngine(EgressPolicy([ip_network("127.0.0.1/32")]), Throttle(1))
    pages = source(engine, site.url("/"))
    slow = asyncio.create_task(pages.fetch(site.url("/slow")))
    await asyncio.sleep(0.1)
    waiting = asyncio.create_task(pages.fetch(site.url("/page")))
    await asyncio.sleep(0.05)
    assert not waiting.done()

    slow.cancel()

    assert (await asyncio.wait_for(waiting, 2)).status == 200
    await engine.close()
