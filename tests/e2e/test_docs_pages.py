"""The documentation pages in a real Chromium that can reach nothing but the service."""

import os
import shutil
from urllib.parse import urlsplit

import pytest
from benchmarks.service import PASSWORD, Service
from playwright.sync_api import sync_playwright


@pytest.fixture(scope="module")
def service():
    with Service() as running:
        yield running


@pytest.fixture(scope="module")
def browser():
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        assert os.environ.get("CI") != "true", "CI must install chromium"
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser, service):
    """A page that records what went wrong; other hosts are out of reach, and asking for one is wrong too."""
    page = browser.new_page(viewport={"width": 1280, "height": 1600})
    page.set_default_timeout(20_000)
    page.problems = []
    page.on(
        "console",
        lambda message: (
            page.problems.append(f"{message.text} ({message.location.get('url')})")
            if message.type == "error"
            else None
        ),
    )
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("requestfailed", lambda request: page.problems.append(f"{request.url}: {request.failure}"))

    def route(route):
        if urlsplit(route.request.url).hostname not in {"127.0.0.1", "", None}:
            page.problems.append(f"asked for {route.request.url}")
            route.abort()
        else:
            route.continue_()

    page.route("**/*", route)
    yield page
    page.close()


def test_redoc_shows_the_api_with_no_internet(page, service):
    page.goto(f"http://127.0.0.1:{service.port}/api/redoc")

    page.get_by_role("heading", name="Create a job").wait_for()
    page.get_by_role("heading", name="Download all rows").wait_for()

    assert page.problems == []


def test_swagger_logs_in_with_its_form_and_creates_a_job(page, service):
    page.goto(f"http://127.0.0.1:{service.port}/api/docs")

    page.get_by_role("button", name="Authorize").first.click()
    page.locator("#oauth_username").fill("admin")
    page.locator("#oauth_password").fill(PASSWORD)
    form = page.locator(".auth-container", has=page.locator("#oauth_username"))
    form.locator("button.authorize").click()
    page.get_by_role("button", name="Remove authorization").wait_for()
    page.locator(".close-modal").click()

    operation = page.locator(".opblock-post", has_text="Create a job")
    operation.locator(".opblock-summary").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.locator("textarea.body-param__text").fill(
        '{"url": "http://127.0.0.1:9/", "name": "from swagger", "selectors": {"title": "h1::text"}}'
    )
    operation.get_by_role("button", name="Execute").click()
    status = operation.locator(".live-responses-table tbody .response-col_status").first
    status.wait_for()

    assert status.inner_text().startswith("201")
    assert page.problems == []
    jobs = service.http.get(f"{service.base}/jobs", timeout=10).json()
    assert [job["name"] for job in jobs] == ["from swagger"]
    if "SCRAPEMASTER_TEST_SCREENSHOTS" in os.environ:
        page.screenshot(path=f"{os.environ['SCRAPEMASTER_TEST_SCREENSHOTS']}/swagger.png")
