import json
from dataclasses import replace

from contract.conftest import make_job
from scrapemaster.domain.events import EventType
from scrapemaster.domain.job import Counters, JobStatus
from scrapemaster.domain.webhook import OutboxEvent
from scrapemaster.services.notices import MASK, body_of
from scrapemaster.services.views import job_view

JOB = replace(make_job(), status=JobStatus.COMPLETED, counters=Counters(items=42), finished_at=1_500.0)


def test_a_message_carries_type_time_and_the_job_as_the_api_shows_it():
    message = json.loads(body_of(OutboxEvent("e", EventType.JOB_COMPLETED, 1_500.0, JOB)))

    assert set(message) == {"type", "timestamp", "data"}
    assert (message["type"], message["timestamp"]) == ("job.completed", "1970-01-01T00:25:00.000000Z")
    assert message["data"] == json.loads(json.dumps(job_view(JOB)))


def test_a_batch_says_which_rows_and_where_to_get_them():
    message = json.loads(body_of(OutboxEvent("e", EventType.ITEM_BATCH, 1_500.0, JOB, 11, 42)))

    assert message["data"]["batch"] == {"first": 11, "last": 42, "count": 32, "cursor": "10"}
    assert not {"urls", "selectors", "config"} & set(message["data"])
    assert message["data"]["url"] == JOB.urls[0]


def test_of_many_start_urls_the_first_hundred_are_named():
    many = replace(JOB, urls=[f"http://site/{number}" for number in range(10_000)])

    body = body_of(OutboxEvent("e", EventType.JOB_COMPLETED, 1_500.0, many))

    assert json.loads(body)["data"]["urls"] == many.urls[:100]


def test_no_password_of_the_jobs_config_is_sent_along():
    asked = {
        "headers": {"Authorization": "Bearer s3cret"},
        "cookies": {"session": "s3cret"},
        "proxy": "http://me:s3cret@proxy.example:3128",
        "max_pages": 3,
    }

    body = body_of(OutboxEvent("e", EventType.JOB_FAILED, 1_500.0, replace(JOB, config_asked=asked)))

    config = json.loads(body)["data"]["config"]
    assert b"s3cret" not in body
    assert config["headers"] == {"Authorization": MASK}
    assert config["cookies"] == {"session": MASK}
    assert config["proxy"] == f"http://{MASK}@proxy.example:3128"
