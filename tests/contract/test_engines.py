"""Every engine under one suite: an engine is a function that makes one over an egress policy and a throttle."""

import asyncio
import gzip
import os
import shutil
import time
from ipaddress import ip_address, ip_network

import pytest
import pytest_asyncio
from awkward import PAGES, awkward_site, fixed, response

from scrapemaster.domain.errors import GiveUpPage, RetryPage
from scrapemaster.domain.ids import UserId, new_job_id
from scrapemaster.domain.job import Job, JobConfig
from scrapemaster.domain.scrapy_settings import ScrapyRules
from scrapemaster.engines.auto import AutoEngine
from scrapemaster.engines.browser import BrowserEngine
from scrapemaster.engines.http import HttpEngine
from scrapemaster.engines.scrapy import ScrapyEngine
from scrapemaster.extract.plan import compile_plan
from scrapemaster.extract.selectors import parse_selectors
from scrapemaster.fetch.browser.pool import PoolRules
from scrapemaster.fetch.egress import EgressPolicy, system_resolver
from scrapemaster.fetch.throttle import Throttle

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = {"shop.test": "127.0.0.1", "other.test": "127.0.0.1", "lost.test": None}


async def resolver(host):
    if host in NAMES:
        if NAMES[host] is None:
            raise OSError("no such name")
        return [ip_address(NAMES[host])]
    return await system_resolver(host)


def http(egress, throttle):
    return HttpEngine(egress, throttle)


def browser(egress, throttle):
    if shutil.which("chromium") is None:
        assert os.environ.get("CI") != "true", "CI must install chromium"
    return BrowserEngine(egress, throttle, PoolRules(pages=4), 16_000_000)


def auto(egress, throttle):
    """Its two ways are those of the others; what it does by itself is what `fetch` does."""
    return AutoEngine(http(egress, throttle), browser(egress, throttle))


def part(engine):
    """The engine whose throttle and robots.txt are in use."""
    return engine._http if engine.name == "auto" else engine


def scrapy(egress, throttle):
    return ScrapyEngine(egress, throttle, ScrapyRules())


ENGINES = {"http": http, "browser": browser, "auto": auto, "scrapy": scrapy}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site():
    PAGES["/script"] = fixed(
        response("<title>before</title><p class=n>1</p><script>document.title='after'</script>")
    )
    PAGES["/challenge-200"] = fixed(
        response("<title>Just a moment...</title><script>window._cf_chl_opt={}</script><p>Checking</p>")
    )
    async with awkward_site() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=ENGINES)
async def engine(request):
    egress = EgressPolicy([ip_network("127.0.0.1/32")], resolver=resolver)
    made = ENGINES[request.param](egress, Throttle(32))
    made.check()
    yield made
    await made.close()


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def fresh(site):
    site.seen.clear()
    site.hits.clear()
    site.robots = None


def source(engine, url, **config):
    values = {"respect_robots": False, "timeout": 30.0, **config}
    job = Job(new_job_id(), UserId("ada"), [url], {}, JobConfig(**values), 0.0)
    return engine.open(job)


async def fetch(engine, url, **config):
    pages = source(engine, url, **config)
    try:
        return await pages.fetch(url)
    finally:
        await pages.close()


async def refused(engine, url, **config):
    with pytest.raises((GiveUpPage, RetryPage)) as caught:
        await fetch(engine, url, **config)
    return caught.value


def rows(page, selectors, item=None):
    plan = compile_plan(parse_selectors(selectors), item)
    document = plan.open(page.body, page.url, page.headers.get("content-type", ""))
    return plan.extract(document).items


async def test_a_page_comes_with_its_url_status_headers_and_times(engine, site):
    page = await fetch(engine, site.url("/page"))

    assert (page.url, page.status, page.redirects) == (site.url("/page"), 200, ())
    assert page.engine == ("http" if engine.name == "auto" else engine.name)
    assert page.content_type == "text/html"
    assert rows(page, {"t": "title::text"}) == [{"t": "page"}]
    assert 0 < page.elapsed < 30
    assert abs(page.fetched_at - time.time()) < 30


@pytest.mark.parametrize("packing", ["gzip", "br", "deflate"])
async def test_packed_bodies_are_unpacked(engine, site, packing):
    page = await fetch(engine, site.url(f"/{packing}"))

    assert rows(page, {"t": "title::text"}) == [{"t": "packed"}]


@pytest.mark.parametrize("path", ["/long", "/gzip-bomb", "/endless"])
async def test_H11_H12_a_body_beyond_the_limit_fails_the_page(engine, site, path):
    error = await refused(engine, site.url(path), max_body_bytes=1_000_000)

    assert isinstance(error, GiveUpPage)
    assert error.reason in {"body_too_large", "page_too_large"}


@pytest.mark.parametrize("path", ["/slow", "/drip"])
async def test_H12_a_slow_page_ends_at_its_timeout(engine, site, path):
    error = await refused(engine, site.url(path), timeout=2.0)

    assert isinstance(error, RetryPage)
    assert error.reason == "timeout"


@pytest.mark.parametrize("path", ["/half", "/chunks-cut"])
async def test_H12_a_body_shorter_than_it_says_is_not_taken_for_whole(engine, site, path):
    error = await refused(engine, site.url(path), timeout=5.0)

    assert isinstance(error, RetryPage)
    assert error.reason in {"body_incomplete", "timeout"}


@pytest.mark.parametrize("sent", ["HTTP/1.1 99999 X%0D%0A%0D%0A", "%00%FF%00", ""])
async def test_H13_what_is_not_http_fails_the_page(engine, site, sent):
    error = await refused(engine, site.url(f"/raw?bytes={sent}"), timeout=10.0)

    assert error.reason in {"bad_response", "connection_reset", "network_error", "empty_body"}


async def test_H13_a_huge_header_fails_the_page(engine, site):
    assert (await refused(engine, site.url("/huge-header"))).reason == "headers_too_large"


async def test_H14_a_reset_is_worth_another_try(engine, site):
    error = await refused(engine, site.url("/reset"))

    assert isinstance(error, RetryPage)
    assert error.reason == "connection_reset"


async def test_H14_a_closed_port_is_said(engine):
    assert (await refused(engine, "http://127.0.0.1:1024/")).reason == "connection_refused"


async def test_H14_a_name_that_does_not_resolve_is_said(engine):
    error = await refused(engine, "http://lost.test/")

    assert isinstance(error, RetryPage)
    assert error.reason == "dns_failure"


@pytest.mark.parametrize(("code", "kind"), [(404, GiveUpPage), (403, GiveUpPage), (501, GiveUpPage),
                                            (408, RetryPage), (429, RetryPage), (500, RetryPage), (503, RetryPage)])  # fmt: skip
async def test_a_status_says_whether_to_try_again(engine, site, code, kind):
    error = await refused(engine, site.url(f"/status?code={code}"))

    assert type(error) is kind
    assert (error.reason, error.status) == (f"http_{code}", code)


async def test_H22_what_a_block_page_shows_comes_with_its_refusal(engine, site):
    error = await refused(engine, site.url("/challenge-403"))

    assert (error.reason, error.status) == ("http_403", 403)
    assert b"<title>x</title>" in error.page.body
    assert error.page.headers["cf-mitigated"] == "challenge"


async def test_H22_a_challenge_gives_up_the_session_whatever_its_status_says(engine, site):
    pages = source(engine, site.url("/"))
    fetcher = (
        pages._plain.way if engine.name == "auto" else pages.way if engine.name == "http" else pages._way
    )._fetcher
    first = fetcher.session

    await pages.fetch(site.url("/page"))
    assert fetcher.session is first
    await pages.fetch(site.url("/challenge-200"))
    await pages.close()

    assert fetcher.session is not first


async def test_H15_retry_after_is_kept_and_the_host_left_alone(engine, site):
    pages = source(engine, site.url("/", "other.test"))
    with pytest.raises(RetryPage) as caught:
        await pages.fetch(site.url("/status?code=429&retry_after=30", "other.test"))

    assert caught.value.retry_after == 30.0
    assert pages.ready_at(site.url("/page", "other.test")) > time.monotonic() + 20
    part(engine).roads.throttle._lines.clear()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_H05_redirects_are_followed_and_remembered(engine, site, status):
    url = site.url(f"/moved?status={status}&to=/page")

    page = await fetch(engine, url)

    assert (page.url, page.redirects) == (site.url("/page"), (url,))


async def test_H05_ten_redirects_are_followed_and_no_more(engine, site):
    assert b"arrived" in (await fetch(engine, site.url("/hops?left=10"))).body
    assert (await refused(engine, site.url("/hops?left=11"))).reason == "too_many_redirects"


async def test_H05_a_redirect_loop_is_told(engine, site):
    assert (await refused(engine, site.url("/loop"))).reason == "redirect_loop"


@pytest.mark.parametrize(
    "to", ["file:///etc/passwd", "ftp://127.0.0.1/", "javascript:1", "data:,x", "http://u:p@127.0.0.1/"]
)
async def test_H07_redirects_to_other_schemes_are_not_followed(engine, site, to):
    assert (await refused(engine, site.url(f"/moved?to={to}"))).reason == "bad_redirect"


@pytest.mark.parametrize(
    "to", ["http://127.0.0.2/", "http://10.0.0.1/", "http://169.254.169.254/latest", "http://2130706433:22/"]
)
async def test_H05_every_hop_is_vetted(engine, site, to):
    error = await refused(engine, site.url(f"/moved?to={to}"))

    assert isinstance(error, GiveUpPage)
    assert error.reason == "egress_denied"


@pytest.mark.parametrize("url", ["http://127.0.0.2/", "http://10.0.0.1/", "http://[::1]/"])
async def test_H01_an_address_that_is_not_open_is_refused(engine, url):
    assert (await refused(engine, url)).reason == "egress_denied"


async def test_H05_secrets_stay_with_the_origin_they_were_given_for(engine, site):
    secrets = {
        "headers": {"Authorization": "Bearer x", "X-Api-Key": "k", "Accept-Language": "de"},
        "cookies": {"sid": "1"},
    }
    own = await fetch(engine, site.url("/echo"), **secrets)
    elsewhere = await source(engine, site.url("/"), **secrets).fetch(
        site.url(f"/moved?to={site.url('/echo', 'shop.test')}")
    )

    for secret in (b"Bearer x", b"x-api-key", b"sid=1"):
        assert secret in own.body
        assert secret not in elsewhere.body
    assert b"accept-language: de" in elsewhere.body


async def test_cookies_are_kept_for_the_job_and_not_for_others(engine, site):
    pages = source(engine, site.url("/"))

    assert b"seen=yes" in (await pages.fetch(site.url("/cookie"))).body
    assert (await refused(engine, site.url("/cookie-needed"))).reason == "http_403"
    assert (await pages.fetch(site.url("/cookie-needed"))).status == 200


async def test_cookies_do_not_leak_between_hosts(engine, site):
    pages = source(engine, site.url("/", "shop.test"))
    await pages.fetch(site.url("/cookie", "shop.test"))

    page = await pages.fetch(site.url("/echo", "other.test"))

    assert b"seen=yes" not in page.body


async def test_H04_a_name_is_connected_to_at_the_address_that_was_vetted(engine, site):
    page = await fetch(engine, site.url("/echo", "shop.test"))

    assert f"host: shop.test:{site.port}".encode() in page.body


async def test_H06_a_proxy_goes_through_the_policy_too(engine, site):
    error = await refused(engine, site.url("/page"), proxy="http://169.254.169.254:3128")

    assert error.reason == "egress_denied"
    assert "proxy" in error.detail
    assert site.seen == []


async def test_H23_robots_rules_are_obeyed(engine, site):
    site.robots = b"User-agent: ScrapeMaster\nDisallow: /page\n"
    part(engine).roads.robots._known.clear()
    pages = source(engine, site.url("/"), respect_robots=True)

    with pytest.raises(GiveUpPage) as caught:
        await pages.fetch(site.url("/page"))
    with pytest.raises(GiveUpPage) as redirected:
        await pages.fetch(site.url("/moved?to=/page"))
    part(engine).roads.robots._known.clear()

    assert (caught.value.reason, redirected.value.reason) == ("robots_denied", "robots_denied")
    assert site.hits["/page"] == 0


@pytest.mark.parametrize(("path", "body"), [("/json", b'{"items":[{"n":1},{"n":2}]}'), ("/pdf", b"%PDF-1.7 \x00\xff"),
                                            ("/video", b"\x00\x00\x00\x18ftypmp42")])  # fmt: skip
async def test_H24_what_is_no_document_comes_as_it_was_sent(engine, site, path, body):
    page = await fetch(engine, site.url(path))

    assert page.body == body
    assert (page.status, page.url) == (200, site.url(path))


async def test_H24_an_attachment_is_known_by_its_header(engine, site):
    page = await fetch(engine, site.url("/attachment"))

    assert page.headers["content-disposition"].startswith("attachment")


async def test_the_user_agent_of_the_job_reaches_the_server(engine, site):
    assert b"user-agent: Ada/1.0" in (await fetch(engine, site.url("/echo"), user_agent="Ada/1.0")).body


async def test_sitemaps_are_read_through_indexes_and_packing(engine, site):
    pages = source(engine, site.url("/"))

    assert await pages.sitemap_urls(site.url("/"), 10) == [site.url("/page"), site.url("/echo")]


@pytest.mark.parametrize(
    ("charset", "header"), [("utf-8", True), ("windows-1252", True), ("shift_jis", True), ("koi8-r", False)]
)
async def test_H16_texts_are_decoded_as_a_browser_does(engine, site, charset, header):
    text = {"windows-1252": "naïve café", "shift_jis": "日本語", "koi8-r": "Привет"}.get(charset, "日本 é")
    html = f"<meta charset={charset}><title>{text}</title>".encode(charset)
    kind = f"text/html; charset={charset}" if header else "text/html"
    PAGES["/charset"] = fixed(response(gzip.compress(html), kind=kind, Content_Encoding="gzip"))

    assert rows(await fetch(engine, site.url("/charset")), {"t": "title::text"}) == [{"t": text}]


async def test_a_cancelled_fetch_gives_its_place_back(engine, site):
    pages = source(engine, site.url("/"))
    slow = [asyncio.create_task(pages.fetch(site.url("/slow"))) for _ in range(6)]
    while site.hits["/slow"] < 4:  # noqa: ASYNC110 -- the server tells nobody
        await asyncio.sleep(0.01)

    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)

    assert (await asyncio.wait_for(pages.fetch(site.url("/page")), 30)).status == 200
    assert all(line.busy == 0 for line in part(engine).roads.throttle._lines.values())
