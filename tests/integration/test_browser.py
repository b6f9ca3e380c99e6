"""The browser engine through the whole service: the API, the command line, artefacts, and what it leaves out."""

import json
import socket
import subprocess
import sys
import threading
import zlib

import pytest
from awkward import response
from benchmarks.service import Service
from benchmarks.tree import tree
from moody import moody_site

from scrapemaster.demo.catalogue import PRODUCTS
from servers.shop import demo_shop

PNG = b"\x89PNG\r\n\x1a\n"
DEALS = [one.name for one in sorted(PRODUCTS, key=lambda one: one.price)[:8]]


@pytest.fixture(scope="module")
def shop():
    with demo_shop() as port:
        yield f"http://127.0.0.1:{port}"


def finished(service, url, browser=None, **order):
    config = {"respect_robots": False, **order.pop("config", {})}
    if browser is not None:
        config["browser"] = browser
    created = service.create(**{"url": url, "engine": "browser", "config": config, **order})
    return service.finished(created["id"], 120)


def artefacts(service, job):
    answer = service.http.get(f"{service.base}/jobs/{job['id']}/artefacts", timeout=30)
    answer.raise_for_status()
    return answer.json()


def download(service, artefact):
    return service.http.get(service.base.removesuffix("/api/v1") + artefact["href"], timeout=30)


@pytest.mark.parametrize("engine", ["browser", "playwright"])
def test_a_page_that_scripts_fill_gives_its_rows(running, shop, engine):
    job = finished(
        running,
        f"{shop}/deals",
        {"wait_for": ".deal"},
        engine=engine,
        selectors={"name": "h2::text"},
        config={"item": ".deal"},
    )

    assert (job["status"], job["engine"], job["engine_used"]) == ("completed", "browser", "browser")
    assert [row["data"]["name"] for row in running.rows(job["id"])] == DEALS


def test_the_same_page_by_http_is_a_shell(running, shop):
    job = finished(running, f"{shop}/deals", engine="http", selectors={"name": ".deal h2::text"})

    assert {row["data"]["name"] for row in running.rows(job["id"])} <= {None}


def test_the_same_job_on_the_same_static_site_gives_equal_rows(running):
    selectors = {
        "n": "p.n::text",
        "title": "title::text",
        "hrefs": {"selector": "a::attr(href)", "many": True},
    }
    with tree(40) as url:
        jobs = [
            finished(
                running,
                url,
                engine=engine,
                selectors=selectors,
                config={"follow_links": True, "max_pages": 100, "formats": ["data", "links", "markdown"]},
            )
            for engine in ("http", "browser", "scrapy")
        ]

    rows = [
        sorted((row["url"], json.dumps(row["data"], sort_keys=True)) for row in running.rows(job["id"]))
        for job in jobs
    ]
    assert rows[0] == rows[1] == rows[2]
    assert len(rows[0]) == 40
    for name in ("pages_discovered", "pages_fetched", "pages_failed", "pages_skipped", "items_scraped"):
        assert len({job[name] for job in jobs}) == 1


def test_limits_retries_and_failures_are_those_of_every_engine(running):
    with moody_site(10) as site:
        site.broken = {3, 4}
        job = finished(
            running,
            f"{site.url}/0",
            selectors={"n": "p.n::text"},
            config={"follow_links": True, "max_pages": 6},
        )

        assert (job["status"], job["stop_reason"]) == ("completed", "max_pages")
        assert job["pages_fetched"] + job["pages_failed"] == 6
        assert sum(site.hits.values()) == 6
    assert {one["reason"] for one in running.errors(job["id"])} <= {"http_404"}


def test_actions_are_done_in_order(running):
    html = """<title>x</title><input id=q><select id=s><option>a<option>b</select><button onclick="
        document.getElementById('out').textContent=q.value+' '+s.value+' '+last">go</button><p id=out></p>
        <script>last='';document.addEventListener('keydown',e=>last=e.key)</script>"""
    actions = [
        {"type": "fill", "selector": "#q", "value": "lamp"},
        {"type": "select", "selector": "#s", "value": "b"},
        {"type": "press", "selector": "#q", "value": "End"},
        {"type": "click", "selector": "#nothing", "seconds": 0.1, "optional": True},
        {"type": "wait", "seconds": 0.05},
        {"type": "click", "selector": "button"},
        {"type": "wait", "selector": "//p[text()!='']"},
    ]
    with page(html) as url:
        job = finished(running, url, {"actions": actions}, selectors={"out": "#out::text"})

    assert [row["data"] for row in running.rows(job["id"])] == [{"out": "lamp b End"}]


def test_a_page_that_grows_is_scrolled_to_its_end(running):
    html = """<title>x</title><style>p{height:400px}</style><script>n=0;more=()=>{for(k=0;k<5;k++){p=document.createElement('p');
        p.className='n';p.textContent=n++;document.body.append(p)}};onload=more;onscroll=()=>{if(n<25&&
        scrollY+innerHeight>document.documentElement.scrollHeight-50)setTimeout(more,50)}</script><body>"""
    with page(html) as url:
        job = finished(
            running,
            url,
            {"scroll": True, "wait_for": ".n"},
            selectors={"n": "::text"},
            config={"item": "p.n"},
        )
        short = finished(
            running, url, {"scroll": 1, "wait_for": ".n"}, config={"item": "p.n"}, selectors={"n": "::text"}
        )

    assert job["items_scraped"] == 25
    assert short["items_scraped"] < 25


@pytest.mark.parametrize(
    ("browser", "reason"),
    [
        ({"wait_for": ".never"}, "timeout"),
        ({"wait_for": "!!"}, "wait_failed"),
        ({"actions": [{"type": "click", "selector": "#never", "seconds": 0.2}]}, "action_failed"),
        ({"actions": [{"type": "wait", "selector": "#never", "seconds": 0.2}]}, "wait_failed"),
    ],
)
def test_what_cannot_be_waited_for_or_done_fails_the_page_with_a_reason(running, shop, browser, reason):
    job = finished(running, f"{shop}/deals", browser, config={"timeout": 5.0, "max_retries": 0})

    (error,) = running.errors(job["id"])
    assert (job["status"], error["reason"]) == ("failed", reason)
    assert error["detail"]


def test_pictures_and_pdfs_are_kept_and_served_and_go_with_their_job(running, shop):
    job = finished(
        running,
        f"{shop}/deals",
        {
            "wait_for": ".deal",
            "screenshot": "full",
            "pdf": True,
            "actions": [{"type": "screenshot"}],
            "viewport": {"width": 640, "height": 480},
        },
    )
    found = artefacts(running, job)

    assert [one["kind"] for one in found] == ["screenshot", "screenshot", "pdf"]
    assert {one["url"] for one in found} == {f"{shop}/deals"}
    files = [download(running, one) for one in found]
    assert [file.headers["content-type"] for file in files] == ["image/png", "image/png", "application/pdf"]
    assert [len(file.content) for file in files] == [one["size"] for one in found]
    assert size_of(files[0].content) == (640, 480)
    assert size_of(files[1].content)[1] > 480
    assert files[2].content.startswith(b"%PDF-")
    for file in files:
        assert file.headers["x-content-type-options"] == "nosniff"
        assert file.headers["content-disposition"].startswith("attachment; filename=")
        assert "default-src 'none'" in file.headers["content-security-policy"]

    there = running.base.removesuffix("/api/v1") + found[0]["href"]
    assert running.http.delete(there, timeout=30).status_code == 405
    assert running.http.get(f"{running.base}/artefacts/..%2f..%2fetc%2fpasswd", timeout=30).status_code == 404
    assert running.http.delete(f"{running.base}/jobs/{job['id']}", timeout=30).status_code == 204
    assert running.http.get(there, timeout=30).status_code == 404


def test_H28_the_artefacts_of_another_user_are_not_there(running, stranger, shop):
    job = finished(running, f"{shop}/", {"screenshot": True})
    (found,) = artefacts(running, job)

    assert stranger.get(f"{running.base}/artefacts/{found['id']}", timeout=30).status_code == 404
    assert stranger.get(f"{running.base}/jobs/{job['id']}/artefacts", timeout=30).status_code == 404


@pytest.mark.soak
def test_pictures_beyond_the_budget_are_left_out_and_the_job_says_so(shop):
    with Service(SCRAPEMASTER_ARTEFACT_BYTES="1000") as service:
        job = finished(service, f"{shop}/", {"screenshot": True})

        assert (job["status"], job["pages_fetched"]) == ("completed", 1)
        assert "not all pictures were kept" in " ".join(job["warnings"])
        assert artefacts(service, job) == []


def test_H24_downloads_are_refused_and_said(running):
    with page("<title>no</title>", Content_Disposition="attachment; filename=x.html") as url:
        job = finished(running, url)

    assert [one["reason"] for one in running.errors(job["id"])] == ["download"]


def test_a_preview_is_rendered_too(running, shop):
    answer = running.http.post(
        f"{running.base}/extract/preview",
        json={
            "url": f"{shop}/deals",
            "engine": "browser",
            "selectors": {"name": "h2::text"},
            "config": {"item": ".deal", "browser": {"wait_for": ".deal"}},
        },
        timeout=90,
    )

    assert answer.json()["engine"] == "browser"
    assert [item["name"] for item in answer.json()["items"]] == DEALS


def test_the_command_line_renders_too(shop, tmp_path):
    command = [sys.executable, "-m", "scrapemaster", "scrape", f"{shop}/deals", "--engine", "browser"]
    options = ["--wait-for", ".deal", "--item", ".deal", "-s", "name=h2::text", "--allow", "127.0.0.1"]

    done = subprocess.run(
        [*command, *options, "-o", tmp_path / "rows.jsonl"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert [
        json.loads(line)["data"]["name"] for line in (tmp_path / "rows.jsonl").read_text().splitlines()
    ] == DEALS
    refused = subprocess.run(
        [*command[:-1], "http", "--wait-for", "p"], capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode != 0
    assert "--engine browser" in refused.stderr


def test_where_there_is_no_chromium_an_order_says_what_to_do(tmp_path):
    with Service(PATH=str(tmp_path), HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path)) as service:
        answer = service.http.post(
            f"{service.base}/jobs", json={"url": "http://a/", "engine": "browser"}, timeout=30
        )

    assert (answer.status_code, answer.json()["type"]) == (400, "missing_browser")
    assert "playwright install" in answer.json()["detail"]
    assert "SCRAPEMASTER_BROWSER_EXECUTABLE" in answer.json()["detail"]


def test_where_playwright_is_not_installed_an_order_says_what_to_install(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['playwright'] = None\n")
    path = ":".join([str(tmp_path), *(part for part in sys.path if part)])
    with Service(PYTHONPATH=path) as service:
        answer = service.http.post(
            f"{service.base}/jobs", json={"url": "http://a/", "engine": "browser"}, timeout=30
        )

    assert (answer.status_code, answer.json()["type"]) == (400, "missing_extra")
    assert "pip install 'scrapemaster[browser]'" in answer.json()["detail"]


def size_of(png):
    assert png.startswith(PNG)
    assert zlib.crc32(png[12:29]) == int.from_bytes(png[29:33], "big")
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def page(html, **headers):
    """One page, served by a thread."""
    return _Page(response(html, **headers))


class _Page:
    def __init__(self, answer):
        self._answer = answer

    def __enter__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))

        def serve():
            while True:
                try:
                    connection, _ = self._socket.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    try:
                        connection.recv(65_536)
                        connection.sendall(self._answer)
                    except OSError:
                        continue

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/"

    def __exit__(self, *_):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)
