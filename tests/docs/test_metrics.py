"""Every metric is in the guide, with its type and labels, and no other is."""

import re
import time
from pathlib import Path

from benchmarks.service import Service
from benchmarks.tree import tree
from prometheus_client.parser import text_string_to_metric_families

GUIDE = Path(__file__).parents[2] / "docs" / "operations-metrics.md"
ROW = re.compile(r"^\| `(scrapemaster_\w+)` \| (\w+) \| (.*?) \|", re.MULTILINE)
HIDDEN = {"le"}


def documented():
    return {
        (name, kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in ROW.findall(GUIDE.read_text())
    }


def served(text):
    found = set()
    for family in text_string_to_metric_families(text):
        if family.name.endswith("_created"):
            continue
        labels = frozenset().union(*(sample.labels for sample in family.samples)) - HIDDEN
        name = family.name + ("_total" if family.type == "counter" else "")
        kind = "info" if name.endswith("_info") else family.type
        found.add((name, kind, labels))
    return found


def test_the_table_of_metrics_is_what_is_served():
    with tree(20) as url, Service() as service:
        job = service.create(url=url, config={"follow_links": True, "max_pages": 20})
        assert service.finished(job["id"])["pages_fetched"] == 20
        address = service.base.replace("/api/v1", "/metrics")
        values = {}
        end = time.monotonic() + 60
        while time.monotonic() < end:
            text = service.http.get(address, timeout=10).text
            values = {
                (sample.name, sample.labels.get("outcome") or sample.labels.get("route")): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            }
            if values.get(("scrapemaster_worker_pages_total", "handled")) == 20:
                break
            time.sleep(0.1)  # the crawler tells its figures once a second

    assert served(text) == documented()
    assert values["scrapemaster_worker_pages_total", "handled"] == 20
    assert values["scrapemaster_api_requests_total", "/api/v1/jobs/{job_id}"] >= 1


def test_metrics_can_be_switched_off():
    with Service(SCRAPEMASTER_METRICS="false") as service:
        assert service.http.get(service.base.replace("/api/v1", "/metrics"), timeout=10).status_code == 404
