"""The sender against a real receiver."""

import time
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

import pytest
from receiver import receiver
from standardwebhooks import Webhook

from contract.test_webhooks import make_delivery, make_endpoint
from scrapemaster.delivery import sender as module
from scrapemaster.delivery.sender import RESPONSE_BYTES, WebhookSender
from scrapemaster.fetch.egress import EgressPolicy

LOOPBACK = [ip_network("127.0.0.0/8")]


@pytest.fixture
def target():
    with receiver() as running:
        yield running


@pytest.fixture
async def sender():
    made = WebhookSender(EgressPolicy(LOOPBACK))
    yield made
    await made.close()


async def send(sender, url, now=None, **changes):
    endpoint = make_endpoint(url=url, **changes)
    delivery = make_delivery(endpoint, body='{"type":"job.completed","data":"é"}'.encode())
    return endpoint, delivery, await sender.send(delivery, endpoint, now=now or time.time())


async def test_a_message_is_a_signed_json_post(target, sender):
    endpoint, delivery, answer = await send(sender, target.url("/ok/a?b=c"))

    (message,) = target.at("/ok/a?b=c")
    assert (answer.status, answer.error, answer.response) == (200, None, "thanks")
    assert Webhook(endpoint.secret).verify(message.body, message.headers) == {
        "type": "job.completed",
        "data": "é",
    }
    assert message.body == delivery.body
    assert message.id == delivery.id
    assert message.headers["content-type"] == "application/json"
    assert "cookie" not in message.headers


@pytest.mark.parametrize("status", [204, 299])
async def test_any_2xx_is_taken_as_such(target, sender, status):
    _, _, answer = await send(sender, target.url(f"/status/{status}"))

    assert (answer.status, answer.error) == (status, None)


async def test_another_status_is_told_with_the_beginning_of_its_body(target, sender):
    _, _, answer = await send(sender, target.url("/status/500"))

    assert (answer.status, answer.error, answer.response) == (500, "the endpoint answered 500", "as you wish")


async def test_H37_a_redirect_is_a_failure_and_is_not_followed(target, sender):
    _, _, answer = await send(sender, target.url("/redirect"))

    assert answer.status == 302
    assert "redirects are not followed" in answer.error
    assert [message.path for message in target.messages] == ["/redirect"]


async def test_H37_an_endless_answer_is_success_and_is_not_read(target, sender):
    _, _, answer = await send(sender, target.url("/endless"))

    assert (answer.status, answer.error) == (200, None)
    assert len(answer.response) <= 1_024
    # What the sockets' buffers took beyond what was read.
    assert target.sent_bytes < RESPONSE_BYTES + 32 * 1024 * 1024


async def test_H37_a_dripping_answer_holds_nobody(target, sender, monkeypatch):
    monkeypatch.setattr(module, "_RESPONSE_SECONDS", 0.3)

    _, _, answer = await send(sender, target.url("/drip"))

    assert (answer.status, answer.error) == (200, None)


async def test_H37_a_silent_target_is_given_up(target, sender, monkeypatch):
    monkeypatch.setattr(module, "SEND_SECONDS", 0.5)

    _, _, answer = await send(sender, target.url("/hold"))

    assert answer.status is None
    assert answer.error.startswith("timeout: ")


async def test_nothing_that_a_target_does_raises(sender):
    _, _, answer = await send(sender, "http://127.0.0.1:1024/")

    assert (answer.status, answer.error) == (None, "connection_refused: nothing listens there")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://2130706433:{port}/",
        "http://localhost.:{port}/",
        "http://hook.example:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
    ],
)
async def test_H06_a_denied_target_is_refused_before_a_packet_leaves(target, url):
    async def resolver(_host):
        return [ip_address("127.0.0.1")]

    sender = WebhookSender(EgressPolicy(resolver=resolver))

    _, _, answer = await send(sender, url.format(port=urlsplit(target.url("/")).port))

    assert answer.status is None
    assert answer.error.startswith("egress_denied: ")
    assert target.messages == []


async def test_H06_the_name_means_the_address_that_was_vetted(target):
    asked = []

    async def resolver(host):
        asked.append(host)
        return [ip_address("127.0.0.1")]

    sender = WebhookSender(EgressPolicy(LOOPBACK, resolver=resolver))
    port = urlsplit(target.url("/")).port

    _, _, answer = await send(sender, f"http://hook.example:{port}/ok")

    assert (answer.status, asked) == (200, ["hook.example"])
    assert target.messages[0].headers["host"] == f"hook.example:{port}"
