"""Names that lie: a real service, the system's own resolver, and a real DNS server that changes its answers."""

import os
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from benchmarks.service import Service
from nameserver import ADDRESS, nameserver

#: The one address that the operator opened; 127.0.0.1 is not.
OPEN, SHUT = "127.0.0.2", "127.0.0.1"
NAMES = {
    "steady.test": [[OPEN]],
    "rebinding.test": [[OPEN], [SHUT]],
    "turning.test": [[OPEN], [SHUT], [SHUT], [SHUT], [SHUT], [SHUT]],
    "both.test": [[OPEN, SHUT]],
    "private.test": [["10.1.2.3"]],
    "metadata.test": [["169.254.169.254"]],
    "prefetched.test": [[OPEN]],
    "embedded.test": [[OPEN], [SHUT]],
}

pytestmark = pytest.mark.filterwarnings("default::ResourceWarning")  # dnslib leaves sockets to the collector


@contextmanager
def web(address, port=0):
    """A site at one address, and the Host headers it was asked with."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.headers["Host"])
            body = f"<title>{address}</title><a href='/next?{len(asked)}'>next</a>".encode()
            if self.path == "/embeds":
                there = f"embedded.test:{self.server.server_port}"
                body += (
                    f"<link rel=dns-prefetch href=//prefetched.test><img src=http://{there}/a><iframe src=http://{there}/b></iframe>"
                    f"<script>fetch('http://{there}/c').catch(()=>0);new WebSocket('ws://{there}/d')</script>"
                ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")  # so that each page asks for a connection of its own
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 -- the base class's name

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer((address, port), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A service that resolves names at our server alone; a site at each address, on the same port."""
    if os.geteuid() != 0:
        assert os.environ.get("CI") != "true", "CI must run as root"
        pytest.skip("needs root: port 53, and a resolv.conf of its own for the service")
    conf = tmp_path_factory.mktemp("dns") / "resolv.conf"
    conf.write_text(f"nameserver {ADDRESS}\noptions timeout:2 attempts:1\n")
    own_conf = ["unshare", "--mount", "sh", "-c", f'mount --bind {conf} /etc/resolv.conf && exec "$@"', "sh"]
    with (
        web(OPEN) as (port, opened),
        web(SHUT, port) as (_, shut),
        nameserver(NAMES) as names,
        Service(before=own_conf, SCRAPEMASTER_EGRESS_ALLOW=OPEN) as service,
    ):
        yield service, port, opened, shut, names


def crawl(service, url, pages=1):
    job = service.create(
        url=url,
        selectors={"title": "title::text"},
        config={"follow_links": pages > 1, "max_pages": pages, "max_retries": 0, "respect_robots": False},
    )
    return service.finished(job["id"], 60)


def test_a_name_is_resolved_by_our_server(world):
    service, port, opened, _, names = world

    job = crawl(service, f"http://steady.test:{port}/")

    assert job["status"] == "completed", service.errors(job["id"])
    assert names.asked["steady.test"] >= 1
    assert f"steady.test:{port}" in opened


@pytest.mark.parametrize("name", ["rebinding.test", "turning.test"])
def test_H04_a_name_that_changes_its_answer_never_leads_to_the_other_address(world, name):
    service, port, opened, shut, names = world

    jobs = [crawl(service, f"http://{name}:{port}/{number}", pages=10) for number in range(3)]

    assert names.asked[name] >= 1
    assert shut == []
    for job in jobs:
        titles = {row["data"]["title"] for row in service.rows(job["id"])}
        assert titles <= {OPEN}
        assert {error["reason"] for error in service.errors(job["id"])} <= {"egress_denied"}
    assert any(job["items_scraped"] for job in jobs) == (f"{name}:{port}" in opened)


def test_H08_the_browser_resolves_nothing_by_itself_and_follows_no_name_that_changes(world):
    service, port, _, shut, names = world
    order = {
        "engine": "browser",
        "selectors": {"title": "title::text"},
        "config": {
            "max_retries": 0,
            "respect_robots": False,
            "browser": {"wait_for": 1_500, "block_resources": False},
        },
    }

    jobs = [
        service.finished(service.create(url=f"http://{name}:{port}{path}", **order)["id"], 90)
        for name, path in (("steady.test", "/embeds"), ("turning.test", "/x"), ("turning.test", "/embeds"))
    ]

    assert jobs[0]["status"] == "completed", service.errors(jobs[0]["id"])
    assert names.asked["embedded.test"] >= 1
    assert names.asked["prefetched.test"] == 0
    assert shut == []
    for job in jobs:
        assert {row["data"]["title"] for row in service.rows(job["id"])} <= {OPEN}
        assert {error["reason"] for error in service.errors(job["id"])} <= {"egress_denied"}


@pytest.mark.parametrize("name", ["both.test", "private.test", "metadata.test"])
def test_H04_a_name_with_an_address_that_is_not_public_is_refused(world, name):
    service, port, opened, shut, _ = world

    job = crawl(service, f"http://{name}:{port}/")

    assert [error["reason"] for error in service.errors(job["id"])] == ["egress_denied"]
    assert f"{name}:{port}" not in opened
    assert shut == []


def test_H06_robots_sitemaps_previews_and_proxies_resolve_names_under_the_same_policy(world):
    service, port, opened, shut, _ = world

    asked = service.create(url=f"http://both.test:{port}/", config={"sitemap": True, "max_retries": 0})
    job = service.finished(asked["id"], 60)
    preview = service.http.post(
        f"{service.base}/extract/preview",
        json={"url": f"http://both.test:{port}/", "selectors": {"t": "title::text"}},
        timeout=60,
    ).json()
    proxied = service.create(
        url=f"http://steady.test:{port}/",
        config={"proxy": f"http://both.test:{port}", "max_retries": 0, "respect_robots": False},
    )
    proxied = service.finished(proxied["id"], 60)

    assert [error["reason"] for error in service.errors(job["id"])] == ["egress_denied"]
    assert preview["error"]["reason"] == "egress_denied"
    assert [error["reason"] for error in service.errors(proxied["id"])] == ["egress_denied"]
    assert not [host for host in opened if host.startswith("both.test")]
    assert shut == []


def test_H37_a_webhook_whose_name_has_an_address_that_is_not_public_is_not_sent(world):
    service, port, opened, shut, _ = world
    body = {"webhook_url": f"http://both.test:{port}/hook", "events": ["job.completed"]}
    hook = service.http.post(f"{service.base}/webhooks", json=body, timeout=30).json()

    service.http.post(f"{service.base}/webhooks/{hook['id']}/test", timeout=30)
    attempts = []
    while not attempts:
        listed = service.http.get(f"{service.base}/webhooks/{hook['id']}/deliveries", timeout=30).json()
        attempts = listed[0]["attempts"]

    assert "egress_denied" in attempts[0]["error"] or "loopback" in attempts[0]["error"]
    assert not [host for host in opened if host.startswith("both.test")]
    assert shut == []
