"""Traces: what a collector hears of a fleet and of an embedded service, and that it hears nothing when it was not asked for."""

import pytest
from benchmarks.manual_server import free_port
from benchmarks.service import Service
from benchmarks.tree import tree

from servers.collector import collector
from servers.fleet import Fleet, crawl_order

pytestmark = pytest.mark.slow
PAGES = 30
#: The library's own variable: spans are sent five times a second, for the test's sake.
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "200"}
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def of_job(job_id, name):
    return lambda spans: [
        span for span in spans if span.name == name and span.facts.get("scrapemaster.job_id") == job_id
    ]


def assert_one_trace(heard, job_id, roles):
    """The job's trace has a request, a wake-up, slices and fetches, each within the one before, from two processes."""
    wake = heard.until(of_job(job_id, "wake"))[0]
    slices = heard.until(of_job(job_id, "slice"))
    heard.until(lambda spans: any(span.id == wake.parent for span in spans))
    trace = [span for span in heard.spans if span.trace == wake.trace]
    (request,) = [span for span in trace if span.id == wake.parent]
    fetches = [span for span in trace if span.name == "fetch"]

    assert request.name == "POST /api/v1/jobs"
    assert request.facts["http.response.status_code"] == 201
    assert {span.trace for span in slices} == {wake.trace}
    # Within the request itself, where a sweep was before the message.
    assert {span.parent for span in slices} <= {wake.id, request.id}
    assert {span.parent for span in fetches} == {
        span.id for span in slices if span.facts["scrapemaster.pages"]
    }
    assert sum(span.facts["scrapemaster.pages"] for span in slices) == PAGES
    assert sum(span.facts["scrapemaster.rows"] for span in slices) == PAGES
    assert [span.process["scrapemaster.role"] for span in (request, wake, slices[0], fetches[0])] == roles
    assert {span.process["service.name"] for span in trace} == {"scrapemaster"}
    assert request.process["process.pid"] == wake.process["process.pid"] != slices[0].process["process.pid"]
    return request


def test_a_job_of_a_fleet_is_one_trace_from_the_request_to_its_fetches(redis_server):
    with (
        collector() as heard,
        tree(PAGES) as site,
        Fleet(redis_server.url, 1, SCRAPEMASTER_OTEL_ENDPOINT=heard.endpoint, **SOON) as fleet,
    ):
        fleet.http.headers["traceparent"] = f"00-{TRACE}-{SPAN}-01"
        job = fleet.create(**crawl_order(site))

        fleet.finished(job["id"])

        request = assert_one_trace(heard, job["id"], ["api", "api", "worker", "worker"])
        assert (request.trace, request.parent) == (TRACE, SPAN)
        assert set(heard.paths) == {"/v1/traces"}


@pytest.mark.soak
def test_a_job_whose_message_was_lost_is_in_the_trace_of_its_request_too(redis_server):
    with (
        collector() as heard,
        tree(PAGES) as site,
        Fleet(redis_server.url, 1, SCRAPEMASTER_OTEL_ENDPOINT=heard.endpoint, **SOON) as fleet,
    ):
        redis_server.kill()
        job = fleet.create(**crawl_order(site))
        redis_server.start()

        fleet.finished(job["id"])

        assert_one_trace(heard, job["id"], ["api", "api", "worker", "worker"])


def test_a_job_of_the_embedded_service_is_one_trace_too():
    with (
        collector() as heard,
        tree(PAGES) as site,
        Service(None, None, SCRAPEMASTER_OTEL_ENDPOINT=f"{heard.endpoint}/v1/traces", **SOON) as service,
    ):
        job = service.create(**crawl_order(site))

        service.finished(job["id"])

        assert_one_trace(heard, job["id"], ["api", "api", "crawler", "crawler"])


def test_spans_are_named_by_routes_and_hold_no_query_and_no_password():
    settings = {
        "SCRAPEMASTER_OTEL_ENDPOINT": "",
        "OTEL_SERVICE_NAME": "shop-scraper",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-team=blue",
        **SOON,
    }
    with collector() as heard, tree(PAGES) as site:
        settings["SCRAPEMASTER_OTEL_ENDPOINT"] = heard.endpoint
        with Service(None, None, **settings) as service:
            order = {"url": f"{site}?pass=hush", "selectors": {"n": "p"}, "config": {"respect_robots": False}}
            answer = service.http.post(f"{service.base}/jobs?pass=hush", json=order)
            job = service.finished(answer.json()["id"])
            service.http.post(f"{service.base}/jobs/{job['id']}/cancel")

            (fetch,) = heard.until(lambda spans: [span for span in spans if span.name == "fetch"])
            heard.until(lambda spans: any("cancel" in span.name for span in spans))

    assert fetch.failed
    assert fetch.facts["url.full"] == site
    assert fetch.facts["scrapemaster.reason"] == "http_404"
    names = {span.name for span in heard.spans}
    assert names >= {"POST /api/v1/jobs", "POST /api/v1/jobs/{job_id}/cancel", "wake", "slice", "fetch"}
    assert not any(name.startswith("GET") for name in names)
    assert "hush" not in str(heard.spans)
    assert "correct-horse" not in str(heard.spans)
    assert {span.process["service.name"] for span in heard.spans} == {"shop-scraper"}
    assert heard.headers["x-team"] == "blue"


def test_without_the_setting_nothing_is_sent_and_the_library_is_not_imported(redis_server, capfd):
    with collector() as heard, tree(PAGES) as site:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": heard.endpoint, "PYTHONPROFILEIMPORTTIME": "1", **SOON}
        with Fleet(redis_server.url, 1, **settings) as fleet:
            fleet.finished(fleet.create(**crawl_order(site))["id"])
        with Service(None, None, **settings) as service:
            service.finished(service.create(**crawl_order(site))["id"])

        assert heard.paths == []
    imported = [line.rpartition("|")[2].strip() for line in capfd.readouterr().err.splitlines()]
    # The API process, the worker and their parents; the embedded service and its crawler.
    assert imported.count("scrapemaster.settings") >= 6
    # redis-py imports the part for metrics where that is installed.
    ours = ("scrapemaster.tracing", "opentelemetry.exporter", "opentelemetry.sdk.trace")
    assert not [name for name in imported if name.startswith(ours)]


def test_jobs_run_and_the_service_stops_when_no_collector_answers(tmp_path):
    nobody = f"http://127.0.0.1:{free_port()}"
    service = Service(None, None, tmp_path / "log", SCRAPEMASTER_OTEL_ENDPOINT=nobody, **SOON)
    with tree(PAGES) as site, service:
        job = service.finished(service.create(**crawl_order(site))["id"])

        assert (job["status"], job["pages_fetched"]) == ("completed", PAGES)
        assert service.stop() == 0
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
