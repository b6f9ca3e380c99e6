"""What drives the dashboard in a real Chromium that can reach nothing but the service."""

import contextlib
import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
#: Failures that are the client's own doing: it left the page.
_LEFT = "net::ERR_ABORTED"
_WATCH = """
window.violations = [];
addEventListener('securitypolicyviolation', (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


@contextlib.contextmanager
def chromium():
    """A browser."""
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


class Visit:
    """A person's browser at the dashboard; remembers whatever went wrong in `problems`."""

    def __init__(self, browser, service, **options):
        self.root = f"http://127.0.0.1:{service.port}"
        self.problems = []
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.context.add_init_script(_WATCH)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("requestfailed", self._failed)
        self.context.route("**/*", self._route)

    def _console(self, message):
        if message.type in {"error", "warning"}:
            self.problems.append(message.text)

    def _failed(self, request):
        if request.failure != _LEFT:
            self.problems.append(f"{request.url}: {request.failure}")

    def _route(self, route):
        if f"http://{urlsplit(route.request.url).netloc}" == self.root or route.request.url.startswith(
            "blob:"
        ):
            route.continue_()
        else:
            self.problems.append(f"asked for {route.request.url}")
            route.abort()

    def open(self, path="/"):
        """Go to an address of the dashboard."""
        self.page.goto(f"{self.root}{path}")
        return self.page

    def sign_in(self, name, password):
        """Sign in, which ends at the list of jobs."""
        page = self.open("/sign-in")
        page.get_by_label("User name").fill(name)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Jobs", exact=True).wait_for()
        return page

    def settled(self):
        """Wait until nothing is being loaded that the page shows."""
        self.page.wait_for_function("() => !document.querySelector('.waiting')")

    def violations(self):
        """Breaches of the content security policy, in the page and its frames."""
        return [one for frame in self.page.frames for one in frame.evaluate("window.violations ?? []")]

    def axe(self):
        """What is against the rules of accessibility (WCAG 2.2 AA and the best practices of axe)."""
        self.page.evaluate(AXE)
        found = self.page.evaluate("async () => (await axe.run(document, {iframes: false})).violations")
        return [
            f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
            for one in found
            for node in one["nodes"]
        ]

    def close(self):
        """End it."""
        self.context.close()


@contextlib.contextmanager
def visiting(browser, service, **options):
    """A visit that must go without a problem."""
    visit = Visit(browser, service, **options)
    try:
        yield visit
        assert visit.violations() == []
        assert visit.problems == []
    finally:
        visit.close()
