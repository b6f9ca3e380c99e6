"""The dashboard, as a person uses it."""

import csv
import io
from pathlib import Path

import pytest
import requests
from benchmarks.service import PASSWORD, Service
from benchmarks.tree import tree
from hostile import PAYLOADS, hostile_site
from receiver import receiver

from dashboard import chromium, visiting
from servers.shop import demo_shop

FRAME = "iframe[title='The page as the engine sees it']"
PLACES = ["/jobs", "/new", "/schedules", "/webhooks", "/monitoring", "/proxies", "/admin", "/account"]
TABS = ["overview", "results", "errors", "log", "changes", "shots", "order"]


@pytest.fixture(scope="module")
def shop():
    with demo_shop() as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="module")
def service():
    with Service() as running:
        yield running


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def seen(service, shop):
    """Something of everything: jobs that ended well, badly and twice, a schedule, a webhook, a key, a user."""
    fields = {
        "name": "h1.product-title::text",
        "price": {"selector": ".detail .price::text", "transform": "price"},
    }
    config = {"follow_links": True, "max_pages": 30}
    for _ in range(2):
        job = service.finished(
            service.create(url=shop, name="shop", tags=["demo"], selectors=fields, config=config)["id"]
        )
    broken = service.finished(service.create(url=f"{shop}no-such-page", name="broken")["id"])
    service.create(url=shop, name="waits", config={"follow_links": True, "delay": 30})
    schedule = service.http.post(
        f"{service.base}/schedules",
        json={"cron": "0 6 * * *", "name": "nightly", "job": {"url": shop, "selectors": fields}},
    ).json()
    run = service.http.post(f"{service.base}/schedules/{schedule['id']}/run").json()
    service.finished(run["id"])
    hook = service.http.post(
        f"{service.base}/webhooks",
        json={"webhook_url": f"{shop}hook", "events": ["job.completed"], "description": "Orders"},
    ).json()
    service.http.post(f"{service.base}/webhooks/{hook['id']}/test").raise_for_status()
    service.http.post(f"{service.base}/auth/keys", json={"name": "nightly import"}).raise_for_status()
    service.http.post(
        f"{service.base}/proxies", json={"urls": ["http://ada:secret@127.0.0.1:3128"], "tags": ["home"]}
    ).raise_for_status()
    return {"job": job["id"], "broken": broken["id"], "schedule": schedule["id"], "hook": hook["id"]}


@pytest.fixture(scope="module")
def addresses(seen):
    """Every page there is, with something to show."""
    return [
        *PLACES,
        *(f"/jobs/{seen['job']}?tab={tab}" for tab in TABS),
        f"/jobs/{seen['broken']}?tab=errors",
        f"/schedules/{seen['schedule']}",
        f"/webhooks/{seen['hook']}",
        "/jobs?status=paused",
        "/jobs/none",
        "/jobs/none/none",
    ]


def expected(address):
    """Answers of 404 that a page is to show."""
    return {"/jobs/none": 2}.get(address, 0)


def sign_up(page):
    page.get_by_role("button", name="Make one").click()
    page.get_by_label("User name").fill("grace")
    page.get_by_label("Password").fill("a long password")
    page.get_by_role("button", name="Make the account").click()
    page.get_by_role("heading", name="No jobs yet").wait_for()


def register_webhook(page, url):
    page.get_by_role("link", name="Webhooks").click()
    page.get_by_role("button", name="New webhook").first.click()
    page.get_by_label("Address").fill(url)
    page.get_by_role("button", name="Make the webhook").click()
    assert page.get_by_label("Secret", exact=True).inner_text().startswith("whsec_")
    page.get_by_role("button", name="I have it").click()
    page.get_by_role("heading", name="Nothing was sent").wait_for()


def build_by_clicking(page, shop):
    page.get_by_role("link", name="New job").click()
    page.get_by_label("Address of the page").fill(shop)
    page.get_by_role("button", name="Load the page").click()
    shown = page.frame_locator(FRAME)
    shown.locator(".product h2").nth(0).click()
    assert page.get_by_label("Selector of title").input_value() == ".product a::text"
    shown.locator(".product h2").nth(1).click()
    assert page.get_by_label("One row for each").input_value() == ".product"
    shown.locator(".product .price").nth(4).click()
    page.get_by_label("Selector of price").wait_for()
    page.get_by_label("Name of the field").nth(1).fill("cost")
    rows = page.get_by_label("Rows as they would be")
    rows.get_by_role("cell", name="163.65").wait_for()
    assert rows.get_by_role("tab").locator(".count").all_inner_texts() == ["12", "12", "12"]
    assert '"item": ".product"' in page.get_by_label("The order as curl", exact=True).inner_text()
    page.get_by_label("Follow the further pages of this list").check()
    page.get_by_text("Name and order").click()
    page.get_by_label("Name", exact=True).fill("lamps and chairs")
    page.get_by_role("button", name="Start the job").click()


def test_a_person_signs_up_builds_a_job_by_clicking_watches_it_filters_exports_and_sees_the_webhook(
    browser, service, shop
):
    with receiver() as target, visiting(browser, service) as visit:
        page = visit.open("/")
        sign_up(page)
        register_webhook(page, target.url("/ok/grace"))
        build_by_clicking(page, shop)

        page.get_by_role("heading", name="lamps and chairs").wait_for()
        page.get_by_text("Completed").wait_for()
        page.get_by_role("tab", name="Log").click()
        page.get_by_text("started with the auto engine").wait_for()
        page.get_by_role("tab", name="Results").click()
        page.get_by_role("cell", name="Fjord Glass Table").wait_for()
        page.get_by_text("60 rows").wait_for()
        page.get_by_label("Search the rows").fill("kelp")
        page.get_by_text("matches").wait_for()
        found = page.get_by_role("table", name="Rows").get_by_role("cell", name="Kelp")
        assert 0 < found.count() < 12
        page.get_by_role("button", name="Export", exact=True).click()
        with page.expect_download() as saving:
            page.get_by_role("menuitem", name="CSV").click()
        lines = list(csv.DictReader(io.StringIO(Path(saving.value.path()).read_text())))
        assert saving.value.suggested_filename == "lamps-and-chairs.csv"
        assert (len(lines), lines[0]["title"], lines[0]["cost"]) == (60, "Fjord Glass Table", "163.65")

        page.get_by_role("link", name="Webhooks").click()
        page.get_by_role("link", name=target.url("/ok/grace")).click()
        page.get_by_role("button", name="job.completed").click()
        page.get_by_role("dialog").get_by_text("lamps and chairs").first.wait_for()
        assert [message.type for message in target.at("/ok/grace")] == ["job.completed"]


def test_the_list_of_jobs_follows_them_and_acts_on_many(browser, service):
    with tree(400, delay=0.02) as url, visiting(browser, service) as visit:
        page = visit.sign_in("admin", PASSWORD)
        page.get_by_text("Live").wait_for()
        config = {"follow_links": True, "max_pages": 300, "concurrency": 1, "delay": 0.2}
        jobs = [service.create(url=url, name=f"watched {number}", config=config) for number in range(3)]

        page.get_by_label("Search name and URL").fill("watched")
        row = page.get_by_role("row", name="watched 2")
        row.get_by_text("Running").wait_for()
        bar = row.get_by_role("progressbar")
        before = float(bar.get_attribute("aria-valuenow"))
        page.wait_for_function(
            "([bar, before]) => Number(bar.getAttribute('aria-valuenow')) > before",
            arg=[bar.element_handle(), before],
        )
        page.get_by_label("Select all jobs").check()
        bulk = page.get_by_role("toolbar", name="Selected jobs")
        bulk.get_by_text("3 jobs selected").wait_for()
        bulk.get_by_role("button", name="Pause").click()
        row.get_by_text("Paused").wait_for()
        page.get_by_label("Select all jobs").check()
        bulk.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Cancel them").click()
        row.get_by_text("Cancelled").wait_for()
        page.get_by_label("Select all jobs").check()
        bulk.get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        page.get_by_role("heading", name="No job matches").wait_for()

        assert [service.http.get(f"{service.base}/jobs/{job['id']}").status_code for job in jobs] == [404] * 3


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.soak)])
def test_no_page_breaks_a_rule_of_accessibility_or_of_security(browser, service, addresses, scheme):
    broken = {}
    with visiting(browser, service, color_scheme=scheme, reduced_motion="reduce") as visit:
        visit.open("/sign-in")
        visit.page.get_by_label("User name").wait_for()
        broken["/sign-in"] = visit.axe()
        visit.sign_in("admin", PASSWORD)
        for address in addresses:
            visit.open(address)
            visit.page.get_by_role("main").wait_for()
            visit.settled()
            visit.page.wait_for_timeout(150)
            broken[address] = visit.axe() + visit.violations()
            del visit.problems[: expected(address)]
            assert visit.problems == [], address

    assert {address: found for address, found in broken.items() if found} == {}


@pytest.mark.soak
def test_dialogs_menus_and_the_workbench_break_no_rule_either(browser, service, seen, shop):
    with visiting(browser, service, reduced_motion="reduce") as visit:
        page = visit.sign_in("admin", PASSWORD)
        found = []
        for address, opener in [
            ("/jobs", "More filters"),
            ("/webhooks", "New webhook"),
            ("/admin", "New user"),
            (f"/jobs/{seen['job']}", "Export"),
            (f"/jobs/{seen['job']}?tab=results", "Columns"),
        ]:
            visit.open(address)
            visit.settled()
            page.get_by_role(
                "button", name="Filters" if opener == "More filters" else opener, exact=True
            ).first.click()
            found += visit.axe()
        visit.open(f"/jobs/{seen['job']}?tab=results")
        page.get_by_role("table", name="Rows").get_by_role("row").nth(2).click()
        page.get_by_role("dialog").wait_for()
        found += visit.axe()
        visit.open("/jobs")
        page.keyboard.press("?")
        page.get_by_role("dialog", name="Keyboard").wait_for()
        found += visit.axe()
        visit.open(f"/new?url={shop}")
        page.frame_locator(FRAME).locator(".product .price").first.click()
        page.get_by_label("Rows as they would be").get_by_role("cell").first.wait_for()
        for part in page.locator(".option summary").all()[1:]:
            part.click()
        found += visit.axe()

    assert found == []


def test_every_page_fits_a_phone(browser, service, addresses):
    wide = []
    with visiting(
        browser, service, viewport={"width": 375, "height": 740}, has_touch=True, is_mobile=True
    ) as visit:
        page = visit.sign_in("admin", PASSWORD)
        page.get_by_role("button", name="Menu").click()
        page.get_by_role("link", name="Schedules").click()
        page.get_by_role("heading", name="Schedules").wait_for()
        for address in addresses:
            visit.open(address)
            page.get_by_role("main").wait_for()
            visit.settled()
            width = page.evaluate("document.documentElement.scrollWidth")
            if width > 375:
                wide.append((address, width))
            visit.problems.clear()

    assert wide == []


def test_it_is_used_with_the_keyboard_alone(browser, service, seen):
    with visiting(browser, service) as visit:
        page = visit.open("/sign-in")
        page.get_by_label("User name").wait_for()
        page.keyboard.type("admin")
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Jobs", exact=True).wait_for()

        page.keyboard.press("/")
        page.keyboard.type("shop")
        page.wait_for_url("**/jobs?q=shop", wait_until="commit")
        page.get_by_role("link", name="waits").wait_for(state="detached")
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        page.wait_for_url("**/jobs/*", wait_until="commit")
        page.get_by_role("tab", name="Overview").focus()
        page.keyboard.press("ArrowRight")
        page.get_by_role("table", name="Rows").wait_for()
        page.get_by_role("table", name="Rows").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.get_by_role("dialog", name="Row 2").wait_for()
        page.keyboard.press("Escape")
        page.get_by_role("tab", name="Results").focus()
        page.keyboard.press("g")
        page.keyboard.press("m")
        page.get_by_role("heading", name="Monitoring").wait_for()


def test_H35_what_was_scraped_runs_nowhere_and_a_page_that_is_looked_at_loads_nothing(browser, service):
    with hostile_site() as url, visiting(browser, service) as visit:
        job = service.finished(
            service.create(
                url=url,
                name=PAYLOADS[1],
                tags=[PAYLOADS[0]],
                selectors={"<b>name</b>": "::text", "name": "::text"},
                config={"item": ".name"},
            )["id"]
        )
        page = visit.sign_in("admin", PASSWORD)
        for address in ["/jobs", *(f"/jobs/{job['id']}?tab={tab}" for tab in TABS), f"/new?from={job['id']}"]:
            visit.open(address)
            visit.settled()
        shown = page.frame_locator(FRAME)
        shown.locator(".name").nth(1).wait_for()
        for place in (".away", ".link", ".name >> nth=0", "button"):
            shown.locator(place).click()
        frame = next(one for one in page.frames if "/frame/" in one.url)

        assert page.evaluate("window.pwned") is None
        assert frame.evaluate("window.pwned") is None
        assert frame.evaluate("origin") == "null"
        assert frame.evaluate("getComputedStyle(document.querySelector('.name')).color") == "rgb(1, 2, 3)"
        assert (
            shown.locator(
                "body script, iframe, object, base, meta[http-equiv], [onload], [onerror], [onclick]"
            ).count()
            == 0
        )
        assert shown.locator(".name").all_inner_texts() == PAYLOADS
        assert job["items_scraped"] == len(PAYLOADS)


def test_watching_and_trying_out_take_nothing_from_a_users_limit(browser, shop):
    with Service(SCRAPEMASTER_RATE_LIMIT="5/hour") as service, visiting(browser, service) as visit:
        account = {"username": "linus", "password": "a long password"}
        requests.post(f"{service.base}/auth/register", json=account, timeout=10).raise_for_status()
        page = visit.sign_in("linus", account["password"])
        for address in PLACES[:2] * 3:
            visit.open(address)
            visit.settled()
        page.get_by_label("Address of the page").fill(shop)
        page.get_by_role("button", name="Load the page").click()
        page.frame_locator(FRAME).locator(".price").first.click()
        page.get_by_label("Rows as they would be").get_by_role("cell").first.wait_for()

        token = requests.post(f"{service.base}/auth/login", json=account, timeout=10).json()["access_token"]
        answer = requests.get(
            f"{service.base}/jobs", headers={"Authorization": f"Bearer {token}"}, timeout=10
        )
        assert answer.headers["X-RateLimit-Remaining"] == "4"
