"""Webhooks of a real service, received by a real receiver."""

import time

import pytest
import requests
from benchmarks.service import Service
from benchmarks.tree import tree
from receiver import receiver
from standardwebhooks import Webhook

from servers.stores import STORES, settings_for

PAGES = 40
ENDED = ["job.completed", "job.failed", "job.cancelled"]


@pytest.fixture(scope="module")
def site():
    with tree(PAGES) as url:
        yield url


@pytest.fixture(scope="module", params=STORES)
def service(request):
    with (
        settings_for(request.param) as settings,
        Service(SCRAPEMASTER_MAX_WEBHOOKS="30", **settings) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def other(service):
    """A second user's session."""
    session = requests.Session()
    account = {"username": "Bob", "password": "bobs password"}
    assert session.post(f"{service.base}/auth/register", json=account).status_code == 201
    token = session.post(f"{service.base}/auth/login", json=account).json()["access_token"]
    session.headers["Authorization"] = f"Bearer {token}"
    return session


@pytest.fixture(scope="module")
def target(service):
    """One for each service, as what it remembers is told apart by path alone."""
    with receiver() as running:
        yield running


@pytest.fixture
def hook(service):
    """Registers webhooks, and removes them after the test."""
    made = []

    def register(url, *events, **fields):
        body = {"webhook_url": url, "events": list(events) or ENDED, **fields}
        answer = service.http.post(f"{service.base}/webhooks", json=body)
        assert answer.status_code == 201, answer.text
        made.append(answer.json())
        return made[-1]

    yield register
    for one in made:
        service.http.delete(f"{service.base}/webhooks/{one['id']}")


def order(site, pages=PAGES, **fields):
    return {
        "url": site,
        "selectors": {"n": "p.n::text"},
        "config": {"follow_links": True, "max_pages": pages, "respect_robots": False},
        **fields,
    }


def endless(site):
    """An order that lasts until it is stopped."""
    return {**order(site), "config": {"follow_links": True, "delay": 3_600, "respect_robots": False}}


def deliveries(service, webhook_id, **params):
    answer = service.http.get(f"{service.base}/webhooks/{webhook_id}/deliveries", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def settled(service, webhook_id, condition, seconds=30.0):
    """The deliveries once they are as they should be."""
    end = time.monotonic() + seconds
    while not condition(found := deliveries(service, webhook_id)):
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return found


def test_a_finished_job_is_told_signed_and_as_the_api_shows_it(service, target, site, hook):
    made = hook(target.url("/ok/finished"), "job.started", "job.completed", "item.batch", description="mine")
    job = service.create(**order(site, name="Told", meta={"order": 7}))
    ended = service.finished(job["id"])

    messages = target.wait_for("/ok/finished", 3)
    if "job.completed" not in {message.type for message in messages}:  # a slow crawl has more than one batch
        messages = target.wait_for("/ok/finished", len(messages) + 1)

    for message in messages:
        assert Webhook(made["secret"]).verify(message.body, message.headers) == message.content
        assert set(message.content) == {"type", "timestamp", "data"}
        assert message.data["id"] == job["id"]
    by_type = {message.type: message.content for message in messages}
    assert set(by_type) == {"job.started", "job.completed", "item.batch"}
    assert by_type["job.completed"]["data"] == service.job(job["id"]) == ended
    assert by_type["job.completed"]["timestamp"] == ended["finished_at"]
    assert by_type["job.started"]["data"]["status"] == "running"
    batch = by_type["item.batch"]["data"]["batch"]
    assert batch == {"first": 1, "last": PAGES, "count": PAGES, "cursor": "0"}
    assert len({message.id for message in messages}) == 3


def test_a_job_that_fails_is_told(service, target, hook):
    hook(target.url("/ok/failed"))
    job = service.create(url="http://127.0.0.1:1024/", config={"max_retries": 0})

    (message,) = target.wait_for("/ok/failed")

    assert (message.type, message.data["id"], message.data["status"]) == ("job.failed", job["id"], "failed")
    assert message.data["error"]


def test_pausing_and_cancelling_over_the_api_are_told(service, target, site, hook):
    hook(target.url("/ok/moved"), "job.paused", "job.cancelled")
    job = service.create(**endless(site))
    service.act(job["id"], "pause")
    (paused,) = target.wait_for("/ok/moved")
    service.act(job["id"], "resume")
    service.act(job["id"], "cancel")
    _, cancelled = target.wait_for("/ok/moved", 2)

    assert (paused.type, paused.data["status"]) == ("job.paused", "paused")
    assert (cancelled.type, cancelled.data["stop_reason"]) == ("job.cancelled", "cancelled_by_user")


def test_a_job_may_have_a_webhook_of_its_own(service, target, site):
    answer = service.http.post(f"{service.base}/jobs", json=order(site, webhook_url=target.url("/ok/own")))
    created = answer.json()

    (message,) = target.wait_for("/ok/own")

    assert answer.status_code == 201
    assert (created["webhook_url"], created["webhook_events"]) == (target.url("/ok/own"), ENDED)
    assert Webhook(created["webhook_secret"]).verify(message.body, message.headers)["type"] == "job.completed"
    again = service.job(created["id"])
    assert "webhook_secret" not in again
    assert again["webhook_url"] == target.url("/ok/own")
    assert b"webhook_secret" not in message.body
    own = service.http.get(f"{service.base}/webhooks/{created['id']}").json()
    assert (own["job_id"], own["webhook_url"]) == (created["id"], target.url("/ok/own"))
    assert created["id"] not in service.http.get(f"{service.base}/webhooks").text
    (sent,) = settled(service, created["id"], lambda found: found[0]["state"] == "delivered")
    assert sent["id"] == message.id


def test_a_jobs_webhook_takes_events_and_a_secret_of_the_users_own(service, target, site):
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    created = service.create(
        **order(
            site, 1, webhook_url=target.url("/ok/mine"), webhook_events=["job.started"], webhook_secret=secret
        )
    )

    (message,) = target.wait_for("/ok/mine")
    service.finished(created["id"])

    assert created["webhook_events"] == ["job.started"]
    assert Webhook(secret).verify(message.body, message.headers)["type"] == "job.started"
    assert len(deliveries(service, created["id"])) == 1


def test_a_failed_message_comes_again_under_the_same_id(service, target, site, hook):
    made = hook(target.url("/once/500/again"))
    service.create(**order(site, 1))

    first, second = target.wait_for("/once/500/again", 2)

    assert (first.id, first.body) == (second.id, second.body)
    assert Webhook(made["secret"]).verify(second.body, second.headers)
    (delivery,) = settled(service, made["id"], lambda found: found[0]["state"] == "delivered")
    assert delivery["id"] == first.id
    assert [attempt["status"] for attempt in delivery["attempts"]] == [500, 200]
    assert delivery["attempts"][0]["error"] == "the endpoint answered 500"
    assert delivery["attempts"][0]["response"] == "not yet"
    assert delivery["next_attempt_at"] is None


def test_410_disables_the_webhook_until_it_is_enabled_by_hand(service, target, site, hook):
    made = hook(target.url("/status/410/gone"))
    url = f"{service.base}/webhooks/{made['id']}"
    service.create(**order(site, 1))
    settled(service, made["id"], lambda found: found and found[0]["state"] == "failed")

    disabled = service.http.get(url).json()
    assert (disabled["enabled"], disabled["disabled_reason"]) == (False, "it answered 410 Gone")
    refused = service.http.post(f"{url}/test")
    assert (refused.status_code, refused.json()["type"]) == (409, "conflict")
    assert "it answered 410 Gone" in refused.json()["detail"]

    enabled = service.http.patch(url, json={"enabled": True, "webhook_url": target.url("/ok/back")}).json()
    assert (enabled["enabled"], enabled["disabled_reason"]) == (True, None)
    (failed,) = deliveries(service, made["id"])
    assert service.http.post(f"{url}/deliveries/{failed['id']}/replay").status_code == 202
    (message,) = target.wait_for("/ok/back")
    assert message.id == failed["id"]


def test_H37_a_redirect_is_not_followed(service, target, site, hook):
    made = hook(target.url("/redirect/x"))
    service.create(**order(site, 1))

    (delivery,) = settled(service, made["id"], lambda found: found and found[0]["attempts"])

    assert delivery["attempts"][0]["status"] == 302
    assert "redirects are not followed" in delivery["attempts"][0]["error"]
    assert delivery["state"] == "pending"
    assert target.at("/ok/redirected") == []


def test_H37_slow_and_endless_targets_hold_up_no_other_users_messages(service, target, site, hook, other):
    hook(target.url("/hold/slow"))
    hook(target.url("/endless/answer"))
    theirs = other.post(
        f"{service.base}/webhooks", json={"webhook_url": target.url("/ok/quick"), "events": ["job.completed"]}
    ).json()
    for _ in range(12):
        service.create(**order(site, 1))
    target.wait_for("/hold/slow")

    job = other.post(f"{service.base}/jobs", json=order(site, 1)).json()
    (message,) = target.wait_for("/ok/quick")

    assert message.data["id"] == job["id"]
    assert target.most_held <= 4
    other.delete(f"{service.base}/webhooks/{theirs['id']}")
    target.free.set()


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/hook",
        "http://169.254.169.254/latest/meta-data",
        "http://metadata.google.internal/",
        "http://0xa000001/",
        "http://[fd00:ec2::254]/",
        "http://127.0.0.1:6379/",
        "http://example.com:25/",
    ],
)
def test_H06_a_target_that_is_known_to_be_denied_is_refused_with_a_sentence(service, site, url):
    answer = service.http.post(
        f"{service.base}/webhooks", json={"webhook_url": url, "events": ["job.completed"]}
    )
    of_job = service.http.post(f"{service.base}/jobs", json=order(site, 1, webhook_url=url))

    for refused in (answer, of_job):
        assert refused.status_code == 422
        (problem,) = refused.json()["errors"]
        assert problem["loc"] == ["body", "webhook_url"]
        assert problem["msg"].startswith("webhooks cannot be sent there: ")


@pytest.mark.parametrize(
    "body",
    [
        {"webhook_url": "ftp://example.com/", "events": ["job.completed"]},
        {"webhook_url": "/hook", "events": ["job.completed"]},
        {"webhook_url": "http://me:secret@example.com/", "events": ["job.completed"]},
        {"webhook_url": "https://example.com/", "events": []},
        {"webhook_url": "https://example.com/", "events": ["job.exploded"]},
        {"webhook_url": "https://example.com/"},
        {"webhook_url": "https://example.com/", "events": ["job.completed"], "secret": "mine"},
        {"events": ["job.completed"]},
    ],
)
def test_a_webhook_that_cannot_be_used_is_refused(service, body):
    answer = service.http.post(f"{service.base}/webhooks", json=body)

    assert (answer.status_code, answer.json()["type"]) == (422, "validation_error")


@pytest.mark.parametrize(
    "fields",
    [
        {"webhook_events": ["job.completed"]},
        {"webhook_url": "https://example.com/", "webhook_events": ["job.exploded"]},
        {"webhook_url": "https://example.com/", "webhook_secret": "short"},
        {"webhook_url": "file:///etc/passwd"},
    ],
)
def test_a_jobs_webhook_that_cannot_be_used_is_refused_and_no_job_is_made(service, site, fields):
    before = service.http.get(f"{service.base}/jobs").headers["X-Total-Count"]

    answer = service.http.post(f"{service.base}/jobs", json=order(site, 1, **fields))

    assert answer.status_code == 422
    assert service.http.get(f"{service.base}/jobs").headers["X-Total-Count"] == before


def test_the_secret_is_shown_once(service, target, hook):
    made = hook(target.url("/ok/secret"))
    url = f"{service.base}/webhooks/{made['id']}"

    shown = [
        service.http.get(url).text,
        service.http.get(f"{service.base}/webhooks").text,
        service.http.patch(url, json={"description": "other"}).text,
        service.http.post(f"{url}/test").text,
    ]

    assert made["secret"].startswith("whsec_")
    assert not any("whsec_" in text for text in shown)
    rotated = service.http.post(f"{url}/rotate-secret").json()
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != made["secret"]
    assert "whsec_" not in service.http.get(url).text


def test_a_replaced_secret_signs_besides_the_new_one(service, target, hook):
    made = hook(target.url("/ok/rotated"))
    url = f"{service.base}/webhooks/{made['id']}"
    rotated = service.http.post(f"{url}/rotate-secret").json()

    service.http.post(f"{url}/test")
    (message,) = target.wait_for("/ok/rotated")

    for secret in (made["secret"], rotated["secret"]):
        assert Webhook(secret).verify(message.body, message.headers)["type"] == "webhook.test"


def test_a_test_message_is_sent_at_once_and_once(service, target, hook):
    made = hook(target.url("/status/500/test"))
    url = f"{service.base}/webhooks/{made['id']}"

    answer = service.http.post(f"{url}/test")

    (message,) = target.wait_for("/status/500/test")
    assert answer.status_code == 202
    assert (answer.json()["id"], answer.json()["payload"]) == (message.id, message.content)
    assert message.data["webhook_id"] == made["id"]
    (delivery,) = settled(service, made["id"], lambda found: found[0]["state"] == "failed")
    one = service.http.get(f"{url}/deliveries/{delivery['id']}").json()
    assert {**delivery, "payload": message.content} == one
    assert service.http.get(url).json()["failing_since"] is None


def test_a_delivery_is_replayed_under_its_id(service, target, hook):
    made = hook(target.url("/ok/replayed"))
    url = f"{service.base}/webhooks/{made['id']}"
    sent = service.http.post(f"{url}/test").json()
    settled(service, made["id"], lambda found: found[0]["state"] == "delivered")

    answer = service.http.post(f"{url}/deliveries/{sent['id']}/replay")

    first, second = target.wait_for("/ok/replayed", 2)
    assert answer.status_code == 202
    assert (first.id, first.body) == (second.id, second.body) == (sent["id"], first.body)
    (delivery,) = settled(service, made["id"], lambda found: len(found[0]["attempts"]) == 2)
    assert delivery["state"] == "delivered"


def test_webhooks_and_deliveries_are_listed_in_pages(service, target, hook):
    made = [hook(target.url(f"/ok/page{number}")) for number in range(3)]
    listed = service.http.get(f"{service.base}/webhooks", params={"skip": 1, "limit": 1})
    total = int(listed.headers["X-Total-Count"])
    url = f"{service.base}/webhooks/{made[0]['id']}/deliveries"
    for _ in range(3):
        service.http.post(f"{service.base}/webhooks/{made[0]['id']}/test")
    settled(service, made[0]["id"], lambda found: [one["state"] for one in found] == ["delivered"] * 3)

    page = service.http.get(url, params={"skip": 1, "limit": 1, "state": "delivered"})

    assert len(listed.json()) == 1
    assert total >= 3
    assert 'rel="next"' in listed.headers["Link"]
    assert (len(page.json()), page.headers["X-Total-Count"]) == (1, "3")
    assert 'rel="prev"' in page.headers["Link"]
    assert service.http.get(url, params={"state": "pending"}).json() == []
    assert service.http.get(url, params={"limit": 101}).status_code == 422


def test_a_webhook_is_changed_and_removed(service, target, hook):
    made = hook(target.url("/ok/changed"), description="Orders")
    url = f"{service.base}/webhooks/{made['id']}"

    changed = service.http.patch(
        url, json={"events": ["job.paused", "job.paused"], "description": None, "enabled": False}
    ).json()

    assert (changed["events"], changed["description"], changed["enabled"]) == (["job.paused"], None, False)
    assert changed["webhook_url"] == target.url("/ok/changed")
    for wrong in ({}, {"webhook_url": "http://10.0.0.1/"}, {"webhook_url": None}, {"secret": "x"}):
        assert service.http.patch(url, json=wrong).status_code == 422
    assert service.http.delete(url).status_code == 204
    assert service.http.delete(url).status_code == 404
    assert service.http.get(url).json() == {"detail": "Webhook not found"}


def test_no_user_has_more_webhooks_than_the_operator_allows(service, other):
    body = {"webhook_url": "https://example.com/", "events": ["job.completed"]}
    made = [other.post(f"{service.base}/webhooks", json=body) for _ in range(31)]

    assert [answer.status_code for answer in made] == [201] * 30 + [409]
    assert made[-1].json()["detail"].startswith("you have 30 webhooks")
    for answer in made[:-1]:
        other.delete(f"{service.base}/webhooks/{answer.json()['id']}")


def test_H28_another_users_webhook_is_404_on_every_route_and_an_admin_sees_all(service, other, target, hook):
    made = hook(target.url("/ok/isolated"))
    sent = service.http.post(f"{service.base}/webhooks/{made['id']}/test").json()
    settled(service, made["id"], lambda found: found[0]["state"] == "delivered")
    url = f"{service.base}/webhooks/{made['id']}"

    answers = [
        other.get(url),
        other.patch(url, json={"enabled": False}),
        other.post(f"{url}/rotate-secret"),
        other.post(f"{url}/test"),
        other.get(f"{url}/deliveries"),
        other.get(f"{url}/deliveries/{sent['id']}"),
        other.post(f"{url}/deliveries/{sent['id']}/replay"),
        other.delete(url),
    ]

    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert other.get(f"{service.base}/webhooks").json() == []
    assert service.http.get(url).json()["enabled"]
    theirs = other.post(
        f"{service.base}/webhooks", json={"webhook_url": "https://example.com/", "events": ["job.failed"]}
    ).json()
    assert service.http.get(f"{service.base}/webhooks/{theirs['id']}").status_code == 200
    assert theirs["id"] in service.http.get(f"{service.base}/webhooks").text
    # A delivery of another webhook of one's own is not found under this one.
    assert other.get(f"{service.base}/webhooks/{theirs['id']}/deliveries/{sent['id']}").status_code == 404
    other.delete(f"{service.base}/webhooks/{theirs['id']}")
    assert requests.get(url).status_code == 401


def test_another_users_jobs_are_not_told(service, other, target, site, hook):
    hook(target.url("/ok/mine-alone"))
    theirs = other.post(f"{service.base}/jobs", json=order(site, 1)).json()
    while other.get(f"{service.base}/jobs/{theirs['id']}?wait=5").json()["status"] != "completed":
        pass
    mine = service.create(**order(site, 1))

    messages = target.wait_for("/ok/mine-alone")

    assert [message.data["id"] for message in messages] == [mine["id"]]
